//! Looks, does one step, looks again; and answers.

use crate::answer::{Answer, Done};
use crate::configuration::{self, digest};
use crate::event::{self, Described, Request};
use crate::policy;
use crate::ports::Ports;
use base_rule::{Next, Owner, Refusal, Rule, Seen, Wanted, keep, listener_of, remove};
use futures::FutureExt;
use greenlight::failure::{Class, Excerpt, Failure, chain};
use release::{Colour, Reading, RuleArn};
use serde_json::Value;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::error::Elapsed;

/// The function's time-out in the template.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the work may take. What is left is for the answer, which is tried three times at three seconds each.
pub const WORK: Duration = Duration::from_secs(45);

/// The pause before what failed is tried again.
const PAUSE: Duration = Duration::from_secs(3);

/// How often a call may be refused. The first refusals may only say that the function's role is seconds old: IAM's changes
/// arrive late (IAM user guide, troubleshooting, "Changes that I make are not always immediately visible").
const REFUSALS: u32 = 13;

/// How often an answer is put.
const ANSWERS: u32 = 3;

/// Handles one invocation.
///
/// # Errors
/// A payload that does not say whom to answer, and an answer that could not be put.
pub async fn handle(ports: &impl Ports, payload: Value) -> Result<Value, Failure> {
    let request = event::read(payload)?;
    let work = tokio::time::timeout(WORK, work(ports, &request));
    let answer = match outcome(AssertUnwindSafe(work).catch_unwind().await) {
        Ok(done) => {
            tracing::info!(
                request_type = %Excerpt(&request.request_type),
                resource = %Excerpt(&request.logical_resource_id),
                ?done,
                "tells CloudFormation that it is done"
            );
            Answer::success(&request, done)
        }
        Err(failure) => {
            let why = chain(&failure);
            tracing::error!(
                failure_class = failure.class().word(),
                request_type = %Excerpt(&request.request_type),
                resource = %Excerpt(&request.logical_resource_id),
                error = why,
                "tells CloudFormation that it cannot be done"
            );
            Answer::failed(&request, why)
        }
    };
    let json = answer.to_json().map_err(|error| {
        Failure::new(Class::Bug, "the answer cannot be written as JSON: report this as a bug")
            .caused_by(error)
    })?;
    tell(ports, &request, json).await
}

/// What became of the work: done, failed, out of time, panicked.
fn outcome<T>(ended: std::thread::Result<Result<Result<T, Failure>, Elapsed>>) -> Result<T, Failure> {
    match ended {
        Ok(Ok(worked)) => worked,
        Ok(Err(_)) => {
            let message = format!(
                "it took more than {} s: see the function's log for what AWS answered, and deploy again, which goes on from here",
                WORK.as_secs()
            );
            Err(Failure::new(Class::OutcomeUnknown, message))
        }
        Err(_) => Err(Failure::panicked("the base rule's function")),
    }
}

/// Puts the answer. The URL stays out of the log.
async fn tell(ports: &impl Ports, request: &Request, json: String) -> Result<Value, Failure> {
    let mut tries = 1;
    loop {
        let Err(failure) = ports.put(&request.response_url.0, json.clone()).await else {
            return Ok(Value::Null);
        };
        if tries == ANSWERS {
            let message = "CloudFormation could not be answered, and Lambda repeats the request";
            return Err(Failure::new(failure.class(), message).caused_by(failure));
        }
        tries += 1;
    }
}

/// Does what is asked.
async fn work(ports: &impl Ports, request: &Request) -> Result<Done, Failure> {
    if request.resource_type == configuration::KIND {
        return Ok(Done::Digest(digest(&request.resource_properties)));
    }
    let asked = match request.request_type.as_str() {
        "Create" | "Update" => {
            let described = request.described()?;
            if let Some(faults) = policy::faults(&described.policy) {
                return Err(Failure::new(Class::Permanent, faults));
            }
            Asked::Keep { described, before: request.before() }
        }
        // What cannot be read now could not be read when the rule was to be made.
        "Delete" => Asked::Remove { wanted: request.described().ok().map(|described| described.wanted) },
        other => {
            let message =
                format!("CloudFormation asks for {:?}, which this version does not know", Excerpt(other));
            return Err(Failure::new(Class::Permanent, message));
        }
    };
    let rule = request.rule();
    Task { ports, owner: request.owner(), rule, asked }.until_done().await.map(Done::Rule)
}

enum Asked {
    Keep { described: Described, before: Option<Wanted> },
    Remove { wanted: Option<Wanted> },
}

struct Task<'a, P> {
    ports: &'a P,
    owner: Owner,
    /// The base rule that the stack knows.
    rule: Option<RuleArn>,
    asked: Asked,
}

impl<P: Ports> Task<'_, P> {
    fn wanted(&self) -> Option<&Wanted> {
        match &self.asked {
            Asked::Keep { described, .. } => Some(&described.wanted),
            Asked::Remove { wanted } => wanted.as_ref(),
        }
    }

    /// Where to look. A rule that is to be removed may stand on another listener than the template names by now.
    fn listener(&self) -> Option<String> {
        let known = match self.asked {
            Asked::Keep { .. } => None,
            Asked::Remove { .. } => self.rule.as_ref().and_then(|rule| listener_of(&rule.0)),
        };
        known.or_else(|| Some(self.wanted()?.listener.clone()))
    }

    async fn until_done(&self) -> Result<Option<RuleArn>, Failure> {
        let mut refusals = 0;
        loop {
            let failure = match self.steps().await {
                Ok(done) => {
                    return done.map_err(|refusal| Failure::new(Class::Permanent, refusal.to_string()));
                }
                Err(failure) => failure,
            };
            refusals += u32::from(failure.class() == Class::Permanent);
            if refusals == REFUSALS {
                return Err(failure);
            }
            wait_after(&failure).await;
        }
    }

    /// One step after the other, as long as no call fails.
    async fn steps(&self) -> Result<Result<Option<RuleArn>, Refusal>, Failure> {
        let mut live = Reading::NotRead;
        loop {
            let seen = Seen { rules: self.look().await?, live: live.clone() };
            match self.next(&seen) {
                Next::Done(rule) => return Ok(Ok(rule)),
                Next::Refused(refusal) => return Ok(Err(refusal)),
                Next::ReadLedger => live = self.live_colour().await,
                Next::Change(change) => {
                    tracing::info!(?change, resource = %Excerpt(&self.owner.resource), "changes the listener's rules");
                    self.ports.carry_out(&change, &self.owner, self.wanted()).await?;
                }
            }
        }
    }

    fn next(&self, seen: &Seen) -> Next {
        let (owner, rule) = (&self.owner, self.rule.as_ref());
        match &self.asked {
            Asked::Keep { described, before } => keep(owner, &described.wanted, before.as_ref(), rule, seen),
            Asked::Remove { wanted } => remove(owner, wanted.as_ref(), rule, seen),
        }
    }

    async fn look(&self) -> Result<Vec<Rule>, Failure> {
        let Some(listener) = self.listener() else { return Ok(Vec::new()) };
        let mut rules = self.ports.rules(&listener).await?;
        let concerns = |rule: &&Rule| {
            Some(&rule.arn) == self.rule.as_ref() || self.wanted().is_some_and(|wanted| wanted.concerns(rule))
        };
        let ours: Vec<RuleArn> = rules.iter().filter(concerns).map(|rule| rule.arn.clone()).collect();
        let mut tags = self.ports.tags(&ours).await?;
        for rule in &mut rules {
            rule.tags = tags.remove(&rule.arn).unwrap_or_default();
        }
        Ok(rules)
    }

    async fn live_colour(&self) -> Reading<Option<Colour>> {
        let Asked::Keep { described, .. } = &self.asked else { return Reading::NotRead };
        let mut tries = 1;
        loop {
            match self.ports.live_colour(&described.state_bucket, &described.wanted.service).await {
                Ok(live) => return Reading::Known(live),
                Err(failure) if tries == REFUSALS => return Reading::Unknown(chain(&failure)),
                Err(failure) => wait_after(&failure).await,
            }
            tries += 1;
        }
    }
}

async fn wait_after(failure: &Failure) {
    let class = failure.class().word();
    tracing::warn!(failure_class = class, error = chain(failure), "a call failed and is repeated");
    tokio::time::sleep(PAUSE).await;
}
