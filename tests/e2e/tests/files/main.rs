//! Files between real domains: bytes match after kills and cuts, whoever may not read them gets none, what is taken back goes
//! everywhere, backups and journals have them.

mod kept;
mod people;
mod readers;
mod transfers;
