//! Beside other programs: what they pack is clean, and what they unpack is what was judged.

use crate::bundles::{APPSPEC, Object, VALIDATE, codes, look, report};
use crate::raw::{Body, RawEntry, file, link};
use appspec::finding::{Agent, Code};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether a program is there; else the test is noted as skipped.
fn has(program: &str, test: &str) -> bool {
    let there =
        Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        skipped::because(test, format_args!("there is no {program}"));
    }
    there
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> i32 {
    let command =
        Command::new(program).args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    command.status.code().unwrap_or(-1)
}

/// Everything below a folder: the text of files, the target of links, nothing of folders.
fn unpacked(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            let kind = path.symlink_metadata().unwrap().file_type();
            if kind.is_symlink() {
                found.insert(
                    name,
                    std::fs::read_link(&path).unwrap().to_string_lossy().into_owned().into_bytes(),
                );
            } else if kind.is_dir() {
                todo.push(path);
            } else {
                // A mode of 000 keeps nobody from a file who is root, as the agent is.
                found.insert(name, std::fs::read(&path).unwrap_or_default());
            }
        }
    }
    found
}

/// A bundle of which an inspection reads every entry: it copies its own scripts.
fn all_read() -> Vec<RawEntry> {
    let appspec = APPSPEC.replace("source: app", "source: hooks");
    vec![
        file("appspec.yml", appspec).deflated(),
        file("hooks/validate.sh", "#!/bin/sh\nexit 0\n").with(|entry| entry.mode = 0o100_755),
        link("hooks/again.sh", "validate.sh"),
    ]
}

/// What it unpacks to.
fn expected() -> BTreeMap<String, Vec<u8>> {
    let appspec = APPSPEC.replace("source: app", "source: hooks").into_bytes();
    let script = b"#!/bin/sh\nexit 0\n".to_vec();
    let files = [
        ("appspec.yml", appspec),
        ("hooks/validate.sh", script),
        ("hooks/again.sh", b"validate.sh".to_vec()),
    ];
    files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

const PYTHON: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    for name in sorted(z.namelist()):
        if not name.endswith('/'):
            print(name, z.read(name).hex())
";

/// What Python reads, where it reads it at all.
fn read_by_python(zip: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let output = Command::new("python3").args(["-c", PYTHON]).arg(zip).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let (name, hex) = line.rsplit_once(' ').unwrap();
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap();
        (name.to_owned(), (0..hex.len()).step_by(2).map(byte).collect())
    };
    output.status.success().then(|| text.lines().map(line).collect())
}

/// An archive that is accepted is unpacked by unzip without complaint, and into what was judged.
fn is_refused_or_unpacked_alike(bytes: &[u8]) -> Result<(), TestCaseError> {
    let inspection = look(&Object::new(bytes.to_vec()));
    if inspection.findings.refuse(Agent::One) {
        return Ok(());
    }
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("bundle.zip");
    std::fs::write(&zip, bytes).unwrap();
    let status = run("unzip", &["-qq", "-o", "bundle.zip", "-d", "out"], folder.path());
    let is_said = inspection.findings.listed().iter().any(|finding| finding.code == Code::ExecuteBitsLost);
    prop_assert_eq!(status != 0, is_said, "unzip left with {}, found {:?}", status, codes(&inspection));
    if status == 0 {
        prop_assert_eq!(unpacked(&folder.path().join("out")), expected());
        if let Some(read) = read_by_python(&zip) {
            prop_assert_eq!(read, expected(), "Python");
        }
    }
    Ok(())
}

#[derive(Debug, Clone)]
enum Change {
    Byte(prop::sample::Index, u8),
    Short(prop::sample::Index, u16),
    Wide(prop::sample::Index, u32),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    let odd_short = prop_oneof![any::<u16>(), 0..4_u16, Just(u16::MAX), Just(0x7075), Just(8)];
    let odd_wide =
        prop_oneof![any::<u32>(), 0..200_u32, Just(u32::MAX), Just(0x0605_4b50), Just(0xa1ff_0000)];
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, value)| Change::Byte(at, value)),
        (at(), odd_short).prop_map(|(at, value)| Change::Short(at, value)),
        (at(), odd_wide).prop_map(|(at, value)| Change::Wide(at, value)),
        (at(), prop::collection::vec(any::<u8>(), 1..30)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), 1..30_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (at(), at(), 1..60_usize).prop_map(|(from, to, length)| Change::Copy(from, to, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let overwrite = |bytes: &mut Vec<u8>, at: usize, with: &[u8]| {
        for (place, value) in bytes.iter_mut().skip(at).zip(with) {
            *place = *value;
        }
    };
    if bytes.is_empty() {
        return;
    }
    match change {
        Change::Byte(at, value) => overwrite(bytes, at.index(bytes.len()), &[*value]),
        Change::Short(at, value) => overwrite(bytes, at.index(bytes.len()), &value.to_le_bytes()),
        Change::Wide(at, value) => overwrite(bytes, at.index(bytes.len()), &value.to_le_bytes()),
        Change::Insert(at, with) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, with.iter().copied());
        }
        Change::Remove(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Change::Copy(from, to, length) => {
            let from = from.index(bytes.len());
            let piece: Vec<u8> = bytes.iter().skip(from).take(*length).copied().collect();
            overwrite(bytes, to.index(bytes.len()), &piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_archive_is_refused_or_unpacked_alike(
        has_zip64 in any::<bool>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        if !has("unzip", "reference::a_changed_archive_is_refused_or_unpacked_alike") {
            return Ok(());
        }
        let body = Body::of(&all_read());
        let zip64 = if has_zip64 { body.zip64_end() } else { Vec::new() };
        let mut bytes = [body.bytes.clone(), zip64, body.end(b"a comment")].concat();
        for change in &changes {
            apply(&mut bytes, change);
        }
        is_refused_or_unpacked_alike(&bytes)?;
    }

    #[test]
    fn odd_names_and_modes_are_refused_or_unpacked_alike(
        name in prop_oneof!["[ -~\u{1}\u{7f}\u{e9}]{1,8}", "[./;1\\\\:#@ a-]{1,6}", "(a/|\\./|\\.\\.?|;1|hooks/){1,4}"],
        host in prop_oneof![Just(3_u8), 0..32_u8],
        mode in prop_oneof![Just(0o100_644_u32), Just(0o120_777), Just(0o040_755), 0..0o200_000_u32],
        flags in prop_oneof![Just(0_u16), Just(1 << 11), any::<u16>()],
        needed in prop_oneof![Just(20_u16), 0..100_u16],
    ) {
        if !has("unzip", "reference::odd_names_and_modes_are_refused_or_unpacked_alike") {
            return Ok(());
        }
        let odd = file(&name, "validate.sh").with(|entry| {
            (entry.host, entry.mode, entry.flags, entry.needed) = (host, mode, flags, needed);
        });
        let mut entries = all_read();
        entries.push(odd);
        let bytes = Body::of(&entries).zip();
        let inspection = look(&Object::new(bytes.clone()));
        if !inspection.findings.refuse(Agent::One) {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("bundle.zip"), bytes).unwrap();
            let status = run("unzip", &["-qq", "-o", "bundle.zip", "-d", "out"], folder.path());
            let is_said = inspection.findings.listed().iter().any(|finding| finding.code == Code::ExecuteBitsLost);
            prop_assert_eq!(status != 0, is_said, "unzip left with {}, found {:?}", status, codes(&inspection));
            if status == 0 {
                let mut expected = expected();
                let path: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
                if !name.ends_with('/') && !path.is_empty() {
                    expected.insert(path.join("/"), b"validate.sh".to_vec());
                }
                prop_assert_eq!(unpacked(&folder.path().join("out")), expected);
            }
        }
    }
}

/// A bundle as a project has it, below a folder.
fn project(folder: &Path) {
    let files = [
        ("appspec.yml", APPSPEC),
        ("hooks/validate.sh", VALIDATE),
        ("app/server.js", "serve()\n"),
        ("app/a name with blanks.txt", "text"),
        ("app/caf\u{e9}/\u{65e5}\u{672c}.txt", "text"),
        ("app/empty", ""),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::write(folder.join("app/large.bin"), crate::bundles::noise(300_000)).unwrap();
    std::os::unix::fs::symlink("server.js", folder.join("app/current")).unwrap();
    std::fs::create_dir(folder.join("app/logs")).unwrap();
}

#[test]
fn what_archivers_pack_is_clean() {
    let pack = |program: &str, arguments: &[&str]| -> Option<String> {
        let test = format!("reference::what_archivers_pack_is_clean ({})", arguments.join(" "));
        if !has(program, &test) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        project(folder.path());
        let status = run(program, arguments, folder.path());
        let found = report(std::fs::read(folder.path().join("bundle.zip")).unwrap());
        (status != 0 || !found.is_empty())
            .then(|| format!("{program} {}: {status} {found}", arguments.join(" ")))
    };
    let with_python = "import shutil; shutil.make_archive('/tmp/greenlight-bundle', 'zip', '.')";
    let with_python = with_python.replace("/tmp/greenlight-bundle", "bundle");
    let wrong: Vec<String> = [
        pack("zip", &["-qr", "bundle.zip", "."]),
        pack("zip", &["-qry", "bundle.zip", "."]),
        pack("zip", &["-qr0", "bundle.zip", "."]),
        pack("zip", &["-qr9X", "bundle.zip", "."]),
        pack("zip", &["-qrD", "bundle.zip", "."]),
        pack("zip", &["-qr", "-fz", "bundle.zip", "."]),
        pack("sh", &["-c", "zip -qr - appspec.yml hooks app | cat > bundle.zip"]),
        pack("sh", &["-c", "zip -qr bundle.zip app && zip -qr bundle.zip appspec.yml hooks && echo built | zip -qz bundle.zip"]),
        pack("python3", &["-c", &with_python]),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
