//! Reads a bundle with few reads and few bytes, and counts both.

use crate::limits::Limits;
use crate::read::{RangedRead, Tail};
use bytes::Bytes;
use std::ops::Range;

/// What an inspection cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Ranged reads.
    pub reads: usize,
    /// Bytes read.
    pub bytes: u64,
}

/// A bundle whose end has been read.
#[derive(Debug)]
pub(crate) struct Reader<'a, R> {
    bundle: &'a R,
    pub(crate) tail: Tail,
    pub(crate) cost: Cost,
}

/// Bytes that were read, by where they stand.
#[derive(Debug, Default)]
pub(crate) struct Stretches(Vec<(u64, Bytes)>);

impl Stretches {
    /// The bytes of a range that lies in one of the stretches.
    pub(crate) fn get(&self, range: &Range<u64>) -> &[u8] {
        let within =
            |(start, bytes): &(u64, Bytes)| *start <= range.start && range.end <= start + bytes.len() as u64;
        let Some((start, bytes)) = self.0.iter().find(|stretch| within(stretch)) else { return &[] };
        let at = |position: u64| usize::try_from(position - start).unwrap_or(usize::MAX);
        bytes.get(at(range.start)..at(range.end)).unwrap_or_default()
    }
}

impl<'a, R: RangedRead> Reader<'a, R> {
    /// Reads the end of a bundle.
    pub(crate) async fn open(bundle: &'a R, limits: &Limits) -> Result<Self, R::Error> {
        let tail = bundle.tail(limits.tail_bytes).await?;
        let cost = Cost { reads: 1, bytes: tail.bytes.len() as u64 };
        Ok(Self { bundle, tail, cost })
    }

    /// Where the tail starts.
    pub(crate) fn tail_start(&self) -> u64 {
        self.tail.size.saturating_sub(self.tail.bytes.len() as u64)
    }

    /// The bytes of a range, out of the tail where it lies there.
    pub(crate) async fn read(&mut self, range: Range<u64>) -> Result<Bytes, R::Error> {
        if let Some(bytes) = self.in_tail(&range) {
            return Ok(bytes);
        }
        self.cost.reads += 1;
        self.cost.bytes += range.end - range.start;
        self.bundle.read(range).await
    }

    /// The bytes of many ranges, with as few reads as `within` allows; or what of it
    /// that would take more of.
    pub(crate) async fn read_joined(
        &mut self,
        wanted: impl IntoIterator<Item = Range<u64>>,
        within: Allowance,
    ) -> Result<Result<Stretches, TooMuch>, R::Error> {
        let mut stretches = vec![(self.tail_start(), self.tail.bytes.clone())];
        let mut ranges: Vec<_> = wanted.into_iter().filter(|range| self.in_tail(range).is_none()).collect();
        if !ranges.is_empty() {
            ranges.sort_unstable_by_key(|range| (range.start, range.end));
            let joined = match join(ranges, within) {
                Ok(joined) => joined,
                Err(too_much) => return Ok(Err(too_much)),
            };
            self.cost.reads += joined.len();
            self.cost.bytes += joined.iter().map(|range| range.end - range.start).sum::<u64>();
            let read = self.bundle.read_all(&joined).await?;
            stretches.extend(joined.into_iter().map(|range| range.start).zip(read));
        }
        Ok(Ok(Stretches(stretches)))
    }

    fn in_tail(&self, range: &Range<u64>) -> Option<Bytes> {
        let start = usize::try_from(range.start.checked_sub(self.tail_start())?).ok()?;
        let end = usize::try_from(range.end.checked_sub(self.tail_start())?).ok()?;
        (start <= end && end <= self.tail.bytes.len()).then(|| self.tail.bytes.slice(start..end))
    }
}

/// What a round of reads may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    /// Bytes, those between the ranges included.
    pub(crate) bytes: u64,
    /// To this many reads the ranges are brought together, if the bytes allow it.
    pub(crate) few_reads: usize,
    /// More than this is not read.
    pub(crate) most_reads: usize,
    /// Bytes between two ranges that always cost less than another read.
    pub(crate) gap: u64,
    /// What else may be read for ranges that would take more than a few reads.
    pub(crate) scattered: Scattered,
}

/// Bytes that are spent to save reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scattered {
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// Bytes between two ranges that cost less than another read, where there are many.
    pub(crate) gap: u64,
}

/// Why ranges are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMuch {
    /// They would take so many bytes.
    Bytes(u64),
    /// They lie so far apart that they would take so many reads.
    Reads(usize),
}

/// Joins sorted ranges over the smallest gaps first.
fn join(ranges: Vec<Range<u64>>, within: Allowance) -> Result<Vec<Range<u64>>, TooMuch> {
    let mut reads = ranges.len();
    let bytes = covered(&ranges);
    let Some(mut spare) = within.bytes.checked_sub(bytes) else { return Err(TooMuch::Bytes(bytes)) };
    let mut gaps: Vec<(u64, usize)> = Vec::new();
    let mut end = 0;
    for (at, range) in ranges.iter().enumerate() {
        if at > 0 {
            gaps.push((range.start.saturating_sub(end), at));
        }
        end = end.max(range.end);
    }
    gaps.sort_unstable();
    let mut more = within.scattered.bytes;
    let mut is_joined = vec![false; ranges.len()];
    for (gap, at) in gaps {
        if gap > within.gap && reads <= within.few_reads {
            break;
        }
        if gap <= spare {
            spare -= gap;
        } else if gap <= within.scattered.gap && gap <= more {
            more -= gap;
        } else {
            break;
        }
        reads -= 1;
        if let Some(joined) = is_joined.get_mut(at) {
            *joined = true;
        }
    }
    if reads > within.most_reads {
        return Err(TooMuch::Reads(reads));
    }
    let mut all: Vec<Range<u64>> = Vec::with_capacity(reads);
    for (range, joined) in ranges.into_iter().zip(is_joined) {
        match all.last_mut().filter(|_| joined) {
            Some(last) => last.end = last.end.max(range.end),
            None => all.push(range),
        }
    }
    Ok(all)
}

/// Bytes that lie in any of the sorted ranges.
fn covered(ranges: &[Range<u64>]) -> u64 {
    let mut end = 0;
    let mut bytes = 0;
    for range in ranges {
        bytes += range.end.saturating_sub(range.start.max(end));
        end = end.max(range.end);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(
        ranges: &[(u64, u64)],
        bytes: u64,
        few_reads: usize,
        most_reads: usize,
    ) -> Option<Vec<(u64, u64)>> {
        let ranges = ranges.iter().map(|(start, end)| *start..*end).collect();
        let scattered = Scattered { bytes: 0, gap: 0 };
        let joined = join(ranges, Allowance { bytes, few_reads, most_reads, gap: 10, scattered }).ok()?;
        Some(joined.into_iter().map(|range| (range.start, range.end)).collect())
    }

    #[test]
    fn neighbours_are_read_together() {
        assert_eq!(joined(&[(0, 5), (15, 20), (31, 40)], 1000, 2, 9).unwrap(), [(0, 20), (31, 40)]);
    }

    #[test]
    fn the_nearest_are_joined_until_there_are_few() {
        let apart = [(0, 1), (101, 102), (152, 153), (1000, 1001)];
        assert_eq!(joined(&apart, 1000, 4, 9).unwrap(), apart);
        assert_eq!(joined(&apart, 1000, 3, 9).unwrap(), [(0, 1), (101, 153), (1000, 1001)]);
        assert_eq!(joined(&apart, 1000, 2, 9).unwrap(), [(0, 153), (1000, 1001)]);
        assert_eq!(joined(&apart, 1001, 1, 9).unwrap(), [(0, 1001)]);
    }

    #[test]
    fn bytes_are_the_harder_limit() {
        let apart = [(0, 10), (101, 110), (1000, 1010)];
        assert_eq!(joined(&apart, 29, 1, 9).unwrap(), apart);
        assert_eq!(joined(&apart, 28, 1, 9), None);
        assert_eq!(joined(&apart, 29, 1, 2), None);
        assert_eq!(joined(&apart, 1010, 1, 1).unwrap(), [(0, 1010)]);
        assert_eq!(joined(&apart, 1009, 1, 1), None);
    }

    #[test]
    fn where_there_are_many_bytes_are_spent_to_save_reads_and_only_where_they_do() {
        let near = (0..100).map(|n| n * 60..n * 60 + 10);
        let far = (1..9).map(|n| n * 100_000..n * 100_000 + 10);
        let ranges: Vec<Range<u64>> = near.chain(far).collect();
        let within = |bytes| Allowance {
            bytes: 1080,
            few_reads: 2,
            most_reads: 20,
            gap: 10,
            scattered: Scattered { bytes, gap: 50 },
        };
        let joined = join(ranges.clone(), within(99 * 50)).unwrap();
        assert_eq!(joined.len(), 9);
        assert_eq!(joined[0], 0..5950);
        assert_eq!(join(ranges, within(87 * 50)), Err(TooMuch::Reads(21)));
    }

    #[test]
    fn ranges_that_overlap_count_once() {
        assert_eq!(joined(&[(0, 10), (0, 10), (5, 20)], 20, 1, 9).unwrap(), [(0, 20)]);
    }
}
