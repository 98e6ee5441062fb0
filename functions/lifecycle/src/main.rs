//! Wires settings, AWS clients and the handler.

use greenlight::aws::Aws;
use greenlight::lambda::{self, SystemClock};
use greenlight::settings::Settings;
use lifecycle::alias::Alias;
use lifecycle::aws::Functions;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let settings = lambda::settings(Settings::read).await?;
    let config = lambda::sdk_config().await?;
    let (aws, gates) = (Aws::new(settings.clone(), &config), Functions::new(&config));
    let handle =
        &|alias, payload| lifecycle::handler::handle(&aws, &gates, &settings, &SystemClock, alias, payload);
    lambda::run_by_arn(|payload, arn| {
        let alias = Alias::of(&arn);
        async move { Box::pin(handle(alias, payload?)).await }
    })
    .await
}
