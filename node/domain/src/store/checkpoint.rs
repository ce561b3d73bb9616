//! Checkpoints: the whole view tree at one position of the journal as one stream of bytes, so that a damaged tree need not
//! be made again from the journal's beginning.
//!
//! ```text
//! "STVIEWS\n" | length u32 | meta, sealed as a view's value is
//! per entry: key length u32 (never 0) | value length u32 | key | value as stored
//! 0 u32 | count of entries u64 | first 24 bytes of the BLAKE3 of all before
//! ```
//!
//! Owns these bytes; where files lie and how they become durable is the node's. sled gives no snapshot, so whoever writes
//! one holds flushes back meanwhile ([`Store::hold`]); the digest shows whether that was kept to.
//!
//! Invariant: what was loaded has the digest that the tree had at that position, or it does not say how far it reaches.

use std::{
    io::{self, Read, Write},
    sync::{Arc, atomic::Ordering},
};

use super::{META_KEY, Meta, Store, TreeError, codec};

const MAGIC: &[u8; 8] = b"STVIEWS\n";
/// What the meta is sealed under, so that a value of the tree is never taken for it.
const HEAD_KEY: &[u8] = b"\0checkpoint";
/// Bytes of a meta at most.
const HEAD_BYTES_MAX: u32 = 256;
/// Bytes of a key at most; modules' keys are a prefix and a few numbers or a name.
const KEY_BYTES_MAX: u32 = 4096;
/// Bytes of a stored value at most: the codec's limit and its check.
const VALUE_BYTES_MAX: u32 = 5 * 1024 * 1024;
/// Bytes given to the tree at once while loading.
const LOAD_BYTES: usize = 1024 * 1024;
const HASH_BYTES: usize = 24;

/// Why there is no checkpoint, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file's or the disk's.
    #[error("the checkpoint: {0}")]
    Io(#[from] io::Error),
    /// The tree's.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// It is not as it was written.
    #[error("the checkpoint is damaged: {0}")]
    Damaged(&'static str),
    /// The tree was flushed while it was read; a later one will do.
    #[error("the views changed while the checkpoint was written")]
    Moved,
}

/// The tree as it stands, to be written by whoever has time. While it lives, flushes are held back.
pub struct Export {
    store: Arc<Store>,
    meta: Meta,
    flushes: u64,
}

impl Export {
    /// The position that the checkpoint will have.
    pub fn position(&self) -> u64 {
        self.meta.position
    }

    /// Bytes that it will have, about.
    pub fn bytes(&self) -> u64 {
        self.store.disk_bytes()
    }

    /// Writes the checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`]; what was written is to be thrown away.
    pub fn write(&self, out: &mut dyn Write) -> Result<(), CheckpointError> {
        write(&self.store, &self.meta, self.flushes, out)
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.store.held.store(false, Ordering::Release);
    }
}

impl Store {
    /// Holds flushes back, to write a checkpoint of the tree as the last one left it; `None` if one is being written.
    pub fn hold(self: &Arc<Self>) -> Option<Export> {
        if self.held.swap(true, Ordering::AcqRel) {
            return None;
        }
        Some(Export { store: self.clone(), meta: self.meta(), flushes: self.flushes.load(Ordering::Acquire) })
    }

    /// Whether a flush should wait for a checkpoint that is being written; one that does not spoils it.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// Writes a checkpoint of the tree at once; nobody may flush meanwhile.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn write_checkpoint(&self, out: &mut dyn Write) -> Result<(), CheckpointError> {
        write(self, &self.meta(), self.flushes.load(Ordering::Acquire), out)
    }
}

fn write(store: &Store, meta: &Meta, flushes: u64, out: &mut dyn Write) -> Result<(), CheckpointError> {
    let mut out = Hashed { inner: out, hasher: blake3::Hasher::new() };
    let head = codec::seal(HEAD_KEY, &codec::payload(meta)).0;
    out.write_all(MAGIC)?;
    out.write_all(&len(&head)?)?;
    out.write_all(&head)?;
    let (mut digest, mut count) = (0_u128, 0_u64);
    for entry in store.tree.iter() {
        if store.flushes.load(Ordering::Acquire) != flushes {
            return Err(CheckpointError::Moved);
        }
        let (key, stored) = entry.map_err(TreeError::from)?;
        if key.as_ref() == META_KEY {
            continue;
        }
        digest = digest.wrapping_add(check(&key, &stored)?);
        count += 1;
        out.write_all(&len(&key)?)?;
        out.write_all(&len(&stored)?)?;
        out.write_all(&key)?;
        out.write_all(&stored)?;
    }
    if store.flushes.load(Ordering::Acquire) != flushes {
        return Err(CheckpointError::Moved);
    }
    if digest != meta.digest {
        return Err(TreeError::Damaged(format!("the digest of {count} values differs")).into());
    }
    out.write_all(&[0; 4])?;
    out.write_all(&count.to_le_bytes())?;
    let hash = out.hasher.finalize();
    out.inner.write_all(&hash.as_bytes()[..HASH_BYTES])?;
    Ok(())
}

fn len(bytes: &[u8]) -> io::Result<[u8; 4]> {
    u32::try_from(bytes.len()).map(u32::to_le_bytes).map_err(io::Error::other)
}

fn check(key: &[u8], stored: &[u8]) -> Result<u128, CheckpointError> {
    let computed = codec::computed_check(key, stored).map_err(|e| TreeError::Damaged(e.to_string()))?;
    match codec::stored_check(stored) {
        Ok(check) if check == computed => Ok(check),
        _ => Err(TreeError::Damaged("a value's check does not match".into()).into()),
    }
}

/// A checkpoint that is read back: first what it says of itself, then everything.
pub struct Incoming<R> {
    input: Hashing<R>,
    meta: Meta,
}

impl<R: Read> Incoming<R> {
    /// Reads what the checkpoint says of itself.
    ///
    /// # Errors
    /// [`CheckpointError::Damaged`], or the file's.
    pub fn open(input: R) -> Result<Self, CheckpointError> {
        let mut input = Hashing { inner: input, hasher: blake3::Hasher::new() };
        if input.take(MAGIC.len())? != MAGIC {
            return Err(CheckpointError::Damaged("it does not begin as one"));
        }
        let len = input.number()?;
        if len > HEAD_BYTES_MAX {
            return Err(CheckpointError::Damaged("its head is too long"));
        }
        let head = input.take(len as usize)?;
        let meta = codec::open(HEAD_KEY, &head).map_err(|_| CheckpointError::Damaged("its head"))?;
        Ok(Self { input, meta })
    }

    /// Position, chain tag, digest and layout of the views in it.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Fills an empty store. If it fails, the store's folder is to be thrown away: it does not say how far it reaches.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn load(mut self, store: &Store) -> Result<Meta, CheckpointError> {
        if store.meta() != Meta::default() || store.tree.iter().next().is_some() {
            return Err(CheckpointError::Damaged("there are views already"));
        }
        let (mut digest, mut count) = (0_u128, 0_u64);
        let (mut batch, mut bytes) = (sled::Batch::default(), 0);
        loop {
            let key_len = self.input.number()?;
            if key_len == 0 {
                break;
            }
            let value_len = self.input.number()?;
            if key_len > KEY_BYTES_MAX || value_len > VALUE_BYTES_MAX {
                return Err(CheckpointError::Damaged("an entry is too long"));
            }
            let (key, stored) = (self.input.take(key_len as usize)?, self.input.take(value_len as usize)?);
            let check = check(&key, &stored).map_err(|_| CheckpointError::Damaged("a value's check does not match"))?;
            digest = digest.wrapping_add(check);
            count += 1;
            bytes += key.len() + stored.len();
            batch.insert(key, stored);
            if bytes >= LOAD_BYTES {
                store.tree.apply_batch(std::mem::take(&mut batch)).map_err(TreeError::from)?;
                bytes = 0;
            }
        }
        if self.input.take(8)? != count.to_le_bytes() {
            return Err(CheckpointError::Damaged("entries are missing"));
        }
        let hash = self.input.hasher.finalize();
        let stored = self.input.take(HASH_BYTES)?;
        if stored != hash.as_bytes()[..HASH_BYTES] || self.input.inner.read(&mut [0])? != 0 {
            return Err(CheckpointError::Damaged("its hash"));
        }
        if digest != self.meta.digest {
            return Err(CheckpointError::Damaged("the digest of its values"));
        }
        // Last: until then the tree says that it reaches nowhere.
        batch.insert(META_KEY, codec::seal(META_KEY, &codec::payload(&self.meta)).0);
        store.tree.apply_batch(batch).map_err(TreeError::from)?;
        *store.meta.lock() = self.meta.clone();
        store.clean.lock().clear();
        store.flushes.fetch_add(1, Ordering::AcqRel);
        Ok(self.meta)
    }
}

struct Hashed<'a> {
    inner: &'a mut dyn Write,
    hasher: blake3::Hasher,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

struct Hashing<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Hashing<R> {
    /// The next `len` bytes; the caller has bounded `len`.
    fn take(&mut self, len: usize) -> Result<Vec<u8>, CheckpointError> {
        let mut bytes = vec![0; len];
        self.inner.read_exact(&mut bytes).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => CheckpointError::Damaged("it ends too early"),
            _ => e.into(),
        })?;
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32, CheckpointError> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Key, Read as _, Value};

    fn put(store: &Store, n: u64, value: &str) {
        store.commit(std::iter::once((Key::numbers(b't', b'x', &[n]), Some(Arc::new(value.to_owned()) as Arc<dyn Value>))));
    }

    fn filled() -> Arc<Store> {
        let store = Arc::new(Store::temporary().unwrap());
        (0..20).for_each(|n| put(&store, n, "value"));
        store.flush(7, [3; 8], 1).unwrap();
        store
    }

    fn loaded(bytes: &[u8]) -> Result<Store, CheckpointError> {
        let store = Store::temporary().unwrap();
        Incoming::open(bytes)?.load(&store)?;
        Ok(store)
    }

    #[test]
    fn what_is_loaded_is_what_was_written() {
        let store = filled();
        let mut bytes = Vec::new();
        store.hold().unwrap().write(&mut bytes).unwrap();
        let other = loaded(&bytes).unwrap();
        assert_eq!((other.meta(), other.verify().unwrap()), (store.meta(), 20));
        assert_eq!(other.get::<String>(&Key::numbers(b't', b'x', &[4])).unwrap().as_str(), "value");
        assert!(Incoming::open(&bytes[..]).unwrap().load(&other).is_err(), "only into an empty tree");
    }

    #[test]
    fn every_cut_every_changed_bit_and_every_addition_is_noticed() {
        let mut bytes = Vec::new();
        filled().write_checkpoint(&mut bytes).unwrap();
        for cut in (0..bytes.len()).step_by(7) {
            assert!(loaded(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for bit in (0..bytes.len() * 8).step_by(11) {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(loaded(&changed).is_err(), "bit {bit}");
        }
        bytes.push(0);
        assert!(loaded(&bytes).is_err());
    }

    #[test]
    fn one_at_a_time_and_a_flush_meanwhile_spoils_it() {
        let store = filled();
        let export = store.hold().unwrap();
        assert!(store.is_held() && store.hold().is_none());
        put(&store, 1, "later");
        store.flush(8, [4; 8], 1).unwrap();
        assert!(matches!(export.write(&mut Vec::new()), Err(CheckpointError::Moved)));
        drop(export);
        assert!(!store.is_held());
        store.hold().unwrap().write(&mut Vec::new()).unwrap();
    }

    #[test]
    fn a_damaged_tree_makes_no_checkpoint() {
        let store = filled();
        store.tree.remove(Key::numbers(b't', b'x', &[1]).bytes()).unwrap();
        assert!(matches!(store.write_checkpoint(&mut Vec::new()), Err(CheckpointError::Tree(_))));
    }
}
