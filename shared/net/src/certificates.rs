//! Certificates: the link certificate made from a domain's link key, and the certificate for browsers.
//!
//! Owns making, loading and replacing them while the program runs. Link certificates are containers for a key that is
//! judged by the charter: their names and dates mean nothing. Never writes files.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, RwLock},
    time::Duration,
};

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::{
    crypto::aws_lc_rs::sign::{any_eddsa_type, any_supported_type},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use startalk_protocol::signing::SecretKey;
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};

use crate::{ALPN_ACME, ALPN_CLIENT, ALPN_CLIENT_HTTP, ALPN_LINK};

/// How long a self-made web certificate is valid: browsers refuse more than 825 days even when they are told to trust.
const WEB_VALID: Duration = Duration::from_secs(397 * 24 * 3600);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It could not be made.
    #[error("the certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The PEM texts hold no certificate or no key.
    #[error("expected PEM with a certificate chain and its private key: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// Certificate and key do not fit together, or are of an unknown kind.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// It is no X.509 certificate.
    #[error("expected an X.509 certificate")]
    Unreadable,
}

/// The certificate of a link key: self-signed, ed25519.
#[derive(Clone)]
pub struct LinkCertificate {
    pub(crate) certified: Arc<CertifiedKey>,
    key: [u8; 32],
}

impl LinkCertificate {
    /// From the link key itself; one key serves TLS and signatures.
    ///
    /// # Errors
    /// If the libraries refuse it, which they have no reason to.
    pub fn new(link_key: &SecretKey) -> Result<Self, CertificateError> {
        let pkcs8 = PrivatePkcs8KeyDer::from(link_key.pkcs8());
        let pair = KeyPair::try_from(&pkcs8)?;
        let certificate = named("startalk link", Vec::new())?.self_signed(&pair)?;
        let certified = CertifiedKey::new(vec![certificate.der().clone()], any_eddsa_type(&pkcs8)?);
        Ok(Self { certified: Arc::new(certified), key: link_key.public() })
    }

    /// The public key in it.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }
}

impl fmt::Debug for LinkCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkCertificate(…)")
    }
}

/// The certificate shown to browsers and to all who ask by HTTPS.
#[derive(Clone)]
pub struct WebCertificate {
    pub(crate) certified: Arc<CertifiedKey>,
    pem: Option<(String, String)>,
}

/// A root that is trusted besides those of the public web.
pub type RootCertificate = CertificateDer<'static>;

/// The certificates in a PEM file, in its order.
///
/// # Errors
/// If a part of it cannot be read.
pub fn roots_from_pem(pem: &[u8]) -> Result<Vec<RootCertificate>, CertificateError> {
    Ok(CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?)
}

impl WebCertificate {
    /// Makes a self-signed one: ECDSA P-256, because browsers cannot do ed25519. `names` are domains and addresses.
    ///
    /// # Errors
    /// If one of `names` is neither a host name nor an address.
    pub fn self_made(names: Vec<String>, now_ms: i64) -> Result<Self, CertificateError> {
        let mut params = named("Startalk", names)?;
        let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
        params.not_before = now - Duration::from_secs(24 * 3600);
        params.not_after = now + WEB_VALID;
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.self_signed(&pair)?;
        Self::from_pem(&certificate.pem(), &pair.serialize_pem())
    }

    /// From a chain (the server's certificate first) and its private key, both PEM.
    ///
    /// # Errors
    /// If they cannot be read or do not fit together.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, CertificateError> {
        let certificates = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err(rustls::pki_types::pem::Error::NoItemsFound.into());
        }
        let key_der = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
        let certified = CertifiedKey::new(certificates, any_supported_type(&key_der)?);
        match certified.keys_match() {
            // Unknown: the signer does not give its public key. Nothing to compare, as rustls itself decides.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(Self { certified: Arc::new(certified), pem: Some((chain.to_owned(), key.to_owned())) })
    }

    /// The server's own certificate, DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        self.certified.cert.first().expect("from_pem refuses an empty chain")
    }

    /// BLAKE3 of the server's own certificate: what stands after `#` in a hub's URL.
    pub fn fingerprint(&self) -> [u8; 32] {
        *blake3::hash(self.certificate()).as_bytes()
    }

    /// From when until when it is valid, in milliseconds since 1970, and for which host names.
    ///
    /// # Errors
    /// If it is no X.509 certificate.
    pub fn says(&self) -> Result<CertificateSays, CertificateError> {
        let (_, parsed) =
            x509_parser::certificate::X509Certificate::from_der(self.certificate()).map_err(|_| CertificateError::Unreadable)?;
        let names = parsed.subject_alternative_name().map_err(|_| CertificateError::Unreadable)?;
        let names = names.map_or_else(Vec::new, |names| {
            let dns =
                |name: &GeneralName<'_>| if let GeneralName::DNSName(name) = name { Some((*name).to_owned()) } else { None };
            names.value.general_names.iter().filter_map(dns).collect()
        });
        let ms = |time: x509_parser::time::ASN1Time| time.timestamp().saturating_mul(1000);
        Ok(CertificateSays {
            not_before_ms: ms(parsed.validity().not_before),
            not_after_ms: ms(parsed.validity().not_after),
            names,
        })
    }

    /// Chain and key as PEM, to be kept (the key is secret), so that a self-made certificate survives a restart.
    pub fn pem(&self) -> Option<(&str, &str)> {
        self.pem.as_ref().map(|(chain, key)| (chain.as_str(), key.as_str()))
    }
}

impl fmt::Debug for WebCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebCertificate(…)")
    }
}

/// What a web certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSays {
    /// Milliseconds since 1970.
    pub not_before_ms: i64,
    /// Milliseconds since 1970.
    pub not_after_ms: i64,
    /// Host names; addresses are left out.
    pub names: Vec<String>,
}

/// A new key, and the request with which an authority is asked for a certificate for it.
pub struct CertificateRequest {
    /// The request, DER (PKCS #10).
    pub der: Vec<u8>,
    /// The private key, PEM; secret.
    pub key_pem: String,
}

impl CertificateRequest {
    /// For these host names: ECDSA P-256.
    ///
    /// # Errors
    /// If one of `names` is no host name.
    pub fn new(names: Vec<String>) -> Result<Self, CertificateError> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let request = params.serialize_request(&pair)?;
        Ok(Self { der: request.der().to_vec(), key_pem: pair.serialize_pem() })
    }
}

/// What proves to an authority that a host name is this server's: a self-signed certificate with the digest that it expects.
/// RFC 8737 §3
#[derive(Clone)]
pub struct ChallengeCertificate(Arc<CertifiedKey>);

impl ChallengeCertificate {
    /// For one host name, with the SHA-256 of the key authorization.
    ///
    /// # Errors
    /// If `name` is no host name.
    pub fn new(name: &str, digest: &[u8; 32]) -> Result<Self, CertificateError> {
        let mut params = named(name, vec![name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.self_signed(&pair)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.serialize_der()));
        Ok(Self(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], any_supported_type(&key)?))))
    }
}

impl fmt::Debug for ChallengeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeCertificate(…)")
    }
}

fn named(name: &str, names: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

/// Picks the certificate by ALPN: the link certificate for Startalk's own protocols, the challenge of the name asked for while an
/// authority proves it, else the web certificate. All can be replaced while connections come in; those already open keep
/// what they had.
#[derive(Default)]
pub struct CertResolver {
    link: RwLock<Option<Arc<CertifiedKey>>>,
    web: RwLock<Option<Arc<CertifiedKey>>>,
    /// By host name.
    challenges: RwLock<BTreeMap<String, ChallengeCertificate>>,
}

impl CertResolver {
    /// With what there is; a hub has no link certificate.
    pub fn new(link: Option<&LinkCertificate>, web: Option<&WebCertificate>) -> Arc<Self> {
        let new = Self::default();
        put(&new.link, link.map(|c| c.certified.clone()));
        put(&new.web, web.map(|c| c.certified.clone()));
        Arc::new(new)
    }

    /// From now on, this is the link certificate.
    pub fn replace_link(&self, certificate: &LinkCertificate) {
        put(&self.link, Some(certificate.certified.clone()));
    }

    /// From now on, this is the web certificate.
    pub fn replace_web(&self, certificate: &WebCertificate) {
        put(&self.web, Some(certificate.certified.clone()));
    }

    /// Answers the authority's challenge for a name, until what comes back is dropped.
    pub fn answer_challenge(self: &Arc<Self>, name: &str, certificate: ChallengeCertificate) -> AnsweredChallenge {
        let name = name.to_ascii_lowercase();
        self.challenges.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(name.clone(), certificate);
        AnsweredChallenge { resolver: self.clone(), name }
    }

    fn challenge(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let challenges = self.challenges.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        challenges.get(&hello.server_name()?.to_ascii_lowercase()).map(|c| c.0.clone())
    }
}

/// While it lives, connections that ask for `acme-tls/1` are shown the challenge of its name.
#[derive(Debug)]
pub struct AnsweredChallenge {
    resolver: Arc<CertResolver>,
    name: String,
}

impl Drop for AnsweredChallenge {
    fn drop(&mut self) {
        self.resolver.challenges.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&self.name);
    }
}

fn put(slot: &RwLock<Option<Arc<CertifiedKey>>>, value: Option<Arc<CertifiedKey>>) {
    *slot.write().unwrap_or_else(std::sync::PoisonError::into_inner) = value;
}

impl fmt::Debug for CertResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertResolver(…)")
    }
}

impl ResolvesServerCert for CertResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if asks_for_challenge(&hello) {
            // None of the others in its place: the authority would hold it for the answer.
            return self.challenge(&hello);
        }
        let slot = if asks_for_startalk(&hello) { &self.link } else { &self.web };
        slot.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// Whether the client offers one of Startalk's own protocols; they go before HTTP in every server's order.
pub(crate) fn asks_for_startalk(hello: &ClientHello<'_>) -> bool {
    asks_for(hello, &[ALPN_LINK, ALPN_CLIENT, ALPN_CLIENT_HTTP])
}

/// Whether the client offers `acme-tls/1` and nothing else, as RFC 8737 §3 has an authority do it.
pub(crate) fn asks_for_challenge(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut offered| offered.next() == Some(ALPN_ACME) && offered.next().is_none())
}

/// Whether the client offers one of these.
pub(crate) fn asks_for(hello: &ClientHello<'_>, protocols: &[&[u8]]) -> bool {
    hello.alpn().is_some_and(|mut offered| offered.any(|p| protocols.contains(&p)))
}
