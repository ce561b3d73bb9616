//! Many connections come and go, half of them in the middle of a handshake: afterwards nothing of them is left.

use startalk_e2e::until;
use startalk_protocol::{framing, pb::client::ClientFrame};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpStream, UdpSocket},
    task::JoinSet,
};

use crate::{
    device::{connect, hello},
    ground::Ground,
    sample::{FILES_MORE_MAX, files},
};

/// Connections to each of the three programs.
const EACH: usize = 40;
/// Datagrams that begin nothing.
const DATAGRAMS: usize = 40;
/// The beginning of a TLS handshake of 512 bytes, whose rest never comes.
const HALF_A_HANDSHAKE: [u8; 9] = [22, 3, 1, 2, 0, 1, 0, 1, 0xfc];

pub(super) async fn happen(ground: &mut Ground) -> anyhow::Result<String> {
    let processes = ground.processes();
    let before = processes.map(|process| files(process).unwrap_or(0));
    let ports = [ground.a.port, ground.b.port, ground.world.hub_port].map(|port| u16::try_from(port).unwrap_or(0));
    let mut coming = JoinSet::new();
    for number in 0..EACH {
        for (place, port) in ports.into_iter().enumerate() {
            coming.spawn(come(port, number % 4, place < 2));
        }
    }
    let datagrams = UdpSocket::bind(("127.0.0.1", 0)).await?;
    for number in 0..DATAGRAMS {
        // As long as the first of QUIC must be, with a first byte of its own.
        let datagram = [u8::try_from(number).unwrap_or(0) | 0xc0; 1200];
        for port in ports {
            let _ = datagrams.send_to(&datagram, ("127.0.0.1", port)).await;
        }
    }
    // All of them are open at the same time, as far as they were let in; then they go.
    let open: Vec<_> = coming.join_all().await.into_iter().flatten().collect();
    let most = processes.map(|process| files(process).unwrap_or(0));
    let count = open.len();
    drop(open);
    for (place, process) in processes.into_iter().enumerate() {
        until("the files of connections that went to be closed", || {
            let now = files(process).unwrap_or(u64::MAX);
            std::future::ready((now <= before[place] + FILES_MORE_MAX, now))
        })
        .await?;
    }
    for voice in ground.voices.bystanders() {
        voice.from.say(&voice.to.user).await?;
        until("a bystander", || std::future::ready((voice.under_way() == 0, voice.arrived()))).await?;
    }
    Ok(format!("{count} connections came and went; open files {before:?}, with them {most:?}"))
}

/// What holds a connection open.
type Open = Box<dyn Send>;

/// One connection: nothing, half a handshake, a whole one, or a hello besides.
async fn come(port: u16, how: usize, speaks: bool) -> Option<Open> {
    if how < 2 || !speaks {
        let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        if how > 0 {
            tcp.write_all(&HALF_A_HANDSHAKE).await.ok()?;
        }
        return Some(Box::new(tcp));
    }
    let mut tls = connect(port, None).await.ok()?;
    if how == 3 {
        tls.write_all(&framing::encode(&ClientFrame { id: 1, frame: Some(hello()) })).await.ok()?;
        tls.flush().await.ok()?;
    }
    Some(Box::new(tls))
}
