//! Wires settings, AWS clients and the handler.

use bundle::Limits;
use greenlight::aws::Aws;
use greenlight::lambda::{self, SystemClock};
use greenlight::settings::Settings;
use upload::aws::S3Bundles;
use upload::handler::{Surroundings, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let settings = lambda::settings(Settings::read).await?;
    let config = lambda::sdk_config().await?;
    let with = Surroundings {
        ports: &Aws::new(settings.clone(), &config),
        bundles: &S3Bundles::new(aws_sdk_s3::Client::new(&config)),
        clock: &SystemClock,
        settings: &settings,
        limits: &Limits::default(),
    };
    // Boxed, because the compiler gives up on the layout of a future that holds so many calls of AWS.
    lambda::run(|payload| async { Box::pin(handle(&with, payload?)).await }).await
}
