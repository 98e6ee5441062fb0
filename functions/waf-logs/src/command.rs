//! What an operator may ask: `blocked`, `unblock`, `block`, `allow`, `disallow`, `confirm`.

use greenlight::failure::{Class, Failure};
use ipnet::IpNet;
use jiff::Timestamp;
use offenders::address::Address;
use offenders::configuration::{Configuration, Span};
use offenders::decide::{self, Command};
use offenders::state::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::pass::pass;
use crate::ports::{Answer, Ports};
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
pub async fn command(ports: &impl Ports, settings: &Settings, request: Value) -> Answer<Value> {
    let request: Request = serde_path_to_error::deserialize(request)
        .map_err(|error| Failure::new(Class::Permanent, "the command cannot be read").caused_by(error))?;
    if request.command == "blocked" {
        let (state, _) = stored::state(ports).await?;
        return Ok(blocked(&state, &request, ports.now()));
    }
    let configuration = stored::in_force(ports).await?;
    let command = read(&request, &configuration)?;
    change(ports, &configuration, &command).await?;
    tracing::info!(command = ?command, "operator's command carried out");
    let passed = pass(ports, settings).await?;
    Ok(json!({ "done": request.command, "network": network_of(&command), "pass": passed }))
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

fn read(request: &Request, configuration: &Configuration) -> Answer<Command> {
    let refused = |message: String| Failure::new(Class::Permanent, message);
    let network = || -> Answer<IpNet> {
        let text = request.network.as_deref();
        let text = text.ok_or_else(|| refused(format!("`{}` needs a network", request.command)))?;
        parse_network(text, configuration)
            .ok_or_else(|| refused(format!("`{text}` is neither an address nor a network in CIDR form")))
    };
    let time = request.time.map(|time| time.0);
    match request.command.as_str() {
        "unblock" => Ok(Command::Unblock(network()?)),
        "block" => Ok(Command::Block(network()?, time, request.note.clone())),
        "allow" => Ok(Command::Allow(network()?, time, request.note.clone())),
        "disallow" => Ok(Command::Disallow(network()?)),
        "confirm" => Ok(Command::Confirm),
        other => Err(refused(format!(
            "`{other}` is no command; there are blocked, unblock, block, allow, disallow and confirm"
        ))),
    }
}

/// A network as written, or a single address. A single IPv6 address to lift or block means its judged prefix.
fn parse_network(text: &str, configuration: &Configuration) -> Option<IpNet> {
    if text.contains('/') {
        return text.parse::<IpNet>().ok().map(|network| network.trunc()).filter(|net| net.prefix_len() > 0);
    }
    Address::parse(text.as_bytes()).map(|address| address.network(configuration.clients.ipv6_prefix))
}

async fn change(ports: &impl Ports, configuration: &Configuration, command: &Command) -> Answer<()> {
    for _ in 0..stored::ATTEMPTS {
        let (state, tag) = stored::state(ports).await?;
        let changed = decide::command(&state, configuration, command, ports.now())
            .map_err(|refused| Failure::new(Class::Permanent, "nothing was changed").caused_by(refused))?;
        if stored::commit(ports, &changed, tag.as_ref()).await? {
            return Ok(());
        }
    }
    Err(stored::contended())
}

fn blocked(state: &State, request: &Request, now: Timestamp) -> Value {
    let wanted: Option<IpNet> = request.network.as_deref().and_then(|text| {
        text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
    });
    let matches = |network: &IpNet| {
        wanted.is_none_or(|wanted| wanted.contains(network) || network.contains(&wanted))
            && request.after.is_none_or(|after| *network > after)
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
        "allowed": state.allowed,
        "held": state.held,
    })
}
