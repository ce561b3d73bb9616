//! TLS and QUIC endpoints, certificates and discovery, for nodes, hubs and clients
