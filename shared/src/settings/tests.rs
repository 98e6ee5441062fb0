use super::*;
use release::{Drift, PerColour, Strategy};
use std::time::Duration;

type Map = BTreeMap<String, String>;

/// Every variable with its documented example.
fn examples() -> Map {
    VARIABLES.iter().map(|variable| (variable.name.to_owned(), variable.example.to_owned())).collect()
}

fn with(changes: &[(&str, &str)]) -> Map {
    let mut map = examples();
    map.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    map
}

/// Everything that is wrong, whether the function starts with it or not.
fn faults(map: &Map) -> Vec<SettingFault> {
    Settings::read(map).map_or_else(|error| error.0, |settings| settings.faults)
}

#[track_caller]
fn the_only_fault(map: &Map) -> String {
    let faults = faults(map);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].to_string()
}

#[test]
fn the_documented_examples_are_settings_and_names_follow_from_them() {
    let settings = Settings::read(&examples()).unwrap();
    assert_eq!((settings.faults.len(), settings.policy.is_sound), (0, true));
    assert_eq!(settings.topic_arn, "arn:aws:sns:eu-west-1:123456789012:shop-notifications");
    let account = "arn:aws:elasticloadbalancing:eu-west-1:123456789012";
    let alarms = |colour: &str| {
        ["errors", "refused", "unhealthy", "slow"]
            .map(|alarm| format!("shop.frontend-{colour}-{alarm}"))
            .into()
    };
    let frontend = ServiceSettings {
        deployment_group: "frontend".to_owned(),
        base_rule_arn: format!(
            "{account}:listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
        ),
        target_groups: PerColour {
            blue: format!("{account}:targetgroup/shop-Blue-1ABCDEF/73e2d6bc24d8a067"),
            green: format!("{account}:targetgroup/shop-Green-2ABCDEF/9a8b7c6d5e4f3a2b"),
        },
        alarms: PerColour { blue: alarms("blue"), green: alarms("green") },
        auto_scaling_group: "shop.frontend".to_owned(),
    };
    assert_eq!(settings.services, BTreeMap::from([(ServiceName::new("frontend").unwrap(), frontend)]));
    assert_eq!(settings.policy.strategy, "evidence".parse::<Strategy>().unwrap());
}

#[test]
fn what_has_a_default_may_be_left_out() {
    let mut map = examples();
    for variable in VARIABLES.iter().filter(|variable| variable.default.is_some()) {
        map.remove(variable.name);
    }
    let policy = Settings::read(&map).unwrap().policy;
    let seconds = [
        policy.bake,
        policy.install_deadline,
        policy.drain,
        policy.unhealthy_grace,
        policy.unknown_limit,
        policy.look_interval,
        policy.silence_limit,
        policy.rollback_window,
        policy.heal_after,
    ];
    assert_eq!(seconds, [300, 900, 60, 30, 180, 5, 180, 1800, 300].map(Duration::from_secs));
    assert_eq!(policy.drift, Drift::Repair);
}

#[test]
fn an_empty_environment_lists_everything_that_is_missing() {
    let faults = Settings::read(&Map::new()).unwrap_err().0;
    let missing: Vec<&str> = faults.iter().map(|fault| fault.variable.as_str()).collect();
    let required = VARIABLES.iter().filter(|variable| variable.default.is_none());
    assert_eq!(missing, required.map(|variable| variable.name).collect::<Vec<_>>());
    assert!(faults.iter().all(|fault| fault.found.is_none()));
}

#[test]
fn every_fault_is_reported_at_once() {
    let map = with(&[
        ("GREENLIGHT_BAKE", "90"),
        ("GREENLIGHT_STRATEGY", "Canary"),
        ("GREENLIGHT_SERVICES", "frontend,backend"),
        ("GREENLIGHT_ALARMS", "one,,two"),
    ]);
    let error = Settings::read(&map).unwrap_err();
    insta::assert_snapshot!(error.to_string().replace("; ", "\n"));
    // `main` ends with the other form.
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn a_value_that_is_empty_is_not_one_that_is_left_out() {
    for variable in VARIABLES {
        let message = the_fault_of(&with(&[(variable.name, "")]), variable.name);
        assert!(message.contains("is \"\": expected"), "{message}");
    }
}

#[track_caller]
fn the_fault_of(map: &Map, variable: &str) -> String {
    let faults = faults(map);
    faults.iter().find(|fault| fault.variable == variable).unwrap().to_string()
}

#[test]
fn a_time_of_zero_is_refused_where_it_means_nothing() {
    assert!(the_only_fault(&with(&[("GREENLIGHT_LOOK_INTERVAL", "0s")])).contains("above 0"));
    assert!(the_only_fault(&with(&[("GREENLIGHT_INSTALL_DEADLINE", "0")])).contains("above 0"));
    assert_eq!(faults(&with(&[("GREENLIGHT_BAKE", "0s"), ("GREENLIGHT_DRAIN", "0")])), []);
}

#[test]
fn a_silence_that_every_pause_would_be_is_a_fault() {
    assert!(the_only_fault(&with(&[("GREENLIGHT_SILENCE_LIMIT", "10s")])).contains("at least three times"));
    assert_eq!(faults(&with(&[("GREENLIGHT_SILENCE_LIMIT", "0")])), []);
}

#[test]
fn drift_is_reported_or_repaired() {
    assert!(the_only_fault(&with(&[("GREENLIGHT_DRIFT", "ignore")])).contains("report or repair"));
}

#[test]
fn a_gate_is_a_function_by_its_name_alone_and_has_time_to_be_asked_again() {
    let read = |gate: &str| Settings::read(&with(&[("GREENLIGHT_GATE", gate)])).unwrap();
    let (gated, free) = (read("shop_Gate-2"), read("none"));
    assert_eq!((gated.gate.as_deref(), gated.policy.gate), (Some("shop_Gate-2"), Duration::from_secs(120)));
    assert_eq!((free.gate, free.policy.gate), (None, Duration::ZERO));
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop-gate";
    for bad in [arn, "shop-gate:live", "shop gate", "*", &"a".repeat(65)] {
        let message = the_only_fault(&with(&[("GREENLIGHT_GATE", bad)]));
        assert!(message.contains("the name of a Lambda function"), "{message}");
        let settings = read(bad);
        assert!((settings.gate.is_none(), settings.policy.is_sound) == (true, false), "{bad}");
    }
    assert!(the_only_fault(&with(&[("GREENLIGHT_GATE_DEADLINE", "29s")])).contains("at least 30s"));
}

#[test]
fn a_policy_that_fits_no_hook_is_a_fault() {
    let message = the_only_fault(&with(&[("GREENLIGHT_STRATEGY", "Linear10PercentEvery10Minutes")]));
    assert!(
        message.contains("at most 59m")
            && message.contains("GREENLIGHT_GATE_DEADLINE = 2m each")
            && message.contains("they take 117m"),
        "{message}"
    );
}

#[test]
fn a_mistyped_name_is_a_fault_that_names_the_right_one() {
    let message = the_only_fault(&with(&[("GREENLIGHT_UNKOWN_LIMIT", "9m")]));
    assert_eq!(
        message,
        "GREENLIGHT_UNKOWN_LIMIT is \"9m\": expected no variable of this name, is GREENLIGHT_UNKNOWN_LIMIT meant?"
    );
    let message = the_only_fault(&with(&[("GREENLIGHT_SEARCH_AUTO_SCALING_GROUP", "x")]));
    assert!(message.contains("docs/settings.md"), "{message}");
}

#[test]
fn variables_of_the_firewall_function_and_of_others_are_not_ours() {
    let others = [("GREENLIGHT_WAF_LIMIT", "x"), ("PATH", "/bin"), ("AWS_REGION", "x")];
    assert_eq!(faults(&with(&others)), []);
}

#[test]
fn what_two_colours_or_two_services_share_is_a_fault() {
    for (told, shared) in [
        ("a:1:g/2:g/2", "g/2"),
        ("a:1:g/2:h/3,b:1:i/4:j/5", "1"),
        ("a:1:g/2:h/3,b:6:g/2:j/5", "g/2"),
        ("a:1:g/2:h/3,a:6:i/4:j/5", "a"),
    ] {
        let message = the_only_fault(&with(&[("GREENLIGHT_SERVICES", told)]));
        assert!(message.ends_with(&format!("; {shared} is used twice")), "{told}: {message}");
    }
    assert!(Settings::read(&with(&[("GREENLIGHT_SERVICES", "a:1:g/2:h/3, b:4:g/5:h/6")])).is_ok());
}

#[test]
fn a_service_is_told_whole_and_by_a_legal_name() {
    let (rule, blue, green) = ("1", "g/2", "h/3");
    let told = |service: &str| format!("{service}:{rule}:{blue}:{green}");
    let mut bad = ["Backend", "a_b", "9a", ""].map(told).to_vec();
    bad.extend([
        told("a") + ",",
        told("a") + ":more",
        format!("a:{rule}:{blue}"),
        format!("a:listener-rule/{rule}:{blue}:{green}"),
        format!("a::{blue}:{green}"),
        format!("a:{rule}:g:{green}"),
        format!("a:{rule}:{blue}:targetgroup/{green}"),
        format!("a:{rule}:{blue}:h/"),
    ]);
    for bad in bad {
        let message = the_fault_of(&with(&[("GREENLIGHT_SERVICES", &bad)]), "GREENLIGHT_SERVICES");
        assert!(message.contains("such as frontend:"), "{bad}: {message}");
    }
}

#[test]
fn more_alarms_than_one_call_reads_are_a_fault() {
    let many = |count: usize| (0..count).map(|index| format!("alarm-{index}")).collect::<Vec<_>>().join(",");
    assert!(the_only_fault(&with(&[("GREENLIGHT_ALARMS", &many(51))])).contains("at most 50"));
    assert!(Settings::read(&with(&[("GREENLIGHT_ALARMS", &many(50))])).is_ok());
}

#[test]
fn a_name_that_was_given_up_says_which_one_took_its_place() {
    let message = the_only_fault(&with(&[("GREENLIGHT_HOLD", "60s")]));
    assert_eq!(
        message,
        "GREENLIGHT_HOLD is \"60s\": expected no variable of this name, is GREENLIGHT_DRAIN meant?"
    );
}

/// What the way back needs: the names of the stack's parts.
const PARTS: [&str; 6] = [
    "GREENLIGHT_SERVICES",
    "GREENLIGHT_ALARMS",
    "GREENLIGHT_STATE_BUCKET",
    "GREENLIGHT_ARTIFACT_BUCKET",
    "GREENLIGHT_APPLICATION",
    "GREENLIGHT_LISTENER_ARN",
];

#[test]
fn a_function_starts_with_any_wrong_setting_but_those_that_name_parts_of_the_stack() {
    for variable in VARIABLES {
        let read = Settings::read(&with(&[(variable.name, "")]));
        assert_eq!(read.is_err(), PARTS.contains(&variable.name), "{}", variable.name);
        let Ok(settings) = read else { continue };
        assert!(!settings.policy.is_sound, "no release may open with a wrong {}", variable.name);
        assert_eq!(settings.faults[0].variable, variable.name);
    }
}

#[test]
fn what_is_wrong_stands_at_its_default_and_what_is_right_stays() {
    let map =
        with(&[("GREENLIGHT_DRAIN", "soon"), ("GREENLIGHT_STRATEGY", "canary:5"), ("GREENLIGHT_BAKE", "7m")]);
    let Policy { drain, strategy, bake, .. } = Settings::read(&map).unwrap().policy;
    assert_eq!((drain, bake), (Duration::from_secs(60), Duration::from_secs(420)));
    assert_eq!(strategy, Strategy::AllAtOnce);
}

#[test]
fn a_policy_that_fits_no_hook_leaves_one_by_which_a_rollback_fits() {
    for wrong in [
        ("GREENLIGHT_STRATEGY", "Linear10PercentEvery10Minutes"),
        ("GREENLIGHT_BAKE", "45m"),
        ("GREENLIGHT_INSTALL_DEADLINE", "2h"),
        ("GREENLIGHT_UNKNOWN_LIMIT", "1h"),
    ] {
        let policy = Settings::read(&with(&[wrong])).unwrap().policy;
        assert!(!policy.is_sound && policy.fits_a_hook(), "{wrong:?}: {policy:?}");
    }
}

#[test]
fn whoever_deploys_hears_of_every_fault_before_a_function_starts_with_it() {
    let of_no_policy = |name: &str| PARTS.contains(&name) || name.contains("AGENT") || name.contains("DISK");
    let policy = |changes: &[(&str, &str)]| -> Map {
        with(changes).into_iter().filter(|(name, _)| !of_no_policy(name)).collect()
    };
    assert!(read_policy(&policy(&[])).is_ok());
    for change in [
        ("GREENLIGHT_STRATEGY", "canary:5"),
        ("GREENLIGHT_BAKE", "45m"),
        ("GREENLIGHT_DRAIN", "soon"),
        ("GREENLIGHT_BAEK", "5m"),
    ] {
        assert!(read_policy(&policy(&[change])).is_err(), "{change:?}");
    }
}
