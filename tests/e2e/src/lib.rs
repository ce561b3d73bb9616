//! Real binaries, driven from outside
