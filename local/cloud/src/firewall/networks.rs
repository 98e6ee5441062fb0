//! Many networks, asked for single addresses.

use ipnet::IpNet;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

/// The entries of an IP set, by length, so that ten thousand of them cost no more than their lengths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Networks(BTreeMap<(bool, u8), HashSet<IpNet>>);

impl Networks {
    /// Whether one of them holds this address.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().filter(|((is_v6, _), _)| *is_v6 == address.is_ipv6()).any(|((_, length), networks)| {
            IpNet::new(address, *length).is_ok_and(|network| networks.contains(&network.trunc()))
        })
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<T: IntoIterator<Item = IpNet>>(networks: T) -> Self {
        let mut all = Self::default();
        for network in networks {
            let key = (network.addr().is_ipv6(), network.prefix_len());
            all.0.entry(key).or_default().insert(network.trunc());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_when_a_network_of_its_family_holds_it() {
        let networks = ["198.51.100.7/32", "203.0.113.0/28", "2001:db8:0:64::/64"];
        let networks: Networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        for (address, expected) in [
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("203.0.113.15", true),
            ("203.0.113.16", false),
            ("2001:db8:0:64::1:2", true),
            ("2001:db8:0:65::1", false),
        ] {
            assert_eq!(networks.contain(address.parse().unwrap()), expected, "{address}");
        }
    }
}
