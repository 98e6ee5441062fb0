//! What is read as what, and how what is malformed is answered.

use super::*;

#[test]
fn a_malformed_question_is_told_where_it_is_wrong() {
    let error = parse(&json!({"lifecycleEvent": "ValidateService", "deploymentId": 5, "instanceId": "i-1"}))
        .unwrap_err();
    assert!(error.to_string().contains("deploymentId"), "{error}");
}

#[test]
fn an_unknown_command_is_refused_by_name() {
    let error = parse(&json!({"command": "explode", "service": "backend"})).unwrap_err();
    let said = greenlight::failure::chain(&error);
    for word in ["explode", "`status`", "`retry`", "`freeze`", "`thaw`", "`page`"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn anything_else_is_unrecognised() {
    for payload in [
        json!(null),
        json!([]),
        json!("x"),
        json!({"source": "aws.s3"}),
        json!({"source": "aws.events"}),
        json!({"source": "aws.events", "detail-type": 5}),
    ] {
        assert!(matches!(parse(&payload), Err(EventError::Unrecognised)));
    }
}
#[test]
fn what_a_command_lacks_or_has_too_much_of_is_said() {
    let said = |payload: Value| parse(&payload).unwrap_err().to_string();
    assert_eq!(
        said(json!({"command": "abort"})),
        "a command is malformed: it has no service; send it as events/lifecycle/command-status.json shows"
    );
    assert_eq!(
        said(json!({"command": "abort", "service": "backend", "dry_run": true})),
        "a command is malformed at dry_run: unknown field `dry_run`, expected one of `service`, `command`, `reason`, `by`, `all`, `dryRun`; send it as \
         events/lifecycle/command-status.json shows"
    );
}

#[test]
fn what_takes_traffic_away_takes_a_reason_of_any_length_and_nothing_else_does() {
    let payload = |command: &str| json!({"command": command, "service": "backend", "reason": "x".repeat(100_000), "by": "anna\n"});
    for command in ["pause", "abort", "rollback", "drill"] {
        let Ok(Event::Command { said: Some(said), .. }) = parse(&payload(command)) else {
            panic!("{command}")
        };
        assert!(said.to_string().starts_with("anna: xxx") && said.to_string().len() < 300, "{said}");
    }
    for command in ["resume", "promote", "retry", "status"] {
        let said = parse(&payload(command)).unwrap_err().to_string();
        assert!(said.contains("at reason: only pause, abort, rollback and drill take a reason"), "{said}");
    }
    for (member, value) in [("reason", json!(["why"])), ("by", json!(7))] {
        let mut payload = payload("abort");
        payload[member] = value;
        assert!(parse(&payload).unwrap_err().to_string().contains(&format!("malformed at {member}")));
    }
}

#[test]
fn a_drill_is_of_one_service_or_of_all_and_no_other_such_command_is_of_all() {
    let said = |payload: Value| match parse(&payload) {
        Ok(event) => event.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(said(json!({"command": "drill", "all": true})), "the command Drill for all services");
    assert!(said(json!({"command": "drill"})).contains("it has no service"));
    assert!(
        said(json!({"command": "drill", "all": true, "service": "backend"})).contains("malformed at all")
    );
    assert!(said(json!({"command": "abort", "all": true})).contains("malformed at all"));
}

#[test]
fn a_freeze_ends_at_a_time_or_after_one_and_at_nothing_else() {
    let freeze = |end: Value| {
        let mut payload = json!({"command": "freeze", "service": "backend", "reason": "holidays"});
        payload.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
        parse(&payload)
    };
    let now: Timestamp = "2026-12-23T18:00:00.170976809Z".parse().unwrap();
    for (end, until) in [
        (json!({"until": "2026-12-27T06:00:00Z"}), "2026-12-27T06:00:00Z"),
        (json!({"time": "12h"}), "2026-12-24T06:00:00Z"),
    ] {
        let Ok(Event::Freeze { end, .. }) = freeze(end) else { panic!("not taken") };
        assert_eq!(end.from(now).to_string(), until);
    }
    for end in [
        json!({}),
        json!({"time": "soon"}),
        json!({"time": "12h", "until": "2026-12-27T06:00:00Z"}),
        json!({"until": "Christmas"}),
        json!({"until": "2026-12-27T06:00:00Z", "why": "?"}),
    ] {
        assert!(matches!(freeze(end), Err(EventError::Malformed { kind: "a freeze", .. })));
    }
}

#[test]
fn all_services_are_frozen_only_for_whoever_says_all() {
    for (mut payload, word) in [
        (json!({"command": "freeze", "time": "12h", "reason": "holidays"}), "freeze"),
        (json!({"command": "thaw"}), "thaw"),
    ] {
        let said = parse(&payload).unwrap_err().to_string();
        assert!(said.contains("it has no service"), "{said}");
        payload["all"] = json!(true);
        assert_eq!(parse(&payload).unwrap().to_string(), format!("the command {word} for all services"));
        payload["service"] = json!("backend");
        let said = parse(&payload).unwrap_err().to_string();
        assert!(said.contains("at all: it names a service as well"), "{said}");
        payload["all"] = json!(false);
        assert_eq!(parse(&payload).unwrap().to_string(), format!("the command {word} for backend"));
    }
}

#[test]
fn no_message_repeats_more_than_the_beginning_of_what_came_in() {
    let long = "x".repeat(1_000_000);
    let question = json!({"lifecycleEvent": "ValidateService", "deploymentId": "d-1", "instanceId": "i-1"});
    let change = json!({
        "source": "aws.codedeploy", "detail-type": "CodeDeploy Deployment State-change Notification",
        "detail": {"deploymentGroup": "backend", "deploymentId": "d-1"},
    });
    let execution = json!({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "exec"});
    let command = json!({"command": "status", "service": "backend"});
    let freeze = json!({
        "command": "freeze", "service": "backend", "until": "2026-12-27T00:00:00Z", "reason": "holidays",
    });
    let thaw = json!({"command": "thaw", "service": "backend"});
    let plan = json!({"command": "plan", "service": "backend", "number": 7});
    for (good, at) in [
        (&question, "/lifecycleEvent"),
        (&question, "/deploymentId"),
        (&question, "/instanceId"),
        (&change, "/detail/deploymentGroup"),
        (&change, "/detail/deploymentId"),
        (&execution, "/DeploymentId"),
        (&execution, "/LifecycleEventHookExecutionId"),
        (&command, "/command"),
        (&command, "/service"),
        (&freeze, "/service"),
        (&freeze, "/until"),
        (&freeze, "/reason"),
        (&thaw, "/service"),
        (&plan, "/service"),
        (&plan, "/number"),
    ] {
        assert!(parse(good).is_ok(), "{good}");
        for bad in [json!(long), json!([long]), json!({ "of": long })] {
            let mut payload = good.clone();
            *payload.pointer_mut(at).unwrap() = bad;
            let said = parse(&payload).unwrap_err().to_string();
            assert!(said.len() < 600, "{at}: {} bytes", said.len());
        }
    }
    let mut optional = question;
    optional["service"] = json!("back\nend");
    assert!(matches!(parse(&optional), Err(EventError::NoName { member: "service", .. })));
}
