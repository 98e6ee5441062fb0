//! The lines of an alarm or of a query: metrics, and expressions over them.

use super::expression::{Expression, ExpressionError, Series};
use super::metrics::{History, Metric};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// A metric or an expression over the other lines.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) id: String,
    pub(super) label: Option<String>,
    /// Whether this is a line that is returned; of an alarm, the one that the threshold is compared with.
    pub(super) returned: bool,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Metric { metric: Metric, namespace: String, dimensions: BTreeMap<String, String>, period: i32 },
    Expression { text: String, parsed: Expression },
}

impl Value {
    pub(super) fn metric(
        namespace: &str,
        name: &str,
        dimensions: BTreeMap<String, String>,
        statistic: String,
        period: i32,
    ) -> Self {
        let target_group = dimensions.get("TargetGroup").cloned();
        let minutes = usize::try_from(period / 60).unwrap_or(1).max(1);
        let metric = Metric { name: name.to_owned(), target_group, statistic, minutes };
        Self::Metric { metric, namespace: namespace.to_owned(), dimensions, period }
    }

    /// # Errors
    /// When it is not metric math as the local cloud knows it.
    pub(super) fn expression(text: &str) -> Result<Self, ExpressionError> {
        Ok(Self::Expression { text: text.to_owned(), parsed: Expression::parse(text)? })
    }
}

impl Source {
    /// The period of a metric, in minutes; none for an expression.
    pub(super) fn minutes(&self) -> Option<usize> {
        match &self.value {
            Value::Metric { metric, .. } => Some(metric.minutes),
            Value::Expression { .. } => None,
        }
    }
}

/// The values of all lines over a range of minutes, oldest first, as they can be read at a time of AWS's clock.
///
/// # Errors
/// When an expression names a line that is not there. A circle of expressions has no values.
pub(super) fn evaluate(
    sources: &[Source],
    history: &History,
    minutes: Range<usize>,
    now: Duration,
) -> Result<BTreeMap<String, Series>, ExpressionError> {
    let mut series: BTreeMap<String, Series> = BTreeMap::new();
    for source in sources {
        if let Value::Metric { metric, .. } = &source.value {
            let datapoints = history.datapoints(metric, minutes.clone(), now);
            let values = datapoints.into_iter().map(|point| point.map(|point| point.value)).collect();
            series.insert(source.id.clone(), values);
        }
    }
    let length = series.values().map(Vec::len).max().unwrap_or(minutes.len());
    // Expressions may use each other, in any order.
    let mut failed = None;
    for _ in sources {
        failed = None;
        for source in sources {
            if let Value::Expression { parsed, .. } = &source.value {
                match parsed.evaluate(&series, length) {
                    Ok(values) => drop(series.insert(source.id.clone(), values)),
                    Err(error) => failed = Some(error),
                }
            }
        }
    }
    failed.map_or(Ok(series), Err)
}
