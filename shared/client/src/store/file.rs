//! A folder that survives kill -9: `account.json` (0600), `home.json`, `heard`, and `sent.log`.
//!
//! Whole files are replaced by a rename. The log is appended to: each record is its length, the first eight bytes of
//! its BLAKE3, and its bytes; on opening it is cut at the first that does not fit. One process per folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{Account, KnownHome, Store};

const HEADER_BYTES: usize = 12;
/// Bytes of one record: the largest content and its addresses.
const RECORD_BYTES_MAX: usize = 256 * 1024;

/// Keeps everything in a folder.
#[derive(Debug)]
pub struct FileStore {
    folder: PathBuf,
    account: Option<Account>,
    home: Option<KnownHome>,
    heard: Option<Vec<u8>>,
    log: File,
    /// Where the next record goes: everything before is whole.
    log_end: u64,
    unsynced: bool,
    /// Held while the folder is open.
    _lock: File,
}

impl FileStore {
    /// Opens the folder, and makes it if need be.
    ///
    /// # Errors
    /// If another process has it open (`WouldBlock`), or it cannot be read and written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        make_private(folder)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"))?;
        lock.try_lock().map_err(|e| match e {
            fs::TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, format!("{} is in use by another process", folder.display()))
            }
            fs::TryLockError::Error(e) => e,
        })?;
        let log =
            private(OpenOptions::new().create(true).truncate(false).read(true).write(true)).open(folder.join("sent.log"))?;
        Ok(Self {
            account: read_json(&folder.join("account.json"))?,
            home: read_json(&folder.join("home.json"))?,
            heard: read(&folder.join("heard"))?.and_then(|b| checked(&b).map(<[u8]>::to_vec)),
            folder: folder.to_owned(),
            log,
            log_end: 0,
            unsynced: false,
            _lock: lock,
        })
    }

    /// Puts a file in the place of another, at once.
    fn replace(&self, name: &str, bytes: &[u8], sync: bool) -> io::Result<()> {
        let (new, old) = (self.folder.join(format!("{name}.new")), self.folder.join(name));
        let mut file = private(OpenOptions::new().create(true).truncate(true).write(true)).open(&new)?;
        file.write_all(bytes)?;
        if sync {
            file.sync_data()?;
        }
        fs::rename(new, old)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.folder.join(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

impl Store for FileStore {
    fn account(&self) -> Option<Account> {
        self.account.clone()
    }

    fn set_account(&mut self, account: Option<&Account>) -> io::Result<()> {
        let other = self.account.as_ref().map(|a| &a.user) != account.map(|a| &a.user);
        if other && self.account.is_some() {
            // What one person said means nothing to another: first the log goes, then the account changes.
            self.rewrite(&[])?;
            self.remove("heard")?;
            self.heard = None;
        }
        match account {
            Some(account) => self.replace("account.json", &json(account)?, true)?,
            None => self.remove("account.json")?,
        }
        self.account = account.cloned();
        Ok(())
    }

    fn home(&self) -> Option<KnownHome> {
        self.home.clone()
    }

    fn set_home(&mut self, home: &KnownHome) -> io::Result<()> {
        self.replace("home.json", &json(home)?, true)?;
        self.home = Some(home.clone());
        Ok(())
    }

    fn records(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.log.seek(SeekFrom::Start(0))?;
        self.log.read_to_end(&mut bytes)?;
        let (mut records, mut at) = (Vec::new(), 0);
        while let Some(record) = bytes.get(at..).and_then(whole_record) {
            at += HEADER_BYTES + record.len();
            records.push(record.to_vec());
        }
        self.log_end = at as u64;
        self.log.set_len(self.log_end)?;
        Ok(records)
    }

    fn append(&mut self, records: &[Vec<u8>]) -> io::Result<()> {
        let bytes = framed(records)?;
        self.log.seek(SeekFrom::Start(self.log_end))?;
        if let Err(e) = self.log.write_all(&bytes) {
            // What was written in part is cut off, so that nothing later stands behind it.
            self.log.set_len(self.log_end)?;
            return Err(e);
        }
        self.log_end += bytes.len() as u64;
        self.unsynced = true;
        Ok(())
    }

    fn rewrite(&mut self, records: &[Vec<u8>]) -> io::Result<()> {
        let bytes = framed(records)?;
        self.replace("sent.log", &bytes, true)?;
        self.log = OpenOptions::new().read(true).write(true).open(self.folder.join("sent.log"))?;
        self.log_end = bytes.len() as u64;
        Ok(())
    }

    fn heard(&self) -> Option<Vec<u8>> {
        self.heard.clone()
    }

    fn set_heard(&mut self, heard: &[u8]) -> io::Result<()> {
        let mut bytes = blake3::hash(heard).as_bytes()[..8].to_vec();
        bytes.extend_from_slice(heard);
        // Once a second: not synced. Torn by a power cut, its hash does not fit, and the next sync begins afresh.
        self.replace("heard", &bytes, false)?;
        self.heard = Some(heard.to_vec());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unsynced) { self.log.sync_data() } else { Ok(()) }
    }
}

fn framed(records: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(records.iter().map(|r| HEADER_BYTES + r.len()).sum());
    for record in records {
        let length = u32::try_from(record.len()).ok().filter(|l| *l as usize <= RECORD_BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the record is too large"))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&blake3::hash(record).as_bytes()[..8]);
        bytes.extend_from_slice(record);
    }
    Ok(bytes)
}

fn whole_record(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > RECORD_BYTES_MAX {
        return None;
    }
    checked(rest.get(..8 + length)?)
}

/// What follows the first eight bytes, if they are its hash's.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (hash, body) = bytes.split_first_chunk::<8>()?;
    (blake3::hash(body).as_bytes()[..8] == hash[..]).then_some(body)
}

fn json<T: serde::Serialize>(value: &T) -> io::Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(io::Error::other)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {e}", path.display())))
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
