//! nginx beside a node: the same files over TLS by a server that does nothing else. As it is installed, with its usual settings
//! but for `PUT`; it neither hashes what it takes nor makes it durable.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use rustix::process::Signal;

use crate::daemon::{self, Daemon};

/// A running nginx; ended when it is dropped.
pub struct Nginx {
    daemon: Daemon,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its files are.
    pub root: PathBuf,
}

impl Nginx {
    /// Starts it on a folder of its own, with a self-made certificate.
    pub fn start(program: &Path, folder: &Path) -> Result<Self> {
        let (root, temporary) = (folder.join("root"), folder.join("temporary"));
        fs::create_dir_all(&root)?;
        fs::create_dir_all(&temporary)?;
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        fs::write(folder.join("certificate.pem"), made.cert.pem())?;
        fs::write(folder.join("key.pem"), made.signing_key.serialize_pem())?;
        let address = daemon::free_port()?;
        let config = folder.join("nginx.conf");
        fs::write(&config, settings(folder, &root, &temporary, address))?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&config).arg("-p").arg(folder).arg("-e").arg(folder.join("error.log"));
        let daemon = Daemon::start(command, address, Signal::TERM, &folder.join("nginx.log"))?;
        Ok(Self { daemon, address, root })
    }

    /// Of its first process; the others are its children.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }
}

fn settings(folder: &Path, root: &Path, temporary: &Path, address: SocketAddr) -> String {
    // Whoever is root would have its processes become somebody who may not open the folder.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let (folder, root, temporary) = (folder.display(), root.display(), temporary.display());
    format!(
        "{user}worker_processes auto;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    client_max_body_size 0;
    client_body_temp_path {temporary}/body;
    proxy_temp_path {temporary}/proxy;
    fastcgi_temp_path {temporary}/fastcgi;
    uwsgi_temp_path {temporary}/uwsgi;
    scgi_temp_path {temporary}/scgi;
    server {{
        listen {address} ssl http2;
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.3;
        root {root};
        location / {{ dav_methods PUT; }}
    }}
}}
"
    )
}
