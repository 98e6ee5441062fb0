//! Which state an alarm is in, from its latest datapoints.
//!
//! Source: CloudWatch user guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data".

/// An alarm's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmState {
    /// Too little data to say.
    InsufficientData,
    /// The threshold is not breached.
    Ok,
    /// The threshold is breached.
    Alarm,
}

impl AlarmState {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientData => "INSUFFICIENT_DATA",
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
        }
    }

    /// From the API's text; anything else is insufficient data.
    pub fn from_api(text: &str) -> Self {
        match text {
            "OK" => Self::Ok,
            "ALARM" => Self::Alarm,
            _ => Self::InsufficientData,
        }
    }
}

/// How a datapoint is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Breaching above the threshold.
    Greater,
    /// Breaching at or above the threshold.
    GreaterOrEqual,
    /// Breaching below the threshold.
    Less,
    /// Breaching at or below the threshold.
    LessOrEqual,
}

impl Comparison {
    /// From the API's name; none for those of anomaly detection.
    pub(super) fn from_api(name: &str) -> Option<Self> {
        Some(match name {
            "GreaterThanThreshold" => Self::Greater,
            "GreaterThanOrEqualToThreshold" => Self::GreaterOrEqual,
            "LessThanThreshold" => Self::Less,
            "LessThanOrEqualToThreshold" => Self::LessOrEqual,
            _ => return None,
        })
    }

    fn breached(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Greater => value > threshold,
            Self::GreaterOrEqual => value >= threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Greater => "greater than",
            Self::GreaterOrEqual => "greater than or equal to",
            Self::Less => "less than",
            Self::LessOrEqual => "less than or equal to",
        }
    }
}

/// What a period without data counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingData {
    /// Neither good nor bad; an alarm without any data has insufficient data.
    Missing,
    /// Within the threshold.
    NotBreaching,
    /// Outside the threshold.
    Breaching,
    /// The state stays as it is.
    Ignore,
}

impl MissingData {
    /// From the API's name; `missing` when it has none.
    pub(super) fn from_api(name: Option<&str>) -> Self {
        match name {
            Some("notBreaching") => Self::NotBreaching,
            Some("breaching") => Self::Breaching,
            Some("ignore") => Self::Ignore,
            _ => Self::Missing,
        }
    }
}

/// When an alarm fires.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    /// How a datapoint is compared.
    pub comparison: Comparison,
    /// With what it is compared.
    pub threshold: f64,
    /// How many of the latest periods are looked at.
    pub evaluation_periods: usize,
    /// How many of them must breach.
    pub datapoints_to_alarm: usize,
    /// What a period without data counts as.
    pub missing_data: MissingData,
}

/// A state and CloudWatch's sentence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evaluated {
    /// The state the data speak for.
    pub state: AlarmState,
    /// CloudWatch's sentence: the data points and the threshold.
    pub reason: String,
}

/// Evaluates the latest datapoints, oldest first. `current` is what the alarm says now.
pub(super) fn evaluate(condition: &Condition, datapoints: &[Option<f64>], current: AlarmState) -> Evaluated {
    let skip = datapoints.len().saturating_sub(condition.evaluation_periods);
    let range: Vec<Option<f64>> = datapoints.iter().skip(skip).copied().collect();
    let breached = |value: f64| condition.comparison.breached(value, condition.threshold);
    let present: Vec<f64> = range.iter().copied().flatten().collect();
    let missing = condition.evaluation_periods.saturating_sub(present.len());
    let breaching = present.iter().copied().filter(|value| breached(*value)).count();
    let (breaching, decided) = match condition.missing_data {
        MissingData::Breaching => (breaching + missing, true),
        MissingData::NotBreaching => (breaching, true),
        MissingData::Missing | MissingData::Ignore => (breaching, !present.is_empty()),
    };
    let state = if !decided {
        match condition.missing_data {
            MissingData::Ignore => current,
            _ => AlarmState::InsufficientData,
        }
    } else if breaching >= condition.datapoints_to_alarm {
        AlarmState::Alarm
    } else {
        AlarmState::Ok
    };
    Evaluated { state, reason: reason(condition, state, &present) }
}

fn reason(condition: &Condition, state: AlarmState, present: &[f64]) -> String {
    let points = present.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let was = if state == AlarmState::Alarm { "was" } else { "was not" };
    if present.is_empty() {
        format!("No datapoints were received for {} periods", condition.evaluation_periods)
    } else {
        format!(
            "Threshold Crossed: {} datapoints [{points}] {was} {} the threshold ({}).",
            present.len(),
            condition.comparison.words(),
            condition.threshold
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(missing_data: MissingData) -> Condition {
        Condition {
            comparison: Comparison::Greater,
            threshold: 5.0,
            evaluation_periods: 3,
            datapoints_to_alarm: 2,
            missing_data,
        }
    }

    fn state(missing_data: MissingData, datapoints: &[Option<f64>]) -> AlarmState {
        evaluate(&condition(missing_data), datapoints, AlarmState::Ok).state
    }

    const HIGH: Option<f64> = Some(6.0);
    const LOW: Option<f64> = Some(5.0);

    #[test]
    fn as_many_datapoints_as_asked_for_must_breach() {
        assert_eq!(state(MissingData::Missing, &[HIGH, LOW, LOW]), AlarmState::Ok);
        assert_eq!(state(MissingData::Missing, &[HIGH, LOW, HIGH]), AlarmState::Alarm);
        assert_eq!(state(MissingData::Missing, &[HIGH, HIGH, LOW, LOW, LOW]), AlarmState::Ok);
    }

    #[test]
    fn missing_data_count_as_the_alarm_says() {
        assert_eq!(state(MissingData::Missing, &[None, None, None]), AlarmState::InsufficientData);
        assert_eq!(state(MissingData::NotBreaching, &[None, None, None]), AlarmState::Ok);
        assert_eq!(state(MissingData::Breaching, &[None, None, LOW]), AlarmState::Alarm);
        assert_eq!(state(MissingData::Ignore, &[None, None, None]), AlarmState::Ok);
        assert_eq!(state(MissingData::NotBreaching, &[]), AlarmState::Ok);
    }

    #[test]
    fn ignored_missing_data_keep_an_alarm_firing() {
        let ignore = condition(MissingData::Ignore);
        assert_eq!(evaluate(&ignore, &[None], AlarmState::Alarm).state, AlarmState::Alarm);
    }

    #[test]
    fn the_reason_reads_as_cloudwatch_writes_it() {
        let evaluated = evaluate(&condition(MissingData::Missing), &[HIGH, HIGH, LOW], AlarmState::Ok);
        assert_eq!(
            evaluated.reason,
            "Threshold Crossed: 3 datapoints [6, 6, 5] was greater than the threshold (5)."
        );
    }
}
