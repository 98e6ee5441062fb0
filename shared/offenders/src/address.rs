//! Addresses in one form, and sets of networks that answer quickly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An IP address as 128 bits; IPv4 in its mapped form, `::ffff:a.b.c.d`. Every spelling of an address is the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u128);

const MAPPED: u128 = 0xffff_0000_0000;

impl Address {
    /// Reads an address as it stands in a log or a forwarding header: any spelling of IPv6, brackets, a port, a zone.
    /// `None` for what is no client's address: `-`, a name, the unspecified address, multicast, broadcast.
    #[inline]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let address = match parse_ipv4(text) {
            Some(bits) => Self(MAPPED | u128::from(bits)),
            None => match parse_ipv6(text) {
                Some(bits) => Self(bits),
                None => parse_slowly(text)?,
            },
        };
        address.is_a_client().then_some(address)
    }

    /// From its 128 bits, IPv4 mapped.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Its 128 bits, IPv4 mapped.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Whether it is an IPv4 address.
    #[inline]
    pub const fn is_ipv4(self) -> bool {
        self.0 >> 32 == MAPPED >> 32
    }

    #[inline]
    const fn is_a_client(self) -> bool {
        if self.is_ipv4() {
            let bits = self.0 & 0xffff_ffff;
            bits != 0 && bits < 0xe000_0000
        } else {
            self.0 != 0 && self.0 >> 120 != 0xff
        }
    }

    /// The first address of the network that this client is judged as: itself for IPv4, its `ipv6_prefix` for IPv6.
    #[inline]
    #[must_use]
    pub const fn judged(self, ipv6_prefix: u8) -> Self {
        if self.is_ipv4() || ipv6_prefix >= 128 { self } else { Self(self.0 & !(u128::MAX >> ipv6_prefix)) }
    }

    /// The network that this client is judged as.
    pub fn network(self, ipv6_prefix: u8) -> IpNet {
        match self.ip() {
            IpAddr::V4(ip) => Ipv4Net::from(ip).into(),
            IpAddr::V6(ip) => {
                Ipv6Net::new(ip, ipv6_prefix.min(128)).map_or(Ipv6Net::from(ip), |n| n.trunc()).into()
            }
        }
    }

    /// The address in the standard library's form.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low 32 bits of a mapped address are the IPv4 address"
    )]
    pub fn ip(self) -> IpAddr {
        if self.is_ipv4() { Ipv4Addr::from(self.0 as u32).into() } else { Ipv6Addr::from(self.0).into() }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self(u128::from(ip.to_ipv6_mapped())),
            IpAddr::V6(ip) => Self(u128::from(ip)),
        }
    }
}

#[inline]
fn parse_ipv4(text: &[u8]) -> Option<u32> {
    if text.len() > 15 {
        return None;
    }
    let (mut bits, mut part, mut digits, mut parts) = (0_u32, 0_u32, 0, 0);
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                part = part * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if (1..=3).contains(&digits) && part <= 255 => {
                bits = bits << 8 | part;
                (part, digits) = (0, 0);
                parts += 1;
            }
            _ => return None,
        }
    }
    ((1..=3).contains(&digits) && part <= 255 && parts == 3).then_some(bits << 8 | part)
}

/// The value of each hexadecimal digit; 255 for what is none.
const HEXADECIMAL: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0_u8;
    while value < 16 {
        let digit = b"0123456789abcdef"[value as usize];
        values[digit as usize] = value;
        values[digit.to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    values
};

/// The plain spellings of IPv6: groups of hexadecimal digits, at most one `::`. Others are left to the careful way.
#[inline]
fn parse_ipv6(text: &[u8]) -> Option<u128> {
    let mut groups = [0_u16; 8];
    let mut n_groups = 0;
    let mut gap = None;
    let mut rest = text;
    if let Some(after) = text.strip_prefix(b"::") {
        gap = Some(0);
        rest = after;
    }
    let (mut group, mut digits) = (0_u16, 0_u8);
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        at += 1;
        let value = HEXADECIMAL[usize::from(byte)];
        if value < 16 {
            group = group << 4 | u16::from(value);
            digits += 1;
            if digits > 4 {
                return None;
            }
            continue;
        }
        if byte != b':' || digits == 0 {
            return None;
        }
        *groups.get_mut(n_groups)? = group;
        n_groups += 1;
        (group, digits) = (0, 0);
        match rest.get(at) {
            Some(b':') if gap.is_none() => {
                gap = Some(n_groups);
                at += 1;
            }
            Some(b':') | None => return None,
            Some(_) => {}
        }
    }
    if digits > 0 {
        *groups.get_mut(n_groups)? = group;
        n_groups += 1;
    }
    match gap {
        None if n_groups < 8 => return None,
        None => {}
        Some(_) if n_groups == 8 => return None,
        // What stands after the gap moves to the end.
        Some(gap) => groups[gap..].rotate_right(8 - n_groups),
    }
    Some(groups.iter().fold(0, |bits, &group| bits << 16 | u128::from(group)))
}

fn parse_slowly(text: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if let Some(address) = parse_exactly(text) {
        return Some(address);
    }
    let host = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => host,
            _ => text,
        },
    };
    let host = host.split_once('%').map_or(host, |(host, _)| host);
    parse_exactly(host)
}

fn parse_exactly(text: &str) -> Option<Address> {
    if text.contains(':') {
        text.parse::<Ipv6Addr>().ok().map(|ip| Address(u128::from(ip)))
    } else {
        parse_ipv4(text.as_bytes()).map(|bits| Address(MAPPED | u128::from(bits)))
    }
}

/// A set of networks, IPv4 and IPv6 together, as disjoint ranges in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    ranges: Vec<(u128, u128)>,
}

/// First and last address of `network`, IPv4 mapped.
pub fn range(network: &IpNet) -> (u128, u128) {
    match network {
        IpNet::V4(network) => {
            let first = MAPPED | u128::from(u32::from(network.network()));
            (first, MAPPED | u128::from(u32::from(network.broadcast())))
        }
        IpNet::V6(network) => (u128::from(network.network()), u128::from(network.broadcast())),
    }
}

impl<'a> FromIterator<&'a IpNet> for Networks {
    fn from_iter<T: IntoIterator<Item = &'a IpNet>>(networks: T) -> Self {
        let mut sorted: Vec<_> = networks.into_iter().map(range).collect();
        sorted.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match ranges.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        Self { ranges }
    }
}

impl Networks {
    /// Whether there is no network in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether one of the networks holds `address`.
    #[inline]
    pub fn contains(&self, address: Address) -> bool {
        !self.ranges.is_empty() && self.overlaps_range(address.0, address.0)
    }

    /// Whether any address of `network` is in one of the networks.
    pub fn overlaps(&self, network: &IpNet) -> bool {
        let (first, last) = range(network);
        self.overlaps_range(first, last)
    }

    fn overlaps_range(&self, first: u128, last: u128) -> bool {
        let after = self.ranges.partition_point(|range| range.1 < first);
        self.ranges.get(after).is_some_and(|range| range.0 <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<String> {
        Address::parse(text.as_bytes()).map(|address| address.ip().to_string())
    }

    #[test]
    fn every_spelling_of_an_address_is_the_same_client() {
        for spelling in [
            "2001:db8::1",
            "2001:0DB8:0000:0000:0000:0000:0000:0001",
            "2001:DB8:0:0::0:1",
            " [2001:db8::1]:443 ",
            "2001:db8::1%eth0",
        ] {
            assert_eq!(parse(spelling).as_deref(), Some("2001:db8::1"), "{spelling}");
        }
        for spelling in ["198.51.100.7", "::ffff:198.51.100.7", "::FFFF:c633:6407", "198.51.100.7:52000"] {
            assert_eq!(parse(spelling).as_deref(), Some("198.51.100.7"), "{spelling}");
        }
    }

    #[test]
    fn the_quick_reader_of_ipv6_agrees_with_the_standard_library() {
        for text in [
            "2001:db8::1",
            "::1",
            "::",
            "1::",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "a::b::c",
            "1:",
            ":1",
            ":::",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "12345::",
            "1:::2",
            "FFFF::ABCD",
            "1::2:",
            "g::",
            "0:0:0:0:0:0:0:0",
        ] {
            let standard = text.parse::<Ipv6Addr>().ok().map(u128::from);
            assert_eq!(parse_ipv6(text.as_bytes()), standard, "{text}");
        }
    }

    #[test]
    fn what_is_no_clients_address_is_none() {
        for text in [
            "",
            "-",
            "unknown",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1..2.3",
            "0.0.0.0",
            "::",
            "ff02::1",
            "224.0.0.1",
            "255.255.255.255",
            "X.X.X.X",
            "_hidden",
            "1.2.3.4, 5.6.7.8",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_ipv6_client_is_judged_as_its_network() {
        let address = Address::parse(b"2001:db8:1:2:3:4:5:6").unwrap();
        assert_eq!(address.judged(64).ip().to_string(), "2001:db8:1:2::");
        assert_eq!(address.network(64).to_string(), "2001:db8:1:2::/64");
        assert_eq!(address.network(128).to_string(), "2001:db8:1:2:3:4:5:6/128");
        assert_eq!(Address::parse(b"198.51.100.7").unwrap().network(64).to_string(), "198.51.100.7/32");
    }

    #[test]
    fn networks_answer_for_both_families() {
        let list: Vec<IpNet> =
            ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"].iter().map(|n| n.parse().unwrap()).collect();
        let networks: Networks = list.iter().collect();
        assert!(networks.contains(Address::parse(b"10.1.2.3").unwrap()));
        assert!(networks.contains(Address::parse(b"2001:db8:ffff::1").unwrap()));
        assert!(!networks.contains(Address::parse(b"11.0.0.0").unwrap()));
        assert!(networks.overlaps(&"0.0.0.0/1".parse().unwrap()));
        assert!(!networks.overlaps(&"2001:db9::/32".parse().unwrap()));
    }
}
