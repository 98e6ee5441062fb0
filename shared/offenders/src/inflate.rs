//! Bytes of a log object as they arrive, in any pieces, to text lines: gzip with any number of members, or plain text.
//!
//! Memory is one buffer of [`WINDOW`] bytes, which grows only while a single line is longer, up to [`LONGEST_LINE`].
//!
//! Measured figures: docs/speed.md.

use std::sync::LazyLock;

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem::FinderRev;
use memchr::{memchr, memrchr};

/// Bytes inflated before the lines in them are read: small enough to stay in a core's second-level cache, large
/// enough that inflate's copy of its 32 KiB history at the end of a call does not count.
pub const WINDOW: usize = 128 * 1024;

/// Longest line that is still read, in bytes. WAF cuts what it logs of a request (8 KB of headers, 100 labels); this
/// leaves room for a CloudWatch Logs envelope of many records.
pub const LONGEST_LINE: usize = 8 * 1024 * 1024;

/// Most bytes that one object may inflate to. 75 MB, the largest object WAF delivers, inflates to about 1.1 GB; a
/// gzip bomb of that size to 77 GB.
pub const LARGEST_OBJECT: u64 = 8 * 1024 * 1024 * 1024;

/// Why an object as a whole cannot be read. Nothing of it is counted then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadObject {
    /// The gzip stream contradicts itself, or its checksum does.
    #[error("its gzip stream is damaged at compressed byte {at}; fetch the object again or drop it")]
    Damaged {
        /// Offset in the compressed object, bytes.
        at: u64,
    },
    /// The object ends inside a gzip member.
    #[error(
        "it ends inside its gzip stream, after {at} compressed bytes; it was cut off when it was written"
    )]
    CutOff {
        /// Length of the compressed object, bytes.
        at: u64,
    },
    /// Something that is neither gzip nor padding follows the last gzip member.
    #[error("something that is not gzip follows its gzip stream at compressed byte {at}")]
    NotGzipAfter {
        /// Offset in the compressed object, bytes.
        at: u64,
    },
    /// It inflates to more than [`LARGEST_OBJECT`].
    #[error("it inflates to more than {limit} bytes; no log object of AWS does")]
    TooLarge {
        /// The limit, bytes.
        limit: u64,
    },
    /// Neither gzip nor text of a log: another kind of file under the log prefix.
    #[error("it is neither gzip nor lines of a log; it looks like neither WAF's log nor a load balancer's")]
    NotALog,
}

/// What the reader of lines is handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block<'a> {
    /// Whole lines, each with its line feed; the object's last may have none. A line that fills the buffer is handed
    /// over in parts, each of which ends where a record does, or where another begins.
    Lines(&'a [u8]),
    /// A line longer than [`LONGEST_LINE`] in which no record begins; its bytes were dropped.
    TooLong,
}

#[derive(Debug)]
enum Format {
    Unknown,
    Plain,
    /// Inside a member.
    Gzip(Box<Decompress>),
    /// Between members; holds the first byte of the magic number when only that has arrived.
    Between {
        decompress: Box<Decompress>,
        first_seen: bool,
    },
    /// After zero padding; only zeros may follow.
    Padding,
}

/// Turns the pieces of an object into lines.
#[derive(Debug)]
pub struct Lines {
    format: Format,
    buffer: Vec<u8>,
    filled: usize,
    skipping: bool,
    taken: u64,
    inflated: u64,
    limit: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new(LARGEST_OBJECT)
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];

const OBJECT: &[u8] = b"{\"";

static FIND_OBJECT: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(OBJECT));
static FIND_RECORD: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(crate::record::START));

impl Lines {
    /// A reader that refuses objects which inflate to more than `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            format: Format::Unknown,
            buffer: vec![0; WINDOW],
            filled: 0,
            skipping: false,
            taken: 0,
            inflated: 0,
            limit,
        }
    }

    /// Inflated bytes so far.
    pub fn inflated(&self) -> u64 {
        self.inflated
    }

    /// Takes the next piece of the object and hands the lines that it completes to `each`.
    ///
    /// # Errors
    /// The object is bad as a whole; the reader is of no use afterwards.
    pub fn push(&mut self, mut piece: &[u8], each: &mut impl FnMut(Block<'_>)) -> Result<(), BadObject> {
        while !piece.is_empty() {
            let taken = self.step(piece, each)?;
            piece = piece.get(taken..).unwrap_or_default();
            self.taken += taken as u64;
        }
        Ok(())
    }

    /// Says that the object is complete; hands over a last line that has no line feed.
    ///
    /// # Errors
    /// The object ended inside a gzip member.
    pub fn finish(mut self, each: &mut impl FnMut(Block<'_>)) -> Result<(), BadObject> {
        match self.format {
            Format::Gzip(_) | Format::Between { first_seen: true, .. } => {
                return Err(BadObject::CutOff { at: self.taken });
            }
            Format::Unknown | Format::Plain | Format::Between { .. } | Format::Padding => {}
        }
        if self.skipping {
            each(Block::TooLong);
        } else if self.filled > 0 {
            each(Block::Lines(&self.buffer[..self.filled]));
        }
        self.filled = 0;
        Ok(())
    }

    /// Consumes some of `piece`; returns how many bytes.
    fn step(&mut self, piece: &[u8], each: &mut impl FnMut(Block<'_>)) -> Result<usize, BadObject> {
        match &mut self.format {
            Format::Unknown => {
                let first = piece[0];
                if first == GZIP[0] {
                    self.format = Format::Gzip(Box::new(Decompress::new_gzip(15)));
                } else if matches!(first, b'{' | b'h' | b'g' | b'w' | 0xef) || first.is_ascii_whitespace() {
                    self.format = Format::Plain;
                } else {
                    return Err(BadObject::NotALog);
                }
                Ok(0)
            }
            Format::Plain => {
                let n = piece.len().min(self.buffer.len() - self.filled);
                self.buffer[self.filled..self.filled + n].copy_from_slice(&piece[..n]);
                self.grown_by(n, each)?;
                Ok(n)
            }
            Format::Gzip(decompress) => {
                let (before_in, before_out) = (decompress.total_in(), decompress.total_out());
                let status = decompress
                    .decompress(piece, &mut self.buffer[self.filled..], FlushDecompress::None)
                    .map_err(|_| BadObject::Damaged { at: self.taken })?;
                let taken = usize::try_from(decompress.total_in() - before_in).unwrap_or(piece.len());
                let made = usize::try_from(decompress.total_out() - before_out).unwrap_or(0);
                match status {
                    Status::StreamEnd => {
                        let mut fresh = Format::Padding;
                        std::mem::swap(&mut fresh, &mut self.format);
                        if let Format::Gzip(decompress) = fresh {
                            self.format = Format::Between { decompress, first_seen: false };
                        }
                    }
                    Status::Ok | Status::BufError if taken == 0 && made == 0 => {
                        return Err(BadObject::Damaged { at: self.taken });
                    }
                    Status::Ok | Status::BufError => {}
                }
                self.grown_by(made, each)?;
                Ok(taken)
            }
            Format::Between { decompress, first_seen } => match (*first_seen, piece[0]) {
                (false, byte) if byte == GZIP[0] => {
                    *first_seen = true;
                    Ok(1)
                }
                (true, byte) if byte == GZIP[1] => {
                    **decompress = Decompress::new_gzip(15);
                    // The magic number may have come in two pieces; the decoder wants it in its own stream.
                    decompress
                        .decompress(&GZIP, &mut [], FlushDecompress::None)
                        .map_err(|_| BadObject::Damaged { at: self.taken })?;
                    let mut fresh = Format::Padding;
                    std::mem::swap(&mut fresh, &mut self.format);
                    if let Format::Between { decompress, .. } = fresh {
                        self.format = Format::Gzip(decompress);
                    }
                    Ok(1)
                }
                (false, 0) => {
                    self.format = Format::Padding;
                    Ok(1)
                }
                _ => Err(BadObject::NotGzipAfter { at: self.taken }),
            },
            Format::Padding => {
                if piece.iter().all(|&byte| byte == 0) {
                    Ok(piece.len())
                } else {
                    Err(BadObject::NotGzipAfter { at: self.taken })
                }
            }
        }
    }

    /// Hands over the lines in the buffer after `made` new bytes, keeps the unfinished one.
    fn grown_by(&mut self, made: usize, each: &mut impl FnMut(Block<'_>)) -> Result<(), BadObject> {
        self.inflated += made as u64;
        if self.inflated > self.limit {
            return Err(BadObject::TooLarge { limit: self.limit });
        }
        let searched = self.filled;
        self.filled += made;
        let mut start = 0;
        if self.skipping {
            let Some(end) = memchr(b'\n', &self.buffer[searched..self.filled]) else {
                self.filled = 0;
                return Ok(());
            };
            self.skipping = false;
            each(Block::TooLong);
            start = searched + end + 1;
        }
        // What was there before has no line feed.
        let from = start.max(searched);
        if let Some(last) = memrchr(b'\n', &self.buffer[from..self.filled]) {
            let end = from + last + 1;
            each(Block::Lines(&self.buffer[start..end]));
            start = end;
        }
        self.buffer.copy_within(start..self.filled, 0);
        self.filled -= start;
        if self.filled == self.buffer.len() {
            let is_longest = self.buffer.len() >= LONGEST_LINE;
            if let Some(end) =
                last_boundary(&self.buffer).or_else(|| last_start(&self.buffer).filter(|_| is_longest))
            {
                each(Block::Lines(&self.buffer[..end]));
                self.buffer.copy_within(end.., 0);
                self.filled -= end;
            } else if is_longest {
                self.skipping = true;
                self.filled = 0;
            } else {
                self.buffer.resize((self.buffer.len() * 2).min(LONGEST_LINE), 0);
            }
        }
        Ok(())
    }
}

/// Where the last document of a line without an end begins, when another ends right before it: `}{"` and a letter. A
/// quote inside a string is escaped, and after a string stands no letter, so in JSON this is nothing else.
fn last_boundary(line: &[u8]) -> Option<usize> {
    FIND_OBJECT.rfind_iter(line).find(|&at| {
        line.get(at + OBJECT.len()).is_some_and(u8::is_ascii_alphabetic)
            && line[..at].trim_ascii_end().last() == Some(&b'}')
    })
}

/// Where the last record of a line without an end begins, however the one before it ends.
fn last_start(line: &[u8]) -> Option<usize> {
    FIND_RECORD.rfind(line).filter(|&at| at > 0)
}
