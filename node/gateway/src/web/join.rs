//! Making an account in a browser: a form, and the recovery codes once. For browsers without script (`?plain`), and for
//! nodes without the web client; with it, its own view does this.
//!
//! The link's secret is in the path: answers are kept by no cache, and no other site is told where one came from. Posts
//! are taken from this server's own page only, and counted like every registration.

use axum::{
    Extension, Form,
    extract::{Path, Query, rejection::FormRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use startalk_domain::{
    accounts,
    governance::{self, Registration as Policy},
};
use startalk_protocol::{Code, Error};

use super::{
    Client,
    headers::is_same_origin,
    home::start_command,
    page::{Field, Reader, escape},
};
use crate::{enter::Registration, secrets};

/// `?plain`, `?lang=`.
#[derive(Deserialize, Default)]
pub(super) struct Wanted {
    pub lang: Option<String>,
    plain: Option<String>,
}

impl Wanted {
    /// Whether the page without script is wanted; it alone has links with a language.
    pub(super) fn is_plain(&self) -> bool {
        self.plain.is_some() || self.lang.is_some()
    }
}

/// What was typed.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Typed {
    name: String,
    display_name: String,
    password: String,
    password_again: String,
}

fn reader(secret: &str, wanted: &Wanted, headers: &HeaderMap) -> Reader {
    let path = if secret.is_empty() { "/join".to_owned() } else { format!("/join/{secret}") };
    Reader::of(&path, wanted.lang.as_deref(), headers)
}

/// The form of an invitation.
pub(super) async fn form(
    client: Extension<Client>,
    Path(secret): Path<String>,
    wanted: Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    show_form(&client, &secret, &wanted, &headers)
}

/// The form where registration is open.
pub(super) async fn open_form(client: Extension<Client>, wanted: Query<Wanted>, headers: HeaderMap) -> Response {
    show_form(&client, "", &wanted, &headers)
}

fn show_form(client: &Client, secret: &str, wanted: &Wanted, headers: &HeaderMap) -> Response {
    if let Some(web) = client.gateway.config.web.as_ref().filter(|_| !wanted.is_plain()) {
        return web.page(headers);
    }
    let reader = reader(secret, wanted, headers);
    match may_join(client, secret) {
        Ok(administrator) => page(client, &reader, administrator, &Typed::default(), None),
        Err(error) => reader.failure(status(&error), &error.words(reader.language)),
    }
}

/// What was typed into the form of an invitation.
pub(super) async fn submit(
    client: Extension<Client>,
    Path(secret): Path<String>,
    wanted: Query<Wanted>,
    headers: HeaderMap,
    typed: Result<Form<Typed>, FormRejection>,
) -> Response {
    take(&client, &secret, &wanted, &headers, typed).await
}

/// What was typed into the open form.
pub(super) async fn open_submit(
    client: Extension<Client>,
    wanted: Query<Wanted>,
    headers: HeaderMap,
    typed: Result<Form<Typed>, FormRejection>,
) -> Response {
    take(&client, "", &wanted, &headers, typed).await
}

async fn take(
    client: &Client,
    secret: &str,
    wanted: &Wanted,
    headers: &HeaderMap,
    typed: Result<Form<Typed>, FormRejection>,
) -> Response {
    let reader = reader(secret, wanted, headers);
    if !is_same_origin(headers) {
        return reader.failure(StatusCode::FORBIDDEN, reader.words.foreign_form);
    }
    let typed = match typed {
        Ok(Form(typed)) => typed,
        Err(rejection) => {
            let error = Error::new(Code::Malformed).with("expected", reader.words.join_title);
            return reader.failure(rejection.status(), &error.words(reader.language));
        }
    };
    let administrator = match may_join(client, secret) {
        Ok(administrator) => administrator,
        Err(error) => return reader.failure(status(&error), &error.words(reader.language)),
    };
    if typed.password != typed.password_again {
        let wrong = ("password_again", reader.words.passwords_differ.to_owned(), StatusCode::UNPROCESSABLE_ENTITY);
        return page(client, &reader, administrator, &typed, Some(wrong));
    }
    let new = Registration {
        name: typed.name.clone(),
        password: typed.password.clone(),
        display_name: typed.display_name.clone(),
        invitation: secret.to_owned(),
        device_name: None,
    };
    match client.gateway.make_account(client.from, new).await {
        Ok(made) => {
            tracing::info!(administrator = made.administrator, "an account was made in a browser");
            done(client, &reader, made.name.as_str(), &made.recovery_codes)
        }
        Err(error) => {
            let wrong = (wrong_field(&error), error.words(reader.language), status(&error));
            page(client, &reader, administrator, &typed, Some(wrong))
        }
    }
}

/// Whether the link is good, and makes an administrator; without a link, whether registration is open.
fn may_join(client: &Client, secret: &str) -> Result<bool, Error> {
    let (store, domain) = (&*client.gateway.config.views.store, &client.gateway.config.domain);
    let policy = governance::realm(store).registration;
    if secret.is_empty() {
        return match policy {
            Policy::Open => Ok(false),
            Policy::Invitation => Err(Error::new(Code::InvitationNeeded).with("domain", domain)),
            Policy::Closed => Err(Error::new(Code::RegistrationClosed).with("domain", domain)),
        };
    }
    let invitation = accounts::invitation(store, &secrets::invitation_hash(secret), client.gateway.now_ms());
    invitation.map(|i| i.administrator).ok_or_else(|| Code::InvitationInvalid.into())
}

fn wrong_field(error: &Error) -> &'static str {
    match error.code {
        Code::NameTaken | Code::BadName | Code::WrongDomain => "name",
        Code::BadPassword => "password",
        Code::BadValue => "display_name",
        _ => "",
    }
}

fn status(error: &Error) -> StatusCode {
    match error.code {
        Code::InvitationInvalid => StatusCode::NOT_FOUND,
        Code::InvitationNeeded | Code::RegistrationClosed => StatusCode::FORBIDDEN,
        Code::SlowDown => StatusCode::TOO_MANY_REQUESTS,
        Code::DiskFull | Code::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// The form; `wrong`: the field, why, and the answer's status.
fn page(
    client: &Client,
    reader: &Reader,
    administrator: bool,
    typed: &Typed,
    wrong: Option<(&str, String, StatusCode)>,
) -> Response {
    let words = reader.words;
    let domain = client.gateway.config.domain.shown();
    let invited = if administrator { words.join_administrator } else { words.join_text }.replace("{domain}", &domain);
    let mut main = format!("<h1>{}</h1>\n<p>{}</p>\n", words.join_title, escape(&invited));
    if let Some((_, why, _)) = &wrong {
        main.push_str(&format!("<p role=\"alert\" class=\"alert\">{}</p>\n", escape(why)));
    }
    main.push_str(&format!("<form method=\"post\" action=\"{}?lang={}\">\n", escape(&reader.path), words.tag));
    let name_hint = words.name_hint.replace("{domain}", &domain);
    let text = "type=\"text\" maxlength=\"64\"";
    let fields: [(&'static str, &str, &str, &'static str, &str); 4] = [
        (
            "name",
            words.name,
            &name_hint,
            "type=\"text\" maxlength=\"64\" required autofocus autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\"",
            &typed.name,
        ),
        ("display_name", words.display_name, words.display_name_hint, text, &typed.display_name),
        ("password", words.password, words.password_hint, NEW_PASSWORD, ""),
        ("password_again", words.password_again, "", NEW_PASSWORD, ""),
    ];
    for (id, label, hint, attributes, value) in fields {
        let is_wrong = wrong.as_ref().is_some_and(|w| w.0 == id);
        Field { id, label, hint, attributes, value, is_wrong }.put(&mut main);
    }
    main.push_str(&format!("<button type=\"submit\">{}</button>\n</form>\n", words.create));
    reader.page(wrong.map_or(StatusCode::OK, |w| w.2), words.join_title, &main)
}

const NEW_PASSWORD: &str = "type=\"password\" required minlength=\"8\" maxlength=\"1024\" autocomplete=\"new-password\"";

/// The account is there: its address, its codes, and how to go on.
fn done(client: &Client, reader: &Reader, name: &str, codes: &[String]) -> Response {
    let words = reader.words;
    let user = format!("{name}@{}", client.gateway.config.domain);
    let codes: String = codes.iter().map(|c| format!("<li><code>{}</code></li>\n", escape(c))).collect();
    let main = format!(
        "<h1>{}</h1>\n<p>{} <strong class=\"address\">{}</strong></p>\n\
         <section class=\"codes\">\n<h2>{}</h2>\n<p>{}</p>\n<ol>\n{codes}</ol>\n</section>\n\
         <section>\n<h2>{}</h2>\n<p>{}</p>\n<pre><code>{}</code></pre>\n</section>\n",
        words.welcome,
        words.address_is,
        escape(&user),
        words.codes_title,
        words.codes_text,
        words.next_title,
        words.next_text,
        escape(&start_command(client, &user)),
    );
    reader.page(StatusCode::OK, words.welcome, &main)
}
