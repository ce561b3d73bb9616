//! What a durable, delivered message costs in processor time, in this process alone: two clients, the gateway, the write
//! loop, no TLS, a disk in memory. Not run by default: a figure, not a promise.
//! `cargo test --release -p startalk-gateway --test cost -- --ignored --nocapture`

#[path = "behaviour/support.rs"]
#[allow(dead_code)]
mod support;

use bytes::Bytes;
use startalk_protocol::{
    framing,
    pb::client::{self as pb, client_frame::Frame as Asked, pushed::What, server_frame::Frame},
};
use support::{Node, content};
use tokio::io::AsyncWriteExt;

const MESSAGES: u64 = 100_000;
const IN_FLIGHT: u64 = 32;
const PAIRS: usize = 8;

/// Microseconds of processor time of this process so far, over all threads.
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn processor_time_of_a_message() {
    let node = Node::start();
    let mut tasks = Vec::new();
    let mut pairs = Vec::new();
    for pair in 0..PAIRS {
        let (from, to) = (format!("a{pair}"), format!("b{pair}"));
        node.account(&from);
        node.account(&to);
        let (mut sender, mut reader) = (node.client(&from).await, node.client(&to).await);
        reader.sync(&Bytes::new()).await;
        let conversation = sender.send(&to, "first").await.unwrap().conversation;
        pairs.push((sender, reader, conversation));
    }
    let began = cpu_us();
    let each = MESSAGES / PAIRS as u64;
    for (mut sender, mut reader, conversation) in pairs {
        tasks.push(tokio::spawn(async move {
            let text = content(&"x".repeat(100));
            let (mut sent, mut answered) = (0, 0);
            while answered < each {
                let mut batch = Vec::new();
                while sent < each && sent - answered < IN_FLIGHT {
                    sent += 1;
                    let send = pb::Send { conversation, counter: 1 + sent, content: text.clone(), ..Default::default() };
                    batch
                        .extend_from_slice(&framing::encode(&pb::ClientFrame { id: 100 + sent, frame: Some(Asked::Send(send)) }));
                }
                sender.stream.write_all(&batch).await.unwrap();
                while sent - answered > IN_FLIGHT / 2 || (sent == each && answered < each) {
                    match sender.read().await.unwrap().frame {
                        Some(Frame::Sent(_)) => answered += 1,
                        Some(Frame::Error(e)) => panic!("{e:?}"),
                        _ => {}
                    }
                }
            }
        }));
        tasks.push(tokio::spawn(async move {
            let mut heard = 0;
            while heard < each {
                if let Some(Frame::Pushed(pb::Pushed { what: Some(What::Message(_)), .. })) = reader.read().await.unwrap().frame {
                    heard += 1;
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let spent = cpu_us() - began;
    println!("{:.1} µs of processor time for each of {MESSAGES} messages", spent as f64 / MESSAGES as f64);
}
