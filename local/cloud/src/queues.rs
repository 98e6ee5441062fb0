//! SQS, which the emulator answers: queues by their ARNs.

use crate::aws;
use crate::emulator::Emulator;
use anyhow::Result;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// All queues of the account.
#[derive(Debug, Clone)]
pub(crate) struct Queues(Arc<Emulator>);

/// A message that was received and not deleted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its id.
    pub(crate) id: String,
    /// Deletes it.
    pub(crate) receipt: String,
    /// As SQS's API describes it.
    pub(crate) described: Value,
}

impl Queues {
    /// Those that the emulator holds.
    pub(crate) fn new(emulator: Arc<Emulator>) -> Self {
        Self(emulator)
    }

    async fn call(&self, operation: &str, queue: &str, mut request: Value) -> Result<Value> {
        let name = queue.rsplit(':').next().unwrap_or(queue);
        request["QueueUrl"] = format!("{}/{}/{name}", self.0.endpoint(), aws::ACCOUNT).into();
        self.0.json("sqs", &format!("AmazonSQS.{operation}"), "1.0", &request).await
    }

    /// Puts a message into the queue with this ARN.
    ///
    /// # Errors
    /// When there is no such queue.
    pub(crate) async fn send(&self, queue: &str, body: &str) -> Result<()> {
        self.call("SendMessage", queue, json!({ "MessageBody": body })).await?;
        Ok(())
    }

    /// How long a message that was received is hidden from others.
    ///
    /// # Errors
    /// When there is no such queue.
    pub(crate) async fn visibility_timeout(&self, queue: &str) -> Result<Duration> {
        let wanted = json!({ "AttributeNames": ["VisibilityTimeout"] });
        let answer = self.call("GetQueueAttributes", queue, wanted).await?;
        let seconds = answer.pointer("/Attributes/VisibilityTimeout").and_then(Value::as_str);
        Ok(Duration::from_secs(seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(30)))
    }

    /// At most `most` messages (10 is SQS's limit), hidden from others for so long.
    ///
    /// # Errors
    /// When there is no such queue.
    pub(crate) async fn receive(&self, queue: &str, most: u32, hidden: Duration) -> Result<Vec<Message>> {
        let request = json!({
            "MaxNumberOfMessages": most.clamp(1, 10),
            "VisibilityTimeout": hidden.as_secs().max(1),
            "AttributeNames": ["All"],
        });
        let answer = self.call("ReceiveMessage", queue, request).await?;
        let messages = answer.get("Messages").and_then(Value::as_array).into_iter().flatten();
        let text = |message: &Value, field: &str| Some(message.get(field)?.as_str()?.to_owned());
        Ok(messages
            .filter_map(|message| {
                let (id, receipt) = (text(message, "MessageId")?, text(message, "ReceiptHandle")?);
                Some(Message { id, receipt, described: message.clone() })
            })
            .collect())
    }

    /// Deletes a message that was received.
    ///
    /// # Errors
    /// When there is no such queue, or the receipt is none of its.
    pub(crate) async fn delete(&self, queue: &str, message: &Message) -> Result<()> {
        self.call("DeleteMessage", queue, json!({ "ReceiptHandle": message.receipt })).await?;
        Ok(())
    }
}
