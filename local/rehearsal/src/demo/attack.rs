//! The story's attackers: a scanner, one that tries passwords, and one with a new IPv6 address for every request.

use crate::display::Display;
use crate::product::Product;
use crate::tally::attack::{Attack, cut_off, of};
use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use bytes::Bytes;
use cloud::{Cloud, Options};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;
use visitors::{Attacker, Attempt};

/// The thresholds, as an operator changes them.
const CONFIGURATION: &str = include_str!("waf.yaml");

/// Where `waf-logs` looks for them in the state bucket.
const CONFIGURATION_KEY: &str = "waf/configuration.yaml";

/// Between two looks at how far the attackers get.
const LOOK: Duration = Duration::from_millis(200);

/// Longer than it takes to cut somebody off: the load balancer's log comes every half minute.
const LIMIT: Duration = Duration::from_secs(120);

/// So long they go on, to show that nothing gets through any more.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// What happened, once it has.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) attackers: Vec<Attacker>,
    pub(super) attempts: Vec<Attempt>,
    /// What the office did meanwhile, and before.
    pub(super) office: Vec<Attempt>,
    /// What `waf-logs` says of each network that it blocks.
    blocked: Vec<(ipnet::IpNet, String)>,
}

impl Told {
    /// Adds why each of them is blocked.
    pub(super) fn explain(&self, attack: &mut Attack) {
        for offender in &mut attack.offenders {
            let Ok(address) = offender.address.parse::<IpAddr>() else { continue };
            let found = self.blocked.iter().find(|(network, _)| network.contains(&address));
            offender.why = found.map(|(_, why)| why.clone());
        }
    }
}

/// Sets the demo's thresholds before anything is logged.
///
/// # Errors
/// When the state bucket does not take them.
pub(super) async fn configure(cloud: &Cloud, product: &Product) -> Result<()> {
    let put = Client::new(&cloud.aws).put_object().bucket(&product.state).key(CONFIGURATION_KEY);
    put.body(Bytes::from_static(CONFIGURATION.as_bytes()).into())
        .send()
        .await
        .with_context(|| format!("cannot upload {CONFIGURATION_KEY}"))?;
    Ok(())
}

/// Three hundred people behind one address, who log in all the while.
///
/// # Errors
/// When the host cannot be asked for.
pub(super) fn office(cloud: &Cloud, host: &str) -> Result<visitors::Attack> {
    let office = Attacker::office(IpAddr::from([203, 0, 113, 251]), 5);
    visitors::Attack::start(cloud.traffic.address(), host, &[office]).context("a host name is no header")
}

/// Lets the attackers loose until all are cut off, or the time is up.
///
/// # Errors
/// When the host cannot be asked for, or `waf-logs` does not say whom it blocks.
pub(super) async fn run(cloud: &Cloud, host: &str, options: &Options, display: &Display) -> Result<Told> {
    display.chapter("Three attackers at once, while everybody else goes on");
    display.line(&format!(
        "the web ACL's log comes every {} s, the load balancer's every {} s, and they are judged every {} s; on AWS every \
         300 s, 300 s and 60 s, so minutes pass there",
        options.waf_log_interval.as_secs(),
        300 / options.speed.max(1),
        60 / options.speed.max(1),
    ));
    let attackers = vec![
        Attacker::scanner(IpAddr::from([198, 51, 100, 7]), 5),
        Attacker::brute_force(IpAddr::from([198, 51, 100, 99]), 5),
        Attacker::rotating(60),
    ];
    let attack = visitors::Attack::start(cloud.traffic.address(), host, &attackers)
        .context("a host name is no header")?;
    display.line("the first bad requests are on their way");
    display.waiting("the attackers to be cut off", LIMIT);
    let mut told = vec![false; attackers.len()];
    let all_cut_off = async {
        while told.contains(&false) {
            tokio::time::sleep(LOOK).await;
            let attempts = attack.attempts();
            for ((number, attacker), told) in attackers.iter().enumerate().zip(&mut told) {
                let own = of(&attempts, number);
                if let (false, Some(end)) = (*told, cut_off(&own)) {
                    *told = true;
                    let through = own.iter().filter(|attempt| attempt.got_through).count();
                    display.line(&format!(
                        "{}: cut off after {:.1} s; {through} requests had got through",
                        attacker.name,
                        end.as_secs_f64(),
                    ));
                }
            }
        }
    };
    let in_time = tokio::time::timeout(LIMIT, all_cut_off).await;
    tokio::time::sleep(AFTERWARDS).await;
    let attempts = attack.stop().await;
    display.waited();
    if in_time.is_err() {
        let logs = cloud.places.state.join("logs");
        display.line(&format!(
            "not everybody was cut off within {} s; see the log of waf-logs in {}",
            LIMIT.as_secs(),
            logs.display()
        ));
    }
    let blocked = blocked(cloud).await?;
    for (_, why) in &blocked {
        display.line(&format!("blocked: {why}"));
    }
    Ok(Told { attackers, attempts, office: Vec::new(), blocked })
}

/// Whom `waf-logs` blocks and why, asked as an operator asks.
async fn blocked(cloud: &Cloud) -> Result<Vec<(ipnet::IpNet, String)>> {
    let function =
        cloud.stack.waf_logs().context("no function has GREENLIGHT_WAF_RULE in its environment")?;
    let question = Bytes::from(json!({ "command": "blocked" }).to_string());
    let answer = cloud.functions.invoke(&function.name, question).await?;
    let answer: Value = serde_json::from_slice(&answer.payload)
        .with_context(|| format!("{} did not say whom it blocks", function.name))?;
    let listed = answer.get("blocked").and_then(Value::as_array).into_iter().flatten();
    Ok(listed
        .filter_map(|entry| {
            let network = entry.get("network")?.as_str()?.parse().ok()?;
            Some((network, entry.get("summary")?.as_str()?.to_owned()))
        })
        .collect())
}
