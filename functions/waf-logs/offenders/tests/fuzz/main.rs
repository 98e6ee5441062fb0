//! Throws changed records, gzip streams and partial results at the readers.
//!
//! Each round has a number and does the same on every machine. `FUZZ_ROUNDS` says how many (default 400 of each
//! kind), `FUZZ_FROM` which is the first. An input that breaks a rule is written to `target/fuzz`; once mended it
//! belongs into `finds`, which is read back first, so that it never comes back. What an ending says of a find is which
//! reader it broke: `.log` text, `.gz` a stream, `.partial` a partial result.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

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
            let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/fuzz");
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

/// What a strict parser says of a record in a line of valid JSON; `None` when it is none, or something else.
fn expected(line: &[u8]) -> Option<Heard> {
    let json: Value = serde_json::from_slice(line).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().as_bytes().to_vec();
    let request = &json["httpRequest"];
    let is_envelope = json.get("logEvents").is_some() || json.get("messageType").is_some();
    let timestamp = json["timestamp"].as_i64().filter(|_| !is_envelope)?;
    Some((timestamp, text(&request["clientIp"]), text(&request["uri"]), text(&request["httpMethod"])))
}

#[test]
fn a_line_of_valid_json_is_read_as_a_strict_parser_reads_it() {
    let lines = lines();
    let make = |dice: &mut Dice| {
        let picked: Vec<Vec<u8>> = (0..=dice.below(3))
            .map(|_| {
                let line = dice.pick(&lines).clone();
                mutate::values(dice, &line)
            })
            .collect();
        picked.join(&b'\n')
    };
    fuzz("log", make, |text| {
        let quick = heard_quickly(text);
        assert_eq!(quick, heard_carefully(text));
        let mut records = quick.records.iter();
        for wanted in text.split(|&byte| byte == b'\n').filter_map(expected) {
            assert!(records.any(|heard| *heard == wanted), "{wanted:?} was not heard");
        }
    });
}

fn read_in(bytes: &[u8], pieces: usize) -> Result<(Summary, Tally), BadObject> {
    let mut classifier = Classifier::new(&Configuration::default(), None);
    let mut reader = ObjectReader::new(&mut classifier, Room::of(1000));
    for piece in bytes.chunks(pieces.max(1)) {
        reader.push(piece)?;
    }
    reader.finish()
}

#[test]
fn broken_text_is_read_the_same_in_any_pieces_and_harms_no_line_beside_it() {
    let lines = lines();
    let good = lines.iter().find(|line| expected(line).is_some()).unwrap();
    let make = |dice: &mut Dice| {
        let mut text = dice.pick(&lines).clone();
        mutate::bytes(dice, &mut text, &lines);
        text
    };
    fuzz("log", make, |text| {
        let beside = [good.as_slice(), text, good.as_slice()].join(&b'\n');
        let heard = heard_quickly(&beside);
        let wanted = expected(good).unwrap();
        assert_eq!(heard.records.first(), Some(&wanted), "the line before");
        assert_eq!(heard.records.last(), Some(&wanted), "the line after");

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
        let mut strict = Vec::new();
        let is_gzip = bytes.first() == Some(&0x1f);
        if is_gzip && MultiGzDecoder::new(bytes).read_to_end(&mut strict).is_ok() {
            assert_eq!(mine.as_deref(), Ok(strict.as_slice()));
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
        let step = offenders::tally::step_of(1_767_228_995_639).unwrap();
        let mut window = Tally::new(Room::of(1000), step);
        drop(partial::merge(bytes, &mut window, 0, u32::MAX));
        let kept = partial::encode(Header::default(), &window, 64);
        let mut again = Tally::new(Room::of(1000), step);
        partial::merge(&kept, &mut again, 0, u32::MAX).unwrap();
        assert_eq!(again.len(), window.len());
    });
}
