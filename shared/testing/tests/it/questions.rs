//! What a hook hears, where a wrong answer would take down a colour that serves.

use super::story::{SECOND, Story, upload};
use release::{
    Answer, Asker, Colour, Command, Creator, DeploymentId, DeploymentStatus, Description, InstanceId, Ledger,
    LifecycleEvent, Question, Weights, answer,
};

impl Story {
    /// What the hook of a deployment hears now, with the rules read as the function does.
    fn hears(&self, event: LifecycleEvent, id: &DeploymentId) -> Answer {
        let ledger = self.ledger();
        let deployments = self.world.world.deployments(&self.world.service);
        let deployment = deployments.into_iter().find(|deployment| deployment.id == *id);
        let question = Question {
            service: None,
            deployment_id: id.clone(),
            deployment_group_id: String::new(),
            lifecycle_event: event,
            instance_id: InstanceId("i-backend-1".to_owned()),
        };
        let asker = Asker::in_ledger(&ledger, id)
            .unwrap_or_else(|| Asker::from_codedeploy(&ledger, id, deployment.as_ref()))
            .seen(&self.world.rules());
        answer(&ledger, &self.policy, self.now(), &question, &asker, None)
    }

    fn validates(&self, id: &DeploymentId) -> Answer {
        self.hears(LifecycleEvent::ValidateService, id)
    }

    fn deployment(&self) -> DeploymentId {
        self.world.world.deployments(&self.world.service).pop().unwrap().id
    }

    fn set_ledger(&self, ledger: &Ledger) {
        self.world.world.put_ledger(ledger);
    }
}

/// What is lost, in a sentence; the weight that the hook is told.
#[track_caller]
fn waits(heard: &Answer) -> (u8, String) {
    match heard {
        Answer::Wait { weight, reason, .. } => (*weight, reason.clone().unwrap_or_default()),
        other => panic!("the kit would act on {other:?}"),
    }
}

#[track_caller]
fn fails(heard: &Answer) -> String {
    match heard {
        Answer::Failed { reason, leave_running: false } => reason.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_ledger_from_before_the_release_takes_no_serving_candidate_down() {
    let story = Story::with_live("AllAtOnce").await;
    let earlier = story.ledger();
    story.push(2).await;
    story.install().await;
    story.after(5).await;
    let id = story.deployment();
    assert_eq!(story.share(Colour::Green), 1000);
    for restored in [earlier, Ledger::new(story.world.service.clone())] {
        story.set_ledger(&restored);
        let (weight, reason) = waits(&story.validates(&id));
        assert_eq!(weight, 100);
        insta::allow_duplicates! {
            insta::assert_snapshot!(reason, @"release 2 of backend is not open, but it is not taken down: green has 100 % of the traffic: restore the newest ledger, or take the traffic from green");
        }
    }
}

#[tokio::test]
async fn what_a_lost_ledger_does_not_explain_is_told_to_fail_once_the_rules_prove_that_it_carries_nothing() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    let earlier = story.ledger();
    story.push(2).await;
    story.install().await;
    story.after(5).await;
    let id = story.deployment();
    assert_eq!(story.share(Colour::Green), 100);
    story.set_ledger(&earlier);
    assert_eq!(waits(&story.validates(&id)).0, 10);
    // A pass takes the rule that no release explains, and the colour drains.
    story.tick().await;
    assert_eq!(story.share(Colour::Green), 0);
    let (weight, reason) = waits(&story.validates(&id));
    assert_eq!((weight, reason.ends_with("green still drains")), (0, true), "{reason}");
    story.pass(60 * SECOND);
    assert_eq!(fails(&story.validates(&id)), "release 2 of backend is not open");
}

#[tokio::test]
async fn weight_that_only_the_base_rule_gives_counts_too() {
    let story = Story::with_live("AllAtOnce").await;
    let earlier = story.ledger();
    story.push(2).await;
    story.install().await;
    story.after(5).await;
    let id = story.deployment();
    story.world.world.set_base(&story.world.service, Weights::share(Colour::Green, 40));
    story.world.world.delete_release_rule_by_hand(&story.world.service);
    story.set_ledger(&earlier);
    assert_eq!(waits(&story.validates(&id)).0, 40);
}

#[tokio::test]
async fn what_cannot_be_told_is_waited_for() {
    let story = Story::shifting("AllAtOnce").await;
    let gone = DeploymentId("d-of-nobody".to_owned());
    assert_eq!(waits(&story.validates(&gone)).0, 100);
    assert_eq!(
        fails(&story.hears(LifecycleEvent::BeforeInstall, &gone)),
        "CodeDeploy does not know deployment d-of-nobody"
    );
    // The rules could not be read.
    let (ledger, id) = (Ledger::new(story.world.service.clone()), story.deployment());
    let deployment = story.world.world.deployments(&story.world.service).pop();
    let blind = Asker::from_codedeploy(&ledger, &id, deployment.as_ref());
    let question = Question {
        service: None,
        deployment_id: id,
        deployment_group_id: String::new(),
        lifecycle_event: LifecycleEvent::ValidateService,
        instance_id: InstanceId("i-backend-1".to_owned()),
    };
    assert_eq!(waits(&answer(&ledger, &story.policy, story.now(), &question, &blind, None)).0, 100);
}

#[tokio::test]
async fn nothing_is_installed_on_a_colour_that_has_traffic() {
    let story = Story::shifting("AllAtOnce").await;
    for phase in ["baking", "promoting"] {
        assert_eq!(story.phase(), phase);
        let heard = story.hears(LifecycleEvent::BeforeInstall, &story.deployment());
        assert_eq!(fails(&heard), format!("release 2 is {phase} already"));
        story.after(60).await;
    }
    let story = Story::shifting("Canary10Percent5Minutes").await;
    let heard = story.hears(LifecycleEvent::BeforeInstall, &story.deployment());
    assert_eq!(fails(&heard), "release 2 is shifting already");
}

#[tokio::test]
async fn a_second_deployment_of_the_same_attempt_is_not_the_release() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    let open = story.ledger().open.unwrap();
    let first = open.deployment.clone().unwrap();
    let description: Description = open.description(&story.world.service);
    story.world.end_newest(DeploymentStatus::Failed);
    let second = story.world.world.add_deployment(
        &story.world.service,
        Creator::User,
        Some(description),
        upload(2).revision,
    );
    let expected = format!("this release is deployed by {first}, and {second} came after it");
    assert_eq!(fails(&story.hears(LifecycleEvent::BeforeInstall, &second)), expected);
    assert_eq!(fails(&story.validates(&second)), expected, "nothing has traffic yet");
}

#[tokio::test]
async fn a_hook_hears_of_its_end_only_after_the_drain() {
    let story = Story::shifting("AllAtOnce").await;
    story.say(Command::Abort).await;
    assert_eq!(waits(&story.validates(&story.deployment())).0, 0);
    story.pass(59 * SECOND);
    assert_eq!(waits(&story.validates(&story.deployment())).0, 0);
    story.pass(SECOND);
    assert_eq!(fails(&story.validates(&story.deployment())), "aborted by an operator");
}

#[tokio::test]
async fn the_late_hook_of_a_rejected_release_waits_while_the_traffic_is_not_where_the_ledger_says() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    let id = story.deployment();
    story.say(Command::Abort).await;
    story.minutes(3).await;
    assert_eq!(story.phase(), "idle");
    let verdict = story.ledger().releases.last().unwrap().verdict.reason();
    assert_eq!(fails(&story.validates(&id)), verdict);
    story.world.world.set_base(&story.world.service, Weights::all_on(Colour::Green));
    story.world.world.set_health(&story.world.service, Colour::Blue, release::TargetHealth::Unhealthy);
    story.tick().await;
    let (weight, reason) = waits(&story.validates(&id));
    assert_eq!((weight, reason.contains("not where the ledger says")), (100, true), "{reason}");
}

/// Auto Scaling has launched an instance, and CodeDeploy brings it to the live revision.
#[tokio::test]
async fn an_instance_that_was_launched_installs_what_is_live_and_then_waits_until_it_is_healthy() {
    let story = Story::with_two().await;
    let hears = |event, healthy| {
        let question = Question {
            service: None,
            deployment_id: DeploymentId("d-launch".to_owned()),
            deployment_group_id: String::new(),
            lifecycle_event: event,
            instance_id: InstanceId("i-backend-3".to_owned()),
        };
        answer(&story.ledger(), &story.policy, story.now(), &question, &Asker::Service, healthy)
    };
    let installs = hears(LifecycleEvent::BeforeInstall, None);
    assert!(matches!(installs, Answer::Install { colour: Colour::Green, .. }), "{installs:?}");
    for healthy in [None, Some(false)] {
        waits(&hears(LifecycleEvent::ValidateService, healthy));
    }
    assert_eq!(hears(LifecycleEvent::ValidateService, Some(true)), Answer::Succeeded);
}
