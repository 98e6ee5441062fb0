//! How a person starts a local cloud: the options that all commands share.

use clap::Args;
use cloud::Options;
use std::path::PathBuf;
use std::time::Duration;

/// Policy times that make a story of minutes out of one of hours. They are real time. An alarm notices after 2 to 4 of
/// AWS's minutes, which are 6 to 12 s at the demo's speed, so that the canary lasts 5 of them. It goes by time, because
/// evidence is counted in minutes of the functions' own clock, which is not compressed: a good release by the template's
/// strategy takes three of them at least.
const PARAMETERS: [(&str, &str); 8] = [
    ("Strategy", "canary:10%:15s"),
    ("Bake", "7s"),
    ("InstallDeadline", "90s"),
    ("Drain", "3s"),
    ("UnhealthyGrace", "10s"),
    ("UnknownLimit", "30s"),
    ("LookInterval", "2s"),
    ("Architecture", if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }),
];

/// Options of a command.
#[derive(Debug, Args)]
pub struct Start {
    /// How many times faster AWS's own clocks run [default: 20; 30 for chaos, 60 for the bench].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=60))]
    speed: Option<u32>,
    /// Decides what AWS leaves to chance: draws of the load balancer, how late metrics and changes of rules are.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Let the load balancer weigh in strict turn; AWS draws by chance.
    #[arg(long)]
    in_turn: bool,
    /// A value for a parameter of the template.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// The port of the endpoint that plays AWS.
    #[arg(long, default_value_t = 4566)]
    port: u16,
    /// The port of the load balancer.
    #[arg(long, default_value_t = 8000)]
    load_balancer_port: u16,
    /// Every how many seconds the web ACL's log is delivered; AWS does it every 300.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=300))]
    waf_log_interval: u64,
    /// Where to record every call of AWS, after what is there already [default: calls.jsonl beside the logs].
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Start {
    /// For a command whose clocks run `speed` times as fast as AWS's, unless told otherwise, and which has these
    /// parameters of its own.
    pub fn options(&self, speed: u32, own: &[(&str, &str)]) -> Options {
        Options {
            speed: self.speed.unwrap_or(speed),
            seed: self.seed,
            in_turn: self.in_turn,
            parameters: parameters(own, &self.parameters),
            gateway_port: self.port,
            load_balancer_port: self.load_balancer_port,
            waf_log_interval: Duration::from_secs(self.waf_log_interval),
            calls: self.calls.clone(),
            ..Options::default()
        }
    }
}

/// The template's parameters: what was given at the command line, then a command's own, then those of all.
fn parameters(own: &[(&str, &str)], given: &[(String, String)]) -> Vec<(String, String)> {
    let mut chosen = given.to_vec();
    for (name, value) in own.iter().chain(&PARAMETERS) {
        if chosen.iter().all(|(other, _)| other != name) {
            chosen.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_gives_counts_before_a_commands_own_parameters_and_those_before_all_others() {
        let given = [("Bake".to_owned(), "1s".to_owned())];
        let chosen = parameters(&[("Bake", "2s"), ("Drain", "1s")], &given);
        let value =
            |wanted: &str| chosen.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(
            (value("Bake"), value("Drain"), value("LookInterval")),
            (Some("1s"), Some("1s"), Some("2s"))
        );
        assert_eq!(chosen.len(), PARAMETERS.len());
    }
}
