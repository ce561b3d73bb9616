//! The web client's files as bytes in the binary, compressed already.
//!
//! Owns nothing but the table that `build.rs` makes from `clients/web`; who serves them, and how, is the gateway's. A node
//! that was built without Node.js has an empty table and says why. Invariant: a file's three forms are of one build.

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Below the root, without a slash at the beginning: `assets/app-1a2b3c.js`.
    pub path: &'static str,
    /// As it is.
    pub plain: &'static [u8],
    /// Compressed with gzip, if that is smaller.
    pub gzip: Option<&'static [u8]>,
    /// Compressed with brotli, if that is smaller.
    pub brotli: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// All files, ordered by path; none if this was built without the client.
pub fn files() -> &'static [File] {
    FILES
}

/// Why there are none, for the operator.
pub fn missing() -> Option<&'static str> {
    MISSING
}
