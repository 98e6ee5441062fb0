//! `greenlight bundle pack`: what is in a bundle, and when there is none.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use zip::ZipArchive;

fn put(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A program with what lies beside it on a developer's machine.
fn program() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "start.sh", "#!/bin/sh\nexec node server.js\n");
    put(folder.path(), "server.js", "serve()\n");
    put(folder.path(), "tool", "#!/bin/sh\n");
    fs::set_permissions(folder.path().join("tool"), Permissions::from_mode(0o700)).unwrap();
    put(folder.path(), ".env", "TOKEN=hush\n");
    put(folder.path(), ".git/config", "[core]\n");
    put(folder.path(), "node_modules/.cache/x", "x");
    put(folder.path(), "node_modules/express/index.js", "express()\n");
    folder
}

/// Packs a folder, told of nothing but these.
fn pack(folder: &Path, output: &Path, told: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
    for name in ["GITHUB_RUN_NUMBER", "GITHUB_RUN_ATTEMPT", "GITHUB_SHA", "SOURCE_DATE_EPOCH"] {
        command.env_remove(name);
    }
    command.args(["bundle", "pack"]).arg(folder).arg("--output").arg(output).args(told).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const TOLD: [&str; 6] =
    ["--number", "142", "--commit", "3f9c2ab41d0e5566778899aabbccddeeff001122", "--built-at", "1764338400"];

#[test]
fn a_bundle_holds_program_kit_and_what_it_is() {
    let (folder, out) = (program(), tempfile::tempdir().unwrap());
    let bundle = out.path().join("deep/bundle.zip");
    let packed = pack(folder.path(), &bundle, &TOLD);
    assert_eq!(packed.status.code(), Some(0), "{}", stderr(&packed));

    let mut archive = ZipArchive::new(File::open(&bundle).unwrap()).unwrap();
    let mut entries: Vec<String> = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).unwrap();
        entries.push(format!("{:o} {}", entry.unix_mode().unwrap() & 0o777, entry.name()));
    }
    insta::assert_snapshot!(entries.join("\n"));
    let manifest: serde_json::Value =
        serde_json::from_reader(archive.by_name("release.json").unwrap()).unwrap();
    insta::assert_json_snapshot!(manifest);
    assert_eq!(stderr(&packed), "left out: .env is a secret by its name\n");
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let (folder, out) = (program(), tempfile::tempdir().unwrap());
    let [first, second] = ["1.zip", "2.zip"].map(|name| out.path().join(name));
    pack(folder.path(), &first, &TOLD);
    // Another checkout: other times, other permissions of group and others.
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options().write(true).open(folder.path().join("server.js")).unwrap().set_modified(old).unwrap();
    fs::set_permissions(folder.path().join("server.js"), Permissions::from_mode(0o600)).unwrap();
    pack(folder.path(), &second, &TOLD);
    assert!(fs::read(first).unwrap() == fs::read(second).unwrap(), "the bytes differ");
}

#[test]
fn what_is_told_counts_in_a_workflow_too() {
    let (folder, out) = (program(), tempfile::tempdir().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
    command.env("GITHUB_RUN_NUMBER", "142").env("GITHUB_SHA", "a".repeat(40));
    command.args(["bundle", "pack"]).arg(folder.path()).arg("--output").arg(out.path().join("bundle.zip"));
    let said = command.args(["--number", "7", "--commit", "3f9c2ab"]).output().unwrap();
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    assert!(String::from_utf8_lossy(&said.stdout).ends_with(" bytes, release 7 of 3f9c2ab, for arm64\n"));
}

#[test]
fn a_program_for_another_processor_is_refused() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(folder.path(), "app", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0 and more");
    let bundle = out.path().join("bundle.zip");
    let packed = pack(folder.path(), &bundle, &TOLD);
    assert_eq!(packed.status.code(), Some(1), "it would be refused");
    let said = stderr(&packed);
    assert!(said.contains(
        "app was built for x86_64, and the instances have arm64: build it for arm64, or say --architecture x86_64\n"
    ));
    assert!(said.ends_with("bundle.zip was not written: mend what is said above\n"), "{said}");
    assert!(!bundle.exists());
    let packed = pack(folder.path(), &bundle, &["--architecture", "x86_64"]);
    assert_eq!(packed.status.code(), Some(0), "{}", stderr(&packed));
}

#[test]
fn what_would_be_refused_is_not_written_and_the_last_bundle_stays() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(folder.path(), "README.md", "nothing here starts\n");
    let bundle = out.path().join("bundle.zip");
    fs::write(&bundle, "the last one").unwrap();
    let packed = pack(folder.path(), &bundle, &TOLD);
    assert_eq!(packed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&packed.stdout).contains("neither compose.yaml nor app nor start.sh"));
    assert_eq!(fs::read(&bundle).unwrap(), b"the last one");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1, "something else was left behind");
}

/// The files of a bundle: whether it is run, and its content.
fn files(bundle: &Path) -> BTreeMap<String, (bool, Vec<u8>)> {
    let mut archive = ZipArchive::new(File::open(bundle).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        if entry.is_file() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let is_run = entry.unix_mode().unwrap() & 0o100 != 0;
            files.insert(entry.name().to_owned(), (is_run, content));
        }
    }
    files
}

#[test]
fn the_script_of_the_kit_packs_the_same_files() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(folder.path(), "start.sh", "#!/bin/sh\nexec node server.js\n");
    put(folder.path(), "lib/server.js", "serve()\n");
    let [ours, theirs] = ["ours.zip", "theirs.zip"].map(|name| out.path().join(name));
    assert!(pack(folder.path(), &ours, &TOLD).status.success());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../instance/bundle");
    assert!(Command::new(script).arg(folder.path()).arg(&theirs).output().unwrap().status.success());
    let (mut ours, theirs) = (files(&ours), files(&theirs));
    assert!(ours.remove("release.json").is_some());
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, (is_run, content)) in ours {
        let (is_run_there, content_there) = &theirs[&name];
        assert!(content == *content_there, "{name}");
        // What other files source may have any mode.
        assert!(is_run == *is_run_there || !name.contains('_'), "{name}");
    }
}

#[test]
fn a_bundle_does_not_hold_the_one_before() {
    let folder = program();
    let bundle = folder.path().join("bundle.zip");
    pack(folder.path(), &bundle, &TOLD);
    let first = fs::read(&bundle).unwrap();
    pack(folder.path(), &bundle, &TOLD);
    assert!(fs::read(&bundle).unwrap() == first, "the second bundle differs");
}
