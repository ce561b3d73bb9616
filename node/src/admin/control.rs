//! The control socket in the data folder: one JSON request a line, JSON lines back (`progress`, then `ok` or `error`).
//! Whoever may open the folder may use it. It also answers `GET /metrics`, for collectors that can ask a Unix socket.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use serde_json::{Value, json};
use startalk_protocol::{Code, Error};

use super::{Backend, Progress, Request, execute};
use crate::folder::control_socket;

/// Bytes of a socket's path at most, with the zero behind it (unix(7): 108; others have 104).
const SOCKET_PATH_BYTES_MAX: usize = 100;
/// Bytes of a request at most: a file of people in base64.
const REQUEST_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Serves the socket until the process ends. A socket left by a killed process is replaced: the folder's lock is ours.
///
/// # Errors
/// If the socket cannot be made.
pub fn serve(root: &Path, backend: Backend) -> std::io::Result<()> {
    let (path, _folder) = reachable(root)?;
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    thread::Builder::new().name("control".into()).spawn(move || {
        for stream in listener.incoming().flatten() {
            let backend = backend.clone();
            let _ = thread::Builder::new().name("control-request".into()).spawn(move || answer(&stream, &backend));
        }
    })?;
    Ok(())
}

/// The socket's path, short enough for a socket address: of a folder deep down, through a handle to the folder.
fn reachable(root: &Path) -> std::io::Result<(PathBuf, Option<File>)> {
    let path = control_socket(root);
    if path.as_os_str().len() < SOCKET_PATH_BYTES_MAX {
        return Ok((path, None));
    }
    let folder = File::open(root)?;
    Ok((control_socket(Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd()))), Some(folder)))
}

fn answer(stream: &UnixStream, backend: &Backend) {
    let mut line = String::new();
    let mut reader = BufReader::new(std::io::Read::take(stream, REQUEST_BYTES_MAX));
    if reader.read_line(&mut line).is_err() {
        return;
    }
    if line.starts_with("GET /metrics ") {
        // The rest of the request is read, so that closing the socket does not cut the answer off.
        while matches!(reader.read_line(&mut line), Ok(n) if n > 2) {}
        let page = (backend.metrics)().unwrap_or_default();
        let head =
            format!("HTTP/1.0 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\n\r\n", page.len());
        let _ = write!(&mut &*stream, "{head}{page}");
        return;
    }
    let result = match serde_json::from_str::<Request>(&line) {
        Ok(request) => match stream.try_clone() {
            Ok(out) => {
                let out = parking_lot::Mutex::new(out);
                let progress: Progress = Arc::new(move |done, total| {
                    let _ = writeln!(out.lock(), "{}", json!({ "progress": [done, total] }));
                });
                execute(backend, request, &progress)
            }
            Err(_) => Err(Code::Internal.into()),
        },
        Err(e) => Err(Error::new(Code::Malformed).with("expected", format!("a request ({e})"))),
    };
    let reply = match result {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "error": { "code": error.code.as_str(), "params": error.params } }),
    };
    let _ = writeln!(&mut &*stream, "{reply}");
}

/// Asks a running node. `None` if none listens.
///
/// # Errors
/// The verb's own error.
pub fn ask(root: &Path, request: &Request, progress: &Progress) -> Option<Result<Value, Error>> {
    let (path, _folder) = reachable(root).ok()?;
    let mut stream = UnixStream::connect(path).ok()?;
    let cut = || Error::new(Code::Unreachable).with("what", "startalk").with("why", "the control socket was closed");
    let line = serde_json::to_string(request).ok()?;
    if writeln!(stream, "{line}").is_err() {
        return Some(Err(cut()));
    }
    for line in BufReader::new(stream).lines() {
        let Ok(value) = line.map_err(|_| ()).and_then(|l| serde_json::from_str::<Value>(&l).map_err(|_| ())) else { break };
        if let Some(ok) = value.get("ok") {
            return Some(Ok(ok.clone()));
        }
        if let Some(error) = value.get("error") {
            let params = serde_json::from_value(error["params"].clone()).unwrap_or_default();
            return Some(Err(Error::from_wire(error["code"].as_str().unwrap_or_default(), params)));
        }
        if let Some([done, total]) = value["progress"].as_array().map(Vec::as_slice) {
            progress(done.as_u64().unwrap_or(0), total.as_u64().unwrap_or(0));
        }
    }
    Some(Err(cut()))
}
