//! The port through which a bundle is read.

use bytes::Bytes;
use std::future::Future;
use std::ops::Range;

/// The last bytes of an object, and how long it is.
#[derive(Debug, Clone)]
pub struct Tail {
    /// As many bytes as were asked for, or all of a shorter object.
    pub bytes: Bytes,
    /// The object's length in bytes.
    pub size: u64,
}

/// One version of an object, readable by ranges.
pub trait RangedRead: Sync {
    /// Why a read failed.
    type Error: Send;

    /// The last `most` bytes, at least one. S3 says with them how long the object is, so nobody has to ask.
    ///
    /// # Errors
    /// When the object is gone, has changed, or could not be read.
    fn tail(&self, most: u64) -> impl Future<Output = Result<Tail, Self::Error>> + Send;

    /// Exactly the bytes of `range`, which lies within the object and is not empty.
    ///
    /// # Errors
    /// When the object is gone, has changed, or could not be read; never a short answer.
    fn read(&self, range: Range<u64>) -> impl Future<Output = Result<Bytes, Self::Error>> + Send;

    /// The bytes of each range, in their order. Whoever can read several at the same time does it here.
    ///
    /// # Errors
    /// As [`RangedRead::read`].
    fn read_all(
        &self,
        ranges: &[Range<u64>],
    ) -> impl Future<Output = Result<Vec<Bytes>, Self::Error>> + Send {
        async move {
            let mut all = Vec::with_capacity(ranges.len());
            for range in ranges {
                all.push(self.read(range.clone()).await?);
            }
            Ok(all)
        }
    }
}
