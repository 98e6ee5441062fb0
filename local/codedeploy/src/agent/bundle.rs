//! `DownloadBundle`: fetch the pinned object, unpack it, and keep few old ones.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Component, Path, PathBuf},
    process::Command,
};

use crate::{aws::Aws, diagnostics::at, folders::Folders, specification::Specification};

/// Deployments kept on an instance, this one included (`max_revisions`).
const ARCHIVES_TO_RETAIN: usize = 5;

/// Downloads and unpacks. The message is what the console shows.
pub(super) async fn download(
    folders: &Folders,
    specification: &Specification,
    aws: &dyn Aws,
) -> Result<(), String> {
    remove_old_archives(folders, specification)?;
    let pin = &specification.revision;
    let object = aws.fetch(pin.clone()).await.map_err(|error| error.message)?;
    if let Some(expected) = &pin.e_tag
        && expected.trim_matches('"') != object.e_tag.trim_matches('"')
    {
        return Err(format!(
            "Expected deployment artifact bundle etag {expected} but was actually {}",
            object.e_tag
        ));
    }
    let deployment = folders.deployment(specification);
    let instructions = folders.instructions();
    let note = instructions.join(format!("{}_most_recent_install", specification.group_id));
    let kind = pin.bundle_type.clone();
    let unpacked = tokio::task::spawn_blocking(move || {
        let bundle = deployment.join("bundle.tar");
        fs::write(&bundle, &object.bytes).map_err(at(&bundle))?;
        unpack(&bundle, kind.as_deref().unwrap_or("tar"), &deployment)?;
        fs::create_dir_all(&instructions).map_err(at(&instructions))?;
        fs::write(&note, deployment.display().to_string()).map_err(at(&note))
    });
    unpacked.await.unwrap_or_else(|error| Err(error.to_string()))
}

/// The oldest go; the last successful one never does.
fn remove_old_archives(folders: &Folders, specification: &Specification) -> Result<(), String> {
    let group = folders.group(specification);
    let mut archives: Vec<PathBuf> =
        fs::read_dir(&group).map_err(at(&group))?.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    archives.retain(|path| *path != folders.deployment(specification));
    let extra = (archives.len() + 1).saturating_sub(ARCHIVES_TO_RETAIN);
    let kept = fs::read_to_string(folders.last_successful_install(specification)).unwrap_or_default();
    archives.retain(|path| *path != Path::new(kept.trim_end()));
    archives.sort_by_key(|path| fs::metadata(path).and_then(|m| m.modified()).ok());
    for path in archives.into_iter().take(extra) {
        fs::remove_dir_all(&path).map_err(at(&path))?;
    }
    Ok(())
}

fn unpack(bundle: &Path, kind: &str, deployment: &Path) -> Result<(), String> {
    let archive = deployment.join("deployment-archive");
    if archive.exists() {
        fs::remove_dir_all(&archive).map_err(at(&archive))?;
    }
    fs::create_dir_all(&archive).map_err(at(&archive))?;
    match kind {
        "zip" => unzip(bundle, &archive)?,
        "tgz" => untar("-xzf", bundle, &archive)?,
        _ => untar("-xf", bundle, &archive)?,
    }
    strip_leading_folder(&archive, &deployment.join("deployment-archive-temp"))
}

fn untar(flags: &str, bundle: &Path, archive: &Path) -> Result<(), String> {
    let output =
        Command::new("tar").arg(flags).arg(bundle).arg("-C").arg(archive).output().map_err(at(bundle))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("Error extracting tar archive: {}", output.status.code().unwrap_or(-1)))
}

/// As `unzip -qo` unpacks: modes and symbolic links kept, special bits and leading `../` dropped.
fn unzip(bundle: &Path, archive: &Path) -> Result<(), String> {
    let file = fs::File::open(bundle).map_err(at(bundle))?;
    let mut zip = zip::ZipArchive::new(io::BufReader::new(file))
        .map_err(|_| "Zip end of central directory signature not found".to_owned())?;
    for n in 0..zip.len() {
        unzip_entry(&mut zip, n, archive)?;
    }
    Ok(())
}

fn unzip_entry<R: io::Read + io::Seek>(
    zip: &mut zip::ZipArchive<R>,
    n: usize,
    archive: &Path,
) -> Result<(), String> {
    let mut entry = zip.by_index(n).map_err(|error| error.to_string())?;
    let inside: PathBuf =
        Path::new(entry.name()).components().filter(|c| matches!(c, Component::Normal(_))).collect();
    if inside.as_os_str().is_empty() {
        return Ok(());
    }
    let path = archive.join(inside);
    if entry.is_dir() {
        return fs::create_dir_all(&path).map_err(at(&path));
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    if entry.is_symlink() {
        let mut target = String::new();
        entry.read_to_string(&mut target).map_err(at(&path))?;
        return symlink(target, &path).map_err(at(&path));
    }
    let mode = entry.unix_mode().map_or(0o644, |mode| mode & 0o777);
    let mut file = fs::File::create(&path).map_err(at(&path))?;
    io::copy(&mut entry, &mut file).map_err(at(&path))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(at(&path))
}

/// A folder that stands alone at the root and holds something named appspec, in any case, is the real root.
fn strip_leading_folder(archive: &Path, spare: &Path) -> Result<(), String> {
    let entries = names(archive)?;
    let [only] = entries.as_slice() else { return Ok(()) };
    let nested = archive.join(only);
    if !nested.is_dir() || !names(&nested)?.iter().any(|name| name.to_ascii_lowercase().contains("appspec")) {
        return Ok(());
    }
    if spare.exists() {
        fs::remove_dir_all(spare).map_err(at(spare))?;
    }
    fs::rename(archive, spare).map_err(at(archive))?;
    fs::rename(spare.join(only), archive).map_err(at(archive))?;
    fs::remove_dir(spare).map_err(at(spare))
}

fn names(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(at(folder))?;
    Ok(entries.filter_map(|entry| entry.ok().map(|e| e.file_name().to_string_lossy().into_owned())).collect())
}
