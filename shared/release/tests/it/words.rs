//! Words that others write and read: each means one thing, and each is known again.

use super::limits::ledger;
use release::evidence::{AtMax, AtMaxError, BadMinutes, Compared, Judgement, Points, Share, TimeIsOver};
use release::pass::Kept;
use release::phases::COMMANDS;
use release::plan::Action;
use release::{
    Colour, Command, Course, Creator, Deployment, DeploymentId, DeploymentStatus, Observation, Odd,
    PerColour, Reading, Reason, ReturnCause, Routing, RuleArn, ScalingProcess, VerdictWord, Weights,
};
use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

#[test]
fn a_verdict_is_known_by_the_word_on_its_tag() {
    use VerdictWord::{Accepted, Live, Rejected, Superseded, Waiting};
    for (word, verdict, is_final) in [
        ("accepted", Accepted, false),
        ("waiting", Waiting, false),
        ("superseded", Superseded, true),
        ("rejected", Rejected, true),
        ("live", Live, true),
    ] {
        assert_eq!(VerdictWord::from_word(word), Some(verdict));
        assert_eq!((verdict.as_str(), verdict.to_string().as_str()), (word, word));
        assert_eq!(verdict.is_final(), is_final, "{word}");
    }
    assert_eq!(VerdictWord::from_word("Live"), None);
    assert_eq!(VerdictWord::from_word(""), None);
}

#[test]
fn what_takes_traffic_away_or_keeps_it_from_a_release_takes_a_reason() {
    let all = COMMANDS.into_iter().chain([Command::Status]);
    let takes_one: Vec<&str> = all.filter(|command| command.takes_a_reason()).map(Command::word).collect();
    assert_eq!(takes_one, ["pause", "abort", "rollback", "drill"]);
}

#[test]
fn values_are_told_apart_by_their_prints() {
    let [one, same, other] = ["one", "one", "other"].map(Kept::new);
    assert_eq!(one.print(), same.print());
    assert_ne!(one.print(), other.print());
    assert!(one == same && one == one.clone() && one != other);
}

const COMPARED: Compared = Compared {
    candidate: Colour::Green,
    failed: 5,
    requests: 50,
    live_failed: 0,
    live_requests: 450,
    lowest: 10,
    highest: 10,
    odds: 300,
    needed: 200,
};

#[test]
fn a_reason_that_the_counts_gave_says_what_they_say() {
    let past = BadMinutes { bad: 9, minutes: 20, week_bad: 3, week: 9_000 };
    let over = TimeIsOver { what: AtMax::Back, waited: 30, proven: Points(500), compared: COMPARED };
    let judged = Judgement::Worse(COMPARED);
    for (reason, says) in [
        (Reason::Judged { judgement: judged.clone() }, Some(judged.clone())),
        (Reason::Returns { cause: ReturnCause::Worse { compared: COMPARED } }, Some(judged)),
        (Reason::Returns { cause: ReturnCause::Past { past } }, Some(Judgement::Past(past))),
        (Reason::Returns { cause: ReturnCause::Unproven { over } }, Some(Judgement::AtMax(over))),
        (Reason::Returns { cause: ReturnCause::Aborted }, None),
        (Reason::Closed { cause: ReturnCause::Past { past } }, None),
        (Reason::Promotes, None),
    ] {
        assert_eq!(reason.says(), says.map(|judgement| judgement.to_string()), "{}", reason.word());
    }
}

#[test]
fn at_max_and_auto_scalings_processes_are_known_by_their_words() {
    for (word, at_max) in [("go-on", AtMax::GoOn), ("wait", AtMax::Wait), ("back", AtMax::Back)] {
        assert_eq!((word.parse(), at_max.word()), (Ok(at_max), word));
    }
    assert_eq!("goon".parse::<AtMax>(), Err(AtMaxError("goon".to_owned())));
    for process in ScalingProcess::ALL {
        assert_eq!(ScalingProcess::named(process.name()), Some(process));
    }
    assert_eq!(ScalingProcess::ALL.map(ScalingProcess::name)[0], "AZRebalance");
    assert_eq!(ScalingProcess::named("Launch"), None, "it is no one that a deployment suspends");
}

#[test]
fn names_are_shown_as_they_are() {
    let live = ledger("idle").live.unwrap().upload;
    assert_eq!(live.commit.as_str(), "0000001");
    assert_eq!(live.revision.to_string(), "s3://artifacts/releases/backend/1-0000001.zip version version-1");
    assert_eq!(ledger("idle").service.as_str(), "backend");
    assert_eq!((Share::TEN.to_string(), Share::plain(7).to_string()), ("10 %".to_owned(), "7 %".to_owned()));
    assert_eq!(Colour::BOTH.map(Colour::port), [8080, 8081]);
}

/// What another version wrote beside the members that this one knows tells two revisions not apart.
#[test]
fn revisions_are_ordered_by_what_is_known_of_them() {
    let revision = ledger("idle").live.unwrap().upload.revision;
    let mut other = revision.clone();
    assert_eq!(revision.partial_cmp(&other), Some(Ordering::Equal));
    other.version = "version-2".to_owned();
    assert_eq!(revision.partial_cmp(&other), Some(Ordering::Less));
}

#[test]
fn equal_values_that_are_kept_are_hashed_alike_and_others_are_not() {
    let hash = |text: &str| {
        let mut hasher = DefaultHasher::new();
        Kept::new(text).hash(&mut hasher);
        hasher.finish()
    };
    assert_eq!(hash("one"), hash("one"));
    assert_ne!(hash("one"), hash("other"));
}

/// After what changes a rule the rule is read back.
#[test]
fn four_actions_change_a_rule() {
    let (rule, weights) = (RuleArn("rule/1".to_owned()), Weights::all_on(Colour::Blue));
    let id = DeploymentId("d-1".to_owned());
    let open = ledger("baking").open.unwrap();
    let release = open.description(&ledger("baking").service);
    for (action, changes) in [
        (Action::CreateReleaseRule { live: Colour::Blue, release: release.clone() }, true),
        (Action::SetReleaseWeights { rule: rule.clone(), weights }, true),
        (Action::DeleteReleaseRule { rule }, true),
        (Action::SetBaseWeights { weights }, true),
        (Action::CreateDeployment { description: release, revision: open.upload.revision }, false),
        (Action::StopDeployment { id }, false),
        (Action::ReplaceInstance { instance: open.targets[0].clone() }, false),
        (Action::ResumeProcesses { processes: ScalingProcess::ALL.into_iter().collect() }, false),
    ] {
        assert_eq!(action.changes_a_rule(), changes, "{}", action.word());
    }
}

/// What is odd is shared between those that it gives requests: how, nobody knows.
#[test]
fn an_odd_rule_gives_each_colour_an_equal_part() {
    for (blue, green, per_mille) in
        [(true, true, [500, 500]), (true, false, [1000, 0]), (false, true, [0, 1000]), (false, false, [0, 0])]
    {
        let odd =
            Odd { why: "a page".to_owned(), gives: PerColour { blue, green }, plain: false, gone: false };
        let routing = Routing::Odd(odd);
        assert_eq!(Colour::BOTH.map(|colour| routing.per_mille(colour)), per_mille);
        assert_eq!(Colour::BOTH.map(|colour| routing.gives(colour)), [blue, green]);
        assert_eq!(Colour::BOTH.map(|colour| routing.are_all_on(colour)), [false, false]);
    }
}

#[test]
fn a_deployment_that_was_seen_is_named_by_its_id() {
    let deployment = Deployment {
        id: DeploymentId("d-1".to_owned()),
        group: "shop-backend".to_owned(),
        status: DeploymentStatus::Active,
        creator: Creator::User,
        description: None,
        error: None,
        failed: 0,
    };
    let id = deployment.id.clone();
    let seen = |deployment| Observation { deployment, ..Observation::default() };
    assert_eq!(seen(Reading::Known(Some(deployment))).deployment_id(), Some(&id));
    assert_eq!(seen(Reading::Known(None)).deployment_id(), None);
    assert_eq!(Observation::default().deployment_id(), None);
}

/// A ledger is written with every pass: what says nothing is not in it.
#[test]
fn a_course_on_which_nothing_happened_takes_no_bytes() {
    assert_eq!(serde_json::to_string(&Course::default()).unwrap(), "{}");
    let asked = Course { reads: 2, ..Course::default() };
    assert_eq!(serde_json::to_string(&asked).unwrap(), r#"{"reads":2}"#);
}
