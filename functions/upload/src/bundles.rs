//! The port through which uploaded bundles are looked at.

use bundle::RangedRead;
use greenlight::failure::Failure;
use release::{Revision, VerdictWord};
use std::future::Future;

/// Why an object version cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// It was deleted since.
    #[error("{0} is gone: upload it again if it is still wanted")]
    Gone(Revision),
    /// Its bytes are not those that were announced.
    #[error("{0} is not what was announced, its ETag is another one: upload the bundle again")]
    Changed(Revision),
    /// S3 did not answer as it should.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// The tags of an object that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectTags {
    /// Whether an older bundle is to go live.
    pub allow_downgrade: bool,
    /// The verdict that was written before, so that this is a repeat, and its reason.
    pub told: Option<(VerdictWord, String)>,
}

/// The bundles in the artifact bucket. Each is pinned to one version and its `ETag`.
pub trait Bundles: Sync {
    /// One of them, readable by ranges.
    type Bundle: RangedRead<Error = ReadFailure> + Send;

    /// This one; nothing is read yet.
    fn bundle(&self, revision: &Revision) -> Self::Bundle;

    /// The tags of this version that matter here.
    fn tags(&self, revision: &Revision) -> impl Future<Output = Result<ObjectTags, ReadFailure>> + Send;
}
