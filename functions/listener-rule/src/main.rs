//! Wires AWS clients and the handler. The function has no settings: the request says everything.

use greenlight::lambda::{self, Presigned};
use listener_rule::aws::Aws;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let aws = Aws::new(&lambda::sdk_config().await?, Presigned::new().await?);
    lambda::run(|payload| async { Box::pin(listener_rule::handler::handle(&aws, payload?)).await }).await
}
