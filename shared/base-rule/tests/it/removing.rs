//! Deleted.

use crate::listener::{arn, base, foreign, of_a_preview, of_a_release, owner, rule, seen, tags, wanted};
use base_rule::{Change, Next, Rule, Tags, remove};

const HOST: &str = "api.shop.test";

fn removed(known: Option<&str>, rules: &[Rule]) -> Next {
    remove(&owner(), Some(&wanted(20, &[HOST])), known.map(arn).as_ref(), &seen(rules))
}

fn deletes(name: &str) -> Next {
    Next::Change(Change::Delete(arn(name)))
}

#[test]
fn a_release_left_over_goes_first_and_then_the_base_rule() {
    let (own, left_over) = (base(20, &[HOST]), of_a_release(19, &[HOST]));
    assert_eq!(removed(Some("base"), &[own.clone(), left_over.clone()]), deletes("release"));
    assert_eq!(removed(Some("base"), &[own]), deletes("base"));
    assert_eq!(removed(Some("base"), &[left_over]), deletes("release"));
}

#[test]
fn a_preview_left_over_goes_before_the_base_rule_as_well() {
    let (own, left_over) = (base(20, &[HOST]), of_a_preview(18, &[HOST]));
    assert_eq!(removed(Some("base"), &[own, left_over.clone()]), deletes("preview"));
    // A stack update may have left it elsewhere.
    assert_eq!(removed(Some("base"), &[Rule { priority: 7, ..left_over }]), deletes("preview"));
}

#[test]
fn deleted_twice_is_deleted() {
    assert_eq!(removed(Some("base"), &[]), Next::Done(None));
}

#[test]
fn a_rule_that_the_stack_never_heard_of_is_found_by_its_tags() {
    assert_eq!(removed(None, &[base(20, &[HOST])]), deletes("base"));
    assert_eq!(removed(None, &[]), Next::Done(None));
}

#[test]
fn what_was_never_made_takes_no_release_along() {
    // The template called the rule otherwise, and the new resource was refused: the old one still serves.
    let mut old = base(20, &[HOST]);
    old.tags.extend(tags(&[("greenlight:resource", "Old")]));
    assert_eq!(removed(None, &[old, of_a_release(19, &[HOST])]), Next::Done(None));
}

#[test]
fn a_rule_whose_place_another_one_took_goes_alone() {
    let (old, new) = (base(20, &[HOST]), rule("new", 30, &[HOST], base(30, &[HOST]).tags));
    let open = of_a_release(29, &[HOST]);
    assert_eq!(removed(Some("base"), &[old, new.clone(), open.clone()]), deletes("base"));
    assert_eq!(removed(Some("base"), &[new, open]), Next::Done(None));
}

#[test]
fn what_is_somebody_elses_stays() {
    let of_another = tags(&[("greenlight:service", "frontend"), ("greenlight:release", "1")]);
    let elsewhere = Rule { groups: ["arn:targetgroup/else".to_owned()].into(), ..of_a_release(19, &[HOST]) };
    for other in [
        foreign(20),
        rule("hand", 20, &[HOST], Tags::new()),
        rule("other", 19, &[HOST], of_another),
        elsewhere,
    ] {
        assert_eq!(removed(Some("base"), std::slice::from_ref(&other)), Next::Done(None), "{other:?}");
    }
}

#[test]
fn without_a_template_that_can_be_read_the_rule_that_the_stack_knows_goes() {
    let rules = [base(20, &[HOST]), of_a_release(19, &[HOST])];
    assert_eq!(remove(&owner(), None, Some(&arn("base")), &seen(&rules)), deletes("base"));
    assert_eq!(remove(&owner(), None, None, &seen(&[])), Next::Done(None));
}
