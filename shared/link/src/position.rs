//! Where one direction of a link stands: the sender's epoch, the last item's number, and the running hash up to it.
//! federation-spec/03-link.md §4
//!
//! Two positions of one epoch with one sequence and different running hashes prove that a history was cut. An item
//! that is withheld counts with its hash, so erasing changes no running hash.

use startalk_protocol::{Code, Error, pb::link::StreamPosition};

/// A place in one direction of a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// New whenever the sender's history may have been cut.
    pub epoch: [u8; 16],
    /// Of the last item; 0 before the first.
    pub sequence: u64,
    /// Running hash after that item; zeros before the first.
    pub running: [u8; 32],
}

impl Position {
    /// Before the first item of `epoch`.
    pub fn start(epoch: [u8; 16]) -> Self {
        Self { epoch, sequence: 0, running: [0; 32] }
    }

    /// After one more item with this hash.
    #[must_use]
    pub fn after(&self, item_hash: &[u8; 32]) -> Self {
        Self { epoch: self.epoch, sequence: self.sequence + 1, running: running_after(&self.running, item_hash) }
    }

    pub(crate) fn to_wire(self) -> StreamPosition {
        StreamPosition { epoch: self.epoch.to_vec().into(), sequence: self.sequence, running: self.running.to_vec().into() }
    }

    /// `None` for the position that says "nothing".
    pub(crate) fn from_wire(wire: &StreamPosition) -> Result<Option<Self>, Error> {
        let malformed = || Error::new(Code::Malformed).with("expected", "a position in a link");
        if wire.epoch.is_empty() && wire.sequence == 0 && wire.running.is_empty() {
            return Ok(None);
        }
        let epoch = wire.epoch.as_ref().try_into().map_err(|_| malformed())?;
        let running = wire.running.as_ref().try_into().map_err(|_| malformed())?;
        if wire.sequence == 0 && running != [0; 32] {
            return Err(malformed());
        }
        Ok(Some(Self { epoch, sequence: wire.sequence, running }))
    }
}

impl std::fmt::Debug for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = |bytes: &[u8]| bytes.iter().take(4).map(|b| format!("{b:02x}")).collect::<String>();
        write!(f, "{}/{}#{}", head(&self.epoch), self.sequence, head(&self.running))
    }
}

/// BLAKE3 of an item's bytes.
pub fn item_hash(item: &[u8]) -> [u8; 32] {
    *blake3::hash(item).as_bytes()
}

/// The running hash after an item, from the one before it (zeros before the first) and the item's hash.
pub fn running_after(running: &[u8; 32], item_hash: &[u8; 32]) -> [u8; 32] {
    let mut both = [0; 64];
    both[..32].copy_from_slice(running);
    both[32..].copy_from_slice(item_hash);
    *blake3::hash(&both).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_an_empty_position_and_everything_else_is_whole() {
        assert_eq!(Position::from_wire(&StreamPosition::default()), Ok(None));
        let position = Position::start([1; 16]).after(&item_hash(b"a"));
        assert_eq!(Position::from_wire(&position.to_wire()), Ok(Some(position)));
        for broken in [
            StreamPosition { sequence: 1, ..StreamPosition::default() },
            StreamPosition { epoch: vec![1; 15].into(), ..position.to_wire() },
            StreamPosition { running: vec![1; 31].into(), ..position.to_wire() },
            StreamPosition { sequence: 0, ..position.to_wire() },
        ] {
            assert_eq!(Position::from_wire(&broken).unwrap_err().code, Code::Malformed, "{broken:?}");
        }
    }
}
