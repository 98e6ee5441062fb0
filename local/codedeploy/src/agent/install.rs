//! Install: take away what the last deployment's `files:` laid down, then copy, then set permissions.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::{Component, Path, PathBuf},
    process::Command,
};

use appspec::agent1::{AppSpec, FileMapping, Permission};
use appspec::{AclEntry, FileExistsBehavior};
use serde_json::{Value, json};

use crate::{diagnostics::at, folders::Folders};

/// One installation of one bundle.
pub(super) struct Installer<'a> {
    pub(super) folders: &'a Folders,
    pub(super) archive: &'a Path,
    pub(super) group_id: &'a str,
    pub(super) behavior: FileExistsBehavior,
}

impl Installer<'_> {
    pub(super) fn install(&self, appspec: &AppSpec) -> Result<(), String> {
        let folder = self.folders.instructions();
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let cleanup = folder.join(format!("{}-cleanup", self.group_id));
        if cleanup.exists() {
            clean_up(&cleanup)?;
        }
        let plan = self.plan(appspec)?;
        let record = folder.join(format!("{}-install.json", self.group_id));
        let steps: Vec<Value> = plan.steps.iter().map(Step::to_json).collect();
        fs::write(&record, json!({ "instructions": steps }).to_string()).map_err(at(&record))?;
        let mut laid_down = fs::File::create(&cleanup).map_err(at(&cleanup))?;
        for step in &plan.steps {
            step.execute(&mut laid_down)?;
        }
        Ok(())
    }

    fn plan(&self, appspec: &AppSpec) -> Result<Plan, String> {
        let mut plan = Plan { behavior: self.behavior, ..Plan::default() };
        for mapping in &appspec.files {
            self.plan_mapping(mapping, &mut plan)?;
        }
        for permission in &appspec.permissions {
            self.plan_permission(permission, &mut plan)?;
        }
        Ok(plan)
    }

    fn plan_mapping(&self, mapping: &FileMapping, plan: &mut Plan) -> Result<(), String> {
        let source = self.archive.join(mapping.source.trim_start_matches('/'));
        let destination = clean(&self.folders.rooted(&mapping.destination));
        if source.is_dir() {
            plan.make_ancestors(&destination)?;
            return plan.copy_folder(&source, &destination);
        }
        let destination = destination.join(source.file_name().unwrap_or_default());
        plan.make_ancestors(&destination)?;
        plan.copy_file(source, destination)
    }

    fn plan_permission(&self, permission: &Permission, plan: &mut Plan) -> Result<(), String> {
        let object = clean(&self.folders.rooted(&permission.object));
        if plan.copied.contains_key(&object) {
            if !permission.files {
                return Ok(());
            }
            if permission.pattern != "**" {
                return Err(format!(
                    "The deployment failed because the application specification file includes an object ({}) with an \
                     invalid pattern ({}), such as a pattern for a file applied to a directory. Correct the \
                     permissions section of the AppSpec file, and then try again.",
                    permission.object, permission.pattern
                ));
            }
            if !permission.except.is_empty() {
                return Err(format!(
                    "The deployment failed because the except parameter for a pattern in the permissions section \
                     ({:?}) for the object named {} contains an invalid format. Update the AppSpec file, and then try \
                     again.",
                    permission.except, permission.object
                ));
            }
            refuse_default_acl(permission)?;
            return plan.set_permissions(object, permission);
        }
        if !plan.made.contains(&object) && !object.is_dir() {
            return Ok(());
        }
        let base = object.display().to_string();
        let covered = |path: &&PathBuf| permission.covers(&base, &path.display().to_string());
        let files: Vec<_> =
            plan.copied.keys().filter(|_| permission.files).filter(covered).cloned().collect();
        let folders: Vec<_> =
            plan.made.iter().filter(|_| permission.directories).filter(covered).cloned().collect();
        if !files.is_empty() {
            refuse_default_acl(permission)?;
        }
        files.into_iter().chain(folders).try_for_each(|path| plan.set_permissions(path, permission))
    }
}

fn refuse_default_acl(permission: &Permission) -> Result<(), String> {
    if permission.acls.iter().flatten().any(|entry| entry.default) {
        return Err("The deployment failed because the -d parameter has been specified to apply an acl setting to a \
                    file. This parameter is supported for directories only. Update the AppSpec file, and then try \
                    again."
            .to_owned());
    }
    Ok(())
}

/// Ruby's `File.expand_path` on an absolute path.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

/// Undoes the last deployment's copies, last first. What is gone already is no error, and a folder that holds
/// something else stays.
fn clean_up(record: &Path) -> Result<(), String> {
    let text = fs::read_to_string(record).map_err(at(record))?;
    let complete = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    for line in complete.lines().rev() {
        if let Some(object) = line.strip_prefix("semanage\0") {
            run("semanage", &["fcontext".to_owned(), "-d".to_owned(), object.to_owned()]).unwrap_or_default();
            continue;
        }
        let path = Path::new(line.trim());
        let removed = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir(path),
            Ok(_) => fs::remove_file(path),
            Err(_) => Ok(()),
        };
        match removed {
            Err(error) if !matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => {
                return Err(at(path)(error));
            }
            _ => {}
        }
    }
    fs::remove_file(record).map_err(at(record))
}

/// What Install will do, worked out against the disk as it is now.
#[derive(Debug, Default)]
struct Plan {
    behavior: FileExistsBehavior,
    steps: Vec<Step>,
    copied: BTreeMap<PathBuf, PathBuf>,
    made: BTreeSet<PathBuf>,
    permitted: BTreeSet<PathBuf>,
}

impl Plan {
    fn make_ancestors(&mut self, destination: &Path) -> Result<(), String> {
        let missing: Vec<_> = destination.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
        missing.into_iter().rev().try_for_each(|folder| self.make_folder(folder))
    }

    fn make_folder(&mut self, folder: &Path) -> Result<(), String> {
        if self.copied.contains_key(folder) {
            return Err(format!(
                "The deployment failed because the application specification file includes an mkdir command more than \
                 once for the same destination path ({}) from ({}). Update the files section of the AppSpec file, and \
                 then try again.",
                folder.display(),
                self.copied.get(folder).map(|source| source.display().to_string()).unwrap_or_default()
            ));
        }
        if self.made.insert(folder.to_owned()) {
            self.steps.push(Step::MakeFolder(folder.to_owned()));
        }
        Ok(())
    }

    /// Links to folders are followed, links to files are not.
    fn copy_folder(&mut self, source: &Path, destination: &Path) -> Result<(), String> {
        if !destination.is_dir() {
            self.make_folder(destination)?;
        }
        let mut entries: Vec<_> = fs::read_dir(source)
            .map_err(at(source))?
            .filter_map(|entry| entry.ok().map(|e| e.file_name()))
            .collect();
        entries.sort();
        for name in entries {
            let (from, to) = (source.join(&name), destination.join(&name));
            if from.is_dir() {
                self.copy_folder(&from, &to)?;
            } else {
                self.copy_file(from, to)?;
            }
        }
        Ok(())
    }

    fn copy_file(&mut self, source: PathBuf, destination: PathBuf) -> Result<(), String> {
        if destination.exists() {
            match self.behavior {
                FileExistsBehavior::Retain => return Ok(()),
                FileExistsBehavior::Overwrite => {}
                FileExistsBehavior::Disallow => {
                    return Err(format!(
                        "The deployment failed because a specified file already exists at this location: {}",
                        destination.display()
                    ));
                }
            }
        }
        if let Some(first) = self.copied.get(&destination) {
            return Err(format!(
                "The deployment failed because the application specification file specifies two source files named {} \
                 and {} for the same destination ({}). Remove one of the source file paths from the AppSpec file, and \
                 then try again.",
                source.display(),
                first.display(),
                destination.display()
            ));
        }
        if self.made.contains(&destination) {
            return Err(format!(
                "The deployment failed because the application specification file calls for installing the file {}, \
                 but a file with that name already exists at the location ({}). Update your AppSpec file or directory \
                 structure, and then try again.",
                source.display(),
                destination.display()
            ));
        }
        self.copied.insert(destination.clone(), source.clone());
        self.steps.push(Step::Copy { source, destination });
        Ok(())
    }

    fn set_permissions(&mut self, object: PathBuf, permission: &Permission) -> Result<(), String> {
        if !self.permitted.insert(object.clone()) {
            return Err(format!(
                "The deployment failed because the permissions setting for ({}) is specified more than once in the \
                 application specification file. Update the files section of the AppSpec file, and then try again.",
                object.display()
            ));
        }
        if let Some(mode) = &permission.mode {
            self.steps.push(Step::Mode { object: object.clone(), mode: mode.clone() });
        }
        if let Some(entries) = &permission.acls {
            self.steps.push(Step::Acl { object: object.clone(), entries: entries.clone() });
        }
        if let Some(arguments) = &permission.context {
            self.steps.push(Step::Context { object: object.clone(), arguments: arguments.clone() });
        }
        if permission.owner.is_some() || permission.group.is_some() {
            let (owner, group) = (permission.owner.clone(), permission.group.clone());
            self.steps.push(Step::Owner { object, owner, group });
        }
        Ok(())
    }
}

#[derive(Debug)]
enum Step {
    MakeFolder(PathBuf),
    Copy { source: PathBuf, destination: PathBuf },
    Mode { object: PathBuf, mode: String },
    Acl { object: PathBuf, entries: Vec<AclEntry> },
    Context { object: PathBuf, arguments: Vec<String> },
    Owner { object: PathBuf, owner: Option<String>, group: Option<String> },
}

impl Step {
    fn to_json(&self) -> Value {
        match self {
            Self::MakeFolder(folder) => json!({ "type": "mkdir", "directory": folder }),
            Self::Copy { source, destination } => {
                json!({ "type": "copy", "source": source, "destination": destination })
            }
            Self::Mode { object, mode } => json!({ "type": "chmod", "mode": mode, "file": object }),
            Self::Acl { object, entries } => {
                let acl: Vec<_> = entries.iter().map(AclEntry::text).collect();
                json!({ "type": "setfacl", "acl": acl, "file": object })
            }
            Self::Context { object, arguments } => {
                json!({ "type": "semanage", "context": arguments, "file": object })
            }
            Self::Owner { object, owner, group } => {
                json!({ "type": "chown", "owner": owner, "group": group, "file": object })
            }
        }
    }

    fn execute(&self, laid_down: &mut fs::File) -> Result<(), String> {
        match self {
            Self::MakeFolder(folder) => {
                fs::create_dir(folder).map_err(at(folder))?;
                writeln!(laid_down, "{}", folder.display()).map_err(at(folder))
            }
            Self::Copy { source, destination } => {
                writeln!(laid_down, "{}", destination.display()).map_err(at(destination))?;
                copy(source, destination)
            }
            Self::Mode { object, mode } => {
                let bits = u32::from_str_radix(mode, 8).map_err(|error| error.to_string())?;
                fs::set_permissions(object, fs::Permissions::from_mode(bits)).map_err(at(object))
            }
            Self::Acl { object, entries } => set_acl(object, entries),
            Self::Context { object, arguments } => {
                let object = fs::canonicalize(object).map_err(at(object))?.display().to_string();
                let mut words = vec!["fcontext".to_owned(), "-a".to_owned()];
                words.extend(arguments.iter().cloned());
                words.push(object.clone());
                run("semanage", &words)?;
                run("restorecon", &["-v".to_owned(), object.clone()])?;
                writeln!(laid_down, "semanage\0{object}").map_err(|error| error.to_string())
            }
            Self::Owner { object, owner, group } => {
                let uid = owner.as_deref().map(|name| id("/etc/passwd", "user", name)).transpose()?;
                let gid = group.as_deref().map(|name| id("/etc/group", "group", name)).transpose()?;
                if rustix::process::geteuid().is_root() {
                    chown(object, uid, gid).map_err(at(object))?;
                }
                Ok(())
            }
        }
    }
}

/// Keeps mode and times; a link is made again, not followed.
fn copy(source: &Path, destination: &Path) -> Result<(), String> {
    let metadata = fs::symlink_metadata(source).map_err(at(source))?;
    if metadata.is_symlink() {
        let target = fs::read_link(source).map_err(at(source))?;
        return symlink(target, destination).map_err(at(destination));
    }
    fs::copy(source, destination).map_err(at(destination))?;
    if let Ok(modified) = metadata.modified() {
        let file = fs::OpenOptions::new().append(true).open(destination);
        // A read-only copy cannot be opened by anyone but root; its time is then the time of the copy.
        if let Ok(file) = file {
            file.set_modified(modified).map_err(at(destination))?;
        }
    }
    Ok(())
}

/// The entries that `mode` stands for are part of the list that setfacl replaces.
fn set_acl(object: &Path, entries: &[AclEntry]) -> Result<(), String> {
    let mode = fs::metadata(object).map_err(at(object))?.permissions().mode();
    let digit = |shift: u32| (mode >> shift) & 7;
    let mut acl: Vec<String> = entries.iter().map(AclEntry::text).collect();
    acl.extend([format!("u::{}", digit(6)), format!("g::{}", digit(3)), format!("o::{}", digit(0))]);
    let named = entries.iter().any(|entry| !entry.default && !entry.name.is_empty());
    let masked = entries.iter().any(|entry| !entry.default && entry.kind == "mask");
    if named && !masked {
        acl.push(format!("m::{}", digit(3)));
    }
    run("setfacl", &["--set".to_owned(), acl.join(","), object.display().to_string()])
}

fn run(program: &str, arguments: &[String]) -> Result<(), String> {
    let line = format!("{program} {}", arguments.join(" "));
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "The deployment failed because a permission of the application specification file could not be set. Failed \
             command: {line}. Exit code: {}",
            output.status.code().unwrap_or(-1)
        )),
        Err(error) => {
            Err(format!("The deployment failed because this command could not be run: {line}: {error}"))
        }
    }
}

fn id(database: &str, kind: &str, name: &str) -> Result<u32, String> {
    let text = fs::read_to_string(database).map_err(at(Path::new(database)))?;
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)).flatten().and_then(|id| id.parse().ok())
    });
    found.ok_or_else(|| format!("can't find {kind} for {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_without_asking_the_disk() {
        assert_eq!(clean(Path::new("/a/./b/../c/")), PathBuf::from("/a/c"));
    }

    #[test]
    fn users_are_found_by_name() {
        assert_eq!(id("/etc/passwd", "user", "root"), Ok(0));
        assert_eq!(
            id("/etc/passwd", "user", "nobody-of-that-name").unwrap_err(),
            "can't find user for nobody-of-that-name"
        );
    }
}
