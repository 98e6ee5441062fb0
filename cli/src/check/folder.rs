//! A folder that is to become a bundle, packed as `zip -ry` would pack it.

use anyhow::Context as _;
use appspec::finding::{Code, Finding, shown};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// From this size on a ZIP needs its wide form.
const WIDE_BYTES: u64 = 1 << 32;

/// Packs a folder into a file that vanishes with its handle, and names what cannot be packed.
///
/// # Errors
/// When something in it cannot be read.
pub(crate) fn pack(folder: &Path) -> anyhow::Result<(File, Vec<Finding>)> {
    let mut zip = ZipWriter::new(tempfile::tempfile().context("there is no room for a packed bundle")?);
    let mut odd_names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(open) = folders.pop() {
        for path in entries(&open)? {
            let relative = path.strip_prefix(folder).unwrap_or(&path);
            let Some(name) = relative.to_str() else {
                let what = format!("the name of {} is not UTF-8", shown(&relative.to_string_lossy()));
                odd_names.push(Finding::new(Code::NameNotUtf8, what, "rename it"));
                continue;
            };
            add(&mut zip, &path, name, &mut folders)
                .with_context(|| format!("{} cannot be read", path.display()))?;
        }
    }
    Ok((zip.finish()?, odd_names))
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

fn add(zip: &mut ZipWriter<File>, path: &Path, name: &str, folders: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let what = fs::symlink_metadata(path)?;
    let mode = what.permissions().mode() & 0o7777;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .unix_permissions(mode)
        .large_file(what.len() >= WIDE_BYTES);
    if what.is_symlink() {
        zip.add_symlink(name, fs::read_link(path)?.to_string_lossy(), SimpleFileOptions::default())?;
    } else if what.is_dir() {
        zip.add_directory(name, options)?;
        folders.push(path.to_owned());
    } else if what.is_file() {
        zip.start_file(name, options)?;
        io::copy(&mut BufReader::new(File::open(path)?), zip)?;
    }
    // zip leaves out pipes and sockets as well.
    Ok(())
}
