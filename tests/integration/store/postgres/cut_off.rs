//! Worker that a dead proxy cuts off from the database.

use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::workers::{INTENTS, Journals, TAKEN_OVER, World, wait_for_one};
use crate::support::postgres::Server;

/// Proxy in front of a server. While it is dead, connections stay open, new ones are taken, and
/// nothing comes through. It loses the connections of that time when it lives again.
struct Proxy {
    url: String,
    is_dead: watch::Sender<bool>,
}

impl Proxy {
    async fn start(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://recard@{}/postgres", listener.local_addr().unwrap());
        let (is_dead, seen) = watch::channel(false);
        let port = server.port();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(forward(client, port, seen.clone()));
            }
        });
        Self { url, is_dead }
    }
}

async fn forward(mut client: TcpStream, port: u16, mut is_dead: watch::Receiver<bool>) {
    let mut life = is_dead.clone();
    drop(life.wait_for(|is_dead| !is_dead).await);
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let death = async { drop(is_dead.wait_for(|is_dead| *is_dead).await) };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        // Both ends go on to believe in this connection.
        () = death => drop(life.wait_for(|is_dead| !is_dead).await),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_that_is_cut_off_from_the_database_sends_the_write_no_more() {
    let Some(world) = World::start(1).await else { return };
    let proxy = Proxy::start(&world.server).await;
    let (portal, client) = (&world.emulator.portals()[0], world.client().await);
    let rows = portal.rows();
    // It has its intent in the journal, and waits for the rate limiter before it sends the write.
    let mut cut_off = world.worker_over(&proxy.url, "3,0.07");
    wait_for_one(&client, INTENTS, "no intent").await;
    proxy.is_dead.send_replace(true);
    let begun = Instant::now();
    assert_eq!(portal.counters().rows_removed, 0, "the write waits");
    let other = world.worker();
    wait_for_one(&client, TAKEN_OVER, "no other worker took over").await;
    drop(other);
    // Recovered and reset by the other one; since then people have customized the cards again.
    assert_eq!(portal.counters().rows_removed, 2);
    rows.iter().for_each(|row| portal.put_row(row.clone()));
    // The wait for the limiter, 14 s for one request, is over then.
    tokio::time::sleep(Duration::from_secs(18).saturating_sub(begun.elapsed())).await;
    assert_eq!(portal.counters().rows_removed, 2, "an old holder wrote");
    assert_eq!(portal.rows().len(), rows.len());
    // What it still had to say comes too late: no line of it stands after those of the other one.
    proxy.is_dead.send_replace(false);
    cut_off.signal("-TERM");
    assert_eq!(cut_off.0.wait().unwrap().code(), Some(143));
    let journals = Journals::read(&client).await;
    journals.check(world.emulator.portals());
    assert_eq!(journals.taken_over, 1);
}
