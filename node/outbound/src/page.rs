//! What a web page says of itself: a title, a few lines, a picture. Open Graph (ogp.me) first, then Twitter's names, then plain
//! HTML.
//!
//! [`read`] is pure and reads foreign bytes: it takes so many and no more, and what it gives is short plain text. Nothing of a
//! page is ever run. Invariant: what comes out has no control and no direction characters.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use lol_html::{HtmlRewriter, MemorySettings, Settings, element, text};

use crate::{HeaderMap, OutboundClient, OutboundError, Uri, header};

/// Bytes of a page that are read: what it says of itself stands at its beginning.
pub const PAGE_BYTES_MAX: usize = 512 * 1024;
/// Bytes of a page that are taken at all; one that is larger shows no card.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a picture that are taken.
const PICTURE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of memory that reading may take. The reader goes over a page once and builds nothing of it: one that builds a tree takes time
/// that grows with the square of how deep its elements are.
const MEMORY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// As what the node shows itself to servers of pages.
const CALLED: &str = "Startalk link preview";
/// Characters of a title or a site's name: whatever they are, they fit into a line of a card (512 bytes).
const LINE_CHARS_MAX: usize = 120;
/// Characters of a description.
const TEXT_CHARS_MAX: usize = 400;

/// What a page says of itself; what it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Where it came from, after redirects.
    pub url: String,
    /// Its title.
    pub title: String,
    /// A few lines about it.
    pub description: String,
    /// The site that it is of.
    pub site: String,
    /// Where a picture for it is; not looked at yet, and judged like every address.
    pub picture: String,
}

impl OutboundClient {
    /// Looks at a page.
    ///
    /// # Errors
    /// Why nothing came back. A page that is none, or says nothing, is an empty [`Page`].
    pub async fn page(&self, url: &str) -> Result<Page, OutboundError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, header::HeaderValue::from_static("text/html, application/xhtml+xml"));
        headers.insert(header::USER_AGENT, header::HeaderValue::from_static(CALLED));
        let fetched = self.get(url, headers, ANSWER_BYTES_MAX).await?;
        let media_type = fetched.headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok()).unwrap_or_default().to_owned();
        let is_page = fetched.status.is_success() && media_type.to_ascii_lowercase().contains("html");
        let at = fetched.url.clone();
        if !is_page {
            return Ok(Page { url: at.to_string(), ..Page::default() });
        }
        // Reading takes milliseconds, of a page that means no good some hundred.
        let read = tokio::task::spawn_blocking(move || read(&fetched.body, &media_type, &at)).await;
        Ok(read.unwrap_or_default())
    }

    /// The picture that a page names; empty if there is none at that address. What the bytes are is not looked at.
    ///
    /// # Errors
    /// Why nothing came back.
    pub async fn picture(&self, url: &str) -> Result<Bytes, OutboundError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, header::HeaderValue::from_static("image/*"));
        headers.insert(header::USER_AGENT, header::HeaderValue::from_static(CALLED));
        let fetched = self.get(url, headers, PICTURE_BYTES_MAX).await?;
        Ok(if fetched.status.is_success() { fetched.body } else { Bytes::new() })
    }
}

/// Reads a page that came from `at` with this `Content-Type`.
pub fn read(body: &Bytes, media_type: &str, at: &Uri) -> Page {
    let text = decoded(&body[..body.len().min(PAGE_BYTES_MAX)], media_type);
    let said = Rc::new(RefCell::new(Said { page: Page { url: at.to_string(), ..Page::default() }, ..Said::default() }));
    let (of_meta, of_title, base) = (said.clone(), said.clone(), at.clone());
    let settings = Settings::new()
        .append_element_content_handler(element!("meta", move |element| {
            let attribute = |name| element.get_attribute(name).unwrap_or_default();
            let named = attribute("property");
            let name = if named.is_empty() { attribute("name") } else { named };
            of_meta.borrow_mut().meta(&name.to_ascii_lowercase(), &attribute("content"), &base);
            Ok(())
        }))
        .append_element_content_handler(text!("title", move |text| {
            of_title.borrow_mut().title(text.as_str(), text.last_in_text_node());
            Ok(())
        }))
        .with_strict(false)
        .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(MEMORY_BYTES_MAX));
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    // A page that needs more memory than it may have says what it has said until then.
    if rewriter.write(text.as_bytes()).is_ok() {
        let _ = rewriter.end();
    }
    let Said { mut page, title, description, .. } = std::mem::take(&mut *said.borrow_mut());
    let (plain_title, plain_description) = (short(&title, LINE_CHARS_MAX), description);
    if page.title.is_empty() {
        page.title = plain_title;
    }
    if page.description.is_empty() {
        page.description = plain_description;
    }
    if page.site.is_empty() {
        page.site = at.host().unwrap_or_default().to_owned();
    }
    page
}

/// For fuzzing and mutation tests: reads foreign bytes as a page. Must never panic, whatever the bytes.
pub fn check(bytes: &[u8]) {
    let at = Uri::from_static("https://example.org/a/b");
    let page = read(&Bytes::copy_from_slice(bytes), "text/html", &at);
    assert!([&page.title, &page.site].iter().all(|line| line.chars().count() <= LINE_CHARS_MAX + 1), "lines are short");
    assert!(page.title.chars().chain(page.description.chars()).all(is_harmless), "what comes out is plain");
}

/// What was said so far.
#[derive(Default)]
struct Said {
    page: Page,
    /// Of plain HTML.
    title: String,
    /// It is whole: another one on the page is a drawing's.
    titled: bool,
    description: String,
}

impl Said {
    fn meta(&mut self, name: &str, content: &str, at: &Uri) {
        let content = html_escape::decode_html_entities(content);
        let (into, chars_max) = match name {
            "og:title" | "twitter:title" => (&mut self.page.title, LINE_CHARS_MAX),
            "og:description" | "twitter:description" => (&mut self.page.description, TEXT_CHARS_MAX),
            "description" => (&mut self.description, TEXT_CHARS_MAX),
            "og:site_name" => (&mut self.page.site, LINE_CHARS_MAX),
            "og:image:secure_url" | "og:image" | "og:image:url" | "twitter:image" => {
                if self.page.picture.is_empty() {
                    self.page.picture = resolved(at, &content).unwrap_or_default();
                }
                return;
            }
            _ => return,
        };
        if into.is_empty() {
            *into = short(&content, chars_max);
        }
    }

    /// A piece of it.
    fn title(&mut self, piece: &str, is_last: bool) {
        if !self.titled && self.title.len() < 4 * LINE_CHARS_MAX {
            self.title.push_str(&html_escape::decode_html_entities(piece));
        }
        self.titled |= is_last;
    }
}

/// By the byte order mark, what the server says, what the page says in its first kilobyte, or as UTF-8 (HTML, 13.2.3).
fn decoded(bytes: &[u8], media_type: &str) -> String {
    let named = |text: &str| {
        let (_, after) = text.split_once("charset=")?;
        let name: String =
            after.trim_start_matches(['"', '\'']).chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        encoding_rs::Encoding::for_label(name.as_bytes())
    };
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let encoding = named(&media_type.to_ascii_lowercase()).or_else(|| named(&beginning)).unwrap_or(encoding_rs::UTF_8);
    encoding.decode(bytes).0.into_owned()
}

/// One line of plain text.
fn short(text: &str, chars_max: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain: Vec<char> = words.join(" ").chars().filter(|c| is_harmless(*c)).collect();
    let cut = plain.len() > chars_max;
    let mut out: String = plain.into_iter().take(chars_max).collect();
    if cut {
        out.push('…');
    }
    out
}

fn is_harmless(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}')
}

/// An address on a page as a whole one (RFC 3986, 5.2): what has a scheme, a host, or a path from the root or beside the page.
fn resolved(at: &Uri, reference: &str) -> Option<String> {
    let reference = reference.trim();
    let (scheme, authority) = (at.scheme_str()?, at.authority()?);
    let whole = if reference.starts_with("https://") || reference.starts_with("http://") {
        reference.to_owned()
    } else if let Some(rest) = reference.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{authority}{reference}")
    } else if reference.is_empty() || reference.contains(':') {
        return None;
    } else {
        let folder = at.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{reference}")
    };
    whole.parse::<Uri>().ok().map(|uri| uri.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Uri {
        Uri::from_static("https://example.org/news/today.html")
    }

    fn of(html: &str) -> Page {
        read(&Bytes::copy_from_slice(html.as_bytes()), "text/html; charset=utf-8", &at())
    }

    #[test]
    fn a_page_says_what_it_is() {
        let page = of(r#"<html><head><title>plain</title><meta property="og:title" content="星语 &amp; more">
            <meta name="description" content="about it"><meta property="og:site_name" content="News">
            <meta property="og:image" content="/img/a.jpg"></head><body><script>document.title="run"</script></body></html>"#);
        assert_eq!((page.title.as_str(), page.description.as_str()), ("星语 & more", "about it"));
        assert_eq!((page.site.as_str(), page.picture.as_str()), ("News", "https://example.org/img/a.jpg"));
        assert_eq!(page.url, "https://example.org/news/today.html");
    }

    #[test]
    fn plain_html_will_do_and_nothing_is_no_fault() {
        let page = of("<title>\n  A  long\n title </title><p>text");
        assert_eq!((page.title.as_str(), page.site.as_str()), ("A long title", "example.org"));
        assert_eq!(of("").title, "");
        assert_eq!(of("\0\u{1}<<<<>>>").title, "");
    }

    #[test]
    fn a_page_in_gb18030_is_read() {
        let (bytes, ..) = encoding_rs::GB18030.encode("<meta charset=\"gb2312\"><title>中文网页</title>");
        let page = read(&Bytes::copy_from_slice(&bytes), "text/html", &at());
        assert_eq!(page.title, "中文网页");
    }

    #[test]
    fn what_deceives_is_taken_out_and_what_is_long_is_cut() {
        let page = of(&format!("<title>a\u{202e}b{}</title>", "x".repeat(500)));
        assert_eq!(page.title.chars().count(), LINE_CHARS_MAX + 1);
        assert!(page.title.starts_with("abx") && page.title.ends_with('…'));
    }

    #[test]
    fn addresses_of_pictures_are_whole_or_none() {
        let whole = |reference: &str| resolved(&at(), reference);
        assert_eq!(whole("a.png").unwrap(), "https://example.org/news/a.png");
        assert_eq!(whole("//cdn.example/a.png").unwrap(), "https://cdn.example/a.png");
        assert_eq!(whole("javascript:alert(1)"), None);
        assert_eq!(whole("data:image/png;base64,AA"), None);
        assert_eq!(whole("file:///etc/passwd"), None);
    }

    #[test]
    fn foreign_bytes_do_no_harm() {
        let deep = "<div>".repeat(60_000);
        let seeds = [
            r#"<html><head><title>t</title><meta property="og:title" content="x"></head>"#.to_owned(),
            deep,
            "<meta content=\"".to_owned() + &"\"".repeat(1000),
            "<svg><![CDATA[<title>x</title>]]></svg><table><title>y".to_owned(),
        ];
        let mut state = 7_u64;
        for seed in seeds {
            check(seed.as_bytes());
            let mut bytes = seed.into_bytes();
            bytes.truncate(4096);
            for _ in 0..1000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (at, byte) = ((state >> 20) as usize % bytes.len(), (state >> 50) as u8);
                let before = std::mem::replace(&mut bytes[at], byte);
                check(&bytes);
                if state.is_multiple_of(3) {
                    bytes[at] = before;
                }
            }
        }
    }
}
