//! Counting and deciding against a plain model that keeps everything.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;
use offenders::address::{Address, Networks, range};
use offenders::classify::{Hit, KeptPath, Kinds, PathKind};
use offenders::configuration::{Configuration, Span, Threshold};
use offenders::decide::{News, decide};
use offenders::entries::{Family, entries};
use offenders::judge::{Detector, step_at, time_of};
use offenders::partial::{self, Header};
use offenders::state::{Ban, State};
use offenders::tally::{OFFENCE_WEIGHT, Room, Tally};
use proptest::prelude::*;

const START: u32 = 353_000_000;

/// Enough for everybody in these tests.
const ROOM: Room = Room { clients: 100, records: 10_000, suspects: 100, paths: 5_000, samples: 100 };

fn client(n: u32) -> Address {
    match n % 3 {
        0 => Address::parse(format!("2001:db8:{:x}:{:x}::", n / 1000, n % 1000).as_bytes()).unwrap(),
        _ => Address::parse(format!("198.{}.{}.{}", 18 + n / 60000, n / 250 % 240, n % 250 + 1).as_bytes())
            .unwrap(),
    }
}

fn hit(n: u32, kinds: Kinds) -> Hit {
    Hit { client: client(n), kinds, path: None, mark: 0 }
}

fn kinds() -> impl Strategy<Value = Kinds> {
    prop_oneof![
        5 => Just(Kinds::REQUEST),
        1 => Just(Kinds::REQUEST.and(Kinds::BLOCKED)),
        1 => Just(Kinds::REQUEST.and(Kinds::CREDENTIALS)),
        1 => Just(Kinds::KNOCK),
        2 => Just(Kinds::SUCCESS),
        1 => Just(Kinds::SUCCESS.and(Kinds::ACCEPTED)),
        1 => Just(Kinds::REFUSED),
    ]
}

type Model = BTreeMap<(Address, u32), (u32, u32)>;

fn model_of(hits: &[(u32, u32, Kinds, Option<u32>)]) -> Model {
    let mut model = Model::new();
    for &(n, step, kinds, _) in hits {
        let counts = model.entry((client(n), START + step)).or_default();
        counts.0 += u32::from(kinds.has(Kinds::REQUEST));
        counts.1 += u32::from(kinds.has(Kinds::BLOCKED));
    }
    model.retain(|_, counts| *counts != (0, 0));
    model
}

/// Successes by client and minute.
fn successes(tally: &Tally) -> BTreeMap<(Address, u32), u32> {
    let mut all = BTreeMap::new();
    tally.each(|client, activity| {
        for &(minute, count) in &activity.successes {
            assert_eq!(all.insert((client, minute), count), None, "a minute stands once");
        }
    });
    all
}

fn successes_of(hits: &[PlainHit]) -> BTreeMap<(Address, u32), u32> {
    let mut all = BTreeMap::new();
    for &(n, step, kinds, _) in hits.iter().filter(|(_, _, kinds, _)| kinds.has(Kinds::SUCCESS)) {
        let step = START + step;
        *all.entry((client(n), step - step % 12)).or_default() += u32::from(kinds.has(Kinds::SUCCESS));
    }
    all
}

fn read_back(tally: &Tally) -> Model {
    let mut model = Model::new();
    tally.each(|client, activity| {
        for &(step, _) in &activity.requests {
            model.entry((client, step)).or_default().0 += 1;
        }
        for &(step, _) in &activity.offences[0] {
            model.entry((client, step)).or_default().1 += 1;
        }
    });
    model
}

/// Client, step, kinds, kept path.
type PlainHit = (u32, u32, Kinds, Option<u32>);

fn tally_of(hits: &[PlainHit], room: Room) -> Tally {
    tally_of_marked(&marked(hits), room)
}

/// Each hit is another record.
fn marked(hits: &[PlainHit]) -> Vec<(PlainHit, u16)> {
    hits.iter().copied().zip((0..u16::MAX).map(|n| n.wrapping_mul(40_503))).collect()
}

fn tally_of_marked(hits: &[(PlainHit, u16)], room: Room) -> Tally {
    let mut tally = Tally::new(room, START);
    for &((n, step, kinds, path), mark) in hits {
        let kind = [PathKind::Probed, PathKind::Missing, PathKind::Challenged][n as usize % 3];
        let path = path.map(|path| KeptPath::new(path << 2, kind));
        tally.hit(START + step, &Hit { path, mark, ..hit(n, kinds) });
    }
    tally
}

fn hits() -> impl Strategy<Value = Vec<(u32, u32, Kinds, Option<u32>)>> {
    prop::collection::vec((0..40_u32, 0..200_u32, kinds(), prop::option::weighted(0.2, 0..30_u32)), 0..300)
}

proptest! {
    #[test]
    fn counts_are_exact_while_everybody_fits(hits in hits()) {
        let tally = tally_of(&hits, ROOM);
        prop_assert_eq!(tally.error(), 0);
        prop_assert_eq!(read_back(&tally), model_of(&hits));
    }

    #[test]
    fn successes_of_several_objects_add_up(
        hits in hits(), cut in any::<prop::sample::Index>(), around in 0..100_u32, full in any::<bool>(),
    ) {
        let room = if full { Room { records: 60, ..ROOM } } else { ROOM };
        let mut window = Tally::new(ROOM, START + around);
        let cut = cut.index(hits.len() + 1);
        let mut error = 0;
        for (n, part) in [&hits[..cut], &hits[cut..]].into_iter().enumerate() {
            let mut tally = Tally::new(room, START + around * 3 + u32::try_from(n).unwrap());
            for &(n, step, kinds, _) in part {
                tally.hit(START + step, &hit(n, kinds));
            }
            error += tally.error();
            partial::merge(&partial::encode(Header::default(), &tally, 64), &mut window, 0, u32::MAX).unwrap();
        }
        let kept = partial::encode(Header::default(), &window, 64);
        let mut next = Tally::new(ROOM, START + around * 7);
        partial::merge(&kept, &mut next, 0, u32::MAX).unwrap();
        let (counted, exact) = (successes(&next), successes_of(&hits));
        if error == 0 {
            prop_assert_eq!(&counted, &exact);
        }
        for (minute, count) in counted {
            prop_assert!(count <= exact.get(&minute).copied().unwrap_or(0), "{minute:?}");
        }
    }

    #[test]
    fn a_full_tally_counts_too_low_by_no_more_than_it_says(hits in hits()) {
        let room = Room { clients: 10, records: 40, suspects: 5, paths: 8, samples: 0 };
        let tally = tally_of(&hits, room);
        prop_assert!(tally.len() <= room.clients);
        let (exact, counted) = (model_of(&hits), read_back(&tally));
        let mut short: BTreeMap<Address, u64> = BTreeMap::new();
        for (key, &(requests, blocked)) in &exact {
            let (r, b) = counted.get(key).copied().unwrap_or_default();
            prop_assert!(r <= requests && b <= blocked);
            *short.entry(key.0).or_default() += u64::from(requests - r) + u64::from((blocked - b) * OFFENCE_WEIGHT);
        }
        for (client, short) in short {
            prop_assert!(short <= tally.error(), "{client:?} lost {short} of {}", tally.error());
        }
        prop_assert!(counted.keys().all(|key| exact.contains_key(key)));
    }

    #[test]
    fn a_partial_says_what_the_tally_says(hits in hits(), prefix in prop_oneof![Just(64_u8), Just(127), Just(128)]) {
        let tally = tally_of(&hits, ROOM);
        let file = partial::encode(Header::default(), &tally, prefix);
        let mut merged = Tally::new(ROOM, START);
        partial::merge(&file, &mut merged, 0, u32::MAX).unwrap();
        prop_assert_eq!(read_back(&merged), read_back(&tally));
        let again = partial::encode(Header::default(), &merged, prefix);
        prop_assert_eq!(again, file);
    }

    #[test]
    fn a_record_that_comes_in_several_objects_counts_once(
        hits in hits(), copies in prop::collection::vec(any::<prop::sample::Index>(), 0..6), same_mark in any::<bool>(),
    ) {
        // Marks that agree within an object are those of several requests.
        let hits: Vec<_> = marked(&hits).into_iter().map(|(hit, mark)| (hit, if same_mark { 7 } else { mark })).collect();
        let mut window = Tally::new(ROOM, START);
        let mut merge = |hits: &[(PlainHit, u16)]| {
            let object = partial::encode(Header::default(), &tally_of_marked(hits, ROOM), 64);
            partial::merge(&object, &mut window, 0, u32::MAX).unwrap();
        };
        for part in &copies {
            merge(&hits[..part.index(hits.len() + 1)]);
        }
        merge(&hits);
        for part in &copies {
            merge(&hits[part.index(hits.len() + 1)..]);
        }
        let plain: Vec<PlainHit> = hits.iter().map(|&(hit, _)| hit).collect();
        prop_assert_eq!(read_back(&window), model_of(&plain));
        let kept = partial::encode(Header::default(), &window, 64);
        let mut next_window = Tally::new(ROOM, START);
        partial::merge(&kept, &mut next_window, 0, u32::MAX).unwrap();
        prop_assert_eq!(read_back(&next_window), model_of(&plain));
    }

    #[test]
    fn a_full_window_counts_no_copy_twice(hits in hits(), rounds in 1..4_usize) {
        let room = Room { clients: 10, records: 40, suspects: 5, paths: 8, samples: 0 };
        let mut window = Tally::new(room, START);
        let object = partial::encode(Header::default(), &tally_of(&hits, room), 64);
        for _ in 0..rounds {
            partial::merge(&object, &mut window, 0, u32::MAX).unwrap();
        }
        let exact = model_of(&hits);
        for (key, (requests, blocked)) in read_back(&window) {
            let (r, b) = exact.get(&key).copied().unwrap_or_default();
            prop_assert!(requests <= r && blocked <= b, "{key:?}: {requests} of {r}, {blocked} of {b}");
        }
    }

    #[test]
    fn a_damaged_partial_is_refused_or_read_but_never_panics(
        hits in hits(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut file = partial::encode(Header::default(), &tally_of(&hits, ROOM), 64);
        let at = at.index(file.len());
        file[at] = byte;
        file.truncate(cut.index(file.len()) + 1);
        let mut merged = Tally::new(Room { clients: 50, records: 100, suspects: 20, paths: 20, samples: 5 }, START);
        drop(partial::merge(&file, &mut merged, START, START + 500));
    }

    #[test]
    fn neither_the_order_of_records_nor_how_they_are_cut_into_objects_matters(
        hits in hits(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4), seed in any::<u64>(),
    ) {
        let whole = decided(&[tally_of(&hits, ROOM)]);
        let mut shuffled = marked(&hits);
        let mut state = seed | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
        }
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(shuffled.len() + 1)).collect();
        ends.push(shuffled.len());
        ends.sort_unstable();
        let mut parts = Vec::new();
        let mut start = 0;
        for end in ends {
            parts.push(tally_of_marked(&shuffled[start..end], ROOM));
            start = end;
        }
        parts.reverse();
        prop_assert_eq!(decided(&parts), whole);
    }

    #[test]
    fn nothing_that_is_allowed_is_ever_in_the_sets_and_no_set_overflows(
        banned in prop::collection::btree_set(0..2000_u32, 0..200),
        allowed in prop::collection::vec(0..2000_u32, 0..10),
        room in 0..60_usize,
        members in 2..6_usize,
    ) {
        let mut state = State::default();
        for n in &banned {
            state.bans.insert(client(*n).network(64), ban(None));
        }
        let allow: Vec<IpNet> = allowed.iter().map(|n| client(*n).network(64)).collect();
        let mut configuration = Configuration { allow: allow.clone(), ..Configuration::default() };
        configuration.neighbours.members = members;
        let never: Networks = allow.iter().collect();
        for family in [Family::V4, Family::V6] {
            let found = entries(&state, &configuration, family, room);
            prop_assert!(found.wanted.len() <= room);
            for entry in &found.wanted {
                prop_assert!(!never.overlaps(entry), "{entry} holds an allowed address");
                prop_assert!(family.holds(entry));
                let widest = if family == Family::V4 { 24 } else { 48 };
                prop_assert!(entry.prefix_len() >= widest);
            }
            if found.left_out.is_empty() {
                for network in state.bans.keys().filter(|n| family.holds(n) && !never.overlaps(n)) {
                    prop_assert!(found.wanted.iter().any(|entry| entry.contains(network)), "{network} is not covered");
                }
            }
        }
    }

    #[test]
    fn networks_hold_exactly_what_they_hold(nets in prop::collection::vec((any::<u32>(), 1..33_u8), 0..20), probe in any::<u32>()) {
        let nets: Vec<IpNet> = nets.iter()
            .map(|(ip, prefix)| IpNet::new(std::net::Ipv4Addr::from(*ip).into(), *prefix).unwrap().trunc())
            .collect();
        let networks: Networks = nets.iter().collect();
        let address = Address::from(std::net::IpAddr::from(std::net::Ipv4Addr::from(probe)));
        let inside = |net: &IpNet| { let (first, last) = range(net); (first..=last).contains(&address.bits()) };
        prop_assert_eq!(networks.contains(address), nets.iter().any(inside));
    }
}

fn ban(until: Option<Timestamp>) -> Ban {
    Ban {
        detector: Detector::Rate,
        findings: Vec::new(),
        since: time_of(START),
        until,
        times_before: 0,
        first_seen: None,
        last_seen: None,
        samples: Vec::new(),
        note: None,
    }
}

fn strict() -> Configuration {
    let mut configuration = Configuration::default();
    let threshold =
        |max_retry| Some(Threshold { max_retry, find_time: Span::of_seconds(300), ban_time: None });
    configuration.detectors.rate = threshold(12);
    configuration.detectors.blocked = threshold(4);
    configuration.detectors.brute_force = threshold(4);
    configuration.detectors.scan = threshold(6);
    configuration.brake.percent = 100;
    configuration
}

fn decided(parts: &[Tally]) -> (Vec<News>, State) {
    let mut window = Tally::new(Room::of(1000), START);
    for part in parts {
        partial::merge(&partial::encode(Header::default(), part, 64), &mut window, 0, u32::MAX).unwrap();
    }
    let decision = decide(&window, &State::default(), &strict(), time_of(START + 300));
    (decision.news, decision.state)
}

#[test]
fn deciding_again_changes_nothing() {
    let mut tally = Tally::new(ROOM, START);
    for n in 0..50 {
        tally.hit(START + n, &hit(1, Kinds::REQUEST));
    }
    let now = time_of(START + 60);
    let first = decide(&tally, &State::default(), &strict(), now);
    assert_eq!(first.news, [News::Blocked(client(1).network(64))]);
    let second = decide(&tally, &first.state, &strict(), now);
    assert_eq!((second.news, second.state), (vec![], first.state));
}

#[test]
fn honest_requests_of_many_objects_are_hardly_ever_taken_for_one() {
    // An office behind one address: 20 requests a second in two logs at a time.
    let mut window = Tally::new(ROOM, START);
    let mut mark = 1_u16;
    for _ in 0..2 {
        let mut object = Tally::new(ROOM, START);
        for step in 0..60 {
            for _ in 0..50 {
                mark = mark.wrapping_mul(25_173).wrapping_add(13_849);
                object.hit(START + step, &Hit { mark, ..hit(1, Kinds::REQUEST) });
            }
        }
        partial::merge(&partial::encode(Header::default(), &object, 64), &mut window, 0, u32::MAX).unwrap();
    }
    let counted: u32 = read_back(&window).values().map(|counts| counts.0).sum();
    assert!((5990..=6000).contains(&counted), "{counted} of 6000");
}

#[test]
fn one_flood_takes_no_other_client_out_of_a_tally() {
    let mut tally = Tally::new(ROOM, START);
    for n in 0..90 {
        tally.hit(START, &hit(n, Kinds::REQUEST));
    }
    for n in 0..100_000 {
        tally.hit(
            START + n / 20_000,
            &Hit { mark: u16::try_from(n % 65_536).unwrap(), ..hit(99, Kinds::REQUEST) },
        );
    }
    let counted = read_back(&tally);
    assert_eq!((tally.len(), tally.error()), (91, 0));
    for step in 0..5 {
        assert!(counted[&(client(99), START + step)].0 >= 1024, "step {step}");
    }
}

#[test]
fn a_million_clients_fit_and_the_worst_are_still_found() {
    let mut tally = Tally::new(Room::of(20_000), START);
    for n in 0..1_000_000_u32 {
        let bits = (0x2001_0db8_u128 << 96) | (u128::from(n) << 64);
        let kinds = Kinds::REQUEST;
        tally.hit(START + n / 4000, &Hit { client: Address::from_bits(bits), kinds, path: None, mark: 0 });
        if n % 500 == 0 {
            tally.hit(START + n / 4000, &hit(7, kinds));
        }
        if n % 2000 == 0 {
            tally.hit(START + n / 4000, &hit(8, kinds.and(Kinds::BLOCKED)));
        }
    }
    assert!(tally.len() <= 20_000);
    assert!(tally.error() <= 2 * (1_000_000 + 2000 + 500 * 9) / 20_000, "{}", tally.error());
    let counted = read_back(&tally);
    let requests: u32 =
        counted.iter().filter(|((c, _), _)| *c == client(7)).map(|(_, counts)| counts.0).sum();
    let blocked: u32 = counted.iter().filter(|((c, _), _)| *c == client(8)).map(|(_, counts)| counts.1).sum();
    assert!(requests > 1800, "{requests}");
    assert!(blocked > 450, "{blocked}");
}

#[test]
fn time_goes_in_steps_of_five_seconds() {
    let time: Timestamp = "2026-11-22T12:00:04.999Z".parse().unwrap();
    assert_eq!(time_of(step_at(time)).to_string(), "2026-11-22T12:00:00Z");
}
