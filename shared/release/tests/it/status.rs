//! What an operator who asks is shown of a service.

use super::limits::ledger;
use release::{
    Colour, InstanceId, Observation, PerColour, Reading, Reason, ReleaseRule, Routing, RuleArn, Rules,
    Status, TargetHealth, Weights,
};

fn status(seen: &Observation, reasons: &[Reason]) -> Status {
    let ledger = ledger("idle");
    Status::of(&ledger, seen, reasons, ledger.live.as_ref().unwrap().since)
}

fn rules(base: Routing, release: Option<Routing>) -> Observation {
    let rule = |weights| ReleaseRule { arn: RuleArn("rule/1".to_owned()), weights };
    Observation {
        rules: Reading::Known(Rules { base, release: release.map(rule), preview: None }),
        ..Observation::default()
    }
}

fn divides(blue: u32, green: u32) -> Routing {
    Weights::new(blue, green).unwrap().into()
}

/// What is not nothing is not shown as nothing, and what is not all not as all. All else is rounded.
#[test]
fn shares_are_shown_in_whole_percents() {
    for (blue, green, shown) in [
        (100, 0, (100, 0)),
        (0, 100, (0, 100)),
        (50, 50, (50, 50)),
        (999, 1, (99, 1)),
        (1, 999, (1, 99)),
        (901, 96, (90, 10)),
        // Of 1000, each rounded up in thousandths: 104 and 896, 105 and 895.
        (896, 104, (90, 10)),
        (895, 105, (90, 11)),
    ] {
        let PerColour { blue: of_blue, green: of_green } =
            status(&rules(divides(blue, green), None), &[]).traffic.unwrap();
        assert_eq!((of_blue, of_green), shown, "{blue} {green}");
    }
}

#[test]
fn the_releases_rule_comes_before_the_base_rule() {
    let behind = rules(divides(100, 0), Some(divides(40, 60)));
    let told = status(&behind, &[]);
    assert_eq!(told.traffic, Some(PerColour { blue: 40, green: 60 }));
    let says = "the release's rule gives blue 40 green 60, the base rule behind it blue 100 green 0";
    assert!(told.says.contains(says), "{}", told.says);
    let unreadable =
        Observation { rules: Reading::Unknown("throttled".to_owned()), ..Observation::default() };
    let told = status(&unreadable, &[Reason::NothingToDo]);
    assert_eq!(told.traffic, None);
    assert!(told.says.contains("; the rules cannot be read: throttled; now: "), "{}", told.says);
}

/// One that the load balancer no longer knows is none.
#[test]
fn instances_are_counted_by_colour() {
    use TargetHealth::{Gone, Healthy, Unhealthy};
    let of = |health: &[TargetHealth]| {
        let instances = health.iter().enumerate();
        Reading::Known(
            instances.map(|(number, health)| (InstanceId(format!("i-{number}")), *health)).collect(),
        )
    };
    let health =
        PerColour { blue: of(&[Healthy, Healthy, Unhealthy, Gone]), green: of(&[Unhealthy, Gone, Gone]) };
    let told = status(&Observation { health, ..Observation::default() }, &[]);
    let counted = Colour::BOTH.map(|colour| told.instances.of(colour).map(|of| (of.healthy, of.registered)));
    assert_eq!(counted, [Some((2, 3)), Some((0, 1))]);
    assert_eq!(status(&Observation::default(), &[]).instances, PerColour { blue: None, green: None });
}

/// A reason may hold what a hook has printed.
#[test]
fn of_each_reason_256_bytes_are_shown() {
    let waits = |waiting: String| Reason::WaitsForInstallation { waiting };
    let short = waits("i-1".to_owned());
    assert_eq!(status(&Observation::default(), std::slice::from_ref(&short)).now, [short.to_string()]);
    let long = waits("é".repeat(300));
    let told = status(&Observation::default(), std::slice::from_ref(&long)).now;
    assert!(long.to_string().starts_with(&told[0]) && (255..=256).contains(&told[0].len()), "{told:?}");
}
