//! Two nodes and the connection between them, in virtual time: bytes are delivered in any chunks, and may be cut.

use std::collections::VecDeque;

use startalk_link::{Link, Role};

use crate::node::Node;

/// splitmix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

/// One end of a connection and the bytes on their way to it.
pub struct End {
    pub link: Link,
    pub arriving: VecDeque<u8>,
}

pub struct World {
    pub nodes: [Node; 2],
    pub ends: Option<[End; 2]>,
    pub now_ms: u64,
    /// Bytes given to a link at a time, at most.
    pub chunk: usize,
}

pub const A: usize = 0;
pub const B: usize = 1;

impl World {
    pub fn new() -> Self {
        let nodes = [Node::new(b'a', b'b'), Node::new(b'b', b'a')];
        Self { nodes, ends: None, now_ms: 1000, chunk: 16 * 1024 }
    }

    /// A new connection; what was on its way over the old one is lost.
    pub fn connect(&mut self, dialer: usize) {
        let acceptor = 1 - dialer;
        let peer = self.nodes[acceptor].domain.clone();
        let mut links = [A, B].map(|i| {
            let role = if i == dialer { Role::Dialer { peer: peer.clone() } } else { Role::Acceptor };
            Some(End { link: self.nodes[i].link(role, self.now_ms), arriving: VecDeque::new() })
        });
        self.nodes.iter_mut().for_each(|n| n.volatile.clear());
        self.ends = Some([A, B].map(|i| links[i].take().expect("made above")));
    }

    /// Takes everything that `from` has to send onto the wire; whether there was anything.
    pub fn flush(&mut self, from: usize) -> bool {
        let Some(ends) = &mut self.ends else { return false };
        let mut any = false;
        while let Some(bytes) = ends[from].link.transmit() {
            ends[1 - from].arriving.extend(bytes);
            any = true;
        }
        while let Some(datagram) = ends[from].link.datagram() {
            ends[1 - from].link.receive_datagram(&datagram, self.now_ms);
            any = true;
        }
        any
    }

    /// Delivers at most `max` bytes to `to`; whether there was anything.
    pub fn deliver(&mut self, to: usize, max: usize) -> bool {
        let Some(ends) = &mut self.ends else { return false };
        let end = &mut ends[to];
        let count = max.min(self.chunk).min(end.arriving.len());
        let any = count > 0 && (end.link.wants_bytes() || end.link.is_closed());
        if any {
            let bytes: Vec<u8> = end.arriving.drain(..count).collect();
            end.link.receive(&bytes, self.now_ms);
        }
        self.nodes[to].drive(&mut end.link);
        any
    }

    /// Until nothing moves any more.
    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            for i in [A, B] {
                moved |= self.deliver(i, usize::MAX);
                moved |= self.flush(i);
            }
            if !moved {
                return;
            }
        }
    }

    /// Lets time pass up to `until_ms`, stopping at every deadline; `alive` says whose clock runs.
    pub fn pass(&mut self, until_ms: u64, alive: &[usize]) {
        loop {
            let ends = self.ends.as_mut().expect("connected");
            let next = alive.iter().filter_map(|i| ends[*i].link.deadline()).min().unwrap_or(u64::MAX);
            self.now_ms = self.now_ms.max(next.min(until_ms));
            for i in alive {
                ends[*i].link.tick(self.now_ms);
            }
            for _ in 0..20 {
                for i in alive {
                    self.deliver(*i, usize::MAX);
                    self.flush(*i);
                }
            }
            if self.now_ms >= until_ms {
                return;
            }
        }
    }

    /// Connects and settles.
    pub fn meet(&mut self, dialer: usize) {
        self.connect(dialer);
        self.settle();
    }

    pub fn link(&mut self, i: usize) -> &mut Link {
        &mut self.ends.as_mut().expect("connected")[i].link
    }

    pub fn drive(&mut self, i: usize) {
        self.nodes[i].drive(&mut self.ends.as_mut().expect("connected")[i].link);
    }
}
