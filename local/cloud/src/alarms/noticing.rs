//! How long the template's alarm on errors takes to notice, minute by minute.

use super::definition::AlarmDefinition;
use super::evaluation::{AlarmState, evaluate};
use super::metrics::History;
use super::metrics::tests::{minute, node};
use super::publication::Publication;
use aws_sdk_cloudwatch::types as api;
use std::time::Duration;

/// The template's, as a test of it holds.
const EXPRESSION: &str = "IF(requests >= 20, 100 * errors / requests, 0)";

/// What a template would have that wants a value for every minute.
const FILLED: &str = "IF(FILL(requests, 0) >= 20, 100 * FILL(errors, 0) / FILL(requests, 0), 0)";

/// Good minutes before the failures begin, and failing ones after.
const BEFORE: u64 = 10;
const AFTER: u64 = 15;

/// Requests a minute at each of two nodes.
const REQUESTS: u64 = 1000;

fn alarm(expression: &str, periods: i32) -> AlarmDefinition {
    let group = api::Dimension::builder().name("TargetGroup").value("targetgroup/blue/0").build();
    let metric = |id: &str, name: &str| {
        let metric = api::Metric::builder().namespace("AWS/ApplicationELB").metric_name(name);
        let stat = api::MetricStat::builder().metric(metric.dimensions(group.clone()).build());
        api::MetricDataQuery::builder()
            .id(id)
            .metric_stat(stat.period(60).stat("Sum").build())
            .return_data(false)
            .build()
    };
    let described = api::MetricAlarm::builder()
        .alarm_name("errors")
        .metrics(api::MetricDataQuery::builder().id("rate").expression(expression).build())
        .metrics(metric("errors", "HTTPCode_Target_5XX_Count"))
        .metrics(metric("requests", "RequestCount"))
        .comparison_operator(api::ComparisonOperator::GreaterThanThreshold)
        .threshold(5.0)
        .evaluation_periods(periods)
        .datapoints_to_alarm(1)
        .treat_missing_data("notBreaching")
        .build();
    AlarmDefinition::read(&described).unwrap()
}

/// When a failure is noticed that begins `offset` into a minute and hits so many of a thousand requests, evaluated
/// `phase` after each minute's end; none when it never is.
fn noticed(alarm: &AlarmDefinition, seed: u64, phase: u64, offset: u64, failing: u64) -> Option<Duration> {
    let publication = Publication::new(seed);
    let mut history = History::default();
    let mut state = AlarmState::Ok;
    for number in 0..BEFORE + AFTER {
        let errors = match number.cmp(&BEFORE) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => failing * (60 - offset) / 60,
            std::cmp::Ordering::Greater => failing,
        };
        let (began, ended) = minute(number);
        history.push(began, ended, publication.clone(), vec![node(REQUESTS, errors); 2]);
        let now = ended + Duration::from_secs(phase);
        state = evaluate(&alarm.condition, &alarm.datapoints(&history, now).unwrap(), state).state;
        if state == AlarmState::Alarm {
            return now.checked_sub(Duration::from_mins(BEFORE) + Duration::from_secs(offset));
        }
    }
    None
}

fn cases() -> impl Iterator<Item = (u64, u64, u64)> {
    (0..40).flat_map(|seed| {
        [0, 20, 40, 59].into_iter().flat_map(move |phase| [0, 25, 50].map(|at| (seed, phase, at)))
    })
}

#[test]
fn an_alarm_that_fills_in_the_one_minute_it_looks_at_never_notices_a_version_that_always_fails() {
    let alarm = alarm(FILLED, 1);
    for (seed, phase, offset) in cases() {
        assert_eq!(noticed(&alarm, seed, phase, offset, REQUESTS), None, "{seed} {phase} {offset}");
    }
}

#[test]
fn the_templates_alarm_notices_after_two_to_four_minutes() {
    let alarm = alarm(EXPRESSION, 3);
    let mut times: Vec<u64> = cases()
        .map(|(seed, phase, offset)| noticed(&alarm, seed, phase, offset, REQUESTS).unwrap().as_secs())
        .collect();
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    assert!(at(0) >= 60 && at(5) >= 90, "from {} s, 5 % within {} s", at(0), at(5));
    assert!((120..=200).contains(&at(50)), "half within {} s", at(50));
    assert!(at(95) <= 240 && at(100) <= 300, "95 % within {} s, all within {} s", at(95), at(100));
}

/// A minute whose errors are there before its requests looks up to four times as bad as it is.
#[test]
fn a_service_with_few_failures_is_not_blamed_for_minutes_that_arrive_in_parts() {
    let alarm = alarm(EXPRESSION, 3);
    for (seed, phase, offset) in cases() {
        assert_eq!(noticed(&alarm, seed, phase, offset, 10), None, "one per cent: {seed} {phase} {offset}");
    }
}
