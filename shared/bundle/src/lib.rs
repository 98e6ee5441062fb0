//! Inspects a bundle without downloading it: the end of the ZIP, its central directory, `appspec.yml`, and
//! the targets of symbolic links, each by a ranged read.
//!
//! Refuses a bundle on which CodeDeploy would fail later, on an instance, with the colour half installed. Reports
//! every fault, not only the first. [`Limits`] bounds every number that a bundle states.

mod archive;
mod contents;
mod fault;
mod limits;
mod range;
mod references;

pub use fault::{ArchiveFault, BundleFault, ContentsFault, ContentsWarning, Findings, Warning};
pub use limits::Limits;
pub use range::RangedRead;

use appspec::Lint;
use archive::{Directory, Entry};
use contents::Contents;
use std::collections::BTreeMap;
use std::ops::Range;

/// Looks at a bundle and says what is wrong with it.
///
/// # Errors
/// Only when the bundle cannot be read. Whatever is wrong with it is in the [`Findings`].
pub async fn inspect<R: RangedRead>(bundle: &R, limits: &Limits) -> Result<Findings, R::Error> {
    let mut findings = Findings::default();
    let entries = match directory_entries(bundle, limits).await? {
        Ok(entries) => entries,
        Err(fault) => {
            findings.fault(fault);
            return Ok(findings);
        }
    };
    check_entries(&entries, limits, &mut findings);
    let mut contents = Contents::arrange(&entries, limits.listed, &mut findings);
    read_links(bundle, &entries, &mut contents, limits, &mut findings).await?;
    match contents.appspec() {
        Err(fault) => findings.fault(fault),
        Ok(index) => {
            if let Some(entry) = entries.get(index) {
                check_appspec(bundle, entry, &contents, limits, &mut findings).await?;
            }
        }
    }
    findings.sort();
    Ok(findings)
}

async fn check_appspec<R: RangedRead>(
    bundle: &R,
    entry: &Entry,
    contents: &Contents,
    limits: &Limits,
    findings: &mut Findings,
) -> Result<(), R::Error> {
    let range = match entry.range(limits.appspec_bytes) {
        Ok(range) => range,
        Err(fault) => {
            findings.add_once(fault);
            return Ok(());
        }
    };
    let bytes = bundle.read(range).await?;
    match archive::unpack(entry, &bytes, limits.appspec_bytes) {
        Err(fault) => findings.add_once(fault),
        Ok(text) => {
            let Lint { findings: found, asks } = appspec::lint(&text);
            found.listed().iter().cloned().for_each(|finding| findings.appspec(finding));
            references::check_scripts(&asks.scripts, contents, findings);
            references::check_copies(&asks.copies, contents, limits, findings);
        }
    }
    Ok(())
}

/// The entries of the central directory, or why it cannot be used.
async fn directory_entries<R: RangedRead>(
    bundle: &R,
    limits: &Limits,
) -> Result<Result<Vec<Entry>, ArchiveFault>, R::Error> {
    let size = bundle.size();
    if size == 0 {
        return Ok(Err(ArchiveFault::NotZip { looks_like: "an empty file" }));
    }
    let tail_start = size.saturating_sub(limits.tail_bytes);
    let tail = bundle.read(tail_start..size).await?;
    let directory = match archive::find_directory(&tail, tail_start) {
        Ok(directory) => directory,
        Err(fault @ ArchiveFault::NotZip { .. }) => {
            let head = bundle.read(0..size.min(4)).await?;
            return Ok(Err(archive::look_at_head(&head).unwrap_or(fault)));
        }
        Err(fault) => return Ok(Err(fault)),
    };
    if let Err(fault) = archive::check_directory(&directory, limits) {
        return Ok(Err(fault));
    }
    let Directory { range, .. } = &directory;
    if range.is_empty() {
        return Ok(archive::read_entries(&[], &directory));
    }
    let in_tail = range.start.checked_sub(tail_start).and_then(|start| {
        let start = usize::try_from(start).ok()?;
        tail.get(start..start.checked_add(usize::try_from(range.end - range.start).ok()?)?)
    });
    match in_tail {
        Some(bytes) => Ok(archive::read_entries(bytes, &directory)),
        None => Ok(archive::read_entries(&bundle.read(range.clone()).await?, &directory)),
    }
}

fn check_entries(entries: &[Entry], limits: &Limits, findings: &mut Findings) {
    let mut faults = entries.iter().filter_map(|entry| archive::check_entry(entry).err());
    for fault in faults.by_ref().take(limits.listed) {
        findings.fault(fault);
    }
    let more = faults.count();
    if more > 0 {
        findings.fault(ContentsFault::More { more });
    }
    if let Err(fault) = archive::check_expansion(entries, limits) {
        findings.fault(fault);
    }
}

/// A link of the bundle and where its target is to be read.
struct Link<'a> {
    path: String,
    entry: &'a Entry,
    range: Range<u64>,
}

/// Reads where the symbolic links lead, neighbours with one read.
async fn read_links<R: RangedRead>(
    bundle: &R,
    entries: &[Entry],
    contents: &mut Contents,
    limits: &Limits,
    findings: &mut Findings,
) -> Result<(), R::Error> {
    let mut faults = Vec::new();
    let mut links = Vec::new();
    for (path, index) in contents.links() {
        let Some(entry) = entries.get(index) else { continue };
        match entry.range(limits.link_target_bytes) {
            Ok(range) => links.push(Link { path, entry, range }),
            Err(fault) => faults.push(fault),
        }
    }
    links.sort_by_key(|link| link.range.start);
    let groups = group(&links, limits);
    if groups.len() > limits.link_reads {
        findings.fault(ContentsFault::TooManyLinks { links: links.len() });
        return Ok(());
    }
    let mut targets = BTreeMap::new();
    for group in groups {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let bytes = bundle.read(first.range.start..last.range.end).await?;
        for link in group {
            let start = usize::try_from(link.range.start - first.range.start).unwrap_or(usize::MAX);
            match archive::unpack(
                link.entry,
                bytes.get(start..).unwrap_or_default(),
                limits.link_target_bytes,
            ) {
                Ok(target) => {
                    targets.insert(link.path.clone(), String::from_utf8_lossy(&target).into_owned());
                }
                Err(fault) => faults.push(fault),
            }
        }
    }
    let more = faults.len().saturating_sub(limits.listed);
    faults.into_iter().take(limits.listed).for_each(|fault| findings.add_once(fault));
    if more > 0 {
        findings.fault(ContentsFault::More { more });
    }
    contents.set_targets(targets, limits.listed, findings);
    Ok(())
}

/// Cuts links, sorted by place, into runs that one read fetches.
fn group<'a, 'b>(links: &'a [Link<'b>], limits: &Limits) -> Vec<&'a [Link<'b>]> {
    let mut groups = Vec::new();
    let mut start = 0;
    for index in 1..=links.len() {
        let joined = match (links.get(start), links.get(index - 1), links.get(index)) {
            (Some(first), Some(before), Some(next)) => {
                next.range.start.saturating_sub(before.range.end) <= limits.link_gap_bytes
                    && next.range.end.saturating_sub(first.range.start) <= limits.link_group_bytes
            }
            _ => false,
        };
        if !joined {
            groups.extend(links.get(start..index));
            start = index;
        }
    }
    groups
}
