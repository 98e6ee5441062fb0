//! Addresses for clients that come over the loopback interface.
//!
//! On one machine all clients would come from 127.0.0.1. A connection may come from any address of 127.0.0.0/8,
//! though, and some of these stand for addresses of the internet, one for one: those that are reserved for
//! documentation (RFC 5737, RFC 3849). So clients differ where clients differ in the world: in their TCP peer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// 203.0.113.0/24 comes from here.
const VISITORS: [u8; 3] = [127, 203, 113];

/// 198.51.100.0/24 comes from here.
const ATTACKERS: [u8; 3] = [127, 198, 100];

/// The last 65,536 addresses of `2001:db8:0:64::/64` come from here.
const SUBSCRIBER: [u8; 2] = [127, 64];

/// The /64 of one IPv6 subscriber, as its first four groups.
const SUBSCRIBER_PREFIX: [u16; 4] = [0x2001, 0xdb8, 0, 0x64];

/// The loopback address that stands for this one, when there is one.
pub fn loopback_of(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => match address.octets() {
            [203, 0, 113, host] => Some(joined(VISITORS, host)),
            [198, 51, 100, host] => Some(joined(ATTACKERS, host)),
            _ => None,
        },
        IpAddr::V6(address) => {
            let [prefix @ .., zero1, zero2, zero3, host] = address.segments();
            let [high, low] = host.to_be_bytes();
            let is_known = prefix == SUBSCRIBER_PREFIX && [zero1, zero2, zero3] == [0; 3];
            is_known.then(|| Ipv4Addr::new(SUBSCRIBER[0], SUBSCRIBER[1], high, low))
        }
    }
}

/// The address that a TCP peer stands for; any other peer is itself.
pub fn stands_for(peer: IpAddr) -> IpAddr {
    let IpAddr::V4(address) = peer else { return peer };
    match address.octets() {
        [a, b, c, host] if [a, b, c] == VISITORS => IpAddr::from([203, 0, 113, host]),
        [a, b, c, host] if [a, b, c] == ATTACKERS => IpAddr::from([198, 51, 100, host]),
        [a, b, high, low] if [a, b] == SUBSCRIBER => subscriber(u16::from_be_bytes([high, low])),
        _ => peer,
    }
}

/// One of the addresses of the IPv6 subscriber who has `2001:db8:0:64::/64`.
pub fn subscriber(host: u16) -> IpAddr {
    let [a, b, c, d] = SUBSCRIBER_PREFIX;
    IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, host))
}

/// 250 people: 203.0.113.1 to 203.0.113.250.
pub fn crowd() -> Vec<IpAddr> {
    (1..=250).map(|host| IpAddr::from([203, 0, 113, host])).collect()
}

fn joined([a, b, c]: [u8; 3], host: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_comes_from_a_loopback_address_of_its_own() {
        let attackers = (0..=255).map(|host| IpAddr::from([198, 51, 100, host]));
        let subscribers = [0, 1, 255, 256, u16::MAX].map(subscriber);
        for address in crowd().into_iter().chain(attackers).chain(subscribers) {
            let loopback = loopback_of(address).unwrap();
            assert!(loopback.is_loopback());
            assert_eq!(stands_for(loopback.into()), address);
        }
    }

    #[test]
    fn others_are_themselves() {
        for address in ["127.0.0.1", "127.0.1.2", "192.0.2.1", "::1"] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(stands_for(address), address);
            assert_eq!(loopback_of(address), None);
        }
        assert_eq!(loopback_of("2001:db8:0:65::1".parse().unwrap()), None);
    }
}
