//! What a push says, encrypted for one device: RFC 8291 over RFC 8188, in one record.
//!
//! Whoever carries it learns its length, which is padded to steps, and nothing else. Pure but for the key that is made
//! for each message. Invariant: no key and salt are used twice, so the nonce that they give is not either.

use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};

/// The record size that is said: more than any of ours, which are all in one record.
const RECORD_BYTES: u32 = 4096;
/// What a header, a delimiter and a tag add.
pub const OVERHEAD_BYTES: usize = 16 + 4 + 1 + 65 + 1 + 16;

/// The keys that a device named cannot be used: they are no point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device's key is not a point of P-256")]
pub struct BadKey;

struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// The body of a push message. `pad_to`: bytes that `plain` is at least made to look like. `salt` is random.
///
/// # Errors
/// [`BadKey`].
pub fn seal(plain: &[u8], pad_to: usize, p256dh: &[u8], auth: &[u8], salt: [u8; 16]) -> Result<Vec<u8>, BadKey> {
    let own = PrivateKey::generate(&ECDH_P256).map_err(|_| BadKey)?;
    seal_by(&own, plain, pad_to, p256dh, auth, salt)
}

/// The same, by a key of the sender's that is given.
fn seal_by(own: &PrivateKey, plain: &[u8], pad_to: usize, p256dh: &[u8], auth: &[u8], salt: [u8; 16]) -> Result<Vec<u8>, BadKey> {
    let public = own.compute_public_key().map_err(|_| BadKey)?;
    let public = public.as_ref();
    let theirs = UnparsedPublicKey::new(&ECDH_P256, p256dh);
    let secret = agreement::agree(own, theirs, BadKey, |secret| Ok(secret.to_vec()))?;
    let info = [&b"WebPush: info\0"[..], p256dh, public];
    let key: [u8; 32] = expand(auth, &secret, &info);
    Ok(encode(&key, salt, public, plain, pad_to))
}

/// RFC 8188: header, and one record that is the last. `key` is the input keying material, `key_id` at most 255 bytes.
fn encode(key: &[u8], salt: [u8; 16], key_id: &[u8], plain: &[u8], pad_to: usize) -> Vec<u8> {
    let content_key: [u8; 16] = expand(&salt, key, &[b"Content-Encoding: aes128gcm\0"]);
    let nonce: [u8; 12] = expand(&salt, key, &[b"Content-Encoding: nonce\0"]);
    let mut record = plain.to_vec();
    record.push(2); // the last record's delimiter; zeros after it are padding
    record.resize(record.len().max(pad_to + 1), 0);
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &content_key).expect("16 bytes are a key"));
    cipher
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record)
        .expect("a short record can be sealed");
    let mut out = Vec::with_capacity(OVERHEAD_BYTES + record.len());
    out.extend_from_slice(&salt);
    out.extend_from_slice(&RECORD_BYTES.to_be_bytes());
    out.push(u8::try_from(key_id.len()).expect("a point has 65 bytes"));
    out.extend_from_slice(key_id);
    out.extend_from_slice(&record);
    out
}

fn expand<const N: usize>(salt: &[u8], key: &[u8], info: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    let prk = Salt::new(HKDF_SHA256, salt).extract(key);
    prk.expand(info, Bytes(N)).and_then(|okm| okm.fill(&mut out)).expect("at most 32 bytes are asked for");
    out
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
    }

    // RFC 8291, appendix A.
    const UA_PUBLIC: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    #[test]
    fn the_bytes_are_those_of_rfc_8291_appendix_a() {
        let own = PrivateKey::from_private_key(&ECDH_P256, &bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let plain = b"When I grow up, I want to be a watermelon";
        let sealed = seal_by(&own, plain, 0, &bytes(UA_PUBLIC), &bytes(AUTH), salt).unwrap();
        assert_eq!(
            BASE64URL_NOPAD.encode(&sealed),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn the_record_is_that_of_rfc_8188_section_3_1() {
        let salt = bytes("I1BsxtFttlv3u_Oo94xnmw").try_into().unwrap();
        let sealed = encode(&bytes("yqdlZ-tYemfogSmv7Ws5PQ"), salt, b"", b"I am the walrus", 0);
        assert_eq!(BASE64URL_NOPAD.encode(&sealed), "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg");
    }

    #[test]
    fn lengths_say_no_more_than_the_step_and_two_are_never_alike() {
        let seal = |plain: &[u8]| seal(plain, 512, &bytes(UA_PUBLIC), &bytes(AUTH), [7; 16]).unwrap();
        assert_eq!(seal(b"a").len(), OVERHEAD_BYTES + 512);
        assert_eq!(seal(&[b'a'; 512]).len(), OVERHEAD_BYTES + 512);
        assert_eq!(seal(&[b'a'; 513]).len(), OVERHEAD_BYTES + 513);
        assert_ne!(seal(b"a"), seal(b"a"), "each by a key of its own");
    }

    #[test]
    fn a_key_that_is_no_point_is_refused() {
        let mut off_the_curve = bytes(UA_PUBLIC);
        off_the_curve[64] ^= 1;
        for key in [off_the_curve, vec![4; 65], vec![0; 65], vec![], bytes(AUTH)] {
            assert_eq!(seal(b"a", 0, &key, &bytes(AUTH), [7; 16]), Err(BadKey));
        }
    }
}
