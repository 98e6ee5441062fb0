//! `migrate` in a bundle: on one instance, before any traffic.

use std::fs;

use crate::kit_scene::{Kit, Runtime};

/// A version with a `migrate` that the bundle holds without its mode.
fn app(kit: &Kit, version: &str, script: &str) -> std::path::PathBuf {
    let app = kit.app(version);
    fs::write(app.join("migrate"), format!("#!/bin/sh\n{script}\n")).unwrap();
    app
}

/// What Greenlight answers each instance.
fn chooses(kit: &Kit, answers: [&str; 2]) {
    for (n, answer) in (1..).zip(answers) {
        kit.answer_on(n, "ApplicationStart", answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chosen_instance_migrates_with_what_the_version_is_told_and_no_other_one() {
    let test = "migrate::the_chosen_instance_migrates_with_what_the_version_is_told_and_no_other_one";
    for (runtime, net) in [(Runtime::Process, 205), (Runtime::StubbedDocker, 206)] {
        let Some(kit) = Kit::new(test, runtime, net) else { return };
        chooses(&kit, [r#"{"migrate":true}"#, r#"{"migrate":false}"#]);
        kit.to_colour("green", 2);
        kit.answer("ValidateService", r#"{"status":"succeeded"}"#);
        let told = "$GREENLIGHT_RELEASE $GREENLIGHT_COLOUR $PORT $COMPOSE_PROJECT_NAME $(basename $PWD)";
        let script = format!("echo \"{told}\" >>\"$GREENLIGHT_ROOT/migrated\"");
        let deployment = kit.deploy(&app(&kit, "two", &script)).await;
        assert_eq!(kit.scene.finished(&deployment).await, "Succeeded");
        let migrated = kit.scene.read(1, "migrated");
        assert_eq!(migrated.as_deref(), Some("2 green 3001 greenlight-backend-green green\n"));
        assert_eq!(kit.scene.read(2, "migrated"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_ends_the_release_with_its_last_words() {
    let test = "migrate::a_migration_that_fails_ends_the_release_with_its_last_words";
    let Some(kit) = Kit::new(test, Runtime::Process, 207) else { return };
    kit.live("one", "blue", 1).await;
    let fails = "echo doing >&2; echo 'column price is missing'; exit 3";
    let older = r#"{"colour":"green","port":8081,"release":2}"#;
    let refused = r#"{"status":"failed","reason":"release 2 is shifting already"}"#;
    let cases = [
        (r#"{"migrate":true}"#, "could not be migrated, migrate ended with 3: doing column price is missing"),
        (older, "the functions do not know of migrate, and are older than the kit: update the stack"),
        (refused, "Greenlight refuses to migrate: release 2 is shifting already"),
    ];
    for (number, (answer, words)) in (2..).zip(cases) {
        kit.to_colour("green", number);
        chooses(&kit, [answer, answer]);
        let deployment = kit.deploy(&app(&kit, &format!("v{number}"), fails)).await;
        assert_eq!(kit.scene.finished(&deployment).await, "Failed");
        let said = kit.message(&deployment, 1, "ApplicationStart").await;
        assert!(said.contains(words), "{words}: {said}");
        assert!(kit.is_down(8081) && kit.serves(8080, "one on blue"));
    }
}
