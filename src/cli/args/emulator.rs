//! Arguments of the commands of the emulator.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::cli::value_parsers;

/// Arguments of `emulate`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct EmulateArgs {
    /// Address of the portal; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(in crate::cli) listen: std::net::SocketAddr,
    /// Address of the control interface; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(in crate::cli) control: std::net::SocketAddr,
    /// Write addresses and webhooks into this file, as JSON, once the emulator listens
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) ready_file: Option<PathBuf>,
    /// Content of the portal: company, empty, users=N, or a file with a state
    #[arg(long, value_name = "SEED", default_value = "company")]
    pub(in crate::cli) seed: String,
    /// Number of portals behind the address, told apart by their host names p0001.localhost,
    /// p0002.localhost and so on
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::portals)]
    pub(in crate::cli) portals: Option<std::num::NonZeroU32>,
    /// Write a fleet of the portals into this folder: fleet.yaml, standard-card.yaml and secrets
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "portals")]
    pub(in crate::cli) fleet_out: Option<PathBuf>,
    /// Release: current, mid or legacy-read; by default that of the seed
    #[arg(long, value_name = "RELEASE")]
    pub(in crate::cli) release: Option<String>,
    /// Limits: off, standard, enterprise, X,Y or X,Y,SECONDS: X requests at once, Y a second,
    /// operating time in ten minutes
    #[arg(long, value_name = "LIMITS", default_value = "off")]
    pub(in crate::cli) limits: String,
    /// Duration of a command (for example 20ms)
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "0s")]
    pub(in crate::cli) command_time: Duration,
    /// Script of faults (JSON): a list of rules such as {"method": "batch", "inside":
    /// "crm.lead.details.configuration.reset", "nth": 1, "do": "cut-after"};
    /// of several portals {"p0002": [...]}; docs/portal-behaviour.md lists all faults
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) faults: Option<PathBuf>,
    /// Serve the portal over TLS, with a certificate of an authority made at the start
    #[arg(long)]
    pub(in crate::cli) tls: bool,
    /// Write the authority of --tls into this file (PEM), for SSL_CERT_FILE and the like
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls", conflicts_with = "tls_cert")]
    pub(in crate::cli) tls_ca_out: Option<PathBuf>,
    /// Certificate for TLS, with those between it and its authority (PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_key")]
    pub(in crate::cli) tls_cert: Option<PathBuf>,
    /// Private key of --tls-cert (PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_cert")]
    pub(in crate::cli) tls_key: Option<PathBuf>,
    /// Allow addresses other than loopback: all who reach them can use and control the emulator
    #[arg(long)]
    pub(in crate::cli) allow_remote: bool,
}

/// Arguments of `demo`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct DemoArgs {
    /// Print the manifest of the demo and exit
    #[arg(long)]
    pub(in crate::cli) manifest: bool,
}
