//! Uploads and downloads against a small node of this process, over connections that break at any byte.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use startalk_client::{
    ClientError, Dial, DialError, DialHttp, Dialled, Duplex, MemoryStore, Session, Store,
    files::{Description, NewUpload, Purpose, Source, Transfer, Transfers},
    store::KnownHome,
    wire_content::File,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};

use crate::fake::{Faults, Node, Random, account, options};

struct Upload {
    size: u64,
    name: String,
    purpose: String,
    bytes: Vec<u8>,
}

/// What the node has, what it does, and what it saw.
#[derive(Default)]
struct State {
    uploads: HashMap<String, Upload>,
    files: HashMap<String, Vec<u8>>,
    asked: Vec<String>,
    /// Bytes that connections carry before they break, one after the other; then they do not break.
    cuts: Vec<u64>,
    /// Answers with another file than the one that arrived, or asked for.
    lies: bool,
    /// Gives whole files whatever range is asked for.
    no_ranges: bool,
    /// Refuses with this status and code.
    refuses: Option<(u16, &'static str)>,
    /// Forgets uploads when this many bytes of one arrived.
    forgets_at: Option<usize>,
}

#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<State>>);

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

type Answer = Response<Full<Bytes>>;

fn said(status: u16, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn refused(status: u16, code: &str) -> Answer {
    said(status, format!(r#"{{"error":{{"code":"{code}","params":{{}}}}}}"#))
}

impl Shelf {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn count(&self, method: &str) -> usize {
        self.state().asked.iter().filter(|a| a.starts_with(method)).count()
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let (head, mut body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let text = |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let token = data_encoding::BASE64URL_NOPAD.encode(&account().token);
        assert_eq!(text("authorization"), format!("Bearer {token}"));
        assert_eq!(text("host"), "fake.example");
        {
            let mut state = self.state();
            state.asked.push(format!("{} {path} {}", head.method, text("range")));
            if let Some((status, code)) = state.refuses {
                return Ok(refused(status, code));
            }
        }
        if path.starts_with("/files/uploads") && head.method != Method::GET {
            assert_eq!(text("tus-resumable"), "1.0.0");
        }
        let id = path.strip_prefix("/files/uploads/").unwrap_or_default().to_owned();
        if head.method == Method::POST && path == "/files/uploads" {
            return Ok(self.begin(text("upload-length").parse().unwrap(), &text("upload-metadata")));
        }
        if path == "/files/have" {
            let asked = body.collect().await.unwrap().to_bytes();
            let asked: serde_json::Value = serde_json::from_slice(&asked).unwrap();
            let state = self.state();
            let found = state.files.get(asked["hash"].as_str().unwrap());
            return Ok(
                found.map_or_else(|| refused(404, "no-such-file"), |b| said(200, described(b, asked["name"].as_str().unwrap())))
            );
        }
        if id.is_empty() {
            return Ok(self.give(&path, &text("range")));
        }
        if !self.state().uploads.contains_key(&id) {
            return Ok(refused(404, "upload-gone"));
        }
        if head.method == Method::PATCH {
            let offset: usize = text("upload-offset").parse().unwrap();
            if self.state().uploads[&id].bytes.len() != offset {
                return Ok(refused(409, "wrong-offset"));
            }
            // What arrives stays, also if the rest does not come.
            while let Some(Ok(frame)) = body.frame().await {
                let mut state = self.state();
                let forgets = state.forgets_at;
                let Some(upload) = state.uploads.get_mut(&id) else { return Ok(refused(404, "upload-gone")) };
                upload.bytes.extend_from_slice(&frame.into_data().unwrap());
                if forgets.is_some_and(|at| upload.bytes.len() >= at) {
                    state.uploads.remove(&id);
                    state.forgets_at = None;
                    return Ok(refused(404, "upload-gone"));
                }
            }
        }
        if head.method == Method::DELETE {
            self.state().uploads.remove(&id);
            return Ok(said(204, ""));
        }
        let mut state = self.state();
        let lies = state.lies;
        let upload = &state.uploads[&id];
        if head.method == Method::GET {
            let whole = upload.bytes.len() as u64 == upload.size;
            let mut bytes = upload.bytes.clone();
            if upload.purpose == "sticker" {
                return Ok(said(200, r#"{"state":"failed","error":{"code":"too-large","params":{"what":"the sticker"}}}"#));
            }
            if lies {
                bytes[0] ^= 1;
            }
            let name = upload.name.clone();
            if whole {
                state.files.insert(hash(&bytes), bytes.clone());
            }
            return Ok(said(200, if whole { described(&bytes, &name) } else { r#"{"state":"receiving"}"#.to_owned() }));
        }
        let mut answer = said(if head.method == Method::HEAD { 200 } else { 204 }, "");
        answer.headers_mut().insert("upload-offset", upload.bytes.len().into());
        answer.headers_mut().insert("upload-length", upload.size.into());
        Ok(answer)
    }

    fn begin(&self, size: u64, metadata: &str) -> Answer {
        let field = |name: &str| {
            let said = metadata.split(',').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix(' ')).unwrap();
            String::from_utf8(data_encoding::BASE64.decode(said.as_bytes()).unwrap()).unwrap()
        };
        let upload = Upload { size, name: field("filename"), purpose: field("purpose"), bytes: Vec::new() };
        let mut state = self.state();
        let id = format!("upload-{}", state.asked.len());
        state.uploads.insert(id.clone(), upload);
        let mut answer = said(201, "");
        answer.headers_mut().insert(header::LOCATION, format!("/files/uploads/{id}").parse().unwrap());
        answer
    }

    fn give(&self, path: &str, range: &str) -> Answer {
        let state = self.state();
        let hash = path.rsplit('/').nth(1).unwrap_or_default();
        let Some(mut bytes) = state.files.get(hash).cloned() else { return refused(404, "no-such-file") };
        if state.lies {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        }
        let from = range.strip_prefix("bytes=").and_then(|r| r.strip_suffix('-')?.parse::<usize>().ok());
        let Some(from) = from.filter(|_| !state.no_ranges) else { return said(200, bytes) };
        let mut answer = said(206, bytes[from..].to_vec());
        let said = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        answer.headers_mut().insert(header::CONTENT_RANGE, said.parse().unwrap());
        answer
    }
}

fn described(bytes: &[u8], name: &str) -> String {
    let file = format!(r#"{{"hash":"{}","size":{},"type":"application/pdf","name":"{name}"}}"#, hash(bytes), bytes.len());
    format!(r#"{{"state":"ready","offset":0,"file":{file}}}"#)
}

impl DialHttp for Shelf {
    fn dial_http(&self, _now_ms: i64) -> Pin<Box<dyn Future<Output = Result<Duplex, ClientError>> + Send + '_>> {
        let (store, cut) = (self.clone(), self.state().cuts.pop());
        Box::pin(async move {
            let (client, mut outside) = tokio::io::duplex(4096);
            let (mut inside, server) = tokio::io::duplex(4096);
            tokio::spawn(async move {
                let service = service_fn(move |request| store.clone().answer(request));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(server), service).await;
            });
            tokio::spawn(async move {
                match cut {
                    None => drop(copy_bidirectional(&mut outside, &mut inside).await),
                    Some(budget) => carry(outside, inside, budget).await,
                }
            });
            Ok(Box::new(client) as Duplex)
        })
    }
}

/// Carries bytes in both directions, so many together, and breaks.
async fn carry(mut a: tokio::io::DuplexStream, mut b: tokio::io::DuplexStream, mut budget: u64) {
    let (mut from_a, mut from_b) = ([0; 1000], [0; 1000]);
    while budget > 0 {
        let carried = tokio::select! {
            read = a.read(&mut from_a) => {
                let n = (read.unwrap_or(0) as u64).min(budget);
                if b.write_all(&from_a[..n as usize]).await.is_err() { return }
                n
            }
            read = b.read(&mut from_b) => {
                let n = (read.unwrap_or(0) as u64).min(budget);
                if a.write_all(&from_b[..n as usize]).await.is_err() { return }
                n
            }
        };
        if carried == 0 {
            return;
        }
        budget -= carried;
    }
}

struct WithHttp(Box<dyn Dial>, Shelf);

impl Dial for WithHttp {
    fn http(&self) -> Option<Arc<dyn DialHttp>> {
        Some(Arc::new(self.1.clone()))
    }

    fn dial<'a>(
        &'a mut self,
        known: Option<&'a KnownHome>,
        now_ms: i64,
    ) -> Pin<Box<dyn Future<Output = Result<Dialled, DialError>> + Send + 'a>> {
        self.0.dial(known, now_ms)
    }
}

fn transfers(store: &Shelf) -> Transfers {
    let node = Node::new(1, Faults::default());
    let mut memory = MemoryStore::default();
    memory.set_account(Some(&account())).unwrap();
    let mut options = options();
    options.backoff.first = Duration::from_millis(1);
    options.backoff.max = Duration::from_millis(3);
    let (session, _) = Session::resume_with(options, Box::new(memory), Box::new(WithHttp(node.dial(), store.clone()))).unwrap();
    session.files().clone()
}

fn bytes_of(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..len).map(|_| u8::try_from(random.below(256)).unwrap()).collect()
}

fn new_upload(folder: &Path, bytes: &[u8], purpose: Purpose) -> NewUpload {
    let path = folder.join("source");
    std::fs::write(&path, bytes).unwrap();
    NewUpload { path, purpose, name: "报告 1.pdf".to_owned(), url: None }
}

fn file_of(bytes: &[u8]) -> File {
    File {
        hash: blake3::hash(bytes).as_bytes().to_vec().into(),
        size: bytes.len() as u64,
        name: "a b.pdf".into(),
        r#type: String::new(),
    }
}

const HERE: Source = Source::Message { conversation: 3, sequence: 9 };

#[tokio::test]
async fn an_upload_that_is_cut_anywhere_arrives_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 1..=12 {
        let (store, bytes, mut random) = (Shelf::default(), bytes_of(seed, 300_000), Random::new(seed));
        store.state().cuts = (0..20).map(|_| 500 + random.below(60_000)).collect();
        let (mut told, mut waited) = (0, 0);
        let mut tell = |t: Transfer| match t {
            Transfer::Moved { done, total } => {
                assert!(done <= total && total == 300_000);
                told = done;
            }
            Transfer::Waiting { .. } => waited += 1,
            _ => {}
        };
        let new = new_upload(folder.path(), &bytes, Purpose::File);
        let described = transfers(&store).upload(&new, &mut tell).await.unwrap();
        assert_eq!(
            described,
            Description {
                file: File { name: "报告 1.pdf".into(), r#type: "application/pdf".into(), ..file_of(&bytes) },
                picture: None
            }
        );
        assert_eq!((told, store.state().files.get(&hash(&bytes)) == Some(&bytes)), (300_000, true));
        assert!(waited > 0 && store.count("PATCH") > 1, "seed {seed}: nothing was cut");
        let begun = store.count("POST");
        assert!(begun <= 2 + store.state().uploads.len(), "seed {seed}: begun {begun} times");
        let whole = store.state().uploads.values().filter(|u| !u.bytes.is_empty()).count();
        assert_eq!(whole, 1, "seed {seed}: what had arrived was sent again");
    }
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart_and_begins_again_when_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, bytes) = (Shelf::default(), bytes_of(5, 200_000));
    store.state().cuts = vec![90_000];
    let mut new = new_upload(folder.path(), &bytes, Purpose::File);
    let url = Mutex::new(None);
    {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let mut stop = Some(stop);
        let mut tell = |t: Transfer| match t {
            Transfer::Begun { url: begun } => *url.lock().unwrap() = Some(begun),
            Transfer::Waiting { .. } => drop(stop.take().map(|s| s.send(()))),
            _ => {}
        };
        let transfers = transfers(&store);
        tokio::select! {
            _ = transfers.upload(&new, &mut tell) => panic!("it was to be stopped"),
            _ = stopped => {}
        }
    }
    new.url = url.into_inner().unwrap();
    assert!(new.url.is_some());
    let arrived = store.state().uploads.values().next().unwrap().bytes.len();
    assert!(arrived > 0 && arrived < bytes.len());
    store.state().asked.clear();
    transfers(&store).upload(&new, &mut |_| {}).await.unwrap();
    assert_eq!((store.count("POST"), store.count("HEAD"), store.count("PATCH")), (0, 1, 1));
    assert_eq!(store.state().files.get(&hash(&bytes)), Some(&bytes));

    // The node has forgotten it; and it forgets one in the middle.
    store.state().uploads.clear();
    store.state().forgets_at = Some(100_000);
    transfers(&store).upload(&new, &mut |_| {}).await.unwrap();
    assert_eq!(store.count("POST"), 2);
    // Under that URL another file was begun.
    let another =
        NewUpload { url: Some("/files/uploads/upload-0".to_owned()), ..new_upload(folder.path(), &bytes[1..], Purpose::File) };
    let other = Upload { size: 7, name: String::new(), purpose: String::new(), bytes: Vec::new() };
    store.state().uploads.insert("upload-0".to_owned(), other);
    let described = transfers(&store).upload(&another, &mut |_| {}).await.unwrap();
    assert_eq!(described.file.size, bytes.len() as u64 - 1);
    // Ended, it is gone; and again is nothing.
    transfers(&store).end_upload("/files/uploads/upload-0").await.unwrap();
    assert!(!store.state().uploads.contains_key("upload-0"));
    transfers(&store).end_upload("/files/uploads/upload-0").await.unwrap();
}

#[tokio::test]
async fn what_the_node_has_is_not_sent_and_what_it_says_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, bytes) = (Shelf::default(), bytes_of(6, 1_100_000));
    let new = new_upload(folder.path(), &bytes, Purpose::File);
    store.state().files.insert(hash(&bytes), bytes.clone());
    let described = transfers(&store).upload(&new, &mut |_| {}).await.unwrap();
    assert_eq!(hex(&described.file.hash), hash(&bytes));
    assert_eq!(store.state().asked, ["POST /files/have "]);
    let asked = transfers(&store).have(&[1; 32], 5, "x").await;
    assert_eq!(asked, Ok(None));

    store.state().lies = true;
    let small = new_upload(folder.path(), b"hello", Purpose::Voice);
    assert_eq!(transfers(&store).upload(&small, &mut |_| {}).await, Err(ClientError::WrongBytes));
    let reduced = NewUpload { purpose: Purpose::Reduced, ..small };
    assert!(transfers(&store).upload(&reduced, &mut |_| {}).await.is_ok(), "of which another copy is kept");
    store.state().lies = false;
    let sticker = NewUpload { purpose: Purpose::Sticker, ..reduced };
    assert_eq!(transfers(&store).upload(&sticker, &mut |_| {}).await.unwrap_err().code(), "too-large");
    store.state().refuses = Some((413, "file-too-large"));
    store.state().asked.clear();
    assert_eq!(transfers(&store).upload(&sticker, &mut |_| {}).await.unwrap_err().code(), "file-too-large");
    assert_eq!(store.state().asked.len(), 1, "what cannot help is not tried again");
    let none = NewUpload { path: folder.path().join("none"), ..sticker };
    assert_eq!(transfers(&store).upload(&none, &mut |_| {}).await.unwrap_err().code(), "file");
    let empty = new_upload(folder.path(), b"", Purpose::File);
    store.state().refuses = None;
    assert_eq!(transfers(&store).upload(&empty, &mut |_| {}).await.unwrap().file.size, 0);
}

#[tokio::test]
async fn what_never_gets_better_is_given_up_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = Shelf::default();
    store.state().refuses = Some((503, "stopping"));
    let new = new_upload(folder.path(), b"hello", Purpose::File);
    let mut waited = 0;
    let mut tell = |t: Transfer| waited += usize::from(matches!(t, Transfer::Waiting { .. }));
    assert_eq!(transfers(&store).upload(&new, &mut tell).await.unwrap_err().code(), "stopping");
    assert_eq!((waited, store.state().asked.len()), (11, 12));
}

fn left(to: &Path) -> (bool, bool) {
    let part = PathBuf::from(format!("{}.part", to.display()));
    (to.exists(), part.exists())
}

#[tokio::test]
async fn a_download_that_is_cut_anywhere_is_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 1..=12 {
        let (store, bytes, mut random) = (Shelf::default(), bytes_of(seed, 300_000), Random::new(seed));
        store.state().files.insert(hash(&bytes), bytes.clone());
        store.state().cuts = (0..12).map(|_| 300 + random.below(70_000)).collect();
        let to = folder.path().join(format!("{seed}.pdf"));
        transfers(&store).download(HERE, &file_of(&bytes), &to, &mut |_| {}).await.unwrap();
        assert!(std::fs::read(&to).unwrap() == bytes && left(&to) == (true, false), "seed {seed}");
        let asked = store.state().asked.clone();
        assert!(asked.iter().all(|a| a.starts_with(&format!("GET /files/7/3/9/{}/a%20b.pdf", hash(&bytes)))), "{asked:?}");
        assert!(asked.iter().any(|a| a.contains("bytes=")), "seed {seed}: it went on nowhere");
    }
}

#[tokio::test]
async fn a_download_goes_on_after_a_restart_and_wrong_bytes_are_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let (store, bytes) = (Shelf::default(), bytes_of(9, 100_000));
    store.state().files.insert(hash(&bytes), bytes.clone());
    let (to, part) = (folder.path().join("a.pdf"), folder.path().join("a.pdf.part"));
    std::fs::write(&part, &bytes[..60_000]).unwrap();
    transfers(&store).download(HERE, &file_of(&bytes), &to, &mut |_| {}).await.unwrap();
    assert!(std::fs::read(&to).unwrap() == bytes);
    assert!(store.state().asked[0].ends_with("bytes=60000-"), "{:?}", store.state().asked);

    // A node without ranges gives it from the beginning; what is here and longer than the file is nothing of it.
    store.state().no_ranges = true;
    for begun in [60_000, 100_001] {
        std::fs::write(&part, vec![1; begun]).unwrap();
        transfers(&store).download(HERE, &file_of(&bytes), &to, &mut |_| {}).await.unwrap();
        assert!(std::fs::read(&to).unwrap() == bytes);
    }
    store.state().no_ranges = false;

    std::fs::remove_file(&to).unwrap();
    store.state().lies = true;
    let took = transfers(&store).download(HERE, &file_of(&bytes), &to, &mut |_| {}).await;
    assert_eq!((took, left(&to)), (Err(ClientError::WrongBytes), (false, false)));
    store.state().lies = false;
    // What began as another file is found out at the end, and begun anew by whoever asks again.
    std::fs::write(&part, vec![1; 60_000]).unwrap();
    let took = transfers(&store).download(HERE, &file_of(&bytes), &to, &mut |_| {}).await;
    assert_eq!((took, left(&to)), (Err(ClientError::WrongBytes), (false, false)));
    // More than the message says.
    let short = File { size: 99_000, ..file_of(&bytes) };
    let took = transfers(&store).download(HERE, &short, &to, &mut |_| {}).await;
    assert_eq!((took, left(&to)), (Err(ClientError::WrongBytes), (false, false)));
    let none = file_of(b"nobody has this");
    let took = transfers(&store).download(Source::Own, &none, &to, &mut |_| {}).await;
    assert_eq!(took.unwrap_err().code(), "no-such-file");
    assert!(!to.exists());
}

#[tokio::test]
async fn two_downloads_do_not_write_to_one_place() {
    let folder = tempfile::tempdir().unwrap();
    let (store, bytes) = (Shelf::default(), bytes_of(9, 100_000));
    store.state().files.insert(hash(&bytes), bytes.clone());
    let to = folder.path().join("a.pdf");
    let held = std::fs::File::create(folder.path().join("a.pdf.part")).unwrap();
    held.lock().unwrap();
    let took = transfers(&store).download(HERE, &file_of(&bytes), &to, &mut |_| {}).await;
    assert_eq!(took.unwrap_err().code(), "file");
    assert!(store.state().asked.is_empty());
}
