//! What a user of the CodeDeploy API sees.

use std::time::Duration;

use crate::support::{Scene, id, order, revision, until, with_hook, zip};
use codedeploy::{Delivery, Launch};
use serde_json::{Value, json};

/// A hook that waits until the test lets it go on.
const WAITING: &str = "touch $R/waiting; while [ ! -e $R/go ]; do sleep 0.02; done";

async fn waiting(scene: &Scene, n: usize) {
    until("the hook runs", || async { scene.root(n).join("waiting").exists() }).await;
}

fn let_go(scene: &Scene, n: usize) {
    std::fs::write(scene.root(n).join("go"), "").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_goes_through_every_event_on_every_instance() {
    let scene = Scene::new(2);
    let (deployment, status) =
        scene.deployed("1", with_hook("AfterInstall", 60, "echo hello from $INSTANCE")).await;
    assert_eq!(status, "Succeeded");
    let info = scene.deployment(&deployment).await;
    assert_eq!(info["creator"], "user");
    assert_eq!(info["description"], "greenlight release 1");
    assert_eq!(info["deploymentOverview"]["Succeeded"], 2);
    assert!(info["createTime"].is_f64() && info["completeTime"].is_f64());
    assert_eq!(info["revision"], revision("1"));
    let target = scene.target(&deployment, 2).await;
    let events: Vec<&str> = target["lifecycleEvents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            assert_eq!(event["status"], "Succeeded");
            event["lifecycleEventName"].as_str().unwrap()
        })
        .collect();
    assert_eq!(
        events,
        [
            "ApplicationStop",
            "DownloadBundle",
            "BeforeInstall",
            "Install",
            "AfterInstall",
            "ApplicationStart",
            "ValidateService"
        ]
    );
    let tail = scene.event(&deployment, 2, "AfterInstall").await["diagnostics"]["logTail"].clone();
    assert!(tail.as_str().unwrap().contains("[stdout]hello from 2\n"), "{tail}");
    let group = scene.group().await;
    assert_eq!(group["targetRevision"], revision("1"));
    assert_eq!(group["lastSuccessfulDeployment"]["deploymentId"], deployment);
    assert_eq!(group["autoScalingGroups"][0]["name"], "demo-backend");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_has_one_deployment_at_a_time_and_the_message_names_it() {
    let scene = Scene::new(1);
    let first = scene.deploy("1", with_hook("BeforeInstall", 60, WAITING)).await;
    waiting(&scene, 1).await;
    let (code, message) = scene.call("CreateDeployment", order("1")).await.unwrap_err();
    assert_eq!(code, "DeploymentLimitExceededException");
    assert_eq!(message, format!("The Deployment Group 'backend' already has an active Deployment '{first}'"));
    let_go(&scene, 1);
    assert_eq!(scene.finished(&first).await, "Succeeded");
    let (_, status) = scene.deployed("2", with_hook("BeforeInstall", 60, "true")).await;
    assert_eq!(status, "Succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_the_running_hook_alone_and_skips_the_rest() {
    let scene = Scene::new(1);
    let script = format!("{WAITING}; touch $R/ended");
    let deployment = scene.deploy("1", with_hook("BeforeInstall", 60, &script)).await;
    waiting(&scene, 1).await;
    let answer = scene.call("StopDeployment", json!({ "deploymentId": deployment })).await.unwrap();
    assert_eq!(answer["status"], "Succeeded");
    let info = scene.deployment(&deployment).await;
    assert_eq!(
        (&info["status"], &info["errorInformation"]["code"]),
        (&json!("Stopped"), &json!("MANUAL_STOP"))
    );
    assert_eq!(scene.event(&deployment, 1, "BeforeInstall").await["status"], "InProgress");
    assert_eq!(scene.event(&deployment, 1, "Install").await["status"], "Skipped");
    let again = scene.call("StopDeployment", json!({ "deploymentId": deployment })).await.unwrap_err();
    assert_eq!(again.0, "DeploymentAlreadyCompletedException");
    let_go(&scene, 1);
    assert_eq!(scene.finished(&deployment).await, "Stopped");
    assert!(scene.root(1).join("ended").exists());
    assert_eq!(scene.event(&deployment, 1, "BeforeInstall").await["status"], "Succeeded");
    assert!(!scene.root(1).join("srv/app/file").exists(), "Install ran after the stop");
    assert!(scene.group().await.get("targetRevision").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_may_take_as_long_as_the_hook_that_runs_and_keeps_the_next_deployment_out() {
    let scene = Scene::with(1, |settings| settings.pace.stop = Duration::from_hours(1));
    let deployment = scene.deploy("1", with_hook("BeforeInstall", 60, WAITING)).await;
    waiting(&scene, 1).await;
    for _ in 0..2 {
        let answer = scene.call("StopDeployment", json!({ "deploymentId": deployment })).await.unwrap();
        assert_eq!(answer["status"], "Pending");
    }
    assert_eq!(scene.deployment(&deployment).await["status"], "InProgress");
    let next = scene.call("CreateDeployment", order("1")).await.unwrap_err();
    assert_eq!(next.0, "DeploymentLimitExceededException");
    let_go(&scene, 1);
    assert_eq!(scene.finished(&deployment).await, "Stopped");
    assert_eq!(scene.event(&deployment, 1, "Install").await["status"], "Skipped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_gives_up_a_hook_that_hangs() {
    let scene = Scene::with(1, |settings| settings.pace.stop = Duration::from_millis(50));
    let deployment = scene.deploy("1", with_hook("BeforeInstall", 60, WAITING)).await;
    waiting(&scene, 1).await;
    scene.call("StopDeployment", json!({ "deploymentId": deployment })).await.unwrap();
    until("the deployment has stopped", || async {
        scene.deployment(&deployment).await["status"] == "Stopped"
    })
    .await;
    assert_eq!(scene.event(&deployment, 1, "BeforeInstall").await["status"], "InProgress");
    let_go(&scene, 1);
    scene.finished(&deployment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_meets_the_last_hook_may_come_too_late() {
    let scene = Scene::with(1, |settings| settings.pace.stop = Duration::from_hours(1));
    let deployment = scene.deploy("1", with_hook("ValidateService", 60, WAITING)).await;
    waiting(&scene, 1).await;
    scene.call("StopDeployment", json!({ "deploymentId": deployment })).await.unwrap();
    let_go(&scene, 1);
    assert_eq!(scene.finished(&deployment).await, "Succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_and_its_targets_are_listed_later_than_they_are_there() {
    let scene = Scene::with(1, |settings| {
        settings.pace.listed = Duration::from_hours(1);
        settings.pace.targets = Duration::from_hours(1);
    });
    let (deployment, _) = scene.deployed("1", with_hook("BeforeInstall", 60, "true")).await;
    assert_eq!(scene.deployment(&deployment).await["status"], "Succeeded");
    assert_eq!(scene.call("ListDeployments", json!({})).await.unwrap()["deployments"], json!([]));
    let targets = scene.call("ListDeploymentTargets", json!({ "deploymentId": deployment })).await.unwrap();
    assert_eq!(targets["targetIds"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_deployment_may_run_beside_a_stopped_ones_hook() {
    let scene = Scene::new(1);
    let first = scene.deploy("1", with_hook("BeforeInstall", 60, WAITING)).await;
    waiting(&scene, 1).await;
    scene.call("StopDeployment", json!({ "deploymentId": first })).await.unwrap();
    let (_, second) = scene.deployed("2", with_hook("BeforeInstall", 60, "true")).await;
    assert_eq!(second, "Succeeded");
    assert_eq!(scene.event(&first, 1, "BeforeInstall").await["status"], "InProgress");
    let_go(&scene, 1);
    scene.finished(&first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_at_once_succeeds_when_one_instance_succeeds() {
    let scene = Scene::new(3);
    let one_of_three = "test $INSTANCE = 2 || { echo no; exit 7; }";
    let (deployment, status) = scene.deployed("1", with_hook("ValidateService", 60, one_of_three)).await;
    assert_eq!(status, "Succeeded");
    let overview = scene.deployment(&deployment).await["deploymentOverview"].clone();
    assert_eq!((overview["Succeeded"].clone(), overview["Failed"].clone()), (json!(1), json!(2)));
    let failed = scene.event(&deployment, 1, "ValidateService").await;
    assert_eq!(failed["diagnostics"]["errorCode"], "ScriptFailed");
    assert_eq!(
        failed["diagnostics"]["message"],
        "Script at specified location: hook.sh failed with exit code 7"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_fails_everywhere_fails_and_leaves_the_last_successful_revision() {
    let scene = Scene::new(2);
    let (good, _) = scene.deployed("1", with_hook("BeforeInstall", 60, "true")).await;
    let (bad, status) = scene.deployed("2", with_hook("ApplicationStart", 60, "exit 1")).await;
    assert_eq!(status, "Failed");
    let info = scene.deployment(&bad).await;
    assert_eq!(info["errorInformation"]["code"], "HEALTH_CONSTRAINTS");
    assert_eq!(info["previousRevision"], revision("1"));
    let group = scene.group().await;
    assert_eq!(group["targetRevision"], revision("1"));
    assert_eq!(group["lastSuccessfulDeployment"]["deploymentId"], good);
    assert_eq!(group["lastAttemptedDeployment"]["deploymentId"], bad);
    assert_eq!(group["lastAttemptedDeployment"]["status"], "Failed");
    assert_eq!(scene.event(&bad, 1, "ValidateService").await["status"], "Skipped");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_ends_with_the_first_failure_before_the_last_instance() {
    let scene = Scene::new(3);
    scene.upload("1", with_hook("BeforeInstall", 60, "exit 1"));
    let mut body = order("1");
    body["deploymentConfigName"] = json!("CodeDeployDefault.OneAtATime");
    let created = scene.call("CreateDeployment", body).await.unwrap();
    let deployment = created["deploymentId"].as_str().unwrap();
    assert_eq!(scene.finished(deployment).await, "Failed");
    let overview = scene.deployment(deployment).await["deploymentOverview"].clone();
    assert_eq!((overview["Failed"].clone(), overview["Skipped"].clone()), (json!(1), json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_instances_fails_as_no_instances() {
    let scene = Scene::new(0);
    let (deployment, status) = scene.deployed("1", with_hook("BeforeInstall", 60, "true")).await;
    assert_eq!(status, "Failed");
    assert_eq!(scene.deployment(&deployment).await["errorInformation"]["code"], "NO_INSTANCES");
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_fixed_when_the_deployment_starts() {
    let scene = Scene::new(1);
    let deployment = scene.deploy("1", with_hook("BeforeInstall", 60, WAITING)).await;
    waiting(&scene, 1).await;
    scene.fleet.add_instance(scene.instance(2)).unwrap();
    let_go(&scene, 1);
    scene.finished(&deployment).await;
    let targets = scene.call("ListDeploymentTargets", json!({ "deploymentId": deployment })).await.unwrap();
    assert_eq!(targets["targetIds"], json!([id(1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_dies_in_a_hook_keeps_the_deployment_open_until_the_time_out() {
    let scene = Scene::with(2, |settings| settings.pace.event_timeout = Duration::from_secs(2));
    let script = "test $INSTANCE = 2 && exit 0; touch $R/waiting; sleep 60";
    let deployment = scene.deploy("1", with_hook("ValidateService", 60, script)).await;
    waiting(&scene, 1).await;
    assert!(scene.fleet.kill_instance(&id(1)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(scene.deployment(&deployment).await["status"], "InProgress");
    assert_eq!(scene.finished(&deployment).await, "Succeeded");
    let lost = scene.event(&deployment, 1, "ValidateService").await;
    assert_eq!(lost["diagnostics"]["errorCode"], "UnknownError");
    assert!(
        lost["diagnostics"]["message"]
            .as_str()
            .unwrap()
            .starts_with("CodeDeploy agent was not able to receive")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_agent_fails_the_event_that_was_running() {
    let scene = Scene::new(1);
    let deployment = scene.deploy("1", with_hook("ApplicationStart", 60, "touch $R/waiting; sleep 60")).await;
    waiting(&scene, 1).await;
    assert!(scene.fleet.restart_agent(&id(1)));
    assert_eq!(scene.finished(&deployment).await, "Failed");
    let event = scene.event(&deployment, 1, "ApplicationStart").await;
    let expected = "Failed: Failing in-progress lifecycle event after an agent restart.";
    assert_eq!(event["diagnostics"]["message"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_instance_gets_the_last_successful_revision_before_it_is_in_service() {
    let scene = Scene::new(1);
    scene.deployed("1", with_hook("BeforeInstall", 60, "echo one > $R/version")).await;
    let Launch::Continue(deployments) = scene.service.instance_launched(scene.instance(2)).await.unwrap()
    else {
        panic!("the launch was abandoned");
    };
    assert_eq!(scene.read(2, "version").as_deref(), Some("one\n"));
    let info = scene.deployment(&deployments[0]).await;
    assert_eq!((&info["creator"], &info["status"]), (&json!("autoscaling"), &json!("Succeeded")));
    assert_eq!(scene.fleet.in_service("demo-backend").len(), 2);
    assert_eq!(scene.group().await["targetRevision"], revision("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_first_deployment_fails_is_abandoned() {
    let scene = Scene::new(1);
    scene.deployed("1", with_hook("BeforeInstall", 60, "test $INSTANCE = 1")).await;
    let launch = scene.service.instance_launched(scene.instance(2)).await.unwrap();
    assert!(matches!(launch, Launch::Abandon(_)), "{launch:?}");
    assert_eq!(scene.fleet.in_service("demo-backend").len(), 1);
    assert!(scene.fleet.instance(&id(2)).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_launched_during_a_deployment_is_brought_up_to_date_afterwards() {
    let scene = Scene::new(1);
    scene.deployed("1", with_hook("BeforeInstall", 60, "echo one > $R/version")).await;
    let script = format!("echo two > $R/version; test $INSTANCE = 2 && exit 0; {WAITING}");
    let release = scene.deploy("2", with_hook("BeforeInstall", 60, &script)).await;
    waiting(&scene, 1).await;
    let launch = scene.service.instance_launched(scene.instance(2)).await.unwrap();
    assert!(matches!(launch, Launch::Continue(_)), "{launch:?}");
    assert_eq!(scene.read(2, "version").as_deref(), Some("one\n"));
    let_go(&scene, 1);
    scene.finished(&release).await;
    until("the new instance is updated", || async { scene.read(2, "version").as_deref() == Some("two\n") })
        .await;
    let related = scene.deployment(&release).await["relatedDeployments"].clone();
    let follow_on = related["autoUpdateOutdatedInstancesDeploymentIds"][0].as_str().unwrap().to_owned();
    assert_eq!(scene.finished(&follow_on).await, "Succeeded");
    let info = scene.deployment(&follow_on).await;
    assert_eq!(info["creator"], "CodeDeployAutoUpdate");
    assert_eq!(info["relatedDeployments"]["autoUpdateOutdatedInstancesRootDeploymentId"], release);
    assert_eq!(info["deploymentOverview"]["Succeeded"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_deploys_the_last_successful_revision_under_its_own_creator() {
    let scene = Scene::new(1);
    scene.deployed("1", with_hook("BeforeInstall", 60, "echo one > $R/version")).await;
    scene.upload("2", with_hook("AfterInstall", 60, "echo two > $R/version; exit 1"));
    let mut body = order("2");
    body["autoRollbackConfiguration"] = json!({ "enabled": true, "events": ["DEPLOYMENT_FAILURE"] });
    let created = scene.call("CreateDeployment", body).await.unwrap();
    let failed = created["deploymentId"].as_str().unwrap();
    assert_eq!(scene.finished(failed).await, "Failed");
    let rollback = scene.deployment(failed).await["rollbackInfo"]["rollbackDeploymentId"].clone();
    let rollback = rollback.as_str().unwrap();
    assert_eq!(scene.finished(rollback).await, "Succeeded");
    let info = scene.deployment(rollback).await;
    assert_eq!(info["creator"], "codeDeployRollback");
    assert_eq!(info["rollbackInfo"]["rollbackTriggeringDeploymentId"], failed);
    assert_eq!(scene.read(1, "version").as_deref(), Some("one\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_scaling_processes_are_suspended_while_the_deployment_runs() {
    let scene = Scene::new(1);
    scene.upload("1", with_hook("BeforeInstall", 60, WAITING));
    let mut body = order("1");
    body["ec2DeploymentOptions"] =
        json!({ "autoScalingGroupProcessesToSuspend": ["Terminate", "AZRebalance"] });
    let created = scene.call("CreateDeployment", body).await.unwrap();
    let deployment = created["deploymentId"].as_str().unwrap();
    waiting(&scene, 1).await;
    let suspended = scene.cloud.suspended.lock().unwrap().clone();
    assert_eq!(suspended, ["demo-backend/Terminate", "demo-backend/AZRebalance"]);
    let_go(&scene, 1);
    scene.finished(deployment).await;
    assert!(scene.cloud.suspended.lock().unwrap().is_empty());
    let options = scene.deployment(deployment).await["ec2DeploymentOptions"].clone();
    assert_eq!(options["autoScalingGroupProcessesToSuspend"], json!(["Terminate", "AZRebalance"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stop_auto_scaling_processes_stay_suspended_for_a_while() {
    let scene = Scene::with(1, |settings| settings.pace.resumed = Duration::from_secs(2));
    scene.upload("1", with_hook("BeforeInstall", 60, WAITING));
    let mut body = order("1");
    body["ec2DeploymentOptions"] = json!({ "autoScalingGroupProcessesToSuspend": ["Terminate"] });
    let created = scene.call("CreateDeployment", body).await.unwrap();
    waiting(&scene, 1).await;
    scene.call("StopDeployment", json!({ "deploymentId": created["deploymentId"] })).await.unwrap();
    assert_eq!(*scene.cloud.suspended.lock().unwrap(), ["demo-backend/Terminate"]);
    let_go(&scene, 1);
    scene.finished(created["deploymentId"].as_str().unwrap()).await;
    until("they are resumed", || async { scene.cloud.suspended.lock().unwrap().is_empty() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_filter_and_page() {
    let scene = Scene::with(1, |settings| settings.page_size = 2);
    let mut ids = Vec::new();
    for version in ["1", "2", "3"] {
        let script = if version == "2" { "exit 1" } else { "true" };
        ids.push(scene.deployed(version, with_hook("BeforeInstall", 60, script)).await.0);
    }
    ids.reverse();
    let group = json!({ "applicationName": "demo", "deploymentGroupName": "backend" });
    let with = |key: &str, value: Value| {
        let mut body = group.clone();
        body[key] = value;
        body
    };
    let first = scene.call("ListDeployments", group.clone()).await.unwrap();
    assert_eq!(first["deployments"], json!(ids[..2]));
    let second = scene.call("ListDeployments", with("nextToken", first["nextToken"].clone())).await.unwrap();
    assert_eq!(second["deployments"], json!(ids[2..]));
    assert!(second.get("nextToken").is_none());
    let failed = scene.call("ListDeployments", with("includeOnlyStatuses", json!(["Failed"]))).await.unwrap();
    assert_eq!(failed["deployments"], json!([ids[1]]));
    let since = scene.deployment(&ids[0]).await["createTime"].clone();
    let late =
        scene.call("ListDeployments", with("createTimeRange", json!({ "start": since }))).await.unwrap();
    assert_eq!(late["deployments"], json!([ids[0]]));
    let batch = scene.call("BatchGetDeployments", json!({ "deploymentIds": ids })).await.unwrap();
    assert_eq!(batch["deploymentsInfo"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_carry_awss_codes() {
    let scene = Scene::with(1, |settings| settings.pace.queue = Duration::from_secs(30));
    let change = |key: &str, value: Value| {
        let mut body = order("1");
        body[key] = value;
        body
    };
    let unpinned =
        json!({ "revisionType": "S3", "s3Location": { "bucket": "artifacts", "bundleType": "zip" } });
    let created = scene.call("CreateDeployment", order("1")).await.unwrap();
    let id = created["deploymentId"].as_str().unwrap();
    assert!(id.starts_with("d-") && id.len() == 11, "{id}");
    let thirty: Vec<String> = (0..30).map(|n| format!("i-{n}")).collect();
    for (operation, body, expected) in [
        ("CreateDeployment", change("applicationName", json!("other")), "ApplicationDoesNotExistException"),
        (
            "CreateDeployment",
            change("deploymentGroupName", json!("other")),
            "DeploymentGroupDoesNotExistException",
        ),
        (
            "CreateDeployment",
            change("deploymentConfigName", json!("Mine")),
            "DeploymentConfigDoesNotExistException",
        ),
        ("CreateDeployment", change("description", json!("x".repeat(257))), "DescriptionTooLongException"),
        ("CreateDeployment", change("revision", Value::Null), "RevisionRequiredException"),
        ("CreateDeployment", change("revision", unpinned), "InvalidRevisionException"),
        (
            "CreateDeployment",
            change("fileExistsBehavior", json!("overwrite")),
            "InvalidFileExistsBehaviorException",
        ),
        ("CreateDeployment", json!({}), "ApplicationNameRequiredException"),
        ("GetDeployment", json!({ "deploymentId": "d-AAAAAAAAA" }), "DeploymentDoesNotExistException"),
        ("GetDeployment", json!({ "deploymentId": "nonsense" }), "InvalidDeploymentIdException"),
        ("GetDeployment", json!({}), "DeploymentIdRequiredException"),
        ("StopDeployment", json!({ "deploymentId": "d-AAAAAAAAA" }), "DeploymentDoesNotExistException"),
        ("ListDeploymentTargets", json!({ "deploymentId": id }), "DeploymentNotStartedException"),
        (
            "BatchGetDeploymentTargets",
            json!({ "deploymentId": id, "targetIds": thirty }),
            "DeploymentTargetListSizeExceededException",
        ),
        ("ListDeployments", json!({ "includeOnlyStatuses": ["Fine"] }), "InvalidDeploymentStatusException"),
        ("ListDeployments", json!({ "deploymentGroupName": "backend" }), "ApplicationNameRequiredException"),
        ("ListDeployments", json!({ "nextToken": "x" }), "InvalidNextTokenException"),
        (
            "GetApplicationRevision",
            json!({ "applicationName": "demo", "revision": revision("9") }),
            "RevisionDoesNotExistException",
        ),
        (
            "PutLifecycleEventHookExecutionStatus",
            json!({ "deploymentId": id, "lifecycleEventHookExecutionId": "x", "status": "Succeeded" }),
            "UnsupportedActionForDeploymentTypeException",
        ),
        ("DeleteApplication", json!({}), "UnknownOperationException"),
    ] {
        let (code, message) = scene.call(operation, body).await.unwrap_err();
        assert_eq!(code, expected, "{operation}: {message}");
    }
}

#[tokio::test]
async fn a_lambda_hook_is_answered_once() {
    let scene = Scene::new(0);
    scene.service.expect_hook_answer("d-LAMBDA001", "execution");
    let answer = |status: &str, execution: &str| json!({ "deploymentId": "d-LAMBDA001", "lifecycleEventHookExecutionId": execution, "status": status });
    let operation = "PutLifecycleEventHookExecutionStatus";
    let wrong = scene.call(operation, answer("InProgress", "execution")).await.unwrap_err();
    assert_eq!(wrong.0, "InvalidLifecycleEventHookExecutionStatusException");
    let wrong = scene.call(operation, answer("Failed", "another")).await.unwrap_err();
    assert_eq!(wrong.0, "InvalidLifecycleEventHookExecutionIdException");
    scene.call(operation, answer("Failed", "execution")).await.unwrap();
    let again = scene.call(operation, answer("Succeeded", "execution")).await.unwrap_err();
    assert_eq!(again.0, "LifecycleEventAlreadyCompletedException");
    assert_eq!(scene.service.hook_answer("d-LAMBDA001", "execution").as_deref(), Some("Failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_in_eventbridges_shape() {
    let scene = Scene::new(1);
    let mut events = scene.service.events();
    let (deployment, _) = scene.deployed("1", with_hook("BeforeInstall", 60, "true")).await;
    let mut seen = Vec::new();
    while let Ok(event) = events.try_recv() {
        assert_eq!(event["source"], "aws.codedeploy");
        assert_eq!(event["detail"]["deploymentId"], deployment);
        assert_eq!(event["detail"]["instanceGroupId"], "group-id");
        assert!(event["time"].as_str().unwrap().ends_with('Z'));
        seen.push(format!(
            "{} {}",
            event["detail-type"].as_str().unwrap(),
            event["detail"]["state"].as_str().unwrap()
        ));
    }
    assert_eq!(
        seen,
        [
            "CodeDeploy Deployment State-change Notification START",
            "CodeDeploy Instance State-change Notification START",
            "CodeDeploy Instance State-change Notification SUCCESS",
            "CodeDeploy Deployment State-change Notification SUCCESS",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_lost_or_doubled_or_late_when_told_to() {
    let scene = Scene::new(1);
    let mut events = scene.service.events();
    scene.service.deliver_events(Delivery { lost_percent: 100, ..Delivery::default() });
    scene.deployed("1", with_hook("BeforeInstall", 60, "true")).await;
    assert!(events.try_recv().is_err());
    let late = Duration::from_millis(400);
    scene.service.deliver_events(Delivery { duplicated_percent: 100, late, lost_percent: 0 });
    scene.deployed("2", with_hook("BeforeInstall", 60, "true")).await;
    assert_ne!(events.try_recv().map(|event| event["detail"]["state"].clone()), Ok(json!("SUCCESS")));
    for _ in 0..8 {
        tokio::time::timeout(Duration::from_secs(5), events.recv()).await.unwrap().unwrap();
    }
    assert!(events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_without_appspec_fails_with_the_agents_text() {
    let scene = Scene::new(1);
    let (deployment, status) = scene.deployed("1", zip(&[("readme", 0o644, "nothing")])).await;
    assert_eq!(status, "Failed");
    let event = scene.event(&deployment, 1, "BeforeInstall").await;
    let message = event["diagnostics"]["message"].as_str().unwrap();
    assert!(message.starts_with("The CodeDeploy agent did not find an AppSpec file"), "{message}");
}
