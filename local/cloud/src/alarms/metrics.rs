//! What an Application Load Balancer publishes to CloudWatch, from the data plane's counts.
//!
//! Source: Elastic Load Balancing user guide, "CloudWatch metrics for your Application Load Balancer". A count of
//! zero is not published.

use super::publication::{Arrived, Publication};
use jiff::Timestamp;
use load_balancer::{GroupMetrics, HostCount, LoadBalancerMetrics, Metrics, ResponseTimes};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// Minutes that are kept: a day of AWS's clock.
const KEPT: usize = 24 * 60;

/// The latest minutes, oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    minutes: VecDeque<Minute>,
    forgotten: u64,
}

/// What the nodes counted in one minute.
#[derive(Debug)]
struct Minute {
    /// Its beginning, by this machine's clock.
    began: Timestamp,
    /// Its end, on AWS's clock.
    ended: Duration,
    publication: Publication,
    nodes: Vec<Metrics>,
}

/// One metric of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metric {
    /// Such as `RequestCount`.
    pub(super) name: String,
    /// Such as `targetgroup/name/0123456789abcdef`; none for the load balancer as a whole.
    pub(super) target_group: Option<String>,
    /// Such as `Sum` or `p99`.
    pub(super) statistic: String,
    /// In minutes of AWS's clock.
    pub(super) minutes: usize,
}

/// What can be read of one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Datapoint {
    pub(super) value: f64,
    /// How many values a response time comes from; none for a count.
    pub(super) samples: Option<u64>,
}

impl Metric {
    /// Whether a percentile of so few values says nothing.
    ///
    /// Source: CloudWatch user guide, "Percentile-based CloudWatch alarms and low data samples": 10/(1-percentile), and
    /// below the median 10/percentile. Whether that is asked of each period or of all is left open; of each is unkinder.
    pub(super) fn says_nothing_of(&self, samples: u64) -> bool {
        let percent = self.statistic.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
        percent.is_some_and(|percent| float(samples) * percent.min(100.0 - percent) < 1000.0)
    }
}

impl History {
    /// A minute has ended; times of AWS's clock count from the start of the local cloud.
    pub(super) fn push(
        &mut self,
        began: Timestamp,
        ended: Duration,
        publication: Publication,
        nodes: Vec<Metrics>,
    ) {
        self.minutes.push_back(Minute { began, ended, publication, nodes });
        while self.minutes.len() > KEPT {
            self.minutes.pop_front();
            self.forgotten += 1;
        }
    }

    /// All minutes that have ended.
    pub(super) fn ended(&self) -> Range<usize> {
        0..self.minutes.len()
    }

    /// The minutes that began between two times of this machine's clock, the second one left out.
    pub(super) fn between(&self, from: Timestamp, until: Timestamp) -> Range<usize> {
        let first = self.minutes.partition_point(|minute| minute.began < from);
        first..self.minutes.partition_point(|minute| minute.began < until).max(first)
    }

    /// When the periods of a range began, by this machine's clock.
    pub(super) fn began(&self, minutes: Range<usize>, period: usize) -> Vec<Timestamp> {
        let began: Vec<Timestamp> = self.minutes.range(minutes).map(|minute| minute.began).collect();
        began.rchunks(period).rev().filter_map(|minutes| minutes.first().copied()).collect()
    }

    /// What can be read of a metric at a time of AWS's clock: one value per period, oldest first.
    pub(super) fn datapoints(
        &self,
        metric: &Metric,
        minutes: Range<usize>,
        now: Duration,
    ) -> Vec<Option<Datapoint>> {
        let indexes: Vec<usize> = minutes.collect();
        indexes.rchunks(metric.minutes).rev().map(|period| self.datapoint(metric, period, now)).collect()
    }

    fn datapoint(&self, metric: &Metric, period: &[usize], now: Duration) -> Option<Datapoint> {
        let shares = period.iter().filter_map(|index| Some((*index, self.minutes.get(*index)?)));
        let shares = shares.flat_map(|(index, minute)| {
            let number = self.forgotten.saturating_add(index as u64);
            let age = now.saturating_sub(minute.ended);
            minute.nodes.iter().enumerate().map(move |(node, metrics)| {
                (minute.publication.arrived(number, node, &metric.name, age), metrics)
            })
        });
        let shares = shares.filter(|(arrived, _)| *arrived > Arrived::Nothing);
        let Some(target_group) = &metric.target_group else {
            return of_load_balancer(metric, shares.map(|(arrived, node)| (arrived, &node.load_balancer)));
        };
        let of_group = shares.filter_map(|(arrived, node)| {
            let found = node.groups.iter().find(|(arn, _)| arn.ends_with(target_group.as_str()));
            found.map(|(_, group)| (arrived, group))
        });
        of_target_group(metric, &of_group.collect::<Vec<_>>())
    }
}

fn count(shares: impl Iterator<Item = (Arrived, u64)>) -> Option<Datapoint> {
    let sum: u64 =
        shares.map(|(arrived, count)| if arrived == Arrived::Half { count / 2 } else { count }).sum();
    (sum > 0).then(|| Datapoint { value: float(sum), samples: None })
}

fn of_load_balancer<'a>(
    metric: &Metric,
    shares: impl Iterator<Item = (Arrived, &'a LoadBalancerMetrics)>,
) -> Option<Datapoint> {
    let of: fn(&LoadBalancerMetrics) -> u64 = match metric.name.as_str() {
        "RequestCount" => |node| node.request_count,
        "NewConnectionCount" => |node| node.new_connections,
        "HTTPCode_ELB_4XX_Count" => |node| node.elb_4xx,
        "HTTPCode_ELB_5XX_Count" => |node| node.elb_5xx,
        "HTTPCode_ELB_502_Count" => |node| node.elb_502,
        "HTTPCode_ELB_503_Count" => |node| node.elb_503,
        "HTTPCode_ELB_504_Count" => |node| node.elb_504,
        _ => return None,
    };
    count(shares.map(|(arrived, node)| (arrived, of(node))))
}

fn of_target_group(metric: &Metric, shares: &[(Arrived, &GroupMetrics)]) -> Option<Datapoint> {
    let counted =
        |of: fn(&GroupMetrics) -> u64| count(shares.iter().map(|(arrived, group)| (*arrived, of(group))));
    match metric.name.as_str() {
        "RequestCount" => counted(|group| group.request_count),
        "HTTPCode_Target_2XX_Count" => counted(|group| group.target_2xx),
        "HTTPCode_Target_3XX_Count" => counted(|group| group.target_3xx),
        "HTTPCode_Target_4XX_Count" => counted(|group| group.target_4xx),
        "HTTPCode_Target_5XX_Count" => counted(|group| group.target_5xx),
        "TargetConnectionErrorCount" => counted(|group| group.target_connection_errors),
        "UnhealthyRoutingRequestCount" => counted(|group| group.unhealthy_routing_requests),
        "HealthyHostCount" => {
            hosts(&metric.statistic, shares.iter().filter_map(|(_, group)| group.healthy_hosts))
        }
        "UnHealthyHostCount" => {
            hosts(&metric.statistic, shares.iter().filter_map(|(_, group)| group.unhealthy_hosts))
        }
        "TargetResponseTime" => {
            let times: Vec<&ResponseTimes> = shares.iter().map(|(_, group)| &group.response_time).collect();
            response_time(&metric.statistic, &times)
        }
        _ => None,
    }
}

fn hosts(statistic: &str, counts: impl Iterator<Item = HostCount>) -> Option<Datapoint> {
    let counts: Vec<HostCount> = counts.collect();
    let value = match statistic {
        "Minimum" => counts.iter().map(|count| count.minimum).min(),
        "Maximum" => counts.iter().map(|count| count.maximum).max(),
        // Of an average over time the data plane knows the ends only.
        _ => counts.last().map(|count| count.latest),
    };
    value.map(|value| Datapoint { value: float(value as u64), samples: None })
}

/// The response time, in seconds.
fn response_time(statistic: &str, times: &[&ResponseTimes]) -> Option<Datapoint> {
    let samples: u64 = times.iter().map(|times| times.count()).sum();
    let percentile = statistic.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
    let value = match (statistic, percentile) {
        ("Minimum", _) => {
            times.iter().filter_map(|times| times.minimum()).min().map(|time| time.as_secs_f64())
        }
        ("Maximum", _) => {
            times.iter().filter_map(|times| times.maximum()).max().map(|time| time.as_secs_f64())
        }
        (_, Some(percent)) => {
            let mut values: Vec<_> = times.iter().flat_map(|times| times.values()).collect();
            values.sort_unstable_by_key(|(time, _)| *time);
            let mut left = float(samples) * percent / 100.0;
            values.into_iter().find_map(|(time, count)| {
                left -= float(count);
                (left <= 0.0).then_some(time.as_secs_f64())
            })
        }
        _ => {
            let sum: f64 = times.iter().map(|times| times.sum().as_secs_f64()).sum();
            (samples > 0).then(|| sum / float(samples))
        }
    };
    value.map(|value| Datapoint { value, samples: Some(samples) })
}

#[expect(clippy::cast_precision_loss, reason = "counts of a minute are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A minute's counts of one node, of the group `targetgroup/blue/0`.
    pub(crate) fn node(requests: u64, errors: u64) -> Metrics {
        let group = GroupMetrics { request_count: requests, target_5xx: errors, ..GroupMetrics::default() };
        let mut metrics = Metrics::default();
        metrics.groups.insert("arn:aws:elasticloadbalancing:r:1:targetgroup/blue/0".to_owned(), group);
        metrics
    }

    pub(crate) fn minute(number: u64) -> (Timestamp, Duration) {
        let began = Timestamp::from_second(i64::try_from(number * 60).unwrap()).unwrap();
        (began, Duration::from_mins(number + 1))
    }

    /// Minutes of these counts for each of two nodes.
    pub(crate) fn history(counts: &[(u64, u64)], publication: &Publication) -> History {
        let mut history = History::default();
        for (number, (requests, errors)) in (0..).zip(counts) {
            let (began, ended) = minute(number);
            history.push(began, ended, publication.clone(), vec![node(*requests, *errors); 2]);
        }
        history
    }

    fn at_once() -> Publication {
        Publication::new(0).with(Duration::ZERO..=Duration::ZERO)
    }

    fn metric(name: &str, minutes: usize) -> Metric {
        let target_group = Some("targetgroup/blue/0".to_owned());
        Metric { name: name.to_owned(), target_group, statistic: "Sum".to_owned(), minutes }
    }

    fn read(history: &History, metric: &Metric, now: Duration) -> Vec<Option<f64>> {
        let datapoints = history.datapoints(metric, history.ended(), now);
        datapoints.into_iter().map(|datapoint| datapoint.map(|datapoint| datapoint.value)).collect()
    }

    const LATER: Duration = Duration::from_hours(1);

    #[test]
    fn a_count_of_zero_is_not_published_and_nodes_are_added_up() {
        let history = history(&[(10, 0), (20, 3)], &at_once());
        assert_eq!(read(&history, &metric("RequestCount", 1), LATER), [Some(20.0), Some(40.0)]);
        assert_eq!(read(&history, &metric("HTTPCode_Target_5XX_Count", 1), LATER), [None, Some(6.0)]);
    }

    #[test]
    fn longer_periods_sum_up_minutes() {
        let history = history(&[(1, 0), (2, 0), (4, 0), (8, 0)], &at_once());
        assert_eq!(read(&history, &metric("RequestCount", 2), LATER), [Some(6.0), Some(24.0)]);
    }

    #[test]
    fn at_awss_pace_a_minute_is_read_late_and_in_parts() {
        let counts = [(100, 0); 40];
        let history = history(&counts, &Publication::new(5));
        let requests = metric("RequestCount", 1);
        // What is to be read of the minute that ended `age` seconds ago, for each of many minutes.
        let seen = |age: u64| -> Vec<Option<f64>> {
            (0..36)
                .map(|index| {
                    let now = Duration::from_mins(index as u64 + 1) + Duration::from_secs(age);
                    history.datapoints(&requests, index..index + 1, now)[0].map(|datapoint| datapoint.value)
                })
                .collect()
        };
        assert!(seen(59).iter().all(Option::is_none), "{:?}", seen(59));
        let partly = seen(105);
        assert!(
            partly.contains(&None) && partly.contains(&Some(100.0)) && partly.contains(&Some(200.0)),
            "{partly:?}"
        );
        assert!(seen(150).contains(&Some(150.0)), "no correction is to come: {:?}", seen(150));
        assert!(seen(210).iter().all(|value| *value == Some(200.0)), "{:?}", seen(210));
    }

    /// The guide's own example: a thousand samples for p99.
    #[test]
    fn a_percentile_says_nothing_of_a_few_values() {
        let says_nothing = |statistic: &str, samples| {
            Metric { statistic: statistic.to_owned(), ..metric("TargetResponseTime", 1) }
                .says_nothing_of(samples)
        };
        for (statistic, enough) in [("p99", 1000), ("p90", 100), ("p50", 20), ("p10", 100)] {
            assert!(says_nothing(statistic, enough - 1) && !says_nothing(statistic, enough), "{statistic}");
        }
        assert!(!says_nothing("Sum", 0));
    }

    #[test]
    fn what_the_load_balancer_answers_itself_is_in_its_own_metrics_and_in_those_of_no_group() {
        let mut history = history(&[], &at_once());
        let mut own = node(10, 0);
        own.load_balancer = LoadBalancerMetrics { elb_5xx: 4, elb_504: 3, ..LoadBalancerMetrics::default() };
        history.push(minute(0).0, minute(0).1, at_once(), vec![own]);
        let of = |name: &str, target_group: Option<&str>| {
            let target_group = target_group.map(ToOwned::to_owned);
            read(&history, &Metric { target_group, ..metric(name, 1) }, LATER)[0]
        };
        let blue = Some("targetgroup/blue/0");
        assert_eq!(
            (of("HTTPCode_ELB_504_Count", None), of("HTTPCode_ELB_5XX_Count", None)),
            (Some(3.0), Some(4.0))
        );
        assert_eq!((of("HTTPCode_ELB_504_Count", blue), of("HTTPCode_Target_5XX_Count", blue)), (None, None));
    }
}
