//! The bundles that are measured: ordinary ones from small to large, and the worst that fit the limits.

use crate::archive::{Archive, Content};
use std::io;
use std::path::Path;

const APPSPEC: &str = "version: 0.0
os: linux
files:
  - source: app
    destination: /opt/staging
hooks:
  ValidateService:
    - location: hooks/validate.sh
      timeout: 3600
";
const MIB: u64 = 1024 * 1024;
/// Bytes of a directory of the worst shapes.
const WORST_DIRECTORY: usize = 16 * 1024 * 1024;
/// Bytes of a directory's record without name and extra fields.
const RECORD: usize = 46;

type Write = Box<dyn Fn(&Path) -> io::Result<()>>;

/// A bundle to be measured.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) write: Write,
    /// Whether other programs are measured beside it.
    pub(crate) compared: bool,
}

/// Every shape.
pub(crate) fn all() -> Vec<Shape> {
    let ordinary = [
        ("1 MiB, 10 entries", MIB, 10),
        ("1 MiB, 2,000 entries", MIB, 2_000),
        ("100 MiB, 10 entries", 100 * MIB, 10),
        ("100 MiB, 10,000 entries", 100 * MIB, 10_000),
        ("1 GiB, 10 entries", 1024 * MIB, 10),
        ("1 GiB, 10,000 entries", 1024 * MIB, 10_000),
        ("1 GiB, 60,000 entries", 1024 * MIB, 60_000),
        ("1 GiB, 200,000 entries", 1024 * MIB, 200_000),
        ("1 GiB, 300,000 entries", 1024 * MIB, 300_000),
        ("1 GiB, 1,000,000 entries", 1024 * MIB, 1_000_000),
    ];
    let with_links = [
        ("100 MiB, 10,000 entries, 300 links side by side", 100 * MIB, true),
        ("100 MiB, 10,000 entries, 300 links far apart", 100 * MIB, false),
        ("12 MiB, 10,000 entries, 300 links apart", 12 * MIB, false),
    ];
    let ordinary =
        ordinary.map(|(name, bytes, entries)| shape(name, true, move |file| plain(file, bytes, entries)));
    let with_links = with_links
        .map(|(name, bytes, together)| shape(name, true, move |file| links(file, bytes, 300, together)));
    ordinary.into_iter().chain(with_links).chain(worst()).collect()
}

fn shape(name: &'static str, compared: bool, write: impl Fn(&Path) -> io::Result<()> + 'static) -> Shape {
    Shape { name, compared, write: Box::new(write) }
}

/// A 16 MiB directory each, unless the name says otherwise.
fn worst() -> Vec<Shape> {
    vec![
        shape("one path of 4,000 folders", false, |file| named(file, 1, |_| "a/".repeat(2_000) + "b")),
        shape("one name of 64 KiB, all slashes", false, |file| named(file, 1, |_| "/".repeat(65_000))),
        shape("one name of 64 KiB, folders without end", false, |file| {
            named(file, 1, |_| "a/".repeat(32_000))
        }),
        shape("many names of 64 KiB", false, |file| named(file, 256, |_| "a/".repeat(32_000))),
        shape("the most entries", false, |file| named(file, 299_990, |n| format!("{n:07}"))),
        shape("paths of 128 folders, none shared", false, |file| {
            let entries = WORST_DIRECTORY / (RECORD + 264);
            named(file, entries, |n| format!("{n:08}{}", "/a".repeat(127)))
        }),
        shape("as many folders as are allowed", false, |file| {
            named(file, 3_890, |n| format!("{n:08}{}", "/abcdefghijklmnopqrstuvw".repeat(127)))
        }),
        shape("one long path, all files in it", false, |file| {
            let folder = "abcdefghijklmno/".repeat(127);
            named(file, WORST_DIRECTORY / (RECORD + folder.len() + 8), move |n| format!("{folder}{n:08}"))
        }),
        shape("names of 255 bytes", false, |file| {
            named(file, 47_000, |n| format!("{n:08}{}", "x".repeat(247)))
        }),
        shape("a 64 MiB directory", false, |file| {
            let folder = "some-folder/".repeat(16);
            named(file, 260_000, move |n| format!("{folder}{n:08}"))
        }),
        shape("every entry has a fault", false, |file| named(file, 299_990, |n| format!("{n:06}\u{1}"))),
        shape("every entry is the same", false, |file| named(file, 299_990, |_| "app/same".to_owned())),
        shape("every entry lies in a file", false, |file| {
            named(file, 250_000, |n| if n == 0 { "app".to_owned() } else { format!("app/{n:06}") })
        }),
        shape("every name begins alike", false, |file| {
            named(file, 100_000, |n| format!("{}{n:08}", "x".repeat(100)))
        }),
        shape("links that are followed 40 times, as long as links can be", false, |file| winding(file, 62)),
        shape("everything is copied", false, |file| plain(file, MIB, 299_000)),
    ]
}

fn start(file: &Path) -> io::Result<Archive> {
    let mut archive = Archive::create(file)?;
    archive.add("appspec.yml", Content::Text(APPSPEC.as_bytes()))?;
    archive.add(
        "hooks/validate.sh",
        Content::Text(b"#!/bin/sh\naws lambda invoke --function-name greenlight-lifecycle answer\n"),
    )?;
    Ok(archive)
}

/// Files with names as projects have them, all of one size.
fn plain(file: &Path, bytes: u64, entries: u64) -> io::Result<()> {
    let mut archive = start(file)?;
    let files = entries - 2;
    for n in 0..files {
        let name = format!("app/node_modules/package-{:04}/lib/file-{n:08}.js", n / 100);
        archive.add(&name, Content::Zeros(bytes / files))?;
    }
    archive.finish()
}

fn links(file: &Path, bytes: u64, n_links: u64, together: bool) -> io::Result<()> {
    let files = 10_000 - 2 - n_links;
    let mut archive = start(file)?;
    let mut made = 0;
    for n in 0..files {
        let name = format!("app/node_modules/package-{:04}/lib/file-{n:08}.js", n / 100);
        archive.add(&name, Content::Zeros(bytes / files))?;
        let due = if together { if n == files / 2 { n_links } else { made } } else { n * n_links / files };
        while made < due {
            made += 1;
            let target = format!("../package-{:04}/lib/file-{n:08}.js", n / 100);
            archive.add(&format!("app/node_modules/.bin/tool-{made:04}"), Content::Link(&target))?;
        }
    }
    archive.finish()
}

/// Entries with chosen names and no content, as short as a directory has them.
fn named(file: &Path, entries: usize, name: impl Fn(usize) -> String) -> io::Result<()> {
    let mut archive = start(file)?;
    for n in 0..entries {
        archive.add_with(&name(n), Content::Zeros(0), &[])?;
    }
    archive.finish()
}

/// Links whose targets go to and fro, and through the next link, as long as the kernel allows.
fn winding(file: &Path, n_links: usize) -> io::Result<()> {
    let mut archive = start(file)?;
    archive.add("app/a/file", Content::Text(b"x"))?;
    for n in 0..n_links {
        let target = "a/../".repeat(800) + &format!("l{}", (n + 1) % n_links);
        archive.add(&format!("app/l{n}"), Content::PackedLink(&target))?;
    }
    archive.finish()
}
