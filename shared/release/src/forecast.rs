//! What a release would meet if its bundle was uploaded now, for whoever wants to know beforehand. The plan itself decides, on a
//! ledger that is not kept; nothing is changed.

use crate::evidence::odds::{Row, real, rows_until_fine};
use crate::evidence::{AtMax, Points, Share, Stake};
use crate::plan::evidence::week_before;
use crate::{
    AlarmState, ByEvidence, Colour, Commit, Deployment, Ledger, Observation, Offer, PerColour, Policy,
    Reading, Reads, Reason, ReleaseNumber, Revision, Strategy, TargetHealth, UnknownFields, Upload,
    accept_upload, plan,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a release would meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// Why it would not go live as things are, a sentence each.
    pub against: Vec<String>,
    /// What it would wait for, and what would not be seen of it.
    pub doubts: Vec<String>,
    /// The shares of the traffic that it gets, in order.
    pub steps: Vec<Expected>,
    /// How long it takes at most from its opening to success, in seconds.
    pub longest_seconds: u64,
    /// The mean of the last half hour. `None`: it could not be read.
    pub requests_per_minute: Option<u64>,
    /// What that traffic can prove of it, where the strategy goes by evidence.
    pub proof: Option<String>,
}

/// A share of the traffic that a release is going to get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    /// In per cent. By evidence it grows with what is proven.
    pub percent: u8,
    /// For how long at least, in seconds.
    pub seconds: u64,
    /// What ends it.
    pub until: String,
}

/// A step that is shorter than this is over before an alarm can know of it (docs/strategies.md).
const SEEN_BY_ALARMS: Duration = Duration::from_secs(240);
/// What takes longer is not foretold, in minutes.
const LONGEST_GUESS: u32 = 120;
/// Steps that are listed. Of a `linear:1%` the last ones are left out.
const STEPS: u32 = 20;

/// What has to be seen for it.
pub fn forecast_reads(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Reads {
    Reads {
        active: true,
        rules: true,
        rule_owner: true,
        health: PerColour { blue: true, green: true },
        alarms: true,
        suspended: true,
        week: policy.strategy.by_evidence().map(|_| week_before(now)),
        published: None,
        ..crate::reads(ledger, policy, now)
    }
}

impl Forecast {
    /// Of a release with this number, or with the next one.
    pub fn of(
        ledger: &Ledger,
        seen: &Observation,
        policy: &Policy,
        number: Option<ReleaseNumber>,
        now: Timestamp,
    ) -> Self {
        let mut told = Self {
            against: Vec::new(),
            doubts: Vec::new(),
            steps: if ledger.live.is_some() { steps(policy, seen) } else { vec![at_once()] },
            longest_seconds: policy.longest_release().as_secs(),
            requests_per_minute: rate(seen),
            proof: proof(policy, seen).filter(|_| ledger.live.is_some()),
        };
        let upload = stand_in(number.unwrap_or_else(|| next_number(ledger)));
        let (offered, offer) = accept_upload(ledger.clone(), upload.clone(), false, now);
        match offer {
            Offer::Refused(refusal) => told.against.push(refusal.to_string()),
            Offer::Known { reason, .. } => told.against.push(reason),
            Offer::Waits { open } => {
                told.doubts
                    .push(format!("release {open} is open and has traffic: this one waits for its end"));
            }
            Offer::Supersedes { open } => {
                told.doubts
                    .push(format!("release {open} is open without traffic: it is given up for this one"));
            }
            Offer::Opens => told.opening(offered, &upload, seen, policy, now),
        }
        let candidate = ledger.live.as_ref().map_or(Colour::Blue, |live| live.colour.other());
        told.of_alarms(candidate, seen);
        told.of_instances(ledger, candidate, seen);
        told.of_the_group(ledger, seen);
        if ledger.live.is_some() {
            told.of_short_steps(policy.strategy);
        }
        told
    }

    /// What the next pass would do with it.
    fn opening(
        &mut self,
        offered: Ledger,
        upload: &Upload,
        seen: &Observation,
        policy: &Policy,
        now: Timestamp,
    ) {
        let planned = plan(offered, seen, policy, now);
        if planned.ledger.open.is_some_and(|open| open.upload == *upload) {
            return;
        }
        for reason in &planned.reasons {
            match reason {
                Reason::WaitsForDrain { .. } => self.doubts.push(reason.to_string()),
                _ => self.against.push(reason.to_string()),
            }
        }
    }

    fn of_alarms(&mut self, candidate: Colour, seen: &Observation) {
        let alarms = match seen.alarms.of(candidate) {
            Reading::Known(alarms) => alarms,
            Reading::Unknown(why) => {
                return self.doubts.push(format!(
                    "the alarms of {candidate} cannot be read, and no weight is given before: {why}"
                ));
            }
            Reading::NotRead => return,
        };
        for (alarm, state) in alarms {
            match state {
                AlarmState::Ok => {}
                AlarmState::Missing => self.against.push(format!(
                    "alarm {alarm} does not exist, and no weight is given without it: deploy the stack again"
                )),
                AlarmState::Firing => {
                    self.doubts.push(format!("alarm {alarm} fires: no weight is given while it does"));
                }
                AlarmState::NoData => {
                    self.doubts
                        .push(format!("alarm {alarm} has no data: no weight is given before it is OK"));
                }
            }
        }
    }

    fn of_instances(&mut self, ledger: &Ledger, candidate: Colour, seen: &Observation) {
        let registered = |colour| {
            let targets = seen.health.of(colour).known()?;
            Some(targets.values().filter(|health| **health != TargetHealth::Gone).count())
        };
        if registered(candidate) == Some(0) {
            self.doubts.push(format!(
                "no instance is in the target group of {candidate}: the release waits for one until InstallDeadline is over"
            ));
        }
        if let Some(live) = &ledger.live
            && seen.healthy_count(live.colour) == Some(0)
        {
            self.doubts.push(format!("no instance is healthy on {}, which is live", live.colour));
        }
        for colour in Colour::BOTH {
            if let Reading::Unknown(why) = seen.health.of(colour) {
                self.doubts.push(format!("the instances of {colour} cannot be read: {why}"));
            }
        }
    }

    fn of_the_group(&mut self, ledger: &Ledger, seen: &Observation) {
        let own = ledger.open.as_ref().and_then(|open| open.deployment.as_ref());
        if let Some(Some(Deployment { id, creator, .. })) = seen.active.known()
            && own != Some(id)
        {
            self.doubts.push(format!(
                "deployment {id} of {creator} is under way: CodeDeploy installs one at a time"
            ));
        }
        // While a release is installed it is so on purpose.
        let left = seen.suspended.known().filter(|_| ledger.open.is_none());
        for process in left.into_iter().flatten() {
            self.doubts.push(format!(
                "Auto Scaling's process {} is suspended, as a deployment that ended badly leaves it",
                process.name()
            ));
        }
    }

    fn of_short_steps(&mut self, strategy: Strategy) {
        let (Strategy::Canary(step) | Strategy::Linear(step)) = strategy else { return };
        if step.hold < SEEN_BY_ALARMS {
            self.doubts.push(format!(
                "a step of {} s is over before an alarm can fire, 2 to 4 minutes after the first failure: only what the instances count takes it back in time",
                step.hold.as_secs()
            ));
        }
    }
}

fn next_number(ledger: &Ledger) -> ReleaseNumber {
    let open = ledger.open.iter().map(|open| open.upload.number);
    let live = ledger.live.iter().map(|live| live.upload.number);
    let waiting = ledger.pending.iter().map(|upload| upload.number);
    let past = ledger.releases.iter().map(|past| past.upload.number);
    let highest = open.chain(live).chain(waiting).chain(past).max();
    ReleaseNumber(highest.map_or(1, |number| number.0.saturating_add(1)))
}

/// An upload that nobody has made.
fn stand_in(number: ReleaseNumber) -> Upload {
    Upload {
        number,
        commit: Commit::of_nothing(),
        revision: Revision {
            bucket: String::new(),
            key: String::new(),
            version: String::new(),
            etag: String::new(),
            unknown_fields: UnknownFields::default(),
        },
        tells_smoke: false,
        unknown_fields: UnknownFields::default(),
    }
}

fn rate(seen: &Observation) -> Option<u64> {
    seen.week.known().map(|week| week.rate)
}

/// With instances that count, as every bundle's kit makes them.
fn stake(policy: &Policy, seen: &Observation) -> Stake {
    Stake { harm: policy.harm, rate: rate(seen), reported: true }
}

/// The first release of a service has nothing to be compared with, and nobody to protect.
fn at_once() -> Expected {
    Expected { percent: 100, seconds: 0, until: "it is installed and healthy: then it is live".to_owned() }
}

fn steps(policy: &Policy, seen: &Observation) -> Vec<Expected> {
    let bake =
        |percent, until: &str| Expected { percent, seconds: policy.bake.as_secs(), until: until.to_owned() };
    let Some(by) = policy.strategy.by_evidence() else {
        let held = (0..STEPS).map_while(|index| policy.strategy.step(index));
        let mut steps: Vec<Expected> = held
            .map(|step| Expected {
                percent: step.percent,
                seconds: step.hold.as_secs(),
                until: "its time is over and everything is healthy".to_owned(),
            })
            .collect();
        steps.push(bake(100, "the bake is over: then it is live"));
        return steps;
    };
    let first = by.percent.map_or_else(|| stake(policy, seen).first_share(), Share::of_percent);
    let grows = if by.percent.is_none() { "; it grows with what is proven" } else { "" };
    vec![
        Expected {
            percent: first.percent(),
            seconds: ByEvidence::LEAST.as_secs(),
            until: format!(
                "it is proven not to be worse, at the latest {} minutes{grows}",
                minutes(by.latest)
            ),
        },
        bake(ByEvidence::BAKE_PERCENT, "the bake is over: then it gets everything, and is live"),
    ]
}

fn minutes(time: Duration) -> u64 {
    time.as_secs().div_ceil(60)
}

fn proof(policy: &Policy, seen: &Observation) -> Option<String> {
    let by = policy.strategy.by_evidence()?;
    let otherwise = format!(
        "after {} minutes it {}, because AtMax is {}",
        minutes(by.latest),
        match policy.at_max {
            AtMax::GoOn => "goes on, if nothing speaks against it",
            AtMax::Wait => "waits, and goes back before CodeDeploy's hour is over",
            AtMax::Back => "goes back",
        },
        policy.at_max.word()
    );
    let rate = match &seen.week {
        Reading::Known(week) => week.rate,
        Reading::Unknown(why) => return Some(format!("the traffic cannot be read: {why}")),
        Reading::NotRead => return None,
    };
    if rate == 0 {
        return Some(format!(
            "no request came in the last half hour, and silence proves nothing: {otherwise}"
        ));
    }
    let stake = stake(policy, seen);
    let share = by.percent.map_or(Share::THIRTY, Share::of_percent).fraction();
    // With little traffic a minute has no whole request for the candidate.
    let span = if real(rate) * share >= 1.0 { 1 } else { 10 };
    let requests = rate.saturating_mul(span);
    let clean = Row {
        lowest: share,
        highest: share,
        requests,
        candidate: part(requests, share),
        candidate_failed: 0,
        live_failed: 0,
    };
    let margin = stake.margin(policy.bake);
    let points = Points::of(margin);
    let rows = rows_until_fine(&[], &clean, margin, LONGEST_GUESS / u32::try_from(span).unwrap_or(1));
    Some(match rows.map(|rows| u64::from(rows) * span).filter(|time| *time <= minutes(by.latest)) {
        Some(time) => format!(
            "at {rate} requests a minute it takes about {} minutes to prove that it is at most {points} points worse, if none fails",
            time.max(minutes(ByEvidence::LEAST))
        ),
        None => format!(
            "at {rate} requests a minute it cannot be proven in time that it is at most {points} points worse: {otherwise}"
        ),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a count, 0 to the count"
)]
fn part(count: u64, share: f64) -> u64 {
    (real(count) * share).round() as u64
}
