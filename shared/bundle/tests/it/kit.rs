//! The kit that lies in `instance/`, in bundles.

use crate::bundles::{Object, Zip, look_expecting};
use appspec::finding::{Agent, Severity};
use bundle::{Expected, kit};
use std::path::{Path, PathBuf};

fn instance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../instance")
}

fn of_kit(name: &str) -> Vec<u8> {
    std::fs::read(instance().join(name)).unwrap()
}

const PARTS: [&str; 17] = [
    "appspec.yml",
    "hooks/before_install.sh",
    "hooks/after_install.sh",
    "hooks/application_start.sh",
    "hooks/validate_service.sh",
    "hooks/resume.sh",
    "hooks/release.sh",
    "hooks/ask.sh",
    "hooks/smoke.sh",
    "hooks/migrate.sh",
    "nginx/nginx.sh",
    "nginx/nginx.conf",
    "nginx/counts.sh",
    "nginx/counts.awk",
    "runtimes/environment.sh",
    "runtimes/process.sh",
    "runtimes/compose.sh",
];

/// A bundle as `instance/bundle` makes it, changed part by part; a part without content is left out.
pub(crate) fn bundle(change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut zip = Zip::new();
    for part in PARTS {
        if let Some(content) = change(part, of_kit(part)) {
            zip = zip.file_of_mode(part, 0o755, content);
        }
    }
    for part in ["app/smoke.txt", "app/migrate", "app/migrate/1.sql"] {
        if let Some(content) = change(part, Vec::new()).filter(|content| !content.is_empty()) {
            zip = zip.file(part, content);
        }
    }
    match change("app/start.sh", b"#!/bin/sh\nexec node server.js\n".to_vec()) {
        Some(content) => zip.file_of_mode("app/start.sh", 0o755, content).bytes(),
        None => zip.file("app/readme.txt", "").bytes(),
    }
}

fn said(bytes: Vec<u8>, expected: Expected) -> Vec<String> {
    let findings = look_expecting(&Object::new(bytes), expected).findings;
    let said = |severity| {
        findings.of_severity(severity, Agent::One).map(move |found| format!("{} {found}", severity.as_str()))
    };
    said(Severity::Error).chain(said(Severity::Warning)).collect()
}

#[test]
fn the_kit_has_nothing_said_about_it() {
    let expected = Expected { release_seconds: Some(3_600), disk_bytes: Some(8 << 30) };
    assert_eq!(said(bundle(|_, content| Some(content)), expected), [""; 0]);
}

/// The first weight waits for what a bundle will tell, so one that tells nothing must not say that it will.
#[test]
fn a_bundle_tells_smoke_when_it_names_a_path_and_its_kit_asks() {
    let tells = |smoke: &'static str, asks: bool| {
        let bytes = bundle(|part, content| match part {
            "app/smoke.txt" => Some(smoke.as_bytes().to_vec()),
            "hooks/smoke.sh" => asks.then_some(content),
            _ => Some(content),
        });
        look_expecting(&Object::new(bytes), Expected::default()).tells_smoke
    };
    assert!(tells("# what must work\r\n\r\n/checkout 200\n", true));
    assert!(!tells("/checkout 200\n", false), "an older kit");
    assert!(!tells("# nothing\r\n\r\n", true) && !tells("", true));
}

#[test]
fn the_kit_has_the_version_that_the_functions_go_with() {
    let text = String::from_utf8(of_kit("hooks/release.sh")).unwrap();
    assert!(text.lines().any(|line| line == format!("kit_version={}", kit::VERSION)));
}

#[test]
fn what_the_kit_needs_is_missed() {
    let without = |missing: &'static str| {
        said(bundle(move |part, content| (part != missing).then_some(content)), Expected::default())
            .join("\n")
    };
    let replaced = |part: &'static str, old: &'static str, new: &'static str| {
        let change = move |name: &str, content: Vec<u8>| {
            let text = String::from_utf8(content).unwrap();
            if name == part {
                assert!(text.contains(old));
            }
            Some(if name == part { text.replace(old, new) } else { text }.into_bytes())
        };
        said(bundle(change), Expected::default()).join("\n")
    };
    let first_hook = "  BeforeInstall:\n    - location: hooks/before_install.sh\n      timeout: 300\n";
    let said = [
        ("a hook that others source", without("hooks/ask.sh")),
        ("what is to be started", without("app/start.sh")),
        ("what counts requests", without("nginx/counts.sh")),
        ("what adds counts up", without("nginx/counts.awk")),
        ("what tells a version its secrets", without("runtimes/environment.sh")),
        ("what a reboot runs", without("hooks/resume.sh")),
        ("the version", replaced("hooks/release.sh", "kit_version=2\n", "")),
        ("an event", replaced("appspec.yml", first_hook, "")),
        ("the staging folder", replaced("appspec.yml", "/opt/greenlight/staging", "/srv")),
    ];
    let said: Vec<String> = said.iter().map(|(missing, said)| format!("without {missing}: {said}")).collect();
    insta::assert_snapshot!(said.join("\n"));
}

/// A folder named `app` is part of many a project, and starts nothing.
#[test]
fn what_starts_a_bundle_is_a_file_and_its_runtime_is_in_the_kit() {
    let zip = |files: &[&str], runtimes: &[&str]| {
        let mut zip = Zip::new();
        for part in PARTS
            .iter()
            .filter(|part| !part.starts_with("runtimes/") || part.ends_with("environment.sh"))
            .chain(runtimes)
        {
            zip = zip.file_of_mode(part, 0o755, of_kit(part));
        }
        let zip = files.iter().fold(zip, |zip, file| zip.file(file, "services: {}\n"));
        said(zip.bytes(), Expected::default()).join("\n")
    };
    let (process, compose) = ("runtimes/process.sh", "runtimes/compose.sh");
    let found = [
        ("a folder app", zip(&["app/app/main.js"], &[process, compose])),
        ("compose.yaml beside a folder app", zip(&["app/app/main.js", "app/compose.yaml"], &[compose])),
        ("compose.yaml beside start.sh", zip(&["app/start.sh", "app/compose.yaml"], &[process])),
        ("a start.sh", zip(&["app/start.sh"], &[compose])),
    ];
    let found: Vec<String> = found.iter().map(|(what, said)| format!("{what}: {said}")).collect();
    insta::assert_snapshot!(found.join("\n"));
}

/// Many a project keeps the steps of its schema in a folder of that name.
#[test]
fn a_folder_called_migrate_is_the_versions_own() {
    let older_kit = |part: &str, content: Vec<u8>| match part {
        "hooks/migrate.sh" => None,
        "hooks/application_start.sh" => {
            Some(String::from_utf8(content).unwrap().replace("/migrate.sh", "/other.sh").into_bytes())
        }
        "app/migrate/1.sql" => Some(b"select 1".to_vec()),
        _ => Some(content),
    };
    let said = said(bundle(older_kit), Expected::default());
    assert!(said.iter().all(|said| !said.contains("app/migrate")), "{said:?}");
}

#[test]
fn a_hook_that_ends_before_the_release_can_is_refused() {
    let expected = Expected { release_seconds: Some(3_601), disk_bytes: None };
    insta::assert_snapshot!(said(bundle(|_, content| Some(content)), expected).join("\n"));
}

#[test]
fn an_image_that_fills_the_disk_is_refused() {
    let zip = Zip::with_appspec(crate::bundles::APPSPEC).file("app/image.tar", vec![7; 400_000]);
    let expected = Expected { release_seconds: None, disk_bytes: Some(1_000_000) };
    insta::assert_snapshot!(said(zip.bytes(), expected).join("\n"));
}

#[test]
fn a_script_that_does_not_ask_is_pointed_out() {
    let zip = Zip::new()
        .file("appspec.yml", crate::bundles::APPSPEC)
        .file("hooks/validate.sh", "#!/bin/sh\ncurl -f localhost\n")
        .file("app/server.js", "");
    insta::assert_snapshot!(said(zip.bytes(), Expected::default()).join("\n"));
}
