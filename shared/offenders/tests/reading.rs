//! Records as they come in the real world: every one of them read, counted or passed over, and nothing ever panics.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test may fail where it stands"
)]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use offenders::action::WafAction;
use offenders::classify::Classifier;
use offenders::configuration::Configuration;
use offenders::inflate::BadObject;
use offenders::object::{ObjectReader, Summary};
use offenders::record::{BadRecord, Record, RecordReader, Sink, read_carefully};
use offenders::tally::{Room, Tally};
use proptest::prelude::*;

/// One record as WAF writes it.
fn record(ip: &str, action: &str, method: &str, path: &str, args: &str) -> String {
    let (path, args) = (serde_json::to_string(path).unwrap(), serde_json::to_string(args).unwrap());
    format!(
        r#"{{"timestamp":1767228995639,"formatVersion":1,"webaclId":"arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/shop/0f2c","terminatingRuleId":"Default_Action","terminatingRuleType":"REGULAR","action":"{action}","terminatingRuleMatchDetails":[],"httpSourceName":"ALB","httpSourceId":"123456789012-app/shop/50dc","ruleGroupList":[{{"ruleGroupId":"AWS#Common","terminatingRule":null,"nonTerminatingMatchingRules":[],"excludedRules":null}}],"rateBasedRuleList":[],"nonTerminatingMatchingRules":[],"requestHeadersInserted":null,"responseCodeSent":null,"httpRequest":{{"clientIp":"{ip}","country":"DE","headers":[{{"name":"host","value":"www.example.com"}},{{"name":"user-agent","value":"a\"],\"uri\":\"/x\\ [1] {{}}"}}],"uri":{path},"args":{args},"httpVersion":"HTTP/2.0","httpMethod":"{method}","requestId":"1-6955c643","fragment":"","scheme":"https","host":"www.example.com"}},"labels":[{{"name":"awswaf:a"}}],"ja4Fingerprint":"t13d"}}"#
    )
}

#[test]
fn nobody_makes_himself_a_verified_crawler() {
    let label = format!(r#"{{"name":"{VERIFIED}"}}"#);
    let claims = record("198.51.100.7", "ALLOW", "GET", &label, &label);
    assert!(!heard(claims.as_bytes()).records[0].5 && !heard_carefully(claims.as_bytes()).records[0].5);
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// When the objects here are written: five minutes after their first record.
fn written() -> Timestamp {
    Timestamp::from_millisecond(1_767_228_995_639 + 300_000).unwrap()
}

fn read_in(bytes: &[u8], pieces: usize) -> Result<(Summary, Tally), BadObject> {
    let mut classifier = Classifier::new(&Configuration::default(), None);
    let mut reader = ObjectReader::new(&mut classifier, Room::of(1000), written());
    for piece in bytes.chunks(pieces.max(1)) {
        reader.push(piece)?;
    }
    reader.finish()
}

fn read(bytes: &[u8]) -> Result<(Summary, Tally), BadObject> {
    read_in(bytes, 4096)
}

/// Time, client, action, method, path, whether it is a verified crawler, whether a rate-based rule ended it.
type HeardRecord = (i64, Vec<u8>, WafAction, Vec<u8>, Vec<u8>, bool, bool);

/// What a reader makes of text: client, action, method and path of each record, in order, and the bad ones.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    records: Vec<HeardRecord>,
    bad: Vec<&'static str>,
}

impl Sink for Heard {
    fn record(&mut self, record: &Record<'_>) {
        let mut scratch = Vec::new();
        let uri = record.uri.bytes(&mut scratch).to_vec();
        let ip = record.client_ip.raw.to_vec();
        let method = record.method.raw.to_vec();
        let is = (record.is_verified_bot, record.is_rate_based);
        self.records.push((record.timestamp, ip, record.action, method, uri, is.0, is.1));
    }

    fn bad(&mut self, bad: BadRecord<'_>) {
        self.bad.push(bad.problem);
    }
}

fn heard(text: &[u8]) -> Heard {
    let mut heard = Heard::default();
    RecordReader::default().read(text, &mut heard);
    heard
}

/// The same text by the careful path alone.
fn heard_carefully(text: &[u8]) -> Heard {
    let mut heard = Heard::default();
    for line in text.split(|&byte| byte == b'\n') {
        read_carefully(line.trim_ascii_end(), &mut heard);
    }
    heard
}

fn paths(heard: &Heard) -> Vec<String> {
    heard.records.iter().map(|record| String::from_utf8_lossy(&record.4).into_owned()).collect()
}

#[test]
fn a_value_that_looks_like_a_field_is_a_value() {
    let line = record("198.51.100.7", "ALLOW", "GET", r#"/a","uri":"/b"#, r#"x","httpMethod":"PUT"#);
    let heard = heard(format!("{line}\n{line}\n").as_bytes());
    assert_eq!(paths(&heard), [r#"/a","uri":"/b"#; 2]);
    assert_eq!(heard.records[1].3, b"GET");
}

#[test]
fn records_run_together_without_a_line_feed_are_all_read() {
    let (one, two) =
        (record("198.51.100.7", "ALLOW", "GET", "/1", ""), record("198.51.100.8", "BLOCK", "GET", "/2", ""));
    for between in ["", " ", "\r", "\u{a0}", "\u{c}"] {
        let heard = heard(format!("{one}{between}{two}{between}{one}").as_bytes());
        assert_eq!(paths(&heard), ["/1", "/2", "/1"], "{between:?}");
        assert_eq!(heard.bad, [""; 0]);
    }
}

#[test]
fn stray_control_characters_and_odd_bytes_do_not_lose_a_record() {
    let line = record("198.51.100.7", "ALLOW", "GET", "/a", "");
    for (from, to) in [
        (r#","args""#, ",\r\u{c}\u{a0} \"args\""),
        ("www.example.com", "www\u{c}\r\u{a0}.example.com"),
        ("/a", "/a\u{1}"),
        (r#""uri":"/a""#, r#""uri":"\/a""#),
        (r#""uri":"/a""#, r#""uri":"\u002Fa\ud800""#),
    ] {
        let changed = line.replace(from, to);
        let heard = heard(format!("{line}\r\n{changed}\r\n{line}\n").as_bytes());
        assert_eq!((heard.records.len(), heard.bad.len()), (3, 0), "{to:?}");
    }
    let mut bytes = line.clone().into_bytes();
    let at = line.find("/a\"").unwrap() + 1;
    bytes[at] = 0xff;
    assert_eq!(heard(&bytes).records.len(), 1);
}

#[test]
fn other_shapes_of_the_same_record_are_read() {
    let shapes = [
        (r#""timestamp":1767228995639"#, r#""timestamp":"1767228995639""#),
        (r#""timestamp":1767228995639"#, r#""timestamp": 1767228995639.0"#),
        (r#""formatVersion":1"#, r#""formatVersion":"2""#),
        (
            r#""ruleGroupList":[{"ruleGroupId":"AWS#Common","terminatingRule":null,"nonTerminatingMatchingRules":[],"excludedRules":null}]"#,
            r#""ruleGroupList":null"#,
        ),
        (r#""labels":[{"name":"awswaf:a"}]"#, r#""labels":["awswaf:a"],"new":{"timestamp":5,"deep":[[{}]]}"#),
        (r#""headers":[{"name":"host","value":"www.example.com"},"#, r#""headers":[{},null,"#),
    ];
    for (from, to) in shapes {
        let line = record("198.51.100.7", "ALLOW", "GET", "/a", "");
        assert!(line.contains(from), "{from}");
        let heard = heard(line.replace(from, to).as_bytes());
        assert_eq!(paths(&heard), ["/a"], "{to}");
        assert_eq!(heard.records[0].0, 1_767_228_995_639, "{to}");
    }
    let minimal = r#"{"action":"BLOCK","httpRequest":{"headers":{"Host":"x"},"clientIp":"2001:db8::1"},"timestamp":1767228995639}"#;
    let heard = heard(minimal.as_bytes());
    assert_eq!(
        (heard.records[0].1.as_slice(), heard.records[0].2),
        (b"2001:db8::1".as_slice(), WafAction::Block)
    );
}

#[test]
fn one_record_of_an_odd_time_decides_for_no_other() {
    let line = record("198.51.100.7", "ALLOW", "GET", "/a", "");
    let at = |time: &str| line.replace("1767228995639", time);
    for odd in ["0", "12345", "1767228995", "978307200000", "1767488195639", "4102444800000"] {
        let text = format!("{}\n{}", at(odd), format!("{line}\n").repeat(120));
        let (summary, tally) = read(&gzip(text.as_bytes())).unwrap();
        assert_eq!((summary.records, summary.out_of_span), (121, 1), "{odd}");
        assert_eq!(summary.span, Some((1_767_228_995_639, 1_767_228_995_639)), "{odd}");
        let mut counted = 0;
        tally.each(|_, activity| counted += activity.requests.len());
        assert_eq!(counted, 120, "{odd}");
    }
}

#[test]
fn two_readings_of_a_record_give_the_same_mark_and_other_records_another() {
    let line = record("198.51.100.7", "ALLOW", "GET", "/a", "");
    let marks = |text: &str| {
        let mut marks = Marks::default();
        RecordReader::default().read(text.as_bytes(), &mut marks);
        read_carefully(text.trim_end().as_bytes(), &mut marks);
        marks.0.dedup();
        marks.0
    };
    let envelope = format!(
        r#"{{"messageType":"DATA_MESSAGE","logEvents":[{{"message":{}}}]}}"#,
        serde_json::to_string(&line).unwrap()
    );
    let first = marks(&line);
    assert_eq!(
        (first.len(), marks(&envelope), marks(&line.replace(':', ": "))),
        (1, first.clone(), first.clone())
    );
    assert_ne!(marks(&line.replace("1-6955c643", "1-6955c644")), first, "another request");
    assert_ne!(
        marks(&line.replace("1767228995639", "1767228995640")),
        first,
        "the same id a millisecond later"
    );
    let nameless = line.replace(r#""requestId":"1-6955c643","#, "");
    assert_eq!((marks(&nameless).len(), marks(&nameless)), (1, marks(&nameless)));
    assert_ne!(marks(&nameless), marks(&nameless.replace(r#""uri":"/a""#, r#""uri":"/b""#)));
}

/// The marks that a reader comes to.
#[derive(Default)]
struct Marks(Vec<u16>);

impl Sink for Marks {
    fn record(&mut self, record: &Record<'_>) {
        self.0.push(offenders::mark::of(record));
    }

    fn bad(&mut self, bad: BadRecord<'_>) {
        panic!("{}", bad.problem);
    }
}

#[test]
fn a_record_without_request_or_address_counts_against_nobody() {
    let none = r#"{"timestamp":1767228995639,"action":"BLOCK","httpRequest":null}"#;
    let dash = record("-", "BLOCK", "GET", "/a", "");
    let (summary, tally) = read(&gzip(format!("{none}\n{dash}\n").as_bytes())).unwrap();
    assert_eq!((summary.records, summary.bad, summary.without_client, tally.len()), (2, 0, 2, 0));
}

#[test]
fn a_bad_record_is_passed_over_with_its_shape_but_not_its_values() {
    let good = record("198.51.100.7", "ALLOW", "GET", "/a", "");
    let cut = &good[..good.len() - 40];
    let (summary, _) =
        read(format!("{good}\n{{\"token\":\"hunter2\" oops 4711\n{cut}\n{good}\n").as_bytes()).unwrap();
    assert_eq!((summary.records, summary.bad), (2, 2));
    assert!(summary.complaints[0].contains("token"), "{:?}", summary.complaints);
    assert!(!format!("{:?}", summary.complaints).contains("hunter2"));
    assert!(!format!("{:?}", summary.complaints).contains("4711"));
}

#[test]
fn a_record_cut_off_and_run_into_the_next_does_not_marry_it() {
    let (one, two) =
        (record("198.51.100.7", "BLOCK", "GET", "/1", ""), record("198.51.100.8", "ALLOW", "GET", "/2", ""));
    for cut in (1..one.len()).step_by(7) {
        let heard = heard(format!("{two}\n{}{two}\n{two}\n", &one[..cut]).as_bytes());
        let clients: Vec<&[u8]> = heard.records.iter().map(|record| record.1.as_slice()).collect();
        assert_eq!(clients, [b"198.51.100.8"; 3], "cut at {cut}");
        assert!(heard.records.iter().all(|record| record.2 == WafAction::Allow), "cut at {cut}");
    }
}

#[test]
fn an_envelope_of_cloudwatch_logs_holds_records() {
    let line = record("198.51.100.7", "ALLOW", "GET", "/a", "");
    let message = serde_json::to_string(&line).unwrap();
    let envelope = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"aws-waf-logs-x","logStream":"s","logEvents":[{{"id":"1","timestamp":1,"message":{message}}},{{"id":"2","timestamp":2,"message":"no record"}}]}}"#
    );
    let control = r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}"#;
    let heard = heard(format!("{envelope}{envelope}\n{control}").as_bytes());
    assert_eq!((paths(&heard), heard.bad.len()), (vec!["/a".to_owned(), "/a".to_owned()], 2));
}

#[test]
fn gzip_of_many_members_padding_and_plain_text_are_read() {
    let line = format!("{}\n", record("198.51.100.7", "ALLOW", "GET", "/a", ""));
    let mut members = gzip(line.as_bytes());
    members.extend(gzip(b""));
    members.extend(gzip(line.trim_end().as_bytes()));
    for pieces in [1, 2, 3, 7, 4096] {
        assert_eq!(read_in(&members, pieces).unwrap().0.records, 2, "{pieces}");
    }
    members.extend([0; 17]);
    assert_eq!(read(&members).unwrap().0.records, 2);
    assert_eq!(read(format!("\u{feff}{line}{line}").as_bytes()).unwrap().0.records, 2);
    assert_eq!(read(b"").unwrap().0.records, 0);
    assert_eq!(read(&gzip(b"")).unwrap().0.records, 0);
}

#[test]
fn a_damaged_object_is_refused_as_a_whole() {
    let whole = gzip(record("198.51.100.7", "ALLOW", "GET", "/a", "").repeat(50).as_bytes());
    assert!(matches!(read(&whole[..whole.len() - 5]), Err(BadObject::CutOff { .. })));
    assert!(matches!(read(&whole[..1]), Err(BadObject::CutOff { .. })));
    let mut flipped = whole.clone();
    let checksum = flipped.len() - 8;
    flipped[checksum] ^= 1;
    assert!(matches!(read(&flipped), Err(BadObject::Damaged { .. })));
    let mut followed = whole.clone();
    followed.extend(b"PK");
    assert!(matches!(read(&followed), Err(BadObject::NotGzipAfter { .. })));
    assert!(matches!(read(b"\x89PNG"), Err(BadObject::NotALog)));
}

#[test]
fn a_line_without_an_end_costs_no_more_than_its_limit() {
    let line = record("198.51.100.7", "ALLOW", "GET", "/a", "");
    let endless = "x".repeat(offenders::inflate::LONGEST_LINE + 10);
    let (summary, _) = read(&gzip(format!("{line}\n{{{endless}\n{line}\n").as_bytes())).unwrap();
    assert_eq!((summary.records, summary.bad), (2, 1));
    let long_path = record("198.51.100.7", "ALLOW", "GET", &"/a".repeat(400_000), "");
    assert_eq!(read(&gzip(format!("{long_path}\n{line}").as_bytes())).unwrap().0.records, 2);
}

/// The longest that any of these texts may keep a reader, with a machine that has other things to do.
const AT_ONCE: std::time::Duration = std::time::Duration::from_secs(10);

#[test]
fn a_damaged_line_is_passed_over_in_time_that_grows_with_its_length_only() {
    let starts = [
        format!("{{x{}", r#""timestamp":"#.repeat(600_000)),
        format!("{{x{}", r#"{ "timestamp":"#.repeat(20_000)),
        r#"{"timestamp":["#.repeat(20_000),
        r#"{"timestamp":1,"a":{"#.repeat(20_000),
    ];
    for text in starts {
        let (sender, receiver) = std::sync::mpsc::channel();
        let beginning = text[..30].to_owned();
        std::thread::spawn(move || sender.send(read(&gzip(text.as_bytes())).unwrap().0.bad));
        let bad = receiver.recv_timeout(AT_ONCE);
        assert!(bad.is_ok_and(|bad| bad > 0), "{beginning}");
    }
}

#[test]
fn every_record_that_was_cut_off_is_counted_however_many_stand_in_a_line() {
    let whole = record("198.51.100.7", "ALLOW", "GET", "/a", "");
    let cut = &whole[..whole.len() - 60];
    for count in [3, 15_000] {
        let (summary, _) = read(&gzip(cut.repeat(count).as_bytes())).unwrap();
        assert_eq!((summary.records, summary.bad), (0, count as u64));
    }
}

#[test]
fn an_object_without_any_line_feed_is_read_whole() {
    let line = record("198.51.100.7", "ALLOW", "GET", r#"/a}{"b"#, "");
    for between in ["", " ", "\r"] {
        let text = format!("{line}{between}").repeat(12_000);
        assert!(text.len() > offenders::inflate::LONGEST_LINE);
        let (summary, _) = read(&gzip(text.as_bytes())).unwrap();
        assert_eq!((summary.records, summary.bad), (12_000, 0), "{between:?}");
    }
}

#[test]
fn escapes_in_keys_and_words_change_nothing() {
    let line = record("198.51.100.7", "BLOCK", "POST", "/a", "");
    for (from, to) in [
        (r#""timestamp""#, r#""time\u0073tamp""#),
        (r#""action""#, r#""\u0061ction""#),
        (r#""httpRequest""#, r#""http\u0052equest""#),
        (r#""clientIp""#, r#""\u0063lientIp""#),
        (r#""uri""#, r#""ur\u0069""#),
        (r#""httpMethod""#, r#""httpMetho\u0064""#),
        ("BLOCK", r"BLOC\u004b"),
    ] {
        let changed = line.replace(from, to);
        assert_ne!(changed, line);
        assert_eq!(heard(changed.as_bytes()), heard(line.as_bytes()), "{to}");
    }
}

fn any_record() -> impl Strategy<Value = String> {
    let ip = prop_oneof![Just("198.51.100.7".to_owned()), Just("-".to_owned()), "[0-9a-f:]{2,20}"];
    let action = prop_oneof![Just("ALLOW"), Just("BLOCK"), Just("CAPTCHA"), Just("NEW")];
    let label = prop_oneof![
        Just("awswaf:a"),
        Just(VERIFIED),
        Just("awswaf:b\"},{\"name\":\"awswaf:managed:aws:bot-control:bot:verified")
    ];
    let kind = prop_oneof![Just("REGULAR"), Just("RATE_BASED")];
    let request = ("[A-Z]{3,7}", "\\PC{0,30}", "\\PC{0,30}");
    (ip, action, request, label, kind).prop_map(|(ip, action, (method, path, args), label, kind)| {
        let plain = record(&ip, action, &method, &path, &args);
        plain.replace("awswaf:a", label).replacen("\"REGULAR\"", &format!("\"{kind}\""), 1)
    })
}

const VERIFIED: &str = "awswaf:managed:aws:bot-control:bot:verified";

proptest! {
    #[test]
    fn the_quick_path_hears_what_the_careful_one_hears(records in prop::collection::vec(any_record(), 1..12)) {
        let text = records.join("\n");
        let quick = heard(text.as_bytes());
        prop_assert_eq!(&quick, &heard_carefully(text.as_bytes()));
        prop_assert_eq!(quick.records.len(), records.len());
        for (heard, record) in quick.records.iter().zip(&records) {
            let json: serde_json::Value = serde_json::from_str(record).unwrap();
            let request = &json["httpRequest"];
            prop_assert_eq!(String::from_utf8_lossy(&heard.4), request["uri"].as_str().unwrap());
            prop_assert_eq!(String::from_utf8_lossy(&heard.1), request["clientIp"].as_str().unwrap());
            let labels = json["labels"].as_array().unwrap();
            prop_assert_eq!(heard.6, json["terminatingRuleType"] == "RATE_BASED");
            prop_assert_eq!(heard.5, labels.iter().any(|label| label["name"] == VERIFIED));
        }
    }

    #[test]
    fn mutated_text_never_panics_and_never_invents_a_client(
        records in prop::collection::vec(any_record(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut text = records.join("\n").into_bytes();
        for (at, byte, kind) in changes {
            let at = at.index(text.len().max(1));
            match kind {
                0 => text[at] = byte,
                1 => { text.remove(at); }
                2 => text.insert(at, byte),
                _ => text.truncate(at.max(1)),
            }
            if text.is_empty() {
                text.push(b'{');
            }
        }
        let quick = heard(&text);
        let n_lines = memchr::memchr_iter(b'\n', &text).count() + 1;
        prop_assert!(quick.records.len() <= n_lines + records.len());
    }

    #[test]
    fn mutated_gzip_never_panics(
        records in prop::collection::vec(any_record(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        pieces in 1..64_usize,
    ) {
        let mut bytes = gzip(records.join("\n").as_bytes());
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        drop(read_in(&bytes, pieces));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(heard(&bytes));
        drop(read(&bytes));
        drop(offenders::partial::decode(&bytes, |_, _| ()));
        drop(offenders::path::normalise(&bytes));
        let _: Option<offenders::address::Address> = offenders::address::Address::parse(&bytes);
    }

    #[test]
    fn json_like_bytes_never_panic(text in r#"([{}\[\]:,"\\ntu0-9a-f\n]|"timestamp":|"httpRequest":\{|"logEvents":\[){0,60}"#) {
        drop(heard(text.as_bytes()));
    }
}
