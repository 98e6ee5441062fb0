//! Functions under AWS's own Runtime Interface Emulator, with shell scripts for binaries.

use super::*;
use crate::chance::Chance;
use crate::emulator::Emulator;
use crate::queues::Queues;
use crate::stack::Alias;
use std::path::{Path, PathBuf};

/// A function that answers after so many seconds.
fn answers_after(seconds: &str) -> String {
    format!(
        "runtime=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation\n\
         while :; do\n\
           id=$(curl -sD - -o /dev/null $runtime/next | tr -d '\\r' | sed -n 's/^lambda-runtime-aws-request-id: //Ip')\n\
           sleep {seconds}\n\
           curl -s -d '\"done\"' $runtime/$id/response\n\
         done"
    )
}

/// One function of a cloud that is not there otherwise. What it has written goes with it.
struct Scene {
    functions: Arc<Functions>,
    state: PathBuf,
}

impl Scene {
    /// None where the Runtime Interface Emulator is missing.
    fn new(test: &str, script: &str) -> Option<Self> {
        let places = Places::find(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        if let Err(missing) = places.runtime_emulator() {
            skipped::because(&format!("functions::tests::{test}"), missing);
            return None;
        }
        let state = std::env::temp_dir().join(format!("functions-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(state.join("program"), format!("#!/bin/sh\n{script}\n")).unwrap();
        let function = Function {
            name: "function".to_owned(),
            binary: "program".to_owned(),
            environment: BTreeMap::new(),
            memory: 128,
            timeout: 20,
            retries: 0,
            failures: None,
            aliases: vec![Alias { name: "hooks".to_owned(), retries: 0, failures: None }],
        };
        let places = Places { state: state.clone(), binaries: state.clone(), ..places };
        let journal = Arc::new(Journal::create(&state.join("invocations.jsonl")).unwrap());
        let failures = Failures::new(Queues::new(Arc::new(Emulator::silent(&state))));
        let events = (Pace::new(60, Chance(1)), failures);
        let functions = Functions::new(&[function], &places, "", journal, events).unwrap();
        functions.set_cold_start(Duration::ZERO);
        Some(Self { functions, state })
    }

    async fn invoke(&self) -> Result<FunctionAnswer, NotInvoked> {
        self.invoke_as("function").await
    }

    async fn invoke_as(&self, name: &str) -> Result<FunctionAnswer, NotInvoked> {
        self.functions.invoke(name, Bytes::from("{}")).await
    }

    fn ended(&self) -> usize {
        self.functions.journal().look(<[Invocation]>::len)
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let held = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), held).await.expect("within a minute");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        crate::processes::kill_all_of(&self.state);
        // What is left is in the folder for temporary files.
        let _left = std::fs::remove_dir_all(&self.state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_does_not_start_says_why_to_whoever_invoked_it() {
    let says_why = "curl -s -d '{\"errorType\":\"Settings\",\"errorMessage\":\"a setting is missing\"}' \
                    http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/init/error\nexit 1";
    let test = "a_function_that_does_not_start_says_why_to_whoever_invoked_it";
    for (script, why) in [(says_why, "a setting is missing"), ("exit 3", "Runtime exited")] {
        let Some(scene) = Scene::new(test, script) else { return };
        let answer = scene.invoke().await.unwrap();
        let said = String::from_utf8_lossy(&answer.payload);
        assert!(answer.failed && said.contains(why), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_waiting_does_not_stop_the_function() {
    let test = "whoever_stops_waiting_does_not_stop_the_function";
    let Some(scene) = Scene::new(test, &answers_after("0.3")) else { return };
    let functions = Arc::clone(&scene.functions);
    let waits = tokio::spawn(async move { functions.invoke("function", Bytes::from("{}")).await });
    scene.until(|scene| !scene.functions.journal().is_idle()).await;
    waits.abort();
    scene.until(|scene| scene.ended() == 1 && scene.functions.journal().is_idle()).await;
    assert!(scene.functions.journal().look(|all| all.iter().all(|one| !one.failed)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_refused_when_no_execution_is_free_and_an_event_waits_for_one() {
    let test = "a_question_is_refused_when_no_execution_is_free_and_an_event_waits_for_one";
    let Some(scene) = Scene::new(test, &answers_after("0")) else { return };
    scene.functions.take_elsewhere(10);
    assert_eq!(scene.invoke().await, Err(NotInvoked::TooManyExecutions));
    scene.functions.invoke_later("function", &Bytes::from("{}")).unwrap();
    scene.until(|scene| scene.functions.refused() > 3).await;
    assert_eq!(scene.ended(), 0);
    scene.functions.take_elsewhere(9);
    scene.until(|scene| scene.ended() > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_has_slept_for_long_is_made_anew() {
    let test = "an_environment_that_has_slept_for_long_is_made_anew";
    let Some(scene) = Scene::new(test, &answers_after("0")) else { return };
    scene.invoke().await.unwrap();
    let pool = scene.functions.pool("function").unwrap();
    assert!(pool.idle_one(Duration::ZERO).await.is_none());
    scene.invoke().await.unwrap();
    assert!(pool.idle_one(KEPT).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_about_to_start_when_the_cloud_ended_does_not_start_any_more() {
    let test = "what_was_about_to_start_when_the_cloud_ended_does_not_start_any_more";
    let Some(scene) = Scene::new(test, &answers_after("0")) else { return };
    scene.functions.set_cold_start(Duration::from_millis(300));
    let (answer, ()) = tokio::join!(scene.invoke(), scene.functions.stop());
    let answer = answer.unwrap();
    let said = String::from_utf8_lossy(&answer.payload);
    assert!(answer.failed && said.contains("the local cloud has ended"), "{said}");
    assert!(scene.functions.pool("function").unwrap().all.lock().unwrap().is_empty());
}

/// A function that answers through which name it was invoked, and what it is called.
const SAYS_ITS_NAMES: &str = "runtime=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while :; do
  curl -sD - -o /dev/null $runtime/next | tr -d '\\r' >head.$$
  id=$(sed -n 's/^lambda-runtime-aws-request-id: //Ip' head.$$)
  arn=$(sed -n 's/^lambda-runtime-invoked-function-arn: //Ip' head.$$)
  curl -s -d \"\\\"${arn#*:function:} $AWS_LAMBDA_FUNCTION_NAME\\\"\" $runtime/$id/response
done";

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_told_the_alias_that_was_invoked_and_one_that_it_does_not_have_is_not_there() {
    let test = "a_function_is_told_the_alias_that_was_invoked_and_one_that_it_does_not_have_is_not_there";
    let Some(scene) = Scene::new(test, SAYS_ITS_NAMES) else { return };
    for name in ["function", "function:hooks"] {
        let answer = scene.invoke_as(name).await.unwrap();
        assert_eq!(answer.payload, format!("\"{name} function\""));
    }
    for name in ["function:operators", "function:", "other:hooks"] {
        assert_eq!(scene.invoke_as(name).await, Err(NotInvoked::NoSuchFunction(name.to_owned())));
    }
    assert_eq!(scene.functions.names().collect::<Vec<_>>(), ["function"]);
    assert_eq!(scene.functions.kill("function").unwrap(), 2, "whatever it was invoked by");
}
