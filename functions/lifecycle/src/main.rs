//! Wires settings, AWS clients and the handler.

use greenlight::aws::Aws;
use greenlight::lambda::{self, SystemClock};
use greenlight::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let settings = lambda::settings(Settings::read).await?;
    let aws = Aws::new(settings.clone(), &lambda::sdk_config().await?);
    let handle = |payload| lifecycle::handler::handle(&aws, &settings, &SystemClock, payload);
    lambda::run(|payload| async { Box::pin(handle(payload?)).await }).await
}
