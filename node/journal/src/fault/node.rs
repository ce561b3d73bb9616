//! One file of the fault disk: as the process sees it, as it is durable, and the changes in between.
//!
//! Owns how a change is applied. Never decides which changes survive.
//!
//! Invariant: the durable content with all pending changes applied in order is what the process sees – until a failed sync
//! drops some.

/// A change of the content that is not durable yet.
#[derive(Clone)]
pub enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Resize { size: u64 },
}

/// A change of the folder that is not durable yet.
#[derive(Clone)]
pub enum NameChange {
    Link { name: String, id: usize },
    Rename { from: String, to: String, id: usize },
    Remove { name: String },
}

#[derive(Clone, Default)]
pub struct Node {
    pub content: Vec<u8>,
    pub durable: Vec<u8>,
    pub pending: Vec<Change>,
}

impl Node {
    pub fn durable(content: Vec<u8>) -> Node {
        Node { durable: content.clone(), content, pending: Vec::new() }
    }

    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        write(&mut self.content, offset, bytes);
        self.pending.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub fn resize(&mut self, size: u64) {
        self.content.resize(size as usize, 0);
        self.pending.push(Change::Resize { size });
    }

    pub fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, &change);
        }
    }
}

pub fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => write(content, *offset, bytes),
        Change::Resize { size } => content.resize(*size as usize, 0),
    }
}

/// Writes `bytes`, filling a gap in front of them with zeros.
pub fn write(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}
