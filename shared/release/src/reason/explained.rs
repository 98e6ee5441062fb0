//! What each word of a decision record means to somebody on call, and what to do.

/// A word of the log, explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// As it stands in `reasons`, or as the `cause` of a way back.
    pub word: &'static str,
    /// What has happened.
    pub means: &'static str,
    /// What an operator does about it.
    pub todo: &'static str,
}

const NOTHING: &str = "Nothing.";

const fn word(word: &'static str, means: &'static str, todo: &'static str) -> Explained {
    Explained { word, means, todo }
}

/// The words of `reasons`, in the order of a release's way.
pub const REASONS: &[Explained] = &[
    word("nothing_to_do", "No release is open and none waits.", NOTHING),
    word("opens", "A release opens. The live colour keeps all traffic.", NOTHING),
    word(
        "too_long",
        "Installation, strategy and bake could take longer than CodeDeploy gives a hook. The release is refused.",
        "Take a shorter strategy or bake, then upload the bundle again.",
    ),
    word(
        "wrong_settings",
        "A variable of the functions is wrong. No release opens; what is open goes on, or back, and a rollback works.",
        "The functions' log names the variable. Deploy the stack with a right value; the release then opens by itself.",
    ),
    word(
        "waits_for_drain",
        "The idle colour still answers late requests. Nothing is installed on it before its drain is over.",
        NOTHING,
    ),
    word(
        "creates_rule",
        "The release gets a rule of its own, which gives all traffic to the live colour.",
        NOTHING,
    ),
    word(
        "adopts_rule",
        "A pass before this one made the release's rule and could not write that down.",
        NOTHING,
    ),
    word("creates_deployment", "CodeDeploy is asked to install the bundle on the idle colour.", NOTHING),
    word("adopted", "A pass before this one opened the deployment and could not write that down.", NOTHING),
    word(
        "waits_for_installation",
        "The bundle is being installed. `waiting` names what is missing.",
        "Nothing until InstallDeadline; then see the stream `agent` of the instances' log.",
    ),
    word("installed", "Every instance has the candidate, and the load balancer finds it healthy.", NOTHING),
    word(
        "raises",
        "The candidate's share of the traffic grows: it was proven healthy in this pass.",
        NOTHING,
    ),
    word("waits_for_time", "The step or the bake is not over.", "Nothing; `promote` skips the rest."),
    word(
        "judged",
        "The requests of both colours were compared. The sentence says with which result.",
        NOTHING,
    ),
    word(
        "counts_unreadable",
        "CloudWatch's counts could not be read. They speak neither for the candidate nor against it.",
        "If it stays: the lifecycle function's log, for throttling or a missing `cloudwatch:GetMetricData`.",
    ),
    word(
        "frozen",
        "An operator lets no release open until a stated time. What was uploaded waits.",
        "`thaw` ends it early; rollbacks need none.",
    ),
    word(
        "paused",
        "An operator has paused the release.",
        "`resume`. A release that stays paused for too long ends without blame.",
    ),
    word(
        "not_proven",
        "A raise is due, and what is needed for it is missing. The weight stays.",
        "Look at what `waiting` names: an instance's health, an alarm, the capacity.",
    ),
    word(
        "waits_for_gate",
        "All else is proven, and the gate has not said yes yet. The weight stays.",
        "The gate's log; at `until` the release goes back.",
    ),
    word(
        "previews",
        "The candidate can be asked with the preview's header, and has no traffic before `until`.",
        "Look at it. `resume` goes on at once, `abort` gives it up.",
    ),
    word(
        "no_preview",
        "The load balancer gave the preview no rule, and the release goes on without one.",
        "Look at `why`: a rule that is not ours two before the base rule, too many rules, or a missing permission.",
    ),
    word(
        "deletes_preview",
        "A preview is over, or its rule was left over. The first weight waits until it is gone.",
        "Nothing. If it stays: the function's log, then delete the rule by hand.",
    ),
    word(
        "unknown",
        "AWS did not say what a decision needs. The weight stays, and goes back after UnknownLimit.",
        "The function's log: throttling, or a missing permission.",
    ),
    word(
        "unhealthy_within_grace",
        "Instances with traffic fail their health checks, not yet for UnhealthyGrace.",
        "Look at the candidate's stream of the instances' log.",
    ),
    word(
        "alarms_missing",
        "An alarm that the candidate is judged by does not exist. It counts as unknown, never as fine.",
        "Deploy the stack again, or take the alarm out of the service's list.",
    ),
    word(
        "alarms_without_data",
        "An alarm has no data yet. It counts as unknown, never as fine.",
        "If it stays: let the alarm treat missing data as not breaching.",
    ),
    word(
        "missing",
        "Something of the release is missing from AWS's answer. One answer may be incomplete, so the next look decides.",
        NOTHING,
    ),
    word(
        "fix_forward",
        "An alarm of the live colour fires. It does not stop the release, which may be what mends it.",
        "If the release is not meant to mend it: look at the live version, and `abort` if you must.",
    ),
    word(
        "fire_on_both",
        "The same alarms fire on both colours, and the counts blame neither. The weight stays, at most for UnknownLimit.",
        "Look at what both versions use, such as the database, and at the instances' memory.",
    ),
    word(
        "not_counted",
        "The step is no longer than the time after the first raise in which no request counts. Alarms alone have judged it.",
        "Take a longer step.",
    ),
    word(
        "lowers_drift",
        "The release's rule gives the candidate more than was decided. It is lowered.",
        "Find out who changed the rule by hand.",
    ),
    word("promotes", "Everything is proven. It is written down before a hook hears it.", NOTHING),
    word(
        "waits_for_code_deploy",
        "The hooks have heard it; CodeDeploy has not called the deployment a success yet.",
        "Nothing for some minutes; then see the deployment in CodeDeploy.",
    ),
    word("moves_base_rule", "The base rule gets all traffic on the new live colour.", NOTHING),
    word(
        "deletes_release_rule",
        "The base rule is read to be right, so the release's own rule goes.",
        NOTHING,
    ),
    word("went_live", "The release carries all traffic, and its verdict is told.", NOTHING),
    word(
        "returns",
        "All traffic goes back to the live colour. `cause` says why.",
        "`greenlight explain CAUSE`.",
    ),
    word(
        "waits_for_return",
        "The way back is under way: the rule is gone or being deleted, the deployment is being stopped.",
        "If it stays: what `waiting` names.",
    ),
    word(
        "closed",
        "The release has ended without going live. `cause` says why.",
        "`greenlight explain CAUSE`.",
    ),
    word("tries_again", "The bundle was not to blame. The same bundle gets one more attempt.", NOTHING),
    word(
        "settles",
        "CodeDeploy's last success is not what carries the traffic. The live bundle is installed once more, so that new instances boot with it.",
        NOTHING,
    ),
    word(
        "drills",
        "A drill begins: the live release is installed once more, on the idle colour, without traffic.",
        "Nothing; `abort` gives it up.",
    ),
    word(
        "drill_not_held",
        "A drill was asked for, and something spoke against it when it was to begin. `why` says what.",
        "Ask again when that is over.",
    ),
    word(
        "alarm_set",
        "The drill has set an alarm of the idle colour, and waits until it is obeyed.",
        "Nothing for a minute: then it fails and says why.",
    ),
    word(
        "drill_ended",
        "The drill is over. The sentence says how it went and how long the way back took.",
        "If it failed: what it says, then `drill` once more.",
    ),
    word(
        "reinstalls",
        "After a drill: the previous version, which it has replaced, is installed again and left running.",
        "Nothing; `abort` gives it up, and a rollback to it then takes an installation.",
    ),
    word(
        "waits_to_reinstall",
        "The drill is over, and the version that it has replaced is installed again when what `why` says is over.",
        "What it says. A release or a `rollback` does not wait for it.",
    ),
    word(
        "reinstall_ended",
        "The previous version is installed again, or could not be. The sentence says whether it stands by.",
        "If it does not stand by: nothing has to be done, but a rollback to it takes an installation.",
    ),
    word("settled", "New instances boot with what carries the traffic.", NOTHING),
    word(
        "not_settled",
        "That could not be done: new instances would boot with another version than the one that carries the traffic.",
        "Push a release. Until then start no instances.",
    ),
    word(
        "live_alarm",
        "An alarm of the live colour fires soon after its release. It is rolled back if the previous version can carry the traffic.",
        "Nothing at first. Then mend the bundle.",
    ),
    word(
        "live_minutes",
        "Many minutes were bad soon after a release, more than the service's own week explains. It is rolled back if the previous version can carry the traffic. Nobody knows whether the version is to blame, or what it uses.",
        "Nothing at first. See the application's log; `retry` if something else was to blame, else mend the bundle.",
    ),
    word(
        "may_be_the_instance",
        "That alarm, or those minutes, may have seen an instance die. Nothing is rolled back for it yet.",
        "Nothing; `rollback` if you know better.",
    ),
    word("rolls_back", "The previous release takes the traffic again.", NOTHING),
    word(
        "previous_not_running",
        "Too few instances still run the previous version. It is released again with AllAtOnce.",
        NOTHING,
    ),
    word(
        "base_rule_drifted",
        "The base rule does not give all traffic to the live colour. While that is so nothing opens.",
        "See who changed it. With Drift=repair it is set right when the live colour is proven healthy.",
    ),
    word(
        "waits_for_base_rule",
        "A release, a settling or a rollback waits until the base rule is seen on the live colour.",
        "What `todo` says.",
    ),
    word(
        "repairs_base_rule",
        "The base rule is set to the live colour again, which is proven healthy.",
        "See who changed it.",
    ),
    word(
        "adopts_rollback",
        "Somebody moved the traffic to the previous colour by hand. That counts as a rollback.",
        NOTHING,
    ),
    word(
        "strangers_rule",
        "A rule that is not ours stands at the priority before the base rule.",
        "Move it to another priority.",
    ),
    word(
        "stray_release_rule",
        "A release's rule stands though no release is open. It is deleted where that is safe.",
        "Nothing; if it stays, compare it with the base rule and delete it.",
    ),
    word(
        "scaling_suspended",
        "Processes of the Auto Scaling group are suspended though nothing is being deployed.",
        "Resume them. With Drift=repair Greenlight does.",
    ),
    word(
        "ailing",
        "An instance is unhealthy on the live colour.",
        "Nothing before HealAfter; see the instance's streams.",
    ),
    word("replaces", "The instance is handed to Auto Scaling, which replaces it.", NOTHING),
    word(
        "not_replaced",
        "An instance is due for replacement and stays for now. `waiting` says why.",
        "Nothing. When no other one is healthy it is replaced all the same after twice HealAfter.",
    ),
    word(
        "verdict_untold",
        "The uploaded object can carry no verdict, so a workflow that waits for it is not told.",
        "What `why` says: a version that is gone, too many tags, a missing permission.",
    ),
    word(
        "newer_ledger",
        "A newer Greenlight wrote the ledger, and this one cannot read it. Nothing is decided and nothing written.",
        "Deploy the newer version again, before CodeDeploy's hour for the hooks ends.",
    ),
];

/// The words of `cause`: why a release was taken back, or ended.
pub const CAUSES: &[Explained] = &[
    word(
        "alarm",
        "An alarm fired on the candidate.",
        "The alarm's metrics and the application's log. Mend the bundle, push again.",
    ),
    word(
        "worse",
        "The candidate fails more of its requests than the live version does.",
        "The candidate's stream of the instances' log. Mend the bundle, push again.",
    ),
    word(
        "past",
        "More minutes are bad on both colours than the service's own week explains.",
        "Nothing at first: one more attempt is made. Then mend what both colours use, and `retry`.",
    ),
    word(
        "unproven",
        "The time of the evidence step is over, and nothing is proven.",
        "`retry` when more requests come, or change AtMax.",
    ),
    word(
        "unhealthy",
        "Instances with the candidate failed their health checks for longer than UnhealthyGrace.",
        "The candidate's stream of the instances' log. Mend the bundle, push again.",
    ),
    word(
        "unknown_too_long",
        "AWS did not say what a decision needs for UnknownLimit.",
        "The lifecycle function's log: throttling, a missing permission. Then `retry`.",
    ),
    word(
        "fire_on_both",
        "The same alarms fired on both colours for too long, and the counts blame neither.",
        "Nothing at first: one more attempt is made. Then what both versions use, and whether the candidate leaves the live one memory and connections.",
    ),
    word(
        "target_failed",
        "A hook failed on an instance, and the reason holds the script's last words; or the candidate answered a path of `smoke.txt` otherwise than live.",
        "Mend the bundle, push again.",
    ),
    word(
        "deployment_ended",
        "CodeDeploy ended the deployment, or somebody stopped it.",
        "The deployment in CodeDeploy.",
    ),
    word(
        "refused",
        "CodeDeploy would not open the deployment, in its own words.",
        "What they say; then `retry`.",
    ),
    word(
        "install_deadline",
        "Not every instance was installed and healthy within InstallDeadline.",
        "The stream `agent` of the instances' log. Push again or `retry`.",
    ),
    word(
        "not_proven",
        "The next raise could not be proven safe for too long.",
        "Nothing: one more attempt is made. Look at what it waited for.",
    ),
    word(
        "instance_lost",
        "An instance went away, or serves neither version any more.",
        "Nothing: one more attempt is made when it is replaced.",
    ),
    word(
        "silent",
        "No hook has asked for SilenceLimit.",
        "The lifecycle function's log, and the instances. Then `retry`.",
    ),
    word(
        "no_rule",
        "The release's rule could not be created, in the load balancer's words. No traffic was moved.",
        "Mend what they say: too many rules, a missing permission, a rule in the way. Then `retry`.",
    ),
    word(
        "no_deployment",
        "CodeDeploy did not open the deployment in time, mostly because another one runs.",
        "`retry` when that one has ended.",
    ),
    word("no_instances", "The deployment group has no instances.", "Start one, then `retry`."),
    word(
        "paused",
        "It was paused for so long that the rest does not fit into CodeDeploy's hour.",
        "`resume`, then `retry`.",
    ),
    word(
        "joined",
        "Instances that joined during the release have no candidate, and the others are too few.",
        "Nothing: one more attempt is made.",
    ),
    word(
        "gate",
        "The gate said no, or did not say yes within GateDeadline.",
        "What it says, and its log; then `retry`. `Gate=none` goes without it.",
    ),
    word("drilled", "A drill: the alarm that it had set was obeyed.", NOTHING),
    word(
        "drill_failed",
        "The alarm of a drill could not be set, or nobody saw it fire.",
        "The lifecycle function's log, and the alarm's history in CloudWatch; then `drill` once more.",
    ),
    word("stands_by", "The previous version is installed again after a drill, and runs.", NOTHING),
    word(
        "does_not_stand_by",
        "The previous version was installed again after a drill, and was not seen to run on.",
        "The stream `agent` of the instances' log. A rollback to it takes an installation.",
    ),
    word(
        "aborted",
        "An operator gave it up.",
        "Mend the bundle and push again. `retry` only where the bundle was not to blame.",
    ),
    word("superseded", "A newer upload took its place before it had traffic.", NOTHING),
    word(
        "rule_deleted",
        "The release's rule was deleted by another hand, or by the alarm function without the ledger. That returned all traffic.",
        "The alarm function's log. Push again or `retry`.",
    ),
    word(
        "partial_success",
        "CodeDeploy called it a success though instances failed.",
        "The deployment's targets.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, ReturnCause};
    use serde::de::DeserializeOwned;
    use std::collections::BTreeSet;

    /// Words that only records of earlier versions have.
    const OLD_WORDS: [&str; 1] = ["waits_for_hold"];

    /// The words by which serde knows the variants of a type.
    fn words_of<T: DeserializeOwned + std::fmt::Debug>(tag: &str) -> BTreeSet<String> {
        let error = serde_json::from_value::<T>(serde_json::json!({ tag: "?" })).unwrap_err().to_string();
        let words = error.split('`').skip(3).step_by(2).filter(|word| !OLD_WORDS.contains(word));
        words.map(ToOwned::to_owned).collect()
    }

    fn explained(list: &[Explained]) -> BTreeSet<String> {
        list.iter().map(|explained| explained.word.to_owned()).collect()
    }

    #[test]
    fn every_word_is_explained_once() {
        assert_eq!(words_of::<Reason>("reason"), explained(REASONS));
        assert_eq!(words_of::<ReturnCause>("cause"), explained(CAUSES));
        assert_eq!((explained(REASONS).len(), explained(CAUSES).len()), (REASONS.len(), CAUSES.len()));
    }
}
