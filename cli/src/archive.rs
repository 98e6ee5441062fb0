//! Packs a folder, always to the same bytes: sorted, without times.

use anyhow::Context as _;
use appspec::finding::{Code, Finding, shown};
use std::fs::{self, File};
use std::io::{self, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// From this size on a ZIP needs its wide form.
const WIDE_BYTES: u64 = 1 << 32;

/// What the kit runs.
const STARTED: [&str; 3] = ["app/app", "app/start.sh", "app/migrate"];

/// How files are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// To be looked at: quickly, with modes as they are.
    Glance,
    /// To be uploaded: small, with one mode for programs and one for the rest, whatever the umask was.
    Bundle,
}

/// A ZIP that is being written.
#[derive(Debug)]
pub(crate) struct Archive {
    zip: ZipWriter<File>,
    form: Form,
    /// What cannot be packed.
    pub(crate) odd_names: Vec<Finding>,
}

impl Archive {
    pub(crate) fn new(file: File, form: Form) -> Self {
        Self { zip: ZipWriter::new(file), form, odd_names: Vec::new() }
    }

    /// A file whose content is at hand.
    pub(crate) fn add_file(&mut self, name: &str, mode: u32, content: &[u8]) -> anyhow::Result<()> {
        self.zip.start_file(name, self.options(mode, content.len() as u64))?;
        Ok(self.zip.write_all(content)?)
    }

    /// What lies in a folder, below `prefix`, but for what is left out by its path within the folder. Names what cannot
    /// be packed.
    ///
    /// # Errors
    /// When something in it cannot be read.
    pub(crate) fn add_folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        mut leave_out: impl FnMut(&str) -> bool,
    ) -> anyhow::Result<()> {
        let mut folders = vec![folder.to_owned()];
        while let Some(open) = folders.pop() {
            for path in entries(&open)? {
                let relative = path.strip_prefix(folder).unwrap_or(&path);
                let Some(name) = relative.to_str() else {
                    let what = format!("the name of {} is not UTF-8", shown(&relative.to_string_lossy()));
                    self.odd_names.push(Finding::new(Code::NameNotUtf8, what, "rename it"));
                    continue;
                };
                if leave_out(name) {
                    continue;
                }
                self.add(&path, &format!("{prefix}{name}"), &mut folders)
                    .with_context(|| format!("{} cannot be read", path.display()))?;
            }
        }
        Ok(())
    }

    /// Ends the ZIP.
    pub(crate) fn finish(self) -> anyhow::Result<(File, Vec<Finding>)> {
        Ok((self.zip.finish()?, self.odd_names))
    }

    fn add(&mut self, path: &Path, name: &str, folders: &mut Vec<PathBuf>) -> anyhow::Result<()> {
        let what = fs::symlink_metadata(path)?;
        // What passes through a build's artifacts comes without execute bits.
        let is_started = self.form == Form::Bundle && STARTED.contains(&name);
        let mode = if is_started { 0o755 } else { what.permissions().mode() & 0o7777 };
        let options = self.options(mode, what.len());
        if what.is_symlink() {
            let target = fs::read_link(path)?;
            self.zip.add_symlink(name, target.to_string_lossy(), SimpleFileOptions::default())?;
        } else if what.is_dir() {
            self.zip.add_directory(name, options)?;
            folders.push(path.to_owned());
        } else if what.is_file() {
            self.zip.start_file(name, options)?;
            io::copy(&mut BufReader::new(File::open(path)?), &mut self.zip)?;
        }
        // zip leaves out pipes and sockets as well.
        Ok(())
    }

    fn options(&self, mode: u32, bytes: u64) -> SimpleFileOptions {
        let (method, mode) = match self.form {
            Form::Glance => (CompressionMethod::Stored, mode),
            Form::Bundle => (CompressionMethod::Deflated, if mode & 0o100 == 0 { 0o644 } else { 0o755 }),
        };
        SimpleFileOptions::default()
            .compression_method(method)
            .unix_permissions(mode)
            .large_file(bytes >= WIDE_BYTES)
    }
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = || format!("{} cannot be read", folder.display());
    let entries = fs::read_dir(folder).with_context(cannot)?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .with_context(cannot)?;
    paths.sort();
    Ok(paths)
}
