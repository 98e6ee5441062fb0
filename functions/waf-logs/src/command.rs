//! What an operator may ask: `blocked`, `unblock`, `block`, `allow`, `disallow`, `confirm`.

use greenlight::failure::{Class, Excerpt, Failure};
use ipnet::IpNet;
use jiff::Timestamp;
use offenders::address::Address;
use offenders::command::{self, Command};
use offenders::configuration::{Configuration, Span};
use offenders::state::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::pass::pass;
use crate::ports::{PortResult, Ports};
use crate::report::describe;
use crate::settings::Settings;
use crate::stored;

/// Most bans in one answer; Lambda's limit is 6 MB.
const MOST_LISTED: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    command: String,
    network: Option<String>,
    time: Option<Span>,
    note: Option<String>,
    /// For `blocked`: list what comes after this network.
    after: Option<IpNet>,
}

/// Carries out a command. After a change it runs a pass, so that the change takes effect at once.
///
/// # Errors
/// Permanent: the command cannot be read or means nothing now. Other classes come from the store.
pub async fn command(ports: &impl Ports, settings: &Settings, request: Value) -> PortResult<Value> {
    let request: Request = serde_path_to_error::deserialize(request).map_err(|error| {
        refused("the command cannot be read").caused_by(Excerpt(&error.to_string()).to_string())
    })?;
    // Before AWS is asked: an outage hides no typing error.
    let change = match read(&request)? {
        Asked::Change(change) => change,
        Asked::Blocked(network) => {
            let (state, _) = stored::state(ports).await?;
            return Ok(blocked(&state, network.as_ref(), request.after, ports.now()));
        }
    };
    let configuration = stored::in_force(ports).await?;
    let command = change.into_command(&request, configuration.clients.ipv6_prefix);
    store(ports, &configuration, &command).await?;
    tracing::info!(command = ?command, "operator's command stored");
    let passed = pass(ports, settings).await.map_err(|failure| {
        let message = format!(
            "`{}` is stored and need not be sent again, but the pass that carries it out failed; the next one does so within a minute",
            request.command
        );
        Failure::new(failure.class(), message).caused_by(failure)
    })?;
    Ok(json!({ "done": request.command, "network": network_of(&command), "pass": passed }))
}

fn refused(message: impl Into<String>) -> Failure {
    Failure::new(Class::Permanent, message)
}

/// A command whose words are understood.
enum Asked {
    /// `blocked`, for all networks or one.
    Blocked(Option<Network>),
    /// What changes the state.
    Change(Change),
}

enum Change {
    Unblock(Network),
    Block(Network),
    Allow(Network),
    Disallow(Network),
    Confirm,
}

impl Change {
    fn into_command(self, request: &Request, ipv6_prefix: u8) -> Command {
        let time = request.time.map(|time| time.0);
        let note = || request.note.clone();
        match self {
            Self::Unblock(network) => Command::Unblock(network.judged(ipv6_prefix)),
            Self::Block(network) => Command::Block(network.judged(ipv6_prefix), time, note()),
            Self::Allow(network) => Command::Allow(network.judged(ipv6_prefix), time, note()),
            Self::Disallow(network) => Command::Disallow(network.judged(ipv6_prefix)),
            Self::Confirm => Command::Confirm,
        }
    }
}

/// A network as an operator wrote it.
enum Network {
    Cidr(IpNet),
    Single(Address),
}

impl Network {
    fn parse(text: &str) -> PortResult<Self> {
        let network = if text.contains('/') {
            text.parse().ok().map(|network: IpNet| Self::Cidr(network.trunc()))
        } else {
            Address::parse(text.as_bytes()).map(Self::Single)
        };
        network.ok_or_else(|| {
            refused(format!("{:?} is neither an address nor a network in CIDR form", Excerpt(text)))
        })
    }

    /// A single IPv6 address to lift or block means the prefix that it is judged as.
    fn judged(&self, ipv6_prefix: u8) -> IpNet {
        match self {
            Self::Cidr(network) => *network,
            Self::Single(address) => address.network(ipv6_prefix),
        }
    }
}

fn read(request: &Request) -> PortResult<Asked> {
    let command = request.command.as_str();
    let given = request.network.as_deref().map(Network::parse).transpose()?;
    if command == "blocked" {
        return Ok(Asked::Blocked(given));
    }
    let network = || given.ok_or_else(|| refused(format!("`{command}` needs a network")));
    Ok(Asked::Change(match command {
        "unblock" => Change::Unblock(network()?),
        "block" => Change::Block(network()?),
        "allow" => Change::Allow(network()?),
        "disallow" => Change::Disallow(network()?),
        "confirm" => Change::Confirm,
        other => {
            return Err(refused(format!(
                "`{}` is no command; there are blocked, unblock, block, allow, disallow and confirm",
                Excerpt(other)
            )));
        }
    }))
}

fn network_of(command: &Command) -> Option<String> {
    match command {
        Command::Unblock(network)
        | Command::Block(network, ..)
        | Command::Allow(network, ..)
        | Command::Disallow(network) => Some(network.to_string()),
        Command::Confirm => None,
    }
}

async fn store(ports: &impl Ports, configuration: &Configuration, command: &Command) -> PortResult<()> {
    for _ in 0..stored::ATTEMPTS {
        let (state, tag) = stored::state(ports).await?;
        let changed = command::command(&state, configuration, command, ports.now())
            .map_err(|refused| Failure::new(Class::Permanent, "nothing was changed").caused_by(refused))?;
        if stored::commit(ports, &changed, tag.as_ref()).await? {
            return Ok(());
        }
    }
    Err(stored::contended())
}

fn blocked(state: &State, wanted: Option<&Network>, after: Option<IpNet>, now: Timestamp) -> Value {
    // A single address is looked for as itself, whatever it is judged as.
    let wanted = wanted.map(|network| network.judged(128));
    let matches = |network: &IpNet| {
        wanted.is_none_or(|wanted| wanted.contains(network) || network.contains(&wanted))
            && after.is_none_or(|after| *network > after)
    };
    let listed: Vec<Value> = state
        .bans
        .iter()
        .filter(|(network, _)| matches(network))
        .take(MOST_LISTED)
        .map(|(network, ban)| json!({ "network": network, "summary": describe(network, ban), "evidence": ban }))
        .collect();
    json!({
        "at": now,
        "total": state.bans.len(),
        "blocked": listed,
        "challenged": state.challenged.keys().filter(|network| matches(network)).take(MOST_LISTED).collect::<Vec<_>>(),
        "allowed": state.allowed,
        "held": state.held,
    })
}
