//! Measures the local load balancer: `balance LISTEN TARGET...` runs one, `visit ADDRESS RATE SECONDS` visits it and
//! tells what it saw. Two processes, so that each can be given a core of its own.

use std::error::Error;
use std::time::Duration;

use load_balancer::{Forward, HealthCheck, ListenerAction, LoadBalancer, Routing, Rule, Target, TargetGroup};
use visitors::{Counts, HostRate, Plan, Visitors};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["balance", listen, targets @ ..] => balance(listen, targets).await,
        ["visit", address, rate, seconds] => visit(address, rate.parse()?, seconds.parse()?).await,
        _ => Err("say: balance LISTEN TARGET... | visit ADDRESS RATE SECONDS".into()),
    }
}

async fn balance(listen: &str, targets: &[&str]) -> Result<(), Box<dyn Error>> {
    let check = HealthCheck { path: "/healthz".to_owned(), ..HealthCheck::default() };
    let mut group = TargetGroup::new("group", check);
    for target in targets {
        group.targets.push(Target { id: (*target).to_owned(), address: target.parse()? });
    }
    let handle = LoadBalancer::new().start(listen.parse()?).await?;
    handle.set_target_groups(vec![group]);
    handle.set_routing(&Routing::new(vec![Rule {
        priority: 1,
        hosts: vec!["*".to_owned()],
        headers: Vec::new(),
        action: ListenerAction::Forward(vec![Forward { target_group: "group".to_owned(), weight: 1 }]),
    }]));
    std::future::pending().await
}

#[expect(clippy::print_stdout, reason = "the result of the measurement")]
async fn visit(address: &str, per_second: u32, seconds: u64) -> Result<(), Box<dyn Error>> {
    let host = HostRate { host: "shop.test".to_owned(), per_second };
    let visitors = Visitors::start(Plan::new(address.parse()?, vec![host]))?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let during = visitors.counts();
    let log = visitors.stop().await;
    println!("{} of {} answered in time", during.requests(), u64::from(per_second) * seconds);
    println!("{:?}", Counts::of(&log).total());
    println!("latency p50 {:?}, p99 {:?}, p100 {:?}", log.latency(50), log.latency(99), log.latency(100));
    Ok(())
}
