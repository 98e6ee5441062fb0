//! A gate: a function of whoever runs the service, which must say yes before a release gets its first weight, and again
//! before its success is written. Silence is no.
//!
//! A release is bound to the gate that it opened with. What goes back to an older version asks nobody, and neither does the
//! first release, which has nothing to protect.

use crate::plan::schedule::since;
use crate::stored::UnknownFields;
use crate::{Colour, Commit, Ledger, Open, Phase, ReleaseNumber, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How long after a question that was not answered for good the gate is asked again. Longer than [`Gate::PATIENCE`], so that it
/// is asked one question at a time.
const ASKED_AGAIN: Duration = Duration::from_secs(15);

/// Bytes of what a gate says that are repeated.
const TOLD: usize = 256;

/// What needs a gate's yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// The candidate's first weight.
    Weight,
    /// The success of a release that has baked.
    Promotion,
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Weight => "the first weight",
            Self::Promotion => "promotion",
        })
    }
}

/// What a gate has said, or why nothing is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum GateAnswer {
    /// The release goes on.
    Yes,
    /// It goes back.
    No {
        /// Why, in the gate's words.
        reason: String,
    },
    /// It is asked again until its time is over: it said wait, or nothing that can be understood.
    NotYet {
        /// Which of these, in a clause such as "it threw `TypeError`".
        why: String,
    },
}

/// The gate of an open release, and what it has said before the next of the two steps that need its yes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gate {
    /// How long each yes may take, fixed when the release opened.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub deadline: Duration,
    /// What needs its yes next.
    pub before: Before,
    /// Since when that yes is all that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it was last asked for it. Written before it is asked, so that of many functions one asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// What it said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<GateAnswer>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// What a gate is asked: the payload of its invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateQuestion {
    /// The service.
    pub service: ServiceName,
    /// The release's number.
    pub release: ReleaseNumber,
    /// Its commit.
    pub commit: Commit,
    /// Its attempt.
    pub attempt: u32,
    /// The colour that it is on.
    pub colour: Colour,
    /// What the yes is for.
    pub before: Before,
    /// Until when an answer counts.
    pub until: Timestamp,
}

/// What a gate has answered to a question.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GateReport {
    /// The release that it was asked about.
    pub release: ReleaseNumber,
    /// Its attempt.
    pub attempt: u32,
    /// What the yes was asked for.
    pub before: Before,
    /// The answer.
    #[serde(flatten)]
    pub answer: GateAnswer,
}

impl GateQuestion {
    /// The answer to this question.
    pub fn answered(&self, answer: GateAnswer) -> GateReport {
        GateReport { release: self.release, attempt: self.attempt, before: self.before, answer }
    }
}

impl GateAnswer {
    /// Reads what the gate's function has returned, in bytes of JSON.
    pub fn returned(payload: &[u8]) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Word {
            Yes,
            No,
            Wait,
        }
        #[derive(Deserialize)]
        struct Returned {
            answer: Word,
            reason: Option<String>,
        }
        match serde_json::from_slice(payload) {
            Ok(Returned { answer: Word::Yes, .. }) => Self::Yes,
            Ok(Returned { answer: Word::No, reason }) => {
                let reason = reason.map_or_else(|| "without a reason".to_owned(), |reason| told(&reason));
                Self::No { reason }
            }
            Ok(Returned { answer: Word::Wait, reason: Some(reason) }) => {
                Self::NotYet { why: format!("it said wait: {}", told(&reason)) }
            }
            Ok(Returned { answer: Word::Wait, reason: None }) => {
                Self::NotYet { why: "it said wait".to_owned() }
            }
            Err(_) => Self::NotYet { why: r#"it returned no {"answer": "yes"}, "no" or "wait""#.to_owned() },
        }
    }

    /// Reads the error that Lambda answers with in the place of a function that failed: of it the type alone is told, because
    /// the message may hold anything. One that ran for too long has the type `Sandbox.Timedout`, or the message alone (Lambda
    /// developer guide, "Configure Lambda function timeout").
    pub fn threw(payload: &[u8]) -> Self {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        struct Thrown {
            error_type: String,
            error_message: String,
        }
        let Thrown { error_type, error_message } = serde_json::from_slice(payload).unwrap_or_default();
        let why = if error_type == "Sandbox.Timedout" || error_message.contains("Task timed out after") {
            "it ran into its own time-out".to_owned()
        } else if error_type.is_empty() {
            "it failed".to_owned()
        } else {
            format!("it threw {}", told(&error_type))
        };
        Self::NotYet { why }
    }

    /// It could not be asked, or has not answered.
    pub fn unreached(why: &str) -> Self {
        Self::NotYet { why: told(why) }
    }
}

/// The beginning of a text from outside, with its control characters escaped.
fn told(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars() {
        let before = shown.len();
        if letter.is_control() {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
        if shown.len() > TOLD {
            shown.truncate(before);
            return format!("{shown}… ({} bytes)", text.len());
        }
    }
    shown
}

impl Gate {
    /// How long a gate is waited for when it is asked. What takes it longer, it does by itself, and says wait meanwhile.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// The shortest deadline: a gate that is asked every five seconds at most can answer a second question.
    pub const SHORTEST: Duration = Duration::from_secs(30);

    /// The gate of a release that opens now, which may take so long for each yes. With no time there is none.
    pub(crate) fn with(deadline: Duration) -> Option<Self> {
        (!deadline.is_zero()).then(|| Self {
            deadline,
            before: Before::Weight,
            since: None,
            asked_at: None,
            said: None,
            unknown_fields: UnknownFields::default(),
        })
    }

    /// Until when a yes counts, while one is waited for.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.since.map(|start| start.checked_add(self.deadline).unwrap_or(Timestamp::MAX))
    }

    /// Why it was not answered for good; `None` where nothing was heard.
    pub(crate) fn so_far(&self) -> Option<&str> {
        match &self.said {
            Some(GateAnswer::NotYet { why }) => Some(why),
            Some(GateAnswer::Yes | GateAnswer::No { .. }) | None => None,
        }
    }

    /// How long the answers that are missing may take together.
    pub(crate) fn time_left(&self) -> Duration {
        match (self.before, &self.said) {
            (Before::Weight, _) => self.deadline * 2,
            (Before::Promotion, Some(GateAnswer::Yes)) => Duration::ZERO,
            (Before::Promotion, _) => self.deadline,
        }
    }

    /// Why the release goes back: it said no, or its time is over.
    pub(crate) fn refuses(&self, now: Timestamp) -> Option<String> {
        let is_over = since(self.since?, now) >= self.deadline;
        let limit = duration::show(self.deadline);
        match &self.said {
            Some(GateAnswer::No { reason }) => Some(format!("it said no, {reason}")),
            Some(GateAnswer::NotYet { why }) if is_over => {
                Some(format!("none within {limit}, at last {why}"))
            }
            None if is_over => Some(format!("none within {limit}, and no hook's question had it asked")),
            Some(GateAnswer::Yes | GateAnswer::NotYet { .. }) | None => None,
        }
    }

    /// Whether it has said yes to this step. If not, it is asked from now on.
    pub(crate) fn lets_pass(&mut self, before: Before, now: Timestamp) -> bool {
        if (self.before, before) == (Before::Promotion, Before::Weight) {
            return true;
        }
        if (self.before, before) == (Before::Weight, Before::Promotion) {
            self.turns_to_promotion();
        }
        let said_yes = self.said == Some(GateAnswer::Yes);
        match before {
            Before::Weight if said_yes => self.turns_to_promotion(),
            Before::Weight | Before::Promotion => {
                self.since.get_or_insert(now);
            }
        }
        said_yes
    }

    fn turns_to_promotion(&mut self) {
        self.before = Before::Promotion;
        (self.since, self.asked_at, self.said) = (None, None, None);
    }

    /// Whether an answer is waited for, and would still count.
    fn waits(&self, now: Timestamp) -> bool {
        let is_final = matches!(self.said, Some(GateAnswer::Yes | GateAnswer::No { .. }));
        !is_final && self.since.is_some_and(|start| since(start, now) < self.deadline)
    }
}

impl Open {
    /// Takes what the gate has answered, if it was asked this and the answer is in time.
    pub(crate) fn hear_gate(&mut self, report: &GateReport, now: Timestamp) {
        let GateReport { release, attempt, before, answer } = report;
        let is_this = (*release, *attempt) == (self.upload.number, self.attempt);
        let gate = self.gate.as_mut().filter(|gate| is_this && gate.before == *before && gate.waits(now));
        if let Some(gate) = gate {
            gate.said = Some(answer.clone());
        }
    }

    /// That it waits for its gate, for whoever may upload: without the gate's words.
    pub(crate) fn waits_for_gate(&self, now: Timestamp) -> Option<String> {
        let gate = self.gate.as_ref().filter(|gate| gate.waits(now))?;
        let until = gate.until()?;
        Some(format!("waits for the gate's yes before {}, and goes back without it at {until}", gate.before))
    }

    /// What the gate is to be asked while its answer is waited for.
    fn gate_question(&self, service: &ServiceName, now: Timestamp) -> Option<GateQuestion> {
        let gate = self.gate.as_ref().filter(|gate| gate.waits(now))?;
        matches!(self.phase, Phase::Shifting(_) | Phase::Baking(_)).then_some(())?;
        Some(GateQuestion {
            service: service.clone(),
            release: self.upload.number,
            commit: self.upload.commit.clone(),
            attempt: self.attempt,
            colour: self.colour,
            before: gate.before,
            until: gate.until()?,
        })
    }
}

/// What the gate is to be asked now, if anything, and the ledger that says that it is. That is written first: whoever has
/// written it asks, and nobody else does meanwhile.
#[must_use]
pub fn ask_gate(mut ledger: Ledger, now: Timestamp) -> (Ledger, Option<GateQuestion>) {
    let Some(open) = &mut ledger.open else { return (ledger, None) };
    let question = open.gate_question(&ledger.service, now);
    let Some(gate) = open.gate.as_mut().filter(|_| question.is_some()) else { return (ledger, None) };
    if gate.asked_at.is_some_and(|asked| since(asked, now) < ASKED_AGAIN) {
        return (ledger, None);
    }
    gate.asked_at = Some(now);
    (ledger, question)
}

const _: () = assert!(Gate::PATIENCE.as_secs() < ASKED_AGAIN.as_secs());
const _: () = assert!(ASKED_AGAIN.as_secs() < Gate::SHORTEST.as_secs());

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn not_yet(answer: GateAnswer) -> String {
        let GateAnswer::NotYet { why } = answer else { panic!("{answer:?}") };
        why
    }

    #[test]
    fn only_the_word_yes_is_a_yes() {
        assert_eq!(GateAnswer::returned(br#"{"answer": "yes", "ticket": 7}"#), GateAnswer::Yes);
        let nonsense = [
            "",
            "null",
            "true",
            r#""yes""#,
            r#"{"answer": true}"#,
            r#"{"answer": "Yes"}"#,
            r#"{"answer": "yes, but"}"#,
            r#"{"Answer": "yes"}"#,
            r#"{"answer": "yes"} and more"#,
            r#"{"statusCode": 200, "body": "{\"answer\": \"yes\"}"}"#,
            r#"["yes"]"#,
            "\u{0}yes",
        ];
        for nonsense in nonsense {
            let why = not_yet(GateAnswer::returned(nonsense.as_bytes()));
            assert!(why.starts_with("it returned no"), "{nonsense}: {why}");
        }
    }

    #[test]
    fn no_and_wait_are_told_with_their_reason() {
        let no = |reason: &str| GateAnswer::No { reason: reason.to_owned() };
        assert_eq!(GateAnswer::returned(br#"{"answer": "no", "reason": "load test"}"#), no("load test"));
        assert_eq!(GateAnswer::returned(br#"{"answer": "no"}"#), no("without a reason"));
        assert_eq!(not_yet(GateAnswer::returned(br#"{"answer": "wait"}"#)), "it said wait");
        let waits = br#"{"answer": "wait", "reason": "2 of 3 done"}"#;
        assert_eq!(not_yet(GateAnswer::returned(waits)), "it said wait: 2 of 3 done");
    }

    #[test]
    fn of_an_error_the_type_is_told_and_the_message_never() {
        let threw = |payload: &str| not_yet(GateAnswer::threw(payload.as_bytes()));
        let secret = r#"{"errorType": "TypeError", "errorMessage": "token=abc", "trace": []}"#;
        assert_eq!(threw(secret), "it threw TypeError");
        let late = r#"{"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 1 Error: Task timed out after 3.00 seconds"}"#;
        assert_eq!(threw(late), "it ran into its own time-out");
        let late = r#"{"errorMessage": "2026-03-02T10:00:00Z 1 Task timed out after 3.00 seconds"}"#;
        assert_eq!(threw(late), "it ran into its own time-out");
        assert_eq!((threw("no JSON"), threw("null")), ("it failed".to_owned(), "it failed".to_owned()));
    }

    #[test]
    fn a_stored_gate_keeps_what_another_version_has_written() {
        let stored = serde_json::json!({
            "deadline": "2m", "before": "promotion", "since": "2026-03-02T10:00:00Z", "asked_at": "2026-03-02T10:00:05Z",
            "said": {"answer": "not_yet", "why": "it said wait"}, "voters": 3,
        });
        let gate: Gate = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(serde_json::to_value(&gate).unwrap(), stored);
        assert_eq!(gate.until(), Some("2026-03-02T10:02:00Z".parse().unwrap()));
    }

    #[test]
    fn what_a_gate_says_is_repeated_without_control_characters_and_within_bounds() {
        let long = format!("\u{1b}[2J{}", "ü".repeat(100_000));
        let says = |answer| json!({"answer": answer, "reason": long}).to_string();
        let GateAnswer::No { reason } = GateAnswer::returned(says("no").as_bytes()) else { panic!("{long}") };
        let waits = not_yet(GateAnswer::returned(says("wait").as_bytes()));
        let threw = not_yet(GateAnswer::threw(json!({"errorType": long}).to_string().as_bytes()));
        let unreached = not_yet(GateAnswer::unreached(&long));
        let said = ["", "it said wait: ", "it threw ", ""].into_iter().zip([reason, waits, threw, unreached]);
        for (begins, said) in said {
            let told = said.strip_prefix(begins).unwrap();
            assert!(told.starts_with("\\u{1b}[2Jü"), "{said}");
            assert!(told.len() < TOLD + 40 && told.ends_with("… (200004 bytes)"), "{said}");
        }
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A gate that may take two minutes, and is waited for before this since second 0.
    fn waited_for(before: Before, said: Option<GateAnswer>) -> Gate {
        let gate = Gate::with(Duration::from_secs(120)).unwrap();
        Gate { before, since: Some(second(0)), asked_at: Some(second(100)), said, ..gate }
    }

    #[test]
    fn nothing_but_a_yes_lets_a_release_pass_whenever_it_is_looked_at() {
        let no = GateAnswer::No { reason: "load test".to_owned() };
        for said in [None, Some(GateAnswer::unreached("it said wait")), Some(no)] {
            for before in [Before::Weight, Before::Promotion] {
                for now in [0, 119, 120, 10_000] {
                    let mut gate = waited_for(before, said.clone());
                    assert!(!gate.lets_pass(before, second(now)), "{said:?} after {now} s");
                    assert_eq!(gate, waited_for(before, said.clone()), "its time goes on");
                }
            }
        }
    }

    #[test]
    fn a_yes_to_the_first_weight_leaves_a_gate_that_knows_nothing_of_promotion() {
        let mut gate = waited_for(Before::Weight, Some(GateAnswer::Yes));
        assert!(gate.lets_pass(Before::Weight, second(110)));
        let turned = Gate { before: Before::Promotion, ..Gate::with(gate.deadline).unwrap() };
        assert_eq!(gate, turned, "so the next question need not wait for the one before");
        // The weight that it has let pass needs no further yes, whoever looks again.
        assert!(gate.lets_pass(Before::Weight, second(111)));
        assert_eq!(gate, turned);
        assert!(!gate.lets_pass(Before::Promotion, second(600)));
        assert_eq!(gate.since, Some(second(600)));
    }

    #[test]
    fn a_yes_to_the_first_weight_is_none_for_promotion_though_nobody_has_looked_in_between() {
        let mut gate = waited_for(Before::Weight, Some(GateAnswer::Yes));
        assert!(!gate.lets_pass(Before::Promotion, second(600)));
        assert_eq!((gate.before, gate.since, gate.said), (Before::Promotion, Some(second(600)), None));
    }

    #[test]
    fn nobody_waits_for_a_gate_that_has_answered_or_whose_time_is_over_or_has_not_begun() {
        let no = GateAnswer::No { reason: "load test".to_owned() };
        for (said, waits) in [
            (None, true),
            (Some(GateAnswer::unreached("it said wait")), true),
            (Some(GateAnswer::Yes), false),
            (Some(no), false),
        ] {
            let gate = waited_for(Before::Weight, said);
            assert_eq!((gate.waits(second(119)), gate.waits(second(120))), (waits, false), "{gate:?}");
            assert!(!Gate { since: None, ..gate }.waits(second(119)));
        }
    }

    #[test]
    fn the_answers_that_are_missing_need_their_time() {
        let left = |before, said| waited_for(before, said).time_left().as_secs();
        let wait = || Some(GateAnswer::unreached("it said wait"));
        assert_eq!((left(Before::Weight, None), left(Before::Weight, wait())), (240, 240));
        assert_eq!((left(Before::Promotion, None), left(Before::Promotion, wait())), (120, 120));
        assert_eq!(left(Before::Promotion, Some(GateAnswer::Yes)), 0);
    }
}
