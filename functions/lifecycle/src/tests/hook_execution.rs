//! What CodeDeploy hears of its own hooks, those of the function's own versions among them.

use super::*;

/// The status that CodeDeploy was told, and how often.
async fn codedeploys_own_hook(sick: bool, fault: Option<FaultAt>) -> (Option<String>, usize) {
    let service = Service::with_open_release().await;
    if sick {
        service.world.set_health(&service.name, Colour::Blue, TargetHealth::Unhealthy);
    }
    told_of("d-1", &service, fault).await
}

async fn told_of(deployment: &str, service: &Service, fault: Option<FaultAt>) -> (Option<String>, usize) {
    let faulty = Faulty::new(&service.world, fault);
    let payload = json!({"DeploymentId": deployment, "LifecycleEventHookExecutionId": "exec"});
    service.send_through(&faulty, payload).await.unwrap();
    let told = service.world.tags(&execution()).get("greenlight:reason").cloned();
    (told, faulty.calls().iter().filter(|call| **call == "tag_verdict").count())
}

#[tokio::test]
async fn codedeploys_own_hook_is_answered_exactly_once_on_every_path() {
    let once = |status: &str| (Some(status.to_owned()), 1);
    assert_eq!(Box::pin(codedeploys_own_hook(false, None)).await, once("Succeeded"));
    assert_eq!(Box::pin(codedeploys_own_hook(true, None)).await, once("Failed"));
    for call in 1..=2 {
        let fault = FaultAt { at: At::Nth(call), kind: Kind::Before(Class::Transient) };
        assert_eq!(Box::pin(codedeploys_own_hook(false, Some(fault))).await, once("Failed"));
    }
}

/// A service that is ill must not keep a version of Greenlight out that may well be its cure, and a stack that has released
/// nothing yet has no healthy target.
#[tokio::test]
async fn a_new_version_of_the_function_itself_is_asked_for_its_ledgers_and_not_for_the_health_of_services() {
    let service = Service::with_open_release().await;
    service.world.set_health(&service.name, Colour::Blue, TargetHealth::Unhealthy);
    let before = service.ledger();
    assert_eq!(told_of(OF_ITSELF, &service, None).await, (Some("Succeeded".to_owned()), 1));
    assert_eq!(service.ledger(), before, "it decided something");
    let fault = FaultAt { at: At::Every("read_ledger"), kind: Kind::Before(Class::Permanent) };
    assert_eq!(told_of(OF_ITSELF, &service, Some(fault)).await, (Some("Failed".to_owned()), 1));
}

#[tokio::test]
async fn a_new_version_of_the_function_itself_is_refused_with_settings_by_which_it_would_open_nothing() {
    let mut service = Service::with_open_release().await;
    let variables = BTreeMap::from([("GREENLIGHT_STRATEGY".to_owned(), "canary:5".to_owned())]);
    service.settings.faults = greenlight::settings::read_policy(&variables).unwrap_err().0;
    assert_eq!(told_of(OF_ITSELF, &service, None).await, (Some("Failed".to_owned()), 1));
}

/// Greenlight itself goes back in the middle of a release: the way to the older version leads through its own hook.
#[tokio::test]
async fn an_older_version_of_the_function_itself_is_let_in_though_a_newer_one_wrote_the_ledger() {
    let (service, _, text) = with_newer_ledger().await;
    assert_eq!(told_of(OF_ITSELF, &service, None).await, (Some("Succeeded".to_owned()), 1));
    assert_eq!(service.stored(), text);
}

#[tokio::test]
async fn codedeploys_own_hook_is_answered_when_the_check_panics() {
    let mut service = Service::with_open_release().await;
    let backend = service.settings.services[&service.name].clone();
    // The world panics when it is asked for a service that it does not have.
    service.settings.services.insert(ServiceName::new("absent").unwrap(), backend);
    service.send(json!({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "exec"})).await.unwrap();
    assert_eq!(service.world.tags(&execution()).get("greenlight:reason").map(String::as_str), Some("Failed"));
}
