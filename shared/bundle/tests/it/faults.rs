//! What an author reads for each kind of fault.

use crate::bundles::{APPSPEC, VALIDATE, Zip, position, report};
use insta::assert_snapshot;

#[test]
fn a_good_bundle_has_nothing_to_say() {
    assert_snapshot!(report(Zip::with_appspec(APPSPEC).bytes()), @"");
}

#[test]
fn every_fault_is_reported_not_only_the_first() {
    let appspec = "version: \"0.0\"
os: Linux
files:
  - source: build
  - source: ../secrets
    destination: opt/app
hooks:
  beforeInstall:
    - location: hooks/stop.sh
  AfterInstall:
    - location: hooks/validate.sh --fast
      timeout: soon
    - location: ../../bin/sh
  ValidateService:
    - location: hooks/validate.sh
      timeout: 1800
    - location: hooks
      timeout: 1801
permissions:
  - mode: 0755
";
    assert_snapshot!(report(Zip::with_appspec(appspec).link("app/out", "../../etc/passwd").bytes()));
}

#[test]
fn a_file_that_is_no_zip_is_named() {
    let said = [
        b"".to_vec(),
        b"hello".to_vec(),
        b"\x1f\x8b\x08rest".to_vec(),
        Zip::with_appspec(APPSPEC).bytes()[..200].to_vec(),
        [Zip::with_appspec(APPSPEC).bytes(), b"more".to_vec()].concat(),
        [b"#!/bin/sh\n".to_vec(), Zip::with_appspec(APPSPEC).bytes()].concat(),
    ]
    .map(report);
    assert_snapshot!(said.join("\n"));
}

#[test]
fn an_appspec_in_the_wrong_place_is_pointed_out() {
    let said = vec![
        Zip::new().file("index.js", ""),
        Zip::new().file("appspec.yaml", APPSPEC),
        Zip::new().file("AppSpec.yml", APPSPEC),
        Zip::new().file("appspec.YML", APPSPEC),
        Zip::new().file("deploy/appspec.yml", APPSPEC).file("README.md", ""),
        Zip::new().file("a/b/appspec.yml", APPSPEC),
        Zip::new().file("bundle/AppSpec.yml", APPSPEC),
        Zip::new().file("appspec.yml/x", APPSPEC),
    ]
    .into_iter()
    .map(|zip| report(zip.bytes()));
    assert_snapshot!(said.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_single_top_folder_with_an_appspec_is_stripped_as_the_agent_does() {
    let zip = Zip::new()
        .file("bundle/appspec.yml", APPSPEC)
        .file("bundle/hooks/validate.sh", VALIDATE)
        .file("bundle/app/server.js", "")
        .link("bundle/app/current", "server.js");
    assert_snapshot!(report(zip.bytes()), @"");
    let leaving = Zip::new().file("bundle/appspec.yml", APPSPEC).link("bundle/hooks", "../bundle/app");
    assert_snapshot!(report(leaving.bytes()), @r"
    error: GL107 symbolic link hooks leads to ../bundle/app, outside the bundle: replace it by what it should point to
    error: GL403 appspec.yml:4:5: files copies app, which is not in the bundle: add it, or correct the source (capitals count)
    error: GL313 appspec.yml:8:17: location hooks/validate.sh leaves the bundle: use a path below the bundle's root
    ");
}

#[test]
fn scripts_are_found_through_links_inside_the_bundle() {
    let zip = Zip::new()
        .file("appspec.yml", APPSPEC)
        .file("app/server.js", "")
        .file("kit/1/validate.sh", VALIDATE)
        .link("kit/now", "1")
        .link("hooks", "app/../kit/now");
    let linked = Zip::new()
        .file("deploy/appspec.yml", APPSPEC)
        .file("hooks/validate.sh", VALIDATE)
        .file("app/server.js", "")
        .link("appspec.yml", "deploy/appspec.yml");
    assert_snapshot!(report(linked.bytes()), @"");
    assert_snapshot!(report(zip.bytes()), @"");
}

#[test]
fn links_that_leave_are_seen_through_other_links() {
    let zip = Zip::with_appspec(APPSPEC)
        .link("app/up", "..")
        .link("app/out", "up/../etc")
        .link("app/absolute", "/etc/passwd")
        .link("app/circle", "circle")
        .link("app/dangling", "not/yet/there")
        .link("app/far", "nothing/../../../x");
    assert_snapshot!(report(zip.bytes()));
}

#[test]
fn entries_that_leave_or_clash_are_refused() {
    let mut bytes = Zip::with_appspec(APPSPEC)
        .file("xx/escape", "")
        .file("xetc/passwd", "")
        .file("C_/windows", "")
        .file("app/server.jx", "")
        .file("app", "")
        .file("a\\b", "")
        .bytes();
    for (from, to) in [
        ("xx/escape", "../escape"),
        ("xetc/passwd", "/etc/passwd"),
        ("C_/windows", "C:/windows"),
        ("server.jx", "server.js"),
    ] {
        replace(&mut bytes, from, to);
    }
    assert_snapshot!(report(bytes));
}

#[test]
fn encrypted_and_oddly_packed_entries_are_refused() {
    let mut bytes = Zip::with_appspec(APPSPEC).bytes();
    let directory = position(&bytes, b"PK\x01\x02");
    bytes[directory + 8] |= 1;
    let second = directory + 4 + position(&bytes[directory + 4..], b"PK\x01\x02");
    bytes[second + 10] = 14;
    assert_snapshot!(report(bytes));
}

#[test]
fn damage_is_noticed() {
    let said = [
        |bytes: &mut Vec<u8>| {
            let at = position(bytes, b"version");
            bytes[at] ^= 1;
        },
        |bytes: &mut Vec<u8>| {
            let at = position(bytes, b"PK\x03\x04");
            bytes[at] = b'X';
        },
        |bytes: &mut Vec<u8>| {
            let at = position(bytes, b"PK\x01\x02");
            bytes[at] = b'X';
        },
        |bytes: &mut Vec<u8>| {
            let at = position(bytes, b"PK\x05\x06");
            bytes[at + 10] = 9;
        },
        |bytes: &mut Vec<u8>| {
            let at = position(bytes, b"PK\x05\x06");
            bytes[at + 4] = 1;
        },
    ]
    .map(|damage| {
        let mut bytes = Zip::new().stored("appspec.yml", APPSPEC).bytes();
        damage(&mut bytes);
        report(bytes)
    });
    assert_snapshot!(said.join("\n"));
}

#[test]
fn two_sources_for_one_place_are_refused() {
    let appspec = "version: 0.0
os: linux
files:
  - source: app
    destination: /srv/
  - source: other/server.js
    destination: /srv
hooks: {ValidateService: [{location: hooks/validate.sh}]}
";
    assert_snapshot!(
        report(Zip::with_appspec(appspec).file("other/server.js", "").bytes()),
        @"error: GL404 appspec.yml:6:5: files puts both app and other/server.js at /srv/server.js: keep one"
    );
}

#[test]
fn what_the_agents_disagree_about_is_a_warning() {
    let appspec = "version: 0.0
os: linux
fileExistsBehavior: OVERWRITE
files:
  - source: ''
    destination: srv
hooks:
  Install:
    - location: /hooks/validate.sh
  BeforeAllowTraffic:
    - location: hooks/validate.sh
      timeout: 1:30
      runas: ''
    - location: [hooks/validate.sh]
  BeforeAllowTraffic:
    - location: hooks/validate.sh
      timeout: 030
    - location: hooks/validate.sh
permissions:
  - object: /srv
    mode: 0644
---
more: true
";
    assert_snapshot!(report(Zip::with_appspec(appspec).bytes()));
}

/// In the local header and in the central directory.
fn replace(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    while let Some(at) = bytes.windows(from.len()).position(|window| window == from.as_bytes()) {
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    }
}
