//! The whole local cloud: started, running, stopped.

use crate::access_log::{self, AccessLog};
use crate::alarms::Alarms;
use crate::aws;
use crate::chance::Chance;
use crate::deliveries::{Deliveries, Lateness};
use crate::emulator::Emulator;
use crate::event_sources;
use crate::firewall::{Firewall, load_balancer_of};
use crate::functions::{Failures, Functions, Journal, Pace};
use crate::gateway::{Control, Edge, Faults, Gateway, Recorder, Uploads};
use crate::instances::{self, Addresses};
use crate::limits;
use crate::places::Places;
use crate::processes;
use crate::queues::Queues;
use crate::revisions::Revisions;
use crate::scaling::{Booting, Scaling};
use crate::schedule;
use crate::stack::{DeploymentGroup, Function, Stack};
use crate::traffic::{self, NODES, Traffic};
use anyhow::{Context, Result};
use aws_config::SdkConfig;
use codedeploy::{CodeDeploy, Fleet, Group, OutdatedInstances};
use load_balancer::{Draw, LoadBalancer};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How a local cloud is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many times faster AWS's own clocks run: health checks, metrics, alarms, schedules, retries, propagation.
    pub speed: u32,
    /// Decides what AWS leaves to chance: which colour a request gets, how late a metric is, how late a node of the
    /// load balancer moves, which events come twice and how late.
    pub seed: u64,
    /// Whether the load balancer weighs in strict turn; AWS draws by chance.
    pub in_turn: bool,
    /// The stack's name.
    pub stack: String,
    /// Values for the template's parameters.
    pub parameters: Vec<(String, String)>,
    /// The port of the endpoint that plays AWS; 0 for any.
    pub gateway_port: u16,
    /// The port of the load balancer; 0 for any.
    pub load_balancer_port: u16,
    /// How often the web ACL's log is delivered; on AWS every five minutes.
    pub waf_log_interval: Duration,
    /// The size of an instance's disk in MiB.
    pub disk_mib: u64,
    /// Where all calls are recorded, after what is there already; below the state folder unless told otherwise.
    pub calls: Option<PathBuf>,
    /// Functions of the account that the template does not describe.
    pub functions: Vec<Function>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            speed: 20,
            seed: 1,
            in_turn: false,
            stack: "greenlight".to_owned(),
            parameters: Vec::new(),
            gateway_port: 4566,
            load_balancer_port: 8000,
            waf_log_interval: Duration::from_secs(5),
            disk_mib: limits::DISK_MIB,
            calls: None,
            functions: Vec::new(),
        }
    }
}

impl Options {
    fn record(&self, places: &Places) -> PathBuf {
        self.calls.clone().unwrap_or_else(|| places.log("calls.jsonl"))
    }
}

/// A running local cloud.
#[derive(Debug)]
pub struct Cloud {
    /// Where everything lies.
    pub places: Places,
    /// What `AWS_ENDPOINT_URL` is set to.
    pub endpoint: String,
    /// What the template made.
    pub stack: Stack,
    /// For SDK clients that talk to it as a user would.
    pub aws: SdkConfig,
    /// The functions.
    pub functions: Arc<Functions>,
    /// The load balancer.
    pub traffic: Arc<Traffic>,
    /// The web ACL before it.
    pub firewall: Arc<Firewall>,
    /// The alarms.
    pub alarms: Arc<Alarms>,
    /// The instances.
    pub fleet: Fleet,
    /// S3's notifications on their way to the functions.
    pub uploads: Arc<Deliveries>,
    /// `EventBridge`'s events on their way to the functions.
    pub events: Arc<Deliveries>,
    /// What goes wrong on demand.
    pub faults: Arc<Faults>,
    /// `CodeDeploy`.
    pub codedeploy: CodeDeploy,
    /// How many times faster than AWS's its clocks run.
    pub speed: u32,
    /// Auto Scaling.
    pub scaling: Arc<Scaling>,
    tasks: JoinSet<()>,
    name: String,
    made: Value,
    emulator: Arc<Emulator>,
    _rest: EndsProcesses,
}

impl Cloud {
    /// Starts one. What an earlier one with the same state folder left behind is ended first.
    ///
    /// # Errors
    /// When a tool is missing, a port is taken, or the template cannot be created; the message says which.
    pub async fn start(places: Places, options: &Options) -> Result<Self> {
        let rest = EndsProcesses(places.state.clone());
        clear(&rest).await?;
        let listener = listen(options.gateway_port, "the gateway").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let emulator = Arc::new(Emulator::start(&places, &endpoint).await?);
        let made = emulator.deploy(&places, &options.stack, &options.parameters).await?;
        let inner = aws::config(&emulator.endpoint(), aws::OWN_KEY);
        let stack = Stack::read(&emulator, &inner).await?;

        let journal = Journal::create(&places.log("invocations.jsonl"))?.into();
        let queues = Queues::new(Arc::clone(&emulator));
        let chance = Chance(options.seed);
        let events = (Pace::new(options.speed, chance), Failures::new(queues.clone()));
        let all = [stack.functions.as_slice(), &options.functions].concat();
        let functions = Functions::new(&all, &places, &endpoint, journal, events)?;

        let (fleet, addresses) = instances::boot(&stack.machines, options.disk_mib, &places, &endpoint)?;
        let firewall = Arc::new(Firewall::new(Arc::clone(&emulator), &stack.listener, options.speed));
        firewall.load().await?;
        let access_log = Arc::new(AccessLog::new(&load_balancer_of(&stack.listener)));
        let seen = (Arc::clone(&firewall), Arc::clone(&access_log));
        let traffic = balance(options, &inner, &stack, addresses.clone(), seen).await?;
        let speed = options.speed.max(1);

        let codedeploy = codedeploy_of(&stack, speed, fleet.clone(), &inner);
        let scaling = Arc::new(Scaling::new(
            Arc::clone(&emulator),
            &inner,
            codedeploy.clone(),
            fleet.clone(),
            Arc::clone(&traffic),
            Booting::new(addresses, options.disk_mib, &places, &endpoint, speed),
            speed,
        ));

        let deliveries = |lateness| Arc::new(Deliveries::new(Arc::clone(&functions), lateness));
        let (uploads, events) = (deliveries(Lateness::OfS3 { speed, chance }), deliveries(Lateness::None));
        let faults = Arc::new(Faults::default());
        let alarms =
            Arc::new(Alarms::new(&inner, Arc::clone(&functions), Arc::clone(&traffic), speed, options.seed));
        let control = Control {
            functions: Arc::clone(&functions),
            fleet: fleet.clone(),
            scaling: Arc::clone(&scaling),
            traffic: Arc::clone(&traffic),
            uploads: Arc::clone(&uploads),
            events: Arc::clone(&events),
            faults: Arc::clone(&faults),
            alarms: Arc::clone(&alarms),
        };

        let mut tasks = JoinSet::new();
        for rule in &stack.rules {
            tasks.spawn(schedule::fire(rule.clone(), speed, Arc::clone(&events)));
        }
        tasks.spawn(schedule::route(codedeploy.events(), stack.rules.clone(), Arc::clone(&events)));
        let notifying =
            Uploads::new(&inner, stack.notifications.clone(), Arc::clone(&uploads), queues.clone());
        let gateway = Gateway::new(
            emulator.address(),
            Arc::clone(&functions),
            codedeploy.clone(),
            Edge { traffic: Arc::clone(&traffic), firewall: Arc::clone(&firewall) },
            notifying,
            control,
            Recorder::create(&options.record(&places), &made)?,
        );
        tasks.spawn(async move {
            let Err(error) = Arc::new(gateway).serve(listener).await;
            tracing::error!(%error, "the gateway ended");
        });
        poll_queues(&mut tasks, &stack, &queues, &functions, (speed, chance));
        let delivery = aws::config(&endpoint, aws::LOG_DELIVERY_KEY);
        let delivered = Arc::clone(&firewall).deliver(delivery.clone(), options.waf_log_interval);
        tasks.spawn(async move { match delivered.await {} });
        let balancing = aws_sdk_elasticloadbalancingv2::Client::new(&inner);
        let interval = access_log::INTERVAL / speed;
        tasks.spawn(async move { match access_log.deliver(balancing, delivery, interval).await {} });
        let evaluated = Arc::clone(&alarms);
        tasks.spawn(async move { evaluated.run().await });

        let aws = aws::config(&endpoint, "AKIALOCALUSER0000000");
        Ok(Self {
            places,
            endpoint,
            stack,
            aws,
            functions,
            traffic,
            firewall,
            alarms,
            fleet,
            uploads,
            events,
            faults,
            codedeploy,
            speed,
            scaling,
            tasks,
            name: options.stack.clone(),
            made,
            emulator,
            _rest: rest,
        })
    }

    /// Updates the stack with other values of parameters, while everything runs.
    ///
    /// # Errors
    /// When the update is refused.
    pub async fn update(&self, changed: &[(String, String)]) -> Result<()> {
        self.emulator.update(&self.name, &self.made, changed).await
    }

    /// Ends everything that was started, also what hooks have left running on the instances. Dropping it does the
    /// same, less gently.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.functions.stop().await;
    }
}

/// Reads the queues for the functions, as many at a time as each asks for.
fn poll_queues(
    tasks: &mut JoinSet<()>,
    stack: &Stack,
    queues: &Queues,
    functions: &Arc<Functions>,
    (speed, chance): (u32, Chance),
) {
    for source in &stack.event_sources {
        for _ in 0..source.concurrency {
            let polled =
                event_sources::poll(source.clone(), queues.clone(), Arc::clone(functions), speed, chance);
            tasks.spawn(async move { match polled.await {} });
        }
    }
}

/// The load balancer behind the web ACL.
async fn balance(
    options: &Options,
    aws: &SdkConfig,
    stack: &Stack,
    addresses: Addresses,
    (firewall, access_log): (Arc<Firewall>, Arc<AccessLog>),
) -> Result<Arc<Traffic>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.load_balancer_port));
    let draw = if options.in_turn { Draw::InTurn } else { Draw::ByChance { seed: options.seed } };
    let handle = LoadBalancer::new()
        .nodes(NODES)
        .draw(draw)
        .idle_timeout(traffic::idle_timeout(aws, &stack.listener).await?)
        .client_address(|peer, _| visitors::addresses::stands_for(peer.ip()))
        .judge(move |facts| firewall.judge(facts))
        .observer(move |access| access_log.note(access))
        .start(address)
        .await
        .with_context(|| format!("the load balancer cannot listen on {address}"))?;
    let (listener, speed) = (stack.listener.clone(), options.speed.max(1));
    let traffic = Traffic::new(handle, aws, listener, addresses, speed, Chance(options.seed));
    traffic.load().await?;
    Ok(Arc::new(traffic))
}

fn codedeploy_of(stack: &Stack, speed: u32, fleet: Fleet, aws: &SdkConfig) -> CodeDeploy {
    let settings = codedeploy::Settings {
        account: aws::ACCOUNT.to_owned(),
        region: aws::REGION.to_owned(),
        groups: stack.deployment_groups.iter().map(codedeploy_group).collect(),
        pace: codedeploy::Pace::of_aws(speed),
        ..codedeploy::Settings::default()
    };
    CodeDeploy::new(settings, fleet, Arc::new(Revisions::new(aws)))
}

fn codedeploy_group(group: &DeploymentGroup) -> Group {
    let strategy = if group.update_outdated { OutdatedInstances::Update } else { OutdatedInstances::Ignore };
    Group {
        deployment_config: group.configuration.clone(),
        outdated_instances: strategy,
        ..Group::new(&group.application, &group.name, &group.auto_scaling_groups)
    }
}

async fn listen(port: u16, what: &str) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{what} cannot listen on {address}; is a local cloud running already?"))
}

/// When dropped, ends every process that a local cloud with this state folder has started or left behind, and takes its
/// instances' disks back.
#[derive(Debug)]
struct EndsProcesses(PathBuf);

impl EndsProcesses {
    fn end(&self) {
        // A process may start another one while it is being found.
        for _ in 0..10 {
            if processes::kill_all_of(&self.0) == 0 {
                break;
            }
        }
        limits::take_back(&self.0);
    }
}

impl Drop for EndsProcesses {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ends what an earlier run left and empties its folder.
async fn clear(rest: &EndsProcesses) -> Result<()> {
    rest.end();
    let state = &rest.0;
    match tokio::fs::remove_dir_all(state).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot empty {}", state.display()));
        }
        _ => {}
    }
    tokio::fs::create_dir_all(state).await.with_context(|| format!("cannot create {}", state.display()))
}
