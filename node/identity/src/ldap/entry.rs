//! What an entry says of somebody: attributes as bytes, read as ids, names and whether the directory keeps them out.

use std::{collections::BTreeMap, sync::LazyLock};

use data_encoding::HEXLOWER;
use ldap3::SearchEntry;
use startalk_protocol::limits::{DISPLAY_NAME_CHARS_MAX, EXTERNAL_ID_CHARS_MAX, GROUPS_TO_JOIN_MAX};

use super::DirectoryConfig;

/// Bytes of a value that is looked at, and values of an attribute.
const VALUE_BYTES_MAX: usize = 1024;
const VALUES_MAX: usize = 2048;
/// The bit of `userAccountControl` in Active Directory for an account that is disabled.
const ACCOUNT_DISABLED: i64 = 2;
/// `pwdAccountLockedTime` of an account that an administrator has locked (draft-behera-ldap-password-policy).
const LOCKED_FOR_EVER: &str = "000001010000Z";
/// Attributes that say that somebody is kept out: Active Directory's, 389's, OpenLDAP's.
pub(super) const GONE_BY: [&str; 3] = ["userAccountControl", "nsAccountLock", "pwdAccountLockedTime"];
/// Attributes that are bytes, not text; `objectGUID` is written as Active Directory's tools do.
const BINARY: [&str; 2] = ["objectsid", "guid"];

/// Somebody as a directory describes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Where they stand in the directory.
    pub dn: String,
    /// Who they are, for ever.
    pub id: String,
    /// Their name there; may be none that an account can have.
    pub name: String,
    /// May be empty.
    pub display_name: String,
    /// May be empty.
    pub mail: String,
    /// The directory keeps them out.
    pub gone: bool,
    /// Groups of this domain, as the settings name them.
    pub groups: Vec<String>,
    /// The attribute without which nobody can be somebody here; the rest is empty then.
    pub error: Option<Unread>,
}

/// What of an entry cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{attribute}: expected {expected}")]
pub struct Unread {
    /// Which.
    pub attribute: String,
    /// Of it.
    pub expected: &'static str,
}

/// An entry as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) dn: String,
    /// By names in lower case: their case does not count (RFC 4512 §2.5).
    values: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Raw {
    pub(super) fn of(entry: SearchEntry) -> Self {
        let texts = entry.attrs.into_iter().map(|(name, all)| (name, all.into_iter().map(String::into_bytes).collect()));
        Self::new(entry.dn, texts.chain(entry.bin_attrs))
    }

    fn new(dn: String, attributes: impl Iterator<Item = (String, Vec<Vec<u8>>)>) -> Self {
        let mut values: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for (name, all) in attributes {
            let kept = values.entry(name.to_ascii_lowercase()).or_default();
            kept.extend(all.into_iter().filter(|v| (1..=VALUE_BYTES_MAX).contains(&v.len())));
            kept.sort(); // a directory keeps no order of values
            kept.truncate(VALUES_MAX);
        }
        Self { dn: dn.chars().take(VALUE_BYTES_MAX).collect(), values }
    }

    pub(super) fn bytes(&self) -> usize {
        let values = self.values.iter().map(|(name, all)| name.len() + all.iter().map(Vec::len).sum::<usize>());
        self.dn.len() + values.sum::<usize>()
    }

    fn values(&self, attribute: &str) -> &[Vec<u8>] {
        self.values.get(&attribute.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    fn texts<'a>(&'a self, attribute: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.values(attribute).iter().filter_map(|v| std::str::from_utf8(v).ok()).map(str::trim).filter(|t| !t.is_empty())
    }
}

/// Who an entry is.
///
/// # Errors
/// If it does not say for ever who it is.
pub(super) fn listed(raw: &Raw, config: &DirectoryConfig) -> Result<Listed, Unread> {
    let attributes = &config.attributes;
    let unread = |expected| Unread { attribute: attributes.id.clone(), expected };
    let id = match raw.values(&attributes.id) {
        [one] => id(&attributes.id, one).ok_or_else(|| unread("1 to 128 characters of plain text"))?,
        _ => return Err(unread("one value")),
    };
    // Of several names the first that can be one here, in the order of the alphabet: always the same.
    let name = raw.texts(&attributes.name).find(|n| crate::name_of(n).is_ok()).or(raw.texts(&attributes.name).next());
    let shown = raw.texts(&attributes.display_name).next().unwrap_or_default();
    let shown = shown.chars().filter(|c| !c.is_control()).take(DISPLAY_NAME_CHARS_MAX).collect::<String>();
    let is_in = |group: &str| raw.texts("memberOf").any(|dn| same_dn(dn, group));
    let mut groups: Vec<String> = config.groups.iter().filter(|(dn, _)| is_in(dn)).map(|(_, name)| name.clone()).collect();
    groups.sort();
    groups.dedup();
    groups.truncate(GROUPS_TO_JOIN_MAX);
    Ok(Listed {
        dn: raw.dn.clone(),
        id,
        name: name.unwrap_or_default().to_owned(),
        display_name: shown.trim().to_owned(),
        mail: raw.texts(&attributes.mail).next().unwrap_or_default().to_owned(),
        gone: is_gone(raw),
        groups,
        error: None,
    })
}

/// As people write them: case, and spaces after commas, do not count.
fn same_dn(one: &str, other: &str) -> bool {
    let parts = |dn: &str| dn.split(',').map(|p| p.trim().to_lowercase()).collect::<Vec<_>>();
    parts(one) == parts(other)
}

fn is_gone(raw: &Raw) -> bool {
    let [control, lock, locked] = GONE_BY;
    let control = raw.texts(control).next().and_then(|t| t.parse::<i64>().ok()).unwrap_or_default();
    control & ACCOUNT_DISABLED != 0
        || raw.texts(lock).any(|t| t.eq_ignore_ascii_case("true"))
        || raw.texts(locked).any(|t| t == LOCKED_FOR_EVER)
}

/// What an id is as text. By the attribute, not by the bytes: bytes that happen to be text would be somebody else's text.
fn id(attribute: &str, bytes: &[u8]) -> Option<String> {
    let attribute = attribute.to_ascii_lowercase();
    let text = match attribute.as_str() {
        "objectguid" => guid(bytes.try_into().ok()?),
        binary if BINARY.contains(&binary) || binary.ends_with(";binary") => HEXLOWER.encode(bytes),
        "entryuuid" => std::str::from_utf8(bytes).ok()?.to_ascii_lowercase(),
        _ => std::str::from_utf8(bytes).ok()?.to_owned(),
    };
    let plain = text.trim() == text && !text.is_empty() && !text.chars().any(char::is_control);
    (plain && text.chars().count() <= EXTERNAL_ID_CHARS_MAX).then_some(text)
}

/// As Active Directory's tools write it: the first three parts have their bytes the other way round.
fn guid(bytes: [u8; 16]) -> String {
    let [d, c, b, a, f, e, h, g, rest @ ..] = bytes;
    let hex = |part: &[u8]| HEXLOWER.encode(part);
    format!("{}-{}-{}-{}-{}", hex(&[a, b, c, d]), hex(&[e, f]), hex(&[g, h]), hex(&rest[..2]), hex(&rest[2..]))
}

/// Lines `attribute=value`, an empty one between entries.
pub(super) fn check(bytes: &[u8]) {
    static CONFIG: LazyLock<Option<DirectoryConfig>> = LazyLock::new(|| check_config().ok());
    let Some(config) = CONFIG.as_ref() else { return };
    for entry in bytes.split(|b| *b == 0x1e).take(64) {
        let attributes = entry.split(|b| *b == b'\n').filter_map(|line| {
            let at = line.iter().position(|b| *b == b'=')?;
            Some((String::from_utf8_lossy(&line[..at]).into_owned(), vec![line[at + 1..].to_vec()]))
        });
        let raw = Raw::new(String::from_utf8_lossy(entry).into_owned(), attributes);
        assert!(raw.dn.len() <= 4 * VALUE_BYTES_MAX);
        for attribute in ["entryUUID", "objectGUID", "employeeNumber", "x;binary"] {
            let mut own = config.clone();
            own.attributes.id = attribute.into();
            let Ok(listed) = listed(&raw, &own) else { continue };
            let chars = listed.id.chars().count();
            assert!((1..=EXTERNAL_ID_CHARS_MAX).contains(&chars) && listed.id.trim() == listed.id);
            assert!(!listed.id.chars().any(char::is_control));
            assert!(listed.display_name.chars().count() <= DISPLAY_NAME_CHARS_MAX && listed.groups.len() <= GROUPS_TO_JOIN_MAX);
        }
    }
}

fn check_config() -> Result<DirectoryConfig, rustls::Error> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let attribute = |name: &str| name.to_owned();
    Ok(DirectoryConfig {
        id: "d".into(),
        display_name: "D".into(),
        url: "ldaps://d.example".into(),
        start_tls: false,
        allow_plain: false,
        tls: std::sync::Arc::new(tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()),
        bind_dn: String::new(),
        bind_password: String::new(),
        base: "dc=d".into(),
        filter: "(uid={name})".into(),
        import_filter: None,
        attributes: super::Attributes {
            id: attribute("entryUUID"),
            name: attribute("uid"),
            display_name: attribute("cn"),
            mail: attribute("mail"),
        },
        groups: BTreeMap::from([("cn=staff,dc=d".into(), "Staff".into())]),
        register: true,
        timeout: std::time::Duration::from_secs(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(attributes: &[(&str, &[u8])]) -> Raw {
        let mut all: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for (name, value) in attributes {
            all.entry((*name).to_owned()).or_default().push(value.to_vec());
        }
        Raw::new("uid=ann,dc=d".into(), all.into_iter())
    }

    #[test]
    fn an_entry_is_somebody_by_its_id() {
        let config = check_config().unwrap();
        let uuid = b"0F3A5E52-7d2c-4c59-9a4f-0b9f1c1a2b3c";
        let member = ("MEMBEROF", &b"CN=Staff, DC=d"[..]);
        let all = [
            ("entryuuid", &uuid[..]),
            ("UID", b"A\xc3\xb6"),
            ("uid", b"Zoe"),
            ("uid", b"ann"),
            ("cn", " 安 ".as_bytes()),
            member,
        ];
        let ann = listed(&raw(&all), &config).unwrap();
        assert_eq!((ann.id.as_str(), ann.display_name.as_str()), ("0f3a5e52-7d2c-4c59-9a4f-0b9f1c1a2b3c", "安"));
        assert_eq!((ann.name.as_str(), ann.groups, ann.gone), ("Zoe", vec!["Staff".to_owned()], false));
        for bad in [&[("uid", &b"ann"[..])][..], &[("entryUUID", b"a"), ("entryUUID", b"b")], &[("entryUUID", b" a")]] {
            assert!(listed(&raw(bad), &config).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn active_directory_is_read_as_its_tools_write_it() {
        let mut config = check_config().unwrap();
        config.attributes.id = "objectGUID".into();
        let bytes: [u8; 16] = [0x52, 0x5e, 0x3a, 0x0f, 0x2c, 0x7d, 0x59, 0x4c, 0x9a, 0x4f, 0x0b, 0x9f, 0x1c, 0x1a, 0x2b, 0x3c];
        let of = |control: &[u8]| listed(&raw(&[("objectGUID", &bytes), ("userAccountControl", control)]), &config).unwrap();
        assert_eq!(of(b"512").id, "0f3a5e52-7d2c-4c59-9a4f-0b9f1c1a2b3c");
        assert_eq!([&b"512"[..], b"514", b"66050", b"66048", b"x"].map(|c| of(c).gone), [false, true, true, false, false]);
        assert!(listed(&raw(&[("objectGUID", &bytes[1..])]), &config).is_err());
        // Bytes that are text by chance are still bytes.
        assert_eq!(
            listed(&raw(&[("objectGUID", b"abcdefghijklmnop")]), &config).unwrap().id,
            "64636261-6665-6867-696a-6b6c6d6e6f70"
        );
        assert!(is_gone(&raw(&[("pwdAccountLockedTime", b"000001010000Z")])) && is_gone(&raw(&[("nsaccountlock", b"TRUE")])));
        assert!(!is_gone(&raw(&[("pwdAccountLockedTime", b"20260101000000Z")])), "it ends by itself");
    }
}
