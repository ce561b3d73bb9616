//! Every limit of the hub, with its unit and its reason.

use std::time::Duration;

/// Domains kept: far more than one hub will see; a flood ends here.
pub const DOMAINS_MAX: usize = 100_000;
/// Bytes of records kept: an ordinary record has 600.
pub const RECORD_BYTES_TOTAL_MAX: usize = 256 * 1024 * 1024;
/// Announcements of one address at once, and after that per minute: a company's nodes behind one NAT announce every few hours.
pub const ANNOUNCES_PER_MINUTE: u32 = 30;
/// Records on tethers of one address at once, and after that per minute: all of its nodes come back together, each perhaps twice.
pub const TETHERS_PER_MINUTE: u32 = 240;
/// Announcements of one domain with one root key at once, and after that per minute.
pub const DOMAIN_ANNOUNCES_PER_MINUTE: u32 = 6;
/// Questions of one address at once, and after that per minute.
pub const QUESTIONS_PER_MINUTE: u32 = 300;
/// Looks at servers by one address at once, and after that per minute; also at one domain, by whomever.
pub const CHECKS_PER_MINUTE: u32 = 6;
/// Looks at servers at once: each opens some connections for some seconds.
pub const CHECKS_AT_ONCE: usize = 8;
/// Addresses and domains whose rate is remembered, each kind.
pub const RATES_MAX: usize = 50_000;
/// Connections open at once.
pub const CONNECTIONS_MAX: usize = 4096;
/// From a connection's first byte to a request's last header, and between requests.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// From a request's headers to its answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// A forwarded TCP connection that says nothing is asked after so long whether its client is there.
pub const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How long open requests may take when the hub is told to stop.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Names waiting for a look at their proof; when it is full, they wait for their next announcement.
pub const PROOFS_WAITING_MAX: usize = 1024;
/// Proofs looked for at once.
pub const PROOFS_AT_ONCE: usize = 8;
/// A proof is looked for again after so long, in milliseconds: a day.
pub const PROOF_AGE_MS_MAX: i64 = 24 * 3600 * 1000;
/// What expired is forgotten this often (it is never served in between).
pub const FORGET_EVERY: Duration = Duration::from_secs(60);
/// Domains on one page.
pub const LISTED_MAX: usize = 100;
/// Characters of a search.
pub const SEARCH_CHARS_MAX: usize = 100;
