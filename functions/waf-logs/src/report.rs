//! What people hear of a pass: one message for all of it.

use ipnet::IpNet;
use offenders::configuration::Mode;
use offenders::decide::News;
use offenders::state::{Announcement, Ban, State};

/// Longest list of one kind in a message; the rest is counted. SNS takes 256 KB.
const MOST_LINES: usize = 50;

/// What else is worth telling, beside the decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// The configuration file was refused, for these reasons.
    pub refused_configuration: Vec<String>,
    /// Neighbours that became one network just now, and how many they are.
    pub neighbourhoods: Vec<(IpNet, usize)>,
    /// Bans that no set has room for.
    pub left_out: usize,
    /// Whether WAF challenges those who have failed, before they are blocked.
    pub challenges: bool,
    /// Networks formed only because a set is full.
    pub squeezed: usize,
}

/// The message of this news; `None` when there is none.
pub fn message(news: &[News], notes: &Notes, state: &State, mode: Mode) -> Option<Announcement> {
    let networks = |wanted: fn(&News) -> Option<IpNet>| news.iter().filter_map(wanted).collect::<Vec<_>>();
    let blocked = networks(|news| if let News::Blocked(network) = news { Some(*network) } else { None });
    let extended = networks(|news| if let News::Extended(network) = news { Some(*network) } else { None });
    let released = networks(|news| if let News::Released(network) = news { Some(*network) } else { None });
    let (verb, hint) = match mode {
        Mode::Block => ("blocked", ""),
        Mode::Count => ("would be blocked", " (count mode: nobody is blocked)"),
    };
    let mut headlines = Vec::new();
    let mut text = String::new();
    tell_all(news, notes, &mut headlines, &mut text);
    if notes.left_out > 0 {
        headlines.push(format!("SET FULL, {} left out", notes.left_out));
        section(
            &mut text,
            &format!(
                "An IP set is full (10,000 entries). {} offenders found no room; the worst stay. Lower \
             neighbours.members, neighbours.ipv4_prefix or neighbours.ipv6_prefix, so that more offenders merge into \
             networks, or remove entries that others added to the set.",
                notes.left_out
            ),
        );
    } else if notes.squeezed > 0 {
        headlines.push(format!("set nearly full, {} networks formed", notes.squeezed));
        section(
            &mut text,
            &format!(
                "An IP set is full (10,000 entries), so {} groups of neighbours are blocked as networks, within the widths configured.",
                notes.squeezed
            ),
        );
    }
    if !notes.refused_configuration.is_empty() {
        headlines.push("configuration refused".to_owned());
        let faults = notes.refused_configuration.join("\n  ");
        section(
            &mut text,
            &format!(
                "{} is not used, the last good one stays in force:\n  {faults}",
                crate::keys::CONFIGURATION
            ),
        );
    }
    if !blocked.is_empty() {
        headlines.push(format!("{} {verb}", blocked.len()));
        list(&mut text, &format!("Newly {verb}{hint}"), &blocked, state);
        if mode == Mode::Block {
            section(
                &mut text,
                "Wrong? Send the function {\"command\":\"unblock\",\"network\":\"…\"}, or \"allow\" for good; \"blocked\" lists \
                 all with evidence.",
            );
        }
    }
    if !extended.is_empty() {
        list(&mut text, "Blocked for longer, because they keep knocking", &extended, state);
    }
    for (network, members) in &notes.neighbourhoods {
        section(&mut text, &format!("{members} neighbours are blocked as the network {network}."));
    }
    if !released.is_empty() {
        headlines.push(format!("{} released", released.len()));
        let shown: Vec<String> = released.iter().take(MOST_LINES).map(ToString::to_string).collect();
        section(&mut text, &format!("Released: {}{}", shown.join(", "), more(released.len())));
    }
    if headlines.is_empty() && text.is_empty() {
        return None;
    }
    if headlines.is_empty() {
        headlines.push(format!("{} extended", extended.len()));
    }
    // SNS takes a subject of less than 100 characters.
    let mut subject = format!("[greenlight] WAF: {}", headlines.join(", "));
    while subject.len() > 99 {
        subject.pop();
    }
    Some(Announcement { subject, text })
}

/// What a person has to know beyond who is blocked.
fn tell_all(news: &[News], notes: &Notes, headlines: &mut Vec<String>, text: &mut String) {
    for news in news {
        match news {
            News::Held(held) => {
                headlines.push(format!("HOLDING {} blocks", held.count));
                let examples: Vec<String> = held.examples.iter().map(ToString::to_string).collect();
                section(
                    text,
                    &format!(
                        "Held: this pass would write {} doubtful blocks, with {} clients seen, more than the brake allows. They may \
                         be the site's own fault: a rule that blocks visitors, a threshold that they reach. Who is beyond doubt \
                         is blocked all the same. These are not, until you send {{\"command\":\"confirm\"}}, raise brake.percent, or the share falls. The worst: {}",
                        held.count,
                        held.seen,
                        examples.join(", ")
                    ),
                );
            }
            News::Campaign(campaign) => {
                headlines.push(format!("{} ADDRESSES TRY CREDENTIALS", campaign.clients.refused));
                let others = if notes.challenges {
                    "Who has failed at least twice and does little else is challenged by WAF meanwhile; a browser answers that \
                     by itself."
                } else {
                    "Nobody is challenged meanwhile; the stack's parameter CampaignAction says whether anybody is."
                };
                section(
                    text,
                    &format!(
                        "Campaign: of {} clients that used credentials within the last hour, {} were refused and did little else. \
                         {} of them go on; those are blocked one by one, as detectors.campaign says. {others}",
                        campaign.clients.trying, campaign.clients.refused, campaign.clients.failing
                    ),
                );
            }
            News::Resumed => {
                headlines.push("brake released".to_owned());
                section(text, "The brake holds nothing any more.");
            }
            News::Blocked(_) | News::Extended(_) | News::Released(_) => {}
        }
    }
}

fn more(count: usize) -> String {
    if count > MOST_LINES { format!(" and {} more", count - MOST_LINES) } else { String::new() }
}

fn section(text: &mut String, paragraph: &str) {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(paragraph);
}

fn list(text: &mut String, title: &str, networks: &[IpNet], state: &State) {
    section(text, &format!("{title}:"));
    for network in networks.iter().take(MOST_LINES) {
        let line = state.bans.get(network).map_or_else(|| network.to_string(), |ban| describe(network, ban));
        text.push_str("\n  ");
        text.push_str(&line);
    }
    if networks.len() > MOST_LINES {
        text.push_str("\n ");
        text.push_str(&more(networks.len()));
    }
}

/// One block on one line.
pub fn describe(network: &IpNet, ban: &Ban) -> String {
    let findings = ban.findings.iter().map(|finding| {
        format!(
            "{} {} in {} (threshold {})",
            finding.detector, finding.count, finding.find_time, finding.max_retry
        )
    });
    let why = findings.collect::<Vec<_>>().join(", ");
    let what = if why.is_empty() { ban.detector.to_string() } else { why };
    let mut parts = vec![format!("{network}: {what}")];
    parts.extend(ban.note.clone());
    parts.push(match ban.until {
        Some(until) => format!("until {}", until.strftime("%Y-%m-%dT%H:%MZ")),
        None => "until unblocked".to_owned(),
    });
    if ban.times_before > 0 {
        parts.push(format!("{} times before", ban.times_before));
    }
    if let Some(sample) = ban.samples.first() {
        parts.push(format!("e.g. {} {} ({})", sample.method, sample.path, sample.rule));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use offenders::configuration::Neighbours;

    #[test]
    fn the_message_of_a_full_set_names_settings_that_exist() {
        let notes = Notes { left_out: 1, ..Notes::default() };
        let told = message(&[], &notes, &State::default(), Mode::Block).unwrap();
        let settings = serde_json::to_value(Neighbours::default()).unwrap();
        let words = told.text.split([' ', ',', ';', '\n']);
        let named: Vec<&str> = words.filter_map(|word| word.strip_prefix("neighbours.")).collect();
        assert_eq!(named.len(), 3, "{}", told.text);
        for name in named {
            assert!(settings.get(name).is_some(), "neighbours.{name} is no setting");
        }
    }
}
