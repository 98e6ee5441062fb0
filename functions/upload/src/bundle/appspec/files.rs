//! The `files` section: what Install copies where.

use super::yaml::{Content, Node};
use super::{AppSpecFault, AppSpecWarning, Copy, is_mapping, items, present};
use crate::bundle::fault::Findings;

pub(super) fn check(root: &Node, findings: &mut Findings) -> Vec<Copy> {
    let mut copies = Vec::new();
    for item in items(root.get("files"), "files", "a list of items with source and destination", findings) {
        if is_mapping(item, "an item of files", "a mapping with source and destination", findings) {
            copies.extend(check_item(item, findings));
        }
    }
    copies
}

fn check_item(item: &Node, findings: &mut Findings) -> Option<Copy> {
    let Some(source) = present(item, "source") else {
        findings.appspec_fault(item.line, AppSpecFault::SourceMissing);
        return None;
    };
    let source_path = path_of(source);
    let Some(destination) = present(item, "destination") else {
        findings.appspec_fault(item.line, AppSpecFault::DestinationMissing { source_path });
        return None;
    };
    if !matches!(source.content, Content::Scalar(_)) {
        findings
            .appspec_warn(source.line, AppSpecWarning::SourceNotText { source_path: source_path.clone() });
    } else if source_path.is_empty() {
        findings.appspec_warn(source.line, AppSpecWarning::EmptySource);
    }
    let destination_path = path_of(destination);
    if !destination_path.starts_with('/') {
        let warning = AppSpecWarning::RelativeDestination { destination: destination_path.clone() };
        findings.appspec_warn(destination.line, warning);
    }
    Some(Copy { line: item.line, source: source_path, destination: destination_path })
}

/// The path that Ruby's `File.join` makes of a value: a list becomes its items with `/` between them.
fn path_of(node: &Node) -> String {
    if let Content::List(items) = &node.content {
        items.iter().map(Node::text).collect::<Vec<_>>().join("/")
    } else {
        node.text()
    }
}
