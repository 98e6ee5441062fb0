//! The one place that reads the clock.

use jiff::Timestamp;

/// Now. CodeDeploy stamps what happens; it decides nothing by it.
#[expect(clippy::disallowed_methods, reason = "the service is the edge: it stamps what happened")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Seconds since the epoch with milliseconds, as AWS's JSON protocols write times.
pub(crate) fn epoch_seconds(time: Timestamp) -> serde_json::Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 fit into 53 bits for 285,000 years"
    )]
    let seconds = time.as_millisecond() as f64 / 1000.0;
    serde_json::json!(seconds)
}
