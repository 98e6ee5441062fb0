//! The states of a service's alarms.

use super::Aws;
use super::classify::{failure, incomplete};
use crate::failure::{Class, Failure};
use crate::ports::{Alarms, PortResult};
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use jiff::Timestamp;
use release::{AlarmState, Colour, PerColour, ServiceName};
use std::collections::BTreeMap;

impl Alarms for Aws {
    /// One `DescribeAlarms` for both colours: at most 100 names, which the settings have checked. Alarm types that
    /// are not asked for are left out of the answer (CloudWatch API reference, `DescribeAlarms`).
    async fn alarm_states(&self, service: &ServiceName) -> PortResult<release::Alarms> {
        let alarms = &self.service(service)?.alarms;
        if alarms.blue.is_empty() && alarms.green.is_empty() {
            // Without names the call would answer with every alarm of the account.
            return Ok(release::Alarms::default());
        }
        let attempt = format!("reading the alarms of {service}");
        let call = self
            .cloudwatch
            .describe_alarms()
            .set_alarm_names(Some(alarms.blue.iter().chain(&alarms.green).cloned().collect()))
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .max_records(100);
        let output = call.send().await.map_err(|error| failure(&attempt, error))?;
        let metric = output
            .metric_alarms
            .unwrap_or_default()
            .into_iter()
            .map(|alarm| (alarm.alarm_name, alarm.state_value, alarm.state_transitioned_timestamp));
        let composite = output
            .composite_alarms
            .unwrap_or_default()
            .into_iter()
            .map(|alarm| (alarm.alarm_name, alarm.state_value, alarm.state_transitioned_timestamp));
        let (mut states, mut ok_since) = (BTreeMap::new(), BTreeMap::new());
        for (name, state, since) in metric.chain(composite) {
            let name = name.ok_or_else(|| incomplete(&attempt, "an alarm's name"))?;
            let since =
                since.filter(|_| state == Some(StateValue::Ok)).and_then(|since| since.to_millis().ok());
            if let Some(since) = since.and_then(|since| Timestamp::from_millisecond(since).ok()) {
                ok_since.insert(name.clone(), since);
            }
            states.insert(name, state);
        }
        let of = |names: &[String]| {
            names.iter().map(|name| (name.clone(), alarm_state(states.get(name)))).collect()
        };
        let states = PerColour { blue: of(&alarms.blue), green: of(&alarms.green) };
        Ok(release::Alarms { states, ok_since })
    }

    /// "Temporarily sets the state of an alarm for testing purposes. When the updated state differs from the previous value, the
    /// action configured for the appropriate state is invoked" (CloudWatch API reference, `SetAlarmState`). So one that has no
    /// action, which would wake nobody, is refused, and so is a composite one, which "is not guaranteed to return to its actual
    /// state" (the same page).
    async fn set_alarm(&self, service: &ServiceName, colour: Colour, alarm: &str) -> PortResult<()> {
        let attempt = format!("setting alarm {alarm} of {service} for a drill");
        if !self.service(service)?.alarms.of(colour).iter().any(|known| known == alarm) {
            return Err(Failure::new(Class::Permanent, format!("{attempt}: it is no alarm of {colour}")));
        }
        if let Some(why) = self.teaches_nothing(alarm, &attempt).await? {
            return Err(Failure::new(Class::Permanent, format!("{attempt}: {why}")));
        }
        let call =
            self.cloudwatch.set_alarm_state().alarm_name(alarm).state_value(StateValue::Alarm).state_reason(
                format!("Greenlight plays a drill of {service} on {colour}, which has no traffic."),
            );
        call.send().await.map_err(|error| failure(&attempt, error))?;
        Ok(())
    }
}

impl Aws {
    /// Why a drill must not set this alarm, in a sentence that says what to do.
    async fn teaches_nothing(&self, alarm: &str, attempt: &str) -> PortResult<Option<&'static str>> {
        let call = self
            .cloudwatch
            .describe_alarms()
            .alarm_names(alarm)
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm);
        let output = call.send().await.map_err(|error| failure(attempt, error))?;
        if !output.composite_alarms().is_empty() {
            return Ok(Some(
                "it is a composite alarm, which might stay in ALARM: put a metric alarm before it by its name",
            ));
        }
        let Some(found) = output.metric_alarms().first() else {
            return Ok(Some("CloudWatch knows no such alarm"));
        };
        // Left out, they are enabled (CloudWatch API reference, `PutMetricAlarm`).
        if found.actions_enabled() == Some(false) {
            return Ok(Some(
                "its actions are disabled (ActionsEnabled is false), so that it wakes nobody: enable them",
            ));
        }
        let has_none = found.alarm_actions().is_empty();
        Ok(has_none.then_some(
            "it has no action for ALARM (AlarmActions is empty), so that it wakes nobody: give it the function alarm",
        ))
    }
}

fn alarm_state(state: Option<&Option<StateValue>>) -> AlarmState {
    match state {
        Some(Some(StateValue::Ok)) => AlarmState::Ok,
        Some(Some(StateValue::Alarm)) => AlarmState::Firing,
        Some(_) => AlarmState::NoData,
        None => AlarmState::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{aws, backend};
    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::operation::describe_alarms::{DescribeAlarmsError, DescribeAlarmsOutput};
    use aws_sdk_cloudwatch::operation::set_alarm_state::SetAlarmStateOutput;
    use aws_sdk_cloudwatch::types::{CompositeAlarm, MetricAlarm};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use aws_smithy_types::DateTime;
    use aws_smithy_types::error::ErrorMetadata;

    #[tokio::test]
    async fn metric_and_composite_alarms_are_read_in_one_call() {
        let rule = mock!(Client::describe_alarms)
            .match_requests(|request| request.alarm_names().len() == 4 && request.alarm_types().len() == 2)
            .then_output(|| {
                let metric = |name: &str, state| {
                    let changed = DateTime::from_secs_and_nanos(1_767_225_600, 120_000_000);
                    let alarm = MetricAlarm::builder().alarm_name(name).state_value(state);
                    alarm.state_transitioned_timestamp(changed).build()
                };
                DescribeAlarmsOutput::builder()
                    .metric_alarms(metric("shop.backend-blue-errors", StateValue::Ok))
                    .metric_alarms(metric("shop.backend-green-errors", StateValue::InsufficientData))
                    .composite_alarms(
                        CompositeAlarm::builder()
                            .alarm_name("shop.backend-green-slow")
                            .state_value(StateValue::Alarm)
                            .build(),
                    )
                    .build()
            });
        let aws = aws().with_cloudwatch(mock_client!(aws_sdk_cloudwatch, RuleMode::MatchAny, &[&rule]));
        let release::Alarms { states, ok_since } = aws.alarm_states(&backend()).await.unwrap();
        let of = |states: &[(&str, AlarmState)]| {
            states.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(
            states.blue,
            of(&[
                ("shop.backend-blue-errors", AlarmState::Ok),
                ("shop.backend-blue-slow", AlarmState::Missing)
            ])
        );
        assert_eq!(
            states.green,
            of(&[
                ("shop.backend-green-errors", AlarmState::NoData),
                ("shop.backend-green-slow", AlarmState::Firing)
            ])
        );
        let since = "2026-01-01T00:00:00.12Z".parse().unwrap();
        assert_eq!(ok_since, BTreeMap::from([("shop.backend-blue-errors".to_owned(), since)]));
        assert_eq!(rule.num_calls(), 1);
    }

    const GREEN: &str = "shop.backend-green-errors";
    const WAKES: &str = "arn:aws:lambda:eu-central-1:111122223333:function:shop-alarm";

    /// CloudWatch's answer to who asks for the one alarm that a drill is about to set.
    fn describes(output: fn() -> DescribeAlarmsOutput) -> Rule {
        mock!(Client::describe_alarms)
            .match_requests(|request| request.alarm_names() == [GREEN] && request.alarm_types().len() == 2)
            .then_output(output)
    }

    fn metric(enabled: Option<bool>, action: Option<&str>) -> DescribeAlarmsOutput {
        let alarm = MetricAlarm::builder().alarm_name(GREEN).set_actions_enabled(enabled);
        let alarm = alarm.set_alarm_actions(action.map(|action| vec![action.to_owned()]));
        DescribeAlarmsOutput::builder().metric_alarms(alarm.build()).build()
    }

    fn composite() -> DescribeAlarmsOutput {
        let alarm = CompositeAlarm::builder().alarm_name(GREEN).actions_enabled(true).alarm_actions(WAKES);
        DescribeAlarmsOutput::builder().composite_alarms(alarm.build()).build()
    }

    #[tokio::test]
    async fn a_drill_sets_an_alarm_of_its_colour_and_no_other_one() {
        let rule = mock!(Client::set_alarm_state)
            .match_requests(|request| {
                request.alarm_name() == Some(GREEN)
                    && request.state_value() == Some(&StateValue::Alarm)
                    && request
                        .state_reason()
                        .is_some_and(|reason| reason.contains("a drill of backend on green"))
            })
            .then_output(|| SetAlarmStateOutput::builder().build());
        let described = describes(|| metric(Some(true), Some(WAKES)));
        let cloudwatch = mock_client!(aws_sdk_cloudwatch, RuleMode::MatchAny, &[&described, &rule]);
        let aws = aws().with_cloudwatch(cloudwatch);
        aws.set_alarm(&backend(), Colour::Green, GREEN).await.unwrap();
        let of_blue = aws.set_alarm(&backend(), Colour::Green, "shop.backend-blue-errors").await.unwrap_err();
        assert_eq!((of_blue.class(), rule.num_calls()), (Class::Permanent, 1));
    }

    #[tokio::test]
    async fn a_drill_sets_no_alarm_that_would_wake_nobody_or_might_stay() {
        type Described = fn() -> DescribeAlarmsOutput;
        let refused: [(Described, &str); 4] = [
            (|| metric(Some(true), None), "AlarmActions is empty"),
            (|| metric(Some(false), Some(WAKES)), "ActionsEnabled is false"),
            (composite, "it is a composite alarm"),
            (|| DescribeAlarmsOutput::builder().build(), "knows no such alarm"),
        ];
        for (output, why) in refused {
            let described = describes(output);
            let sets = mock!(Client::set_alarm_state).then_output(|| SetAlarmStateOutput::builder().build());
            let cloudwatch = mock_client!(aws_sdk_cloudwatch, RuleMode::MatchAny, &[&described, &sets]);
            let aws = aws().with_cloudwatch(cloudwatch);
            let failure = aws.set_alarm(&backend(), Colour::Green, GREEN).await.unwrap_err();
            assert_eq!((failure.class(), sets.num_calls()), (Class::Permanent, 0), "{why}");
            assert!(failure.to_string().contains(why), "{failure}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn alarms_that_cannot_be_read_are_a_failure_that_names_the_service() {
        for (code, class) in [("ThrottlingException", Class::Transient), ("AccessDenied", Class::Permanent)] {
            let rule = mock!(Client::describe_alarms).then_error(move || {
                DescribeAlarmsError::generic(ErrorMetadata::builder().code(code).build())
            });
            let aws = aws().with_cloudwatch(mock_client!(aws_sdk_cloudwatch, RuleMode::MatchAny, &[&rule]));
            let failure = aws.alarm_states(&backend()).await.unwrap_err();
            assert_eq!(failure.class(), class, "{code}");
            assert!(failure.to_string().contains("backend"), "{failure}");
        }
    }
}
