//! One attempt: an account, an order for the names, a proof for each, the certificate. Whatever was shown or set for the proofs
//! is taken away again, however it ends.

use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus,
    Problem, RetryPolicy,
};
use startalk_net::{AnsweredChallenge, CertificateRequest, ChallengeCertificate};

use crate::{
    CertifyConfig, Method,
    failure::{Failure, Words},
    hook,
    kept::Kept,
    wire::{Unanswered, Wire},
};

/// How long the authority may take to look at the proofs, and to sign.
const PATIENCE: Duration = Duration::from_secs(120);
/// The whole of it, hooks included.
const ATTEMPT: Duration = Duration::from_secs(30 * 60);

/// What came of it, PEM.
pub(crate) struct Issued {
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// What is shown or set while the authority looks.
#[derive(Default)]
struct Shown {
    answers: Vec<AnsweredChallenge>,
    /// Records: name and value.
    records: Vec<(String, String)>,
}

/// Asks for a certificate.
pub(crate) async fn obtain(config: &CertifyConfig, kept: &Kept, wire: &Wire) -> Result<Issued, Failure> {
    let mut shown = Shown::default();
    let attempt = async {
        let account = account(config, kept, wire).await?;
        match order(config, &account, &mut shown).await {
            // It has forgotten us; that it knows nobody is said by the order, not by the account.
            Err(Asked::Api(problem)) if is(&problem, "accountDoesNotExist") => {
                kept.forget_account();
                let account = self::account(config, kept, wire).await?;
                order(config, &account, &mut shown).await.map_err(|e| e.failure())
            }
            done => done.map_err(|e| e.failure()),
        }
    };
    let ended = tokio::time::timeout(ATTEMPT, attempt).await.unwrap_or(Err(Failure::Slow));
    if let Method::Dns(program) = &config.method {
        for (name, value) in &shown.records {
            if let Err(failure) = hook::run(program, "cleanup", name, value).await {
                tracing::warn!(%name, why = failure.words(&config.method).en, "a record of DNS was left behind");
            }
        }
    }
    ended
}

/// A refusal is kept apart until it is known what it is about.
enum Asked {
    Api(Problem),
    Other(Failure),
}

impl Asked {
    fn failure(self) -> Failure {
        match self {
            Self::Api(problem) if is(&problem, "rateLimited") => Failure::Limited(said(&problem)),
            Self::Api(problem) => Failure::Refused(said(&problem)),
            Self::Other(failure) => failure,
        }
    }
}

impl From<Failure> for Asked {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<Error> for Asked {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => Self::Api(problem),
            Error::Timeout(_) => Self::Other(Failure::Slow),
            Error::Json(_) => {
                let (en, zh) = ("what answers there is no ACME server", "该地址的应答不符合 ACME");
                Self::Other(Failure::Unreachable(Words { en: en.into(), zh: zh.into() }))
            }
            Error::Other(why) => Self::Other(match why.downcast::<Unanswered>() {
                Ok(unanswered) => Failure::Unreachable(unanswered.0),
                Err(why) => Failure::Unusable(why.to_string()),
            }),
            other => Self::Other(Failure::Unusable(other.to_string())),
        }
    }
}

/// Whether a problem is of this kind. RFC 8555 §6.7
fn is(problem: &Problem, kind: &str) -> bool {
    problem.r#type.as_deref().and_then(|t| t.strip_prefix("urn:ietf:params:acme:error:")) == Some(kind)
}

fn said(problem: &Problem) -> String {
    let text = problem.to_string();
    text.strip_prefix("API error: ").map_or_else(|| text.clone(), str::to_owned)
}

/// The account that is kept; or a new one, kept before it is used.
async fn account(config: &CertifyConfig, kept: &Kept, wire: &Wire) -> Result<Account, Failure> {
    let builder = || Account::builder_with_http(Box::new(wire.clone()));
    if let Some(known) = kept.account(&config.directory) {
        let known: AccountCredentials = serde_json::from_value(known).map_err(|e| Failure::Disk(e.to_string()))?;
        return builder().from_credentials(known).await.map_err(|e| Asked::from(e).failure());
    }
    let contact = config.contact.as_ref().map(|address| format!("mailto:{address}"));
    let contact: Vec<&str> = contact.as_deref().into_iter().collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let made = builder().create(&new, config.directory.clone(), None).await;
    let (account, credentials) = made.map_err(|e| Asked::from(e).failure())?;
    kept.keep_account(&credentials)?;
    Ok(account)
}

async fn order(config: &CertifyConfig, account: &Account, shown: &mut Shown) -> Result<Issued, Asked> {
    let names: Vec<Identifier> = config.names.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    show(config, &mut order, shown).await?;
    let patience = RetryPolicy::new().backoff(1.5).timeout(PATIENCE);
    let ready = order.poll_ready(&patience).await;
    if !matches!(ready, Ok(OrderStatus::Ready)) {
        if let Some((name, problem)) = why_not(&mut order).await {
            if is(&problem, "rateLimited") {
                return Err(Failure::Limited(said(&problem)).into());
            }
            return Err(Failure::NotProven { name, said: said(&problem) }.into());
        }
        ready?;
        return Err(Failure::Unusable("the order is invalid".to_owned()).into());
    }
    let request = CertificateRequest::new(config.names.clone()).map_err(|e| Failure::Unusable(e.to_string()))?;
    order.finalize_csr(&request.der).await?;
    let chain = order.poll_certificate(&patience).await?;
    Ok(Issued { chain, key: request.key_pem })
}

/// Shows a proof of each name that still needs one, and tells the authority to look.
async fn show(config: &CertifyConfig, order: &mut Order, shown: &mut Shown) -> Result<(), Asked> {
    let kind = match config.method {
        Method::TlsAlpn => ChallengeType::TlsAlpn01,
        Method::Dns(_) => ChallengeType::Dns01,
    };
    let mut all = order.authorizations();
    while let Some(one) = all.next().await {
        let mut one = one?;
        if one.status == AuthorizationStatus::Valid {
            continue; // it was proven not long ago
        }
        let name = one.identifier().to_string();
        // An authority that asks for a name that we have not asked for is shown nothing.
        if !config.names.contains(&name) {
            return Err(Failure::Unusable(format!("it wants a proof of {name}")).into());
        }
        let Some(mut challenge) = one.challenge(kind.clone()) else {
            return Err(Failure::NotOffered { name }.into());
        };
        let proof = challenge.key_authorization();
        match &config.method {
            Method::TlsAlpn => {
                let digest = proof.digest();
                let digest = digest.as_ref().try_into().map_err(|_| Failure::Unusable("a digest".to_owned()))?;
                let answer = ChallengeCertificate::new(&name, digest).map_err(|e| Failure::Unusable(e.to_string()))?;
                shown.answers.push(config.resolver.answer_challenge(&name, answer));
            }
            Method::Dns(program) => {
                let record = (format!("_acme-challenge.{name}"), proof.dns_value());
                // Before it is set: a hook that fails halfway is to take away what it has done.
                shown.records.push(record.clone());
                hook::run(program, "present", &record.0, &record.1).await?;
            }
        }
        challenge.set_ready().await?;
    }
    Ok(())
}

/// Which name could not be proven, and what the authority says of it.
async fn why_not(order: &mut Order) -> Option<(String, Problem)> {
    let mut all = order.authorizations();
    while let Some(one) = all.next().await {
        let mut one = one.ok()?;
        if one.refresh().await.is_err() {
            continue;
        }
        if let Some(problem) = one.challenges.iter().find_map(|c| c.error.clone()) {
            return Some((one.identifier().to_string(), problem));
        }
    }
    None
}
