//! Throws changed records, gzip streams and partial results at the readers.
//!
//! Each round has a number and does the same on every machine. `FUZZ_ROUNDS` says how many (default 400 of each
//! kind), `FUZZ_FROM` which is the first. An input that breaks a rule is written to `target/fuzz`; once mended it
//! belongs into `finds`, which is read back first, so that it never comes back. What an ending says of a find is which
//! reader it broke: `.log` text, `.cut` text that was cut off, `.gz` a stream, `.partial` a partial result.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

mod access;
mod mutate;

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use mutate::Dice;
use offenders::classify::Classifier;
use offenders::configuration::Configuration;
use offenders::inflate::{BadObject, Block, Lines};
use offenders::object::{ObjectReader, Summary};
use offenders::partial::{self, Header};
use offenders::record::{BadRecord, Record, RecordReader, Sink, read_carefully};
use offenders::tally::{Room, Tally};
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(name)
}

fn files(name: &str, ending: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|known| known == ending))
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    found.sort();
    found
}

/// The sample lines.
fn lines() -> Vec<Vec<u8>> {
    let logs = files("samples", "log");
    assert!(!logs.is_empty());
    logs.iter()
        .flat_map(|(_, text)| text.trim_ascii_end().split(|&b| b == b'\n').map(<[u8]>::to_vec))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a test has no settings")]
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Checks the finds, then as many rounds as wanted; keeps the input of a round that breaks a rule.
fn fuzz(ending: &str, make: impl Fn(&mut Dice) -> Vec<u8>, check: impl Fn(&[u8])) {
    for (path, input) in files("finds", ending) {
        let checked = catch_unwind(AssertUnwindSafe(|| check(&input)));
        assert!(checked.is_ok(), "{} is back", path.display());
    }
    let from = number("FUZZ_FROM", 0);
    for round in from..from + number("FUZZ_ROUNDS", 400) {
        let input = make(&mut Dice::new(round));
        if catch_unwind(AssertUnwindSafe(|| check(&input))).is_err() {
            let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz");
            std::fs::create_dir_all(&kept).unwrap();
            let path = kept.join(format!("{round}.{ending}"));
            std::fs::write(&path, &input).unwrap();
            panic!("round {round} broke a rule; its input is {}", path.display());
        }
    }
}

/// What is heard of a record: time, client, path, method.
type Heard = (i64, Vec<u8>, Vec<u8>, Vec<u8>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Ear {
    records: Vec<Heard>,
    bad: usize,
}

impl Sink for Ear {
    fn record(&mut self, record: &Record<'_>) {
        let text = |text: offenders::json::Text<'_>| text.bytes(&mut Vec::new()).to_vec();
        self.records.push((record.timestamp, text(record.client_ip), text(record.uri), text(record.method)));
        // What is done with few records only must bear every record.
        record.header_values("x-forwarded-for", |value| drop(value.readable(100)));
        drop(record.rule_in_full());
    }

    fn bad(&mut self, bad: BadRecord<'_>) {
        self.bad += 1;
        assert!(offenders::json::shape(bad.json, 160).len() < 1024);
    }
}

/// By the quick path, which has learnt from the samples before.
fn heard_quickly(text: &[u8]) -> Ear {
    let mut reader = RecordReader::default();
    for line in lines() {
        reader.read(&line, &mut Ear::default());
    }
    let mut ear = Ear::default();
    reader.read(text, &mut ear);
    ear
}

fn heard_carefully(text: &[u8]) -> Ear {
    let mut ear = Ear::default();
    for line in text.split(|&byte| byte == b'\n') {
        read_carefully(line, &mut ear);
    }
    ear
}

/// What a strict parser says of the records in a line, which may be run together; `None` when the line is no valid
/// JSON, or holds something whose reading is not strict: an envelope, or a time that is no whole number.
fn expected(line: &[u8]) -> Option<Vec<Heard>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().as_bytes().to_vec();
    let records = serde_json::Deserializer::from_slice(line).into_iter::<Value>();
    records
        .map(|json| {
            let json = json.ok()?;
            let request = &json["httpRequest"];
            let is_envelope = json.get("logEvents").is_some() || json.get("messageType").is_some();
            let timestamp = json["timestamp"].as_i64().filter(|_| !is_envelope)?;
            Some((timestamp, text(&request["clientIp"]), text(&request["uri"]), text(&request["httpMethod"])))
        })
        .collect()
}

/// A sample whose values are changed.
fn changed(dice: &mut Dice, lines: &[Vec<u8>]) -> Vec<u8> {
    let line = dice.pick(lines).clone();
    mutate::values(dice, &line)
}

#[test]
fn valid_json_is_read_as_a_strict_parser_reads_it() {
    let lines = lines();
    let make = |dice: &mut Dice| {
        let mut text = changed(dice, &lines);
        for _ in 0..dice.below(4) {
            // Records run together are no less valid.
            text.extend_from_slice(dice.pick_bytes(&[b"\n", b"\n", b"", b" ", b"\r\n", b"\n\n"]));
            text.extend(changed(dice, &lines));
        }
        text
    };
    fuzz("log", make, |text| {
        let quick = heard_quickly(text);
        assert_eq!(quick, heard_carefully(text));
        let strict: Option<Vec<Vec<Heard>>> = text.split(|&byte| byte == b'\n').map(expected).collect();
        if let Some(strict) = strict {
            assert_eq!(quick.records, strict.concat());
            assert_eq!(quick.bad, 0);
        }
    });
}

#[test]
fn a_record_cut_off_and_run_into_another_lends_it_nothing() {
    let lines = lines();
    let single = |dice: &mut Dice| {
        std::iter::repeat_with(|| changed(dice, &lines))
            .find(|line| expected(line).is_some_and(|records| records.len() == 1))
            .unwrap()
    };
    let make = |dice: &mut Dice| {
        let mut text = single(dice);
        // Two lines: what the first was before it was cut off, and what came of it.
        let whole = text.clone();
        text.truncate(dice.below(whole.len()));
        text.extend(single(dice));
        [whole, text].join(&b'\n')
    };
    fuzz("cut", make, |input| {
        let (whole, text) = input.split_at(input.iter().position(|&byte| byte == b'\n').unwrap());
        let text = &text[1..];
        let cut = whole.iter().zip(text).take_while(|(one, other)| one == other).count();
        let heard = heard_quickly(text);
        // Where exactly it was cut cannot be told when both go on alike, so any that is possible may be the second.
        let possible: Vec<Heard> = (0..=cut).filter_map(|cut| expected(&text[cut..])).flatten().collect();
        let first = expected(whole).unwrap();
        // An inner object with a time may pass for a record, but for one that counts against nobody.
        for record in heard.records.iter().filter(|(_, client, ..)| !client.is_empty()) {
            assert!(possible.contains(record) || first.contains(record), "{record:?} is nobody's");
        }
        assert!(possible.contains(heard.records.last().unwrap()), "the second is lost");
    });
}

/// When the samples were written.
fn written() -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(1_767_228_995_639).unwrap()
}

fn read_in(bytes: &[u8], pieces: usize) -> Result<(Summary, Tally), BadObject> {
    let mut classifier = Classifier::new(&Configuration::default(), None);
    let mut reader = ObjectReader::new(&mut classifier, Room::of(1000), written());
    for piece in bytes.chunks(pieces.max(1)) {
        reader.push(piece)?;
    }
    reader.finish()
}

#[test]
fn broken_text_is_read_the_same_in_any_pieces_and_harms_no_line_beside_it() {
    let lines = lines();
    let single = |line: &&Vec<u8>| expected(line).is_some_and(|records| records.len() == 1);
    let good = lines.iter().find(single).unwrap();
    let make = |dice: &mut Dice| {
        let mut text = dice.pick(&lines).clone();
        mutate::bytes(dice, &mut text, &lines);
        text
    };
    fuzz("log", make, |text| {
        let beside = [good.as_slice(), text, good.as_slice()].join(&b'\n');
        let heard = heard_quickly(&beside);
        let wanted = expected(good).unwrap();
        assert_eq!(heard.records.first(), wanted.first(), "the line before");
        assert_eq!(heard.records.last(), wanted.first(), "the line after");

        let whole = read_in(&beside, beside.len()).map(|(summary, _)| summary);
        assert_eq!(read_in(&beside, 7).map(|(summary, _)| summary), whole);
        let told = whole.map_or(0, |summary| summary.records);
        assert!(told <= heard.records.len() as u64, "{told} records of {}", heard.records.len());
    });
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn inflated(bytes: &[u8], pieces: usize) -> Result<Vec<u8>, BadObject> {
    let mut lines = Lines::default();
    let mut text = Vec::new();
    let mut each = |block: Block<'_>| match block {
        Block::Lines(lines) => text.extend_from_slice(lines),
        Block::TooLong => panic!("no line here is too long"),
    };
    for piece in bytes.chunks(pieces) {
        lines.push(piece, &mut each)?;
    }
    lines.finish(&mut each)?;
    Ok(text)
}

#[test]
fn a_gzip_stream_is_read_as_a_strict_decoder_reads_it_in_any_pieces() {
    let lines = lines();
    let make = |dice: &mut Dice| {
        let mut bytes = Vec::new();
        for _ in 0..=dice.below(3) {
            let text: &Vec<u8> = dice.pick(&lines);
            bytes.extend(gzip(text));
        }
        let others = [gzip(b"x"), vec![0; 9], b"\x1f\x8b\x08\x08name\0".to_vec()];
        if dice.below(4) > 0 {
            mutate::bytes(dice, &mut bytes, &others);
        }
        let ends: [&[u8]; 8] = [b"", b"", b"\0\0\0", b"\x1f", b"\x1f\0", b"\x1f\x8b", b"PK", b"\n"];
        bytes.extend_from_slice(dice.pick_bytes(&ends));
        bytes
    };
    fuzz("gz", make, |bytes| {
        let mine = inflated(bytes, bytes.len().max(1));
        for pieces in [1, 13] {
            let again = inflated(bytes, pieces);
            let same = match (&mine, &again) {
                (Ok(one), Ok(other)) => one == other,
                (Err(one), Err(other)) => std::mem::discriminant(one) == std::mem::discriminant(other),
                _ => false,
            };
            assert!(same, "whole {mine:?}, in pieces of {pieces} {again:?}");
        }
        drop(read_in(bytes, 13));
        if bytes.first() == Some(&0x1f) {
            let strictly = |bytes: &[u8]| {
                let mut text = Vec::new();
                MultiGzDecoder::new(bytes).read_to_end(&mut text).map(|_| text).ok()
            };
            // Zeros after the last member are padding, as gzip itself takes them.
            let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            let padded = (used..=bytes.len()).filter_map(|end| strictly(&bytes[..end])).next_back();
            assert_eq!(mine.ok(), padded);
        }
    });
}

#[test]
fn a_broken_partial_result_is_refused_or_merged_and_the_window_can_be_kept() {
    let lines = lines();
    let whole: Vec<u8> = {
        let (_, tally) = read_in(&lines.join(&b'\n'), 4096).unwrap();
        partial::encode(Header::default(), &tally, 64)
    };
    let make = |dice: &mut Dice| {
        let mut bytes = whole.clone();
        mutate::bytes(dice, &mut bytes, &[vec![0xff; 20], vec![0x80; 20], vec![0; 20]]);
        bytes
    };
    fuzz("partial", make, |bytes| {
        let step = offenders::judge::step_at(written());
        let mut window = Tally::new(Room::of(1000), step);
        drop(partial::merge(bytes, &mut window, 0, u32::MAX));
        let kept = partial::encode(Header::default(), &window, 64);
        let mut again = Tally::new(Room::of(1000), step);
        partial::merge(&kept, &mut again, 0, u32::MAX).unwrap();
        assert_eq!(again.len(), window.len());
    });
}
