//! State changes in EventBridge's shape, delivered as well or as badly as told.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{clock, ids};

/// How events are delivered. CodeDeploy's delivery to EventBridge is best effort: all of this happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Each event comes this much later, give or take nothing.
    pub late: Duration,
    /// Of a hundred events, how many never come.
    pub lost_percent: u8,
    /// Of a hundred events, how many come twice.
    pub duplicated_percent: u8,
}

/// Who listens, and how well they hear.
#[derive(Debug, Default)]
pub(crate) struct Events {
    listeners: Mutex<Vec<mpsc::UnboundedSender<Value>>>,
    delivery: Mutex<Delivery>,
}

/// A deployment's or an instance's change.
pub(crate) struct Change<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) application: &'a str,
    pub(crate) group: &'a str,
    pub(crate) group_id: &'a str,
    pub(crate) deployment_id: &'a str,
    /// `START`, `SUCCESS`, `FAILURE` or `STOP`.
    pub(crate) state: &'static str,
    /// Set when the change is an instance's.
    pub(crate) instance_id: Option<&'a str>,
}

impl Change<'_> {
    fn event(&self, time: Timestamp) -> Value {
        let (account, region, application, group) = (self.account, self.region, self.application, self.group);
        let arn = |resource: String| format!("arn:aws:codedeploy:{region}:{account}:{resource}");
        let mut resources = vec![
            arn(format!("application:{application}")),
            arn(format!("deploymentgroup:{application}/{group}")),
        ];
        let mut detail = json!({
            "instanceGroupId": self.group_id,
            "region": region,
            "application": application,
            "deploymentId": self.deployment_id,
            "state": self.state,
            "deploymentGroup": group,
        });
        let mut subject = "Deployment";
        if let Some(instance) = self.instance_id {
            subject = "Instance";
            resources.insert(0, format!("arn:aws:ec2:{region}:{account}:instance/{instance}"));
            detail["instanceId"] = json!(instance);
        }
        json!({
            "version": "0",
            "id": ids::uuid(),
            "detail-type": format!("CodeDeploy {subject} State-change Notification"),
            "source": "aws.codedeploy",
            "account": account,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": region,
            "resources": resources,
            "detail": detail,
        })
    }
}

impl Events {
    pub(crate) fn subscribe(&self) -> mpsc::UnboundedReceiver<Value> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    pub(crate) fn deliver(&self, delivery: Delivery) {
        *self.delivery.lock().unwrap_or_else(PoisonError::into_inner) = delivery;
    }

    pub(crate) fn publish(&self, change: &Change<'_>) {
        let delivery = *self.delivery.lock().unwrap_or_else(PoisonError::into_inner);
        let happens = |percent: u8| ids::random_number() % 100 < u64::from(percent);
        if happens(delivery.lost_percent) {
            return;
        }
        let event = change.event(clock::now());
        let copies = if happens(delivery.duplicated_percent) { 2 } else { 1 };
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| !listener.is_closed());
        for listener in listeners.iter() {
            send(listener.clone(), &event, copies, delivery.late);
        }
    }
}

/// A listener that has gone meanwhile misses the event, which is its right.
fn send(listener: mpsc::UnboundedSender<Value>, event: &Value, copies: usize, late: Duration) {
    let events = vec![event.clone(); copies];
    let hand_over = move || events.into_iter().for_each(|event| listener.send(event).unwrap_or_default());
    if late.is_zero() {
        hand_over();
    } else {
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            hand_over();
        });
    }
}
