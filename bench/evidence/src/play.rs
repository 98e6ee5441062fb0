//! A release by evidence, decided by what runs in production.

use crate::traffic::{CANDIDATE, Scene, Traffic};
use jiff::{SignedDuration, Timestamp};
use release::evidence::{AtMax, Counted, Judgement, PublishedMinute, Report, Share, Week, minute_of};
use release::plan::Window;
use release::{
    Action, ByEvidence, Colour, Commit, Creator, Deployment, DeploymentId, DeploymentStatus, Drift,
    InstanceId, Ledger, Live, Observation, Open, PerColour, Phase, Plan, Policy, Purpose, Reading, Reason,
    ReleaseNumber, ReleaseRule, ReturnCause, Revision, RuleArn, Rules, ServiceName, Shift, Strategy,
    TargetHealth, UnknownFields, Upload, Weights, plan, reads,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// A release.
#[derive(Debug, Clone)]
pub struct Release {
    /// The share; `None`: by what is proven.
    pub share: Option<Share>,
    /// The service's week. `None`: it is unknown, and nothing is held against it.
    pub week: Option<Week>,
    /// The bake.
    pub bake: Duration,
    /// How long the evidence step may last.
    pub latest: Duration,
    /// Failed requests that a bad version may cost.
    pub harm: u64,
    /// Whether the bake is played as well.
    pub bakes: bool,
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// It was taken back by evidence.
    Back,
    /// It went on by evidence.
    On,
    /// It went on because its time was over.
    ByTime,
    /// Both colours are bad.
    Both,
}

/// What became of a release.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// After how many minutes.
    pub minutes: f64,
    /// Requests that failed on the candidate.
    pub failed: u64,
    /// What was said of it.
    pub said: String,
}

impl Release {
    /// By the defaults, at this many requests a minute before.
    pub fn usual(rate: u64) -> Self {
        Self {
            share: None,
            week: Some(Week { rate, ..Week::default() }),
            bake: Duration::from_secs(300),
            latest: Duration::from_secs(1800),
            harm: 10,
            bakes: false,
        }
    }

    /// With a share that stays.
    #[must_use]
    pub fn at(self, share: Share) -> Self {
        Self { share: Some(share), ..self }
    }

    /// Plays it to its end.
    pub fn play(&self, scene: Scene<'_>, seed: u64) -> Outcome {
        let mut traffic = Traffic::new(scene, seed);
        let begin = later(Timestamp::UNIX_EPOCH, 60.0 * 29_000_000.0 + traffic.offset());
        let first_minute = minute_of(begin);
        let policy = self.policy();
        let mut service = Service::installed(self, begin);
        // Its hooks ask and report before there is any weight.
        let report = traffic.report(first_minute);
        let mut decided = service.pass(&policy, begin, report, |_| Vec::new());
        let mut on: Option<(f64, End, String)> = None;
        loop {
            let said = said(&decided);
            let end = match service.ledger.open.as_ref().map(|open| &open.phase) {
                Some(Phase::Returning(back)) => Some(match back.cause {
                    ReturnCause::Past { .. } => End::Both,
                    _ => End::Back,
                }),
                Some(Phase::Shifting(shift)) if shift.step > 0 && on.is_none() => {
                    let by_time = decided
                        .reasons
                        .iter()
                        .any(|reason| matches!(reason, Reason::Judged { judgement: Judgement::AtMax(_) }));
                    on = Some((traffic.second(), if by_time { End::ByTime } else { End::On }, said.clone()));
                    None
                }
                Some(Phase::Shifting(_)) => None,
                // The bake is over.
                _ => on.clone().map(|(_, end, _)| end),
            };
            if let Some(end) = end {
                let (second, said) = match &on {
                    Some((second, of, said)) if *of == end => (*second, said.clone()),
                    _ => (traffic.second(), said),
                };
                return Outcome { end, minutes: second / 60.0, failed: traffic.failed, said };
            }
            if let Some((second, end, said)) = on.clone().filter(|_| !self.bakes) {
                return Outcome { end, minutes: second / 60.0, failed: traffic.failed, said };
            }
            let now = later(begin, traffic.pass(service.share()));
            let report = traffic.report(first_minute);
            let published = |window: Window| {
                let all = traffic.published(first_minute).into_iter();
                all.filter(|minute| (window.from..window.until).contains(&minute.minute)).collect()
            };
            decided = service.pass(&policy, now, report, published);
        }
    }

    fn policy(&self) -> Policy {
        Policy {
            strategy: self.strategy(),
            bake: self.bake,
            install_deadline: Duration::from_secs(900),
            drain: Duration::from_secs(60),
            unhealthy_grace: Duration::from_secs(30),
            unknown_limit: Duration::from_secs(180),
            look_interval: Duration::from_secs(5),
            silence_limit: Duration::from_secs(180),
            rollback_window: Duration::ZERO,
            heal_after: Duration::ZERO,
            drift: Drift::Report,
            harm: self.harm,
            at_max: AtMax::GoOn,
            gate: Duration::ZERO,
            is_sound: true,
        }
    }

    fn strategy(&self) -> Strategy {
        let percent = self.share.map(Share::percent);
        Strategy::Evidence(ByEvidence { percent, latest: self.latest })
    }
}

/// Why the pass did what it did, in the words of the counts.
fn said(plan: &Plan) -> String {
    let words = plan.reasons.iter().find_map(|reason| match reason {
        Reason::Judged { judgement } => Some(judgement.to_string()),
        Reason::Returns { cause } => Some(cause.to_string()),
        _ => None,
    });
    words.unwrap_or_default()
}

/// The service as each pass sees it: release 2 is installed on green, all is well, and only requests fail.
struct Service {
    ledger: Ledger,
    weights: Weights,
}

impl Service {
    #[expect(clippy::panic, reason = "the name is written here")]
    fn installed(release: &Release, now: Timestamp) -> Self {
        let name = ServiceName::new("backend").unwrap_or_else(|error| panic!("{error}"));
        let mut ledger = Ledger::new(name);
        let unknown_fields = UnknownFields::default;
        ledger.live = Some(Live {
            colour: CANDIDATE.other(),
            upload: upload(1),
            since: now,
            watched: None,
            unknown_fields: unknown_fields(),
        });
        ledger.looked_at = Some(now);
        ledger.open = Some(Open {
            purpose: Purpose::Release,
            upload: upload(2),
            colour: CANDIDATE,
            strategy: release.strategy(),
            bake: release.bake,
            attempt: 1,
            first_attempt: 1,
            deployment: Some(deployment()),
            refused: None,
            rule: Some(rule()),
            rule_refused: None,
            missing_since: None,
            alarm_set: None,
            targets: vec![instance()],
            phase: Phase::Shifting(Shift::default()),
            since: now,
            opened_at: now,
            delayed_until: None,
            counted: Some(Box::new(Counted { week: release.week, ..Counted::default() })),
            smoke: release::Smoke::default(),
            migrates: None,
            gate: None,
            preview: None,
            course: release::Aside::default(),
            request: None,
            rolls_back: None,
            said: None,
            unknown_fields: unknown_fields(),
        });
        Self { ledger, weights: Weights::all_on(CANDIDATE.other()) }
    }

    /// The candidate's part of the traffic, 0 to 1.
    fn share(&self) -> f64 {
        let of = |colour| f64::from(self.weights.of(colour));
        of(CANDIDATE) / (of(Colour::Blue) + of(Colour::Green))
    }

    /// As production passes: what has to be read is asked of the ledger, and the decision is carried out.
    fn pass(
        &mut self,
        policy: &Policy,
        now: Timestamp,
        mut report: Option<Report>,
        published: impl Fn(Window) -> Vec<PublishedMinute>,
    ) -> Plan {
        loop {
            let wanted = reads(&self.ledger, policy, now);
            let targets = BTreeMap::from([(instance(), TargetHealth::Healthy)]);
            let healthy = |colour: Colour| match wanted.health.of(colour) {
                true => Reading::Known(targets.clone()),
                false => Reading::NotRead,
            };
            let no_alarm = || Reading::Known(BTreeMap::new());
            let seen = Observation {
                deployment: Reading::Known(Some(Deployment {
                    id: deployment(),
                    group: "backend".to_owned(),
                    status: DeploymentStatus::Active,
                    creator: Creator::User,
                    description: self.ledger.open.as_ref().map(|open| open.description(&self.ledger.service)),
                    error: None,
                    failed: 0,
                })),
                rules: Reading::Known(Rules {
                    base: Weights::all_on(CANDIDATE.other()).into(),
                    release: Some(ReleaseRule { arn: rule(), weights: self.weights.into() }),
                    preview: None,
                }),
                health: PerColour { blue: healthy(Colour::Blue), green: healthy(Colour::Green) },
                alarms: PerColour { blue: no_alarm(), green: no_alarm() },
                published: wanted
                    .published
                    .map_or(Reading::NotRead, |window| Reading::Known(published(window))),
                report: report.take(),
                ..Observation::default()
            };
            self.ledger.looked_at = Some(now);
            let decided = plan(self.ledger.clone(), &seen, policy, now);
            self.ledger = decided.ledger.clone();
            for action in decided.actions() {
                if let Action::SetReleaseWeights { weights, .. } = action {
                    self.weights = *weights;
                }
            }
            let goes_on = matches!(
                self.ledger.open.as_ref().map(|open| &open.phase),
                Some(Phase::Shifting(_) | Phase::Baking(_))
            );
            if !decided.again || !goes_on {
                return decided;
            }
        }
    }
}

#[expect(clippy::panic, reason = "the commit is written here")]
fn upload(number: u64) -> Upload {
    Upload {
        number: ReleaseNumber(number),
        commit: Commit::new("0a1b2c3").unwrap_or_else(|error| panic!("{error}")),
        revision: Revision {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            version: "v".to_owned(),
            etag: "e".to_owned(),
            unknown_fields: UnknownFields::default(),
        },
        tells_smoke: false,
        unknown_fields: UnknownFields::default(),
    }
}

fn deployment() -> DeploymentId {
    DeploymentId("d-1".to_owned())
}

fn rule() -> RuleArn {
    RuleArn("rule/1".to_owned())
}

fn instance() -> InstanceId {
    InstanceId("i-1".to_owned())
}

fn later(time: Timestamp, seconds: f64) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs_f64(seconds)).unwrap_or(time)
}
