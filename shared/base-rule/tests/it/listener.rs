//! A listener in memory, and a stack that asks for a base rule on it.

use base_rule::{Change, Next, Owner, Rule, Seen, Tags, Wanted, keep, remove};
use release::{Colour, PerColour, Reading, RuleArn, ServiceName, Weights};
use std::collections::BTreeMap;

pub(crate) const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/1/2";
pub(crate) const BLUE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/blue/1";
pub(crate) const GREEN: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/green/2";

pub(crate) fn arn(name: &str) -> RuleArn {
    RuleArn(format!("{}/{name}", LISTENER.replace(":listener/", ":listener-rule/")))
}

pub(crate) fn owner() -> Owner {
    Owner { stack: "arn:stack/shop/1".to_owned(), resource: "BackendRule".to_owned() }
}

pub(crate) fn wanted(priority: u32, hosts: &[&str]) -> Wanted {
    Wanted {
        service: ServiceName::new("backend").unwrap(),
        listener: LISTENER.to_owned(),
        priority,
        hosts: hosts.iter().map(ToString::to_string).collect(),
        groups: PerColour { blue: BLUE.to_owned(), green: GREEN.to_owned() },
    }
}

/// A rule that names both groups.
pub(crate) fn rule(name: &str, priority: u32, hosts: &[&str], tags: Tags) -> Rule {
    Rule {
        arn: arn(name),
        priority,
        hosts: hosts.iter().map(ToString::to_string).collect(),
        groups: [BLUE.to_owned(), GREEN.to_owned()].into(),
        tags,
    }
}

pub(crate) fn base(priority: u32, hosts: &[&str]) -> Rule {
    rule("base", priority, hosts, owner().tags(&wanted(priority, hosts).service))
}

pub(crate) fn of_a_release(priority: u32, hosts: &[&str]) -> Rule {
    rule(
        "release",
        priority,
        hosts,
        tags(&[("greenlight:service", "backend"), ("greenlight:release", "142")]),
    )
}

/// It leads to the candidate alone.
pub(crate) fn of_a_preview(priority: u32, hosts: &[&str]) -> Rule {
    let preview = [("greenlight:preview", "142")];
    let mut rule =
        Rule { arn: arn("preview"), groups: [GREEN.to_owned()].into(), ..of_a_release(priority, hosts) };
    rule.tags.extend(tags(&preview));
    rule
}

/// Somebody else's.
pub(crate) fn foreign(priority: u32) -> Rule {
    Rule {
        groups: ["arn:targetgroup/else".to_owned()].into(),
        ..rule("foreign", priority, &["else.test"], Tags::new())
    }
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn seen(rules: &[Rule]) -> Seen {
    Seen { rules: rules.to_vec(), live: Reading::NotRead }
}

/// The listener, with the weights that only AWS knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listener {
    pub(crate) rules: Vec<Rule>,
    pub(crate) weights: BTreeMap<RuleArn, Weights>,
    made: usize,
}

impl Listener {
    pub(crate) fn add(&mut self, rule: Rule, weights: Weights) {
        self.weights.insert(rule.arn.clone(), weights);
        self.rules.push(rule);
    }

    pub(crate) fn get(&self, arn: &RuleArn) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.arn == *arn)
    }

    /// Carries a change out, as AWS does. False where AWS refuses it.
    pub(crate) fn carry_out(&mut self, change: &Change, owner: &Owner, wanted: &Wanted) -> bool {
        match change {
            Change::Create(weights) => {
                if self.rules.iter().any(|rule| rule.priority == wanted.priority) {
                    return false;
                }
                self.made += 1;
                let hosts: Vec<&str> = wanted.hosts.iter().map(String::as_str).collect();
                let name = format!("made-{}", self.made);
                self.add(rule(&name, wanted.priority, &hosts, owner.tags(&wanted.service)), *weights);
            }
            Change::SetHosts(arn) => match self.rules.iter_mut().find(|rule| rule.arn == *arn) {
                Some(rule) => rule.hosts.clone_from(&wanted.hosts),
                None => return false,
            },
            Change::Move(places) => {
                let stays = |rule: &Rule| !places.iter().any(|(arn, _)| rule.arn == *arn);
                let free = |place: u32| !self.rules.iter().any(|rule| stays(rule) && rule.priority == place);
                if !places.iter().all(|(arn, place)| self.get(arn).is_some() && free(*place)) {
                    return false;
                }
                for (arn, place) in places {
                    for rule in self.rules.iter_mut().filter(|rule| rule.arn == *arn) {
                        rule.priority = *place;
                    }
                }
            }
            Change::Delete(arn) => self.rules.retain(|rule| rule.arn != *arn),
        }
        true
    }
}

/// What CloudFormation asks for.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Keep { wanted: Wanted, before: Option<Wanted>, rule: Option<RuleArn> },
    Remove { wanted: Wanted, rule: Option<RuleArn> },
}

impl Asked {
    pub(crate) fn wanted(&self) -> &Wanted {
        match self {
            Self::Keep { wanted, .. } | Self::Remove { wanted, .. } => wanted,
        }
    }

    pub(crate) fn next(&self, owner: &Owner, seen: &Seen) -> Next {
        match self {
            Self::Keep { wanted, before, rule } => keep(owner, wanted, before.as_ref(), rule.as_ref(), seen),
            Self::Remove { wanted, rule } => remove(owner, Some(wanted), rule.as_ref(), seen),
        }
    }
}

/// Most steps that anything takes.
pub(crate) const STEPS: usize = 6;

/// Asks and carries out, until it is done or refused, or `steps` changes were made: then the function crashed. `each` sees
/// the listener after every change. The last step is answered.
pub(crate) fn run(
    listener: &mut Listener,
    owner: &Owner,
    asked: &Asked,
    live: Option<Colour>,
    steps: usize,
    mut each: impl FnMut(&Listener),
) -> Option<Next> {
    let mut reading = Reading::NotRead;
    let mut changes = 0;
    for _ in 0..=STEPS {
        let next = asked.next(owner, &Seen { rules: listener.rules.clone(), live: reading.clone() });
        match next {
            Next::ReadLedger => reading = Reading::Known(live),
            Next::Change(change) => {
                if changes == steps {
                    return None;
                }
                changes += 1;
                listener.carry_out(&change, owner, asked.wanted());
                each(listener);
            }
            Next::Done(_) | Next::Refused(_) => return Some(next),
        }
    }
    panic!("{asked:?} does not end on {listener:?}");
}
