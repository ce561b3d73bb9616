//! Media with its own disk, processes and sockets, and a domain that is a table in memory.

mod cache;
mod garbage;
mod hostile;
mod pictures;
mod previews;
mod s3;
mod support;
mod uploads;
