//! A disk in memory that does what real disks do to people: loses what was not synced, tears it, reorders it, fails a sync,
//! runs full, flips a bit. For the tests of this crate and of every crate that stores through it.
//!
//! Owns two states of each file and of the folder: what the process sees, and what is durable. Never uses chance of its
//! own: everything follows from the calls and the seed.
//!
//! Invariant: after [`FaultDisk::crash`] everything that a sync returned `Ok` for is there, and nothing else is certain.

mod crash;
mod node;
mod random;

use crate::disk::{Disk, DiskFile};
use node::{NameChange, Node};
use parking_lot::Mutex;
pub use random::SplitMix64;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Sector of the disk, in bytes: written whole or not at all (unless a crash tears at bytes).
pub const SECTOR: usize = 512;

/// The disk; clones are the same disk.
#[derive(Clone, Default)]
pub struct FaultDisk {
    world: Arc<Mutex<World>>,
}

/// What the next failures are. Counts begin at 1 with the next call of that sort.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Fail this sync (of a file or of the folder).
    pub fail_sync: Option<u64>,
    /// And forget the file's unsynced writes as Linux does: still readable, marked clean, never written.
    pub drop_dirty: bool,
    /// Fail this write with an I/O error, having written half of it.
    pub fail_write: Option<u64>,
    /// The power goes off during this change (a write, a resize, a sync, a rename …): it and everything after it fails.
    pub power_off: Option<u64>,
}

/// How often what was called, from the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub writes: u64,
    pub syncs: u64,
    /// All calls that change something, syncs included.
    pub changes: u64,
    pub reads: u64,
    pub opens: u64,
}

#[derive(Default)]
struct World {
    nodes: Vec<Node>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    name_changes: Vec<NameChange>,
    capacity: Option<u64>,
    free_pretended: Option<u64>,
    counts: Counts,
    open_files: u64,
    /// In absolute counts.
    faults: Faults,
    off: bool,
}

impl FaultDisk {
    /// An empty disk without end.
    pub fn new() -> FaultDisk {
        FaultDisk::default()
    }

    /// The same disk as an `Arc` of the trait.
    pub fn arc(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// Sets the failures to come, counted from now.
    pub fn set_faults(&self, faults: Faults) {
        let mut world = self.world.lock();
        let counts = world.counts;
        world.faults = Faults {
            fail_sync: faults.fail_sync.map(|n| n + counts.syncs),
            fail_write: faults.fail_write.map(|n| n + counts.writes),
            power_off: faults.power_off.map(|n| n + counts.changes),
            drop_dirty: faults.drop_dirty,
        };
    }

    /// Bytes that all files together may have; `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world.lock().capacity = bytes;
    }

    /// What `free_bytes` says, whatever is true: another process may be faster.
    pub fn pretend_free(&self, bytes: Option<u64>) {
        self.world.lock().free_pretended = bytes;
    }

    pub fn counts(&self) -> Counts {
        self.world.lock().counts
    }

    /// Files that are open now.
    pub fn open_files(&self) -> u64 {
        self.world.lock().open_files
    }

    /// Whether the power has gone off.
    pub fn is_off(&self) -> bool {
        self.world.lock().off
    }

    /// Bytes of all files as the process sees them.
    pub fn used_bytes(&self) -> u64 {
        self.world.lock().used()
    }

    /// The content of a file as the process sees it; `None` if there is no such file.
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        let world = self.world.lock();
        world.names.get(name).map(|&id| world.nodes[id].content.clone())
    }

    /// Puts a durable file there, or takes its place.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut world = self.world.lock();
        let id = world.nodes.len();
        world.nodes.push(Node::durable(bytes.to_vec()));
        world.names.insert(name.to_owned(), id);
        world.durable_names.insert(name.to_owned(), id);
    }

    /// Flips the bits of `mask` in one durable byte.
    ///
    /// # Panics
    /// If there is no such byte.
    pub fn flip(&self, name: &str, offset: usize, mask: u8) {
        let mut world = self.world.lock();
        let id = *world.names.get(name).expect("a file to flip a bit in");
        let node = &mut world.nodes[id];
        node.content[offset] ^= mask;
        if let Some(byte) = node.durable.get_mut(offset) {
            *byte ^= mask;
        }
    }

    /// A disk of its own with the same files, all durable.
    pub fn copy(&self) -> FaultDisk {
        let copy = FaultDisk::new();
        let world = self.world.lock();
        for (name, &id) in &world.names {
            copy.put(name, &world.nodes[id].content);
        }
        drop(world);
        copy
    }

    /// The disk after the power went off and came back: what was not synced was, as `seed` has it, kept, lost, torn or
    /// reordered. Failures that were set are gone; the old disk is not changed.
    pub fn crash(&self, seed: u64) -> FaultDisk {
        let world = self.world.lock();
        FaultDisk { world: Arc::new(Mutex::new(crash::crash(&world, seed))) }
    }

    /// The process was killed and started again: what it wrote is still in the page cache, and failures that were set are
    /// gone.
    pub fn restart(&self) {
        let mut world = self.world.lock();
        world.off = false;
        world.faults = Faults::default();
    }
}

impl World {
    fn used(&self) -> u64 {
        self.names.values().map(|&id| self.nodes[id].content.len() as u64).sum()
    }

    fn id(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, name.to_owned()))
    }

    /// Counts a change; fails if the power is off. `Ok(true)`: it goes off now, the change may or may not reach the disk.
    fn change(&mut self) -> io::Result<bool> {
        self.alive()?;
        self.counts.changes += 1;
        self.off = self.faults.power_off == Some(self.counts.changes);
        Ok(self.off)
    }

    fn alive(&self) -> io::Result<()> {
        if self.off { Err(power_off()) } else { Ok(()) }
    }

    /// Counts a sync; says whether it must fail.
    fn sync(&mut self) -> io::Result<()> {
        let off = self.change()?;
        self.counts.syncs += 1;
        if off { Err(power_off()) } else { Ok(()) }
    }

    fn sync_fails(&self) -> bool {
        self.faults.fail_sync == Some(self.counts.syncs)
    }
}

fn power_off() -> io::Error {
    io::Error::other("the power is off")
}

fn broken(what: &'static str) -> io::Error {
    io::Error::other(what)
}

impl Disk for FaultDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let world = self.world.lock();
        world.alive()?;
        Ok(world.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world.lock();
        world.alive()?;
        world.counts.opens += 1;
        let id = world.id(name)?;
        world.open_files += 1;
        Ok(Arc::new(FaultFile { world: self.world.clone(), id }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world.lock();
        let off = world.change()?;
        let id = match world.names.get(name) {
            Some(&id) => {
                world.nodes[id].resize(0);
                id
            }
            None => {
                let id = world.nodes.len();
                world.nodes.push(Node::default());
                world.names.insert(name.to_owned(), id);
                world.name_changes.push(NameChange::Link { name: name.to_owned(), id });
                id
            }
        };
        if off {
            return Err(power_off());
        }
        world.open_files += 1;
        Ok(Arc::new(FaultFile { world: self.world.clone(), id }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        let off = world.change()?;
        let id = world.id(from)?;
        world.names.remove(from);
        world.names.insert(to.to_owned(), id);
        world.name_changes.push(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), id });
        if off { Err(power_off()) } else { Ok(()) }
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        let off = world.change()?;
        let id = world.id(from)?;
        if world.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        world.names.insert(to.to_owned(), id);
        world.name_changes.push(NameChange::Link { name: to.to_owned(), id });
        if off { Err(power_off()) } else { Ok(()) }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        let off = world.change()?;
        world.id(name)?;
        world.names.remove(name);
        world.name_changes.push(NameChange::Remove { name: name.to_owned() });
        if off { Err(power_off()) } else { Ok(()) }
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut world = self.world.lock();
        world.sync()?;
        if world.sync_fails() {
            return Err(broken("this sync of the folder fails"));
        }
        world.durable_names = world.names.clone();
        world.name_changes.clear();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let world = self.world.lock();
        world.alive()?;
        let free = world.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(world.used()));
        Ok(world.free_pretended.unwrap_or(free))
    }
}

struct FaultFile {
    world: Arc<Mutex<World>>,
    id: usize,
}

impl Drop for FaultFile {
    fn drop(&mut self) {
        self.world.lock().open_files -= 1;
    }
}

impl DiskFile for FaultFile {
    fn size(&self) -> io::Result<u64> {
        let world = self.world.lock();
        world.alive()?;
        Ok(world.nodes[self.id].content.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut world = self.world.lock();
        world.alive()?;
        world.counts.reads += 1;
        let content = &world.nodes[self.id].content;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = content.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world.lock();
        let off = world.change()?;
        world.counts.writes += 1;
        if world.faults.fail_write == Some(world.counts.writes) {
            world.nodes[self.id].write(offset, &bytes[..bytes.len() / 2]);
            return Err(broken("this write fails"));
        }
        let size = world.nodes[self.id].content.len() as u64;
        let grows = (offset + bytes.len() as u64).saturating_sub(size);
        let free = world.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(world.used()));
        if grows > free {
            let fitting = (size + free).saturating_sub(offset).min(bytes.len() as u64) as usize;
            world.nodes[self.id].write(offset, &bytes[..fitting]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        world.nodes[self.id].write(offset, bytes);
        if off { Err(power_off()) } else { Ok(()) }
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut world = self.world.lock();
        let off = world.change()?;
        world.nodes[self.id].resize(size);
        if off { Err(power_off()) } else { Ok(()) }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.world.lock();
        world.sync()?;
        if world.sync_fails() {
            if world.faults.drop_dirty {
                world.nodes[self.id].pending.clear();
            }
            return Err(broken("this sync fails"));
        }
        world.nodes[self.id].sync();
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn names(&self) -> io::Result<u64> {
        Ok(self.world.lock().names.values().filter(|&&id| id == self.id).count() as u64)
    }
}
