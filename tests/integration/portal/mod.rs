//! The portal adapter and its REST client: recorded answers, faults, pacing, connections, TLS and
//! proxies.

mod client;
mod clocks;
mod decoding;
mod fake_transport;
mod labels;
mod pacing;
mod permits;
mod reads;
#[cfg(unix)]
mod tls;
mod transport;
mod writes;
