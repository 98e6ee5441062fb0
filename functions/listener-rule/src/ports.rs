//! What the function needs of the world.

use base_rule::{Change, Owner, Rule, Tags, Wanted};
use greenlight::failure::Failure;
use release::{Colour, RuleArn, ServiceName};
use std::collections::BTreeMap;

/// A listener and its rules.
pub trait Listener: Sync {
    /// Every rule but the default one, without its tags; none where the listener is gone.
    fn rules(&self, listener: &str) -> impl Future<Output = Result<Vec<Rule>, Failure>> + Send;

    /// The tags of rules. A rule that is gone has none.
    fn tags(
        &self,
        rules: &[RuleArn],
    ) -> impl Future<Output = Result<BTreeMap<RuleArn, Tags>, Failure>> + Send;

    /// Carries a change out. Deleting what is gone is no failure.
    fn carry_out(
        &self,
        change: &Change,
        owner: &Owner,
        wanted: Option<&Wanted>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// What is remembered of a service.
pub trait LiveColour: Sync {
    /// The live colour by the ledger; none where no release has succeeded yet.
    fn live_colour(
        &self,
        bucket: &str,
        service: &ServiceName,
    ) -> impl Future<Output = Result<Option<Colour>, Failure>> + Send;
}

/// Where CloudFormation waits.
pub trait Answers: Sync {
    /// Puts an answer to the URL that the request named.
    fn put(&self, url: &str, answer: String) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// All of it.
pub trait Ports: Listener + LiveColour + Answers {}

impl<T: Listener + LiveColour + Answers> Ports for T {}
