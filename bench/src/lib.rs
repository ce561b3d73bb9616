//! The load generator: what a message costs, beside a limit in the same run.
