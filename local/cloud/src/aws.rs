//! The account that the local cloud pretends to be, and clients for it.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

/// The region of everything.
pub const REGION: &str = "eu-west-1";

/// The account of everything.
pub(crate) const ACCOUNT: &str = "123456789012";

/// The local cloud's own access key id.
pub(crate) const OWN_KEY: &str = "AKIALOCALCLOUD000000";

/// The access key id of the service that delivers logs.
pub(crate) const LOG_DELIVERY_KEY: &str = "AKIALOGDELIVERY00000";

/// For SDK clients that talk to `endpoint` with the given access key id.
pub(crate) fn config(endpoint: &str, key_id: &str) -> SdkConfig {
    let credentials = Credentials::new(key_id, "local", None, None, "local");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// An `Authorization` header that names a service. The emulator looks at the scope, not at the signature.
pub(crate) fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={OWN_KEY}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=local"
    )
}
