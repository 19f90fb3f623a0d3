//! Arguments of `worker`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::fleet::FleetFilesArgs;
use crate::cli::value_parsers;

/// Arguments of `worker`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct WorkerArgs {
    #[command(flatten)]
    pub(in crate::cli) fleet: FleetFilesArgs,
    /// Folder of the webhooks, a file a portal; by default that of CREDENTIALS_DIRECTORY, else
    /// /run/secrets/recard
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) secrets: Option<PathBuf>,
    /// Take only published revisions that this public key (PEM, Ed25519) signed; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) trusted_key: Vec<PathBuf>,
    /// Number of portals to process concurrently
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::concurrency, default_value = "200")]
    pub(in crate::cli) slots: usize,
    /// Time that a round of a portal may take (90s, 15m); one that takes longer is stopped
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "15m")]
    pub(in crate::cli) portal_deadline: Duration,
    /// Cap of all requests of this worker, in requests a second
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::total_rate)]
    pub(in crate::cli) total_rate: Option<f64>,
    /// Serve /healthz, /readyz and /metrics (Prometheus) at this address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) listen: Option<SocketAddr>,
    /// Allow --listen on addresses other than loopback
    #[arg(long, requires = "listen")]
    pub(in crate::cli) allow_remote: bool,
    /// Time after which another worker takes over from one that shows no sign of life, 5s to 1h; a
    /// request may take half of it
    #[arg(long, value_name = "TIME", value_parser = lease, default_value = "150s")]
    pub(in crate::cli) lease: Duration,
}

/// Parses the length of a lease.
fn lease(text: &str) -> Result<Duration, String> {
    let lease = value_parsers::duration(text)?;
    match (5..=3600).contains(&lease.as_secs()) {
        true => Ok(lease),
        false => Err("a lease lasts 5s to 1h".to_owned()),
    }
}
