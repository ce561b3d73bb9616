//! The web client as this server gives it out: one page for every address of the client, and the files that it loads.
//!
//! Owns the names, kinds, tags and caching of these files; they are made elsewhere (`node/web`) and handed in. A file
//! under `assets/` has its content's hash in its name and is kept for ever; all others are asked for again each time and
//! answered with 304. Invariant: the page and its files come with a policy that runs nothing but these files.

use std::collections::HashMap;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

/// What the page, its scripts and its workers may do. A worker has the policy that its own file came with.
///
/// `connect-src` is wide: a person may have accounts of several domains in one client, each with its own server. What a
/// message shows is never loaded from elsewhere. `startalk-worker` names the one function that makes the addresses of our own
/// workers, `svelte-trusted-html` the framework's own templates; no other text becomes script or markup.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; \
     media-src 'self' blob:; connect-src 'self' https: wss:; worker-src 'self'; manifest-src 'self'; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; \
     trusted-types svelte-trusted-html startalk-worker",
);
/// The page that every address of the client gets.
const PAGE: &str = "index.html";
const HASHED: &str = "assets/";
/// Addresses that are never the client's, whatever a browser says that it takes.
const NOT_PAGES: &[&str] = &["v1/", "api/", "files/", ".well-known/", HASHED];

/// One file of the web client.
#[derive(Clone, Debug, Default)]
pub struct WebFile {
    /// Below the root, without a slash at the beginning: `assets/app-1a2b3c.js`.
    pub path: String,
    /// As it is.
    pub plain: Bytes,
    /// The same compressed with gzip, where that is smaller.
    pub gzip: Option<Bytes>,
    /// The same compressed with brotli, where that is smaller.
    pub brotli: Option<Bytes>,
}

/// The files of the web client, by their paths.
#[derive(Clone, Debug, Default)]
pub struct WebClient(HashMap<String, Kept>);

#[derive(Clone, Debug)]
struct Kept {
    file: WebFile,
    kind: HeaderValue,
    /// Of the plain content; each encoding adds its name to it.
    tag: String,
}

impl WebClient {
    /// `None` if there is no page among the files: a node that was built without the client.
    pub fn new(files: impl IntoIterator<Item = WebFile>) -> Option<Self> {
        let kept = |file: WebFile| {
            let tag = blake3::hash(&file.plain).to_hex()[..32].to_owned();
            (file.path.clone(), Kept { kind: HeaderValue::from_static(kind(&file.path)), tag, file })
        };
        let all: HashMap<_, _> = files.into_iter().map(kept).collect();
        all.contains_key(PAGE).then_some(Self(all))
    }

    /// The file at an address, or the page if it is one of the client's own addresses; `None`: nothing of the client's.
    pub(super) fn answer(&self, uri: &Uri, asked: &HeaderMap) -> Option<Response> {
        let path = uri.path().trim_start_matches('/');
        if let Some(kept) = self.0.get(path).filter(|_| path != PAGE) {
            return Some(kept.answer(path.starts_with(HASHED), asked));
        }
        is_view(uri).then(|| self.page(asked))
    }

    /// The page.
    pub(super) fn page(&self, asked: &HeaderMap) -> Response {
        self.0[PAGE].answer(false, asked)
    }
}

impl Kept {
    fn answer(&self, for_ever: bool, asked: &HeaderMap) -> Response {
        let takes = |coding| takes(asked, coding);
        let (body, coding) = match (&self.file.brotli, &self.file.gzip) {
            (Some(brotli), _) if takes("br") => (brotli, Some("br")),
            (_, Some(gzip)) if takes("gzip") => (gzip, Some("gzip")),
            _ => (&self.file.plain, None),
        };
        let tag = coding.map_or_else(|| format!("\"{}\"", self.tag), |coding| format!("\"{}-{coding}\"", self.tag));
        let caching = if for_ever { "public, max-age=31536000, immutable" } else { "no-cache" };
        let mut answer = if has_already(asked, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut answer = ([(header::CONTENT_TYPE, self.kind.clone())], body.clone()).into_response();
            if let Some(coding) = coding {
                answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
            answer
        };
        let headers = answer.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::ETAG, HeaderValue::try_from(tag).expect("hexadecimal digits and the name of a coding"));
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
        answer
    }
}

/// Whether an address is one that the client has a view for. Files have a dot in their name, views have none.
pub(super) fn is_view(uri: &Uri) -> bool {
    let path = uri.path().trim_start_matches('/');
    !NOT_PAGES.iter().any(|p| path.starts_with(p)) && !path.rsplit('/').next().unwrap_or_default().contains('.')
}

/// Whether the browser takes a coding of content (RFC 9110 §12.5.3).
fn takes(asked: &HeaderMap, coding: &str) -> bool {
    let items = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    items.map(|item| item.split_once(';').unwrap_or((item, ""))).any(|(name, parameters)| {
        let refused = parameters.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q == 0.0));
        name.trim().eq_ignore_ascii_case(coding) && !refused
    })
}

/// Whether the browser has what it asks for (RFC 9110 §13.1.2: the comparison is weak).
fn has_already(asked: &HeaderMap, tag: &str) -> bool {
    let tags = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    tags.map(str::trim).any(|t| t == "*" || t.strip_prefix("W/").unwrap_or(t) == tag)
}

/// What a file is, by the end of its name. With `nosniff` a browser believes this alone.
fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_told_from_files() {
        for page in ["", "join/abc", "group/abcdef", "c/12", "settings/devices"] {
            assert!(is_view(&format!("/{page}").parse().unwrap()), "{page}");
        }
        for none in ["favicon.ico", "assets/gone", "assets/x.js", "v1/ws", "v1/", "api/x", ".well-known/x", "a/b.php"] {
            assert!(!is_view(&format!("/{none}").parse().unwrap()), "{none}");
        }
    }

    #[test]
    fn codings_are_taken_as_offered() {
        for (offered, br, gzip) in [
            ("gzip, deflate, br", true, true),
            ("gzip;q=1.0, br;q=0", false, true),
            ("BR", true, false),
            ("identity", false, false),
            ("br;q=0.000, gzip;q=0.5", false, true),
        ] {
            let headers: HeaderMap = [(header::ACCEPT_ENCODING, HeaderValue::from_static(offered))].into_iter().collect();
            assert_eq!((takes(&headers, "br"), takes(&headers, "gzip")), (br, gzip), "{offered}");
        }
    }
}
