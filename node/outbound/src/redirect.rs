//! Where a redirect leads: the Location header against the URL that was asked (RFC 3986 §5, the forms in use).
//!
//! Pure; whether the target may be fetched is judged by the client.

use startalk_net::http::{HttpAnswer, StatusCode, Uri, header};

/// The absolute URL that an answer redirects to; `None` if it is no redirect.
pub(crate) fn target(asked: &Uri, answer: &HttpAnswer) -> Option<String> {
    let redirects = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    if !redirects.contains(&answer.status) {
        return None;
    }
    let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
    Some(resolve(asked, location))
}

fn resolve(asked: &Uri, location: &str) -> String {
    let (scheme, authority) = (asked.scheme_str().unwrap_or("https"), asked.authority().map_or("", |a| a.as_str()));
    let before_path = location.split(['/', '?', '#']).next().unwrap_or_default();
    if before_path.contains(':') {
        return location.to_owned();
    }
    if location.starts_with("//") {
        return format!("{scheme}:{location}");
    }
    if location.starts_with('/') {
        return format!("{scheme}://{authority}{location}");
    }
    let directory = asked.path().rsplit_once('/').map_or("", |(directory, _)| directory);
    if location.starts_with('?') {
        return format!("{scheme}://{authority}{}{location}", asked.path());
    }
    format!("{scheme}://{authority}{directory}/{location}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_resolved_against_what_was_asked() {
        let asked: Uri = "https://a.example:8443/b/c?d".parse().unwrap();
        for (location, expected) in [
            ("https://x.example/y", "https://x.example/y"),
            ("//x.example/y", "https://x.example/y"),
            ("/y?z", "https://a.example:8443/y?z"),
            ("y", "https://a.example:8443/b/y"),
            ("?z", "https://a.example:8443/b/c?z"),
            ("javascript:alert(1)", "javascript:alert(1)"),
        ] {
            assert_eq!(resolve(&asked, location), expected);
        }
    }
}
