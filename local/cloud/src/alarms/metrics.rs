//! What an Application Load Balancer publishes to CloudWatch, from the data plane's counts.
//!
//! Source: Elastic Load Balancing user guide, "CloudWatch metrics for your Application Load Balancer". A count of
//! zero is not published.

use load_balancer::{GroupMetrics, HostCount, Metrics};
use std::collections::VecDeque;

/// Periods that are kept: more than any alarm of the template looks at.
const KEPT: usize = 60;

/// The latest periods, oldest first.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Metrics>);

/// One metric of one target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metric {
    /// Such as `RequestCount`.
    pub(super) name: String,
    /// Such as `targetgroup/name/0123456789abcdef`.
    pub(super) target_group: String,
    /// Such as `Sum` or `p99`.
    pub(super) statistic: String,
    /// In minutes of AWS's clock.
    pub(super) minutes: usize,
}

impl History {
    pub(super) fn push(&mut self, metrics: Metrics) {
        self.0.push_back(metrics);
        while self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// The latest `count` datapoints of a metric, oldest first.
    pub(super) fn datapoints(&self, metric: &Metric, count: usize) -> Vec<Option<f64>> {
        let of_group = |metrics: &Metrics| {
            let found = metrics.groups.iter().find(|(arn, _)| arn.ends_with(&metric.target_group));
            found.map(|(_, group)| group.clone())
        };
        let latest: Vec<Option<GroupMetrics>> = self.0.iter().rev().map(of_group).collect();
        let mut datapoints: Vec<Option<f64>> = latest
            .chunks(metric.minutes)
            .take(count)
            .map(|minutes| datapoint(metric, &minutes.iter().flatten().collect::<Vec<_>>()))
            .collect();
        datapoints.reverse();
        datapoints
    }
}

fn datapoint(metric: &Metric, minutes: &[&GroupMetrics]) -> Option<f64> {
    let count = |of: fn(&GroupMetrics) -> u64| {
        let sum: u64 = minutes.iter().map(|minute| of(minute)).sum();
        (sum > 0).then(|| float(sum))
    };
    match metric.name.as_str() {
        "RequestCount" => count(|minute| minute.request_count),
        "HTTPCode_Target_2XX_Count" => count(|minute| minute.target_2xx),
        "HTTPCode_Target_3XX_Count" => count(|minute| minute.target_3xx),
        "HTTPCode_Target_4XX_Count" => count(|minute| minute.target_4xx),
        "HTTPCode_Target_5XX_Count" => count(|minute| minute.target_5xx),
        "TargetConnectionErrorCount" => count(|minute| minute.target_connection_errors),
        "UnhealthyRoutingRequestCount" => count(|minute| minute.unhealthy_routing_requests),
        "HealthyHostCount" => {
            hosts(&metric.statistic, minutes.iter().filter_map(|minute| minute.healthy_hosts))
        }
        "UnHealthyHostCount" => {
            hosts(&metric.statistic, minutes.iter().filter_map(|minute| minute.unhealthy_hosts))
        }
        "TargetResponseTime" => response_time(&metric.statistic, minutes),
        _ => None,
    }
}

fn hosts(statistic: &str, counts: impl Iterator<Item = HostCount>) -> Option<f64> {
    let counts: Vec<HostCount> = counts.collect();
    let value = match statistic {
        "Minimum" => counts.iter().map(|count| count.minimum).min(),
        "Maximum" => counts.iter().map(|count| count.maximum).max(),
        // Of an average over time the data plane knows the ends only.
        _ => counts.last().map(|count| count.latest),
    };
    value.map(|value| float(value as u64))
}

/// The response time, in seconds.
fn response_time(statistic: &str, minutes: &[&GroupMetrics]) -> Option<f64> {
    let times = || minutes.iter().map(|minute| &minute.response_time);
    let requests: u64 = times().map(load_balancer::ResponseTimes::count).sum();
    let percentile = statistic.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
    match (statistic, percentile) {
        ("Minimum", _) => {
            times().filter_map(load_balancer::ResponseTimes::minimum).min().map(|time| time.as_secs_f64())
        }
        ("Maximum", _) => {
            times().filter_map(load_balancer::ResponseTimes::maximum).max().map(|time| time.as_secs_f64())
        }
        (_, Some(percent)) => {
            let mut values: Vec<_> = times().flat_map(load_balancer::ResponseTimes::values).collect();
            values.sort_unstable_by_key(|(time, _)| *time);
            let mut left = float(requests) * percent / 100.0;
            values.into_iter().find_map(|(time, count)| {
                left -= float(count);
                (left <= 0.0).then_some(time.as_secs_f64())
            })
        }
        _ => {
            let sum: f64 = times().map(|times| times.sum().as_secs_f64()).sum();
            (requests > 0).then(|| sum / float(requests))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a minute are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(requests: u64, errors: u64) -> Metrics {
        let group = GroupMetrics { request_count: requests, target_5xx: errors, ..GroupMetrics::default() };
        let mut metrics = Metrics::default();
        metrics.groups.insert("arn:aws:elasticloadbalancing:r:1:targetgroup/blue/0".to_owned(), group);
        metrics
    }

    fn metric(name: &str, minutes: usize) -> Metric {
        let target_group = "targetgroup/blue/0".to_owned();
        Metric { name: name.to_owned(), target_group, statistic: "Sum".to_owned(), minutes }
    }

    #[test]
    fn a_count_of_zero_is_not_published() {
        let mut history = History::default();
        history.push(minute(10, 0));
        history.push(minute(20, 3));
        assert_eq!(history.datapoints(&metric("RequestCount", 1), 3), [Some(10.0), Some(20.0)]);
        assert_eq!(history.datapoints(&metric("HTTPCode_Target_5XX_Count", 1), 2), [None, Some(3.0)]);
    }

    #[test]
    fn longer_periods_sum_up_minutes() {
        let mut history = History::default();
        for requests in [1, 2, 4, 8] {
            history.push(minute(requests, 0));
        }
        assert_eq!(history.datapoints(&metric("RequestCount", 2), 2), [Some(3.0), Some(12.0)]);
    }
}
