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
    /// How many of the latest periods are looked at: N.
    pub evaluation_periods: usize,
    /// How many of them must breach: M.
    pub datapoints_to_alarm: usize,
    /// What a period without data counts as.
    pub missing_data: MissingData,
}

/// How many periods more than N are retrieved, so that late data and gaps leave something to evaluate. The guide's
/// examples retrieve 5 for N = 3, and say that the number depends on the period.
const BEYOND: usize = 2;

impl Condition {
    /// How many of the latest periods are retrieved: the evaluation range.
    pub(super) fn evaluation_range(&self) -> usize {
        self.evaluation_periods + BEYOND
    }
}

/// A state and CloudWatch's sentence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evaluated {
    /// The state the data speak for.
    pub state: AlarmState,
    /// CloudWatch's sentence: the data points and the threshold.
    pub reason: String,
}

/// Evaluates the datapoints of the evaluation range, oldest first. `current` is what the alarm says now.
pub(super) fn evaluate(condition: &Condition, range: &[Option<f64>], current: AlarmState) -> Evaluated {
    let wanted = condition.evaluation_periods;
    // The most recent that exist, however old they are inside the range. Missing ones are used as few times as possible.
    let existing: Vec<f64> = range.iter().rev().copied().flatten().take(wanted).collect();
    let filled = wanted - existing.len();
    let breached = |value: f64| condition.comparison.breached(value, condition.threshold);
    let breaching = existing.iter().filter(|value| breached(**value)).count();
    let fires = |breaching: usize| {
        if breaching >= condition.datapoints_to_alarm { AlarmState::Alarm } else { AlarmState::Ok }
    };
    let state = match condition.missing_data {
        _ if filled == 0 => fires(breaching),
        MissingData::Breaching => fires(breaching + filled),
        MissingData::NotBreaching => fires(breaching),
        // Something speaks for OK, or enough for ALARM.
        _ if breaching < existing.len() || breaching >= condition.datapoints_to_alarm => fires(breaching),
        MissingData::Ignore => current,
        MissingData::Missing => {
            // "Premature": only breaching data and gaps, and the oldest is at least M periods old.
            let age = range.iter().position(Option::is_some).map_or(0, |oldest| range.len() - oldest);
            if age >= condition.datapoints_to_alarm.max(1) && !existing.is_empty() {
                AlarmState::Alarm
            } else {
                AlarmState::InsufficientData
            }
        }
    };
    Evaluated { state, reason: reason(condition, state, &existing, breaching) }
}

/// The sentence that CloudWatch gives, without the minutes of the datapoints.
fn reason(condition: &Condition, state: AlarmState, existing: &[f64], breaching: usize) -> String {
    let (wanted, to_alarm) = (condition.evaluation_periods, condition.datapoints_to_alarm);
    if existing.is_empty() {
        return format!("No datapoints were received for {wanted} periods.");
    }
    let points = existing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (count, verb) = match state {
        AlarmState::Alarm => (breaching, if breaching == 1 { "was" } else { "were" }),
        _ => (existing.len() - breaching, if existing.len() == 1 { "was not" } else { "were not" }),
    };
    format!(
        "Threshold Crossed: {count} out of the last {wanted} datapoints [{points}] {verb} {} the threshold ({}) \
         (minimum {to_alarm} datapoint{} for OK -> ALARM transition).",
        condition.comparison.words(),
        condition.threshold,
        if to_alarm == 1 { "" } else { "s" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREATMENTS: [MissingData; 4] =
        [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];

    fn condition(m: usize, n: usize, missing_data: MissingData) -> Condition {
        Condition {
            comparison: Comparison::Greater,
            threshold: 5.0,
            evaluation_periods: n,
            datapoints_to_alarm: m,
            missing_data,
        }
    }

    /// `0` is within the threshold, `X` outside, `-` missing; the latest stands last.
    fn points(written: &str) -> Vec<Option<f64>> {
        let point = |letter| match letter {
            '0' => Some(0.0),
            'X' => Some(6.0),
            '-' => None,
            other => panic!("{other:?} is no datapoint"),
        };
        written.split(' ').map(|letters| point(letters.chars().next().unwrap())).collect()
    }

    /// The state as the guide's tables write it: with an alarm that was OK and one that was in ALARM, a state that is
    /// retained shows.
    fn states(m: usize, n: usize, written: &str) -> [&'static str; 4] {
        TREATMENTS.map(|treatment| {
            let from = |current| evaluate(&condition(m, n, treatment), &points(written), current).state;
            match (from(AlarmState::Ok), from(AlarmState::Alarm)) {
                (AlarmState::Ok, AlarmState::Alarm) => "retain",
                (one, other) if one == other => match one {
                    AlarmState::Ok => "OK",
                    AlarmState::Alarm => "ALARM",
                    AlarmState::InsufficientData => "INSUFFICIENT",
                },
                both => panic!("{written}: {both:?}"),
            }
        })
    }

    /// CloudWatch user guide, "How alarm state is evaluated when data is missing": both tables, and the row of the
    /// guide's older edition for one fresh breach, of which the newer one says only that it is no ALARM yet.
    #[test]
    fn the_tables_of_the_user_guide_come_out_as_they_say() {
        assert_eq!(condition(3, 3, MissingData::Missing).evaluation_range(), 5);
        for (m, written, expected) in [
            (3, "0 - X - X", ["OK", "OK", "OK", "OK"]),
            (3, "0 - - - -", ["OK", "OK", "OK", "OK"]),
            (3, "- - - - -", ["INSUFFICIENT", "retain", "ALARM", "OK"]),
            (3, "0 X X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
            (3, "- - X - -", ["ALARM", "retain", "ALARM", "OK"]),
            (3, "- - - - X", ["INSUFFICIENT", "retain", "ALARM", "OK"]),
            (3, "- - - X -", ["INSUFFICIENT", "retain", "ALARM", "OK"]),
            (2, "0 - X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
            (2, "0 0 X 0 X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
            (2, "0 - X - -", ["OK", "OK", "ALARM", "OK"]),
            (2, "- - - - 0", ["OK", "OK", "ALARM", "OK"]),
            (2, "- - - X -", ["ALARM", "retain", "ALARM", "OK"]),
        ] {
            assert_eq!(states(m, 3, written), expected, "{m} of 3: {written}");
        }
    }

    #[test]
    fn one_of_three_fires_for_a_breach_among_the_latest_three_that_exist() {
        for (written, expected) in [
            ("0 0 X - -", "ALARM"),
            ("X 0 - 0 -", "ALARM"),
            ("X 0 0 0 -", "OK"),
            ("X X 0 0 0", "OK"),
            ("- - - - X", "ALARM"),
            ("X - - - -", "ALARM"),
        ] {
            assert_eq!(states(1, 3, written)[3], expected, "{written}");
        }
    }

    #[test]
    fn the_reason_reads_as_cloudwatch_writes_it() {
        let said = |written: &str| {
            evaluate(&condition(1, 3, MissingData::NotBreaching), &points(written), AlarmState::Ok).reason
        };
        assert_eq!(
            [said("0 X 0 - -"), said("X X X X X"), said("0 - - - -"), said("- - - - -")],
            [
                "Threshold Crossed: 1 out of the last 3 datapoints [0, 6, 0] was greater than the threshold (5) \
                 (minimum 1 datapoint for OK -> ALARM transition).",
                "Threshold Crossed: 3 out of the last 3 datapoints [6, 6, 6] were greater than the threshold (5) \
                 (minimum 1 datapoint for OK -> ALARM transition).",
                "Threshold Crossed: 1 out of the last 3 datapoints [0] was not greater than the threshold (5) \
                 (minimum 1 datapoint for OK -> ALARM transition).",
                "No datapoints were received for 3 periods.",
            ]
        );
    }
}
