use super::*;
use crate::{At, FaultAt, Faulty, Kind, service, upload};
use futures::FutureExt;

fn backend() -> ServiceName {
    service("backend")
}

fn description() -> Description {
    "greenlight release 2 0000002 of backend on green by AllAtOnce attempt 1".parse().unwrap()
}

/// A world answers at once, so one poll is enough.
fn now<T>(future: impl Future<Output = PortResult<T>>) -> PortResult<T> {
    future.now_or_never().unwrap()
}

#[test]
fn a_ledger_is_swapped_only_from_the_version_that_is_stored() {
    let world = World::new(&["backend"]);
    let first = Ledger::new(backend());
    let version = now(world.write_ledger(&first, None)).unwrap();
    assert!(now(world.write_ledger(&first, None)).unwrap_err().is_conflict());
    let paused = Ledger { paused: true, ..first };
    now(world.write_ledger(&paused, Some(&version))).unwrap();
    assert!(now(world.write_ledger(&paused, Some(&version))).unwrap_err().is_conflict());
    assert_eq!(world.ledger(&backend()), Some(paused));
}

#[test]
fn one_rule_fits_above_the_base_rule_and_a_new_one_has_another_arn() {
    let world = World::new(&["backend"]);
    let create = || now(world.create_release_rule(&backend(), Colour::Blue, &description()));
    let first = create().unwrap();
    assert!(create().unwrap_err().is_conflict());
    now(world.set_release_weights(&backend(), &first, Weights::share(Colour::Green, 10))).unwrap();
    assert_eq!(world.traffic(&backend()), Weights::share(Colour::Green, 10).into());
    now(world.delete_release_rule(&backend(), &first)).unwrap();
    let second = create().unwrap();
    assert_ne!(first, second);
    assert!(
        now(world.set_release_weights(&backend(), &first, Weights::all_on(Colour::Green)))
            .unwrap_err()
            .is_conflict()
    );
    now(world.delete_release_rule(&backend(), &first)).unwrap();
    assert_eq!(world.rules_of(&backend()).1.unwrap().arn, second);
    let shares: Vec<u16> = world
        .weight_changes(&backend())
        .iter()
        .map(|change| change.weights.per_mille(Colour::Green))
        .collect();
    assert_eq!(shares, [100, 0]);
}

#[test]
fn a_group_has_one_active_deployment() {
    let world = World::new(&["backend"]);
    let revision = upload(&backend(), 2).revision;
    let id = now(world.create_deployment(&description(), &revision)).unwrap();
    let refused = now(world.create_deployment(&description(), &revision)).unwrap_err();
    assert!(refused.is_conflict() && refused.to_string().contains(&id.0), "{refused}");
    assert_eq!(now(world.find_deployment(&description(), world.now())).unwrap().unwrap().id, id);
    now(world.stop_deployment(&id)).unwrap();
    now(world.stop_deployment(&id)).unwrap();
    assert_eq!(now(world.deployment(&id)).unwrap().unwrap().status, DeploymentStatus::Stopped);
    assert!(now(world.create_deployment(&description(), &revision)).is_ok());
}

#[test]
fn a_deployment_is_driven_through_its_hooks() {
    let world = World::new(&["backend"]);
    let revision = upload(&backend(), 2).revision;
    let id = now(world.create_deployment(&description(), &revision)).unwrap();
    world.fail(&backend(), "i-backend-2", "BeforeInstall: disk is full");
    world.install_done(&backend());
    let health = now(world.target_health(&backend(), Colour::Green)).unwrap();
    let healthy = |id: &str| health[&InstanceId(id.to_owned())] == TargetHealth::Healthy;
    assert!(healthy("i-backend-1") && !healthy("i-backend-2"));
    world.hooks_heard_succeeded(&backend());
    let ended = now(world.deployment(&id)).unwrap().unwrap();
    assert_eq!((ended.status, ended.failed), (DeploymentStatus::Succeeded, 1));
    assert_eq!(world.last_successful(&backend()), Some(revision));
}

#[test]
fn a_fault_strikes_the_call_that_it_names() {
    let world = World::new(&["backend"]);
    let weights = Weights::all_on(Colour::Green);
    let set = |kind| {
        let script = [FaultAt { at: At::NthOf("set_base_weights", 2), kind }];
        let faulty = Faulty::new(&world, script);
        now(faulty.set_base_weights(&backend(), Weights::all_on(Colour::Blue))).unwrap();
        now(faulty.rules(&backend())).unwrap();
        let second = faulty.set_base_weights(&backend(), weights).now_or_never();
        assert_eq!(faulty.calls(), ["set_base_weights", "rules", "set_base_weights"]);
        (second.map(|answer| answer.unwrap_err().class()), world.traffic(&backend()) == weights.into())
    };
    assert_eq!(set(Kind::Before(Class::Transient)), (Some(Class::Transient), false));
    assert_eq!(set(Kind::After(Class::OutcomeUnknown)), (Some(Class::OutcomeUnknown), true));
    assert_eq!(set(Kind::KilledBefore), (None, false));
    assert_eq!(set(Kind::KilledAfter), (None, true));
}

#[test]
fn every_call_is_counted_as_what_it_costs() {
    let world = World::new(&["backend"]);
    now(world.rules(&backend())).unwrap();
    now(world.find_deployment(&description(), world.now())).unwrap();
    assert_eq!((world.count("rules"), world.forget_calls(), world.forget_calls()), (1, 3, 0));
}
