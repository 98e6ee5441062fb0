//! What becomes of each way in which a gate answers, or does not.

use super::*;
use aws_sdk_lambda::operation::invoke::{InvokeError, InvokeOutput};
use aws_sdk_lambda::types::error::ResourceNotFoundException;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use release::{Before, Colour, Commit, ReleaseNumber, ServiceName};

fn question() -> GateQuestion {
    GateQuestion {
        service: ServiceName::new("backend").unwrap(),
        release: ReleaseNumber(142),
        commit: Commit::new("0a1b2c3").unwrap(),
        attempt: 1,
        colour: Colour::Green,
        before: Before::Weight,
        until: "2026-03-02T10:02:00Z".parse().unwrap(),
    }
}

async fn answer(rule: Rule) -> GateAnswer {
    let client = mock_client!(aws_sdk_lambda, RuleMode::Sequential, [&rule]);
    Functions(client).ask("shop-gate", &question()).await
}

fn returns(error: Option<&'static str>, payload: &'static str) -> Rule {
    mock!(Client::invoke).then_output(move || {
        let output = InvokeOutput::builder().payload(Blob::new(payload));
        output.set_function_error(error.map(ToOwned::to_owned)).build()
    })
}

#[track_caller]
fn not_yet(answer: GateAnswer) -> String {
    let GateAnswer::NotYet { why } = answer else { panic!("{answer:?}") };
    why
}

#[tokio::test]
async fn a_gate_is_asked_by_its_name_with_what_the_page_says() {
    let asked = mock!(Client::invoke)
        .match_requests(|request| {
            let payload = request.payload().map(Blob::as_ref).unwrap_or_default();
            let documented = r#"{"attempt":1,"before":"weight","colour":"green","commit":"0a1b2c3","release":142,"service":"backend","until":"2026-03-02T10:02:00Z"}"#;
            let documented: serde_json::Value = serde_json::from_str(documented).unwrap();
            request.function_name() == Some("shop-gate")
                && serde_json::from_slice::<serde_json::Value>(payload).unwrap() == documented
        })
        .then_output(|| InvokeOutput::builder().payload(Blob::new(r#"{"answer": "yes"}"#)).build());
    assert_eq!(answer(asked).await, GateAnswer::Yes);
}

#[tokio::test]
async fn a_function_that_failed_has_said_nothing_even_if_its_error_says_yes() {
    let threw = r#"{"answer": "yes", "errorType": "TypeError", "errorMessage": "x is undefined"}"#;
    assert_eq!(not_yet(answer(returns(Some("Unhandled"), threw)).await), "it threw TypeError");
    let late = r#"{"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"}"#;
    assert_eq!(not_yet(answer(returns(Some("Unhandled"), late)).await), "it ran into its own time-out");
    assert!(not_yet(answer(returns(None, "")).await).starts_with("it returned no"));
}

#[tokio::test]
async fn a_gate_that_cannot_be_reached_is_told_by_its_name_and_in_lambdas_words() {
    let gone = mock!(Client::invoke).then_error(|| {
        let error = ResourceNotFoundException::builder().message("Function not found").build();
        InvokeError::ResourceNotFoundException(error)
    });
    let why = not_yet(answer(gone).await);
    assert!(why.starts_with("asking shop-gate failed, a repeat fails the same way"), "{why}");
}
