//! Decision records as production writes them are decided again.

use crate::production::passes_of_a_release;
use proof::replay::replay;
use serde_json::json;

/// A log line as Lambda has it: the pass is JSON within JSON.
async fn log() -> Vec<String> {
    let passes = passes_of_a_release().await;
    let line =
        |pass| json!({ "message": "decided", "pass": serde_json::to_string(pass).unwrap() }).to_string();
    passes.iter().map(line).collect()
}

#[tokio::test]
async fn every_record_of_a_release_is_reproduced() {
    let log = log().await;
    let replayed = replay(&format!("START RequestId: 1\n{}\nEND", log.join("\n")));
    assert_eq!((replayed.same, replayed.different), (log.len(), Vec::new()));
    assert!(log.len() > 8);
}

#[tokio::test]
async fn a_record_that_does_not_follow_is_pointed_at() {
    let mut log = log().await;
    let raised = log.iter().position(|line| line.contains("set_release_weights")).unwrap();
    log[raised] = log[raised].replace("Healthy", "Unhealthy");
    let replayed = replay(&log.join("\n"));
    assert_eq!(replayed.same, log.len() - 1);
    let lines: Vec<_> = replayed.different.iter().map(|different| different.line).collect();
    assert_eq!(lines, [raised + 1]);
}

#[test]
fn records_that_an_older_version_wrote_are_reproduced() {
    let log = include_str!("../records/schema-1.log");
    let replayed = replay(log);
    // What opens now looks at the rules first, and what is missing is looked for again.
    let lines: Vec<_> = replayed.different.iter().map(|different| different.line).collect();
    assert_eq!((replayed.same + lines.len(), lines), (log.lines().count(), vec![1, 20, 21, 26, 27, 28]));
}
