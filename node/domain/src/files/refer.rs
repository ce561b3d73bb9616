//! Which files a message refers to, when it is said: files that its author may read, or files of the domain that it comes from.

use bytes::Bytes;
use startalk_protocol::{
    Code, Error,
    pb::{events as pb, group::submission::Action},
};

use super::{NewFile, by_hash, entry, rights};
use crate::{
    context::Ctx,
    conversations::content::{self, Referred},
    directory::HERE,
    event::Event,
    governance,
    store::{New, Tx},
};

/// Numbers of files that an account here refers to in what it says.
///
/// # Errors
/// `no-such-file` for one that it may not read; `bad-value` if its size is another.
pub(crate) fn to_say(tx: &Tx, ctx: &Ctx, account: u64, files: &[Referred]) -> Result<Vec<u64>, Error> {
    let mut numbers = Vec::with_capacity(files.len());
    for file in files {
        let look = |position: u64| crate::conversations::record_at(tx, ctx, position);
        let here = rights::readable(tx, &look, account, &file.hash).ok_or(Code::NoSuchFile)?;
        if here.size != file.size {
            return Err(Error::new(Code::BadValue).with("field", "size").with("expected", here.size));
        }
        numbers.push(here.file);
    }
    Ok(numbers)
}

/// An edit of the message at this position may refer to files that the message has from the beginning, and to no other.
///
/// # Errors
/// `bad-value`.
pub(crate) fn stay(tx: &Tx, ctx: &Ctx, original: u64, files: &[Referred]) -> Result<(), Error> {
    if files.is_empty() {
        return Ok(());
    }
    let record = crate::conversations::record_at(tx, ctx, original).ok_or(Code::Internal)?;
    let there: Vec<_> = rights::files_of(&record.event).iter().filter_map(|n| entry(tx, *n)).collect();
    let is_there = |file: &Referred| there.iter().any(|e| e.hash == file.hash && e.size == file.size);
    let expected = "no file that the message did not have";
    if files.iter().all(is_there) {
        Ok(())
    } else {
        Err(Error::new(Code::BadValue).with("field", "files").with("expected", expected))
    }
}

/// Of a message in a group: numbers of its files, and what it holds. `account`: its author, if it is somebody here.
///
/// # Errors
/// As [`to_say`].
pub(crate) fn in_group(
    tx: &mut Tx,
    ctx: &mut Ctx,
    origin: u64,
    account: u64,
    action: Option<&Action>,
    written: Option<&[u8]>,
) -> Result<(Vec<u64>, u32), Error> {
    let (Some(Action::Message(_)), Some(written)) = (action, written) else { return Ok((Vec::new(), 0)) };
    let held = content::held(written);
    let files = if origin == HERE { to_say(tx, ctx, account, &held.files)? } else { met(tx, ctx, origin, &held.files) };
    Ok((files, held.kinds))
}

/// Numbers of files that somebody of another domain refers to; those that are not known from there are met.
pub(crate) fn met(tx: &mut Tx, ctx: &mut Ctx, origin: u64, files: &[Referred]) -> Vec<u64> {
    let known = |tx: &Tx, file: &Referred| {
        let fits = |number: u64| entry(tx, number).is_some_and(|e| e.size == file.size && !e.forgotten);
        by_hash(tx, &file.hash).iter().find(|f| f.0 == origin && fits(f.1)).map(|f| f.1)
    };
    let new: Vec<NewFile> = files
        .iter()
        .filter(|file| known(tx, file).is_none())
        .map(|f| NewFile { hash: f.hash, size: f.size, media_type: f.media_type.clone(), picture: None })
        .collect();
    if !new.is_empty() {
        emit_met(tx, ctx, origin, &new);
    }
    files.iter().filter_map(|file| known(tx, file)).collect()
}

/// Numbers of those of these files that somebody here has put into the store.
pub(crate) fn met_here(tx: &Tx, files: &[Referred]) -> Vec<u64> {
    let here = |file: &Referred| by_hash(tx, &file.hash).iter().find(|f| f.0 == HERE).map(|f| f.1);
    files.iter().filter_map(here).collect()
}

/// Gives the files the next numbers.
pub(super) fn emit_met(tx: &mut Tx, ctx: &mut Ctx, origin: u64, files: &[NewFile]) {
    let first = governance::numbers(tx).file + 1;
    let copy = |hash: Option<[u8; 32]>| hash.map(|h| Bytes::copy_from_slice(&h)).unwrap_or_default();
    let met = |file: &NewFile| {
        let picture = file.picture.clone().unwrap_or_default();
        pb::MetFile {
            hash: Bytes::copy_from_slice(&file.hash),
            media_type: file.media_type.clone(),
            width: picture.width,
            height: picture.height,
            blur: picture.blur.into(),
            thumb: copy(picture.thumb),
            reduced: copy(picture.reduced),
        }
    };
    let body = ctx.salted(pb::FilesMetBody { files: files.iter().map(met).collect() });
    let facts = pb::FilesMet { first, origin, sizes: files.iter().map(|f| f.size).collect() };
    tx.emit(New { conversation: 0, event: Event::FilesMet(facts, Some(body)) });
}
