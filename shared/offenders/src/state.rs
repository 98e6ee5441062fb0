//! What is remembered between passes: bans, who came back how often, what an operator said. One JSON document.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::entries::Purpose;
use crate::judge::{Detector, Finding};
use crate::tally::Sample;

/// The document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct State {
    /// Who is blocked, and why.
    pub bans: BTreeMap<IpNet, Ban>,
    /// Who was, and counts as returning.
    pub past: BTreeMap<IpNet, Past>,
    /// Networks that an operator allowed by command.
    pub allowed: BTreeMap<IpNet, Allowed>,
    /// Entries of ours in the IP sets, and those that lately were, with the time since they are not. All other entries
    /// in the sets belong to other writers.
    pub ours: BTreeMap<IpNet, Option<Timestamp>>,
    /// Clients that do nothing wrong and have banned neighbours: no network is formed over them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub bystanders: BTreeSet<IpNet>,
    /// How many used credentials in the last hours, by hours since 1970.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hours: BTreeMap<i64, Hour>,
    /// Many try credentials at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Campaign>,
    /// Who has failed while many try credentials, and does little else: WAF challenges them, where it has the sets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub challenged: BTreeMap<IpNet, Challenged>,
    /// As [`State::ours`], of the sets whose members WAF challenges.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ours_challenged: BTreeMap<IpNet, Option<Timestamp>>,
    /// Blocks that wait for an operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// An operator said go ahead to what is held, until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_until: Option<Timestamp>,
    /// Partial results already merged into the window, by the slot of time they are filed under.
    pub merged: BTreeMap<String, BTreeSet<String>>,
    /// Key of the merged window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// The configuration file that was refused, by its version, so that it is complained about once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_configuration: Option<String>,
    /// What people have not been told yet, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Announcement>,
    /// What the page was told last of how many are kept out, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_out: Option<String>,
    /// When the last pass was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_pass: Option<Timestamp>,
}

impl State {
    /// Entries of ours in the sets of one purpose.
    pub fn ours_of(&self, purpose: Purpose) -> &BTreeMap<IpNet, Option<Timestamp>> {
        match purpose {
            Purpose::Block => &self.ours,
            Purpose::Challenge => &self.ours_challenged,
        }
    }

    /// The same, to be changed.
    pub fn ours_of_mut(&mut self, purpose: Purpose) -> &mut BTreeMap<IpNet, Option<Timestamp>> {
        match purpose {
            Purpose::Block => &mut self.ours,
            Purpose::Challenge => &mut self.ours_challenged,
        }
    }
}

/// A message of one pass.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Announcement {
    /// ASCII, less than 100 characters.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// One block, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Ban {
    /// The main reason.
    pub detector: Detector,
    /// Every threshold that was reached.
    pub findings: Vec<Finding>,
    /// When it was decided.
    pub since: Timestamp,
    /// When it ends; absent: never by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How often the client was blocked before and had not been forgotten.
    pub times_before: u32,
    /// First request in the window that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// Last request seen, blocked ones too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// Some of its requests.
    pub samples: Vec<Sample>,
    /// What an operator wrote with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// An offender whose ban has ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Past {
    /// How many bans so far.
    pub times: u32,
    /// When the last ended. What was done before does not count again.
    pub ended: Timestamp,
}

/// Clients that use credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Hour {
    /// All of them.
    pub trying: u32,
    /// Those that only fail, and go on.
    pub failing: u32,
    /// Those that were refused and did little else: these, and who has not tried often.
    #[serde(default)]
    pub refused: u32,
}

/// Many try credentials at once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Campaign {
    /// When it was seen first.
    pub since: Timestamp,
    /// How many there were then.
    pub clients: Hour,
}

/// A client that WAF challenges.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Challenged {
    /// When it was decided.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

/// A network that an operator allowed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Allowed {
    /// When it began.
    pub since: Timestamp,
    /// Until when; absent: for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What the operator noted about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Blocks that the brake holds back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Held {
    /// When it began.
    pub since: Timestamp,
    /// How many entries would be written now.
    pub count: usize,
    /// Of how many seen.
    pub seen: usize,
    /// The worst of them.
    pub examples: Vec<IpNet>,
}
