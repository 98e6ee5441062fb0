//! Lines of a load balancer's access log: composed, and read as they were composed; damaged, and believed in nothing
//! that a client wrote.

use super::{files, fuzz};
use crate::mutate::{self, Dice};
use offenders::access::{Access, AccessReader};
use offenders::classify::Classifier;
use offenders::configuration::Configuration;
use offenders::object::ObjectReader;
use offenders::tally::Room;

const GOOD: &str = r#"https 2025-12-31T23:56:35.639000Z app/shop/50dc 198.51.100.7:1024 10.0.0.1:80 0.000 0.001 0.000 401 401 34 366 "POST https://shop.example:443/login HTTP/2.0" "Firefox" - - - "Root=1-58337262" "-" "-" 0 2025-12-31T23:56:35.000000Z "forward" "-" "-" "-" "-" "-" "-" TID_1"#;

/// What a line says: milliseconds, client, status, method, path.
type Said = (i64, Vec<u8>, Option<u16>, Vec<u8>, Vec<u8>);

fn read(line: &[u8]) -> Option<Said> {
    let mut reader = AccessReader::default();
    // It remembers the last minute that it has read.
    reader.read(GOOD.as_bytes()).unwrap();
    let Access { timestamp, client, status, method, path, .. } = reader.read(line).ok()?;
    Some((timestamp, client.to_vec(), status, method.to_vec(), path.to_vec()))
}

/// Text as a client may send it, and as the load balancer writes it: quotes and backslashes with a backslash before.
fn text(dice: &mut Dice) -> String {
    let parts = [
        "a",
        "/",
        "?",
        "#",
        " ",
        "%2e",
        "é",
        "\\\"",
        "\\\\",
        "\\x09",
        "://",
        ":443",
        "\\\" 200 200 0 0 \\\"",
    ];
    (0..dice.below(8)).map(|_| *dice.pick(&parts)).collect()
}

/// A line, and what it says.
fn composed(dice: &mut Dice) -> (String, Said) {
    let (minute, second, millisecond) = (dice.below(60), dice.below(60), dice.below(1000));
    let time = format!("2025-12-31T23:{minute:02}:{second:02}.{millisecond:03}000Z");
    let client = *dice.pick(&["198.51.100.7:1024", "2001:db8::7:9", "[2001:db8::7]:9"]);
    let (target, codes, status) = *dice.pick(&[
        ("10.0.0.1:80", "200 200", Some(200)),
        ("10.0.0.1:80", "502 401", Some(401)),
        ("-", "403 -", None),
    ]);
    let method = *dice.pick(&["GET", "POST", "PROPFIND"]);
    let path = format!("/{}", text(dice).replace(['?', '#'], "x"));
    let query = *dice.pick(&["", "?a=b", "?u=http://x/y", "#z"]);
    let (agent, more) = (text(dice), *dice.pick(&["", " \"of next year\" 7 -", " \"\""]));
    let line = format!(
        "h2 {time} app/shop/50dc {client} {target} 0.000 -1 0.000 {codes} 34 366 \
         \"{method} https://shop.example:443{path}{query} HTTP/2.0\" \"{agent}\" - - - \"Root=1\" \"-\"{more}"
    );
    let timestamp = time.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    (line, (timestamp, client.into(), status, method.into(), path.into_bytes()))
}

#[test]
fn a_line_is_read_as_it_was_composed_whatever_the_client_has_sent() {
    fuzz(
        "composed",
        |dice| dice.below(usize::MAX).to_le_bytes().to_vec(),
        |seed| {
            let seed = u64::from_le_bytes(seed.try_into().unwrap());
            let (line, said) = composed(&mut Dice::new(seed));
            assert_eq!(read(line.as_bytes()), Some(said), "{line}");
        },
    );
}

#[test]
fn of_a_damaged_line_nothing_is_believed_that_stands_in_quotes_and_no_line_beside_it_is_harmed() {
    let samples: Vec<Vec<u8>> = files("../samples", "log").into_iter().map(|(_, text)| text).collect();
    assert!(!samples.is_empty());
    let make = |dice: &mut Dice| {
        let mut line = composed(dice).0.into_bytes();
        mutate::bytes(dice, &mut line, &samples);
        line
    };
    fuzz("access", make, |damaged| {
        for line in damaged.split(|&byte| byte == b'\n') {
            let Some((timestamp, client, status, ..)) = read(line) else { continue };
            let before_the_request = line.split(|&byte| byte == b'"').next().unwrap_or_default();
            let fields: Vec<&[u8]> = before_the_request.split(|&byte| byte == b' ').collect();
            assert_eq!(fields[3], client);
            let is_status = fields[9].len() == 3 && fields[9].iter().all(u8::is_ascii_digit);
            let written = std::str::from_utf8(fields[9]).ok().filter(|_| is_status);
            let written = written.and_then(|status| status.parse().ok()).filter(|status| *status >= 100);
            assert_eq!(status, written);
            let second = std::str::from_utf8(&fields[1][17..19]).unwrap().parse::<i64>().unwrap();
            assert_eq!(timestamp.rem_euclid(60_000) / 1000, second % 60);
        }
        let beside = [GOOD.as_bytes(), damaged, GOOD.as_bytes(), b""].join(&b'\n');
        let read_in = |pieces: usize| {
            let mut classifier = Classifier::new(&Configuration::default(), None);
            let mut reader = ObjectReader::new(&mut classifier, Room::of(1000), super::written());
            for piece in beside.chunks(pieces) {
                reader.push(piece).unwrap();
            }
            reader.finish().unwrap()
        };
        let (summary, tally) = read_in(beside.len());
        assert_eq!(read_in(7).0, summary);
        let mut refused = 0;
        tally.each(|client, activity| {
            if client.ip().to_string() == "198.51.100.7" {
                refused += activity.refused().len();
            }
        });
        assert!(refused >= 1 && summary.records >= 2, "{summary:?}");
    });
}
