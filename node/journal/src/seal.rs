//! The two ends of a segment's life as the active one: made durable before it is used, sealed before the next is made.
//!
//! Owns the order of syncs around both. Never leaves two unsealed segments: so an unsealed segment that is not the newest
//! is damage.
//!
//! Invariant: a file named `….segment` has a whole, durable header; a segment with a successor has a durable footer.

use crate::disk::{Disk, DiskFile, write_zeros};
use crate::error::{AppendError, is_full};
use crate::journal::Journal;
use crate::segment::{HEADER_BLOCK, SegmentHeader, file_name, seal_bytes, seal_len, unfinished_name};
use crate::shared::Sealed;
use std::io;
use std::sync::Arc;

pub enum MakeError {
    Full,
    Io { doing: &'static str, source: io::Error },
}

impl MakeError {
    pub fn io(doing: &'static str, source: io::Error) -> MakeError {
        if is_full(&source) { MakeError::Full } else { MakeError::Io { doing, source } }
    }
}

/// Makes a segment of `allocated` bytes under another name, and gives it its own when it is durable.
pub fn make_segment(disk: &dyn Disk, header: SegmentHeader, allocated: u64) -> Result<Arc<dyn DiskFile>, MakeError> {
    let unfinished = unfinished_name(header.number);
    let file = fill_segment(disk, &unfinished, header, allocated).inspect_err(|error| {
        if matches!(error, MakeError::Full) {
            // Gives the space back; if this fails, the next attempt empties the file anyway.
            let _ = disk.remove(&unfinished);
        }
    })?;
    // A sync that finds no space has failed like any other: what is durable is not known.
    let io = |doing| move |source| MakeError::Io { doing, source };
    file.sync_all().map_err(io("syncing a new segment"))?;
    disk.rename(&unfinished, &file_name(header.number)).map_err(io("naming a new segment"))?;
    disk.sync_dir().map_err(io("syncing the folder"))?;
    Ok(file)
}

fn fill_segment(disk: &dyn Disk, name: &str, header: SegmentHeader, allocated: u64) -> Result<Arc<dyn DiskFile>, MakeError> {
    let io = |source| MakeError::io("making a segment", source);
    let file = disk.create(name).map_err(io)?;
    file.write_at(0, &header.to_block()).map_err(io)?;
    write_zeros(&*file, HEADER_BLOCK as u64, allocated).map_err(io)?;
    Ok(file)
}

impl Journal {
    /// Ends the active segment with its table and footer; its records have been synced before.
    pub(crate) fn seal_active(&mut self) -> Result<(), AppendError> {
        let Some((file, end, count)) = self.active() else {
            return Ok(());
        };
        let size = u64::from(end) + seal_len(count) as u64;
        // Allocated with the batches already, unless the journal was opened since and nothing was appended.
        self.extend(&*file, size)?;
        let bytes = {
            let state = self.shared.state.read();
            let active = state.active.as_ref().expect("looked up above");
            seal_bytes(active.number, &active.offsets, end, &state.head)
        };
        let sealed = file.write_at(end.into(), &bytes).and_then(|()| file.set_size(size)).and_then(|()| file.sync_all());
        if let Err(error) = sealed {
            return Err(self.poisoned_by("sealing a segment", &error));
        }
        let mut state = self.shared.state.write();
        let position_before = state.head.position - count as u64;
        state.sealed.push(Sealed { position_before, count: count as u32, records_end: end });
        state.active = None;
        Ok(())
    }
}
