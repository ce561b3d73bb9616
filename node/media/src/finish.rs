//! From all bytes to a file that the account holds: hash, type, copies, store, journal. In a task of its own, for the client
//! may be gone by then; begun again after a restart, for what was staged stays until the domain knows the file.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use data_encoding::BASE64;
use startalk_domain::files::{NewFile, Picture};
use startalk_protocol::{Code, Error};

use crate::{
    Hash, Inner,
    describe::{Description, FileShown, PictureShown, copy_name},
    figures::Counted,
    keep,
    sniff::{self, HEAD_BYTES},
    store::{blocking, hex},
    upload::{Progress, Upload, disk},
    worker::{Copied, Made, Wanted},
};

/// Begins if all bytes are here and nobody has begun, or what was begun failed for a reason that may be over.
pub fn begin_if_whole(inner: &Arc<Inner>, upload: &Arc<Upload>) {
    if upload.offset() != upload.size {
        return;
    }
    let begins = upload.progress.send_if_modified(|progress| {
        let begins = match progress {
            Progress::Receiving => true,
            Progress::Failed(error) => error.code.retry_helps(),
            Progress::Working | Progress::Ready(_) => false,
        };
        if begins {
            *progress = Progress::Working;
        }
        begins
    });
    if begins {
        let (inner, upload) = (inner.clone(), upload.clone());
        tokio::spawn(async move {
            let became = match finish(&inner, &upload).await {
                Ok(description) => {
                    Counted::add(&inner.counted.stored);
                    Progress::Ready(Box::new(description))
                }
                Err(error) => {
                    Counted::add(&inner.counted.failed);
                    Progress::Failed(error)
                }
            };
            upload.progress.send_replace(became);
        });
    }
}

/// A file that was staged: where, and what it is.
struct Staged {
    path: PathBuf,
    hash: Hash,
    size: u64,
    media_type: String,
}

impl Staged {
    fn new_file(&self, picture: Option<Picture>) -> NewFile {
        NewFile { hash: self.hash, size: self.size, media_type: self.media_type.clone(), picture }
    }

    fn shown(&self, name: &str) -> FileShown {
        FileShown { hash: hex(&self.hash), size: self.size, media_type: self.media_type.clone(), name: name.to_owned() }
    }
}

async fn finish(inner: &Arc<Inner>, upload: &Arc<Upload>) -> Result<Description, Error> {
    let whole = look(upload).await.map_err(disk)?;
    let made = copies(inner, upload, &whole).await?;
    let (thumb, reduced, picture) = match made {
        None => (None, None, None),
        Some(mut made) => {
            let (thumb, reduced) = (made.thumb.take(), made.reduced.take());
            let thumb = stage(upload, "thumb", thumb).await.map_err(disk)?;
            let reduced = stage(upload, "reduced", reduced).await.map_err(disk)?;
            (thumb, reduced, Some(made))
        }
    };
    // What moves has no reduced copy, and is kept as it is.
    let (file, reduced) = match reduced {
        Some(reduced) if upload.purpose.keeps_reduced() => (reduced, None),
        other => (whole, other),
    };
    let name = if file.path == upload.part { upload.name.clone() } else { copy_name(&upload.name, &file.media_type) };
    let copy_shown = |copy: &Option<Staged>| copy.as_ref().map(|c| c.shown(&copy_name(&upload.name, &c.media_type)));
    let description = Description {
        file: file.shown(&name),
        picture: picture.as_ref().map(|made| PictureShown {
            width: made.width,
            height: made.height,
            blur: BASE64.encode(&made.blur),
            thumb: copy_shown(&thumb),
            reduced: copy_shown(&reduced),
        }),
    };
    let told = picture.map(|made| Picture {
        width: made.width,
        height: made.height,
        blur: made.blur,
        thumb: thumb.as_ref().map(|c| c.hash),
        reduced: reduced.as_ref().map(|c| c.hash),
    });
    let mut files: Vec<NewFile> = [&thumb, &reduced].into_iter().flatten().map(|c| c.new_file(None)).collect();
    files.push(file.new_file(told));
    let staged: Vec<&Staged> = [thumb.as_ref(), reduced.as_ref(), Some(&file)].into_iter().flatten().collect();
    {
        let hashes: Vec<Hash> = staged.iter().map(|s| s.hash).collect();
        let _locks = inner.stripes.lock(&hashes).await;
        for file in &staged {
            inner.store.put(&file.hash, file.size, &file.path).await.map_err(disk)?;
        }
        inner.ledger.hold(upload.account, files).await?;
    }
    let (kept, ready) = (upload.clone(), description.clone());
    blocking(move || {
        kept.keep(kept.size, Some(ready))?;
        for ending in ["part", "thumb", "reduced"] {
            keep::remove(&kept.part.with_extension(ending))?;
        }
        Ok(())
    })
    .await
    .map_err(disk)?;
    Ok(description)
}

/// Hash and type of what was uploaded.
async fn look(upload: &Arc<Upload>) -> io::Result<Staged> {
    let upload = upload.clone();
    blocking(move || {
        let hash = upload.writer.lock().hash(&upload.part)?;
        let file = File::open(&upload.part)?;
        let piece = |from: u64| -> io::Result<Vec<u8>> {
            let bytes = (upload.size - from).min(HEAD_BYTES as u64);
            let mut piece = vec![0; usize::try_from(bytes).expect("it is a piece")];
            file.read_exact_at(&mut piece, from)?;
            Ok(piece)
        };
        let media_type = sniff::media_type(&piece(0)?, &piece(upload.size.saturating_sub(HEAD_BYTES as u64))?);
        Ok(Staged { path: upload.part.clone(), hash, size: upload.size, media_type: media_type.to_owned() })
    })
    .await
}

/// What the worker made of it, if it is a picture and copies are wanted.
async fn copies(inner: &Arc<Inner>, upload: &Arc<Upload>, whole: &Staged) -> Result<Option<Made>, Error> {
    if !upload.purpose.wants_copies() {
        return Ok(None);
    }
    let refused = |why: String| match upload.purpose.needs_picture() {
        true => Err(Error::new(Code::NotAPicture).with("why", why)),
        false => Ok(None),
    };
    if !sniff::is_raster(&whole.media_type) {
        return refused(format!("it is {}", whole.media_type));
    }
    let path = whole.path.clone();
    let picture = blocking(move || File::open(path)).await.map_err(disk)?;
    let wanted = Wanted { reduced_always: upload.purpose.keeps_reduced() };
    let made = inner.images.make(picture, whole.size, wanted).await.map_err(|error| {
        tracing::error!(%error, "the process that makes copies of pictures could not be started");
        Error::from(Code::Internal)
    })?;
    match made {
        Ok(made) => {
            Counted::add(&inner.counted.pictures);
            Ok(Some(made))
        }
        Err(why) => {
            Counted::add(&inner.counted.not_pictures);
            tracing::info!(%why, bytes = whole.size, "no copies of a picture could be made");
            refused(why.to_string())
        }
    }
}

/// Writes a copy beside what was uploaded.
async fn stage(upload: &Arc<Upload>, ending: &'static str, copy: Option<Copied>) -> io::Result<Option<Staged>> {
    let Some(Copied { media_type, bytes }) = copy else { return Ok(None) };
    let path = upload.part.with_extension(ending);
    let (size, at) = (bytes.len() as u64, path.clone());
    let hash = blocking(move || write(&at, &bytes)).await?;
    Ok(Some(Staged { path, hash, size, media_type }))
}

fn write(path: &Path, bytes: &Bytes) -> io::Result<Hash> {
    use std::io::Write as _;
    let mut file = keep::new_file(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(*blake3::hash(bytes).as_bytes())
}
