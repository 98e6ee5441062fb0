//! Reads the central directory piece by piece, and judges each entry as it comes.

use crate::limits::Limits;
use crate::read::RangedRead;
use crate::reader::Reader;
use crate::tree::{Builder, Clash, Tree};
use crate::zip::{self, Central, Directory, Judged, NotARecord, Records, Refusal, Totals};
use appspec::finding::{Code, Finding, Findings, shown};

const LEAVE_OUT: &str = "leave out what the service does not need at run time";
const REPACK: &str = "pack and upload it again";

/// The bundle's tree, and the bytes of the directory; or why the ZIP cannot be read any further.
pub(crate) async fn read<R: RangedRead>(
    reader: &mut Reader<'_, R>,
    limits: &Limits,
    findings: &mut Findings,
) -> Result<Result<(Tree, u64), Refusal>, R::Error> {
    let directory = match find(reader).await? {
        Ok(directory) => directory,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Directory { range, entries } = &directory;
    let bytes = range.end - range.start;
    if let Some(finding) = too_large(*entries, bytes, limits) {
        return Ok(Err(finding));
    }
    let announced = usize::try_from(*entries).unwrap_or(usize::MAX);
    let mut reading = Reading {
        builder: Builder::new(announced, limits.nodes, limits.name_bytes),
        totals: Totals::default(),
        findings,
    };
    let mut records = Records::default();
    let mut at = range.start;
    while at < range.end {
        // What the tail holds of it comes last, and is not read again.
        let end = if at < reader.tail_start() { range.end.min(reader.tail_start()) } else { range.end };
        let end = end.min(at.saturating_add(limits.chunk_bytes));
        let piece = reader.read(at..end).await?;
        if let Err(stop) = records.feed(&piece, |record| reading.take(record)) {
            return Ok(Err(stop.refusal(limits)));
        }
        at = end;
    }
    if !records.is_complete() {
        return Ok(Err(Stop::Damaged.refusal(limits)));
    }
    let Reading { builder, totals, findings } = reading;
    let mut tree = builder.finish();
    if tree.entries().len() as u64 != *entries {
        return Ok(Err(damaged("its central directory has another number of entries than its end says")));
    }
    if let Err(entry) = tree.place(range.start) {
        return Ok(Err(damaged(&format!("entry {} overlaps what comes after it", shown(&entry)))));
    }
    if let Some(finding) = totals.fault(limits) {
        findings.push(finding);
    }
    if let Some(before) = tree.entries().first_offset().filter(|offset| *offset > 0) {
        let what = format!("{before} bytes stand before the first entry, and unzip passes over them");
        findings.push(Finding::new(
            Code::BytesBefore,
            what,
            "upload the ZIP without a program in front of it",
        ));
    }
    Ok(Ok((tree, bytes)))
}

async fn find<R: RangedRead>(reader: &mut Reader<'_, R>) -> Result<Result<Directory, Refusal>, R::Error> {
    if let Some(found) = zip::find_directory(&reader.tail.bytes, reader.tail_start()) {
        return Ok(found);
    }
    let head = match reader.tail.size.min(zip::HEAD_BYTES) {
        0 => bytes::Bytes::new(),
        end => reader.read(0..end).await?,
    };
    let finding = if head.starts_with(b"PK\x03\x04") {
        Finding::new(Code::CutShort, "the ZIP is cut short, its end record is missing", "upload it again")
    } else {
        let what = format!("it is not a ZIP but {}", zip::recognise(&head));
        Finding::new(Code::NotZip, what, "pack the bundle with zip and upload that")
    };
    Ok(Err(finding))
}

fn too_large(entries: u64, bytes: u64, limits: &Limits) -> Option<Finding> {
    if entries > limits.entries {
        return Some(too_many("entries", entries, limits.entries));
    }
    let limit = limits.directory_bytes;
    (bytes > limit).then(|| {
        let what = format!("the ZIP's central directory has {bytes} bytes, at most {limit} are allowed");
        Finding::new(Code::DirectoryTooLarge, what, LEAVE_OUT)
    })
}

fn too_many(of: &str, found: u64, limit: u64) -> Finding {
    Finding::new(
        Code::TooManyEntries,
        format!("the ZIP has {found} {of}, at most {limit} are allowed"),
        LEAVE_OUT,
    )
}

fn damaged(what: &str) -> Refusal {
    Finding::new(Code::Damaged, format!("the ZIP contradicts itself, {what}"), REPACK)
}

/// Why the directory is not read to its end.
enum Stop {
    Damaged,
    Full,
}

impl From<NotARecord> for Stop {
    fn from(_: NotARecord) -> Self {
        Self::Damaged
    }
}

impl Stop {
    fn refusal(&self, limits: &Limits) -> Refusal {
        match self {
            Self::Damaged => damaged("its central directory is cut short or holds something else"),
            Self::Full => {
                let Limits { nodes, name_bytes, .. } = limits;
                let what = format!(
                    "the files and folders of the ZIP are more than {nodes}, or their names longer than {name_bytes} bytes together"
                );
                Finding::new(Code::TooManyEntries, what, LEAVE_OUT)
            }
        }
    }
}

struct Reading<'a> {
    builder: Builder,
    totals: Totals,
    findings: &'a mut Findings,
}

impl Reading<'_> {
    fn take(&mut self, record: &[u8]) -> Result<(), Stop> {
        let central = Central::read(record).ok_or(Stop::Damaged)?;
        let Judged { name, kind, entry, has_a_place } = central.judge(self.findings);
        self.totals.add(&entry);
        if !has_a_place {
            self.builder.keep(entry);
            return Ok(());
        }
        match self.builder.add(&name, kind, entry) {
            Ok(()) => {}
            Err(Clash::Full) => return Err(Stop::Full),
            Err(Clash::Duplicate) => self.findings.push_with(Code::DuplicateEntry, || {
                let what = format!("entry {} is in the ZIP more than once", shown(&name));
                Finding::new(Code::DuplicateEntry, what, "pack into a new file, not into an existing one")
            }),
            Err(Clash::FileAboveEntries(file)) => {
                let file = self.builder.path(file);
                self.findings.push_with(Code::FileAboveEntries, || {
                    let what = format!("entry {} is a file, and other entries lie below it", shown(&file));
                    Finding::new(Code::FileAboveEntries, what, "rename one of them")
                });
            }
        }
        Ok(())
    }
}
