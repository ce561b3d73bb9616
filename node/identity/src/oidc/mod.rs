//! OpenID Connect: the code flow with PKCE (RFC 7636) and a nonce, as OpenID Connect Core 1.0 §3.1 and RFC 9700 want it.
//!
//! Owns discovery, the exchange of the code and the checks of the ID token; signatures and formats are `openidconnect`'s. All
//! requests go by the guarded client of the provider. Keeps no list of who is on the way: [`Pending`] is the caller's.
//! Invariant: only asymmetric signatures with a key of the issuer's, for our client id and this nonce, make a person.

mod claims;
mod config;
mod http;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use data_encoding::BASE64URL_NOPAD;
use openidconnect::{
    AuthType, AuthenticationFlow, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse,
    UserInfoClaims,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use parking_lot::Mutex;
use startalk_protocol::{Code, Error};

use crate::Person;
use claims::{Extra, Said};
pub(crate) use config::is_id;
pub use config::{ConfigError, ProviderConfig, check, is_loopback};
use http::Http;

/// How long what a provider says of itself is believed without asking again.
const METADATA_FRESH: Duration = Duration::from_secs(600);
/// Random bytes of a state, a nonce and a verifier: 256 bits, 43 characters, the fewest that PKCE allows.
const SECRET_BYTES: usize = 32;
/// Bytes of a code: those in use have some hundred, and RFC 6749 names no limit.
const CODE_BYTES_MAX: usize = 4096;

type Fields =
    IdTokenFields<Extra, EmptyExtraTokenFields, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type OidcClient = Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What tokens may be signed with. Never a shared secret, and never nothing.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// A provider, with what it last said of itself.
pub struct Provider {
    config: ProviderConfig,
    redirect: RedirectUrl,
    known: Mutex<Option<(Instant, Arc<CoreProviderMetadata>)>>,
}

/// Somebody who was sent to a provider and has not come back.
#[derive(Debug)]
pub struct Pending {
    /// What the provider says again when they come back: it names this exchange.
    pub state: String,
    nonce: String,
    verifier: String,
}

/// Where a person goes now.
#[derive(Debug)]
pub struct Begun {
    /// The provider's page.
    pub url: String,
    /// To be kept until they come back.
    pub pending: Pending,
}

impl Provider {
    /// A provider as it is configured; `callback`: the address of ours to which it sends people back.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(config: ProviderConfig, callback: &str) -> Result<Self, ConfigError> {
        config.check()?;
        let redirect = RedirectUrl::new(callback.to_owned()).map_err(|_| ConfigError::new("public", "an https address"))?;
        Ok(Self { config, redirect, known: Mutex::default() })
    }

    /// Its id in the settings.
    pub fn id(&self) -> &str {
        &self.config.id
    }

    /// Its name for people.
    pub fn display_name(&self) -> &str {
        &self.config.display_name
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Begins an exchange. `random` fills secrets.
    ///
    /// # Errors
    /// `provider-unreachable`, also if what it says of itself is not good.
    pub async fn begin(&self, random: &(dyn Fn(&mut [u8]) + Sync)) -> Result<Begun, Error> {
        let client = self.client(&*self.metadata(false).await?);
        let secret = || {
            let mut bytes = [0; SECRET_BYTES];
            random(&mut bytes);
            BASE64URL_NOPAD.encode(&bytes)
        };
        let (state, nonce, verifier) = (secret(), secret(), secret());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
        let (given_state, given_nonce) = (CsrfToken::new(state.clone()), Nonce::new(nonce.clone()));
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = client.authorize_url(flow, move || given_state, move || given_nonce);
        let scopes = self.config.scopes.iter().cloned().map(Scope::new);
        let (url, _, _) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        Ok(Begun { url: url.into(), pending: Pending { state, nonce, verifier } })
    }

    /// Ends an exchange with the code that the person brought back: whom the provider means.
    ///
    /// # Errors
    /// `provider-unreachable`; `provider-refused` with its word or with what of its answer is not good;
    /// `identity-refused` if the settings do not let such people in.
    pub async fn finish(&self, pending: Pending, code: String) -> Result<Person, Error> {
        if code.is_empty() || code.len() > CODE_BYTES_MAX {
            return Err(self.refused("invalid_code"));
        }
        let mut client = self.client(&*self.metadata(false).await?);
        let http = Http(&self.config.outbound);
        let request = client.exchange_code(AuthorizationCode::new(code)).map_err(|_| self.refused("no_token_endpoint"))?;
        let exchange = request.set_pkce_verifier(PkceCodeVerifier::new(pending.verifier)).request_async(&http).await;
        let tokens = exchange.map_err(|error| match error {
            RequestTokenError::ServerResponse(said) => self.refused(said.error().as_ref()),
            RequestTokenError::Request(error) => self.unreachable(&error),
            RequestTokenError::Parse(error, _) => self.not_good("its answer with tokens", &error),
            RequestTokenError::Other(error) => self.not_good("its answer with tokens", &error),
        })?;
        let id_token = tokens.id_token().ok_or_else(|| self.refused("no_id_token"))?;
        let nonce = Nonce::new(pending.nonce);
        if id_token.claims(&verifier(&client), &nonce).is_err() {
            // Its keys may have been replaced since they were asked for.
            client = self.client(&*self.metadata(true).await?);
        }
        let claims = id_token.claims(&verifier(&client), &nonce).map_err(|e| self.not_good("its ID token", &e))?;
        let mut said = Said::of(claims);
        if self.config.wants_more(&said) && client.user_info_url().is_some() {
            let subject = Some(claims.subject().clone());
            let request = client.user_info(tokens.access_token().to_owned(), subject).map_err(|_| self.refused("no_userinfo"))?;
            let more: UserInfoClaims<Extra, CoreGenderClaim> =
                request.request_async(&http).await.map_err(|e| self.not_good("what it says of the person", &e))?;
            said.add(&more);
        }
        self.config.person(said)
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> OidcClient {
        let secret = self.config.client_secret.clone().map(ClientSecret::new);
        let methods = metadata.token_endpoint_auth_methods_supported();
        // The default of Discovery 1.0 §3 is basic.
        let takes = |method| methods.is_none_or(|all| all.contains(&method));
        let by_post = !takes(CoreClientAuthMethod::ClientSecretBasic) && takes(CoreClientAuthMethod::ClientSecretPost);
        let client = OidcClient::from_provider_metadata(metadata.clone(), ClientId::new(self.config.client_id.clone()), secret)
            .set_redirect_uri(self.redirect.clone());
        if by_post { client.set_auth_type(AuthType::RequestBody) } else { client }
    }

    async fn metadata(&self, anew: bool) -> Result<Arc<CoreProviderMetadata>, Error> {
        #[expect(clippy::disallowed_methods, reason = "how old an answer is matters to nothing but asking again")]
        let now = Instant::now();
        let known = self.known.lock().clone();
        if let Some((asked, metadata)) = known.filter(|(asked, _)| !anew && now.duration_since(*asked) < METADATA_FRESH) {
            let _ = asked;
            return Ok(metadata);
        }
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(|e| self.unreachable(&e))?;
        // The issuer in the answer is compared with the one asked (Discovery 1.0 §4.3).
        let asked = CoreProviderMetadata::discover_async(issuer, &Http(&self.config.outbound)).await;
        let metadata = Arc::new(asked.map_err(|e| self.unreachable(&e))?);
        *self.known.lock() = Some((now, metadata.clone()));
        Ok(metadata)
    }

    fn unreachable(&self, why: &dyn std::error::Error) -> Error {
        tracing::warn!(provider = %self.config.id, why = %chain(why), "an OpenID provider cannot be used");
        Error::new(Code::ProviderUnreachable).with("provider", &self.config.display_name)
    }

    /// The provider's own word, or one of ours like it. `why` is shown to people.
    pub fn refused(&self, why: &str) -> Error {
        tracing::warn!(provider = %self.config.id, why, "an OpenID provider refused");
        Error::new(Code::ProviderRefused).with("provider", &self.config.display_name).with("why", why)
    }

    fn not_good(&self, what: &str, why: &dyn std::fmt::Display) -> Error {
        tracing::warn!(provider = %self.config.id, what, %why, "what an OpenID provider says is not good");
        Error::new(Code::ProviderRefused).with("provider", &self.config.display_name).with("why", "invalid_token")
    }
}

fn verifier(client: &OidcClient) -> openidconnect::IdTokenVerifier<'_, CoreJsonWebKey> {
    client.id_token_verifier().set_allowed_algs(ALGORITHMS)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut at = error.source();
    while let Some(cause) = at {
        out.push_str(": ");
        out.push_str(&cause.to_string());
        at = cause.source();
    }
    out
}
