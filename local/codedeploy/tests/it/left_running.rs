//! What a drill has replaced is installed again by a deployment that fails on purpose, and runs on.

use std::time::Duration;

use crate::{
    kit_scene::{Kit, Runtime},
    support::{id, until},
};

const LEFT: &str = r#"{"status":"failed","reason":"release 1 stands by again","leaveRunning":true}"#;

/// Two is live on green; a drill has replaced one on blue, which is installed there again.
async fn installs_again(kit: &Kit) -> String {
    kit.live("two", "green", 2).await;
    kit.live("drill", "blue", 2).await;
    kit.to_colour("blue", 1);
    let again = kit.release("one").await;
    kit.validating(&again).await;
    again
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_left_running_runs_on_though_its_deployment_fails() {
    let test = "left_running::what_is_to_be_left_running_runs_on_though_its_deployment_fails";
    for (runtime, net) in [(Runtime::Process, 211), (Runtime::StubbedDocker, 212)] {
        let Some(mut kit) = Kit::new(test, runtime, net) else { return };
        let again = installs_again(&kit).await;
        kit.answer("ValidateService", LEFT);
        assert_eq!(kit.scene.finished(&again).await, "Failed");
        let said = kit.message(&again, 1, "ValidateService").await;
        assert!(said.contains("release 1 stands by again"), "{said}");
        // What its hook has heard holds, whoever ends what afterwards.
        for n in 1..=2 {
            assert!(kit.scene.fleet.restart_agent(&id(n)));
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(kit.serves(8080, "one on blue") && kit.serves(8081, "two on green"));
        kit.reboot();
        until("both are back", || async {
            kit.serves(8080, "one on blue") && kit.serves(8081, "two on green")
        })
        .await;
        kit.live("three", "blue", 3).await;
        assert!(kit.serves(8080, "three on blue"), "the next release replaces it like any other");
    }
}

/// The live version goes on with the nginx that its own kit has set up: an older kit may set up less.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_stands_by_leaves_nginx_as_the_live_version_has_it() {
    let test = "left_running::what_only_stands_by_leaves_nginx_as_the_live_version_has_it";
    let Some(kit) = Kit::new(test, Runtime::Process, 215) else { return };
    kit.live("two", "green", 2).await;
    let path = "opt/greenlight/nginx/nginx.conf";
    let of_live = format!("{}# of a newer kit\n", kit.scene.read(1, path).unwrap());
    std::fs::write(kit.scene.root(1).join(path), &of_live).unwrap();
    for (stands_by, stays) in [(r#","standsBy":true"#, true), ("", false)] {
        kit.to_colour("blue", 1);
        kit.answer("BeforeInstall", &format!(r#"{{"colour":"blue","port":8080,"release":1{stands_by}}}"#));
        let again = kit.release("one").await;
        kit.validating(&again).await;
        assert_eq!(kit.scene.read(1, path).as_ref() == Some(&of_live), stays, "{stands_by}");
        assert!(kit.serves(8080, "one on blue") && kit.serves(8081, "two on green"));
        kit.answer("ValidateService", LEFT);
        assert_eq!(kit.scene.finished(&again).await, "Failed");
    }
}

/// A deployment that is stopped before its hooks have heard goes down like any other without traffic.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_before_its_hooks_have_heard_goes_down() {
    let test = "left_running::what_is_given_up_before_its_hooks_have_heard_goes_down";
    let Some(kit) = Kit::new(test, Runtime::Process, 213) else { return };
    let again = installs_again(&kit).await;
    kit.answer("ValidateService", r#"{"status":"failed","reason":"superseded by 3","leaveRunning":false}"#);
    assert_eq!(kit.scene.finished(&again).await, "Failed");
    assert!(kit.is_down(8080) && kit.serves(8081, "two on green"));
}
