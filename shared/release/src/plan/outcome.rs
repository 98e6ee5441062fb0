//! What an action brought about that must be remembered.

use super::{Action, telling::is_about};
use crate::{DeploymentId, Ledger, RuleArn};

/// Bytes of a refusal that are remembered for the operator.
const LONGEST: usize = 256;

/// The answer to an action, where the ledger has a place for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The release's rule exists.
    RuleCreated(RuleArn),
    /// The deployment exists.
    DeploymentCreated(DeploymentId),
    /// CodeDeploy refuses this deployment and always will, in its words.
    DeploymentRefused(String),
    /// The load balancer refuses to create this rule, in its words.
    RuleRefused(String),
    /// CloudWatch refuses to set this alarm and always will, in its words.
    AlarmRefused(String),
    /// Something stands where the preview's rule has to be, in the load balancer's words.
    PreviewInTheWay(String),
    /// The preview's rule is gone.
    PreviewDeleted,
    /// S3 refuses the tags and always will, in its words.
    VerdictRefused(String),
    /// Done; nothing to remember but that.
    Done,
}

/// What it means that AWS refuses an action and would refuse it again, in its words. `None`: it is a failure like any
/// other.
pub fn refusal(action: &Action, detail: &str) -> Option<Outcome> {
    match action {
        Action::CreateDeployment { .. } => Some(Outcome::DeploymentRefused(detail.to_owned())),
        Action::CreateReleaseRule { .. } | Action::CreatePreviewRule { .. } => {
            Some(Outcome::RuleRefused(detail.to_owned()))
        }
        Action::SetAlarm { .. } => Some(Outcome::AlarmRefused(detail.to_owned())),
        Action::TellVerdict { .. } => Some(Outcome::VerdictRefused(detail.to_owned())),
        _ => None,
    }
}

/// What is remembered of a conflict, in AWS's words, beside that it is looked at again. `None`: nothing.
pub fn conflict(action: &Action, detail: &str) -> Option<Outcome> {
    matches!(action, Action::CreatePreviewRule { .. }).then(|| Outcome::PreviewInTheWay(detail.to_owned()))
}

/// Writes an outcome into the ledger that was committed before the action. `None`: nothing changes.
pub fn note(ledger: &Ledger, action: &Action, outcome: Outcome) -> Option<Ledger> {
    let mut next = ledger.clone();
    match (action, outcome) {
        (Action::TellVerdict { revision, verdict }, outcome) => {
            // Only what was told is told: the release may have ended anew.
            let last = next.releases.iter_mut().rfind(|past| is_about(past, revision))?;
            match outcome {
                _ if last.verdict != *verdict => return None,
                Outcome::VerdictRefused(mut detail) => {
                    detail.truncate(detail.floor_char_boundary(LONGEST));
                    last.untold_for = Some(detail);
                }
                _ => last.told = true,
            }
        }
        (Action::CreatePreviewRule { .. }, outcome) => {
            let preview = next.open.as_mut()?.preview.as_mut()?;
            match outcome {
                Outcome::RuleCreated(arn) => (preview.rule, preview.in_the_way) = (Some(arn), None),
                Outcome::PreviewInTheWay(mut detail) => {
                    detail.truncate(detail.floor_char_boundary(LONGEST));
                    preview.in_the_way = Some(detail);
                }
                Outcome::RuleRefused(mut detail) => {
                    detail.truncate(detail.floor_char_boundary(LONGEST));
                    preview.refused = Some(detail);
                }
                _ => return None,
            }
        }
        (Action::DeletePreviewRule { rule }, Outcome::PreviewDeleted) => {
            next.open.as_mut()?.preview.as_mut()?.rule.take_if(|known| known == rule)?;
        }
        (
            _,
            Outcome::Done
            | Outcome::VerdictRefused(_)
            | Outcome::PreviewInTheWay(_)
            | Outcome::PreviewDeleted,
        ) => return None,
        (_, Outcome::RuleCreated(arn)) => next.open.as_mut()?.rule = Some(arn),
        (_, Outcome::DeploymentCreated(id)) => next.open.as_mut()?.deployment = Some(id),
        (_, Outcome::RuleRefused(detail)) => next.open.as_mut()?.rule_refused = Some(detail),
        (_, Outcome::DeploymentRefused(detail) | Outcome::AlarmRefused(detail)) => {
            next.open.as_mut()?.refused = Some(detail);
        }
    }
    (next != *ledger).then_some(next)
}
