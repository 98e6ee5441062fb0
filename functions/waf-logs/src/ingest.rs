//! From logs to partial results. Any number of these run at once; they share nothing but the state bucket, and a
//! repeat writes nothing.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use greenlight::failure::{Class, Failure};
use jiff::Timestamp;
use offenders::classify::Classifier;
use offenders::inflate::BadObject;
use offenders::object::{ObjectReader, Summary};
use offenders::partial::{self, Header};
use offenders::tally::{Room, Tally};

use crate::keys;
use crate::pass::LATENESS;
use crate::ports::{Body, LogObject, Opened, PortResult, Ports};

/// Most bytes that a subscription's data may inflate to. Lambda takes 6 MB, and a log inflates to some fifteen times as
/// much. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const LARGEST_SUBSCRIPTION: u64 = 128 * 1024 * 1024;

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingested {
    /// Counted; the partial result stands under this key.
    Counted(String, Summary),
    /// Counted before, nothing done.
    Before,
    /// It holds nothing to count.
    Nothing,
}

/// Reads one object.
///
/// # Errors
/// Permanent: the object is bad as a whole. Others: as S3 has them; a repeat is harmless.
pub async fn object(
    ports: &impl Ports,
    classifier: &mut Classifier,
    object: &LogObject,
    ipv6_prefix: u8,
) -> PortResult<Ingested> {
    let Opened { etag, written, mut body } = ports.open(object).await?;
    let key = keys::partial(written, &format!("{object}#{etag}"));
    if ports.exists(&key).await? {
        tracing::info!(object = %object, "object counted before, nothing to do");
        return Ok(Ingested::Before);
    }
    let mut reader = ObjectReader::new(classifier, Room::default(), written);
    while let Some(piece) = body.next().await? {
        reader.push(&piece).map_err(|bad| refused(object, bad))?;
    }
    let (summary, tally) = reader.finish().map_err(|bad| refused(object, bad))?;
    if summary.records == 0 && summary.bad > 0 {
        let message = format!(
            "none of the {} lines of {object} is of WAF's log or of a load balancer's access log; send these logs to a prefix of their own. The first: {}",
            summary.bad,
            summary.complaints.first().map_or("", String::as_str)
        );
        return Err(Failure::new(Class::Permanent, message));
    }
    let age = ports.now().duration_since(written);
    if Duration::try_from(age).is_ok_and(|age| age > LATENESS) {
        tracing::warn!(object = %object, age_seconds = age.as_secs(), "object read so late that its offences may be past judging");
    }
    store(ports, &object.to_string(), key, summary, &tally, ipv6_prefix).await
}

fn refused(object: &LogObject, bad: BadObject) -> Failure {
    Failure::new(Class::Permanent, format!("{object} was not counted")).caused_by(bad)
}

/// Reads the records of a CloudWatch Logs subscription's invocation.
///
/// # Errors
/// Permanent: not base64 of gzip, or no record of WAF's log in it. Others: as S3 has them; a repeat is harmless.
pub async fn subscription(
    ports: &impl Ports,
    classifier: &mut Classifier,
    data: &str,
    ipv6_prefix: u8,
) -> PortResult<Ingested> {
    let bytes = BASE64.decode(data).map_err(|error| {
        let message =
            "awslogs.data is no base64, nothing was counted: only CloudWatch Logs may invoke with awslogs";
        Failure::new(Class::Permanent, message).caused_by(error)
    })?;
    let refused =
        |bad| Failure::new(Class::Permanent, "the subscription's data was not counted").caused_by(bad);
    let mut reader =
        ObjectReader::new(classifier, Room::default(), ports.now()).at_most(LARGEST_SUBSCRIPTION);
    reader.push(&bytes).map_err(refused)?;
    let (summary, tally) = reader.finish().map_err(refused)?;
    if summary.records == 0 {
        if summary.bad == 0 && summary.control > 0 {
            return Ok(Ingested::Nothing);
        }
        return Err(no_records("the CloudWatch Logs subscription", &summary));
    }
    let last = summary.span.and_then(|(_, last)| Timestamp::from_millisecond(last).ok());
    let key = keys::partial(last.unwrap_or_else(|| ports.now()), data);
    store(ports, "CloudWatch Logs", key, summary, &tally, ipv6_prefix).await
}

/// Nothing in it is a record: the wrong logs are sent here.
fn no_records(source: &str, summary: &Summary) -> Failure {
    let found = summary.complaints.first().map_or("it is empty", String::as_str);
    let message = format!(
        "none of the {} messages of {source} is a record of WAF's log, nothing was counted: send the web ACL's log group only. The first: {found}",
        summary.bad
    );
    Failure::new(Class::Permanent, message)
}

async fn store(
    ports: &impl Ports,
    source: &str,
    key: String,
    summary: Summary,
    tally: &Tally,
    ipv6_prefix: u8,
) -> PortResult<Ingested> {
    if summary.records == 0 {
        tracing::info!(object = source, inflated_bytes = summary.bytes, "nothing to count in it");
        return Ok(Ingested::Nothing);
    }
    let header = Header {
        source: source.to_owned(),
        records: summary.records,
        bad: summary.bad,
        allowed: summary.allowed,
        without_client: summary.without_client,
        span: summary.span,
        out_of_span: summary.out_of_span,
        ..Header::default()
    };
    let bytes = partial::encode(header, tally, ipv6_prefix);
    let partial_bytes = bytes.len();
    let is_new = ports.create(&key, bytes).await?;
    for complaint in &summary.complaints {
        tracing::warn!(object = source, "record passed over: {complaint}");
    }
    if summary.out_of_span > 0 {
        tracing::warn!(
            object = source,
            records_of_another_time = summary.out_of_span,
            "records were not counted, because they are more than 45 h older or younger than the logs they stand in"
        );
    }
    tracing::info!(
        object = source,
        records = summary.records,
        bad_records = summary.bad,
        allowed_records = summary.allowed,
        records_without_client = summary.without_client,
        records_without_meaning = summary.without_meaning,
        clients = tally.len(),
        count_error = tally.error(),
        inflated_bytes = summary.bytes,
        partial_bytes,
        is_repeat = !is_new,
        "logs counted"
    );
    Ok(if is_new { Ingested::Counted(key, summary) } else { Ingested::Before })
}
