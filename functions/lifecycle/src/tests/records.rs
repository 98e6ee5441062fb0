//! What the log has of an invocation that fails.

use super::*;
use lambda_runtime::tracing::subscriber::fmt;
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Service {
    /// What is logged while this is sent and each such call fails.
    async fn log_of(&self, payload: Value, call: &'static str) -> Vec<Value> {
        let log = Log::default();
        let written = log.clone();
        let subscriber = fmt().json().flatten_event(true).with_writer(move || written.clone()).finish();
        let logging = tracing::subscriber::set_default(subscriber);
        let faults = [FaultAt { at: At::Every(call), kind: Kind::Before(Class::Transient) }];
        self.send_through(&Faulty::new(&self.world, faults), payload).await.unwrap_err();
        drop(logging);
        let lines = log.0.lock().unwrap().clone();
        String::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_failure_is_one_record_with_its_event_and_its_class() {
    let service = Service::with_open_release().await;
    let records = service.log_of(json!({"command": "status", "service": "backend"}), "read_ledger").await;
    let errors: Vec<&Value> = records.iter().filter(|record| record["level"] == "ERROR").collect();
    let [error] = errors[..] else { panic!("{records:#?}") };
    assert_eq!(
        (&error["event"], &error["failure_class"]),
        (&json!("the command Status for backend"), &json!("transient"))
    );
}

#[tokio::test]
async fn the_right_to_answer_codedeploy_stands_in_no_record() {
    let service = Service::with_open_release().await;
    let payload = json!({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "right-to-answer"});
    let records = json!(service.log_of(payload, "tag_verdict").await).to_string();
    assert!(records.contains("d-1") && !records.contains("right-to-answer"), "{records}");
}
