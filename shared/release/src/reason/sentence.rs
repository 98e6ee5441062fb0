//! Each reason as a sentence for a person who does not see its decision.

use crate::Reason;
use std::fmt::{Display, Formatter, Result};

impl Display for Reason {
    #[expect(clippy::too_many_lines, reason = "a sentence for each reason")]
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NewerLedger { found, known } => write!(
                f,
                "nothing goes on: a newer Greenlight wrote the ledger in format {found}, and this one knows {known}"
            ),
            Self::NothingToDo => f.write_str("nothing to do: no release is open and none waits"),
            Self::BaseRuleDrifted { weights } => {
                write!(f, "the base rule says {weights}, and all traffic belongs on the live colour")
            }
            Self::WaitsForBaseRule { todo } => write!(f, "nothing opens while traffic is elsewhere: {todo}"),
            Self::AdoptsRollback { number } => {
                write!(f, "release {number} has the traffic by hand and can carry it: it is live again")
            }
            Self::StrangersRule { rule } => {
                write!(f, "rule {rule} stands where the rule of a release would, and is not ours: move it")
            }
            Self::Missing { what } => write!(f, "the weight stays; if the next look says the same, {what}"),
            Self::RepairsBaseRule => f.write_str(
                "the base rule is repaired: all traffic on the live colour, which is healthy",
            ),
            Self::StrayReleaseRule => {
                f.write_str("the rule of a release that is no longer open is left over")
            }
            Self::ScalingSuspended { processes } => write!(
                f,
                "Auto Scaling has {} suspended though nothing is being deployed",
                processes.join(", ")
            ),
            Self::Ailing { instance, seconds } => {
                write!(f, "{instance} has been unhealthy on the live colour for {seconds} s")
            }
            Self::Replaces { instance } => {
                write!(f, "{instance} is handed to Auto Scaling, which replaces it")
            }
            Self::NotReplaced { instance, waiting } => {
                write!(f, "{instance} is not replaced yet: waiting for {waiting}")
            }
            Self::LiveAlarm { alarm } => {
                write!(f, "alarm {alarm} fires on the live colour, which went live lately")
            }
            Self::LiveMinutes { past } => write!(f, "on the live colour {past}: nobody can say whose fault it is"),
            Self::MayBeTheInstance { instance } => write!(
                f,
                "no rollback yet: {instance} serves neither version, and the alarm may have seen it die"
            ),
            Self::Opens { number, attempt } => {
                write!(f, "release {number} opens, attempt {attempt}; the live colour keeps all traffic")
            }
            Self::TooLong { seconds } => write!(
                f,
                "the release could take {seconds} s, and CodeDeploy gives a hook 3600 s: it is refused"
            ),
            Self::WrongSettings => f.write_str(
                "no release opens, because a setting of the functions is wrong: their log names it; set it, and the release goes on",
            ),
            Self::RollsBack { number } => write!(f, "rollback: release {number} comes back"),
            Self::PreviousNotRunning => f.write_str(
                "the previous version runs on too few healthy instances to take the traffic",
            ),
            Self::Adopted => f.write_str("CodeDeploy has opened a deployment for the release already"),
            Self::AdoptsRule => f.write_str("the rule of the release stands already"),
            Self::CreatesRule => {
                f.write_str("the release gets a rule of its own; all traffic stays on the live colour")
            }
            Self::CreatesDeployment => {
                f.write_str("CodeDeploy is asked to install the release on the idle colour")
            }
            Self::WaitsForInstallation { waiting } => {
                write!(f, "the release is being installed: waiting for {waiting}")
            }
            Self::Installed => f.write_str("the release is installed and healthy on all instances"),
            Self::Raises { percent } => write!(f, "the candidate takes {percent} %: it is proven healthy"),
            Self::WaitsForTime { seconds } => {
                write!(f, "the candidate stays at its weight for another {seconds} s")
            }
            Self::Judged { judgement } => judgement.fmt(f),
            Self::CountsUnreadable { why } => write!(f, "CloudWatch's counts could not be read: {why}"),
            Self::WaitsForDrain { seconds } => write!(
                f,
                "nothing is installed for another {seconds} s: the idle colour answers late requests"
            ),
            Self::Frozen { until, why } => write!(f, "no release opens until {until}, or until thaw: {why}"),
            Self::Paused => f.write_str("the weight stays: an operator has paused the release"),
            Self::NotProven { waiting } => {
                write!(f, "the candidate gets no more traffic yet: waiting for {waiting}")
            }
            Self::WaitsForGate { before, since, until, so_far } => {
                write!(f, "the weight stays: waiting for the gate's yes before {before} since {since}")?;
                so_far.iter().try_for_each(|why| write!(f, ", so far {why}"))?;
                write!(f, "; without it the release goes back at {until}")
            }
            Self::Previews { until, stands: true } => {
                write!(f, "the candidate can be asked with the preview's header until {until}, and has no traffic before")
            }
            Self::Previews { until, stands: false } => {
                write!(f, "the weight stays: the rule of a preview until {until} is being made")
            }
            Self::NoPreview { why } => write!(f, "the release goes on without a preview, which has no rule: {why}"),
            Self::DeletesPreview { rule } => write!(f, "the preview's rule {rule} is deleted"),
            Self::Unknown { what } => {
                write!(f, "the weight stays, because this could not be read: {what}")
            }
            Self::UnhealthyWithinGrace { unhealthy: 1 } => {
                f.write_str("the weight stays: 1 instance is unhealthy on the candidate")
            }
            Self::UnhealthyWithinGrace { unhealthy } => {
                write!(f, "the weight stays: {unhealthy} instances are unhealthy on the candidate")
            }
            Self::AlarmsMissing { alarms } => {
                write!(f, "the weight stays: there is no alarm {}", alarms.join(", "))
            }
            Self::AlarmsWithoutData { alarms } => {
                write!(f, "the weight stays: no data yet for alarm {}", alarms.join(", "))
            }
            Self::FixForward { alarms } => {
                write!(f, "alarm {} fires on the live colour: the release may mend it", alarms.join(", "))
            }
            Self::FireOnBoth { alarms } => write!(
                f,
                "the weight stays: alarms fire on both colours, and the counts blame neither: {}",
                alarms.join(", ")
            ),
            Self::NotCounted { seconds } => {
                write!(f, "the counts judge no step that is over within {seconds} s of the first raise")
            }
            Self::LowersDrift { weights } => {
                write!(f, "the release's rule says {weights}, more than the candidate may have: it is lowered")
            }
            Self::Promotes => f.write_str("the release has proven itself: its hooks may tell CodeDeploy so"),
            Self::WaitsForCodeDeploy => {
                f.write_str("waiting for CodeDeploy to call the deployment a success")
            }
            Self::MovesBaseRule => f.write_str("the base rule moves to the candidate"),
            Self::DeletesReleaseRule => {
                f.write_str("the base rule is on the candidate: the release's own rule goes")
            }
            Self::WentLive => f.write_str("the release is live"),
            Self::Returns { cause } => write!(f, "the release is taken back: {cause}"),
            Self::WaitsForReturn { waiting } => write!(f, "on the way back: waiting for {waiting}"),
            Self::Closed { cause } => write!(f, "the release has ended: {cause}"),
            Self::TriesAgain { attempt } => write!(
                f,
                "the release is tried once more, attempt {attempt}: the bundle is not to blame"
            ),
            Self::Drills { number, colour } => write!(
                f,
                "a drill begins: release {number}, which is live, is installed on {colour} as well, without traffic"
            ),
            Self::DrillNotHeld { why } => write!(f, "no drill is held: {why}"),
            Self::AlarmSet { alarm, at } => {
                write!(f, "the drill has set alarm {alarm} at {at}: waiting for it to be obeyed")
            }
            Self::DrillEnded { says } | Self::ReinstallEnded { says } => f.write_str(says),
            Self::Reinstalls { number, colour } => write!(
                f,
                "release {number}, which the drill has replaced, is installed again on {colour}, without traffic"
            ),
            Self::WaitsToReinstall { why } => {
                write!(f, "what the drill has replaced is not installed again yet: {why}")
            }
            Self::Settles => f.write_str(
                "the live release is installed on the idle colour as well, so that new instances boot with it",
            ),
            Self::Settled => f.write_str("new instances boot with what carries the traffic"),
            Self::VerdictUntold { number, why } => {
                write!(f, "the upload of release {number} can carry no verdict: {why}")
            }
            Self::NotSettled { detail } => {
                write!(f, "new instances would not boot with what carries the traffic: {detail}")
            }
        }
    }
}
