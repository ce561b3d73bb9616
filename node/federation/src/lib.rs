//! Drives links to other domains: outboxes, cursors, backoff, discovery
