//! How weight moves: CodeDeploy's own strategy names, ours with units, and by evidence.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One weight, held for its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    /// The candidate's share of the traffic, 1 to 99.
    pub percent: u8,
    /// How long it is held before the next raise.
    pub hold: Duration,
}

/// A first weight that is held until what both colours have counted decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ByEvidence {
    /// The candidate's share of the traffic, 1 to 50. `None`: as large as what is proven and the harm that is allowed let it be.
    pub percent: Option<u8>,
    /// How long it may last, at least [`ByEvidence::LEAST`].
    pub latest: Duration,
}

impl ByEvidence {
    /// It lasts so long at least.
    pub const LEAST: Duration = Duration::from_secs(180);
    /// So long at most, where nothing else is said.
    pub const LATEST: Duration = Duration::from_secs(1800);
    /// What the candidate has during the bake: the rest stays on live, to be compared with.
    pub const BAKE_PERCENT: u8 = 90;
    /// The largest first share. A failure proves the less the more of the traffic the candidate has.
    const MOST_PERCENT: u8 = 50;
}

/// The steps from no weight to all of it.
///
/// `AllAtOnce`, CodeDeploy's predefined names (`Canary10Percent5Minutes`, `Linear10PercentEvery1Minute`, …:
/// codedeploy user guide, deployment-configurations), or `canary:5%:90s` and `linear:20%:1m`.
/// A predefined name may carry CodeDeploy's prefix (`CodeDeployDefault.`, `CodeDeployDefault.LambdaCanary…`).
/// `evidence`, `evidence(20m)` and `canary:10%:evidence(30m)` have no time: the time in brackets is the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Strategy {
    /// Everything in one raise.
    AllAtOnce,
    /// One step, then the rest.
    Canary(Step),
    /// The same raise again and again.
    Linear(Step),
    /// One step until the counts decide, 90 % for the bake, then the rest.
    Evidence(ByEvidence),
}

/// A text that is no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "strategy {0:?} is not known: use AllAtOnce, a CodeDeploy name such as Canary10Percent5Minutes or \
     Linear10PercentEvery1Minute, canary:5%:90s or linear:10%:1m (1 to 99 percent, time with a unit), or evidence, \
     evidence(20m) or canary:10%:evidence(30m) (1 to 50 percent, at least 3m)"
)]
pub struct StrategyError(pub String);

impl Strategy {
    /// Where the first raise goes. `None`: to everything.
    pub fn first(self) -> Option<Step> {
        self.step(0)
    }

    /// The step with this index. `None`: all steps are done, and all weight follows.
    ///
    /// By evidence the first one has the least time that it lasts, and the share that is certain; the second one is the bake,
    /// whose time is the release's.
    pub fn step(self, index: u32) -> Option<Step> {
        match self {
            Self::AllAtOnce => None,
            Self::Canary(step) => (index == 0).then_some(step),
            Self::Linear(step) => {
                let percent = (u64::from(index) + 1) * u64::from(step.percent);
                u8::try_from(percent)
                    .ok()
                    .filter(|percent| *percent < 100)
                    .map(|percent| Step { percent, ..step })
            }
            Self::Evidence(by) => match index {
                0 => Some(Step { percent: by.percent.unwrap_or(1), hold: ByEvidence::LEAST }),
                1 => Some(Step { percent: ByEvidence::BAKE_PERCENT, hold: Duration::ZERO }),
                _ => None,
            },
        }
    }

    /// What goes by evidence, if this does.
    pub fn by_evidence(self) -> Option<ByEvidence> {
        match self {
            Self::Evidence(by) => Some(by),
            Self::AllAtOnce | Self::Canary(_) | Self::Linear(_) => None,
        }
    }

    /// The longest time from the first raise to the last one, without the bake.
    pub fn total(self) -> Duration {
        match self {
            Self::AllAtOnce => Duration::ZERO,
            Self::Canary(step) => step.hold,
            Self::Linear(step) => step.hold * (99 / u32::from(step.percent.max(1))),
            Self::Evidence(by) => by.latest,
        }
    }
}

impl FromStr for Strategy {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<Self, StrategyError> {
        parse(text.trim()).ok_or_else(|| StrategyError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Strategy> {
    let name = text.strip_prefix("CodeDeployDefault.").unwrap_or(text);
    let name = name.strip_prefix("Lambda").or_else(|| name.strip_prefix("ECS")).unwrap_or(name);
    if name == "AllAtOnce" {
        return Some(Strategy::AllAtOnce);
    }
    if let Some(latest) = latest(name) {
        return Some(Strategy::Evidence(ByEvidence { percent: None, latest }));
    }
    if let Some(rest) = name.strip_prefix("canary:") {
        return evidence_form(rest).or_else(|| own_form(rest).map(Strategy::Canary));
    }
    if let Some(rest) = name.strip_prefix("linear:") {
        return own_form(rest).map(Strategy::Linear);
    }
    if let Some(rest) = name.strip_prefix("Canary") {
        let (percent, minutes) = rest.split_once("Percent")?;
        return Some(Strategy::Canary(Step { percent: share(percent)?, hold: whole_minutes(minutes)? }));
    }
    let (percent, minutes) = name.strip_prefix("Linear")?.split_once("PercentEvery")?;
    Some(Strategy::Linear(Step { percent: share(percent)?, hold: whole_minutes(minutes)? }))
}

fn own_form(text: &str) -> Option<Step> {
    let (percent, hold) = text.split_once("%:")?;
    let hold = duration::parse(hold)?;
    Some(Step { percent: share(percent)?, hold }).filter(|step| !step.hold.is_zero())
}

fn evidence_form(text: &str) -> Option<Strategy> {
    let (percent, evidence) = text.split_once("%:")?;
    let percent = share(percent).filter(|percent| *percent <= ByEvidence::MOST_PERCENT)?;
    Some(Strategy::Evidence(ByEvidence { percent: Some(percent), latest: latest(evidence)? }))
}

/// The longest time of an evidence step: `evidence`, or `evidence(20m)`.
fn latest(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix("evidence")?;
    if rest.is_empty() {
        return Some(ByEvidence::LATEST);
    }
    let time = duration::parse(rest.strip_prefix('(')?.strip_suffix(')')?)?;
    (time >= ByEvidence::LEAST).then_some(time)
}

fn share(text: &str) -> Option<u8> {
    text.parse().ok().filter(|percent| (1..=99).contains(percent))
}

fn whole_minutes(text: &str) -> Option<Duration> {
    let digits = text.strip_suffix("Minutes").or_else(|| text.strip_suffix("Minute"))?;
    digits
        .parse::<u16>()
        .ok()
        .filter(|minutes| *minutes > 0)
        .map(|minutes| Duration::from_secs(60 * u64::from(minutes)))
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = |hold: &Duration| {
            (hold.subsec_nanos() == 0 && hold.as_secs().is_multiple_of(60)).then_some(hold.as_secs() / 60)
        };
        let plural = |n: u64| if n == 1 { "" } else { "s" };
        match self {
            Self::AllAtOnce => f.write_str("AllAtOnce"),
            Self::Canary(Step { percent, hold }) => match minutes(hold) {
                Some(n) => write!(f, "Canary{percent}Percent{n}Minute{}", plural(n)),
                None => write!(f, "canary:{percent}%:{}", duration::show(*hold)),
            },
            Self::Linear(Step { percent, hold }) => match minutes(hold) {
                Some(n) => write!(f, "Linear{percent}PercentEvery{n}Minute{}", plural(n)),
                None => write!(f, "linear:{percent}%:{}", duration::show(*hold)),
            },
            Self::Evidence(ByEvidence { percent, latest }) => {
                if let Some(percent) = percent {
                    write!(f, "canary:{percent}%:")?;
                }
                match *latest {
                    ByEvidence::LATEST => f.write_str("evidence"),
                    latest => write!(f, "evidence({})", duration::show(latest)),
                }
            }
        }
    }
}

impl TryFrom<String> for Strategy {
    type Error = StrategyError;
    fn try_from(text: String) -> Result<Self, StrategyError> {
        text.parse()
    }
}

impl From<Strategy> for String {
    fn from(strategy: Strategy) -> Self {
        strategy.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[track_caller]
    fn check(text: &str, raises: &[u8], total_seconds: u64) {
        let strategy: Strategy = text.parse().unwrap();
        let steps: Vec<u8> = (0..).map_while(|index| strategy.step(index)).map(|step| step.percent).collect();
        assert_eq!(steps, raises, "{text}");
        assert_eq!(strategy.total(), Duration::from_secs(total_seconds), "{text}");
        assert_eq!(strategy.to_string().parse(), Ok(strategy), "{text} reads back");
    }

    #[test]
    fn every_predefined_name_of_codedeploy_is_known() {
        let by_ten = [10, 20, 30, 40, 50, 60, 70, 80, 90];
        check("AllAtOnce", &[], 0);
        for minutes in [5, 10, 15, 30] {
            check(&format!("Canary10Percent{minutes}Minutes"), &[10], minutes * 60);
        }
        check("Linear10PercentEvery1Minute", &by_ten, 540);
        for minutes in [2, 3, 10] {
            check(&format!("Linear10PercentEvery{minutes}Minutes"), &by_ten, minutes * 540);
        }
        check("CodeDeployDefault.LambdaCanary10Percent5Minutes", &[10], 300);
        check("CodeDeployDefault.ECSLinear10PercentEvery3Minutes", &by_ten, 1620);
        check("CodeDeployDefault.ECSAllAtOnce", &[], 0);
    }

    #[test]
    fn own_strategies_carry_units() {
        check("canary:5%:90s", &[5], 90);
        check("linear:30%:1m", &[30, 60, 90], 180);
        check("linear:50%:10s", &[50], 10);
    }

    #[test]
    fn evidence_has_a_longest_time_and_bakes_at_ninety_per_cent() {
        check("evidence", &[1, 90], 1800);
        check("evidence(20m)", &[1, 90], 1200);
        check("canary:10%:evidence(30m)", &[10, 90], 1800);
        check("canary:50%:evidence(190s)", &[50, 90], 190);
        assert_eq!("evidence(30m)".parse::<Strategy>().unwrap().to_string(), "evidence");
    }

    #[test]
    fn what_is_no_strategy_is_refused_with_what_is_expected() {
        for text in [
            "",
            "canary",
            "canary:0%:5s",
            "canary:100%:5s",
            "canary:5%:90",
            "canary:5%:0s",
            "Canary10Percent",
            "Canary10Percent0Minutes",
            "Linear10PercentEvery0Minutes",
            "linear:-5%:1m",
            "allatonce",
            "evidence()",
            "evidence(30)",
            "evidence(2m)",
            "evidence(30m",
            "canary:51%:evidence(30m)",
            "canary:0%:evidence",
            "linear:10%:evidence(30m)",
        ] {
            let error = text.parse::<Strategy>().unwrap_err();
            assert!(error.to_string().contains("Canary10Percent5Minutes"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn steps_grow_and_never_reach_everything(percent in 1u8..=99, seconds in 1u64..4000) {
            let strategy = Strategy::Linear(Step { percent, hold: Duration::from_secs(seconds) });
            let steps: Vec<Step> = (0..).map_while(|index| strategy.step(index)).collect();
            prop_assert!(steps.windows(2).all(|pair| pair[0].percent < pair[1].percent));
            prop_assert!(steps.iter().all(|step| (1..100).contains(&step.percent)));
            prop_assert_eq!(strategy.total(), steps.iter().map(|step| step.hold).sum::<Duration>());
            prop_assert_eq!(strategy.to_string().parse::<Strategy>(), Ok(strategy));
        }
    }
}
