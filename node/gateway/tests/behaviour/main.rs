//! What clients get, over in-process connections: a real write loop over a disk in memory, real sessions.

mod chat;
mod entry;
mod ephemera;
mod files;
mod groups;
mod hostile;
mod later;
mod notify;
mod own;
mod support;
mod sync;
mod web;
mod web_client;
mod websocket;
