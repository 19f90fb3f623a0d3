//! Arguments of the commands on the runs of a store, its lock, its ledger and its audit log.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::manifests::LedgerArgs;
use super::output::{JsonFlag, OutputArgs};
use crate::cli::output_format::{self, Output};
use crate::cli::value_parsers::{self, Since};

/// Arguments of `recover`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct RecoverArgs {
    /// Run id; by default that of the interrupted run
    #[arg(value_name = "RUN")]
    pub(in crate::cli) run: Option<String>,
    /// Wait this long before the first read, for requests of the dead process that may still be in
    /// flight
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "3s")]
    pub(in crate::cli) settle_time: Duration,
    #[command(flatten)]
    pub(in crate::cli) ledger_args: LedgerArgs,
}

/// Arguments of `history`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct HistoryArgs {
    /// Only the newest runs, up to this number
    #[arg(long, short = 'n', value_name = "NUMBER", value_parser = value_parsers::count)]
    pub(in crate::cli) limit: Option<u64>,
    /// Only runs since this time: 2026-11-01, 2026-11-01T09:00:00Z, or a time ago (24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = value_parsers::since)]
    pub(in crate::cli) since: Option<Since>,
    /// text, json, markdown or csv
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::history_format(), hide_possible_values = true, default_value_if("json", "true", "json"), default_value = "text")]
    pub(in crate::cli) output: Vec<Output>,
    #[command(flatten)]
    pub(in crate::cli) json_flag: JsonFlag,
}

/// Arguments of `show`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ShowArgs {
    /// Run id from `recard history`, or `last`: the newest one; or a plan file
    #[arg(value_name = "RUN|PLAN")]
    pub(in crate::cli) run: String,
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
    /// Of a plan file: read its cards from the portal again, show their layouts, and mark those
    /// that changed since
    #[arg(long)]
    pub(in crate::cli) detail: bool,
}

/// Arguments of `audit`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct AuditArgs {
    /// Action
    #[command(subcommand)]
    pub(in crate::cli) action: AuditAction,
}

/// Action on the audit log.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum AuditAction {
    /// Verify the chain of the audit log, and compare it with the journals
    Verify,
    /// List its events
    Show,
    /// Print the number of lines and the last digest of each audit log of the store
    ///
    /// A later log continues them. Kept elsewhere, they show a log that was cut at its end.
    Heads(AuditHeadsArgs),
}

/// Arguments of `audit heads`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct AuditHeadsArgs {
    /// Check that the logs continue the heads of this file, which an earlier `--output json` wrote
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) check: Option<PathBuf>,
    /// text or json
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::text_or_json(), hide_possible_values = true, default_value_if("json", "true", "json"), default_value = "text")]
    pub(in crate::cli) output: Vec<Output>,
    #[command(flatten)]
    pub(in crate::cli) json_flag: JsonFlag,
}

/// Arguments of `ledger`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct LedgerCommandArgs {
    /// Action
    #[command(subcommand)]
    pub(in crate::cli) action: LedgerAction,
}

/// Action on the ledger of mode once.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(in crate::cli) enum LedgerAction {
    /// List the targets that had their reset, by once key
    Show {
        /// Ledger file; by default that of the store
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Create a ledger in a file, from that of the store
    New {
        /// The file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// Arguments of `unlock`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct UnlockArgs {
    /// Do not ask: a person has made sure that the owner of the lock is dead
    #[arg(long, visible_alias = "yes")]
    pub(in crate::cli) auto_approve: bool,
}
