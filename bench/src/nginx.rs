//! nginx beside a node: the same files over TLS by a server that does nothing else. As it is installed, with its usual settings
//! but for `PUT`; it neither hashes what it takes nor makes it durable.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::clock::Watch;

const START_WAIT: Duration = Duration::from_secs(10);
/// Where it may be that is in nobody's path.
const PLACES: [&str; 2] = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"];

/// A running nginx; ended when it is dropped.
pub struct Nginx {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its files are.
    pub root: PathBuf,
}

/// The program, if it is installed.
pub fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join("nginx"));
    in_path.chain(PLACES.map(PathBuf::from)).find(|p| p.is_file())
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
        // A free port; somebody else could take it in between, and then it does not start.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.join("nginx.conf");
        fs::write(&config, settings(folder, &root, &temporary, address))?;
        let log = fs::File::create(folder.join("nginx.log"))?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&config).arg("-p").arg(folder).arg("-e").arg(folder.join("error.log"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().context("nginx")?;
        let mut this = Self { child, address, root };
        let watch = Watch::start();
        while TcpStream::connect(address).is_err() {
            let ended = this.child.try_wait()?;
            let said = || fs::read_to_string(folder.join("nginx.log")).unwrap_or_default();
            ensure!(ended.is_none(), "nginx ended: {}", said());
            if watch.elapsed() > START_WAIT {
                bail!("nginx does not listen: {}", said());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(this)
    }

    /// Of its first process; the others are its children.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its first process tells the others to end when it is asked to, not when it is killed.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
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
