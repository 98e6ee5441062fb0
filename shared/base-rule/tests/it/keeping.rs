//! Created and updated.

use crate::listener::{
    Asked, BLUE, GREEN, LISTENER, Listener, STEPS, arn, base, foreign, of_a_preview, of_a_release, owner,
    rule, run, seen, tags, wanted,
};
use base_rule::{Change, Next, Rule, Seen, Wanted, keep, listener_of};
use release::{Colour, PerColour, Reading, RuleArn, Weights};

const HOST: &str = "api.shop.test";

fn created(rules: &[Rule]) -> Next {
    keep(&owner(), &wanted(20, &[HOST]), None, None, &seen(rules))
}

/// From priority 20 and one host to `to`, by the rule that the stack knows.
fn updated(to: &Wanted, rules: &[Rule]) -> Next {
    keep(&owner(), to, Some(&wanted(20, &[HOST])), Some(&arn("base")), &seen(rules))
}

fn refused(next: Next) -> String {
    match next {
        Next::Refused(refusal) => refusal.to_string(),
        other => panic!("{other:?} is no refusal"),
    }
}

fn change(change: Change) -> Next {
    Next::Change(change)
}

#[test]
fn a_rule_is_made_with_all_weight_on_the_live_colour_and_on_blue_before_there_is_one() {
    assert_eq!(created(&[]), Next::ReadLedger);
    for (live, colour) in
        [(None, Colour::Blue), (Some(Colour::Blue), Colour::Blue), (Some(Colour::Green), Colour::Green)]
    {
        let seen = Seen { live: Reading::Known(live), ..Seen::default() };
        let next = keep(&owner(), &wanted(20, &[HOST]), None, None, &seen);
        assert_eq!(next, change(Change::Create(Weights::all_on(colour))));
    }
}

#[test]
fn a_rule_that_was_made_when_nobody_heard_of_it_is_taken_as_it_is() {
    let made = base(20, &[HOST]);
    assert_eq!(created(std::slice::from_ref(&made)), Next::Done(Some(made.arn)));
}

#[test]
fn without_a_ledger_that_can_be_read_no_weight_is_guessed() {
    let seen = Seen { live: Reading::Unknown("it is not a ledger".to_owned()), ..Seen::default() };
    let to = wanted(20, &[HOST]);
    let next = keep(&owner(), &to, Some(&to), Some(&arn("gone")), &seen);
    insta::assert_snapshot!(refused(next), @"the base rule of backend has to be made, and the ledger does not say which colour is live: it is not a ledger. Mend the ledger (docs/operating.md) and deploy again");
}

#[test]
fn a_place_that_somebody_else_has_is_left_to_them() {
    insta::assert_snapshot!(refused(created(&[foreign(20)])), @"priority 20 of the listener is taken by rule arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/1/2/foreign, which is not this stack's: give the base rule of backend another priority, or move that rule");
    insta::assert_snapshot!(refused(created(&[foreign(19)])), @"priority 19 of the listener is reserved for releases of backend, and rule arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/1/2/foreign stands there: move that rule, or give the base rule of backend another priority than 20");
    let reserved = refused(created(&[foreign(18)]));
    assert!(
        reserved.starts_with("priority 18 of the listener is reserved") && reserved.ends_with("than 20"),
        "{reserved}"
    );
    // Of a stack that had the same name, or of a resource that was called otherwise.
    for own in [("greenlight:stack", "arn:stack/shop/0"), ("greenlight:resource", "Other")] {
        let mut other = base(20, &[HOST]);
        other.tags.extend(tags(&[own]));
        assert!(refused(created(&[other])).contains("which is not this stack's"));
    }
}

#[test]
fn an_update_that_changes_nothing_of_the_rule_asks_nothing_of_aws() {
    // Hosts and priority of a rule that somebody changed by hand are theirs.
    for rules in [vec![base(20, &[HOST])], vec![base(30, &["by-hand.test"]), of_a_release(29, &[HOST])]] {
        assert_eq!(updated(&wanted(20, &[HOST]), &rules), Next::Done(Some(arn("base"))));
    }
}

#[test]
fn hosts_move_on_the_base_rule_first_and_then_on_the_rule_of_an_open_release() {
    let to = wanted(20, &[HOST, "www.shop.test"]);
    let old = [base(20, &[HOST]), of_a_release(19, &[HOST])];
    assert_eq!(updated(&to, &old), change(Change::SetHosts(arn("base"))));
    let half = [base(20, &[HOST, "www.shop.test"]), of_a_release(19, &[HOST])];
    assert_eq!(updated(&to, &half), change(Change::SetHosts(arn("release"))));
    let moved = [base(20, &["WWW.shop.test", HOST]), of_a_release(19, &[HOST, "www.shop.test"])];
    assert_eq!(updated(&to, &moved), Next::Done(Some(arn("base"))));
}

#[test]
fn a_rule_before_the_base_rule_that_is_no_release_of_this_service_keeps_its_hosts() {
    let to = wanted(20, &["www.shop.test"]);
    let moved = base(20, &["www.shop.test"]);
    let of_another = tags(&[("greenlight:service", "frontend"), ("greenlight:release", "1")]);
    let by_hand = rule("hand", 19, &[HOST], tags(&[]));
    for other in [foreign(19), by_hand, rule("other", 19, &[HOST], of_another)] {
        assert_eq!(updated(&to, &[moved.clone(), other]), Next::Done(Some(arn("base"))));
    }
}

#[test]
fn another_priority_takes_the_rule_of_an_open_release_along_in_one_call() {
    let (from, release) = (base(20, &[HOST]), of_a_release(19, &[HOST]));
    let to = |priority| updated(&wanted(priority, &[HOST]), &[from.clone(), release.clone()]);
    for priority in [30, 21, 19] {
        let places = vec![(arn("base"), priority), (arn("release"), priority - 1)];
        assert_eq!(to(priority), change(Change::Move(places)));
    }
    let alone = updated(&wanted(30, &[HOST]), std::slice::from_ref(&from));
    assert_eq!(alone, change(Change::Move(vec![(arn("base"), 30)])));
    for taken in [30, 29] {
        let rules = [from.clone(), release.clone(), foreign(taken)];
        assert!(refused(updated(&wanted(30, &["new.test"]), &rules)).contains("foreign"));
    }
}

#[test]
fn the_rule_of_a_preview_moves_with_the_others_and_keeps_its_hosts() {
    // With the new hosts alone as its conditions it would lead everybody to the candidate.
    let renamed = wanted(20, &["www.shop.test"]);
    let rules =
        [base(20, &["www.shop.test"]), of_a_release(19, &["www.shop.test"]), of_a_preview(18, &[HOST])];
    assert_eq!(updated(&renamed, &rules), Next::Done(Some(arn("base"))));
    // Nor is it taken for a release's, where somebody has moved the base rule by hand.
    let by_hand = [base(19, &["www.shop.test"]), of_a_preview(18, &[HOST])];
    assert_eq!(updated(&renamed, &by_hand), Next::Done(Some(arn("base"))));
    let places = [(arn("base"), 30), (arn("release"), 29), (arn("preview"), 28)];
    let old = [base(20, &[HOST]), of_a_release(19, &[HOST]), of_a_preview(18, &[HOST])];
    assert_eq!(updated(&wanted(30, &[HOST]), &old), change(Change::Move(places.to_vec())));
    let without_release = [base(20, &[HOST]), of_a_preview(18, &[HOST])];
    let places = vec![(arn("base"), 30), (arn("preview"), 28)];
    assert_eq!(updated(&wanted(30, &[HOST]), &without_release), change(Change::Move(places)));
    assert_eq!(created(&[of_a_preview(18, &[HOST])]), Next::ReadLedger, "it is in no way");
}

#[test]
fn a_priority_that_leaves_no_room_for_a_release_and_its_preview_is_refused() {
    for priority in [1, 2] {
        let next = keep(&owner(), &wanted(priority, &[HOST]), None, None, &seen(&[]));
        assert!(refused(next).contains("from 3 to 50000; the two before it are reserved"));
    }
    assert_eq!(keep(&owner(), &wanted(3, &[HOST]), None, None, &seen(&[])), Next::ReadLedger);
}

#[test]
fn a_base_rule_that_is_gone_is_made_again_beside_the_rule_of_an_open_release() {
    let to = wanted(20, &[HOST]);
    let rules = [of_a_release(19, &[HOST])];
    assert_eq!(updated(&to, &rules), Next::ReadLedger);
    let seen = Seen { rules: rules.into(), live: Reading::Known(Some(Colour::Green)) };
    let next = keep(&owner(), &to, Some(&to), Some(&arn("base")), &seen);
    assert_eq!(next, change(Change::Create(Weights::all_on(Colour::Green))));
    // Nor for the sake of a preview is it left away: whatever stands there, the service has to be reached. Who makes the first
    // one, or moves it, can still choose another place.
    let known = arn("base");
    let stranger = Seen { rules: vec![foreign(18)], ..seen.clone() };
    let again = |to: &Wanted, rule| keep(&owner(), to, Some(&wanted(20, &[HOST])), rule, &stranger);
    assert_eq!(again(&to, Some(&known)), change(Change::Create(Weights::all_on(Colour::Green))));
    assert!(refused(again(&to, None)).contains("priority 18"));
    let rules = [base(30, &[HOST]), foreign(18)];
    let next =
        keep(&owner(), &to, Some(&wanted(30, &[HOST])), Some(&arn("base")), &super::listener::seen(&rules));
    assert!(refused(next).contains("priority 18"));
    // At the place of the base rule itself it is in the way.
    assert!(refused(updated(&to, &[of_a_release(20, &[HOST])])).contains("priority 20"));
}

#[test]
fn what_would_move_traffic_is_refused_and_the_way_back_from_it_is_not() {
    let old = wanted(20, &[HOST]);
    let rules = [base(20, &[HOST])];
    let back = |from: &Wanted| keep(&owner(), &old, Some(from), Some(&arn("base")), &seen(&rules));

    let elsewhere = Wanted { listener: LISTENER.replace("/2", "/3"), ..old.clone() };
    assert!(refused(updated(&elsewhere, &rules)).contains("stands on another listener"));
    assert_eq!(back(&elsewhere), Next::Done(Some(arn("base"))));

    let groups = PerColour { blue: BLUE.replace("/1", "/9"), green: GREEN.to_owned() };
    let regrouped = Wanted { groups, ..old.clone() };
    assert!(refused(updated(&regrouped, &rules)).contains("nothing answers in the new ones yet"));
    assert_eq!(back(&regrouped), Next::Done(Some(arn("base"))));

    let renamed = Wanted { service: release::ServiceName::new("api").unwrap(), ..old.clone() };
    assert!(refused(updated(&renamed, &rules)).contains("keep the name"));
    assert_eq!(back(&renamed), Next::Done(Some(arn("base"))));

    // Who changed the groups by hand can still change the hosts, and go back.
    let by_hand = Rule { groups: ["arn:targetgroup/page".to_owned()].into(), ..base(20, &[HOST]) };
    assert_eq!(updated(&wanted(20, &["new.test"]), &[by_hand]), change(Change::SetHosts(arn("base"))));
}

#[test]
fn what_no_rule_can_be_is_refused_before_anything_is_asked() {
    let right = || wanted(20, &[HOST]);
    for (wrong, says) in [
        (wanted(1, &[HOST]), "from 3 to 50000"),
        (wanted(50_001, &[HOST]), "from 3 to 50000"),
        (wanted(20, &[]), "Hosts has 0 names"),
        (wanted(20, &["a.b"; 6]), "Hosts has 6 names"),
        (wanted(20, &[HOST, ""]), "Hosts has 2 names"),
        (Wanted { listener: "Listener".to_owned(), ..right() }, "ListenerArn is \"Listener\""),
        (
            Wanted { groups: PerColour { blue: BLUE.to_owned(), green: BLUE.to_owned() }, ..right() },
            "two target groups",
        ),
        (
            Wanted { groups: PerColour { blue: BLUE.to_owned(), green: String::new() }, ..right() },
            "two target groups",
        ),
    ] {
        let said = refused(keep(&owner(), &wrong, None, None, &seen(&[])));
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_listener_is_told_by_its_rules_arn() {
    assert_eq!(listener_of(&arn("x").0).as_deref(), Some(LISTENER));
    assert_eq!(listener_of("not-created"), None);
    assert_eq!(listener_of("a/b"), None);
}

#[test]
fn while_hosts_change_each_host_that_stays_is_answered_and_the_base_rule_knows_all_that_are_wanted() {
    let (old, new) = (wanted(20, &[HOST, "old.test"]), wanted(40, &[HOST, "new.test"]));
    let mut listener = Listener::default();
    listener.add(base(20, &[HOST, "old.test"]), Weights::all_on(Colour::Green));
    listener.add(of_a_release(19, &[HOST, "old.test"]), Weights::share(Colour::Blue, 10));
    let asked = Asked::Keep { wanted: new, before: Some(old), rule: Some(arn("base")) };
    let weights = listener.weights.clone();
    let mut seen_states = Vec::new();
    run(&mut listener, &owner(), &asked, None, STEPS, |listener| seen_states.push(listener.clone()));
    assert_eq!(seen_states.len(), 3);
    for state in seen_states {
        let host = |name: &str, rule: &RuleArn| state.get(rule).unwrap().hosts.contains(&name.to_owned());
        assert!(host(HOST, &arn("base")) && host(HOST, &arn("release")));
        assert!(host("new.test", &arn("base")) || !host("new.test", &arn("release")));
        assert_eq!(state.weights, weights);
    }
}
