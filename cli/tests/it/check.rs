//! `greenlight bundle check`: what it says, in which form, and how it ends.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const GOOD: &str = "version: 0.0
os: linux
files:
  - source: app
    destination: /srv/app
hooks:
  ValidateService:
    - location: hooks/validate.sh
      timeout: 300
";

/// A folder with a bundle that has nothing wrong with it.
pub(crate) fn bundle() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "appspec.yml", GOOD);
    put(folder.path(), "hooks/validate.sh", "#!/bin/sh\naws lambda invoke answer\n");
    put(folder.path(), "app/server.js", "serve()\n");
    folder
}

fn put(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Runs the command in a folder.
fn check(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
    command.current_dir(folder).args(["bundle", "check"]).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A bundle with one of each: an error, a warning, something about a file, something about the whole.
fn with_findings() -> TempDir {
    let folder = bundle();
    put(folder.path(), "appspec.yml", &GOOD.replace("timeout: 300", "timeout: 30s").replace("0.0", "0.1"));
    put(folder.path(), "app/notes, 100%.txt", "-----BEGIN PRIVATE KEY-----\n");
    symlink(".", folder.path().join("app/loop")).unwrap();
    folder
}

#[test]
fn a_good_bundle_is_met_with_silence() {
    let folder = bundle();
    let output = check(folder.path(), &["."]);
    assert_eq!((text(&output).as_str(), output.status.code()), ("", Some(0)));
    assert_eq!(output.stderr, b"");
}

#[test]
fn the_kit_is_met_with_silence() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "service/start.sh", "#!/bin/sh\nexec node server.js\n");
    let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../instance/bundle");
    let packed =
        Command::new(packs).current_dir(folder.path()).args(["service", "bundle.zip"]).output().unwrap();
    assert!(packed.status.success(), "{packed:?}");
    let output = check(folder.path(), &["bundle.zip"]);
    assert_eq!((text(&output).as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn what_is_found_is_said_for_people_and_for_programs() {
    let folder = with_findings();
    for form in ["text", "github", "json"] {
        let output = check(folder.path(), &[".", "--output", form]);
        assert_eq!(output.status.code(), Some(1), "{form}");
        insta::assert_snapshot!(form, text(&output));
    }
}

#[test]
fn sarif_names_each_rule_and_points_at_each_finding() {
    let folder = with_findings();
    let output = text(&check(folder.path(), &[".", "--output", "sarif"]));
    let sarif: serde_json::Value = serde_json::from_str(&output).unwrap();
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(rules.len(), appspec::finding::Code::ALL.len());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    insta::assert_snapshot!(format!("{results:#?}"));
}

#[test]
fn warnings_alone_are_no_failure() {
    let folder = bundle();
    put(folder.path(), "appspec.yml", &GOOD.replace("timeout: 300", "timeout: 30s"));
    assert_eq!(check(folder.path(), &["."]).status.code(), Some(0));
    assert_eq!(check(folder.path(), &[".", "--agent", "2"]).status.code(), Some(1));
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let folder = bundle();
    for arguments in [["nothing.zip"], ["s3://"], ["s3://bucket"]] {
        let output = check(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert_eq!(output.stdout, b"");
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(check(folder.path(), &[".", "--output", "poem"]).status.code(), Some(2));
}

#[test]
fn a_zip_is_judged_as_its_folder() {
    let folder = with_findings();
    let packed = folder.path().join("bundle.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&packed).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for name in ["appspec.yml", "hooks/validate.sh", "app/server.js", "app/notes, 100%.txt"] {
        zip.start_file(name, options).unwrap();
        std::io::Write::write_all(&mut zip, &fs::read(folder.path().join(name)).unwrap()).unwrap();
    }
    zip.add_symlink("app/loop", ".", options).unwrap();
    zip.finish().unwrap();
    let of_folder = text(&check(folder.path(), &["."]));
    let of_zip = text(&check(folder.path(), &["bundle.zip"]));
    // The folder holds the ZIP itself by now, which changes nothing.
    assert_eq!(of_zip.replace("bundle.zip", "."), of_folder);
}

#[test]
fn a_name_cannot_steer_what_prints_it() {
    let folder = bundle();
    put(folder.path(), "app/\u{1b}[31m\u{202e}%0A::error::x/.env", "");
    put(folder.path(), "appspec.yml", &format!("{GOOD}\"\\e[31m\\u202e\\n::error::x\": y\n"));
    for form in ["text", "github", "json", "sarif"] {
        let said = text(&check(folder.path(), &[".", "--output", form]));
        assert!(said.contains("u{1b}") && said.contains("u{202e}"), "{form}: {said}");
        let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!said.contains(steers), "{form}: {said:?}");
        let forged = said.lines().filter(|line| line.starts_with("::") && !line.contains(" file="));
        assert_eq!(forged.count(), 0, "{form}: {said}");
    }
}
