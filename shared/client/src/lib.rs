//! The Rust SDK: sign in, sync, send, and hear what happens
