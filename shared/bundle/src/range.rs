//! The port through which a bundle is read.

use bytes::Bytes;
use std::future::Future;
use std::ops::Range;

/// One version of an object, readable by ranges.
pub trait RangedRead: Sync {
    /// Why a read failed.
    type Error: Send;

    /// The object's length in bytes.
    fn size(&self) -> u64;

    /// Exactly the bytes of `range`, which lies within [`RangedRead::size`] and is not empty.
    ///
    /// # Errors
    /// When the object is gone, has changed, or could not be read; never a short answer.
    fn read(&self, range: Range<u64>) -> impl Future<Output = Result<Bytes, Self::Error>> + Send;
}
