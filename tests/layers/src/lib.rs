//! Who may import whom (docs/design.md §7), which crates are banned, and which licences are accepted: data, and the
//! tests beside it that hold the workspace to it.

/// A room and the rooms of this workspace that it may import.
pub const ROOMS: &[(&str, &[&str])] = &[
    ("startalk-protocol", &[]),
    ("startalk-link", &["startalk-protocol"]),
    ("startalk-net", &["startalk-protocol"]),
    ("startalk-tether", &["startalk-protocol", "startalk-net"]),
    ("startalk-client", &["startalk-protocol", "startalk-net"]),
    ("startalk-load", &["startalk-protocol", "startalk-net"]),
    ("startalk-manual", &[]),
    ("startalk-paced", &[]),
    ("startalk-journal", &["startalk-protocol", "startalk-paced"]),
    ("startalk-domain", &["startalk-protocol", "startalk-journal"]),
    ("startalk-sequencer", &["startalk-protocol", "startalk-domain", "startalk-journal"]),
    ("startalk-outbound", &["startalk-net"]),
    ("startalk-media", &["startalk-protocol", "startalk-paced", "startalk-domain", "startalk-outbound"]),
    ("startalk-push", &["startalk-protocol", "startalk-domain", "startalk-outbound"]),
    ("startalk-search", &["startalk-protocol", "startalk-paced", "startalk-domain"]),
    ("startalk-intake", &["startalk-protocol", "startalk-domain"]),
    ("startalk-identity", &["startalk-protocol", "startalk-outbound"]),
    ("startalk-certify", &["startalk-protocol", "startalk-net"]),
    ("startalk-federation", &["startalk-protocol", "startalk-link", "startalk-net", "startalk-domain", "startalk-sequencer"]),
    (
        "startalk-gateway",
        &[
            "startalk-protocol",
            "startalk-net",
            "startalk-domain",
            "startalk-sequencer",
            "startalk-search",
            "startalk-media",
            "startalk-identity",
        ],
    ),
    ("startalk-web", &[]),
    (
        "startalk",
        &[
            "startalk-protocol",
            "startalk-link",
            "startalk-net",
            "startalk-tether",
            "startalk-load",
            "startalk-manual",
            "startalk-paced",
            "startalk-journal",
            "startalk-domain",
            "startalk-sequencer",
            "startalk-outbound",
            "startalk-media",
            "startalk-push",
            "startalk-search",
            "startalk-intake",
            "startalk-identity",
            "startalk-certify",
            "startalk-federation",
            "startalk-gateway",
            "startalk-web",
        ],
    ),
    (
        "startalk-hub",
        &["startalk-protocol", "startalk-link", "startalk-net", "startalk-tether", "startalk-client", "startalk-manual"],
    ),
    ("startalk-terminal", &["startalk-protocol", "startalk-client", "startalk-manual"]),
    ("startalk-examples", &["startalk-protocol", "startalk-client"]),
    ("startalk-layers", &[]),
    ("startalk-sabotage", &["startalk-protocol"]),
    ("startalk-simulation", &["startalk-protocol", "startalk-link", "startalk-journal", "startalk-domain", "startalk-sequencer"]),
    ("startalk-bench", &["startalk-protocol", "startalk-net", "startalk-tether", "startalk-client", "startalk-load"]),
    ("startalk-hostile", &["startalk-protocol", "startalk-link", "startalk-net"]),
    ("startalk-e2e", &["startalk-protocol", "startalk-client", "startalk-examples"]),
    (
        "startalk-conformance",
        &["startalk-protocol", "startalk-link", "startalk-client", "startalk-hostile", "startalk-e2e", "startalk-examples"],
    ),
    ("startalk-soak", &["startalk-protocol", "startalk-net", "startalk-client", "startalk-hostile", "startalk-e2e"]),
];

/// Crates from outside that a room must never depend on directly.
pub const NEVER: &[(&str, &[&str])] = &[
    ("startalk-protocol", &["tokio", "quinn"]),
    ("startalk-link", &["tokio", "quinn", "rustls"]),
    ("startalk-journal", &["tokio"]),
    ("startalk-domain", &["tokio", "quinn", "rustls", "axum", "hyper"]),
    ("startalk-sequencer", &["tokio", "quinn", "rustls", "axum", "hyper"]),
    ("startalk-intake", &["tokio", "quinn", "rustls", "axum", "hyper"]),
    ("startalk-hub", &["sled", "bincode"]),
];

/// Crates that must not be in the build at all, and why.
pub const BANNED: &[(&str, &str)] = &[
    ("ring", "one TLS provider: aws-lc-rs; with two, rustls panics at first use"),
    ("openssl-sys", "one TLS stack: rustls"),
    ("native-tls", "one TLS stack: rustls"),
];

/// Licences that may be in the build.
pub const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unicode-3.0",
    "CC0-1.0",
    "MIT-0",
    "Unlicense",
    "BSL-1.0",
    "OpenSSL",
    "CDLA-Permissive-2.0",
    "MPL-2.0",
    "WTFPL",
];
