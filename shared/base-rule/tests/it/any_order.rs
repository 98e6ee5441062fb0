//! Whatever CloudFormation asks, in whatever order, with crashes between any two steps, releases that open and end
//! meanwhile and rules that somebody deletes by hand: it ends right, and no weight is touched.

use crate::listener::{Asked, Listener, STEPS, foreign, of_a_release, owner, run, wanted};
use base_rule::{Next, Rule, Wanted};
use proptest::prelude::*;
use release::{Colour, RuleArn, Weights};

#[derive(Debug, Clone)]
enum Event {
    /// The stack is updated; the function crashes after so many changes, and is asked again as often as it takes.
    Update {
        priority: u32,
        hosts: Vec<&'static str>,
        crashes: Vec<usize>,
    },
    /// The resource is deleted and made again, with crashes.
    Again {
        crashes: Vec<usize>,
    },
    /// A release opens, is raised, goes live or is taken back.
    Open,
    Raise,
    Promote,
    TakeBack,
    /// Somebody deletes the base rule.
    LoseBase,
    /// Somebody makes a rule.
    Foreign {
        priority: u32,
    },
}

fn hosts() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(vec!["a.test", "b.test", "c.test"], 1..=3)
}

fn crashes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..3_usize, 0..3)
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (4..9_u32, hosts(), crashes())
            .prop_map(|(priority, hosts, crashes)| Event::Update { priority, hosts, crashes }),
        1 => crashes().prop_map(|crashes| Event::Again { crashes }),
        3 => Just(Event::Open),
        2 => Just(Event::Raise),
        2 => Just(Event::Promote),
        1 => Just(Event::TakeBack),
        1 => Just(Event::LoseBase),
        1 => (4..9_u32).prop_map(|priority| Event::Foreign { priority }),
    ]
}

/// A stack with one service.
struct Stack {
    listener: Listener,
    wanted: Wanted,
    /// The rule that CloudFormation knows.
    rule: Option<RuleArn>,
    live: Option<Colour>,
}

impl Stack {
    /// One request, asked again after each crash.
    fn ask(&mut self, asked: &Asked, crashes: &[usize]) -> Next {
        let mut answered = None;
        for steps in crashes.iter().copied().chain([STEPS]) {
            let before = self.listener.clone();
            answered = run(&mut self.listener, &owner(), asked, self.live, steps, |_| {});
            self.touched_nothing_of_others(&before, answered.as_ref());
        }
        answered.expect("the last time nothing crashes")
    }

    fn touched_nothing_of_others(&self, before: &Listener, answered: Option<&Next>) {
        for (arn, weights) in &self.listener.weights {
            let made = Weights::all_on(self.live.unwrap_or(Colour::Blue));
            assert_eq!(before.weights.get(arn).unwrap_or(&made), weights, "the weights of {arn}");
        }
        let strangers = |listener: &Listener| -> Vec<Rule> {
            listener.rules.iter().filter(|rule| rule.tags.is_empty()).cloned().collect()
        };
        assert_eq!(strangers(before), strangers(&self.listener));
        if let Some(Next::Refused(_)) = answered {
            assert_eq!(before.rules, self.listener.rules, "something moved, and it was refused");
        }
    }

    fn base(&self) -> Option<&Rule> {
        self.rule.as_ref().and_then(|rule| self.listener.get(rule))
    }

    fn open(&self) -> Option<RuleArn> {
        let reserved = self.base()?.priority - 1;
        let rule = self.listener.rules.iter().find(|rule| rule.priority == reserved)?;
        rule.tags.contains_key("greenlight:release").then(|| rule.arn.clone())
    }

    fn create(&mut self, crashes: &[usize]) {
        let asked = Asked::Keep { wanted: self.wanted.clone(), before: None, rule: None };
        match self.ask(&asked, crashes) {
            Next::Done(Some(arn)) => self.rule = Some(arn),
            // CloudFormation takes away what it could not make.
            Next::Refused(_) => self.remove(&[]),
            other => panic!("{other:?}"),
        }
    }

    fn update(&mut self, wanted: Wanted, crashes: &[usize]) {
        let Some(known) = self.rule.clone() else { return };
        let from = std::mem::replace(&mut self.wanted, wanted);
        let ask = |wanted: &Wanted, before: &Wanted| Asked::Keep {
            wanted: wanted.clone(),
            before: Some(before.clone()),
            rule: Some(known.clone()),
        };
        let to = self.wanted.clone();
        let answered = self.ask(&ask(&to, &from), crashes);
        let done = match answered {
            Next::Refused(_) => {
                self.wanted = from.clone();
                self.ask(&ask(&from, &to), &[])
            }
            done => done,
        };
        match done {
            Next::Done(Some(arn)) if arn != known => {
                self.rule = Some(arn);
                // CloudFormation deletes what was replaced, last of all.
                let asked = Asked::Remove { wanted: from, rule: Some(known) };
                let rules = self.listener.rules.clone();
                assert_eq!(self.ask(&asked, crashes), Next::Done(None));
                assert_eq!(rules, self.listener.rules);
            }
            Next::Done(Some(_)) | Next::Refused(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn remove(&mut self, crashes: &[usize]) {
        let asked = Asked::Remove { wanted: self.wanted.clone(), rule: self.rule.take() };
        assert_eq!(self.ask(&asked, crashes), Next::Done(None));
        assert!(
            self.listener.rules.iter().all(|rule| rule.tags.is_empty()),
            "left: {:?}",
            self.listener.rules
        );
    }

    fn happens(&mut self, event: Event) {
        let base = self.base().cloned();
        match (event, base) {
            (Event::Update { priority, hosts, crashes }, _) => {
                self.update(wanted(priority, &hosts), &crashes);
            }
            (Event::Again { crashes }, _) => {
                self.remove(&crashes);
                self.create(&crashes);
            }
            (Event::Open, Some(base)) => {
                let hosts: Vec<&str> = base.hosts.iter().map(String::as_str).collect();
                let rule = of_a_release(base.priority - 1, &hosts);
                let taken = self.listener.rules.iter().any(|known| known.priority == rule.priority);
                if !taken && self.listener.get(&rule.arn).is_none() {
                    self.listener.add(rule, Weights::all_on(self.live.unwrap_or(Colour::Blue)));
                }
            }
            (Event::Raise, Some(_)) => {
                if let Some(open) = self.open() {
                    self.listener.weights.insert(open, Weights::share(Colour::Green, 10));
                }
            }
            (Event::Promote, Some(base)) => {
                if let Some(open) = self.open() {
                    let live = self.live.map_or(Colour::Blue, Colour::other);
                    self.listener.weights.insert(base.arn, Weights::all_on(live));
                    self.listener.rules.retain(|rule| rule.arn != open);
                    self.live = Some(live);
                }
            }
            (Event::TakeBack, Some(_)) => {
                let open = self.open();
                self.listener.rules.retain(|rule| Some(&rule.arn) != open.as_ref());
            }
            (Event::LoseBase, Some(base)) => self.listener.rules.retain(|rule| rule.arn != base.arn),
            (Event::Foreign { priority }, _) => {
                if self.listener.rules.iter().all(|rule| rule.priority != priority) {
                    let count = self.listener.rules.len();
                    let stranger = foreign(priority);
                    let arn = RuleArn(format!("{}-{priority}-{count}", stranger.arn));
                    self.listener.add(Rule { arn, ..stranger }, Weights::all_on(Colour::Blue));
                }
            }
            (Event::Open | Event::Raise | Event::Promote | Event::TakeBack | Event::LoseBase, None) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_life_of_a_stack_ends_with_no_rule_of_it_and_moves_no_weight(
        first in crashes(),
        events in proptest::collection::vec(event(), 0..12),
        last in crashes(),
    ) {
        let wanted = wanted(6, &["a.test"]);
        let mut stack = Stack { listener: Listener::default(), wanted, rule: None, live: None };
        stack.create(&first);
        for event in events {
            stack.happens(event);
        }
        stack.remove(&last);
    }
}
