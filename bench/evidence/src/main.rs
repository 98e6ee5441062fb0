//! Bad and good versions judged by evidence, by an alarm, and by what others do: what `make bench-evidence` runs.
//!
//! Writes `target/bench/evidence.json`, a row for each method, traffic and version, and prints them.

use bench_evidence::peers::{self, Ended, Minutes};
use bench_evidence::play::{End, Release};
use bench_evidence::random::Random;
use bench_evidence::traffic::{Counting, Draw, Ending, Scene, as_ordered, nobody};
use serde_json::json;

/// Requests a minute, and how often each release is played.
const RATES: [(u32, u64); 9] = [
    (1, 400),
    (3, 400),
    (10, 400),
    (60, 400),
    (200, 200),
    (600, 200),
    (3_000, 100),
    (6_000, 50),
    (60_000, 20),
];
/// How often live fails, and the candidate.
const VERSIONS: [(f64, f64); 6] =
    [(0.001, 0.001), (0.001, 0.051), (0.001, 0.2), (0.001, 1.0), (0.03, 0.03), (0.03, 1.0)];

type Method = fn(&Case, u64) -> Ended;

/// What is released.
struct Case {
    rate: u32,
    live_fails: f64,
    candidate_fails: f64,
}

const METHODS: [(&str, Method); 5] = [
    ("greenlight", greenlight),
    ("alarm", |case, seed| peer(case, seed, peers::alarm)),
    ("flagger", |case, seed| peer(case, seed, peers::flagger)),
    ("argo", |case, seed| peer(case, seed, peers::argo)),
    ("kayenta", |case, seed| peer(case, seed, peers::kayenta)),
];

fn greenlight(case: &Case, seed: u64) -> Ended {
    let Case { rate, live_fails, candidate_fails } = *case;
    let answers = |random: &mut Random, _: f64, on_candidate: bool, _| {
        Ending::quick(random.often(if on_candidate { candidate_fails } else { live_fails }))
    };
    let scene = Scene {
        rate: f64::from(rate),
        others: &nobody,
        answers: &answers,
        share: &as_ordered,
        draw: Draw::Chance,
        counting: Counting::Right,
        published_at_the_end: false,
    };
    let outcome = Release { bakes: true, ..Release::usual(rate.into()) }.play(scene, seed);
    Ended {
        back: matches!(outcome.end, End::Back | End::Both),
        minutes: outcome.minutes,
        failed: outcome.failed,
    }
}

fn peer(case: &Case, seed: u64, method: fn(&mut Minutes<'_>) -> Ended) -> Ended {
    let Case { rate, live_fails, candidate_fails } = *case;
    let mut random = Random::new(seed);
    let mut minutes =
        Minutes { random: &mut random, rate: f64::from(rate), live_fails, candidate_fails, failed: 0 };
    method(&mut minutes)
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred runs")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rows = Vec::new();
    say("method      a minute  live fails  candidate fails  taken back  went on  minutes  requests failed");
    for (live_fails, candidate_fails) in VERSIONS {
        for (rate, runs) in RATES {
            let case = Case { rate, live_fails, candidate_fails };
            for (method, play) in METHODS {
                let ended: Vec<Ended> = (1..=runs).map(|seed| play(&case, seed)).collect();
                let mean = |of: fn(&Ended) -> f64| ended.iter().map(of).sum::<f64>() / runs as f64;
                let taken_back = mean(|ended| f64::from(u8::from(ended.back)));
                let (minutes, failed) = (mean(|ended| ended.minutes), mean(|ended| ended.failed as f64));
                say(&format!(
                    "{method:<12}{rate:>8}{live_fails:>12}{candidate_fails:>17}{taken_back:>12.3}{:>9.3}{minutes:>9.1}{failed:>17.1}",
                    1.0 - taken_back
                ));
                rows.push(json!({
                    "method": method,
                    "requests_per_minute": rate,
                    "live_fails": live_fails,
                    "candidate_fails": candidate_fails,
                    "taken_back": taken_back,
                    "went_on": 1.0 - taken_back,
                    "minutes": minutes,
                    "requests_failed": failed,
                }));
            }
        }
    }
    let folder = std::path::Path::new("target/bench");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("evidence.json"), serde_json::to_vec_pretty(&rows)?)?;
    Ok(())
}
