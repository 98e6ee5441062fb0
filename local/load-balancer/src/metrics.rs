//! What the load balancer counts, under the names CloudWatch knows.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;

/// Counters of one node since they were last taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Published with the dimension `LoadBalancer` alone.
    pub load_balancer: LoadBalancerMetrics,
    /// By the target group's ARN; published with `LoadBalancer` and `TargetGroup`. A group that no rule names and
    /// that got no request is left out.
    pub groups: BTreeMap<String, GroupMetrics>,
}

/// What is counted for the load balancer as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadBalancerMetrics {
    /// `RequestCount`: requests for which a target was chosen.
    pub request_count: u64,
    /// `NewConnectionCount`, of clients.
    pub new_connections: u64,
    /// `HTTPCode_ELB_4XX_Count`: own answers, blocked requests and those of clients that did not wait among them.
    pub elb_4xx: u64,
    /// 460, of a client that closed its connection before the answer was there. A status of the access log, with no
    /// metric of its own.
    pub elb_460: u64,
    /// `HTTPCode_ELB_5XX_Count`: own answers. A default action that answers 503 counts here too.
    pub elb_5xx: u64,
    /// `HTTPCode_ELB_502_Count`.
    pub elb_502: u64,
    /// `HTTPCode_ELB_503_Count`.
    pub elb_503: u64,
    /// `HTTPCode_ELB_504_Count`.
    pub elb_504: u64,
    /// Requests that the judge blocked. No metric of an ALB: AWS WAF counts them.
    pub blocked: u64,
    /// Requests sent again because the target had closed the reused connection. No metric of an ALB.
    pub retried: u64,
}

impl LoadBalancerMetrics {
    /// Counts an answer that no target gave.
    pub(crate) fn count_own(&mut self, status: StatusCode) {
        if status.is_client_error() {
            self.elb_4xx += 1;
        } else if status.is_server_error() {
            self.elb_5xx += 1;
        }
        match status {
            StatusCode::BAD_GATEWAY => self.elb_502 += 1,
            StatusCode::SERVICE_UNAVAILABLE => self.elb_503 += 1,
            StatusCode::GATEWAY_TIMEOUT => self.elb_504 += 1,
            _ => {}
        }
    }

    /// Counts a client that went away before its answer was there.
    pub(crate) fn count_client_gone(&mut self) {
        self.elb_4xx += 1;
        self.elb_460 += 1;
    }
}

/// What is counted for one target group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupMetrics {
    /// `RequestCount`.
    pub request_count: u64,
    /// `HTTPCode_Target_2XX_Count`.
    pub target_2xx: u64,
    /// `HTTPCode_Target_3XX_Count`.
    pub target_3xx: u64,
    /// `HTTPCode_Target_4XX_Count`.
    pub target_4xx: u64,
    /// `HTTPCode_Target_5XX_Count`.
    pub target_5xx: u64,
    /// `TargetConnectionErrorCount`: connections that could not be established.
    pub target_connection_errors: u64,
    /// `UnhealthyRoutingRequestCount`: requests sent to a target because none was healthy.
    pub unhealthy_routing_requests: u64,
    /// `TargetResponseTime`: from the request's leaving to the head of the target's answer.
    pub response_time: ResponseTimes,
    /// `HealthyHostCount`; none while no rule names the group.
    pub healthy_hosts: Option<HostCount>,
    /// `UnHealthyHostCount`; none while no rule names the group.
    pub unhealthy_hosts: Option<HostCount>,
}

impl GroupMetrics {
    pub(crate) fn count_answer(&mut self, status: StatusCode, time: Duration) {
        self.response_time.record(time);
        match status.as_u16() {
            200..=299 => self.target_2xx += 1,
            300..=399 => self.target_3xx += 1,
            400..=499 => self.target_4xx += 1,
            500..=599 => self.target_5xx += 1,
            _ => {}
        }
    }

    /// The counters so far; counts start again at zero, gauges at what they are now.
    pub(crate) fn take(&mut self) -> Self {
        let next = Self {
            healthy_hosts: self.healthy_hosts.map(HostCount::restart),
            unhealthy_hosts: self.unhealthy_hosts.map(HostCount::restart),
            ..Self::default()
        };
        std::mem::replace(self, next)
    }

    /// For a group that is no longer checked.
    pub(crate) fn forget_hosts(&mut self) {
        self.healthy_hosts = None;
        self.unhealthy_hosts = None;
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A number of targets, watched over the time since it was last taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCount {
    /// The smallest number.
    pub minimum: usize,
    /// The largest number.
    pub maximum: usize,
    /// The number now.
    pub latest: usize,
}

impl HostCount {
    fn restart(self) -> Self {
        Self { minimum: self.latest, maximum: self.latest, latest: self.latest }
    }

    pub(crate) fn see(count: &mut Option<Self>, now: usize) {
        *count = Some(match *count {
            Some(seen) => {
                Self { minimum: seen.minimum.min(now), maximum: seen.maximum.max(now), latest: now }
            }
            None => Self { minimum: now, maximum: now, latest: now },
        });
    }
}

/// Response times, kept as counts of values rounded to about 3 %, so that they can be published as `PutMetricData`
/// takes them (values with counts, at most 150 values in one datum).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseTimes {
    counts: BTreeMap<u64, u64>,
    count: u64,
    sum: Duration,
    minimum: Option<Duration>,
    maximum: Option<Duration>,
}

/// Leading binary digits that are kept of a value.
const DIGITS: u32 = 5;

impl ResponseTimes {
    pub(crate) fn record(&mut self, time: Duration) {
        *self.counts.entry(rounded(micros(time))).or_default() += 1;
        self.count += 1;
        self.sum += time;
        self.minimum = Some(self.minimum.map_or(time, |least| least.min(time)));
        self.maximum = Some(self.maximum.map_or(time, |most| most.max(time)));
    }

    /// The number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// The shortest, exact.
    pub fn minimum(&self) -> Option<Duration> {
        self.minimum
    }

    /// The longest, exact.
    pub fn maximum(&self) -> Option<Duration> {
        self.maximum
    }

    /// Rounded values with how often each was seen, shortest first.
    pub fn values(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.counts.iter().map(|(micros, count)| (Duration::from_micros(*micros), *count))
    }

    /// The value that `percent` (0 to 100) of all do not exceed, rounded; none without values.
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let rank = (self.count * u64::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0;
        self.values().find_map(|(value, count)| {
            seen += count;
            (seen >= rank).then_some(value)
        })
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The middle of all values that share the leading digits.
fn rounded(value: u64) -> u64 {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(DIGITS);
    ((value >> shift) << shift) + ((1_u64 << shift) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_times_are_rounded_to_a_few_percent() {
        for value in [0, 1, 31, 32, 33, 1_000, 1_023, 999_999, 59_999_999] {
            let error = rounded(value).abs_diff(value);
            assert!(error * 100 <= value * 4, "{value} became {}", rounded(value));
        }
    }

    #[test]
    fn percentiles_come_from_the_counts() {
        let mut times = ResponseTimes::default();
        assert_eq!(times.percentile(99), None);
        for milliseconds in 1..=100 {
            times.record(Duration::from_millis(milliseconds));
        }
        assert_eq!(times.count(), 100);
        assert_eq!(times.sum(), Duration::from_millis(5_050));
        let near = |percent: u8, milliseconds: u64| {
            let value = times.percentile(percent).unwrap();
            let error = value.abs_diff(Duration::from_millis(milliseconds));
            assert!(error * 25 <= value, "p{percent} is {value:?}");
        };
        near(50, 50);
        near(99, 99);
        near(0, 1);
        near(100, 100);
        assert_eq!(times.values().map(|(_, count)| count).sum::<u64>(), 100);
    }

    #[test]
    fn taking_restarts_counts_and_keeps_gauges() {
        let mut metrics = GroupMetrics { request_count: 3, ..GroupMetrics::default() };
        HostCount::see(&mut metrics.healthy_hosts, 2);
        HostCount::see(&mut metrics.healthy_hosts, 0);
        HostCount::see(&mut metrics.healthy_hosts, 1);
        let taken = metrics.take();
        assert_eq!(taken.request_count, 3);
        assert_eq!(taken.healthy_hosts, Some(HostCount { minimum: 0, maximum: 2, latest: 1 }));
        assert_eq!(metrics.request_count, 0);
        assert_eq!(metrics.healthy_hosts, Some(HostCount { minimum: 1, maximum: 1, latest: 1 }));
    }
}
