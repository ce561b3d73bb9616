//! A look at a domain's server from outside: every step from its record to its endpoints, for whoever asks about a domain that
//! announces itself here. The steps are `startalk_net::walk`'s.
//!
//! Bounded, since each look opens connections: so many at once, so many a minute for who asks and for each domain. Only places
//! that a signed record names are connected to, and none in a private network unless the hub was told to allow it.

use std::net::IpAddr;

use startalk_net::{
    client_endpoint,
    walk::{self, Passed},
};
use startalk_protocol::{Code, DomainName, Error, error::Language};

use crate::Hub;

impl Hub {
    /// Looks at `domain` for somebody at `address`. Takes some ten seconds at most.
    ///
    /// # Errors
    /// `unknown-domain` for one that does not announce itself here; `slow-down`.
    pub(crate) async fn check(&self, domain: &DomainName, address: IpAddr) -> Result<Vec<Passed>, Error> {
        let now_ms = self.now_ms();
        self.0.rates.check(address, now_ms)?;
        let entry = self.0.directory.lock().lookup(domain, now_ms).cloned();
        let entry = entry.ok_or_else(|| Error::new(Code::UnknownDomain).with("domain", domain).with("steps", ""))?;
        self.0.rates.checked(domain, now_ms)?;
        let permit = self.0.checks.try_acquire().map_err(|_| Error::new(Code::SlowDown).with("seconds", 10))?;
        let from = client_endpoint().map_err(|e| Error::new(Code::Unreachable).with("what", domain).with("why", e))?;
        let proof = entry.proof.map(|(proof, _)| proof);
        let steps = [Language::English, Language::Chinese].map(|l| {
            let proven = proof.map_or_else(String::new, |p| p.words(l).to_owned());
            match (l, proof) {
                (Language::English, Some(_)) => format!("announced here ({proven})"),
                (Language::English, None) => "announced here".to_owned(),
                (Language::Chinese, Some(_)) => format!("已在此登记（{proven}）"),
                (Language::Chinese, None) => "已在此登记".to_owned(),
            }
        });
        let mut all = vec![walk::name(&entry.record, proof, steps)];
        all.extend(walk::walk(&self.0.discovery, &from, &entry.record, entry.record.endpoints(), now_ms).await);
        drop(permit);
        Ok(all)
    }
}
