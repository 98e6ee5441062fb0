//! Tells Lambda why a function does not start, so that its caller hears it and not only that the process ended.
//!
//! Lambda developer guide, "Using the Lambda runtime API", initialization error.

use crate::failure::chain;
use crate::settings::Strings;
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{BoxError, PooledClient, build_request};
use serde_json::json;
use std::error::Error;

/// The Runtime API's address. Outside Lambda, and the emulators that play it, it is not set.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Tells Lambda. If Lambda cannot be told, the log says so: the function ends either way.
pub(super) async fn tell(environment: &impl Strings, error: &(dyn Error + 'static)) {
    let Some(address) = environment.get(RUNTIME_API) else { return };
    if let Err(untold) = post(&address, &chain(error)).await {
        tracing::error!(error = %untold, "Lambda could not be told why the function does not start");
    }
}

async fn post(address: &str, message: &str) -> Result<(), BoxError> {
    let client = PooledClient::builder().with_endpoint(address.parse()?).build();
    let body = json!({ "errorType": "permanent", "errorMessage": message, "stackTrace": [] });
    let request = build_request()
        .method("POST")
        .uri("/2018-06-01/runtime/init/error")
        .header("Lambda-Runtime-Function-Error-Type", "Runtime.ConfigInvalid")
        .body(Body::from(body.to_string()))?;
    client.call(request).await?;
    Ok(())
}
