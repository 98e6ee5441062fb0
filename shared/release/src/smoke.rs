//! What the kit has asked of both colours because the bundle's `smoke.txt` names it. A candidate that answers otherwise than it
//! says, where live does not, gets no weight; from the first weight on what was asked of both by coin is evidence against it
//! ([`Pairs`](crate::evidence::Pairs)).

use crate::{Colour, InstanceId, PerColour};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest path that is told, in bytes.
const PATH_BYTES: usize = 256;

/// What the load balancer's health checks ask (infra/service.yaml), and the kit before the first question.
const HEALTH_PATH: &str = "/healthz";

/// A path, and what both colours of an instance have answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Smoked {
    /// The path.
    pub path: String,
    /// How often both were asked. `None`: a kit tells it that does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u32>,
    /// What each colour has answered.
    #[serde(flatten)]
    pub answers: PerColour<SmokeAnswer>,
}

/// What a colour has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct SmokeAnswer {
    /// The status; 0 if there was no answer.
    pub status: u16,
    /// Whether status and text are what the bundle expects.
    pub fine: bool,
}

/// What an instance tells of its smoke.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SmokeReport {
    /// The instance.
    pub instance: InstanceId,
    /// What was asked.
    pub smoked: Vec<Smoked>,
}

/// A report that no kit makes. The question that brought it is answered all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its smoke is no list of at most {most} paths with an answer of each colour, as docs/hook-protocol.md shows", most = SmokeReport::PATHS)]
pub struct SmokeError;

/// What each instance has told, the latest.
pub type Smoke = BTreeMap<InstanceId, Vec<Smoked>>;

/// What smoke says of the first weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Smokes {
    /// Nothing was named, or all is well.
    Fine,
    /// This instance has not told yet.
    Missing(InstanceId),
    /// The candidate answers otherwise than the bundle says, and live does not.
    Fails {
        /// Where.
        instance: InstanceId,
        /// What was seen there.
        seen: String,
    },
}

impl SmokeReport {
    /// How many paths a bundle names at most.
    pub const PATHS: usize = 10;
    /// Of how many instances the reports are kept.
    pub const INSTANCES: usize = 10;

    /// Reads the member `smoke` of a question.
    ///
    /// # Errors
    /// Anything that no kit tells.
    pub fn read(instance: InstanceId, smoke: &Value) -> Result<Self, SmokeError> {
        let list = smoke.as_array().filter(|list| list.len() <= Self::PATHS).ok_or(SmokeError)?;
        let smoked: Result<Vec<Smoked>, _> = list.iter().map(Smoked::deserialize).collect();
        let smoked = smoked.map_err(|_| SmokeError)?;
        let can_be = |smoked: &Smoked| {
            let Smoked { path, answers: PerColour { blue, green }, .. } = smoked;
            path.starts_with('/')
                && path.len() <= PATH_BYTES
                && path.bytes().all(|byte| byte.is_ascii_graphic())
                && blue.status < 1_000
                && green.status < 1_000
        };
        smoked.iter().all(can_be).then_some(Self { instance, smoked }).ok_or(SmokeError)
    }
}

/// Remembers what an instance tells, if it is one of the release's, as soon as these are known. Of more instances than are kept,
/// those that came first stand for the others.
pub(crate) fn take(smoke: &mut Smoke, report: &SmokeReport, targets: &[InstanceId]) {
    keep_of(smoke, targets);
    let is_known = targets.is_empty() || targets.contains(&report.instance);
    if !is_known {
        return;
    }
    if smoke.len() < SmokeReport::INSTANCES || smoke.contains_key(&report.instance) {
        smoke.insert(report.instance.clone(), report.smoked.clone());
    }
}

/// Forgets who is none of the release's instances: whoever made one up before it was installed keeps no real one out.
fn keep_of(smoke: &mut Smoke, targets: &[InstanceId]) {
    smoke.retain(|instance, _| targets.is_empty() || targets.contains(instance));
}

/// What was told, for a candidate on these instances. When one has told something, all must have: they have the same bundle. So
/// must they where the bundle is known to tell something (`tells`): they stand in `ValidateService` and are healthy before their
/// hooks have asked anything.
pub(crate) fn judge(smoke: &Smoke, targets: &[InstanceId], candidate: Colour, tells: bool) -> Smokes {
    for (instance, smoked) in smoke.iter().filter(|(instance, _)| targets.contains(instance)) {
        let fails = |smoked: &&Smoked| {
            !smoked.answers.of(candidate).fine && smoked.answers.of(candidate.other()).fine
        };
        if let Some(failed) = smoked.iter().find(fails) {
            let seen = match failed.answers.of(candidate).status {
                0 => "no answer".to_owned(),
                status => status.to_string(),
            };
            let live = candidate.other();
            let seen = format!(
                "smoke.txt: {} got {seen} from {candidate}, and from {live} what it names",
                failed.path
            );
            return Smokes::Fails { instance: instance.clone(), seen };
        }
    }
    let missing = targets.iter().find(|target| !smoke.contains_key(*target));
    match missing.filter(|_| (tells || !smoke.is_empty()) && targets.len() <= SmokeReport::INSTANCES) {
        Some(instance) => Smokes::Missing(instance.clone()),
        None => Smokes::Fine,
    }
}

/// Whether a path is the health check's, however it is spelled.
fn is_health(path: &str) -> bool {
    let parts = |path: &str| -> Vec<String> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    parts(path) == parts(HEALTH_PATH)
}

/// Whether every instance has told, and its candidate answered all that the bundle names, and not the health check alone.
pub(crate) fn shows_more_than_health(smoke: &Smoke, targets: &[InstanceId], candidate: Colour) -> bool {
    let shows = |smoked: &Vec<Smoked>| {
        smoked.iter().all(|smoked| smoked.answers.of(candidate).fine)
            && smoked.iter().any(|smoked| !is_health(&smoked.path))
    };
    !targets.is_empty() && targets.iter().all(|target| smoke.get(target).is_some_and(shows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    mod shown;

    fn id(name: &str) -> InstanceId {
        InstanceId(name.to_owned())
    }

    fn answers(path: &str, blue: u16, green: u16) -> Value {
        let of = |status| json!({"status": status, "fine": status == 200});
        json!({"path": path, "blue": of(blue), "green": of(green)})
    }

    #[test]
    fn a_report_that_cannot_be_is_refused_and_a_member_that_is_new_is_left_alone() {
        let mut newer = answers("/a", 200, 200);
        newer["milliseconds"] = json!(7);
        assert!(SmokeReport::read(id("i-1"), &json!([newer])).is_ok());
        for bad in [
            json!("/a"),
            json!([{"path": "/a"}]),
            json!([answers("a", 200, 200)]),
            json!([answers("/a b", 200, 200)]),
            json!([answers("/\u{1b}[2J", 200, 200)]),
            json!([answers(&format!("/{}", "a".repeat(256)), 200, 200)]),
            json!([answers("/a", 1_000, 200)]),
            json!(vec![answers("/a", 200, 200); 11]),
        ] {
            assert_eq!(SmokeReport::read(id("i-1"), &bad), Err(SmokeError), "{bad}");
        }
    }

    /// What one instance told, of all its paths together.
    fn tell(smoke: &mut Smoke, told: &str) {
        let mut reports: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for told in told.split(',').map(str::trim).filter(|told| !told.is_empty()) {
            let (instance, pair) = told.split_once(' ').unwrap();
            let paths = reports.entry(instance).or_default();
            if let [path, blue, green] = pair.split(' ').collect::<Vec<_>>()[..] {
                let of = |answer: &str| {
                    let status = answer.trim_end_matches('!');
                    json!({"status": status.parse::<u16>().unwrap(), "fine": status == answer})
                };
                paths.push(json!({"path": path, "blue": of(blue), "green": of(green)}));
            } else {
                assert_eq!(pair, "-", "{told}");
            }
        }
        for (instance, paths) in reports {
            // Before it is installed nobody knows the instances.
            take(smoke, &SmokeReport::read(id(instance), &json!(paths)).unwrap(), &[]);
        }
    }

    #[test]
    fn each_pair_of_answers_is_judged_as_the_table_says() {
        let rows = include_str!("smoke/pairs.txt").lines();
        let rows = rows.filter(|line| !line.starts_with('#') && !line.is_empty());
        for row in rows {
            let [case, candidate, told, expected] = row.split('|').map(str::trim).collect::<Vec<_>>()[..]
            else {
                panic!("{row}")
            };
            let most = if candidate.ends_with("eleven") { 11 } else { 2 };
            let targets: Vec<_> = (1..=most).map(|number| id(&format!("i-{number}"))).collect();
            let candidate = if candidate.starts_with("blue") { Colour::Blue } else { Colour::Green };
            let mut smoke = Smoke::default();
            for told in told.split(';') {
                tell(&mut smoke, told);
            }
            let judged = match judge(&smoke, &targets, candidate, false) {
                Smokes::Fine => "fine".to_owned(),
                Smokes::Missing(instance) => format!("missing {}", instance.0),
                Smokes::Fails { instance, seen } => {
                    let live = candidate.other();
                    let seen = seen.replace("no answer", "0");
                    let seen = seen.strip_prefix("smoke.txt: ").unwrap().replace(" got", "");
                    let from = format!(" from {candidate}, and from {live} what it names");
                    format!("fails {} {}", instance.0, seen.strip_suffix(&from).unwrap())
                }
            };
            assert_eq!(judged, expected, "{case}");
        }
    }

    #[test]
    fn made_up_instances_keep_no_real_one_out() {
        let well = json!([answers("/a", 200, 200)]);
        let tells = |name: &str| SmokeReport::read(id(name), &well).unwrap();
        let mut smoke = Smoke::default();
        for number in 0..=SmokeReport::INSTANCES {
            take(&mut smoke, &tells(&format!("made-up-{number}")), &[]);
        }
        assert_eq!(smoke.len(), SmokeReport::INSTANCES);
        let targets = [id("i-1")];
        take(&mut smoke, &tells("i-1"), &targets);
        take(&mut smoke, &tells("made-up-0"), &targets);
        assert_eq!(smoke.keys().collect::<Vec<_>>(), [&targets[0]]);
    }
}
