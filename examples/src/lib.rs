//! Short programs against the client SDK; each is an `--example`.
