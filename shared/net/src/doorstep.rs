//! Who stands at the door: TCP connections that were accepted and have not shown yet what they want.
//!
//! Each costs a file and, in its handshake, some memory, and nothing is known of it but an address. Owns counts, no sockets.
//! Invariant: a place is given back when its [`Step`] is dropped.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use parking_lot::Mutex;

/// At once, in all.
const ALL_MAX: usize = 4096;
/// At once, of one network: a company that comes back together is there for milliseconds each.
const NETWORK_MAX: usize = 512;

/// Places at the door.
#[derive(Clone, Default)]
pub struct Doorstep(Arc<Mutex<Places>>);

#[derive(Default)]
struct Places {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// One of them.
pub struct Step {
    places: Arc<Mutex<Places>>,
    network: Option<IpAddr>,
}

impl Doorstep {
    /// A place for a connection from `address`; `None`: there are too many, and it is to be closed. The machine itself may be a
    /// proxy for everybody, and is not counted as one network.
    pub fn enter(&self, address: IpAddr) -> Option<Step> {
        let network = (!address.to_canonical().is_loopback()).then(|| network(address));
        let mut places = self.0.lock();
        if places.all >= ALL_MAX {
            return None;
        }
        if let Some(network) = network {
            let here = places.by_network.entry(network).or_default();
            if *here >= NETWORK_MAX {
                return None;
            }
            *here += 1;
        }
        places.all += 1;
        Some(Step { places: self.0.clone(), network })
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let mut places = self.places.lock();
        places.all -= 1;
        let Some(network) = self.network else { return };
        if let Some(here) = places.by_network.get_mut(&network) {
            *here -= 1;
            if *here == 0 {
                places.by_network.remove(&network);
            }
        }
    }
}

/// Who is one to us: an IPv4 address, or the network that an IPv6 customer gets (/64).
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_share_all_have_theirs_and_who_leaves_makes_room() {
        let door = Doorstep::default();
        let v6 = |n: u16, host: u16| IpAddr::from([0x2001, 0xdb8, 0, n, 0, 0, 0, host]);
        let mut crowd: Vec<Step> = (0..NETWORK_MAX).map(|host| door.enter(v6(0, host as u16)).unwrap()).collect();
        assert!(door.enter(v6(0, 9999)).is_none(), "one network");
        let networks = (ALL_MAX / NETWORK_MAX) as u16;
        crowd.extend(
            (1..networks)
                .flat_map(|n| (0..NETWORK_MAX).map(move |host| (n, host as u16)))
                .map(|(n, host)| door.enter(v6(n, host)).unwrap()),
        );
        assert!(door.enter(v6(networks, 0)).is_none() && door.enter(IpAddr::from([127, 0, 0, 1])).is_none(), "all");
        crowd.pop();
        drop(door.enter(v6(networks, 0)).unwrap());
        let local: Vec<Option<Step>> = (0..2).map(|_| door.enter(IpAddr::from([127, 0, 0, 1]))).collect();
        assert!(local[0].is_some() && local[1].is_none());
        drop((crowd, local));
        assert!(door.0.lock().by_network.is_empty() && door.0.lock().all == 0, "nothing stays");
    }
}
