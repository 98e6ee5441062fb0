use super::*;
use release::{Drift, Strategy};
use std::time::Duration;

type Map = BTreeMap<String, String>;

/// Every variable with its documented example.
fn examples() -> Map {
    let mut map = Map::new();
    for variable in VARIABLES {
        if variable.is_per_service() {
            for service in ["frontend", "backend"] {
                map.insert(variable.name_for(service), variable.example.replace("backend", service));
            }
        } else {
            map.insert(variable.name.to_owned(), variable.example.to_owned());
        }
    }
    // The rule is named by an id only, so the two examples would be the same.
    map.insert(
        "GREENLIGHT_FRONTEND_BASE_RULE_ARN".to_owned(),
        "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/shop/1/2/3".to_owned(),
    );
    map
}

fn with(changes: &[(&str, &str)]) -> Map {
    let mut map = examples();
    map.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    map
}

#[track_caller]
fn the_only_fault(map: &Map) -> String {
    let faults = Settings::read(map).unwrap_err().0;
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].to_string()
}

#[test]
fn the_documented_examples_are_settings() {
    let settings = Settings::read(&examples()).unwrap();
    let names: Vec<&str> = settings.services.keys().map(ServiceName::as_str).collect();
    assert_eq!(names, ["backend", "frontend"]);
    let backend = &settings.services[&ServiceName::new("backend").unwrap()];
    assert_eq!(backend.deployment_group, "shop-backend");
    assert_eq!(backend.alarms.blue, ["shop-backend-blue-errors", "shop-backend-blue-latency"]);
    assert_eq!(settings.policy.strategy, "Canary10Percent5Minutes".parse::<Strategy>().unwrap());
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
    let required =
        VARIABLES.iter().filter(|variable| variable.default.is_none() && !variable.is_per_service());
    assert_eq!(missing, required.map(|variable| variable.name).collect::<Vec<_>>());
    assert!(faults.iter().all(|fault| fault.found.is_none()));
}

#[test]
fn every_fault_is_reported_at_once() {
    let map = with(&[
        ("GREENLIGHT_BAKE", "90"),
        ("GREENLIGHT_STRATEGY", "Canary"),
        ("GREENLIGHT_BACKEND_BLUE_TARGET_GROUP_ARN", "arn:aws:elasticloadbalancing:eu-west-1:1:listener/x"),
        ("GREENLIGHT_FRONTEND_GREEN_ALARMS", "one,,two"),
    ]);
    let error = Settings::read(&map).unwrap_err();
    insta::assert_snapshot!(error.to_string().replace("; ", "\n"));
    // `main` ends with the other form.
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn a_value_that_is_empty_is_not_one_that_is_left_out() {
    for variable in VARIABLES {
        let name = variable.name_for("backend");
        let message = the_fault_of(&with(&[(&name, "")]), &name);
        assert!(message.contains("is \"\": expected"), "{message}");
    }
}

#[track_caller]
fn the_fault_of(map: &Map, variable: &str) -> String {
    let faults = Settings::read(map).unwrap_err().0;
    faults.iter().find(|fault| fault.variable == variable).unwrap().to_string()
}

#[test]
fn a_time_of_zero_is_refused_where_it_means_nothing() {
    assert!(the_only_fault(&with(&[("GREENLIGHT_LOOK_INTERVAL", "0s")])).contains("above 0"));
    assert!(the_only_fault(&with(&[("GREENLIGHT_INSTALL_DEADLINE", "0")])).contains("above 0"));
    assert!(Settings::read(&with(&[("GREENLIGHT_BAKE", "0s"), ("GREENLIGHT_DRAIN", "0")])).is_ok());
}

#[test]
fn a_silence_that_every_pause_would_be_is_a_fault() {
    assert!(the_only_fault(&with(&[("GREENLIGHT_SILENCE_LIMIT", "10s")])).contains("at least three times"));
    assert!(Settings::read(&with(&[("GREENLIGHT_SILENCE_LIMIT", "0")])).is_ok());
}

#[test]
fn drift_is_reported_or_repaired() {
    assert!(the_only_fault(&with(&[("GREENLIGHT_DRIFT", "ignore")])).contains("report or repair"));
}

#[test]
fn a_policy_that_fits_no_hook_is_a_fault() {
    let message = the_only_fault(&with(&[("GREENLIGHT_STRATEGY", "Linear10PercentEvery10Minutes")]));
    assert!(message.contains("at most 59m") && message.contains("they take 113m"), "{message}");
}

#[test]
fn a_mistyped_name_is_a_fault_that_names_the_right_one() {
    let message = the_only_fault(&with(&[("GREENLIGHT_UNKOWN_LIMIT", "9m")]));
    assert_eq!(
        message,
        "GREENLIGHT_UNKOWN_LIMIT is \"9m\": expected no variable of this name, is GREENLIGHT_UNKNOWN_LIMIT meant?"
    );
    let message = the_only_fault(&with(&[("GREENLIGHT_SEARCH_AUTO_SCALING_GROUP", "x")]));
    assert!(message.contains("GREENLIGHT_SERVICES"), "{message}");
}

#[test]
fn variables_of_the_firewall_function_and_of_others_are_not_ours() {
    assert!(
        Settings::read(&with(&[("GREENLIGHT_WAF_LIMIT", "x"), ("PATH", "/bin"), ("AWS_REGION", "x")]))
            .is_ok()
    );
}

#[test]
fn what_two_colours_or_two_services_share_is_a_fault() {
    let blue = examples()["GREENLIGHT_BACKEND_BLUE_TARGET_GROUP_ARN"].clone();
    assert!(
        the_only_fault(&with(&[("GREENLIGHT_BACKEND_GREEN_TARGET_GROUP_ARN", &blue)])).contains("used twice")
    );
    assert!(
        the_only_fault(&with(&[("GREENLIGHT_BACKEND_GREEN_ALARMS", "shop-backend-blue-errors")]))
            .contains("used twice")
    );
    assert!(
        the_only_fault(&with(&[("GREENLIGHT_BACKEND_DEPLOYMENT_GROUP", "shop-frontend")]))
            .contains("used twice")
    );
}

#[test]
fn a_service_is_listed_once_and_by_a_legal_name() {
    for bad in ["backend,backend", "Backend", "backend,", "a_b", ""] {
        let message = the_fault_of(&with(&[("GREENLIGHT_SERVICES", bad)]), "GREENLIGHT_SERVICES");
        assert!(message.contains("such as frontend,backend"), "{message}");
    }
}

#[test]
fn more_alarms_than_one_call_reads_are_a_fault() {
    let many: Vec<String> = (0..99).map(|index| format!("alarm-{index}")).collect();
    assert!(
        the_only_fault(&with(&[("GREENLIGHT_BACKEND_GREEN_ALARMS", &many.join(","))]))
            .contains("at most 100")
    );
}

#[test]
fn a_name_that_was_given_up_says_which_one_took_its_place() {
    let message = the_only_fault(&with(&[("GREENLIGHT_HOLD", "60s")]));
    assert_eq!(
        message,
        "GREENLIGHT_HOLD is \"60s\": expected no variable of this name, is GREENLIGHT_DRAIN meant?"
    );
}
