//! One ledger, for who only reads it.

use super::{key, name};
use crate::aws::classify::{failure, incomplete};
use crate::failure::{Class, Failure};
use crate::ports::{LedgerVersion, PortResult};
use aws_sdk_s3::operation::get_object::GetObjectError;
use release::{Ledger, ServiceName};

/// A service's ledger, if it has one. Without `s3:ListBucket` on the state bucket S3 says 403 for a ledger that does
/// not exist yet (S3 API reference, `GetObject`, permissions).
///
/// # Errors
/// When S3 does not answer with it, or it is no ledger of this version.
pub async fn read(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    service: &ServiceName,
) -> PortResult<Option<(Ledger, LedgerVersion)>> {
    let attempt = format!("reading {}", name(bucket, service));
    let output = match s3.get_object().bucket(bucket).key(key(service)).send().await {
        Ok(output) => output,
        Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => {
            return Ok(None);
        }
        Err(error) => return Err(failure(attempt, error)),
    };
    let version = output.e_tag.ok_or_else(|| incomplete(&attempt, "an ETag"))?;
    let bytes = output.body.collect().await.map_err(|error| {
        Failure::new(Class::Transient, format!("{attempt} broke off, the next pass tries again"))
            .caused_by(error)
    })?;
    let ledger =
        Ledger::from_json(&bytes.into_bytes()).map_err(|error| Failure::of_ledger(&attempt, error))?;
    Ok(Some((ledger, LedgerVersion(version))))
}
