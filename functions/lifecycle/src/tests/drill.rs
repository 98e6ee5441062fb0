//! A drill, from the command to the rule that is gone.

use super::*;
use release::{Live, Previous, UnknownFields};

/// Release 2 is live on green since now, and release 1 still runs on blue.
fn two_live() -> Service {
    let name = ServiceName::new("backend").unwrap();
    let service = Service { world: World::new(&["backend"]), settings: settings(), name };
    service.world.make_live(&service.name, Colour::Blue, 1);
    service.world.make_live(&service.name, Colour::Green, 2);
    let live = service.world.ledger(&service.name).unwrap();
    let upload = testing::upload(&service.name, 1);
    let before = Live {
        colour: Colour::Blue,
        upload,
        since: service.world.now(),
        watched: None,
        unknown_fields: UnknownFields::default(),
    };
    service.world.put_ledger(&Ledger { previous: Some(Previous::from(before)), ..live });
    service
}

#[tokio::test]
async fn a_drill_too_soon_after_a_release_is_refused_and_nothing_is_written() {
    let mut service = two_live();
    service.settings.policy.rollback_window = Duration::from_secs(1800);
    let before = service.world.ledger(&service.name);
    for dry_run in [true, false] {
        let ask = json!({"command": "drill", "service": "backend", "dryRun": dry_run});
        let told = service.send(ask).await.unwrap();
        assert_eq!((&told["refused"], &told["command"]), (&json!(true), &json!("drill")), "{told}");
        assert!(
            told["says"].as_str().unwrap().contains("release 1 must stand by for another 1800 s"),
            "{told}"
        );
    }
    assert_eq!(service.world.ledger(&service.name), before);
}

#[tokio::test]
async fn a_drill_begins_in_the_invocation_that_is_asked_for_it() {
    let service = two_live();
    let ask = json!({"command": "drill", "service": "backend", "reason": "first Monday", "by": "anna"});
    let told = service.send(ask).await.unwrap();
    assert_eq!(
        (&told["changed"], &told["ledger"]["open"]["purpose"]),
        (&json!(true), &json!("drill")),
        "{told}"
    );
    assert_eq!(told["ledger"]["open"]["said"], json!({"why": "first Monday", "by": "anna"}));
    assert_eq!(service.world.traffic(&service.name).per_mille(Colour::Green), 1000);
}
