//! The link between two domains, as a state machine without sockets
