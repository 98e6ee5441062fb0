//! What the judge of evidence has to tell apart, and what has to become of each.

use crate::left::Left;
use jiff::Timestamp;
use rehearsal::ToldVerdict;
use serde::Serialize;
use std::time::Duration;
use visitors::{Log, Meaning};

/// One release that is played.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) policy: Policy,
    /// How the version misbehaves that is live before, as its `behaviour.json`.
    pub(crate) live: &'static str,
    /// How the released one does.
    pub(crate) candidate: &'static str,
    /// Its `smoke.txt`.
    pub(crate) smoke: Option<&'static str>,
    pub(crate) comes: Comes,
    pub(crate) beside: Beside,
    pub(crate) must: Must,
}

/// The template's policy, but for how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// 30 minutes at most.
    HalfAnHour,
    /// Six minutes at most; then it goes on.
    SixMinutes,
    /// Six minutes at most; then it goes back.
    SixMinutesThenBack,
}

impl Policy {
    pub(crate) const ALL: [Self; 3] = [Self::SixMinutes, Self::SixMinutesThenBack, Self::HalfAnHour];

    /// The template's parameters. The firewall reports and blocks nobody, so that a scanner stays for the judge.
    pub(crate) fn parameters(self) -> [(&'static str, &'static str); 7] {
        let (strategy, at_max) = match self {
            Self::HalfAnHour => ("evidence", "go-on"),
            Self::SixMinutes => ("evidence(6m)", "go-on"),
            Self::SixMinutesThenBack => ("evidence(6m)", "back"),
        };
        [
            ("Strategy", strategy),
            ("AtMax", at_max),
            ("LookInterval", "5s"),
            ("UnknownLimit", "3m"),
            ("Bake", "1m"),
            ("InstallDeadline", "15m"),
            ("WafMode", "count"),
        ]
    }
}

/// How many users come, by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comes {
    Nobody,
    /// So many requests a minute.
    Steadily(u32),
    /// One request a minute until four minutes after the first weight, then 600.
    NightThenMorning,
}

/// What else happens. It does not count as a user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    Nothing,
    /// One client asks twice a second for a page that fails on both colours.
    BrokenLink,
    /// One client asks five times a second for what is not there.
    Scanner,
    /// A minute after the first weight everything fails on both colours, for two minutes.
    Outage,
}

/// How a case has to end.
#[derive(Debug)]
pub(crate) struct Must {
    pub(crate) verdict: &'static str,
    /// A part of its reason.
    says: &'static str,
    /// How many of the users' requests may fail.
    failed: u64,
    /// The earliest and the latest second.
    seconds: (f64, f64),
    /// The largest share that it may have had, in percent.
    share: u8,
    attempts: u32,
}

const ANY: (f64, f64) = (0.0, f64::INFINITY);
/// The most that an evidence step gives.
const STEP: u8 = 30;
const GOOD: Must =
    Must { verdict: "live", says: "", failed: u64::MAX, seconds: ANY, share: 100, attempts: 1 };
const BACK_BY_COUNTS: Must =
    Must { verdict: "rejected", says: "odds of", failed: 12, seconds: ANY, share: STEP, attempts: 1 };
const USERS_FAIL: &str = r#"{"failingPaths": ["/", "/api/*"]}"#;

/// Nobody comes, a good version.
const SILENCE: Case = Case {
    name: "no traffic",
    policy: Policy::SixMinutes,
    live: "{}",
    candidate: "{}",
    smoke: None,
    comes: Comes::Nobody,
    beside: Beside::Nothing,
    must: Must { says: "nothing is proven", failed: 0, seconds: (360.0, 420.0), ..GOOD },
};
const USERS: Case = Case { policy: Policy::HalfAnHour, comes: Comes::Steadily(60), must: GOOD, ..SILENCE };

/// Those of a policy are played one after another, in turn on each service, the quiet ones first: how many came before decides
/// what is at stake.
pub(crate) static CASES: [Case; 10] = [
    SILENCE,
    Case {
        name: "/checkout",
        candidate: r#"{"failingPaths": ["/checkout"]}"#,
        smoke: Some("/checkout 200\n"),
        must: Must { verdict: "rejected", says: "/checkout", failed: 0, share: 0, ..GOOD },
        ..SILENCE
    },
    Case {
        name: "no traffic, back",
        policy: Policy::SixMinutesThenBack,
        must: Must {
            verdict: "rejected",
            says: "its time ended with nothing proven",
            share: STEP,
            ..SILENCE.must
        },
        ..SILENCE
    },
    Case {
        name: "night, then morning",
        candidate: r#"{"errorOneIn": 1}"#,
        comes: Comes::NightThenMorning,
        must: Must { failed: 60, seconds: (0.0, 30.0), ..BACK_BY_COUNTS },
        ..USERS
    },
    Case {
        name: "hangs, quiet",
        candidate: r#"{"latencyMs": 60000}"#,
        comes: Comes::Steadily(3),
        must: BACK_BY_COUNTS,
        ..USERS
    },
    Case {
        name: "hangs",
        candidate: r#"{"latencyMs": 60000}"#,
        must: Must { failed: 40, ..BACK_BY_COUNTS },
        ..USERS
    },
    Case {
        name: "scanner",
        candidate: USERS_FAIL,
        comes: Comes::Steadily(3),
        beside: Beside::Scanner,
        must: BACK_BY_COUNTS,
        ..USERS
    },
    Case {
        name: "broken link",
        live: r#"{"failingPaths": ["/api/broken"]}"#,
        candidate: r#"{"failingPaths": ["/api/broken"]}"#,
        beside: Beside::BrokenLink,
        must: Must { failed: 0, ..GOOD },
        ..USERS
    },
    Case {
        name: "scanner, good",
        comes: Comes::Steadily(3),
        beside: Beside::Scanner,
        must: Must { failed: 0, ..GOOD },
        ..USERS
    },
    Case { name: "outage of both", beside: Beside::Outage, must: Must { attempts: 2, ..GOOD }, ..USERS },
];

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) case: &'static str,
    /// `live`, `rejected` or `superseded`.
    pub(crate) ended: String,
    /// Why it was taken back, or let on.
    pub(crate) reason: String,
    /// The users' requests from the upload to the end.
    pub(crate) requests: u64,
    /// How many of them got no good answer, by either version.
    pub(crate) requests_failed: u64,
    /// From the first weight until it was taken back or let on; of the morning from its begin; without weight from the upload.
    pub(crate) seconds: f64,
    pub(crate) attempts: u32,
    /// The shares that it had, in percent.
    pub(crate) shares: Vec<u8>,
    /// What is not as it must be; none where all is.
    pub(crate) wrong: Option<String>,
}

impl Row {
    /// From the verdict, what the release has left, and what its users saw. `from`: its seconds count from there.
    pub(crate) fn of(
        case: &'static Case,
        verdict: &ToldVerdict,
        left: &Left,
        log: &Log,
        from: Timestamp,
    ) -> Self {
        let count = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
        let decided = left.decided(&verdict.word);
        let seconds = Duration::try_from(decided.at.duration_since(from)).unwrap_or_default();
        let failed = log.records().iter().filter(|record| record.meaning() != Meaning::Served).count();
        let row = Self {
            case: case.name,
            ended: verdict.word.clone(),
            reason: decided.reason.unwrap_or_else(|| verdict.reason.clone()),
            requests: count(log.records().len()),
            requests_failed: count(failed),
            seconds: (seconds.as_secs_f64() * 10.0).round() / 10.0,
            attempts: left.attempt,
            shares: left.shares(),
            wrong: None,
        };
        Self { wrong: case.must.is_missed_by(&row), ..row }
    }

    /// For the screen.
    pub(crate) fn line(&self) -> String {
        let Self { case, ended, reason, requests, requests_failed, seconds, attempts, .. } = self;
        let wrong = self.wrong.as_ref().map_or_else(String::new, |wrong| format!("; WRONG: {wrong}"));
        let tries = if *attempts > 1 { format!(" at attempt {attempts}") } else { String::new() };
        format!(
            "{case}: {ended}{tries} after {seconds:.1} s, {requests_failed} of {requests} failed{wrong}: {reason}"
        )
    }
}

impl Must {
    fn is_missed_by(&self, row: &Row) -> Option<String> {
        let share = row.shares.iter().copied().max().unwrap_or(0);
        if row.ended != self.verdict {
            return Some(format!("it had to end as {}", self.verdict));
        }
        if !row.reason.contains(self.says) {
            return Some(format!("its reason had to say {:?}", self.says));
        }
        if row.requests_failed > self.failed {
            return Some(format!("{} could fail at most", self.failed));
        }
        let (earliest, latest) = self.seconds;
        if !(earliest..=latest).contains(&row.seconds) {
            return Some(format!("it had to end after {earliest} to {latest} s"));
        }
        if share > self.share {
            return Some(format!(
                "it had {share} % of the traffic, and {} % at most was allowed",
                self.share
            ));
        }
        (row.attempts > self.attempts).then(|| format!("{} attempts were allowed", self.attempts))
    }
}

/// The cases with these names, or all.
///
/// # Errors
/// When there is none with such a name; it lists all.
pub(crate) fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Case>> {
    let known: Vec<&str> = CASES.iter().map(|case| case.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        anyhow::bail!("there is no case {unknown:?}; there are: {}", known.join("; "));
    }
    Ok(CASES.iter().filter(|case| names.is_empty() || names.iter().any(|name| name == case.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ended: &str, reason: &str) -> Row {
        Row {
            case: "hangs",
            ended: ended.to_owned(),
            reason: reason.to_owned(),
            requests: 100,
            requests_failed: 12,
            seconds: 20.0,
            attempts: 1,
            shares: vec![3, 30],
            wrong: None,
        }
    }

    #[test]
    fn a_case_must_end_by_the_counts_at_its_cost_its_share_in_time_and_at_its_attempt() {
        let must = Must { seconds: (10.0, 30.0), ..BACK_BY_COUNTS };
        let back = row("rejected", "green failed 6 of 6: odds of 480 to 1 that green is worse");
        assert_eq!(must.is_missed_by(&back), None);
        for (wrong, says) in [
            (row("live", "odds of 480 to 1"), "it had to end as rejected"),
            (row("rejected", "alarm greenlight-frontend-green-errors fired"), "\"odds of\""),
            (Row { requests_failed: 13, ..back.clone() }, "12 could fail at most"),
            (Row { seconds: 9.9, ..back.clone() }, "after 10 to 30 s"),
            (Row { seconds: 30.1, ..back.clone() }, "after 10 to 30 s"),
            (Row { shares: vec![3, 90], ..back.clone() }, "it had 90 %"),
            (Row { attempts: 2, ..back.clone() }, "1 attempts were allowed"),
        ] {
            let missed = must.is_missed_by(&wrong).unwrap();
            assert!(missed.contains(says), "{missed}");
        }
    }

    #[test]
    fn a_case_is_known_by_its_name_and_behaves_as_the_sample_can() {
        assert_eq!(chosen(&[]).unwrap().len(), CASES.len());
        assert_eq!(chosen(&["hangs".to_owned()]).unwrap().len(), 1);
        let error = chosen(&["hang".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("\"hang\"") && error.contains("outage of both"), "{error}");
        for case in &CASES {
            for behaviour in [case.live, case.candidate] {
                serde_json::from_str::<serde_json::Value>(behaviour).unwrap();
            }
            assert!(CASES.iter().filter(|other| other.name == case.name).count() == 1, "{}", case.name);
        }
    }
}
