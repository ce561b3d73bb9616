//! The first page: what this server is, who may come in, how to get a client. And what pages are dressed with.

use axum::{
    Extension,
    extract::Query,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use startalk_domain::governance::{self, Registration};

use super::{
    Client,
    client::is_view,
    join::Wanted,
    page::{Reader, escape},
};

/// The first page: the web client, or, for who asks for it and where there is no client, what this server is.
pub(super) async fn home(Extension(client): Extension<Client>, wanted: Query<Wanted>, headers: HeaderMap) -> Response {
    if let Some(web) = client.gateway.config.web.as_ref().filter(|_| !wanted.is_plain()) {
        return web.page(&headers);
    }
    without_client(&client, &wanted, &headers)
}

/// The first page for who has no client.
fn without_client(client: &Client, wanted: &Wanted, headers: &HeaderMap) -> Response {
    let reader = Reader::of("/", wanted.lang.as_deref(), headers);
    let words = reader.words;
    let realm = governance::realm(&*client.gateway.config.views.store);
    let domain = &client.gateway.config.domain;
    let title = if realm.display_name.is_empty() { domain.shown() } else { realm.display_name.clone() };
    let (policy, join) = match realm.registration {
        Registration::Open => (
            words.policy_open,
            format!("<p><a class=\"button\" href=\"/join?lang={}\">{}</a></p>\n", words.tag, words.join_button),
        ),
        Registration::Invitation => (words.policy_invitation, String::new()),
        Registration::Closed => (words.policy_closed, String::new()),
    };
    // Who is here although there is a client has no script.
    let without = if client.gateway.config.web.is_none() { words.no_web_client } else { words.needs_script };
    let without = format!("<p class=\"note\">{without}</p>\n");
    let main = format!(
        "<h1>{}</h1>\n<p><strong class=\"address\">{}</strong> {}</p>\n<p>{policy}</p>\n{join}{without}\
         <section>\n<h2>{}</h2>\n<p>{}</p>\n<pre><code>{}</code></pre>\n</section>\n",
        escape(&title),
        escape(&domain.shown()),
        words.about,
        words.client_title,
        words.client_text,
        escape(&start_command(client, &format!("name@{domain}"))),
    );
    reader.page(StatusCode::OK, &title, &main)
}

/// How the terminal client is started for a user; with the server's address where the domain's name does not lead there.
pub(super) fn start_command(client: &Client, user: &str) -> String {
    let config = &client.gateway.config;
    let authority = config.public_url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    if authority.is_empty() || host == config.domain.as_str() {
        return format!("startalk-terminal {user}");
    }
    let server = if authority.len() > host.len() { authority.to_owned() } else { format!("{authority}:443") };
    format!("startalk-terminal {user} --server {server}")
}

/// Whatever else was asked for: a file or a view of the web client, or nothing.
pub(super) async fn other(Extension(client): Extension<Client>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let asked = matches!(method, Method::GET | Method::HEAD);
    let wanted = Query::<Wanted>::try_from_uri(&uri).map(|Query(wanted)| wanted).unwrap_or_default();
    if let Some(answer) = client.gateway.config.web.as_ref().filter(|_| asked).and_then(|web| web.answer(&uri, &headers)) {
        // Who has no script has nothing of a view of the client, and would be sent to the same place again and again.
        let of_the_client = !is_view(&uri) || !wanted.is_plain();
        return if of_the_client { answer } else { without_client(&client, &wanted, &headers) };
    }
    let reader = Reader::of("/", wanted.lang.as_deref(), &headers);
    reader.failure(StatusCode::NOT_FOUND, reader.words.not_found)
}

/// The style of all pages.
pub(super) async fn style() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (kind, include_str!("style.css")).into_response()
}

/// The domain's icon.
pub(crate) const ICON: &str = include_str!("icon.svg");

/// The mark in the corner of pages without script.
pub(super) async fn icon() -> Response {
    let kind = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")];
    (kind, ICON).into_response()
}
