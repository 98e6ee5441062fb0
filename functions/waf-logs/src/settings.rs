//! The function's settings. [`VARIABLES`] is the one list that documents, the template and the tests are checked
//! against.
//!
//! What an operator tunes at run time is in the configuration file in the state bucket, and not here.

use std::collections::BTreeMap;

use greenlight::settings::{Reader, SettingsError, Strings, Variable, bucket};
use offenders::configuration::Mode;
use offenders::entries::Set;

/// What the function is told about its surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The bucket of state, partial results and configuration.
    pub state_bucket: String,
    /// The IP sets; those of challenged networks only where the web ACL challenges.
    pub sets: BTreeMap<Set, IpSetArn>,
    /// The web ACL's rule that blocks by these sets.
    pub rule: String,
    /// Where blocks are announced; `None`: nowhere but in the log.
    pub topic_arn: Option<String>,
    /// Whether anybody is blocked, unless the configuration file says otherwise.
    pub mode: Mode,
    /// How many clients a pass tells apart before it drops the least active.
    pub clients: usize,
}

/// An IP set: its ARN says all that WAF's API wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpSetArn {
    /// The whole ARN.
    pub arn: String,
    /// Region of the API: `us-east-1` for the sets of `CloudFront`.
    pub region: String,
    /// Whether it is for `CloudFront`; otherwise for a region's load balancers and APIs.
    pub is_global: bool,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
}

impl IpSetArn {
    /// Reads `arn:aws:wafv2:REGION:ACCOUNT:regional|global/ipset/NAME/ID`.
    pub fn parse(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "wafv2", region, account, resource] = parts.as_slice() else { return None };
        let path: Vec<&str> = resource.split('/').collect();
        let [scope, "ipset", name, id] = path.as_slice() else { return None };
        let is_global = match *scope {
            "global" => true,
            "regional" => false,
            _ => return None,
        };
        let is_complete = [partition, region, account, name, id].iter().all(|part| !part.is_empty());
        is_complete.then(|| Self {
            arn: arn.to_owned(),
            region: (*region).to_owned(),
            is_global,
            name: (*name).to_owned(),
            id: (*id).to_owned(),
        })
    }
}

const SET_FORMAT: &str = "the ARN of an IP set, arn:aws:wafv2:REGION:ACCOUNT:regional/ipset/NAME/ID";

const STATE_BUCKET: Variable = Variable {
    name: "GREENLIGHT_WAF_STATE_BUCKET",
    meaning: "The bucket of state, partial results and configuration, all under waf/.",
    format: "the name of an S3 bucket",
    default: None,
    example: "shop-state-123456789012-eu-west-1",
};
const IPV4_SET: Variable = Variable {
    name: "GREENLIGHT_WAF_IPV4_SET_ARN",
    meaning: "The IP set of blocked IPv4 networks.",
    format: SET_FORMAT,
    default: None,
    example: "arn:aws:wafv2:eu-west-1:123456789012:regional/ipset/shop-blocked-v4/1a2b3c4d-1111-2222-3333-444455556666",
};
const IPV6_SET: Variable = Variable {
    name: "GREENLIGHT_WAF_IPV6_SET_ARN",
    meaning: "The IP set of blocked IPv6 networks.",
    format: SET_FORMAT,
    default: None,
    example: "arn:aws:wafv2:eu-west-1:123456789012:regional/ipset/shop-blocked-v6/1a2b3c4d-1111-2222-3333-444455556666",
};
const CHALLENGED_IPV4_SET: Variable = Variable {
    name: "GREENLIGHT_WAF_CHALLENGED_IPV4_SET_ARN",
    meaning: "The IP set of IPv4 networks that WAF challenges. Empty: nobody is challenged.",
    format: "the ARN of an IP set, or nothing",
    default: Some(""),
    example: "arn:aws:wafv2:eu-west-1:123456789012:regional/ipset/shop-challenged-v4/1a2b3c4d-1111-2222-3333-444455556666",
};
const CHALLENGED_IPV6_SET: Variable = Variable {
    name: "GREENLIGHT_WAF_CHALLENGED_IPV6_SET_ARN",
    meaning: "The IP set of IPv6 networks that WAF challenges. Empty: nobody is challenged.",
    format: "the ARN of an IP set, or nothing",
    default: Some(""),
    example: "arn:aws:wafv2:eu-west-1:123456789012:regional/ipset/shop-challenged-v6/1a2b3c4d-1111-2222-3333-444455556666",
};
const RULE: Variable = Variable {
    name: "GREENLIGHT_WAF_RULE",
    meaning: "The web ACL's rule that blocks by the two sets. What it blocks is knocking, no new offence.",
    format: "the name of a rule",
    default: Some("greenlight-blocked"),
    example: "greenlight-blocked",
};
const TOPIC: Variable = Variable {
    name: "GREENLIGHT_WAF_TOPIC_ARN",
    meaning: "Where blocks are announced, one message a pass. Empty: only in the log.",
    format: "the ARN of an SNS topic, or nothing",
    default: Some(""),
    example: "arn:aws:sns:eu-west-1:123456789012:shop-notifications",
};
const MODE: Variable = Variable {
    name: "GREENLIGHT_WAF_MODE",
    meaning: "Whether anybody is blocked. The configuration file's mode goes before it.",
    format: "block or count",
    default: Some("block"),
    example: "count",
};
const CLIENTS: Variable = Variable {
    name: "GREENLIGHT_WAF_CLIENTS",
    meaning: "How many clients a pass tells apart, at most about 450 bytes each, before it drops the least active.",
    format: "a number from 1000 to 50000000",
    default: Some("196608"),
    example: "2000000",
};

/// Every variable of this function.
pub const VARIABLES: [Variable; 9] =
    [STATE_BUCKET, IPV4_SET, IPV6_SET, CHALLENGED_IPV4_SET, CHALLENGED_IPV6_SET, RULE, TOPIC, MODE, CLIENTS];

const PREFIX: &str = "GREENLIGHT_WAF_";

impl Settings {
    /// Reads and checks every variable.
    ///
    /// # Errors
    /// Every fault there is, unknown names under our prefix among them.
    pub fn read(source: &impl Strings) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(source);
        let state_bucket = reader.value(&STATE_BUCKET, bucket);
        let given = |arn: &str| IpSetArn::parse(arn).map(Some);
        let given_or_none = |arn: &str| if arn.is_empty() { Some(None) } else { given(arn) };
        let sets = [
            (IPV4_SET, reader.value(&IPV4_SET, given)),
            (IPV6_SET, reader.value(&IPV6_SET, given)),
            (CHALLENGED_IPV4_SET, reader.value(&CHALLENGED_IPV4_SET, given_or_none)),
            (CHALLENGED_IPV6_SET, reader.value(&CHALLENGED_IPV6_SET, given_or_none)),
        ];
        let rule = reader.value(&RULE, |text| (1..=128).contains(&text.len()).then(|| text.to_owned()));
        let topic_arn = reader.value(&TOPIC, |text| match text {
            "" => Some(None),
            arn => (arn.starts_with("arn:") && arn.contains(":sns:")).then(|| Some(arn.to_owned())),
        });
        let mode = reader.value(&MODE, |text| match text {
            "block" => Some(Mode::Block),
            "count" => Some(Mode::Count),
            _ => None,
        });
        let clients = reader.value(&CLIENTS, |text| {
            text.parse().ok().filter(|clients| (1_000..=50_000_000).contains(clients))
        });
        for (at, (variable, set)) in sets.iter().enumerate() {
            if let Some(Some(set)) = set
                && sets[..at].iter().any(|(_, before)| before.as_ref() == Some(&Some(set.clone())))
            {
                let expected = "a set of its own; a set holds one family, and is blocked or challenged";
                reader.fault(variable.name, Some(set.arn.clone()), expected);
            }
        }
        reader.refuse_unknown_names(PREFIX, |_| false, "see the list in functions/waf-logs");
        let settings = (|| {
            Some(Self {
                state_bucket: state_bucket?,
                sets: Set::ALL
                    .into_iter()
                    .zip(sets)
                    .filter_map(|(set, (_, arn))| Some((set, arn??)))
                    .collect(),
                rule: rule?,
                topic_arn: topic_arn?,
                mode: mode?,
                clients: clients?,
            })
        })();
        reader.finish(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn examples() -> BTreeMap<String, String> {
        VARIABLES.iter().map(|variable| (variable.name.to_owned(), variable.example.to_owned())).collect()
    }

    #[test]
    fn the_examples_are_valid_and_only_three_values_are_required() {
        let settings = Settings::read(&examples()).unwrap();
        let names: Vec<&str> = settings.sets.values().map(|arn| arn.name.as_str()).collect();
        assert_eq!(names, ["shop-blocked-v4", "shop-blocked-v6", "shop-challenged-v4", "shop-challenged-v6"]);
        assert_eq!(settings.mode, Mode::Count);
        let mut few = examples();
        few.retain(|name, _| VARIABLES.iter().any(|v| v.name == name && v.default.is_none()));
        assert_eq!(few.len(), 3);
        let settings = Settings::read(&few).unwrap();
        assert_eq!((settings.topic_arn, settings.sets.len()), (None, 2));
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let mut wrong = examples();
        for name in [
            "GREENLIGHT_WAF_MODE",
            "GREENLIGHT_WAF_CLIENTS",
            "GREENLIGHT_WAF_IPV4_SET_ARN",
            "GREENLIGHT_WAF_MOOD",
        ] {
            wrong.insert(name.to_owned(), "blok".to_owned());
        }
        wrong.remove("GREENLIGHT_WAF_STATE_BUCKET");
        let SettingsError(faults) = Settings::read(&wrong).unwrap_err();
        let mut names: Vec<&str> = faults.iter().map(|fault| fault.variable.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "GREENLIGHT_WAF_CLIENTS",
                "GREENLIGHT_WAF_IPV4_SET_ARN",
                "GREENLIGHT_WAF_MODE",
                "GREENLIGHT_WAF_MOOD",
                "GREENLIGHT_WAF_STATE_BUCKET"
            ]
        );
    }

    #[test]
    fn one_set_cannot_hold_both_families_nor_those_who_are_blocked_and_challenged() {
        for other in [IPV6_SET, CHALLENGED_IPV4_SET] {
            let mut same = examples();
            same.insert(other.name.to_owned(), IPV4_SET.example.to_owned());
            let SettingsError(faults) = Settings::read(&same).unwrap_err();
            assert_eq!(faults[0].variable, other.name);
        }
    }
}
