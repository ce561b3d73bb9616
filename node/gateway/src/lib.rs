//! Clients' connections: HTTPS, WebSocket, TLS frames and QUIC on one port
