//! Against a reference in Python that multiplies the odds out (`tests/evidence/past.py`).

use super::*;

#[derive(Deserialize)]
struct Cases {
    now: i64,
    odds: Vec<Odds>,
    weeks: Vec<Case>,
}

#[derive(Deserialize)]
struct Odds {
    all: Slots,
    recent: Slots,
    seen: Slots,
    ln: f64,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    runs: Vec<Vec<i64>>,
    week: Expected,
}

/// Its replay is rounded up from odds that are reckoned in another order.
#[derive(Deserialize)]
struct Expected {
    reached: i64,
    #[serde(flatten)]
    week: serde_json::Map<String, serde_json::Value>,
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("../../../../tests/evidence/past.json")).unwrap()
}

#[test]
fn the_odds_against_a_minute_are_those_of_the_reference() {
    for Odds { all, recent, seen, ln } in cases().odds {
        let week = Week { all, recent, ..Week::default() };
        let reckoned = seen.ln_past(&week);
        assert!((reckoned - ln).abs() <= 1e-9 * ln.abs().max(1.0), "{reckoned}, not {ln}: {seen:?} {week:?}");
    }
}

/// Minutes of a run are alike: how many before the release the first one is, how many there are, what came and failed in each, and
/// how far apart they are if not a minute.
fn minutes(now: i64, runs: &[Vec<i64>]) -> Vec<PublishedMinute> {
    let of = |run: &Vec<i64>| {
        let [start, count, requests, failed, ..] = run[..] else { panic!("{run:?}") };
        let apart = run.get(4).copied().unwrap_or(1);
        let [requests, failed] = [requests, failed].map(i64::unsigned_abs);
        // Blue and green share them: a week is of both together.
        let (blue, green) =
            (answered(requests / 3, failed / 3), answered(requests - requests / 3, failed - failed / 3));
        (0..count).map(move |at| PublishedMinute { minute: now - start + at * apart, blue, green })
    };
    runs.iter().flat_map(of).collect()
}

fn answered(requests: u64, failed: u64) -> Published {
    Published { requests, answered: requests - failed, failed, refused: 0 }
}

#[test]
fn weeks_are_those_of_the_reference() {
    let Cases { now, weeks, .. } = cases();
    assert_eq!(weeks.len(), 12);
    for Case { name, runs, week: Expected { reached, week } } in weeks {
        let mut told = serde_json::to_value(Week::of(&minutes(now, &runs), now)).unwrap();
        let told = told.as_object_mut().unwrap();
        let replayed = told.remove("reached").unwrap().as_i64().unwrap();
        assert!((replayed - reached).abs() <= 1, "{name}: {replayed}, not {reached}");
        told.entry("hour").or_insert(serde_json::Value::Null);
        assert_eq!(*told, week, "{name}");
    }
}

/// A thousandth of a logarithm is rounded up, never down: nobody is guilty by less than what the week has reached.
#[test]
fn nobody_is_guilty_by_less_than_what_the_week_has_reached() {
    let outages = Week::of(&super::week(NOW, |minute| (10, if minute % DAY < 10 { 10 } else { 0 })), NOW);
    let all = slots(&[(10, 10); 59]);
    let (lowest, highest) = (all.ln_past(&outages).floor(), all.ln_past(&outages).ceil());
    let reached = |ln: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
        let reached = ln as i64 * 1_000;
        Week { reached, ..outages }
    };
    assert!(all.are_guilty(&reached(lowest)));
    assert!(!all.are_guilty(&reached(highest)));
    // However little a week has reached, a thousand to one it must be.
    let calm = Week { reached: 0, ..outages };
    let few = (1..60).map(|minutes| slots(&vec![(10, 10); minutes]));
    for slots in few.filter(|slots| slots.bad[0] >= LEAST_BAD) {
        assert_eq!(slots.are_guilty(&calm), slots.ln_past(&calm) >= 1_000_f64.ln(), "{slots:?}");
    }
}
