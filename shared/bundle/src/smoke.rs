//! `smoke.txt`: what the kit asks of both colours before the candidate gets any traffic (`instance/hooks/smoke.sh`).

use crate::kit::staged;
use crate::texts::Text;
use crate::tree::{Found, Kind, NodeId, Tree};
use appspec::finding::{Code, Finding, Findings, shown};
use appspec::{Asks, ScriptReference};
use std::collections::BTreeMap;

/// Its name, beside what starts the bundle.
const NAME: &str = "smoke.txt";
/// Paths at most: each is asked of two colours, for up to three seconds.
const PATHS: usize = 10;
/// Bytes at most.
const BYTES: usize = 4_096;
/// Bytes of a path that the functions hear of.
const PATH_BYTES: usize = 256;
/// What a path may have beside letters and digits: what needs no escape in a question, and means nothing to curl.
const SIGNS: &str = "[]/._~%?&=+,:;@!$*()-";

const REMEDY: &str =
    "write one path a line as /checkout 200, with a text that the answer has behind it if you like";

/// The file, wherever the kit would find it.
pub(crate) fn wanted(tree: &Tree, asks: &Asks) -> Option<NodeId> {
    staged(&asks.copies).find_map(|copy| match tree.find(&copy.source) {
        Found::Folder(folder) => tree.child(folder, NAME).filter(|node| tree.kind(*node) == Kind::File),
        _ => None,
    })
}

/// Says where the kit could not read it, or would not. Whether it will tell what both colours answer to a path.
pub(crate) fn check(
    tree: &Tree,
    asks: &Asks,
    texts: &BTreeMap<NodeId, Text>,
    findings: &mut Findings,
) -> bool {
    let Some(file) = wanted(tree, asks) else { return false };
    let place = tree.path(file);
    if let Some(fault) = texts.get(&file).and_then(fault) {
        findings.push(Finding::new(Code::Smoke, fault, REMEDY).of(&place));
    }
    let asks_it = |script: &ScriptReference| {
        let folder = script.location.rsplit_once('/').map_or("", |(folder, _)| folder);
        matches!(tree.find(&format!("{folder}/smoke.sh")), Found::File(_))
    };
    let is_asked = asks.scripts.iter().any(asks_it);
    if !is_asked {
        let what = format!("{} names paths, and no hook of the bundle asks them", shown(&place));
        let remedy = "pack with the instance/bundle of this Greenlight";
        findings.push(Finding::new(Code::SmokeUnasked, what, remedy).of(&place));
    }
    is_asked && texts.get(&file).is_some_and(names_a_path)
}

fn names_a_path(text: &Text) -> bool {
    std::str::from_utf8(&text.bytes).is_ok_and(|text| text.lines().any(is_meant))
}

/// Whether a line is more than a remark.
fn is_meant(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t']).trim_end_matches('\r');
    !line.is_empty() && !line.starts_with('#')
}

/// Why the kit stops at it.
fn fault(text: &Text) -> Option<String> {
    if !text.is_whole || text.bytes.len() > BYTES {
        return Some(format!("it has more than {BYTES} bytes"));
    }
    let Ok(text) = std::str::from_utf8(&text.bytes) else {
        return Some("it is not UTF-8".to_owned());
    };
    let lines = text.lines().enumerate();
    let meant = lines.filter(|(_, line)| is_meant(line));
    let mut paths = 0;
    for (index, line) in meant {
        if !is_path_and_status(line) {
            return Some(format!("line {} is not PATH STATUS [TEXT]: {}", index + 1, shown(line)));
        }
        paths += 1;
    }
    (paths > PATHS).then(|| format!("it has {paths} paths, and {PATHS} are asked at most"))
}

fn is_path_and_status(line: &str) -> bool {
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let (path, status) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_path = path.starts_with('/')
        && line.starts_with('/')
        && path.len() <= PATH_BYTES
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || SIGNS.as_bytes().contains(&byte));
    let is_status = status.len() == 3
        && status.bytes().all(|byte| byte.is_ascii_digit())
        && ("200".."600").contains(&status);
    is_path && is_status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<String> {
        fault(&Text { bytes: text.as_bytes().to_vec(), is_whole: true })
    }

    #[test]
    fn what_the_kit_reads_has_no_fault() {
        for good in [
            "",
            "\n# nothing\r\n",
            "/ 200\n",
            "/checkout?a=b&c=[1] 302 \t Pay now \r\n/x\t404",
            "  # x\n\t\n",
        ] {
            assert_eq!(said(good), None, "{good:?}");
        }
    }

    #[test]
    fn a_line_that_the_kit_cannot_read_is_named() {
        let faults = [
            "checkout 200",
            "/checkout",
            "/ok 200\n/checkout 99",
            "/checkout 600",
            "/checkout 2OO",
            "/check\"out 200",
            " /checkout 200",
            "https://shop.example.com/checkout 200",
            &format!("/{} 200", "a".repeat(256)),
            &"/a 200\n".repeat(11),
            &"#".repeat(4_097),
        ]
        .map(|text| said(text).unwrap_or_else(|| panic!("no fault in {text:?}")));
        insta::assert_snapshot!(faults.join("\n"));
    }
}
