//! The virtual network: connections of ordered bytes with delays of their own, so that what different links carry
//! overtakes each other; connections that break, silently or not; pairs of nodes that cannot reach each other.
//!
//! Owns all bytes on their way. Knows no frame. Invariant: one direction of one connection is in order, and may end
//! anywhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::chance::Chance;

/// How long a dial waits for an answer that does not come, in milliseconds.
pub const CONNECT_MS: u64 = 10_000;

/// How long anything is on its way at most, in milliseconds.
pub const DELAY_MS_MAX: u64 = 6_000;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    connection: u64,
    side: usize,
}

/// What the network has for an end.
#[derive(Debug)]
pub enum Arrival {
    /// Bytes, in order.
    Bytes(Bytes),
    /// Nothing now.
    Nothing,
    /// There will be nothing more.
    End(&'static str),
}

struct Connection {
    nodes: [usize; 2],
    /// On their way to the end with this index.
    arriving: [VecDeque<(u64, Bytes)>; 2],
    last_due: [u64; 2],
    /// The other end has finished, or the connection broke: from then on nothing comes.
    ended: [Option<(u64, &'static str)>; 2],
    /// The process at this end is gone.
    gone: [bool; 2],
    delay_ms: u64,
}

/// All connections, and who reaches whom.
#[derive(Default)]
pub struct Network {
    connections: BTreeMap<u64, Connection>,
    last: u64,
    parted: BTreeSet<(usize, usize)>,
    up: Vec<bool>,
    incoming: VecDeque<(u64, usize, usize, Port)>,
    /// Bytes carried so far.
    pub carried: u64,
}

impl Network {
    /// A network of so many nodes, all down.
    pub fn new(nodes: usize) -> Self {
        Self { up: vec![false; nodes], ..Self::default() }
    }

    /// Whether the two reach each other now.
    pub fn reaches(&self, a: usize, b: usize) -> bool {
        !self.parted.contains(&(a.min(b), a.max(b)))
    }

    /// Parts two nodes, or joins them again.
    pub fn part(&mut self, a: usize, b: usize, parted: bool) {
        let pair = (a.min(b), a.max(b));
        if parted {
            self.parted.insert(pair)
        } else {
            self.parted.remove(&pair)
        };
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.up.len()
    }

    /// A node listens, or not.
    pub fn set_up(&mut self, node: usize, up: bool) {
        self.up[node] = up;
    }

    /// A connection from `from` to `to`, if it can be made.
    pub fn connect(&mut self, from: usize, to: usize, now_ms: u64, chance: &mut Chance) -> Option<Port> {
        if !self.reaches(from, to) || !self.up[to] {
            return None;
        }
        self.last += 1;
        let delay_ms = if chance.one_in(8) { chance.between(200, DELAY_MS_MAX / 2) } else { chance.between(1, 80) };
        self.connections.insert(
            self.last,
            Connection {
                nodes: [from, to],
                arriving: Default::default(),
                last_due: [now_ms; 2],
                ended: [None, None],
                gone: [false, false],
                delay_ms,
            },
        );
        self.incoming.push_back((now_ms, to, from, Port { connection: self.last, side: 1 }));
        Some(Port { connection: self.last, side: 0 })
    }

    /// A connection that came for `node`.
    pub fn accept(&mut self, node: usize) -> Option<Port> {
        let at = self.incoming.iter().position(|i| i.1 == node)?;
        self.incoming.remove(at).map(|i| i.3)
    }

    /// Who is at the other end.
    pub fn other(&self, port: Port) -> Option<usize> {
        self.connections.get(&port.connection).map(|c| c.nodes[1 - port.side])
    }

    /// Sends bytes to the other end.
    pub fn send(&mut self, port: Port, bytes: Bytes, now_ms: u64, chance: &mut Chance) {
        let Some(connection) = self.connections.get_mut(&port.connection) else { return };
        let to = 1 - port.side;
        if connection.gone[to] || connection.ended[to].is_some() {
            return;
        }
        self.carried += bytes.len() as u64;
        let due = now_ms + connection.delay_ms + chance.below(connection.delay_ms + 1);
        let due = due.max(connection.last_due[to]);
        connection.last_due[to] = due;
        connection.arriving[to].push_back((due, bytes));
    }

    /// What has come by now: a piece of at most `max` bytes.
    pub fn receive(&mut self, port: Port, max: usize, now_ms: u64) -> Arrival {
        let Some(connection) = self.connections.get_mut(&port.connection) else { return Arrival::End("it is gone") };
        let pair = (connection.nodes[0].min(connection.nodes[1]), connection.nodes[0].max(connection.nodes[1]));
        if self.parted.contains(&pair) {
            return Arrival::Nothing;
        }
        let arriving = &mut connection.arriving[port.side];
        match arriving.front_mut() {
            Some((due, bytes)) if *due <= now_ms => {
                let piece = bytes.split_to(max.min(bytes.len()));
                if bytes.is_empty() {
                    arriving.pop_front();
                }
                Arrival::Bytes(piece)
            }
            Some(_) => Arrival::Nothing,
            None => match connection.ended[port.side] {
                Some((due, why)) if due <= now_ms => Arrival::End(why),
                _ => Arrival::Nothing,
            },
        }
    }

    /// When something comes for this end next, if it is on its way.
    pub fn due_ms(&self, port: Port) -> Option<u64> {
        let connection = self.connections.get(&port.connection)?;
        if !self.reaches(connection.nodes[0], connection.nodes[1]) {
            return None;
        }
        let bytes = connection.arriving[port.side].front().map(|(due, _)| *due);
        bytes.or_else(|| connection.ended[port.side].map(|(due, _)| due))
    }

    /// This end has said everything: the other hears so after the last byte.
    pub fn finish(&mut self, port: Port, now_ms: u64) {
        self.leave(port, Some((now_ms, "the other side closed the connection")));
    }

    /// The process at this end is gone; the other end hears it, or nothing at all.
    pub fn vanish(&mut self, port: Port, is_heard: bool, now_ms: u64) {
        self.leave(port, is_heard.then_some((now_ms, "connection reset")));
    }

    fn leave(&mut self, port: Port, heard: Option<(u64, &'static str)>) {
        let Some(connection) = self.connections.get_mut(&port.connection) else { return };
        let other = 1 - port.side;
        connection.gone[port.side] = true;
        connection.arriving[port.side].clear();
        if let Some((now_ms, why)) = heard {
            let due = connection.last_due[other].max(now_ms + connection.delay_ms);
            connection.ended[other].get_or_insert((due, why));
        }
        if connection.gone == [true, true] {
            self.connections.remove(&port.connection);
        }
    }

    /// Breaks one connection: some of what is on its way arrives, and both ends hear it.
    pub fn cut_one(&mut self, now_ms: u64, chance: &mut Chance) -> Option<[usize; 2]> {
        let all: Vec<u64> = self.connections.keys().copied().collect();
        let connection = self.connections.get_mut(chance.one_of(&all)?)?;
        for side in [0, 1] {
            let kept = chance.below(connection.arriving[side].len() as u64 + 1) as usize;
            connection.arriving[side].truncate(kept);
            if let Some((_, last)) = connection.arriving[side].back_mut()
                && chance.one_in(2)
            {
                last.truncate(chance.index(last.len().max(1)));
            }
            let due = now_ms + connection.delay_ms;
            connection.ended[side] = Some((due, "connection reset"));
        }
        Some(connection.nodes)
    }
}
