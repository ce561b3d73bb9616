//! Secrets of people and devices: how they look, and what is kept of them.
//!
//! Tokens, recovery codes and invitations are random, so that BLAKE3 is enough for them; passwords are argon2id in PHC
//! strings. Owns no randomness: bytes come in. The operator's commands make invitations by the same functions.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use data_encoding::BASE32_NOPAD;
use startalk_protocol::{
    AccountName, Code, Error,
    limits::{PASSWORD_BYTES_MAX, RECOVERY_CODES},
};

use crate::config::PasswordCost;

/// Bytes of a device's token.
pub const TOKEN_BYTES: usize = 32;
/// Random bytes of an invitation: 160 bits.
pub const INVITATION_BYTES: usize = 20;
/// Bytes of a password's hash.
const PASSWORD_HASH_BYTES: usize = Params::DEFAULT_OUTPUT_LEN;
/// Blocks asked for at least, although fewer are touched. glibc keeps what it gives back up to 32 MiB, for each of its
/// arenas: after a few sign-ins on different threads hundreds of megabytes that nobody uses. What is larger it takes
/// from the system and gives back at once.
const MEMORY_BLOCKS_MIN: usize = 33 * 1024;
/// Letters of a recovery code: 60 bits.
const CODE_LETTERS: usize = 12;

/// What is kept of a token.
pub fn token_hash(token: &[u8]) -> [u8; 32] {
    *blake3::hash(token).as_bytes()
}

/// An invitation's secret as it stands in its link.
pub fn invitation(random: [u8; INVITATION_BYTES]) -> String {
    BASE32_NOPAD.encode(&random).to_ascii_lowercase()
}

/// The link that gives an invitation.
pub fn invitation_link(public_url: &str, secret: &str) -> String {
    format!("{}/join/{secret}", public_url.trim_end_matches('/'))
}

/// The link with which somebody signs in once. Who it is for and what opens it stand behind the #, which browsers send
/// nowhere.
pub fn sign_in_link(public_url: &str, name: &AccountName, secret: &str) -> String {
    format!("{}/welcome#{name}/{secret}", public_url.trim_end_matches('/'))
}

/// What is kept of a sign-in link's secret, however it was typed.
pub fn sign_in_hash(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.trim().to_ascii_lowercase().as_bytes()).as_bytes()
}

/// What is kept of an invitation. Takes the secret or its whole link, however it was typed.
pub fn invitation_hash(secret_or_link: &str) -> [u8; 32] {
    let text = secret_or_link.trim().trim_end_matches('/');
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let secret = text.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    *blake3::hash(secret.as_bytes()).as_bytes()
}

/// Recovery codes, as people write them down: `xxxx-xxxx-xxxx`. `fill` gives randomness.
pub fn recovery_codes(fill: impl Fn(&mut [u8])) -> Vec<String> {
    let code = || {
        let mut random = [0; 8];
        fill(&mut random);
        let letters = BASE32_NOPAD.encode(&random).to_ascii_lowercase();
        format!("{}-{}-{}", &letters[..4], &letters[4..8], &letters[8..CODE_LETTERS])
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

/// What is kept of a recovery code. Case, spaces and dashes do not count; 0, 1 and 8 are taken for o, l and b.
pub fn recovery_hash(code: &str) -> [u8; 32] {
    let letters: String = code
        .chars()
        .filter(|c| c.is_alphanumeric())
        .take(CODE_LETTERS + 1)
        .map(|c| match c.to_ascii_lowercase() {
            '0' => 'o',
            '1' => 'l',
            '8' => 'b',
            other => other,
        })
        .collect();
    *blake3::hash(letters.as_bytes()).as_bytes()
}

/// Whether this can be a new password, of so many characters at least, as the domain's policy says.
///
/// # Errors
/// `bad-password` with what is expected.
pub fn check_password(password: &str, chars_min: u32) -> Result<(), Error> {
    if password.chars().count() >= chars_min as usize && password.len() <= PASSWORD_BYTES_MAX {
        return Ok(());
    }
    Err(Error::new(Code::BadPassword).with("min", chars_min).with("max", PASSWORD_BYTES_MAX))
}

/// The PHC string of a new password. Takes its time: not on a thread that others wait for.
///
/// # Errors
/// `internal` if the cost is none that argon2 allows.
pub fn hash_password(password: &str, salt: [u8; 16], cost: PasswordCost) -> Result<String, Error> {
    let failed = |why: &dyn std::fmt::Display| Error::new(Code::Internal).with("what", format!("argon2: {why}"));
    let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|e| failed(&e))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = compute(&argon2, password, &salt, PASSWORD_HASH_BYTES).map_err(|e| failed(&e))?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).map_err(|e| failed(&e))?,
        salt: Some(Salt::new(&salt).map_err(|e| failed(&e))?),
        hash: Some(hash),
    };
    Ok(hash.to_string())
}

fn compute(argon2: &Argon2<'_>, password: &str, salt: &[u8], length: usize) -> argon2::Result<Output> {
    let blocks = argon2.params().block_count();
    let mut memory = Vec::with_capacity(blocks.max(MEMORY_BLOCKS_MIN));
    memory.resize(blocks, Block::new());
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..length).ok_or(argon2::Error::OutputTooLong)?;
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut memory)?;
    Output::new(out).map_err(|_| argon2::Error::OutputTooShort)
}

/// Whether a password is the one hashed. Takes its time.
pub fn verify_password(password: &str, hash: &str) -> bool {
    let verify = || {
        let known = PasswordHash::new(hash).ok()?;
        let (salt, expected) = (known.salt?, known.hash?);
        let algorithm = Algorithm::try_from(known.algorithm.as_str()).ok()?;
        let version = Version::try_from(known.version?).ok()?;
        let params = Params::try_from(&known).ok()?;
        let computed = compute(&Argon2::new(algorithm, version, params), password, &salt, expected.len()).ok()?;
        Some(computed == expected) // in constant time
    };
    password.len() <= PASSWORD_BYTES_MAX && verify() == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_verify_and_others_do_not() {
        let hash = hash_password("correct horse", [7; 16], PasswordCost::CHEAP).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert!(verify_password("correct horse", &hash));
        // By the library's own way.
        let known = argon2::PasswordHash::new(&hash).unwrap();
        argon2::PasswordVerifier::verify_password(&Argon2::default(), b"correct horse", &known).unwrap();
        assert!(!verify_password("correct horsf", &hash));
        assert!(!verify_password("correct horse", "not a hash"));
        assert!(!verify_password(&"x".repeat(PASSWORD_BYTES_MAX + 1), &hash));
        check_password("12345678", 8).unwrap();
        check_password("星语星语星语星语", 8).unwrap();
        assert_eq!(check_password("1234567", 8).unwrap_err().code, Code::BadPassword);
    }

    #[test]
    fn recovery_codes_are_read_as_people_type_them() {
        let codes = recovery_codes(|out| out.fill(0xa5));
        assert_eq!(codes.len(), RECOVERY_CODES);
        assert_eq!(codes[0].len(), 14);
        let hash = recovery_hash("abol-b2cd-efgh");
        for typed in ["ABOL B2CD EFGH", "aboLb2cdefgh ", "ab01-82cd-efgh"] {
            assert_eq!(recovery_hash(typed), hash, "{typed}");
        }
        assert_ne!(recovery_hash("abol-b2cd-efghi"), hash);
    }

    #[test]
    fn an_invitation_is_the_secret_or_its_link() {
        let secret = invitation([9; INVITATION_BYTES]);
        assert_eq!(secret.len(), 32);
        let link = invitation_link("https://chat.example/", &secret);
        assert_eq!(link, format!("https://chat.example/join/{secret}"));
        for given in [link.as_str(), &secret, &format!(" {link}?lang=zh\n"), &format!("{link}/"), &secret.to_uppercase()] {
            assert_eq!(invitation_hash(given), *blake3::hash(secret.as_bytes()).as_bytes(), "{given}");
        }
    }
}
