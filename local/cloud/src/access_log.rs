//! The load balancer's access log: a line for each request in AWS's own fields, delivered to S3 as gzip.
//!
//! Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html>
//!
//! # Not as on AWS
//! - All times but the first are those of the whole request, and sizes are not counted.

use crate::aws;
use crate::clock;
use anyhow::{Context as _, Result};
use aws_config::SdkConfig;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use load_balancer::Access;
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a load balancer writes its log, on AWS's clock.
pub(crate) const INTERVAL: Duration = Duration::from_secs(300);

/// The log of one load balancer.
#[derive(Debug)]
pub(crate) struct AccessLog {
    load_balancer: String,
    open: Mutex<Option<GzEncoder<Vec<u8>>>>,
    delivered: AtomicU64,
}

impl AccessLog {
    /// Of the load balancer with this ARN.
    pub(crate) fn new(load_balancer: &str) -> Self {
        let load_balancer = load_balancer.to_owned();
        Self { load_balancer, open: Mutex::default(), delivered: AtomicU64::new(0) }
    }

    /// `app/NAME/ID`.
    fn name(&self) -> &str {
        self.load_balancer.split_once(":loadbalancer/").map_or("", |(_, name)| name)
    }

    /// Writes a request down.
    pub(crate) fn note(&self, access: &Access<'_>) {
        let line = line(self.name(), access);
        let mut open = self.lock();
        let file = open.get_or_insert_with(|| GzEncoder::new(Vec::new(), Compression::fast()));
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::error!(%error, "a request is missing in the load balancer's log");
        }
    }

    /// Delivers the log every `interval`, for ever, if the load balancer is told to. Without requests there is no file.
    pub(crate) async fn deliver(
        &self,
        balancing: aws_sdk_elasticloadbalancingv2::Client,
        config: SdkConfig,
        interval: Duration,
    ) -> Infallible {
        let s3 = aws_sdk_s3::Client::new(&config);
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = self.deliver_once(&balancing, &s3).await {
                tracing::error!(error = %format!("{error:#}"), "a file of the load balancer's log was not delivered");
            }
        }
    }

    async fn deliver_once(
        &self,
        balancing: &aws_sdk_elasticloadbalancingv2::Client,
        s3: &aws_sdk_s3::Client,
    ) -> Result<()> {
        let Some(file) = self.lock().take() else { return Ok(()) };
        let attributes = balancing
            .describe_load_balancer_attributes()
            .load_balancer_arn(&self.load_balancer)
            .send()
            .await?;
        let value = |key: &str| {
            let found = attributes.attributes().iter().find(|attribute| attribute.key() == Some(key));
            found.and_then(|attribute| attribute.value()).unwrap_or_default()
        };
        let bucket = value("access_logs.s3.bucket");
        if value("access_logs.s3.enabled") != "true" || bucket.is_empty() {
            return Ok(());
        }
        // From the clock, so that a cloud that is started again does not write over the files of the last one.
        let now = clock::now();
        let number = self.delivered.fetch_add(1, Ordering::Relaxed);
        let number = number + u64::try_from(now.as_second()).unwrap_or_default();
        let key = key(value("access_logs.s3.prefix"), self.name(), now, number);
        let content = file.finish()?;
        s3.put_object().bucket(bucket).key(&key).body(content.into()).send().await.with_context(|| key)?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<GzEncoder<Vec<u8>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(prefix: &str, name: &str, ended: Timestamp, number: u64) -> String {
    let (account, region) = (aws::ACCOUNT, aws::REGION);
    let ended = ended.to_zoned(TimeZone::UTC);
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    format!(
        "{prefix}AWSLogs/{account}/elasticloadbalancing/{region}/{}/{account}_elasticloadbalancing_{region}_{}_{}_10.0.0.9_{number:08x}.log.gz",
        ended.strftime("%Y/%m/%d"),
        name.replace('/', "."),
        ended.strftime("%Y%m%dT%H%MZ"),
    )
}

/// A quote or a control character that a client sent does not end a field.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            _ if character.is_control() => quoted.extend(format!("\\x{:02X}", u32::from(character)).chars()),
            _ => quoted.push(character),
        }
    }
    quoted
}

fn line(name: &str, access: &Access<'_>) -> String {
    let at = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let answered = access.time.checked_add(access.duration).unwrap_or(access.time);
    let target = access.target.map_or_else(|| "-".to_owned(), |target| target.to_string());
    let seconds = access.duration.as_secs_f64();
    let (times, target_status) = if access.from_target {
        (format!("0.000 {seconds:.3} 0.000"), access.status.as_u16().to_string())
    } else {
        ("-1 -1 -1".to_owned(), "-".to_owned())
    };
    let actions = match (access.blocked, access.target_group) {
        (true, _) => "waf",
        (false, Some(_)) => "waf,forward",
        (false, None) => "waf,fixed-response",
    };
    let path = quoted(access.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str));
    format!(
        "http {time} {name} {client}:{port} {target} {times} {status} {target_status} 0 0 \"{method} http://{host}:80{path} {version:?}\" \
         \"{agent}\" - - {group} \"{trace}\" \"-\" \"-\" 0 {created} \"{actions}\" \"-\" \"-\" \"{target}\" \"{target_status}\" \
         \"-\" \"-\" TID_{port:032x} \"-\" \"-\" \"-\"\n",
        time = at(answered),
        client = access.client,
        port = access.port,
        status = access.status.as_u16(),
        method = access.method,
        host = access.host,
        version = access.version,
        agent = quoted(access.agent.unwrap_or("-")),
        group = access.target_group.unwrap_or("-"),
        trace = access.trace_id.unwrap_or("-"),
        created = at(access.time),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Method, StatusCode, Uri, Version};

    #[test]
    fn a_request_is_written_in_the_fields_of_aws() {
        let uri: Uri = "/login?next=/".parse().unwrap();
        let access = Access {
            time: "2026-11-28T11:16:03.186641Z".parse().unwrap(),
            duration: Duration::from_millis(4),
            client: "198.51.100.7".parse().unwrap(),
            port: 1024,
            host: "shop.test",
            method: &Method::POST,
            uri: &uri,
            version: Version::HTTP_11,
            agent: Some("a \"quoted\" one"),
            trace_id: Some("Root=1-58337262"),
            blocked: false,
            status: StatusCode::UNAUTHORIZED,
            target_group: Some("arn:group"),
            target: Some("10.0.0.1:8080".parse().unwrap()),
            from_target: true,
            retried: false,
        };
        let fields = "http 2026-11-28T11:16:03.190641Z app/shop/50dc 198.51.100.7:1024 10.0.0.1:8080 0.000 0.004 0.000 401 401 0 0 \
            \"POST http://shop.test:80/login?next=/ HTTP/1.1\" \"a \\\"quoted\\\" one\" - - arn:group \"Root=1-58337262\" \"-\" \"-\" 0 \
            2026-11-28T11:16:03.186641Z \"waf,forward\" \"-\" \"-\" \"10.0.0.1:8080\" \"401\" \"-\" \"-\" \
            TID_00000000000000000000000000000400 \"-\" \"-\" \"-\"\n";
        assert_eq!(line("app/shop/50dc", &access), fields);
        let blocked = Access {
            blocked: true,
            from_target: false,
            target: None,
            target_group: None,
            status: StatusCode::FORBIDDEN,
            ..access
        };
        assert!(line("app/shop/50dc", &blocked).contains(" - -1 -1 -1 403 - 0 0 "));
    }

    #[test]
    fn a_file_has_the_key_that_a_load_balancer_gives_it() {
        assert_eq!(
            key("", "app/shop/50dc", "2026-11-28T11:20:00Z".parse().unwrap(), 255),
            "AWSLogs/123456789012/elasticloadbalancing/eu-west-1/2026/11/28/\
             123456789012_elasticloadbalancing_eu-west-1_app.shop.50dc_20261128T1120Z_10.0.0.9_000000ff.log.gz"
        );
    }
}
