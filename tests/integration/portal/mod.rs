//! The REST client: recorded answers, TLS and proxies.

mod decoding;
#[cfg(unix)]
mod tls;
