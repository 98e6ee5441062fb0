//! What lies in a queue of events that a function gave up on.

use super::why;
use crate::operator::doctor::{Held, Looked, Sample};
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use greenlight::failure::{Excerpt, KeyExcerpt};
use serde_json::Value;

/// Messages that are shown.
const SHOWN: i32 = 3;

/// How many there are, and the beginning of some of them. They are shown to others at once: a visibility time-out of 0 hides
/// nothing (SQS API reference, `ReceiveMessage`), and the queues move nothing on for having been received.
pub(super) async fn look(config: &SdkConfig, url: &str) -> Looked<Held> {
    let client = Client::new(config);
    let names = [QueueAttributeName::ApproximateNumberOfMessages];
    let call = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
    let attributes = call.send().await.map_err(why)?;
    let count =
        attributes.attributes().and_then(|all| all.get(&QueueAttributeName::ApproximateNumberOfMessages));
    let count: u64 =
        count.and_then(|count| count.parse().ok()).ok_or("SQS does not say how many messages there are")?;
    let mut samples = Vec::new();
    if count > 0 {
        let call =
            client.receive_message().queue_url(url).max_number_of_messages(SHOWN).visibility_timeout(0);
        // How many there are is known without them, and the right to read them is another.
        if let Ok(output) = call.send().await {
            samples = output.messages().iter().filter_map(|message| message.body()).map(sample).collect();
        }
    }
    Ok(Held { url: url.to_owned(), count, samples })
}

/// Lambda writes what it was invoked with and what came of it (Lambda developer guide, "Invocation record"); SQS moves what
/// it holds as it is.
fn sample(body: &str) -> Sample {
    let record: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let payload = record.get("requestPayload").unwrap_or(&record);
    let text = |at: &str| record.pointer(at).and_then(Value::as_str);
    let why = text("/responsePayload/errorMessage").or(text("/requestContext/condition"));
    Sample { what: event(payload), why: Excerpt(why.unwrap_or("it does not say why")).to_string() }
}

/// Which event, without its content.
fn event(payload: &Value) -> String {
    let text = |at: &str| payload.pointer(at).and_then(Value::as_str);
    let object = text("/Records/0/s3/bucket/name").zip(text("/Records/0/s3/object/key"));
    if let Some((bucket, key)) = object {
        return format!("s3://{}/{}", Excerpt(bucket), KeyExcerpt(key));
    }
    let kind = text("/alarmData/alarmName").map(|name| format!("alarm {}", Excerpt(name)));
    let kind = kind.or(text("/detail-type").map(|kind| Excerpt(kind).to_string()));
    kind.unwrap_or_else(|| "an event of an unknown kind".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_told_by_its_object_and_its_error_and_by_nothing_else() {
        let upload = json!({
            "requestContext": { "condition": "RetriesExhausted" },
            "requestPayload": { "Records": [{ "s3": {
                "bucket": { "name": "artifacts" }, "object": { "key": "releases/backend/42-abc1234.zip" } } }] },
            "responsePayload": { "errorMessage": format!("AccessDenied\n{}", "x".repeat(1000)) },
        });
        let Sample { what, why } = sample(&upload.to_string());
        assert_eq!(what, "s3://artifacts/releases/backend/42-abc1234.zip");
        assert!(why.starts_with(r"AccessDenied\n") && why.len() < 300, "{why}");
        let told = |payload: Value| sample(&json!({ "requestPayload": payload }).to_string()).what;
        assert_eq!(told(json!({ "detail-type": "Scheduled Event", "token": "secret" })), "Scheduled Event");
        assert_eq!(
            told(json!({ "alarmData": { "alarmName": "shop.backend-green-errors" } })),
            "alarm shop.backend-green-errors"
        );
        assert_eq!(sample("no JSON").what, "an event of an unknown kind");
    }
}
