//! All rules of a domain: commands in, events out, views derived from them
