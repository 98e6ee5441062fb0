//! `local up`: a local cloud to use by hand.

use crate::command::interrupted;
use crate::containers;
use crate::display::Display;
use crate::product::Product;
use anyhow::Result;
use cloud::{Cloud, Options, Places, REGION};
use std::path::Path;

/// Starts a local cloud and keeps it running until it is interrupted.
///
/// # Errors
/// When it cannot be started.
pub async fn run(places: Places, options: &Options) -> Result<bool> {
    let display = Display::new();
    display.line("starting: emulator, stack, functions, instances, load balancer");
    let cloud = tokio::select! {
        cloud = Cloud::start(places, options) => cloud?,
        stopped = interrupted() => return stopped.map(|()| true),
    };
    display.line("running; Ctrl-C ends it");
    let containers = containers::open(&cloud).await?;
    let environment = containers.as_ref().map(|(file, _)| file.as_path());
    for line in instructions(&cloud, options, environment)? {
        display.print(&line);
    }
    match containers {
        Some((_, relay)) => tokio::select! {
            stopped = interrupted() => stopped?,
            broken = relay.run() => broken?,
        },
        None => interrupted().await?,
    }
    display.line("stopping");
    cloud.stop().await;
    display.finish();
    Ok(true)
}

/// How to use a local cloud that runs. `environment` is what containers are told, where there are any.
fn instructions(cloud: &Cloud, options: &Options, environment: Option<&Path>) -> Result<Vec<String>> {
    let product = Product::of(&cloud.stack)?;
    let (endpoint, visitors) = (&cloud.endpoint, cloud.traffic.address());
    let (artifacts, state) = (&product.artifacts, &product.state);
    let mut lines = vec![
        format!(
            "\n  export AWS_ENDPOINT_URL={endpoint} AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION} AWS_ACCESS_KEY_ID=me AWS_SECRET_ACCESS_KEY=local"
        ),
        format!("  export GREENLIGHT_ARTIFACTS={artifacts}"),
        "  upload   greenlight release upload bundle.zip --service SERVICE".to_owned(),
        format!(
            "  verdict  aws s3api get-object-tagging --bucket {artifacts} --key releases/SERVICE/1-0000001.zip"
        ),
        format!("  ledger   aws s3 cp s3://{state}/ledger/SERVICE.json -"),
    ];
    for service in &product.services {
        let host = product.host_of(service, &cloud.traffic.history())?;
        lines.push(format!("  visit    curl -i -H 'Host: {host}' http://{visitors}/   # {service}"));
    }
    if let Some(function) = cloud.stack.waf_logs().map(|function| &function.name) {
        let interval = options.waf_log_interval.as_secs();
        lines.extend([
            format!(
                "  attack   curl -i --interface 127.198.100.7 http://{visitors}/.env   # comes from 198.51.100.7"
            ),
            format!(
                "  blocked  aws lambda invoke --function-name {function} --payload '{{\"command\":\"blocked\"}}' /dev/stdout"
            ),
            format!("  waf log  every {interval} s here, every 300 s on AWS; --waf-log-interval changes it"),
        ]);
    }
    lines.extend(environment.map(|file| {
        format!(
            "  sam      sam local invoke UploadFunction --event events/upload/s3-put.json --env-vars {}",
            file.display()
        )
    }));
    lines.extend([
        format!("  logs     {}", cloud.places.state.join("logs").display()),
        format!("  control  {endpoint}/_local/faults and more, see local/cloud/src/gateway/control.rs\n"),
    ]);
    Ok(lines)
}
