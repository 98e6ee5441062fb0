//! The `files` section: what Install copies where.

use super::fault::{AppSpecFault, AppSpecWarning};
use super::findings::{CopyReference, Lint};
use super::nodes::{get, is_mapping, items, present, value};
use crate::ruby::path;
use crate::tree::{Content, Node};

pub(super) fn check(root: &Node, findings: &mut Lint) -> Vec<CopyReference> {
    let mut copies = Vec::new();
    for item in items(get(root, "files"), "files", "a list of items with source and destination", findings) {
        if is_mapping(item, "an item of files", "a mapping with source and destination", findings) {
            copies.extend(check_item(item, findings));
        }
    }
    copies
}

fn check_item(item: &Node, findings: &mut Lint) -> Option<CopyReference> {
    let Some(source) = present(item, "source") else {
        findings.fault(item.line(), AppSpecFault::SourceMissing);
        return None;
    };
    let source_path = path(&value(source));
    let Some(destination) = present(item, "destination") else {
        findings.fault(item.line(), AppSpecFault::DestinationMissing { source_path });
        return None;
    };
    if !matches!(source.content, Content::Scalar { .. }) {
        findings.warn(source.line(), AppSpecWarning::SourceNotText { source_path: source_path.clone() });
    } else if source_path.is_empty() {
        findings.warn(source.line(), AppSpecWarning::EmptySource);
    }
    let destination_path = path(&value(destination));
    if !destination_path.starts_with('/') {
        let warning = AppSpecWarning::RelativeDestination { destination: destination_path.clone() };
        findings.warn(destination.line(), warning);
    }
    Some(CopyReference { line: item.line(), source: source_path, destination: destination_path })
}
