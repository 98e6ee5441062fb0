//! How weight moves: CodeDeploy's own strategy names, and ours with units.

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

/// The steps from no weight to all of it.
///
/// `AllAtOnce`, CodeDeploy's predefined names (`Canary10Percent5Minutes`, `Linear10PercentEvery1Minute`, …:
/// codedeploy user guide, deployment-configurations), or `canary:5%:90s` and `linear:20%:1m`.
/// A predefined name may carry CodeDeploy's prefix (`CodeDeployDefault.`, `CodeDeployDefault.LambdaCanary…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Strategy {
    /// Everything in one raise.
    AllAtOnce,
    /// One step, then the rest.
    Canary(Step),
    /// The same raise again and again.
    Linear(Step),
}

/// A text that is no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "strategy {0:?} is not known: use AllAtOnce, a CodeDeploy name such as Canary10Percent5Minutes or \
     Linear10PercentEvery1Minute, or canary:5%:90s, linear:10%:1m (1 to 99 percent, time with a unit)"
)]
pub struct StrategyError(pub String);

impl Strategy {
    /// Where the first raise goes. `None`: to everything.
    pub fn first(self) -> Option<Step> {
        self.step(0)
    }

    /// The step with this index. `None`: all steps are done, and all weight follows.
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
        }
    }

    /// The time from the first raise to the last one.
    pub fn total(self) -> Duration {
        match self {
            Self::AllAtOnce => Duration::ZERO,
            Self::Canary(step) => step.hold,
            Self::Linear(step) => step.hold * (99 / u32::from(step.percent.max(1))),
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
    if let Some(rest) = name.strip_prefix("canary:") {
        return own_form(rest).map(Strategy::Canary);
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
    fn what_is_no_strategy_is_refused_with_what_is_expected() {
        for text in [
            "",
            "canary",
            "canary:0%:5s",
            "canary:100%:5s",
            "canary:5%:90",
            "canary:5%:0s",
            "Canary10Percent",
            "linear:-5%:1m",
            "allatonce",
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
