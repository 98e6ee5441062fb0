//! The central directory as a stream, however its bytes are cut into pieces.

use super::central::{RECORD_BYTES, record_length};

/// Cuts pieces of the directory into records. Holds no more than the one that is cut in two.
#[derive(Debug, Default)]
pub(crate) struct Records {
    begun: Vec<u8>,
}

/// The directory holds something that is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotARecord;

impl Records {
    /// Hands each record that is complete to `each`, until one asks to stop.
    pub(crate) fn feed<E: From<NotARecord>>(
        &mut self,
        mut piece: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.begun.is_empty() {
            self.fill(&mut piece, RECORD_BYTES);
            if self.begun.len() < RECORD_BYTES {
                return Ok(());
            }
            let length = record_length(&self.begun).ok_or(NotARecord)?;
            self.fill(&mut piece, length);
            if self.begun.len() < length {
                return Ok(());
            }
            each(&self.begun)?;
            self.begun.clear();
        }
        while piece.len() >= RECORD_BYTES {
            let length = record_length(piece).ok_or(NotARecord)?;
            let Some((record, rest)) = piece.split_at_checked(length) else { break };
            each(record)?;
            piece = rest;
        }
        self.begun.extend_from_slice(piece);
        Ok(())
    }

    /// Whether nothing is left over.
    pub(crate) fn is_complete(&self) -> bool {
        self.begun.is_empty()
    }

    fn fill(&mut self, piece: &mut &[u8], length: usize) {
        let missing = length.saturating_sub(self.begun.len()).min(piece.len());
        let (taken, rest) = piece.split_at(missing);
        self.begun.extend_from_slice(taken);
        *piece = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_whole_however_the_directory_is_cut() {
        let record = |name: &[u8]| {
            let mut bytes = [b"PK\x01\x02".as_slice(), &[0; 42], name].concat();
            bytes[28] = u8::try_from(name.len()).unwrap();
            bytes
        };
        let records = [record(b"a"), record(b"some/longer/name"), record(b"")];
        let all = records.concat();
        for cut in 0..all.len() {
            for step in [1, 7, 46, 1000] {
                let mut found = Vec::new();
                let mut stream = Records::default();
                let (first, second) = all.split_at(cut);
                for piece in first.chunks(step).chain([second]) {
                    let each = |record: &[u8]| {
                        found.push(record.to_vec());
                        Ok::<_, NotARecord>(())
                    };
                    stream.feed(piece, each).unwrap();
                }
                assert_eq!(found, records, "cut at {cut}, pieces of {step}");
                assert!(stream.is_complete());
            }
        }
    }
}
