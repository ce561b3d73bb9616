//! Which addresses may be connected to when a stranger named them. docs/design.md §8
//!
//! Judged on the address that the connection really goes to, after DNS was asked and at connect time, so that no name
//! and no second answer can lead inside. Pure; never resolves or connects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether connections may go to addresses inside the own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressGuard {
    /// Only addresses that are routed on the public Internet: for everything that a stranger can name.
    PublicOnly,
    /// Every unicast address: for what the administrator configured, and for tests.
    AllowPrivate,
}

impl AddressGuard {
    /// From the configuration's word.
    pub fn new(allow_private: bool) -> Self {
        if allow_private { Self::AllowPrivate } else { Self::PublicOnly }
    }

    /// Whether a connection to `address` may be opened.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::PublicOnly => is_public(address),
            Self::AllowPrivate => !address.is_unspecified() && !address.is_multicast(),
        }
    }
}

/// Whether `address` is a unicast address of the public Internet, seen through every embedding of IPv4 in IPv6.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        (0 | 10 | 127, _, _) => true,
        (100, 64..=127, _) => true, // RFC 6598, carriers' NAT
        (169, 254, _) => true,      // link-local; metadata services of clouds
        (172, 16..=31, _) => true,
        (192, 168, _) => true,
        (192, 0, 0 | 2) => true,                // protocol assignments, documentation
        (192, 88, 99) => true,                  // 6to4 relays, withdrawn
        (198, 18 | 19, _) => true,              // benchmarks
        (198, 51, 100) | (203, 0, 113) => true, // documentation
        (224..=255, _, _) => true,              // multicast, reserved, broadcast
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // Mapped ::ffff:a.b.c.d, and NAT64 64:ff9b::a.b.c.d: where the packets go is the IPv4 address.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        // 6to4 carries it after the prefix.
        [0x2002, high, low, ..] => v4(high, low),
        // Teredo hides addresses; ORCHID, benchmarks, documentation are no destinations.
        [0x2001, 0..=0x01ff | 0x0db8, ..] => false,
        [0x3fff, 0..=0x0fff, ..] => false,
        // Global unicast is all in 2000::/3. Loopback, unique local, link-local, site-local, multicast are outside.
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_refused_in_every_disguise() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
        ] {
            let address: IpAddr = inside.parse().unwrap();
            assert!(!AddressGuard::PublicOnly.allows(address), "{inside}");
        }
    }

    #[test]
    fn addresses_outside_are_allowed() {
        for outside in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "2002:101:101::1",
            "2001:4860::8888",
        ] {
            let address: IpAddr = outside.parse().unwrap();
            assert!(AddressGuard::PublicOnly.allows(address), "{outside}");
        }
        assert!(AddressGuard::AllowPrivate.allows("127.0.0.1".parse().unwrap()));
        assert!(!AddressGuard::AllowPrivate.allows("224.0.0.1".parse().unwrap()));
    }
}
