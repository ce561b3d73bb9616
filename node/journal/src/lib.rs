//! The append-only record of everything durable that happens in a domain
