//! Chains of a client's requests, or of its offences of one kind, and what in them is one and the same record.

/// A request or an offence, in a chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) step: u16,
    pub(super) mark: u16,
    pub(super) next: u32,
}

/// Step and mark as one number, which sorts by both.
#[inline]
pub(super) fn pack(step: u16, mark: u16) -> u32 {
    u32::from(step) << 16 | u32::from(mark)
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
pub(super) const fn unpack(record: u32) -> (u16, u16) {
    ((record >> 16) as u16, record as u16)
}

/// Appends the records of a chain, packed.
pub(super) fn unchain(links: &[Link], mut next: u32, records: &mut Vec<u32>) {
    while let Some(link) = links.get(next as usize) {
        records.push(pack(link.step, link.mark));
        next = link.next;
    }
}

/// Puts records in order, none twice. In a merged tally those that agree are one; else they are several, and are given
/// marks of their own.
pub(super) fn tell_apart(records: &mut Vec<u32>, is_merged: bool) {
    records.sort_unstable();
    if records.is_sorted_by(|one, next| one < next) {
        return;
    }
    if !is_merged {
        for step in records.chunk_by_mut(|one, next| one >> 16 == next >> 16) {
            spread(step);
        }
        records.sort_unstable();
    }
    records.dedup();
}

/// Gives each record of one step the next mark that is free, after the last mark the first. Which marks are taken in
/// the end depends on neither the order nor how often this is done, so each copy of an object comes to the same.
fn spread(step: &mut [u32]) {
    let Some(&lowest) = step.first() else { return };
    let (first, last) = (lowest & !0xffff, lowest | 0xffff);
    let mut free = first;
    let mut placed = 0;
    for record in step.iter_mut() {
        *record = free.max(*record);
        placed += 1;
        if *record == last {
            // All marks from the next record's own to the last are taken.
            break;
        }
        free = *record + 1;
    }
    let (kept, rest) = step.split_at_mut(placed);
    let mut taken = kept.iter().copied().peekable();
    let mut marks = (first..=last).filter(|mark| taken.next_if_eq(mark).is_none());
    for record in rest {
        // More than there are marks: those are not told apart.
        *record = marks.next().unwrap_or(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_apart(marks: &[u16], is_merged: bool) -> Vec<u16> {
        let mut records: Vec<u32> = marks.iter().map(|&mark| pack(7, mark)).collect();
        tell_apart(&mut records, is_merged);
        records.into_iter().map(|record| unpack(record).1).collect()
    }

    #[test]
    fn requests_of_one_object_that_agree_are_several_and_records_of_two_objects_are_one() {
        assert_eq!(told_apart(&[5, 9, 5, 5, 6], false), [5, 6, 7, 8, 9]);
        assert_eq!(told_apart(&[5, 9, 5, 5, 6], true), [5, 6, 9]);
        assert_eq!(told_apart(&[u16::MAX; 3], false), [0, 1, u16::MAX]);
        assert_eq!(
            told_apart(&[u16::MAX - 1, u16::MAX - 1, u16::MAX, 0], false),
            [0, 1, u16::MAX - 1, u16::MAX]
        );
    }

    #[test]
    fn every_way_to_the_same_requests_ends_with_the_same_marks() {
        let marks = [9, 65_534, 5, 65_535, 5, 65_535, 65_534, 0, 9, 10];
        let whole = told_apart(&marks, false);
        assert_eq!(whole.len(), marks.len());
        for cut in 0..marks.len() {
            let mut parts = told_apart(&marks[cut..], false);
            parts.extend(&marks[..cut]);
            assert_eq!(told_apart(&parts, false), whole);
        }
    }

    #[test]
    fn a_step_with_more_requests_than_marks_counts_as_many_as_there_are_marks() {
        assert_eq!(told_apart(&vec![3; 70_000], false).len(), 65_536);
    }
}
