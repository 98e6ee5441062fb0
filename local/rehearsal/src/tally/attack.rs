//! What became of an attack: how far each attacker got, when it was cut off, and what the others noticed of it.

use serde::Serialize;
use std::time::Duration;
use visitors::{Attacker, Attempt, Count};

/// An attacker counts as cut off after so many refused requests in a row: a rule that blocks only some paths must not
/// pass for it.
const IN_A_ROW: usize = 10;

/// The whole attack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attack {
    /// Requests of all attackers.
    pub requests: u64,
    /// How many of them were turned away, by any rule of the web ACL.
    pub blocked: u64,
    /// How many of them a version of the service answered.
    pub got_through: u64,
    /// From the first request of the attack to the moment from which on one attacker reached nothing any more.
    pub first_block_s: Option<f64>,
    /// The same for the last attacker; none when somebody was never cut off.
    pub all_blocked_s: Option<f64>,
    /// Requests of others that were turned away during the whole run.
    pub legitimate_blocked: u64,
    /// Requests of others that got no answer from any version during the whole run.
    pub legitimate_lost: u64,
    /// Requests of an office behind one address, which logs in all the while.
    pub office_requests: u64,
    /// How many of them were turned away.
    pub office_blocked: u64,
    /// Each attacker.
    pub offenders: Vec<Offender>,
}

/// One attacker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Offender {
    /// What it did.
    pub name: String,
    /// Its address, or its first one.
    pub address: String,
    /// Its requests.
    pub requests: u64,
    /// How many of them were turned away.
    pub blocked: u64,
    /// How many of them a version of the service answered.
    pub got_through: u64,
    /// From its first request to the moment from which on it reached nothing any more.
    pub cut_off_s: Option<f64>,
    /// What `waf-logs` says why it is blocked.
    pub why: Option<String>,
}

impl Attack {
    /// From what the attackers attempted and how the others fared.
    pub fn draw_up(attackers: &[Attacker], attempts: &[Attempt], others: &Count) -> Self {
        let offenders: Vec<Offender> = attackers
            .iter()
            .enumerate()
            .map(|(number, attacker)| Offender::draw_up(attacker, &of(attempts, number)))
            .collect();
        let sum = |of: fn(&Offender) -> u64| offenders.iter().map(of).sum();
        let ends: Vec<Duration> =
            (0..attackers.len()).filter_map(|number| cut_off(&of(attempts, number))).collect();
        let began = attempts.iter().map(|attempt| attempt.sent).min().unwrap_or_default();
        let after = |end: Duration| seconds(end.saturating_sub(began));
        let all = (ends.len() == attackers.len()).then(|| ends.iter().max().copied()).flatten();
        Self {
            requests: sum(|offender| offender.requests),
            blocked: sum(|offender| offender.blocked),
            got_through: sum(|offender| offender.got_through),
            first_block_s: ends.iter().min().copied().map(after),
            all_blocked_s: all.map(after),
            legitimate_blocked: others.turned_away,
            legitimate_lost: others.lost,
            office_requests: 0,
            office_blocked: 0,
            offenders,
        }
    }

    /// Adds how an office fared meanwhile.
    pub fn add_office(&mut self, attempts: &[Attempt]) {
        self.office_requests = attempts.len() as u64;
        self.office_blocked = attempts.iter().filter(|attempt| attempt.was_blocked()).count() as u64;
    }

    /// Whether it ended as it has to: everybody who attacks cut off, nobody else.
    pub fn deviations(&self) -> Vec<String> {
        let never = self.offenders.iter().filter(|offender| offender.cut_off_s.is_none());
        let mut deviations: Vec<String> = never
            .map(|offender| format!("the {} from {} was never cut off", offender.name, offender.address))
            .collect();
        if self.legitimate_blocked > 0 {
            deviations
                .push(format!("{} requests of legitimate visitors were blocked", self.legitimate_blocked));
        }
        if self.office_blocked > 0 {
            deviations.push(format!("{} requests of the office were blocked", self.office_blocked));
        }
        deviations
    }

    /// For the screen.
    pub fn lines(&self) -> Vec<String> {
        let time =
            |value: Option<f64>| value.map_or_else(|| "never".to_owned(), |value| format!("{value:.1} s"));
        let mut lines = vec![format!(
            "attack: {} requests, {} blocked, {} got through; the first attacker cut off after {}, the last after {}; \
             {} legitimate requests blocked, {} lost",
            self.requests,
            self.blocked,
            self.got_through,
            time(self.first_block_s),
            time(self.all_blocked_s),
            self.legitimate_blocked,
            self.legitimate_lost,
        )];
        if self.office_requests > 0 {
            lines.push(format!(
                "office of many behind one address, logging in all the while: {} requests, {} blocked",
                self.office_requests, self.office_blocked
            ));
        }
        lines.extend(self.offenders.iter().map(Offender::line));
        lines
    }
}

impl Offender {
    fn draw_up(attacker: &Attacker, attempts: &[Attempt]) -> Self {
        let count = |wanted: fn(&Attempt) -> bool| {
            u64::try_from(attempts.iter().filter(|attempt| wanted(attempt)).count()).unwrap_or(u64::MAX)
        };
        let began = attempts.first().map(|attempt| attempt.sent).unwrap_or_default();
        Self {
            name: attacker.name.clone(),
            address: attacker.address().map(|address| address.to_string()).unwrap_or_default(),
            requests: count(|_| true),
            blocked: count(Attempt::was_blocked),
            got_through: count(|attempt| attempt.got_through),
            cut_off_s: cut_off(attempts).map(|end| seconds(end.saturating_sub(began))),
            why: None,
        }
    }

    /// In one line.
    pub fn line(&self) -> String {
        let Self { name, address, requests, blocked, got_through, .. } = self;
        let end = match self.cut_off_s {
            Some(after) => format!("cut off after {after:.1} s"),
            None => "NOT CUT OFF".to_owned(),
        };
        format!(
            "{name:<12} {address:<17} {end}; {requests} requests, {blocked} blocked, {got_through} got through"
        )
    }
}

/// The attempts of one attacker.
pub(crate) fn of(attempts: &[Attempt], attacker: usize) -> Vec<Attempt> {
    attempts.iter().filter(|attempt| attempt.attacker == attacker).copied().collect()
}

/// When one attacker's requests began to be turned away without exception, if they have.
pub(crate) fn cut_off(attempts: &[Attempt]) -> Option<Duration> {
    let blocked = attempts.iter().rev().take_while(|attempt| attempt.was_blocked()).count();
    (blocked >= IN_A_ROW)
        .then(|| attempts.iter().rev().nth(blocked - 1))
        .flatten()
        .map(|attempt| attempt.sent)
}

/// Seconds, to a tenth.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;
    use visitors::VisitEnding;

    /// A request each 100 ms: `.` got through, `x` was blocked.
    fn attempts(attacker: usize, story: &str) -> Vec<Attempt> {
        let attempt = |(number, what): (usize, char)| Attempt {
            attacker,
            sent: Duration::from_millis(100) * u32::try_from(number).unwrap(),
            outcome: VisitEnding::Answered(if what == 'x' { 403 } else { 200 }),
            got_through: what != 'x',
        };
        story.chars().enumerate().map(attempt).collect()
    }

    fn drawn_up(scanner: &str, rotating: &str, others: Count) -> Attack {
        let attackers = [Attacker::scanner(IpAddr::from([198, 51, 100, 7]), 10), Attacker::rotating(10)];
        let all = [attempts(0, scanner), attempts(1, rotating)].concat();
        Attack::draw_up(&attackers, &all, &others)
    }

    #[test]
    fn somebody_is_cut_off_when_nothing_gets_through_any_more() {
        let attack =
            drawn_up("x..x.xxxxxxxxxxx", "........xxxxxxxxxx", Count { served: 9, ..Count::default() });
        assert_eq!((attack.requests, attack.blocked, attack.got_through), (34, 23, 11));
        assert_eq!((attack.first_block_s, attack.all_blocked_s), (Some(0.5), Some(0.8)));
        assert_eq!(attack.deviations(), Vec::<String>::new());
        assert!(attack.lines()[1].contains("198.51.100.7"), "{:?}", attack.lines());
    }

    #[test]
    fn a_rule_that_blocks_some_paths_does_not_pass_for_a_block() {
        let attack = drawn_up("x..xx.xxx", "....xxxxxxxxxx", Count::default());
        assert_eq!((attack.first_block_s, attack.all_blocked_s), (Some(0.4), None));
        assert_eq!(attack.deviations(), ["the scanner from 198.51.100.7 was never cut off"]);
    }

    #[test]
    fn an_office_that_is_blocked_is_a_deviation() {
        let blocked = "x".repeat(10);
        let mut attack = drawn_up(&blocked, &blocked, Count::default());
        attack.add_office(&attempts(0, "...x"));
        assert_eq!(attack.deviations(), ["1 requests of the office were blocked"]);
    }

    #[test]
    fn legitimate_visitors_who_are_blocked_are_a_deviation() {
        let blocked = "x".repeat(10);
        let attack = drawn_up(&blocked, &blocked, Count { turned_away: 2, ..Count::default() });
        assert_eq!(attack.deviations(), ["2 requests of legitimate visitors were blocked"]);
    }
}
