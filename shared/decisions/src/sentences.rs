//! Each reason as a sentence, with what its decision saw.

use crate::{Decision, Placed, Tone};
use release::evidence::Judgement;
use release::{Colour, Reason, ReturnCause, Target, TargetStatus};

/// What a reason means to its reader.
pub fn tone(reason: &Reason) -> Tone {
    match reason {
        Reason::Installed
        | Reason::Adopted
        | Reason::AdoptsRule
        | Reason::AdoptsRollback { .. }
        | Reason::CreatesRule
        | Reason::CreatesDeployment
        | Reason::DrillNotHeld { .. }
        | Reason::DrillEnded { .. }
        | Reason::ReinstallEnded { .. }
        | Reason::FixForward { .. }
        | Reason::NotCounted { .. }
        | Reason::DeletesReleaseRule
        | Reason::DeletesPreview { .. }
        | Reason::Returns { cause: ReturnCause::StandsBy }
        | Reason::Closed { .. } => Tone::Plain,
        Reason::NothingToDo
        | Reason::NotReplaced { .. }
        | Reason::Missing { .. }
        | Reason::MayBeTheInstance { .. }
        | Reason::WaitsForInstallation { .. }
        | Reason::WaitsForTime { .. }
        | Reason::Judged { judgement: Judgement::Unsure(_) | Judgement::AtMax(_) }
        | Reason::WaitsForDrain { .. }
        | Reason::Frozen { .. }
        | Reason::Paused
        | Reason::NotProven { .. }
        | Reason::WaitsForGate { .. }
        | Reason::Previews { .. }
        | Reason::WaitsForCodeDeploy
        | Reason::AlarmSet { .. }
        | Reason::WaitsToReinstall { .. }
        | Reason::WaitsForReturn { .. } => Tone::Waits,
        Reason::RepairsBaseRule
        | Reason::Replaces { .. }
        | Reason::Opens { .. }
        | Reason::Raises { .. }
        | Reason::Judged { .. }
        | Reason::Promotes
        | Reason::MovesBaseRule
        | Reason::TriesAgain { .. }
        | Reason::Drills { .. }
        | Reason::Reinstalls { .. }
        | Reason::Settles => Tone::Step,
        Reason::WentLive | Reason::Settled => Tone::Good,
        Reason::NewerLedger { .. }
        | Reason::BaseRuleDrifted { .. }
        | Reason::StrayReleaseRule
        | Reason::StrangersRule { .. }
        | Reason::WaitsForBaseRule { .. }
        | Reason::ScalingSuspended { .. }
        | Reason::Ailing { .. }
        | Reason::LiveAlarm { .. }
        | Reason::LiveMinutes { .. }
        | Reason::TooLong { .. }
        | Reason::WrongSettings
        | Reason::RollsBack { .. }
        | Reason::PreviousNotRunning
        | Reason::NoPreview { .. }
        | Reason::Unknown { .. }
        | Reason::CountsUnreadable { .. }
        | Reason::UnhealthyWithinGrace { .. }
        | Reason::AlarmsMissing { .. }
        | Reason::FireOnBoth { .. }
        | Reason::AlarmsWithoutData { .. }
        | Reason::LowersDrift { .. }
        | Reason::Returns { .. }
        | Reason::VerdictUntold { .. }
        | Reason::NotSettled { .. } => Tone::Bad,
    }
}

/// What a person is told of a reason: more than it says by itself where the decision names the release and its colours.
pub fn sentence(reason: &Reason, decision: &Decision) -> String {
    let about = About(decision);
    let (release, found, candidate, live) = (about.release(), about.found(), about.candidate(), about.live());
    match reason {
        Reason::BaseRuleDrifted { weights } => {
            format!("the base rule says {weights}, and all traffic belongs on {live}")
        }
        Reason::RepairsBaseRule => {
            format!("the base rule is repaired: all traffic on {live}, which is healthy")
        }
        Reason::Ailing { instance, seconds } => {
            format!("{instance} has been unhealthy on {live} for {seconds} s")
        }
        Reason::LiveAlarm { alarm } => format!("alarm {alarm} fires on {live}, which went live lately"),
        Reason::LiveMinutes { past } => format!("on {live} {past}: nobody can say whose fault it is"),
        Reason::Opens { number, attempt } => about.opens(*number, *attempt),
        Reason::TooLong { seconds } => {
            format!("{release} could take {seconds} s, and CodeDeploy gives a hook 3600 s: it is refused")
        }
        Reason::Adopted => format!("CodeDeploy has opened a deployment for {release} already"),
        Reason::AdoptsRule => format!("the rule of {release} stands already"),
        Reason::CreatesRule => format!("{release} gets a rule of its own; all traffic stays on {live}"),
        Reason::CreatesDeployment => format!("CodeDeploy is asked to install {release} on {candidate}"),
        Reason::WaitsForInstallation { waiting } => {
            format!("{release} is being installed on {candidate}: {}", about.missing(waiting))
        }
        Reason::Installed => about.installed(),
        Reason::Raises { percent } => format!("{candidate} takes {percent} %: {}", about.proof()),
        Reason::WaitsForTime { seconds } => about.stays(*seconds),
        Reason::NotProven { waiting } => {
            format!("{candidate} gets no more traffic yet: waiting for {waiting}")
        }
        Reason::UnhealthyWithinGrace { unhealthy } => {
            format!("the weight stays: {} unhealthy on {candidate}", are(*unhealthy, "instance"))
        }
        Reason::FixForward { alarms } => {
            format!("alarm {} fires on {live}, the live colour: {release} may mend it", alarms.join(", "))
        }
        Reason::LowersDrift { weights } => {
            format!("the release's rule says {weights}, more than {candidate} may have: it is lowered")
        }
        Reason::Promotes => format!("{release} has proven itself: its hooks may tell CodeDeploy so"),
        Reason::MovesBaseRule => format!("the base rule moves to {candidate}"),
        Reason::DeletesReleaseRule => format!("the base rule is on {candidate}: the release's own rule goes"),
        Reason::WentLive => format!("{found} is live on {}", about.found_colour()),
        Reason::Returns { cause } => about.returns(cause),
        Reason::WaitsForReturn { waiting } => format!("on the way back: waiting for {}", first(waiting)),
        Reason::Closed { cause } => format!("{found} has ended: {}", because(cause)),
        Reason::TriesAgain { attempt } => {
            format!("{found} is tried once more, attempt {attempt}: the bundle is not to blame")
        }
        Reason::Settles => {
            format!("{release} is installed on {candidate} as well, so that new instances boot with it")
        }
        Reason::Settled => format!("new instances boot with {found}, which carries the traffic"),
        Reason::NotSettled { detail } => format!("new instances would not boot with {found}: {detail}"),
        _ => reason.to_string(),
    }
}

/// What took a release back, in a clause.
fn because(cause: &ReturnCause) -> String {
    match cause {
        ReturnCause::Alarm { alarm } => format!("alarm {alarm} fired"),
        ReturnCause::Worse { compared } => Judgement::Worse(*compared).to_string(),
        ReturnCause::Past { past } => Judgement::Past(*past).to_string(),
        ReturnCause::Unproven { over } => Judgement::AtMax(*over).to_string(),
        ReturnCause::Unhealthy { unhealthy, targets } => {
            format!("{unhealthy} of {targets} instances failed their health checks for too long")
        }
        ReturnCause::UnknownTooLong { what } => format!("this could not be read for too long: {what}"),
        ReturnCause::FireOnBoth { alarms } => {
            format!(
                "alarms fired on both colours for too long, and the counts blame neither: {}",
                alarms.join(", ")
            )
        }
        ReturnCause::TargetFailed { instance, detail } => format!("a hook failed on {instance}: {detail}"),
        ReturnCause::DeploymentEnded { status, detail } => {
            format!("CodeDeploy ended the deployment as {status}: {detail}")
        }
        ReturnCause::Refused { detail } => format!("CodeDeploy refused the deployment: {detail}"),
        ReturnCause::InstallDeadline { waiting } => {
            format!("its installation took too long, still waiting for {waiting}")
        }
        ReturnCause::NotProven { waiting } => format!("it waited too long for {waiting}"),
        ReturnCause::InstanceLost { instance } => format!("{instance} went away, or serves neither version"),
        ReturnCause::Silent { seconds } => format!("its hooks have not asked for {seconds} s"),
        ReturnCause::NoRule { detail } => format!("its rule could not be created: {detail}"),
        ReturnCause::NoDeployment { waiting } => {
            format!("CodeDeploy did not open its deployment in time, still waiting for {waiting}")
        }
        ReturnCause::NoInstances => "there is no instance to install it on".to_owned(),
        ReturnCause::Paused { seconds } => {
            format!("an operator had paused it until {seconds} s after it opened")
        }
        ReturnCause::Joined { instances } => {
            format!("{} joined without it", counted(*instances, "instance"))
        }
        ReturnCause::Gate { before, said } => format!("the gate gave no yes before {before}: {said}"),
        ReturnCause::Drilled { alarm } => format!("alarm {alarm}, which the drill has set, fired"),
        ReturnCause::DrillFailed { detail } => format!("the drill failed: {detail}"),
        ReturnCause::StandsBy => "it stands by again".to_owned(),
        ReturnCause::DoesNotStandBy { why } => format!("it does not stand by: {why}"),
        ReturnCause::Aborted => "an operator gave it up".to_owned(),
        ReturnCause::Superseded { by } => format!("release {by} is newer"),
        ReturnCause::RuleDeleted => "its rule was deleted".to_owned(),
        ReturnCause::PartialSuccess { failed } => {
            format!("CodeDeploy calls it a success, and {} failed", counted(*failed as usize, "instance"))
        }
    }
}

/// The words for what a decision is about.
struct About<'a>(&'a Decision);

impl About<'_> {
    fn release(&self) -> String {
        named(self.0.open.or(self.0.found))
    }

    /// The release that was open before the decision, which may have ended it.
    fn found(&self) -> String {
        named(self.0.found.or(self.0.open))
    }

    fn candidate(&self) -> String {
        coloured(self.0.open.or(self.0.found), "the idle colour")
    }

    fn found_colour(&self) -> String {
        coloured(self.0.found.or(self.0.open), "its colour")
    }

    fn live(&self) -> String {
        coloured(self.0.live, "the live colour")
    }

    fn colour(&self) -> Option<Colour> {
        self.0.open.or(self.0.found).map(|open| open.colour)
    }

    fn opens(&self, number: impl std::fmt::Display, attempt: u32) -> String {
        let attempt = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        let keeps = match self.0.live {
            Some(live) => format!("{} on {} keeps all traffic", named(Some(live)), live.colour),
            None => "nothing is live yet".to_owned(),
        };
        format!("release {number} opens on {}{attempt}; {keeps}", self.candidate())
    }

    fn stays(&self, seconds: u64) -> String {
        let candidate = self.candidate();
        match self.0.weight {
            Some(percent) if percent < 100 => {
                format!("{candidate} stays at {percent} % for another {seconds} s")
            }
            _ => format!("{candidate} has all traffic and bakes for another {seconds} s"),
        }
    }

    /// How many instances are ready; what is waited for where there are none yet.
    fn missing(&self, waiting: &str) -> String {
        let targets = self.0.seen.targets.known().filter(|targets| !targets.is_empty());
        let (Some(targets), Some(colour)) = (targets, self.colour()) else {
            return format!("waiting for {waiting}");
        };
        let is_ready = |target: &&Target| {
            matches!(target.status, TargetStatus::Validating | TargetStatus::Succeeded)
                && self.0.seen.is_healthy(colour, &target.instance)
        };
        let ready = targets.iter().filter(is_ready).count();
        format!("{ready} of {} ready", counted(targets.len(), "instance"))
    }

    fn installed(&self) -> String {
        let instances = self.0.seen.targets.known().map_or(0, Vec::len);
        format!("{} is installed and healthy on {}", self.release(), all(instances))
    }

    /// What was seen of the colour that takes more traffic.
    fn proof(&self) -> String {
        let Some(colour) = self.colour() else { return "it is healthy".to_owned() };
        let health = match self.0.healthy(colour) {
            Some((healthy, targets)) if healthy == targets => format!("{} healthy", all_are(targets)),
            Some((healthy, targets)) => format!("{healthy} of {targets} instances are healthy"),
            None => "its health was not read".to_owned(),
        };
        match self.0.firing(colour) {
            Some(0) => format!("{health}, no alarm"),
            Some(firing) => format!("{health}, {}", counted(firing, "alarm")),
            None => health,
        }
    }

    fn returns(&self, cause: &ReturnCause) -> String {
        if *cause == ReturnCause::StandsBy {
            return format!("{} is left running: {}", self.found(), because(cause));
        }
        let carries = self.0.found.is_some_and(|open| self.0.has_traffic(open.colour));
        let cause = because(cause);
        if carries {
            format!("all traffic goes back to {}: {cause}", self.live())
        } else {
            format!("{} is given up before it had traffic: {cause}", self.found())
        }
    }
}

fn named(release: Option<Placed>) -> String {
    release.map_or_else(|| "the release".to_owned(), |release| format!("release {}", release.number))
}

fn coloured(release: Option<Placed>, unknown: &str) -> String {
    release.map_or_else(|| unknown.to_owned(), |release| release.colour.to_string())
}

/// The first of several things that are waited for.
fn first(waiting: &str) -> &str {
    waiting.split(", ").next().unwrap_or(waiting)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn are(count: usize, what: &str) -> String {
    format!("{} {}", counted(count, what), if count == 1 { "is" } else { "are" })
}

fn all(instances: usize) -> String {
    if instances == 1 { "its only instance".to_owned() } else { format!("all {instances} instances") }
}

fn all_are(instances: usize) -> String {
    format!("{} {}", all(instances), if instances == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// A decision record for every reason and every cause of a way back.
    const RECORDS: &str = include_str!("../records/reasons.jsonl");

    fn recorded() -> Vec<Decision> {
        RECORDS.lines().filter_map(|line| Decision::read(line).unwrap()).collect()
    }

    /// A word that only records of earlier versions have.
    const OLD_WORD: &str = "waits_for_hold";

    /// The words by which serde knows the variants of a type.
    fn words_of<T: DeserializeOwned + std::fmt::Debug>(tag: &str) -> BTreeSet<String> {
        let unknown = serde_json::json!({ tag: "?" });
        let error = serde_json::from_value::<T>(unknown).unwrap_err().to_string();
        error.split('`').skip(3).step_by(2).filter(|word| *word != OLD_WORD).map(ToOwned::to_owned).collect()
    }

    fn recorded_words(tag: &str) -> BTreeSet<String> {
        let reasons = recorded().into_iter().flat_map(|decision| decision.why);
        let values = reasons.map(|reason| serde_json::to_value(reason).unwrap());
        values.filter_map(|value| value.get(tag).and_then(Value::as_str).map(ToOwned::to_owned)).collect()
    }

    #[test]
    fn each_reason_is_a_sentence() {
        let told = recorded().into_iter().flat_map(|decision| {
            let tell = |reason: &Reason| {
                let tone = format!("{:?}", tone(reason)).to_lowercase();
                format!("{:<22} {tone:<5}  {}", reason.word(), sentence(reason, &decision))
            };
            decision.why.iter().map(tell).collect::<Vec<_>>()
        });
        insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn no_reason_is_without_a_recorded_decision() {
        assert_eq!(words_of::<Reason>("reason"), recorded_words("reason"));
        assert_eq!(words_of::<ReturnCause>("cause"), recorded_words("cause"));
    }
}
