//! A tally as a small file: what reading one object leaves behind, and what a deciding pass keeps of its window.
//!
//! Layout: `GLW3`, a JSON header with its length in front, then the clients in the order of their addresses, IPv4
//! first. Whole numbers are LEB128 varints; an address is the distance to the one before, IPv6 shifted down to the
//! prefix it is judged as. A client that made one request takes 6 to 12 bytes, each further one at least two: its mark.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::classify::KeptPath;
use crate::tally::{Activity, OFFENCES, Records, Sample, Tally};

const MAGIC: &[u8] = b"GLW3";

/// What a partial says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Where the records came from, for people.
    pub source: String,
    /// Records counted.
    pub records: u64,
    /// Records passed over.
    pub bad: u64,
    /// Records from allowed networks.
    pub allowed: u64,
    /// Records without a client.
    pub without_client: u64,
    /// Time of the first and the last request, milliseconds since 1970.
    pub span: Option<(i64, i64)>,
    /// How much weight a client's counts may be too low by.
    pub error: u64,
    /// Records left out because of their time.
    pub out_of_span: u64,
    /// Prefix that IPv6 clients were judged as.
    pub ipv6_prefix: u8,
    /// Sample requests by address.
    pub samples: Vec<(std::net::IpAddr, Sample)>,
}

/// Why a file is no partial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPartial {
    /// Not written by this version.
    #[error("it is not a partial result of this version; delete it")]
    NotOurs,
    /// It ends early or contradicts itself.
    #[error("it is damaged at byte {at}; delete it")]
    Damaged {
        /// Offset, bytes.
        at: usize,
    },
    /// The header is not what it should be.
    #[error("its header cannot be read; delete it")]
    Header(String),
}

/// Writes a tally down. The header's error, samples and prefix are filled in here.
pub fn encode(mut header: Header, tally: &Tally, ipv6_prefix: u8) -> Vec<u8> {
    header.error = tally.error();
    header.out_of_span += tally.out_of_span();
    header.ipv6_prefix = ipv6_prefix;
    header.samples = tally.samples().into_iter().map(|(client, s)| (client.ip(), s.clone())).collect();
    // A header is made of plain data; it always turns into JSON.
    let json = serde_json::to_vec(&header).unwrap_or_default();
    let mut out = Vec::with_capacity(16 + json.len() + tally.len() * 10);
    out.extend_from_slice(MAGIC);
    put(&mut out, json.len() as u128);
    out.extend_from_slice(&json);
    put(&mut out, tally.len() as u128);
    let base = tally.first_step();
    put(&mut out, u128::from(base));
    let shift = shift(ipv6_prefix);
    // IPv6 sorts around the mapped IPv4 addresses; the distance wraps and stays exact.
    let (mut before_v4, mut before_v6) = (0_u128, 0_u128);
    tally.each(|client, activity| {
        let bits = client.bits();
        if client.is_ipv4() {
            let low = bits & 0xffff_ffff;
            put(&mut out, (low - before_v4) << 1);
            before_v4 = low;
        } else {
            let high = bits >> shift;
            let distance = high - before_v6;
            before_v6 = high;
            // The lowest bit tells the families apart; a distance of 128 bits leaves no room for it, so it goes in two.
            put(&mut out, ((distance & (u128::MAX >> 2)) << 1) | 1);
            if shift == 0 {
                put(&mut out, distance >> 126);
            }
        }
        put_activity(&mut out, activity, base);
    });
    out
}

const fn shift(ipv6_prefix: u8) -> u32 {
    if ipv6_prefix >= 127 { 0 } else { 128 - ipv6_prefix as u32 }
}

const SINGLE: u128 = 0;

fn put_activity(out: &mut Vec<u8>, activity: &Activity, base: u32) {
    let has_offences =
        activity.offences.iter().any(|counts| !counts.is_empty()) || !activity.paths.is_empty();
    let has_successes = !activity.successes.is_empty();
    if let ([(step, mark)], false, false) = (activity.requests.as_slice(), has_offences, has_successes) {
        put(out, SINGLE);
        put(out, u128::from(step - base));
        out.extend_from_slice(&mark.to_le_bytes());
        return;
    }
    let flags = u128::from(has_offences) + 2 * u128::from(has_successes);
    put(out, 1 + (steps(&activity.requests).count() as u128) * 4 + flags);
    put_records(out, &activity.requests, base);
    if has_successes {
        put(out, activity.successes.len() as u128);
        let mut before = base;
        for &(minute, count) in &activity.successes {
            put(out, u128::from(minute - before));
            put(out, u128::from(count));
            before = minute;
        }
    }
    if has_offences {
        for records in &activity.offences {
            put(out, steps(records).count() as u128);
            put_records(out, records, base);
        }
        put(out, activity.paths.len() as u128);
        for &(path, first, last) in &activity.paths {
            out.extend_from_slice(&path.bits().to_le_bytes());
            put(out, u128::from(first - base));
            put(out, u128::from(last - first));
        }
    }
}

/// Records of the same step together.
fn steps(records: &Records) -> impl Iterator<Item = &[(u32, u16)]> {
    records.chunk_by(|(one, _), (next, _)| one == next)
}

fn put_records(out: &mut Vec<u8>, records: &Records, base: u32) {
    let mut before = base;
    for of_step in steps(records) {
        let step = of_step.first().map_or(before, |&(step, _)| step);
        put(out, u128::from(step - before));
        put(out, of_step.len() as u128);
        out.extend(of_step.iter().flat_map(|(_, mark)| mark.to_le_bytes()));
        before = step;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time are what a varint is")]
fn put(out: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    fn damaged<T>(&self) -> Result<T, BadPartial> {
        Err(BadPartial::Damaged { at: self.at })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], BadPartial> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.all.len());
        let Some(end) = end else { return self.damaged() };
        let taken = &self.all[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u128, BadPartial> {
        let (mut number, mut shift) = (0_u128, 0);
        loop {
            let Some(&byte) = self.all.get(self.at) else { return self.damaged() };
            self.at += 1;
            if shift > 126 {
                return self.damaged();
            }
            number |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    fn small(&mut self) -> Result<u32, BadPartial> {
        let number = self.number()?;
        u32::try_from(number).or_else(|_| self.damaged())
    }

    fn records(&mut self, n_steps: usize, base: u32, records: &mut Records) -> Result<(), BadPartial> {
        records.clear();
        let mut step = base;
        for _ in 0..n_steps {
            let distance = self.small()?;
            let Some(next) = step.checked_add(distance) else { return self.damaged() };
            step = next;
            let length = (self.small()? as usize).saturating_mul(2);
            let (marks, _) = self.take(length)?.as_chunks::<2>();
            records.extend(marks.iter().map(|mark| (step, u16::from_le_bytes(*mark))));
        }
        Ok(())
    }

    fn activity(&mut self, base: u32, activity: &mut Activity) -> Result<(), BadPartial> {
        activity.offences.iter_mut().for_each(Vec::clear);
        activity.paths.clear();
        activity.successes.clear();
        let form = self.number()?;
        if form == SINGLE {
            self.at = self.at.min(self.all.len());
            activity.requests.clear();
            let distance = self.small()?;
            let Some(step) = base.checked_add(distance) else { return self.damaged() };
            let (mark, _) = self.take(2)?.as_chunks::<2>();
            activity.requests.extend(mark.iter().map(|mark| (step, u16::from_le_bytes(*mark))));
            return Ok(());
        }
        let length = usize::try_from((form - 1) / 4).or_else(|_| self.damaged())?;
        self.records(length, base, &mut activity.requests)?;
        if (form - 1) & 2 != 0 {
            let mut minute = base;
            for _ in 0..self.small()? {
                let distance = self.small()?;
                let Some(next) = minute.checked_add(distance) else { return self.damaged() };
                minute = next;
                activity.successes.push((minute, self.small()?));
            }
        }
        if (form - 1) & 1 != 0 {
            for chain in 0..OFFENCES.len() {
                let length = self.small()? as usize;
                self.records(length, base, &mut activity.offences[chain])?;
            }
            for _ in 0..self.small()? {
                let bits = self.take(4)?.try_into().map(u32::from_le_bytes).or_else(|_| self.damaged())?;
                let first = self.small()?;
                let length = self.small()?;
                let Some(first) = base.checked_add(first) else { return self.damaged() };
                let Some(last) = first.checked_add(length) else { return self.damaged() };
                activity.paths.push((KeptPath::from_bits(bits), first, last));
            }
        }
        Ok(())
    }
}

/// Reads a partial and hands over its clients one by one; memory is one client's activity.
///
/// # Errors
/// The file is damaged or of another kind. Clients before the damage have been handed over.
pub fn decode(file: &[u8], mut each: impl FnMut(Address, &Activity)) -> Result<Header, BadPartial> {
    let Some(rest) = file.strip_prefix(MAGIC) else { return Err(BadPartial::NotOurs) };
    let mut bytes = Bytes { all: rest, at: 0 };
    let length = bytes.small()? as usize;
    let header: Header =
        serde_json::from_slice(bytes.take(length)?).map_err(|error| BadPartial::Header(error.to_string()))?;
    let n_clients = bytes.number()?;
    let base = bytes.small()?;
    let shift = shift(header.ipv6_prefix);
    let (mut before_v4, mut before_v6) = (0_u128, 0_u128);
    let mut activity = Activity::default();
    for _ in 0..n_clients {
        let coded = bytes.number()?;
        let bits = if coded & 1 == 0 {
            before_v4 = match before_v4.checked_add(coded >> 1) {
                Some(low) if low <= 0xffff_ffff => low,
                _ => return bytes.damaged(),
            };
            0xffff_0000_0000 | before_v4
        } else {
            let mut distance = coded >> 1;
            if shift == 0 {
                distance |= (bytes.number()? & 3) << 126;
            }
            before_v6 = match before_v6.checked_add(distance) {
                Some(high) if high << shift >> shift == high => high,
                _ => return bytes.damaged(),
            };
            before_v6 << shift
        };
        bytes.activity(base, &mut activity)?;
        each(Address::from_bits(bits), &activity);
    }
    Ok(header)
}

/// Reads a partial into a tally, leaving out what happened before `from` or after `until` (steps).
///
/// # Errors
/// The file is damaged or of another kind; the tally may hold a part of it.
pub fn merge(file: &[u8], tally: &mut Tally, from: u32, until: u32) -> Result<Header, BadPartial> {
    let header = decode(file, |client, activity| tally.add(client, activity, from, until))?;
    for (ip, sample) in &header.samples {
        tally.add_samples((*ip).into(), [sample.clone()]);
    }
    tally.add_error(header.error, header.out_of_span);
    Ok(header)
}
