//! What CloudWatch published of the requests that both colours got.

use super::Aws;
use super::classify::{failure, incomplete};
use crate::failure::Failure;
use crate::ports::{PortResult, Traffic};
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, ScanBy, StatusCode};
use aws_smithy_types::DateTime;
use release::evidence::{Published, PublishedMinute};
use release::plan::Window;
use release::{Colour, ServiceName};
use std::collections::BTreeMap;

/// Where a metric is counted.
type Counter = fn(&mut Published) -> &mut u64;

/// The metrics of a target group, and what each counts (load balancing user guide, CloudWatch metrics).
const METRICS: [(&str, Counter); 6] = [
    ("RequestCount", |published| &mut published.requests),
    ("HTTPCode_Target_2XX_Count", |published| &mut published.answered),
    ("HTTPCode_Target_3XX_Count", |published| &mut published.answered),
    ("HTTPCode_Target_4XX_Count", |published| &mut published.answered),
    ("HTTPCode_Target_5XX_Count", |published| &mut published.failed),
    ("TargetConnectionErrorCount", |published| &mut published.refused),
];

/// A minute: what the load balancer publishes, and what CloudWatch keeps for 15 days (CloudWatch user guide, metrics
/// retention).
const PERIOD_SECONDS: i32 = 60;

/// Pages at most. A page has up to 100,800 points (CloudWatch API reference, `GetMetricData`), and a week of twelve
/// metrics has 120,960.
const PAGES: usize = 8;

impl Traffic for Aws {
    /// One `GetMetricData` for both colours, and more only for a window that does not fit into one answer. It is charged
    /// by the metric asked for, twelve a call, whatever the window (CloudWatch pricing).
    async fn published(&self, service: &ServiceName, window: Window) -> PortResult<Vec<PublishedMinute>> {
        let groups = &self.service(service)?.target_groups;
        let attempt = format!("reading what CloudWatch published of {service}");
        let load_balancer = load_balancer(&self.settings.listener_arn)
            .ok_or_else(|| incomplete(&attempt, "a load balancer in GREENLIGHT_LISTENER_ARN"))?;
        let queries: Vec<MetricDataQuery> = Colour::BOTH
            .into_iter()
            .flat_map(|colour| {
                let group = last_part(groups.of(colour));
                (0..METRICS.len()).map(move |index| query(colour, index, load_balancer, group))
            })
            .collect();
        let call = self
            .cloudwatch
            .get_metric_data()
            .set_metric_data_queries(Some(queries))
            .start_time(start_of(window.from))
            .end_time(start_of(window.until))
            .scan_by(ScanBy::TimestampAscending);
        let mut minutes = BTreeMap::new();
        let mut token = None;
        for _ in 0..PAGES {
            let page = call.clone().set_next_token(token).send().await;
            let page = page.map_err(|error| failure(&attempt, error))?;
            for result in page.metric_data_results() {
                // A page that is not the last has partial data; what a metric lacks then would look like "nothing came".
                match result.status_code() {
                    Some(StatusCode::Complete | StatusCode::PartialData) => {}
                    status => return Err(withheld(&attempt, result.id(), status)),
                }
                let metric = result.id().and_then(|id| Some((id, metric(id)?)));
                let (id, (colour, slot)) = metric.ok_or_else(|| incomplete(&attempt, "a metric's id"))?;
                for (time, value) in result.timestamps().iter().zip(result.values()) {
                    let minute = time.secs().div_euclid(i64::from(PERIOD_SECONDS));
                    let counted =
                        count(*value).ok_or_else(|| incomplete(&attempt, &format!("a number for {id}")))?;
                    let published = minutes.entry(minute).or_insert_with(|| PublishedMinute {
                        minute,
                        blue: Published::default(),
                        green: Published::default(),
                    });
                    let sum = slot(match colour {
                        Colour::Blue => &mut published.blue,
                        Colour::Green => &mut published.green,
                    });
                    *sum = sum.saturating_add(counted);
                }
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(minutes.into_values().collect());
            }
        }
        Err(incomplete(&attempt, &format!("an end after {PAGES} pages")))
    }
}

fn query(colour: Colour, index: usize, load_balancer: &str, group: &str) -> MetricDataQuery {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let metric = Metric::builder()
        .namespace("AWS/ApplicationELB")
        .metric_name(METRICS[index].0)
        .dimensions(dimension("LoadBalancer", load_balancer))
        .dimensions(dimension("TargetGroup", group));
    let stat = MetricStat::builder().metric(metric.build()).period(PERIOD_SECONDS).stat("Sum");
    MetricDataQuery::builder().id(format!("{colour}_{index}")).metric_stat(stat.build()).build()
}

/// Of a query's id: whose it is, and where it is counted.
fn metric(id: &str) -> Option<(Colour, Counter)> {
    let (colour, index) = id.split_once('_')?;
    let colour = Colour::BOTH.into_iter().find(|known| known.to_string() == colour)?;
    Some((colour, METRICS.get(index.parse::<usize>().ok()?)?.1))
}

fn withheld(attempt: &str, id: Option<&str>, status: Option<&StatusCode>) -> Failure {
    let status = status.map_or("without a status", StatusCode::as_str);
    incomplete(attempt, &format!("the metric {} ({status})", id.unwrap_or("without an id")))
}

/// A sum of whole numbers.
fn count(value: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in the range of both")]
    (0.0..9e15).contains(&value).then(|| value.round() as u64)
}

fn start_of(minute: i64) -> DateTime {
    DateTime::from_secs(minute.saturating_mul(i64::from(PERIOD_SECONDS)))
}

/// The dimension `LoadBalancer` (`app/name/id`) of a listener (`arn:…:listener/app/name/id/listener`).
fn load_balancer(listener_arn: &str) -> Option<&str> {
    let (_, path) = listener_arn.split_once(":listener/")?;
    path.rsplit_once('/').map(|(load_balancer, _)| load_balancer)
}

/// The dimension `TargetGroup` (`targetgroup/name/id`) of a target group's ARN.
fn last_part(arn: &str) -> &str {
    arn.rsplit_once(':').map_or(arn, |(_, part)| part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{aws, backend};
    use crate::failure::{Class, chain};
    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::operation::get_metric_data::{
        GetMetricDataError, GetMetricDataInput, GetMetricDataOutput,
    };
    use aws_sdk_cloudwatch::types::MetricDataResult;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use aws_smithy_types::error::ErrorMetadata;

    const WINDOW: Window = Window { from: 100, until: 105 };

    fn result(id: &str, status: StatusCode, points: &[(i64, f64)]) -> MetricDataResult {
        MetricDataResult::builder()
            .id(id)
            .status_code(status)
            .set_timestamps(Some(points.iter().map(|(minute, _)| start_of(*minute)).collect()))
            .set_values(Some(points.iter().map(|(_, value)| *value).collect()))
            .build()
    }

    fn page(results: Vec<MetricDataResult>, next: Option<&str>) -> GetMetricDataOutput {
        GetMetricDataOutput::builder()
            .set_metric_data_results(Some(results))
            .set_next_token(next.map(str::to_owned))
            .build()
    }

    async fn read(answer: fn() -> GetMetricDataOutput) -> PortResult<Vec<PublishedMinute>> {
        let rule = mock!(Client::get_metric_data).then_output(answer);
        let aws = aws().with_cloudwatch(mock_client!(aws_sdk_cloudwatch, RuleMode::MatchAny, &[&rule]));
        aws.published(&backend(), WINDOW).await
    }

    /// What is asked, as a person would read it.
    fn asked(request: &GetMetricDataInput) -> Vec<String> {
        let stat = |query: &MetricDataQuery| {
            let stat = query.metric_stat()?;
            let metric = stat.metric()?;
            let dimensions: Vec<_> = metric.dimensions().iter().filter_map(Dimension::value).collect();
            Some(format!(
                "{} {} of {} each {:?} s",
                stat.stat()?,
                metric.metric_name()?,
                dimensions.join(" "),
                stat.period()?
            ))
        };
        request.metric_data_queries().iter().filter_map(stat).collect()
    }

    #[tokio::test]
    async fn both_colours_are_read_in_one_call_and_a_minute_without_a_point_is_left_out() {
        let rule = mock!(Client::get_metric_data)
            .match_requests(|request| {
                let asked = asked(request);
                let expected =
                    "Sum HTTPCode_Target_5XX_Count of app/shop/1 targetgroup/backend-green/2 each 60 s";
                request.start_time() == Some(&start_of(100))
                    && request.end_time() == Some(&start_of(105))
                    && asked.len() == 12
                    && asked.contains(&expected.to_owned())
            })
            .then_output(|| {
                page(
                    vec![
                        result("blue_0", StatusCode::Complete, &[(100, 40.0), (102, 41.0)]),
                        result("blue_1", StatusCode::Complete, &[(100, 30.0)]),
                        result("blue_2", StatusCode::Complete, &[(100, 4.0)]),
                        result("blue_3", StatusCode::Complete, &[(100, 5.0)]),
                        result("green_4", StatusCode::Complete, &[(102, 7.0)]),
                        result("green_5", StatusCode::Complete, &[(103, 9.0)]),
                    ],
                    None,
                )
            });
        let aws = aws().with_cloudwatch(mock_client!(aws_sdk_cloudwatch, RuleMode::MatchAny, &[&rule]));
        let published = aws.published(&backend(), WINDOW).await.unwrap();
        let nothing = Published::default();
        assert_eq!(
            published,
            [
                PublishedMinute {
                    minute: 100,
                    blue: Published { requests: 40, answered: 39, ..nothing },
                    green: nothing
                },
                PublishedMinute {
                    minute: 102,
                    blue: Published { requests: 41, ..nothing },
                    green: Published { failed: 7, ..nothing }
                },
                PublishedMinute { minute: 103, blue: nothing, green: Published { refused: 9, ..nothing } },
            ]
        );
        assert_eq!(rule.num_calls(), 1);
    }

    #[tokio::test]
    async fn what_fills_more_than_one_page_is_read_to_the_end_and_an_endless_answer_is_none() {
        let first = mock!(Client::get_metric_data)
            .match_requests(|request| request.next_token().is_none())
            .then_output(|| {
                page(vec![result("green_0", StatusCode::PartialData, &[(100, 1.0)])], Some("more"))
            });
        let last = mock!(Client::get_metric_data)
            .match_requests(|request| request.next_token() == Some("more"))
            .then_output(|| page(vec![result("green_0", StatusCode::Complete, &[(101, 2.0)])], None));
        let rules = [&first, &last];
        let aws = aws().with_cloudwatch(mock_client!(aws_sdk_cloudwatch, RuleMode::MatchAny, &rules));
        let published = aws.published(&backend(), WINDOW).await.unwrap();
        let requests: Vec<_> =
            published.iter().map(|minute| (minute.minute, minute.green.requests)).collect();
        assert_eq!(requests, [(100, 1), (101, 2)]);

        let endless = read(|| page(Vec::new(), Some("more"))).await.unwrap_err();
        assert!(endless.to_string().contains("an end after 8 pages"), "{endless}");
    }

    #[tokio::test]
    async fn what_cannot_be_counted_is_a_failure_and_no_number() {
        let withheld = read(|| page(vec![result("blue_0", StatusCode::InternalError, &[])], None)).await;
        let foreign = read(|| page(vec![result("pink_9", StatusCode::Complete, &[])], None)).await;
        let absurd =
            read(|| page(vec![result("blue_0", StatusCode::Complete, &[(100, f64::NAN)])], None)).await;
        let negative =
            read(|| page(vec![result("blue_0", StatusCode::Complete, &[(100, -1.0)])], None)).await;
        for (answer, says) in [
            (withheld, "without the metric blue_0 (InternalError)"),
            (foreign, "without a metric's id"),
            (absurd, "without a number for blue_0"),
            (negative, "without a number for blue_0"),
        ] {
            let failure = answer.unwrap_err();
            assert!(failure.to_string().contains(says), "{failure}");
        }
        assert_eq!(read(|| page(Vec::new(), None)).await.unwrap(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_read_is_a_failure_that_names_the_service() {
        for (code, class) in [("Throttling", Class::Transient), ("AccessDenied", Class::Permanent)] {
            let rule = mock!(Client::get_metric_data)
                .then_error(move || GetMetricDataError::generic(ErrorMetadata::builder().code(code).build()));
            let aws = aws().with_cloudwatch(mock_client!(aws_sdk_cloudwatch, RuleMode::MatchAny, &[&rule]));
            let failure = aws.published(&backend(), WINDOW).await.unwrap_err();
            assert_eq!(failure.class(), class, "{code}");
            assert!(chain(&failure).contains("of backend failed"), "{failure}");
        }
    }
}
