//! What `--acme-dns-hook` is given in tests: a program that sets records in the DNS server beside pebble, once it may; and says
//! in a log what it was called for.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::Pebble;

/// The program, and what it has done.
pub struct DnsHook {
    /// For the flag.
    pub program: String,
    folder: PathBuf,
}

impl DnsHook {
    /// In a folder; it fails until [`DnsHook::may`].
    ///
    /// # Errors
    /// The system's.
    pub fn new(folder: &Path, pebble: &Pebble) -> anyhow::Result<Self> {
        let (path, log) = (folder.join("hook"), folder.join("hook.log"));
        let text = format!(
            r#"#!/usr/bin/env python3
import json, os, sys, urllib.request
verb, name, value = sys.argv[1:]
open("{log}", "a").write(verb + " " + name + "\n")
if not os.path.exists("{folder}/hook-may"):
    sys.exit("the zone is locked")
path, body = ("set-txt", {{"host": name + ".", "value": value}}) if verb == "present" else ("clear-txt", {{"host": name + "."}})
urllib.request.urlopen("{dns}/" + path, json.dumps(body).encode())
"#,
            log = log.display(),
            folder = folder.display(),
            dns = pebble.dns()
        );
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(Self { program: path.to_str().context("a path")?.to_owned(), folder: folder.to_path_buf() })
    }

    /// From now on it sets what it is told.
    ///
    /// # Errors
    /// The system's.
    pub fn may(&self) -> anyhow::Result<()> {
        Ok(fs::write(self.folder.join("hook-may"), "")?)
    }

    /// What it was called for: a verb and a name in each line.
    ///
    /// # Errors
    /// If it was not called.
    pub fn calls(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.join("hook.log"))?)
    }
}
