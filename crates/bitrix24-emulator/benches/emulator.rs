//! Speed of the emulator, which must never be the bottleneck of a benchmark or a test.
//!
//! ```sh
//! cargo bench --bench emulator
//! ```
//!
//! Portal and client share one thread, so what is printed is what one core does with both. Two
//! goals: 10,000 people seeded in under a second, and more than 5,000 commands of batches a second.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and cannot go on without its portal"
)]

use std::time::{Duration, Instant};

use bitrix24_emulator::{Emulator, EmulatorOptions, Seed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PEOPLE: u32 = 10_000;
const COMMANDS: u32 = 50;
const MEASURED: Duration = Duration::from_secs(2);

/// A connection that is kept open, with the least of HTTP that works.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn to(host: &str) -> Self {
        let stream = TcpStream::connect(host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// Sends a request and gives the length of the answer's body.
    async fn ask(&mut self, request: &[u8]) -> usize {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(
                self.stream.read_buf(&mut self.buffer).await.unwrap() > 0,
                "the portal hung up"
            );
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next())
            .unwrap();
        let length: usize = length.parse().unwrap();
        while self.buffer.len() < end + length {
            assert!(
                self.stream.read_buf(&mut self.buffer).await.unwrap() > 0,
                "the portal hung up"
            );
        }
        length
    }
}

/// A batch over people from one on, as the bytes of a request.
fn batch(path: &str, method: &str, first: u32) -> Vec<u8> {
    let command = |number: u32| {
        let user = 2 + (first + number) % PEOPLE;
        let text = format!(
            "crm.lead.details.configuration.{method}?scope=P&userId={user}&extras[leadCustomerType]=1"
        );
        (format!("c{number}"), serde_json::Value::String(text))
    };
    let commands: serde_json::Map<_, _> = (0..COMMANDS).map(command).collect();
    let body = serde_json::json!({ "halt": 0, "cmd": commands }).to_string();
    let head = format!(
        "POST {path}batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    );
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let began = Instant::now();
    let options = EmulatorOptions { seed: Seed::Users(PEOPLE), ..EmulatorOptions::default() };
    let portal = Emulator::start_with(options).await.unwrap();
    println!("{PEOPLE} people seeded in {:.3} s (goal: under 1 s)", began.elapsed().as_secs_f64());
    let webhook = portal.webhook_url(1).unwrap();
    let (host, path) = webhook.trim_start_matches("http://").split_once('/').unwrap();
    let path = format!("/{path}");
    let mut connection = Connection::to(host).await;
    for method in ["get", "reset"] {
        let (began, mut batches, mut bytes) = (Instant::now(), 0_u32, 0);
        while began.elapsed() < MEASURED {
            bytes += connection.ask(&batch(&path, method, batches * COMMANDS)).await;
            batches += 1;
        }
        let commands = f64::from(batches * COMMANDS) / began.elapsed().as_secs_f64();
        let megabytes = bytes as f64 / 1e6 / began.elapsed().as_secs_f64();
        println!(
            "{method}: {commands:.0} commands a second, {megabytes:.1} MB a second (goal: over 5000 commands)"
        );
    }
    let counters = portal.counters();
    println!(
        "{} requests, {} commands, {} rows removed",
        counters.requests, counters.commands, counters.rows_removed
    );
    assert!(portal.complaints().is_empty(), "{:?}", portal.complaints().first());
    portal.stop().await;
}
