//! Who the other side of a TLS connection is: verifiers for link keys, and for the public web.
//!
//! The handshake signature is verified in every mode: whoever is named here held the key. Whether the key is a
//! domain's is judged by whoever knows the charter, never here. Link keys: TLS 1.3 and ed25519 only.

use std::{collections::BTreeSet, sync::Arc};

use ed25519_dalek::VerifyingKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{LinkCertificate, provider};

/// Whom a client accepts.
#[derive(Clone, Debug)]
pub enum Verify {
    /// One of these ed25519 keys.
    Pinned(BTreeSet<[u8; 32]>),
    /// Any ed25519 key; the caller judges the one that is returned.
    Capture,
    /// Any certificate at all: only for fetching what verifies itself (signed records), from servers whose web
    /// certificate may be self-made.
    AnyCertificate,
    /// A certificate that the public web trusts, or that leads to one of these roots besides.
    Web {
        /// Roots of private authorities, DER; also self-made certificates taken as their own roots.
        extra_roots: Vec<CertificateDer<'static>>,
    },
    /// Exactly the certificate with this BLAKE3.
    CertificateHash([u8; 32]),
}

impl Verify {
    /// The public web, nothing else.
    pub fn web() -> Self {
        Self::Web { extra_roots: Vec::new() }
    }
}

/// The ed25519 key of a connection's peer; `None` if it showed no certificate, or one with another kind of key.
pub fn peer_key(connection: &rustls::CommonState) -> Option<[u8; 32]> {
    connection.peer_certificates()?.first().and_then(ed25519_key)
}

/// As [`peer_key`], of a QUIC connection.
pub fn quic_peer_key(connection: &quinn::Connection) -> Option<[u8; 32]> {
    let identity = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    identity.first().and_then(ed25519_key)
}

/// The raw ed25519 key in a certificate.
pub fn ed25519_key(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let (rest, parsed) = X509Certificate::from_der(certificate).ok()?;
    let spki = parsed.public_key();
    if !rest.is_empty() || spki.algorithm.algorithm != x509_parser::oid_registry::OID_SIG_ED25519 {
        return None;
    }
    spki.subject_public_key.data.as_ref().try_into().ok()
}

/// A client's TLS configuration.
///
/// # Errors
/// If a root cannot be used.
pub fn client_config(verify: &Verify, alpn: &[&[u8]], certificate: Option<&LinkCertificate>) -> Result<ClientConfig, Error> {
    let provider = provider();
    let native = matches!(verify, Verify::Pinned(_) | Verify::Capture);
    let versions: &[&rustls::SupportedProtocolVersion] =
        if native { &[&rustls::version::TLS13] } else { &[&rustls::version::TLS13, &rustls::version::TLS12] };
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions)?;
    let verifier: Arc<dyn ServerCertVerifier> = match verify {
        Verify::Web { extra_roots } => web_verifier(extra_roots, provider)?,
        Verify::Pinned(keys) => Arc::new(KeyVerifier { expected: Expected::Keys(keys.clone()), provider }),
        Verify::Capture => Arc::new(KeyVerifier { expected: Expected::AnyKey, provider }),
        Verify::AnyCertificate => Arc::new(KeyVerifier { expected: Expected::Anything, provider }),
        Verify::CertificateHash(hash) => Arc::new(KeyVerifier { expected: Expected::Certificate(*hash), provider }),
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match certificate {
        Some(certificate) => {
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from((*certificate.certified).clone())))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    if native {
        // A link shows its key anew each time; a resumed one would repeat what was true of a certificate since replaced.
        config.resumption = rustls::client::Resumption::disabled();
    }
    Ok(config)
}

fn web_verifier(
    extra_roots: &[CertificateDer<'static>],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in extra_roots {
        roots.add(root.clone())?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|e| Error::General(e.to_string()))
}

#[derive(Debug)]
enum Expected {
    Keys(BTreeSet<[u8; 32]>),
    AnyKey,
    Anything,
    Certificate([u8; 32]),
}

/// Judges a self-signed certificate by the key or the bytes in it.
#[derive(Debug)]
struct KeyVerifier {
    expected: Expected,
    provider: Arc<CryptoProvider>,
}

impl KeyVerifier {
    fn judge(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let refused = || Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        let good = match &self.expected {
            Expected::Keys(keys) => keys.contains(&ed25519_key(certificate).ok_or_else(refused)?),
            Expected::AnyKey => ed25519_key(certificate).is_some(),
            Expected::Anything => true,
            Expected::Certificate(hash) => blake3::hash(certificate) == *hash,
        };
        if good { Ok(()) } else { Err(refused()) }
    }

    /// Whether this verifier names keys, so that the key named must be the very key that signed.
    fn names_keys(&self) -> bool {
        matches!(self.expected, Expected::Keys(_) | Expected::AnyKey)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        match self.expected {
            Expected::Keys(_) | Expected::AnyKey => vec![SignatureScheme::ED25519],
            Expected::Anything | Expected::Certificate(_) => self.provider.signature_verification_algorithms.supported_schemes(),
        }
    }
}

impl ServerCertVerifier for KeyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.names_keys() {
            // Not by another parser's idea of which key is in the certificate: one that two parsers read differently
            // would let its holder sign with one key and be named by another.
            return verify_with_named_key(message, cert, dss);
        }
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

fn verify_with_named_key(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = ed25519_key(cert)
        .and_then(|key| VerifyingKey::from_bytes(&key).ok())
        .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let signature = ed25519_dalek::Signature::from_slice(dss.signature()).ok().filter(|_| dss.scheme == SignatureScheme::ED25519);
    match signature.map(|signature| key.verify_strict(message, &signature)) {
        Some(Ok(())) => Ok(HandshakeSignatureValid::assertion()),
        _ => Err(Error::InvalidCertificate(CertificateError::BadSignature)),
    }
}

/// A server's view of client certificates: asked for, not needed, any ed25519 key.
#[derive(Debug)]
pub(crate) struct AnyLinkKey {
    inner: KeyVerifier,
}

impl AnyLinkKey {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { inner: KeyVerifier { expected: Expected::AnyKey, provider: provider() } })
    }
}

impl ClientCertVerifier for AnyLinkKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.inner.judge(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("links are TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls13_signature(&self.inner, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.schemes()
    }
}
