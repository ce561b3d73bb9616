//! A directory: OpenLDAP's `slapd` as a process of the test's own, on a loopback port, with everything that it keeps in one
//! folder and a certificate made for it.
//!
//! The program is copied into the folder: where a profile of AppArmor holds the installed one to its own folders, it does so
//! by its path. What a test changes goes the way of any client, by `ldapmodify`.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context as _, bail};

/// Below which everything stands.
pub const BASE: &str = "dc=company,dc=example";
/// Who a node is to it.
pub const READER: &str = "cn=reader,dc=company,dc=example";
/// Its password.
pub const READER_PASSWORD: &str = "reader-secret";
const ROOT: &str = "cn=root,dc=company,dc=example";
const ROOT_PASSWORD: &str = "root-secret";
/// Connections tried, 20 ms apart, until the server has to be there.
const TRIES: usize = 1500;

/// A directory, and its process while it runs. Killed when dropped.
pub struct Slapd {
    folder: PathBuf,
    /// For plain connections and StartTLS, and for TLS from the first byte.
    ports: [u16; 2],
    process: Option<Child>,
}

impl Slapd {
    /// With these entries besides its base and its reader, in LDIF; not started.
    ///
    /// # Errors
    /// If `slapd` is missing and cannot be installed, or refuses the entries.
    pub fn new(folder: PathBuf, entries: &str) -> anyhow::Result<Self> {
        install()?;
        fs::create_dir_all(folder.join("db"))?;
        fs::copy("/usr/sbin/slapd", folder.join("slapd"))?;
        certificate(&folder, Ipv4Addr::LOCALHOST)?;
        let free = [TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?];
        let ports = [free[0].local_addr()?.port(), free[1].local_addr()?.port()];
        drop(free);
        let own = Self { folder, ports, process: None };
        fs::write(own.folder.join("slapd.conf"), own.configuration())?;
        let base = format!(
            "dn: {BASE}\nobjectClass: domain\ndc: company\n\n\
             dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: {READER_PASSWORD}\n\n"
        );
        fs::write(own.folder.join("entries.ldif"), base + entries)?;
        let mut add = Command::new(own.folder.join("slapd"));
        add.args(["-T", "add", "-q", "-f"]).arg(own.folder.join("slapd.conf")).arg("-l").arg(own.folder.join("entries.ldif"));
        said_well("slapadd", &add.output()?)?;
        Ok(own)
    }

    /// A bind without a password is taken for one of nobody, as RFC 4513 §5.1.2 has it and Active Directory does; more than
    /// 500 entries are given out page by page alone.
    fn configuration(&self) -> String {
        let folder = self.folder.display();
        format!(
            "include /etc/ldap/schema/core.schema\n\
             include /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\n\
             modulepath /usr/lib/ldap\n\
             moduleload back_mdb\n\
             pidfile {folder}/pid\n\
             argsfile {folder}/args\n\
             allow bind_anon_dn\n\
             TLSCACertificateFile {folder}/root.pem\n\
             TLSCertificateFile {folder}/certificate.pem\n\
             TLSCertificateKeyFile {folder}/key.pem\n\
             database mdb\n\
             suffix \"{BASE}\"\n\
             rootdn \"{ROOT}\"\n\
             rootpw {ROOT_PASSWORD}\n\
             directory {folder}/db\n\
             maxsize 268435456\n\
             dbnosync\n\
             limits dn.exact=\"{READER}\" size.soft=500 size.hard=500 size.prtotal=unlimited\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact=\"{READER}\" read by * none\n"
        )
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// What it said if it does not.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let log = fs::File::create(self.folder.join("log"))?;
        let urls = format!("{} {}", self.url("ldap"), self.url("ldaps"));
        let mut command = Command::new(self.folder.join("slapd"));
        command.arg("-f").arg(self.folder.join("slapd.conf")).args(["-h", &urls, "-d", "0"]);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        for _ in 0..TRIES {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports[0])).is_ok() {
                self.process = Some(process);
                return Ok(());
            }
            if let Some(status) = process.try_wait()? {
                bail!("slapd ended with {status}: {}", fs::read_to_string(self.folder.join("log"))?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = process.kill();
        bail!("slapd does not answer")
    }

    /// Ends it.
    ///
    /// # Errors
    /// The system's.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("the directory runs")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// `ldap`: plain, and StartTLS; `ldaps`: TLS from the first byte.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.ports[usize::from(scheme == "ldaps")])
    }

    /// The certificate that its own leads to.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// Changes entries, as LDIF says; those without `changetype` are added.
    ///
    /// # Errors
    /// What the directory says.
    pub fn change(&self, ldif: &str) -> anyhow::Result<()> {
        let file = self.folder.join("change.ldif");
        fs::write(&file, ldif)?;
        let mut modify = Command::new("ldapmodify");
        modify.args(["-a", "-x", "-H", &self.url("ldap"), "-D", ROOT, "-w", ROOT_PASSWORD, "-f"]).arg(file);
        said_well("ldapmodify", &modify.output()?)
    }

    /// The table of a node's settings for it, with more keys; the file with the reader's password is written beside.
    ///
    /// # Errors
    /// The system's.
    pub fn settings(&self, url: &str, more: &str) -> anyhow::Result<String> {
        let password = self.folder.join("reader-password");
        fs::write(&password, READER_PASSWORD)?;
        Ok(format!(
            "[[ldap]]\nid = \"company\"\ndisplay_name = \"Company\"\nurl = \"{url}\"\nbase = \"{BASE}\"\n\
             bind_dn = \"{READER}\"\nbind_password_file = \"{}\"\ntimeout_seconds = 20\n{more}\n",
            password.display()
        ))
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// An entry for somebody, in LDIF. `place`: what stands between it and the base, with a comma; empty for none.
pub fn somebody(uid: &str, cn: &str, password: &str, place: &str) -> String {
    format!(
        "dn: uid={uid},{place}{BASE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {cn}\nsn: {cn}\nuserPassword: {password}\n\n"
    )
}

/// A place for entries, in LDIF.
pub fn unit(name: &str) -> String {
    format!("dn: ou={name},{BASE}\nobjectClass: organizationalUnit\nou: {name}\n\n")
}

/// Puts the servers that tests need in place, once for all tests of a process.
///
/// # Errors
/// What is missing.
pub(crate) fn install() -> anyhow::Result<()> {
    static ONCE: OnceLock<Result<(), String>> = OnceLock::new();
    let run = || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install");
        said_well("the installation of tools", &Command::new(script).output()?)
    };
    ONCE.get_or_init(|| run().map_err(|e| format!("{e:#}"))).clone().map_err(anyhow::Error::msg)
}

fn said_well(what: &str, output: &Output) -> anyhow::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    bail!("{what}: {}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

/// An authority of its own, and a certificate for an address.
pub(crate) fn certificate(folder: &Path, address: Ipv4Addr) -> anyhow::Result<()> {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let (root_key, key) = (KeyPair::generate()?, KeyPair::generate()?);
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&root_key)?;
    let issuer = Issuer::new(params, root_key);
    let leaf = CertificateParams::new(vec![address.to_string()])?.signed_by(&key, &issuer)?;
    fs::write(folder.join("root.pem"), root.pem())?;
    fs::write(folder.join("certificate.pem"), leaf.pem())?;
    fs::write(folder.join("key.pem"), key.serialize_pem())?;
    Ok(())
}
