//! Networks of their own: network namespaces with real NAT, made by a test and gone with it. Homes behind routers, and
//! machines that everybody reaches, on one bridge that plays the internet. Addresses are such as strangers may name
//! (DESIGN §4.5); none of them is ever seen outside.
//!
//! Needs root, iproute2 and nftables; where they are missing the tests say so and are left out.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, bail, ensure};

/// How a router translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// As most do at home: `masquerade`.
    Usual,
    /// Another port for every connection, as a symmetric NAT: `masquerade fully-random`.
    Random,
    /// None: IPv6 alone, with a firewall that lets nothing in.
    SixOnly,
}

/// The internet, and what hangs on it. Everything is removed when it is dropped.
pub struct Network {
    prefix: String,
    spaces: Vec<String>,
    links: u32,
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Space {
    /// The namespace's name, for `ip netns exec`.
    pub name: String,
}

/// A home: its machine, and the router before it.
#[derive(Clone, Debug)]
pub struct Home {
    /// Where the node runs.
    pub inside: Space,
    router: Space,
    number: u8,
}

impl Network {
    /// An empty internet; `None` where there can be none.
    ///
    /// # Errors
    /// If it cannot be made although everything is there.
    pub fn new() -> anyhow::Result<Option<Self>> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let has =
            |program: &str| Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        if !rustix::process::getuid().is_root() {
            eprintln!("left out: networks of their own need root");
            return Ok(None);
        }
        if !has("ip") || !has("nft") || !has("tcpdump") {
            crate::slapd::install()?;
        }
        let prefix = format!("st{}x{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let mut network = Self { prefix, spaces: Vec::new(), links: 0 };
        let internet = network.space("wan")?;
        internet.ip("link add br0 type bridge")?;
        internet.ip("link set br0 up")?;
        Ok(Some(network))
    }

    fn space(&mut self, name: &str) -> anyhow::Result<Space> {
        let name = format!("{}{name}", self.prefix);
        run("ip", &["netns", "add", &name])?;
        self.spaces.push(name.clone());
        let space = Space { name };
        fs::create_dir_all(space.etc())?;
        fs::write(space.etc().join("hosts"), "127.0.0.1 localhost\n::1 localhost\n")?;
        fs::write(space.etc().join("resolv.conf"), "nameserver 127.0.0.1\n")?; // nobody there: refused at once
        space.ip("link set lo up")?;
        Ok(space)
    }

    /// A cable between two machines; what its ends are called there.
    fn cable(&mut self, one: (&Space, &str), other: (&Space, &str)) -> anyhow::Result<()> {
        self.links += 1;
        // Named anew inside: outside, for a moment, no two may have the same name.
        let (a, b) = (format!("{}a{}", self.prefix, self.links), format!("{}b{}", self.prefix, self.links));
        let short = |n: &str| n[n.len().saturating_sub(15)..].to_owned();
        let (a, b) = (short(&a), short(&b));
        run("ip", &["link", "add", &a, "type", "veth", "peer", "name", &b])?;
        for (end, (space, name)) in [(&a, one), (&b, other)] {
            run("ip", &["link", "set", end, "netns", &space.name, "name", name])?;
            space.ip(&format!("link set {name} up"))?;
        }
        Ok(())
    }

    fn internet(&self) -> Space {
        Space { name: format!("{}wan", self.prefix) }
    }

    fn attach(&mut self, space: &Space) -> anyhow::Result<()> {
        let port = format!("p{}", self.links + 1);
        self.cable((&self.internet(), &port), (space, "wan"))?;
        self.internet().ip(&format!("link set {port} master br0"))
    }

    /// A machine with public addresses: `11.0.0.<number>` and `2a0f::<number>`.
    ///
    /// # Errors
    /// The command that failed.
    pub fn public(&mut self, name: &str, number: u8) -> anyhow::Result<Space> {
        let space = self.space(name)?;
        self.attach(&space)?;
        space.ip(&format!("addr add 11.0.0.{number}/24 dev wan"))?;
        space.ip(&format!("addr add 2a0f::{number}/64 dev wan nodad"))?;
        Ok(space)
    }

    /// A home behind a router with the public address `11.0.0.<number>`; inside it is `192.168.1.2`, as in every home.
    ///
    /// # Errors
    /// The command that failed.
    pub fn home(&mut self, name: &str, number: u8, nat: Nat) -> anyhow::Result<Home> {
        let (router, inside) = (self.space(&format!("{name}r"))?, self.space(name)?);
        self.attach(&router)?;
        self.cable((&router, "lan"), (&inside, "lan"))?;
        if nat == Nat::SixOnly {
            // Routed, not translated; the internet knows the way.
            router.ip(&format!("addr add 2a0f::{number}/64 dev wan nodad"))?;
            router.ip(&format!("addr add 2a0f:0:0:{number}::1/64 dev lan nodad"))?;
            inside.ip(&format!("addr add 2a0f:0:0:{number}::2/64 dev lan nodad"))?;
            inside.ip(&format!("-6 route add default via 2a0f:0:0:{number}::1"))?;
            router.sysctl("net.ipv6.conf.all.forwarding=1")?;
        } else {
            router.ip(&format!("addr add 11.0.0.{number}/24 dev wan"))?;
            router.ip("addr add 192.168.1.1/24 dev lan")?;
            inside.ip("addr add 192.168.1.2/24 dev lan")?;
            inside.ip("route add default via 192.168.1.1")?;
            router.sysctl("net.ipv4.ip_forward=1")?;
            let random = if nat == Nat::Random { " fully-random" } else { "" };
            router.nft(&format!(
                "table ip nat {{ chain out {{ type nat hook postrouting priority 100; oifname \"wan\" masquerade{random}; }}; }}"
            ))?;
        }
        router.nft(
            "table inet guard { chain outside { }; chain pass { type filter hook forward priority 0; jump outside; \
             iifname \"wan\" ct state established,related accept; iifname \"wan\" ct status dnat accept; \
             iifname \"wan\" drop; }; }",
        )?;
        Ok(Home { inside, router, number })
    }

    /// Everybody knows this name.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn name(&self, host: &str, addresses: &[&str]) -> anyhow::Result<()> {
        use std::io::Write as _;
        for name in &self.spaces {
            let file = Space { name: name.clone() }.etc().join("hosts");
            let mut file = fs::OpenOptions::new().append(true).open(file)?;
            for address in addresses {
                writeln!(file, "{address} {host}")?;
            }
        }
        Ok(())
    }

    /// The way to a home that is reached by IPv6 alone, for a public machine.
    ///
    /// # Errors
    /// The command that failed.
    pub fn route_six(&self, from: &Space, to: &Home) -> anyhow::Result<()> {
        let number = to.number;
        from.ip(&format!("-6 route add 2a0f:0:0:{number}::/64 via 2a0f::{number}"))
    }
}

impl Home {
    /// No UDP passes from now on.
    ///
    /// # Errors
    /// The command that failed.
    pub fn drop_udp(&self) -> anyhow::Result<()> {
        self.router.nft("add rule inet guard outside meta l4proto udp drop")
    }

    /// UDP passes again.
    ///
    /// # Errors
    /// The command that failed.
    pub fn pass_udp(&self) -> anyhow::Result<()> {
        self.router.nft("flush chain inet guard outside")
    }

    /// Nothing passes to or from ports 80 and 443, either way, from now on: as some providers have it.
    ///
    /// # Errors
    /// The command that failed.
    pub fn block_web(&self) -> anyhow::Result<()> {
        self.router.nft("add rule inet guard outside meta l4proto { tcp, udp } th dport { 80, 443 } counter drop")
    }

    /// Packets that were dropped for that.
    ///
    /// # Errors
    /// The command that failed, or if nothing is blocked.
    pub fn blocked_packets(&self) -> anyhow::Result<u64> {
        let output = self.router.command("nft").args(["list", "chain", "inet", "guard", "outside"]).output()?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let count = told.split("packets ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        count.with_context(|| format!("a counter in {told}"))
    }

    /// A port of the public address leads to the same port of the machine inside, TCP and UDP.
    ///
    /// # Errors
    /// The command that failed.
    pub fn forwards(&self, port: u16) -> anyhow::Result<()> {
        self.router.nft("add chain ip nat in { type nat hook prerouting priority -100; }")?;
        self.router
            .nft(&format!("add rule ip nat in iifname \"wan\" meta l4proto {{ tcp, udp }} th dport {port} dnat to 192.168.1.2"))
    }

    /// The router gets another public address; connections through it are gone.
    ///
    /// # Errors
    /// The command that failed.
    pub fn moves_to(&mut self, number: u8) -> anyhow::Result<()> {
        self.router.ip(&format!("addr del 11.0.0.{}/24 dev wan", self.number))?;
        self.router.ip(&format!("addr add 11.0.0.{number}/24 dev wan"))?;
        self.number = number;
        Ok(())
    }
}

impl Space {
    fn etc(&self) -> PathBuf {
        PathBuf::from("/etc/netns").join(&self.name)
    }

    /// What a command is begun with, to run here.
    pub fn under(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// A command that runs here.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    fn ip(&self, words: &str) -> anyhow::Result<()> {
        let all: Vec<&str> = ["-n", &self.name].into_iter().chain(words.split(' ')).collect();
        run("ip", &all)
    }

    fn nft(&self, rules: &str) -> anyhow::Result<()> {
        run("ip", &["netns", "exec", &self.name, "nft", rules])
    }

    fn sysctl(&self, setting: &str) -> anyhow::Result<()> {
        let (name, value) = setting.split_once('=').context("name=value")?;
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        run("ip", &["netns", "exec", &self.name, "sh", "-c", &format!("echo {value} > {file}")])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.spaces {
            let _ = run("ip", &["netns", "del", name]);
            let _ = fs::remove_dir_all(Space { name: name.clone() }.etc());
        }
        let _ = fs::remove_dir("/etc/netns"); // if nobody else has anything there
    }
}

fn run(program: &str, words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program).args(words).output().with_context(|| program.to_owned())?;
    ensure!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    if output.stderr.starts_with(b"Error") {
        bail!("{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
