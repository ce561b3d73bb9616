//! The real program: what it prints, that it serves, and that it stops when told.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    time::Duration,
};

use startalk_net::{HubClient, HubUrl, Names};
use startalk_protocol::DomainName;

/// Ended with the test, whatever happens.
struct Program(Child);
impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(args: &[&str]) -> Program {
    let child =
        Command::new(env!("CARGO_BIN_EXE_startalk-hub")).args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    Program(child)
}

fn lines(program: &mut Program, count: usize) -> Vec<String> {
    BufReader::new(program.0.stdout.take().unwrap()).lines().take(count).map(Result::unwrap).collect()
}

async fn knows_nobody(url: &str) {
    startalk_net::install_crypto();
    let hub: HubUrl = url.parse().unwrap();
    let client = HubClient::new(Names::system(), Vec::new(), Duration::from_secs(5));
    assert_eq!(client.lookup(&hub, &DomainName::of_key(&[1; 32])).await, Ok(None), "{url}");
}

#[tokio::test]
async fn it_says_where_it_listens_and_is_known_by_its_fingerprint() {
    let mut program = start(&["--listen", "0", "--http", "127.0.0.1:0"]);
    let said = lines(&mut program, 3);
    assert!(
        said[0].starts_with("listening https://127.0.0.1:") && said[1].starts_with("listening http://127.0.0.1:"),
        "{said:?}"
    );
    let url = said[2].strip_prefix("hub_url ").unwrap();
    knows_nobody(url).await;
    knows_nobody(said[1].strip_prefix("listening ").unwrap()).await;
    let (base, fingerprint) = url.split_once('#').unwrap();
    assert_eq!(fingerprint.len(), 64);
    let client = HubClient::new(Names::system(), Vec::new(), Duration::from_secs(5));
    for wrong in [base.to_owned(), format!("{base}#{}", "0".repeat(64))] {
        assert!(client.lookup(&wrong.parse().unwrap(), &DomainName::of_key(&[1; 32])).await.is_err(), "{wrong}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn it_stops_on_sigterm_and_speaks_json() {
    let mut program = start(&["--http", "127.0.0.1:0", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&lines(&mut program, 1)[0]).unwrap();
    assert_eq!(said["pid"], program.0.id());
    assert_eq!(said["listening"], said["hub_url"]);
    knows_nobody(said["hub_url"].as_str().unwrap()).await;
    assert!(Command::new("kill").arg(program.0.id().to_string()).status().unwrap().success());
    assert!(program.0.wait().unwrap().success());
}

#[tokio::test]
async fn a_certificate_of_ones_own_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let (chain, key) = (chain.to_str().unwrap(), key.to_str().unwrap());
    let files = ["--certificate", chain, "--key", key];
    assert!(start(&[&files[..], &["--make-certificate"]].concat()).0.wait().unwrap().success());
    assert!(!start(&[&files[..], &["--make-certificate"]].concat()).0.wait().unwrap().success(), "never over a file");
    let mut urls = Vec::new();
    for _ in 0..2 {
        let mut program = start(&[&files[..], &["--listen", "127.0.0.1:0", "--pin"]].concat());
        let url = lines(&mut program, 2)[1].strip_prefix("hub_url ").unwrap().to_owned();
        knows_nobody(&url).await;
        urls.push(url.split_once('#').unwrap().1.to_owned());
    }
    assert_eq!(urls[0], urls[1]);
}

#[test]
fn wrong_settings_end_it_with_words() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_startalk-hub"))
        .args(["--http", "0.0.0.0:0"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(words.contains("loopback"), "{words}");
}

/// Whether the hub answers under this URL, with the certificate that is in it.
#[cfg(unix)]
async fn fingerprint_served(url: &str) -> bool {
    startalk_net::install_crypto();
    let hub: HubUrl = url.parse().unwrap();
    let client = HubClient::new(Names::system(), Vec::new(), Duration::from_secs(5));
    client.lookup(&hub, &DomainName::of_key(&[1; 32])).await.is_ok()
}

#[cfg(unix)]
#[tokio::test]
async fn on_sighup_it_takes_another_certificate_and_goes_on_with_the_old_if_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let make = |name: &str| {
        let (chain, key) = (path(&format!("{name}.pem")), path(&format!("{name}.key")));
        let args = ["--make-certificate", "--certificate", &chain, "--key", &key];
        assert!(Command::new(env!("CARGO_BIN_EXE_startalk-hub")).args(args).status().unwrap().success());
    };
    make("one");
    make("two");
    let write = |text: String| std::fs::write(path("hub.toml"), text).unwrap();
    let naming = |name: &str| {
        format!("certificate = {:?}\nkey = {:?}\npin = true\n", path(&format!("{name}.pem")), path(&format!("{name}.key")))
    };
    write(naming("one"));
    let mut program = start(&["--listen", "127.0.0.1:0", "--config", &path("hub.toml")]);
    let said = lines(&mut program, 2);
    let first = said[1].strip_prefix("hub_url ").unwrap().to_owned();
    assert!(fingerprint_served(&first).await);
    let second = {
        let pem = |name: &str| std::fs::read_to_string(path(name)).unwrap();
        let two = startalk_net::WebCertificate::from_pem(&pem("two.pem"), &pem("two.key")).unwrap();
        HubUrl::new(first.split_once('#').unwrap().0, Some(two.fingerprint())).unwrap().to_string()
    };
    let reload = |program: &Program| {
        let status = Command::new("kill").args(["-HUP", &program.0.id().to_string()]).status().unwrap();
        assert!(status.success());
    };
    // What is wrong changes nothing; and what follows is read after it.
    write("certificate = \"nowhere.pem\"\nkey = \"nowhere.key\"\n".to_owned());
    reload(&program);
    for _ in 0..20 {
        assert!(fingerprint_served(&first).await && !fingerprint_served(&second).await);
    }
    write(naming("two"));
    reload(&program);
    for _ in 0..1000 {
        if fingerprint_served(&second).await {
            assert!(!fingerprint_served(&first).await);
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the other certificate is not served");
}
