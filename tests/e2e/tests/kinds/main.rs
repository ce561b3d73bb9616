//! Kinds of messages, and what happens to them by themselves, over real nodes.

mod later;
