//! Passkeys (WebAuthn 3): adding one, and letting in who shows one, without a name.
//!
//! Signatures, attestation and formats are `webauthn-rs`'s. Always wanted: that the authenticator keeps the credential and is
//! asked by nobody's name (discoverable), and that it makes sure of the person (user verification). Keeps nothing: states and
//! credentials are the caller's. Invariant: a count is given back only for a signature over this ceremony's challenge, by this
//! credential, at one of our origins.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use startalk_protocol::{Code, DomainName, Error, limits::PASSKEY_BYTES_MAX};
use url::Url;
use webauthn_rs::prelude::{
    Credential, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Uuid,
    Webauthn, WebauthnBuilder, WebauthnError,
};

/// Bytes of the id that an authenticator gives a credential (WebAuthn 3 §4).
const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// The domain as authenticators know it.
pub struct Passkeys {
    webauthn: Webauthn,
    domain: DomainName,
}

/// Between asking for a new credential and getting it.
pub struct Adding(PasskeyRegistration);
/// Between asking for any credential and getting it.
pub struct Entering(DiscoverableAuthentication);

/// A credential to be kept.
#[derive(Debug)]
pub struct NewCredential {
    /// As the authenticator names it.
    pub id: Vec<u8>,
    /// What is needed to check its signatures, as JSON.
    pub credential: Vec<u8>,
}

/// What a browser shows of a credential; nothing of it is proven.
#[derive(Debug)]
pub struct Shown {
    user: Uuid,
    parsed: PublicKeyCredential,
}

impl Shown {
    /// Reads a browser's JSON.
    ///
    /// # Errors
    /// `passkey-refused`.
    pub fn read(json: &[u8]) -> Result<Self, Error> {
        let parsed: PublicKeyCredential = read(json)?;
        let user = parsed.get_user_unique_id().and_then(|id| Uuid::from_slice(id).ok()).ok_or(Code::PasskeyRefused)?;
        Ok(Self { user, parsed })
    }

    /// The credential that it says to be.
    pub fn id(&self) -> &[u8] {
        self.parsed.get_credential_id()
    }
}

impl Passkeys {
    /// For a domain whose pages are at `origin`. `None`: browsers would not allow it, for the address of the pages is not
    /// the domain's name, or below it; a key name is no name to browsers.
    pub fn new(domain: &DomainName, origin: &str, display_name: &str) -> Option<Self> {
        let is_of_domain =
            |host: &str| host.strip_suffix(domain.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        let is_good = |url: &Url| url.scheme() == "https" && !domain.is_key_name() && url.host_str().is_some_and(is_of_domain);
        let origin = Url::parse(origin).ok().filter(is_good)?;
        let name = if display_name.is_empty() { domain.as_str() } else { display_name };
        let webauthn = WebauthnBuilder::new(domain.as_str(), &origin).ok()?.rp_name(name).build().ok()?;
        Some(Self { webauthn, domain: domain.clone() })
    }

    /// What an account is called towards authenticators: nothing that says who it is.
    fn user(&self, account: u64) -> Uuid {
        let mut hash = blake3::Hasher::new_derive_key("startalk account towards authenticators");
        hash.update(self.domain.as_str().as_bytes()).update(&[0]).update(&account.to_be_bytes());
        Uuid::from_bytes(*hash.finalize().as_bytes().first_chunk().expect("a hash has 32 bytes"))
    }

    /// Asks for a new credential of an account, whose authenticators are to have none of `existing`; options for the browser.
    ///
    /// # Errors
    /// `internal`.
    pub fn begin_adding(
        &self,
        account: u64,
        user: &str,
        shown: &str,
        existing: Vec<Vec<u8>>,
    ) -> Result<(Vec<u8>, Adding), Error> {
        let (options, state) = self
            .webauthn
            .start_passkey_registration(self.user(account), user, shown, Some(existing))
            .map_err(|e| internal(&e))?;
        let mut options = json!(options.public_key);
        options["authenticatorSelection"]["residentKey"] = "required".into();
        options["authenticatorSelection"]["requireResidentKey"] = true.into();
        Ok((options.to_string().into_bytes(), Adding(state)))
    }

    /// The new credential.
    ///
    /// # Errors
    /// `passkey-refused`.
    pub fn finish_adding(&self, adding: &Adding, json: &[u8]) -> Result<NewCredential, Error> {
        let shown: RegisterPublicKeyCredential = read(json)?;
        let passkey = self.webauthn.finish_passkey_registration(&shown, &adding.0).map_err(|e| refused(&e))?;
        let credential = serde_json::to_vec(&passkey).map_err(|e| internal(&e))?;
        let id = passkey.cred_id().to_vec();
        if id.len() > CREDENTIAL_ID_BYTES_MAX {
            return Err(Code::PasskeyRefused.into());
        }
        Ok(NewCredential { id, credential })
    }

    /// Asks for any credential of this domain; options for the browser.
    ///
    /// # Errors
    /// `internal`.
    pub fn begin_entering(&self) -> Result<(Vec<u8>, Entering), Error> {
        let (options, state) = self.webauthn.start_discoverable_authentication().map_err(|e| internal(&e))?;
        Ok((json!(options.public_key).to_string().into_bytes(), Entering(state)))
    }

    /// Whether what was shown is this credential of this account, which was at `counter`; its count now.
    ///
    /// # Errors
    /// `passkey-copied` if it counted backwards, else `passkey-refused`.
    pub fn finish_entering(
        &self,
        entering: Entering,
        shown: &Shown,
        account: u64,
        credential: &[u8],
        counter: u32,
    ) -> Result<u32, Error> {
        if shown.user != self.user(account) {
            return Err(Code::PasskeyRefused.into());
        }
        let passkey: Passkey = serde_json::from_slice(credential).map_err(|e| internal(&e))?;
        let mut known = Credential::from(passkey);
        known.counter = known.counter.max(counter);
        let result = self.webauthn.finish_discoverable_authentication_v2(&shown.parsed, entering.0, Passkey::from(known));
        match result {
            Ok(proven) if proven.user_verified() => Ok(proven.counter()),
            Ok(_) => Err(Code::PasskeyRefused.into()),
            Err(WebauthnError::CredentialPossibleCompromise) => Err(Code::PasskeyCopied.into()),
            Err(error) => Err(refused(&error)),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    if json.len() > PASSKEY_BYTES_MAX {
        return Err(Error::new(Code::TooLarge).with("what", "credential").with("got", json.len()).with("max", PASSKEY_BYTES_MAX));
    }
    serde_json::from_slice(json).map_err(|error| {
        tracing::debug!(%error, "what a browser says of a credential cannot be read");
        Code::PasskeyRefused.into()
    })
}

fn refused(error: &WebauthnError) -> Error {
    tracing::info!(%error, "a passkey was refused");
    Code::PasskeyRefused.into()
}

fn internal(error: &dyn std::fmt::Display) -> Error {
    tracing::error!(%error, "WebAuthn");
    Code::Internal.into()
}

/// Reads bytes as what browsers send, against a ceremony that nobody began.
pub fn check(bytes: &[u8]) {
    let domain: DomainName = "check.example".parse().expect("a name");
    let passkeys = Passkeys::new(&domain, "https://check.example", "").expect("an origin of it");
    let (options, adding) = passkeys.begin_adding(1, "a", "A", Vec::new()).expect("options");
    assert!(passkeys.finish_adding(&adding, bytes).is_err(), "a credential for a challenge that nobody has seen");
    let said: Value = serde_json::from_slice(&options).expect("JSON");
    assert_eq!(said["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(said["user"]["id"], BASE64URL_NOPAD.encode(passkeys.user(1).as_bytes()));
    if let Ok(shown) = Shown::read(bytes) {
        let (_, entering) = passkeys.begin_entering().expect("options");
        assert!(passkeys.finish_entering(entering, &shown, 1, b"{}", 0).is_err());
    }
}
