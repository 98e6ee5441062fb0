//! The kit in a bundle: its hooks call each other, move what Install has staged, and ask the functions.

use crate::texts::Text;
use crate::tree::{Found, Kind, NodeId, Tree};
use appspec::agent1::FILE_NAME;
use appspec::finding::{Code, Fails, Finding, Findings, Position, shown};
use appspec::{Asks, CopyReference, ScriptReference};
use std::collections::BTreeMap;

/// The kit that the functions of this version go with: `kit_version` in `instance/hooks/release.sh`. It grows when a
/// hook begins to say or do something that a function relies on.
pub const VERSION: u32 = 2;

/// Where the kit moves the bundle from.
const STAGING: &str = "/opt/greenlight/staging";

/// What the kit can start, each with the runtime that does it, the first that is there (`runtime_in` in
/// `instance/hooks/release.sh`).
const STARTS: [(&str, &str); 6] = [
    ("compose.yaml", "runtimes/compose.sh"),
    ("compose.yml", "runtimes/compose.sh"),
    ("docker-compose.yml", "runtimes/compose.sh"),
    ("docker-compose.yaml", "runtimes/compose.sh"),
    ("app", "runtimes/process.sh"),
    ("start.sh", "runtimes/process.sh"),
];

/// What the hooks source and run, from the kit's own folder; the runtime that starts the bundle has to be there as well.
const SOURCED: [&str; 4] = ["hooks/release.sh", "hooks/ask.sh", "nginx/nginx.sh", "nginx/nginx.conf"];
/// The same of a kit that counts requests, tells secrets, and comes back after a reboot.
const SOURCED_SINCE_2: [&str; 4] =
    ["hooks/resume.sh", "nginx/counts.sh", "nginx/counts.awk", "runtimes/environment.sh"];

/// What only newer hooks source.
const SOURCED_BY_SOME: [&str; 2] = ["hooks/smoke.sh", "hooks/migrate.sh"];

/// The events that the kit has a hook for, each of which goes on from the one before.
const EVENTS: [&str; 4] = ["BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"];

/// Where the release is to run, as far as that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// Seconds that `ValidateService` may have to wait: installation, strategy and bake.
    pub release_seconds: Option<u64>,
    /// Bytes of an instance's disk.
    pub disk_bytes: Option<u64>,
}

/// The file whose text says how old the kit is.
pub(crate) fn wanted(tree: &Tree, scripts: &[ScriptReference]) -> Option<NodeId> {
    let folder = |script: &ScriptReference| Some(script.location.rsplit_once('/')?.0.to_owned());
    scripts.iter().filter_map(folder).find_map(|folder| match tree.find(&format!("{folder}/release.sh")) {
        Found::File(file) => Some(file),
        _ => None,
    })
}

/// Says what is missing for the release to go live.
pub(crate) fn check(
    tree: &Tree,
    asks: &Asks,
    texts: &BTreeMap<NodeId, Text>,
    expected: Expected,
    findings: &mut Findings,
) {
    let text_of = |script: &ScriptReference| match tree.find(&script.location) {
        Found::File(file) => texts.get(&file),
        _ => None,
    };
    let is_of_kit =
        |script: &&ScriptReference| text_of(script).is_some_and(|text| mentions(text, "/release.sh"));
    match asks.scripts.iter().find(is_of_kit) {
        Some(script) => {
            let version = wanted(tree, &asks.scripts).and_then(|file| version(texts.get(&file)?));
            let runtime = staged(&asks.copies).find_map(|copy| runtime(tree, copy));
            let is_sourced = |name| asks.scripts.iter().filter_map(text_of).any(|text| mentions(text, name));
            let since =
                SOURCED_BY_SOME.into_iter().filter(|file| is_sourced(file.trim_start_matches("hooks")));
            check_files(tree, script, version, runtime.into_iter().chain(since), findings);
            check_events(&asks.scripts, findings);
            check_staging(tree, &asks.copies, findings);
            check_age(version, findings);
        }
        None => check_asking(&asks.scripts, text_of, findings),
    }
    check_time(&asks.scripts, expected, findings);
    check_image(tree, &asks.copies, expected, findings);
}

fn mentions(text: &Text, words: &str) -> bool {
    text.bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

fn at(position: Position, code: Code, what: String, remedy: &str) -> Finding {
    Finding::new(code, what, remedy).of(FILE_NAME).at(position.line, position.column)
}

const PACK: &str = "pack with instance/bundle, which puts the whole kit in";

/// The kit's version; 0 for one that names none, and `None` where that was not read.
fn version(text: &Text) -> Option<u32> {
    if !text.is_whole {
        return None;
    }
    let text = String::from_utf8_lossy(&text.bytes);
    let version = text.lines().find_map(|line| line.strip_prefix("kit_version="));
    Some(version.and_then(|version| version.trim().parse().ok()).unwrap_or(0))
}

fn check_files(
    tree: &Tree,
    script: &ScriptReference,
    version: Option<u32>,
    more: impl Iterator<Item = &'static str>,
    findings: &mut Findings,
) {
    let folder = script.location.rsplit_once('/').map_or("", |(folder, _)| folder);
    let home = folder.rsplit_once('/').map_or("", |(home, _)| home);
    let is_there = |path: &str| matches!(tree.find(&format!("{home}/{path}")), Found::File(_));
    let since_2 = SOURCED_SINCE_2.iter().filter(|_| version >= Some(2));
    let needed = SOURCED.iter().chain(since_2).copied().chain(more);
    for path in needed.filter(|path| !is_there(path)) {
        let what = format!("{} is one of the kit's hooks, and {path} is missing", shown(&script.location));
        findings.push(at(script.position, Code::KitHookMissing, what, PACK).fails(Fails::Everywhere));
    }
}

fn check_events(scripts: &[ScriptReference], findings: &mut Findings) {
    let missing = EVENTS.iter().find(|event| scripts.iter().all(|script| script.event != **event));
    let Some(event) = missing.filter(|event| **event != "ValidateService") else { return };
    let what = format!("the kit's hook of {event} is missing, and those after it go on from it");
    let first = scripts.first().map_or(Position { line: 1, column: 1 }, |script| script.position);
    let remedy = "take the hooks section of the kit's appspec.yml";
    findings.push(at(first, Code::KitHookMissing, what, remedy).fails(Fails::Everywhere));
}

pub(crate) fn staged(copies: &[CopyReference]) -> impl Iterator<Item = &CopyReference> {
    copies.iter().filter(|copy| copy.destination.trim_end_matches('/') == STAGING)
}

/// What starts the bundle: the kit looks at the top of the staging folder.
fn runtime(tree: &Tree, copy: &CopyReference) -> Option<&'static str> {
    let is_there = |name: &str| match tree.find(&copy.source) {
        Found::Folder(folder) => tree.child(folder, name).is_some_and(|node| tree.kind(node) != Kind::Folder),
        Found::File(file) => tree.name(file) == name,
        Found::Nothing | Found::Outside => false,
    };
    STARTS.iter().find(|(name, _)| is_there(name)).map(|(_, runtime)| *runtime)
}

fn check_staging(tree: &Tree, copies: &[CopyReference], findings: &mut Findings) {
    let is_unseen = |copy: &CopyReference| matches!(tree.find(&copy.source), Found::Nothing | Found::Outside);
    if staged(copies).any(|copy| is_unseen(copy) || runtime(tree, copy).is_some()) {
        return;
    }
    let found = match staged(copies).next() {
        Some(copy) => (
            copy.position,
            format!("source {} has neither compose.yaml nor app nor start.sh", shown(&copy.source)),
        ),
        None => (Position { line: 1, column: 1 }, format!("nothing is copied to {STAGING}")),
    };
    findings.push(at(
        found.0,
        Code::NoRuntime,
        found.1,
        "add what the kit is to start, at the top of that folder",
    ));
}

fn check_age(version: Option<u32>, findings: &mut Findings) {
    let Some(version) = version.filter(|version| *version < VERSION) else { return };
    let what = format!("the kit in the bundle is version {version}, and the functions go with {VERSION}");
    findings.push(Finding::new(Code::KitIsOld, what, "pack with the instance/bundle of this Greenlight"));
}

/// A bundle without the kit has to ask by itself.
fn check_asking<'a>(
    scripts: &'a [ScriptReference],
    text_of: impl Fn(&'a ScriptReference) -> Option<&'a Text>,
    findings: &mut Findings,
) {
    let mut validating = scripts.iter().filter(|script| script.event == "ValidateService").peekable();
    let Some(first) = validating.peek().copied() else { return };
    let asks = |script: &'a ScriptReference| {
        text_of(script)
            .is_none_or(|text| !text.is_whole || mentions(text, "lambda") || mentions(text, "LAMBDA"))
    };
    if !validating.any(asks) {
        let what =
            format!("script {} ends without asking Greenlight how the release goes", shown(&first.location));
        let remedy =
            "let hooks/validate_service.sh of the kit run there, or ask as docs/hook-protocol.md says";
        findings.push(at(first.position, Code::KitHookMissing, what, remedy));
    }
}

fn check_time(scripts: &[ScriptReference], expected: Expected, findings: &mut Findings) {
    let validating = || scripts.iter().filter(|script| script.event == "ValidateService");
    let longest = validating().max_by_key(|script| script.timeout);
    let (Some(script), Some(needed)) = (longest, expected.release_seconds) else { return };
    if script.timeout < needed {
        let what = format!("ValidateService may take {} s, and the release up to {needed} s", script.timeout);
        findings.push(at(
            script.position,
            Code::HookTooShort,
            what,
            "write timeout: 3600, or set a shorter strategy or bake",
        ));
    }
}

/// A saved image lies in the unpacked bundle, in the colour's folder and in Docker's own store.
fn check_image(tree: &Tree, copies: &[CopyReference], expected: Expected, findings: &mut Findings) {
    const COPIES: u64 = 3;
    let Some(disk) = expected.disk_bytes else { return };
    for copy in copies {
        let Found::Folder(folder) = tree.find(&copy.source) else { continue };
        let image = tree.child(folder, "image.tar").filter(|image| tree.kind(*image) == Kind::File);
        let Some(image) = image else { continue };
        let bytes = tree.bytes(image);
        if bytes.saturating_mul(COPIES) > disk {
            let what = format!(
                "image.tar has {bytes} bytes, which lie on an instance {COPIES} times, and its disk has {disk}"
            );
            let remedy =
                "make the image smaller, pull it from a registry, or give the instances a larger disk";
            findings.push(Finding::new(Code::ImageTooLarge, what, remedy).of(&tree.path(image)));
        }
    }
}
