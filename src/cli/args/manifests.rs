//! Manifests of a command, and rules that are not part of them.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::value_parsers;

/// Manifests of a command.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ManifestArgs {
    /// Manifest, folder of manifests, or - for stdin; may be repeated, all form one declaration
    #[arg(long = "file", short = 'f', value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) files: Vec<PathBuf>,
}

/// Rules that are not part of a manifest.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct PolicyArgs {
    /// Reset cards that cannot be read (portals up to release 24.200), without a backup
    #[arg(long)]
    pub(in crate::cli) blind_reset: bool,
    /// Lower the limit on people in this run; cannot raise the limits of the manifests
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::people)]
    pub(in crate::cli) max_users: Option<u32>,
    #[command(flatten)]
    pub(in crate::cli) ledger_args: LedgerArgs,
}

/// Location of the ledger of mode once.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct LedgerArgs {
    /// Ledger file of mode once in place of the store, to be committed beside the manifests;
    /// `recard ledger new` creates one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) ledger: Option<PathBuf>,
}
