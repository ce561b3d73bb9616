//! Who a domain is, the first time: what counts as proof and what as contradiction. federation-spec/04 §3
//!
//! One pure function; it is the whole rule. A hub's word and an unsigned text that agrees are no evidence at all, so they
//! do not appear in it.

use startalk_protocol::{
    Error,
    error::Language,
    trust::{Fingerprint, Pinned, VerifiedCharter, VerifiedRecord, accepts},
};

/// What proves that a record is its domain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It follows what was accepted before.
    Pinned,
    /// The administrator wrote the root key's fingerprint down.
    Configured,
    /// The name is made from the key.
    KeyName,
    /// A text record under DNSSEC names the root key.
    DnsSec,
    /// The domain itself serves it over publicly trusted TLS.
    WellKnown,
}

impl Proof {
    /// As it stands in machine-readable output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Configured => "configured",
            Self::KeyName => "key-name",
            Self::DnsSec => "dnssec",
            Self::WellKnown => "well-known",
        }
    }

    /// In words.
    pub fn words(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Pinned, Language::English) => "follows the known key",
            (Self::Pinned, Language::Chinese) => "与已知密钥相承",
            (Self::Configured, Language::English) => "configured by the administrator",
            (Self::Configured, Language::Chinese) => "由管理员配置",
            (Self::KeyName, Language::English) => "the name is the key",
            (Self::KeyName, Language::Chinese) => "名称即密钥",
            (Self::DnsSec, Language::English) => "DNSSEC",
            (Self::DnsSec, Language::Chinese) => "DNSSEC",
            (Self::WellKnown, Language::English) => "publicly trusted TLS",
            (Self::WellKnown, Language::Chinese) => "公共可信的 TLS",
        }
    }
}

/// The text record `_startalk.<domain>`: what stands after `startalk-root=`, and whether DNSSEC secures it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootText {
    /// There is none, or it is not known.
    Absent,
    /// Not secured; everybody on the way may have written it.
    Unsigned(Vec<String>),
    /// Secured by DNSSEC from a trust anchor down.
    Secure(Vec<String>),
}

/// All that is known beside the record.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What was accepted before.
    pub pinned: Option<&'a Pinned>,
    /// What the administrator wrote down.
    pub configured_root: Option<&'a Fingerprint>,
    /// What DNS says.
    pub text: &'a RootText,
    /// The record was served by the domain itself over publicly trusted TLS.
    pub from_well_known: bool,
}

/// What contradicts a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The configured fingerprint is of another key.
    Configured,
    /// The text record in DNS names another key.
    DnsText,
    /// The domain itself serves a record with another key over publicly trusted TLS.
    WellKnown,
}

/// What follows from the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this domain's record.
    Proven(Proof),
    /// Nothing says that it is, nothing that it is not.
    Unproven,
    /// It must not be used.
    Contradicted(Contradiction),
    /// It may not replace what is pinned.
    DoesNotFollow(Error),
}

/// Judges a verified record of the right name.
pub fn judge(record: &VerifiedRecord, evidence: &Evidence<'_>) -> Verdict {
    let charter = record.charter();
    if let Some(pinned) = evidence.pinned {
        // What is pinned is stronger than DNS or a configuration that was written before it.
        return accepts(pinned, record).map_or_else(Verdict::DoesNotFollow, |()| Verdict::Proven(Proof::Pinned));
    }
    if let Some(root) = evidence.configured_root {
        let agrees = names_a_root_key(root, charter);
        return if agrees { Verdict::Proven(Proof::Configured) } else { Verdict::Contradicted(Contradiction::Configured) };
    }
    if charter.domain().is_key_name() {
        return Verdict::Proven(Proof::KeyName);
    }
    let agrees = |values: &[String]| agrees(values, charter);
    match evidence.text {
        RootText::Secure(values) if agrees(values) => Verdict::Proven(Proof::DnsSec),
        RootText::Secure(values) | RootText::Unsigned(values) if !agrees(values) => Verdict::Contradicted(Contradiction::DnsText),
        _ if evidence.from_well_known => Verdict::Proven(Proof::WellKnown),
        _ => Verdict::Unproven,
    }
}

/// Whether the text names a root key in the charter's line of succession.
pub(super) fn names(text: &RootText, charter: &VerifiedCharter) -> bool {
    match text {
        RootText::Absent => false,
        RootText::Unsigned(values) | RootText::Secure(values) => agrees(values, charter),
    }
}

fn agrees(values: &[String], charter: &VerifiedCharter) -> bool {
    values.iter().filter_map(|v| v.parse().ok()).any(|f: Fingerprint| names_a_root_key(&f, charter))
}

/// Whether the fingerprint is of a root key in the line of succession. Any of them: an owner whose first key was stolen
/// publishes a later one, which the thief's line does not contain.
fn names_a_root_key(fingerprint: &Fingerprint, charter: &VerifiedCharter) -> bool {
    fingerprint.matches(&charter.first_root_key())
        || fingerprint.matches(&charter.root_key())
        || charter.line().iter().any(|step| step.to[..].try_into().is_ok_and(|key: [u8; 32]| fingerprint.matches(&key)))
}
