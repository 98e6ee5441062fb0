//! Wires settings, AWS clients and the handler.

use greenlight::lambda;
use waf_logs::aws::Aws;
use waf_logs::handler::{Function, handle};
use waf_logs::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let settings = lambda::settings(Settings::read).await?;
    let aws = Aws::new(&settings, &lambda::sdk_config().await?);
    let function = Function::new(&aws, &settings);
    // Boxed, because the compiler gives up on the layout of a future that holds so many calls of AWS.
    lambda::run(|payload| async { Box::pin(handle(&function, payload?)).await }).await
}
