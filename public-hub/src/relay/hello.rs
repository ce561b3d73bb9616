//! What a TLS connection asks for, read without taking part in it. RFC 8446 §4.1.2, RFC 6066 §3
//!
//! Owns nothing; the bytes read are handed on with the stream.

use std::io;

use bytes::BytesMut;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A ClientHello is looked at as far as this: one with post-quantum key shares has 2 KiB.
const HELLO_BYTES_MAX: usize = 16 * 1024;

/// Reads until the ClientHello is whole; the server name in it, in lower case, if there is one. What is no ClientHello is
/// left to whoever does the handshake, and refuses it.
///
/// # Errors
/// The connection ended before.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(BytesMut, Option<String>)> {
    let mut bytes = BytesMut::with_capacity(2048);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match server_name(&bytes) {
            Some(name) => return Ok((bytes, name)),
            None if bytes.len() >= HELLO_BYTES_MAX => return Ok((bytes, None)),
            None => {}
        }
    }
}

/// `None` while it is not whole.
fn server_name(mut bytes: &[u8]) -> Option<Option<String>> {
    let mut acceptor = Acceptor::default();
    while !bytes.is_empty() {
        if acceptor.read_tls(&mut bytes).is_err() {
            return Some(None);
        }
    }
    match acceptor.accept() {
        Ok(Some(accepted)) => Some(accepted.client_hello().server_name().map(str::to_ascii_lowercase)),
        Ok(None) => None,
        Err(_) => Some(None),
    }
}

/// Feeds foreign bytes through the parser.
pub fn check(bytes: &[u8]) {
    let _ = server_name(bytes);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    fn hello(name: &str) -> Vec<u8> {
        startalk_net::install_crypto();
        let config = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let name = name.to_owned().try_into().unwrap();
        let mut bytes = Vec::new();
        ClientConnection::new(Arc::new(config), name).unwrap().write_tls(&mut bytes).unwrap();
        bytes
    }

    async fn read_all(bytes: &[u8]) -> io::Result<(BytesMut, Option<String>)> {
        let mut from = tokio_test_stream(bytes);
        read(&mut from).await
    }

    /// In pieces of seven bytes.
    fn tokio_test_stream(bytes: &[u8]) -> impl AsyncRead + Unpin {
        let (ours, mut theirs) = tokio::io::duplex(7);
        let bytes = bytes.to_vec();
        tokio::spawn(async move {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut theirs, &bytes).await;
        });
        ours
    }

    #[tokio::test]
    async fn the_name_is_read_and_every_byte_is_kept() {
        let bytes = hello("Home.Example");
        let (kept, name) = read_all(&bytes).await.unwrap();
        assert_eq!((&kept[..], name.as_deref()), (&bytes[..], Some("home.example")));
        assert_eq!(read_all(&hello("192.0.2.1")).await.unwrap().1, None, "an address is no server name");
        assert_eq!(read_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap().1, None);
        assert!(read_all(&bytes[..bytes.len() - 1]).await.is_err(), "cut off");
    }

    #[test]
    fn mutated_hellos_are_read_or_not() {
        let whole = hello("home.example");
        let mut seed = 7_u64;
        for _ in 0..3_000 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = usize::try_from(seed >> 33).unwrap_or(0) % bytes.len();
                bytes[at] ^= seed.to_le_bytes()[2];
                if seed.is_multiple_of(5) {
                    bytes.truncate(at.max(1));
                }
            }
            check(&bytes);
        }
    }
}
