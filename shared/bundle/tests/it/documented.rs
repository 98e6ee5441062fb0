//! `docs/bundle-rules.md`: each rule with its words, and examples that are judged as the page says.

use crate::bundles::{APPSPEC, Object, VALIDATE, inspected};
use crate::listed;
use crate::raw::{Body, RawEntry, file, link, zip};
use appspec::agent1::AppSpec;
use appspec::finding::{Agent, Code, Fails, Findings};
use bundle::{Expected, Limits};
use std::path::Path;

/// A section of the page.
struct Section {
    title: String,
    text: String,
    /// The kind of example and its lines: the bad one, then the good one.
    examples: Vec<(String, String)>,
}

fn sections() -> Vec<Section> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bundle-rules.md");
    let page = std::fs::read_to_string(page).unwrap();
    page.split("\n### ").skip(1).map(section).collect()
}

fn section(text: &str) -> Section {
    let (title, rest) = text.split_once('\n').unwrap();
    let mut parts = rest.split("```");
    let words = parts.next().unwrap();
    let fences = parts.step_by(2).map(|fence| fence.split_once('\n').unwrap());
    Section {
        title: title.to_owned(),
        text: words.split_whitespace().collect::<Vec<_>>().join(" "),
        examples: fences.map(|(kind, lines)| (kind.to_owned(), lines.to_owned())).collect(),
    }
}

#[test]
fn the_page_has_each_rule_in_its_words() {
    let sections = sections();
    assert_eq!(sections.len(), Code::ALL.len());
    for (section, code) in sections.iter().zip(Code::ALL) {
        assert_eq!(section.title, format!("{code} {}", code.title()));
        let who = match code.fails() {
            Fails::Everywhere => "Fails with both agents.",
            Fails::With(Agent::One) => "Fails with agent 1.x only.",
            Fails::With(Agent::Two) => "Fails with agent 2.x only.",
            Fails::Nowhere => "A warning with both agents.",
        };
        let words = format!("{} {who}", code.on_instance());
        assert!(section.text.starts_with(&words), "{code} is {:?}, not {words:?}", section.text);
    }
}

/// The bytes of an example, and what they are judged by.
struct Example {
    bytes: Vec<u8>,
    limits: Limits,
    expected: Expected,
}

impl From<Vec<u8>> for Example {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, limits: Limits::default(), expected: Expected::default() }
    }
}

#[test]
fn bad_examples_are_found_and_good_ones_are_not() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for (section, code) in sections().iter().zip(Code::ALL) {
        assert!(section.examples.len() > 1, "{code} has no bad and good example");
        for (index, (kind, lines)) in section.examples.iter().enumerate() {
            let Example { bytes, limits, expected } = example(kind, lines);
            let findings = inspected(&Object::new(bytes), &limits, expected).findings;
            let has = match code {
                // Its files have rules of their own: the agent itself is asked.
                Code::RefusedByAgent1 => AppSpec::parse(fragment(lines).as_bytes()).is_err(),
                code => findings.listed().iter().any(|finding| finding.code == *code),
            };
            let is_bad = index == 0;
            if has != is_bad || !is_bad && is_refused(&findings) {
                let said: Vec<_> = findings.listed().iter().map(ToString::to_string).collect();
                wrong.push(format!("{code}, {} example: {said:#?}", if is_bad { "bad" } else { "good" }));
            }
            judged += 1;
        }
    }
    assert!(judged > 150, "only {judged} examples");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_refused(findings: &Findings) -> bool {
    findings.refuse(Agent::One) || findings.refuse(Agent::Two)
}

fn example(kind: &str, lines: &str) -> Example {
    match kind {
        "yaml" => listed::read(&completed(&format!("-- appspec.yml --\n{}", fragment(lines)))).bytes.into(),
        "text" => listed::read(&completed(lines)).bytes.into(),
        "zip" => made(lines.trim()),
        kind => unreachable!("{kind} is no kind of example"),
    }
}

/// An AppSpec file with what an example leaves out.
fn fragment(lines: &str) -> String {
    let hook = "hooks:\n  ValidateService:\n    - location: hooks/validate.sh\n      timeout: 300\n";
    let mut text = lines.to_owned();
    for (key, line) in [("os:", "os: linux\n"), ("version:", "version: 0.0\n")] {
        if !text.contains(key) {
            text.insert_str(0, line);
        }
    }
    if text.contains("hooks:") {
        text
    } else {
        // In front of a second document or of what is cut short.
        text.replacen("os:", &format!("{hook}os:"), 1)
    }
}

/// A listing with the entries that an example leaves out.
fn completed(lines: &str) -> String {
    let mut text = lines.to_owned();
    for (title, content) in
        [("app/server.js", "serve()\n"), ("hooks/validate.sh", VALIDATE), ("appspec.yml", APPSPEC)]
    {
        let is_there = text.lines().any(|line| line.starts_with(&format!("-- {title} ")));
        // An AppSpec file in a wrong place is what such an example is about.
        let is_elsewhere = title == "appspec.yml" && text.contains("appspec.yaml");
        if !is_there && !is_elsewhere {
            text = format!("-- {title} --\n{content}{text}");
        }
    }
    text
}

fn good() -> Vec<RawEntry> {
    vec![
        file("appspec.yml", APPSPEC),
        file("hooks/validate.sh", VALIDATE),
        file("app/server.js", "serve()\n"),
    ]
}

fn with(entries: impl IntoIterator<Item = RawEntry>) -> Vec<u8> {
    zip(&good().into_iter().chain(entries).collect::<Vec<_>>())
}

fn one(entry: RawEntry) -> Example {
    with([entry]).into()
}

fn limited(change: impl Fn(&mut Limits)) -> Example {
    let mut limits = Limits::default();
    change(&mut limits);
    Example {
        bytes: with([link("app/now", "server.js"), file("a", [7; 9000]).deflated()]),
        limits,
        expected: Expected::default(),
    }
}

/// What can be said of a ZIP, but not be written in a page.
fn made(words: &str) -> Example {
    let whole = zip(&good());
    match words {
        "a tar file" => {
            [b"appspec.yml".to_vec(), vec![0; 246], b"ustar".to_vec(), vec![0; 1024]].concat().into()
        }
        "a ZIP without its last bytes" => whole[..whole.len() - 30].to_vec().into(),
        "a ZIP with a line behind its end" => [whole, b"more\n".to_vec()].concat().into(),
        "a ZIP that has lost bytes in its middle" => {
            let body = Body::of(&good());
            let mut bytes = [body.bytes.clone(), body.end(b"")].concat();
            bytes.drain(100..110);
            bytes.into()
        }
        "a file whose checksum is another one" => {
            zip(&good().into_iter().map(|entry| entry.with(|entry| entry.crc ^= 1)).collect::<Vec<_>>())
                .into()
        }
        "the second part of a split ZIP" => one(file("far", "").with(|entry| entry.disk = 1)),
        "more entries than are allowed" => limited(|limits| limits.entries = 4),
        "a directory of more bytes than are allowed" => limited(|limits| limits.directory_bytes = 99),
        "more unpacked bytes than are allowed" => limited(|limits| limits.unpacked_bytes = 99),
        "a file of zeros, packed a thousandfold" => {
            limited(|limits| (limits.expansion, limits.expansion_floor_bytes) = (1, 1000))
        }
        "an appspec.yml of a megabyte" => {
            zip(&[file("appspec.yml", vec![b'#'; 1 << 20]).deflated(), file("hooks/validate.sh", VALIDATE)])
                .into()
        }
        "an encrypted file" => one(file("secret", "x").with(|entry| entry.flags = 1)),
        "a file packed with zstd" => one(file("new", "x").with(|entry| entry.method = 93)),
        "a stored file that states two sizes" => one(file("two", "abc").with(|entry| entry.size = 9)),
        "a file with a second name in a Unicode field" => one(file("x", "").also_named("y")),
        "a file that needs a newer unzip" => one(file("new", "").with(|entry| entry.needed = 63)),
        "a link without a target" => one(link("app/now", "")),
        "a line before the first entry" => {
            let body = Body::of(&good());
            shifted(b"#!/bin/sh\n", &body).into()
        }
        "a file without a name" => one(file("", "x")),
        "two files of one name" => one(file("app/server.js", "x")),
        "links scattered over a large file" => limited(|limits| limits.link_targets_bytes = 5),
        "a name of 300 letters" => one(file("a".repeat(300), "x")),
        "a name in Latin-1" => one(file(b"caf\xe9", "")),
        "links to folders of links, twelve folders deep" => {
            let links = (0..12).flat_map(|n| (0..4).map(move |k| (n, k)));
            let links = links.map(|(n, k)| link(&format!("app/d{n}/l{k}"), &format!("../d{}", n + 1)));
            with(links.chain([file("app/d12/a.js", "a")])).into()
        }
        "the kit without something to start" => {
            crate::kit::bundle(|part, content| (part != "app/start.sh").then_some(content)).into()
        }
        "the kit without its version" => crate::kit::bundle(|_, content| {
            Some(String::from_utf8(content).unwrap().replace("kit_version=", "#").into_bytes())
        })
        .into(),
        "a smoke.txt with an address in place of a path" => {
            with_smoke("https://shop.example.com/ 200\n", |_| true)
        }
        "a smoke.txt beside a kit without smoke.sh" => {
            with_smoke("/checkout 200 Pay now\n", |part| part != "hooks/smoke.sh")
        }
        "a file migrate beside a kit without migrate.sh" => with_migrate(|part| part != "hooks/migrate.sh"),
        "a hook of 300 s for a release of 1500 s" => {
            let bytes = listed::read(&completed(&format!("-- appspec.yml --\n{}", fragment("")))).bytes;
            Example { expected: Expected { release_seconds: Some(1500), disk_bytes: None }, ..bytes.into() }
        }
        "an image.tar of half the disk" => {
            let expected = Expected { release_seconds: None, disk_bytes: Some(20_000) };
            Example { expected, ..with([file("app/image.tar", vec![7; 10_000])]).into() }
        }
        words => made_well(words),
    }
}

/// The kit and what is to be asked.
fn with_smoke(smoke: &str, keeps: impl Fn(&str) -> bool) -> Example {
    crate::kit::bundle(|part, content| match part {
        "app/smoke.txt" => Some(smoke.as_bytes().to_vec()),
        // An older kit does not ask.
        "hooks/validate_service.sh" if !keeps("hooks/smoke.sh") => {
            Some(String::from_utf8(content).unwrap().replace("/smoke.sh", "/other.sh").into_bytes())
        }
        _ => keeps(part).then_some(content),
    })
    .into()
}

/// The kit and what changes the schema.
fn with_migrate(keeps: impl Fn(&str) -> bool) -> Example {
    crate::kit::bundle(|part, content| match part {
        "app/migrate" => Some(b"#!/bin/sh\nexec node migrate.js\n".to_vec()),
        // An older kit does not run it.
        "hooks/application_start.sh" if !keeps("hooks/migrate.sh") => {
            Some(String::from_utf8(content).unwrap().replace("/migrate.sh", "/other.sh").into_bytes())
        }
        _ => keeps(part).then_some(content),
    })
    .into()
}

/// The same without the fault.
fn made_well(words: &str) -> Example {
    let whole = zip(&good());
    match words {
        "a ZIP"
        | "a ZIP with its last bytes"
        | "a ZIP with all its bytes"
        | "a ZIP in one piece"
        | "a ZIP that begins with its first entry"
        | "files with their own checksums"
        | "files that are not encrypted"
        | "files that every unzip unpacks"
        | "an appspec.yml of a few lines" => whole.into(),
        "a ZIP with a comment in its end record" => {
            let body = Body::of(&good());
            [body.bytes.clone(), body.end(b"more\n")].concat().into()
        }
        "as many entries as are allowed" => limited(|limits| limits.entries = 5),
        "a directory of as many bytes as are allowed" => limited(|limits| limits.directory_bytes = 400),
        "as many unpacked bytes as are allowed" => limited(|limits| limits.unpacked_bytes = 10_000),
        "a file of zeros, packed as far as is allowed" => {
            limited(|limits| (limits.expansion, limits.expansion_floor_bytes) = (40, 1000))
        }
        "links side by side" => limited(|limits| limits.link_targets_bytes = 9),
        "a file packed with deflate" => one(file("new", "x".repeat(99)).deflated()),
        "a stored file that states its size" => one(file("two", "abc")),
        "a file with its own name in a Unicode field" => one(file("x", "").also_named("x")),
        "a link with a target" => one(link("app/now", "server.js")),
        "a file with a name" => one(file("x", "x")),
        "two files of two names" => one(file("app/other.js", "x")),
        "a name of 255 letters" => one(file("a".repeat(255), "x")),
        "a name in UTF-8" => one(file("caf\u{e9}", "")),
        "a link to a folder of files" => with([link("app/now", "d1"), file("app/d1/a.js", "a")]).into(),
        "the kit with a start.sh" | "the kit with its version" => {
            crate::kit::bundle(|_, content| Some(content)).into()
        }
        "a smoke.txt with a path, a status and a text" => with_smoke("/checkout 200 Pay now\n", |_| true),
        "a file migrate beside the kit" => with_migrate(|_| true),
        "a hook of 3600 s for a release of 1500 s" => {
            let text = "hooks:\n  ValidateService:\n    - location: hooks/validate.sh\n      timeout: 3600\n";
            let bytes = listed::read(&completed(&format!("-- appspec.yml --\n{}", fragment(text)))).bytes;
            Example { expected: Expected { release_seconds: Some(1500), disk_bytes: None }, ..bytes.into() }
        }
        "an image.tar of a tenth of the disk" => {
            let expected = Expected { release_seconds: None, disk_bytes: Some(100_000) };
            Example { expected, ..with([file("app/image.tar", vec![7; 10_000])]).into() }
        }
        words => unreachable!("nobody knows how to make {words:?}"),
    }
}

/// A ZIP with bytes in front, whose numbers know of them.
fn shifted(before: &[u8], body: &Body) -> Vec<u8> {
    let mut bytes = [before.to_vec(), body.bytes.clone()].concat();
    let mut at = before.len() + body.directory_at;
    while bytes[at..].starts_with(b"PK\x01\x02") {
        let number =
            |bytes: &[u8], from: usize| usize::from(u16::from_le_bytes([bytes[from], bytes[from + 1]]));
        let offset = u32::from_le_bytes(bytes[at + 42..at + 46].try_into().unwrap());
        let moved = offset + u32::try_from(before.len()).unwrap();
        bytes[at + 42..at + 46].copy_from_slice(&moved.to_le_bytes());
        at += 46 + number(&bytes, at + 28) + number(&bytes, at + 30) + number(&bytes, at + 32);
    }
    let end = crate::raw::end(
        body.entries,
        body.bytes.len() - body.directory_at,
        before.len() + body.directory_at,
        b"",
    );
    [bytes, end].concat()
}
