//! Arguments of the commands that take manifests.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::manifests::{LedgerArgs, ManifestArgs, NarrowingArgs, PolicyArgs};
use super::output::{OutputArgs, PlanView};
use crate::cli::value_parsers;
use crate::records::plan_file::MAX_PLAN_AGE;

/// Arguments of `validate`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ValidateArgs {
    #[command(flatten)]
    pub(in crate::cli) manifests: ManifestArgs,
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
}

/// Arguments of `plan`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct PlanArgs {
    #[command(flatten)]
    pub(in crate::cli) manifests: ManifestArgs,
    #[command(flatten)]
    pub(in crate::cli) view: PlanView,
    #[command(flatten)]
    pub(in crate::cli) narrowing_args: NarrowingArgs,
    #[command(flatten)]
    pub(in crate::cli) policy_args: PolicyArgs,
    /// Exit with 2 if there are changes or held cards, with 4 if a guard blocks the plan
    #[arg(long)]
    pub(in crate::cli) detailed_exitcode: bool,
    /// Write a plan file, which `recard apply FILE` executes once
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Lifetime of the plan file (90s, 15m, 24h), at most 744h
    #[arg(long, value_name = "TIME", value_parser = plan_age, default_value = "24h", requires = "out")]
    pub(in crate::cli) max_age: Duration,
}

/// Arguments of `apply`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ApplyArgs {
    /// Manifest files, folders of them, or - for stdin, by default the folder manifests; or a plan
    /// file of `plan --out`, which is executed without a question
    #[arg(value_name = "MANIFEST|PLAN", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) positional: Vec<PathBuf>,
    /// Manifest file or folder, like MANIFEST; may be repeated. With a plan file: the manifests
    /// that it must agree with
    #[arg(long = "file", short = 'f', value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) view: PlanView,
    #[command(flatten)]
    pub(in crate::cli) narrowing_args: NarrowingArgs,
    #[command(flatten)]
    pub(in crate::cli) policy_args: PolicyArgs,
    /// Do not ask; required without a terminal
    #[arg(long, visible_alias = "yes")]
    pub(in crate::cli) auto_approve: bool,
}

/// Arguments of `drift`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct DriftArgs {
    #[command(flatten)]
    pub(in crate::cli) manifests: ManifestArgs,
    #[command(flatten)]
    pub(in crate::cli) view: PlanView,
    #[command(flatten)]
    pub(in crate::cli) ledger_args: LedgerArgs,
}

/// Arguments of `reconcile`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ReconcileArgs {
    #[command(flatten)]
    pub(in crate::cli) manifests: ManifestArgs,
    /// Interval, from start to start; a round starts only after the end of the last one
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "15m")]
    pub(in crate::cli) every: Duration,
    /// Delay each round by a random time up to this; by default a tenth of --every
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration)]
    pub(in crate::cli) jitter: Option<Duration>,
    /// End after this number of rounds
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::rounds)]
    pub(in crate::cli) rounds: Option<u64>,
    /// Serve /healthz, /readyz and /metrics (Prometheus) at this address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) listen: Option<std::net::SocketAddr>,
    /// Allow --listen on addresses other than loopback
    #[arg(long, requires = "listen")]
    pub(in crate::cli) allow_remote: bool,
    #[command(flatten)]
    pub(in crate::cli) policy_args: PolicyArgs,
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
}

/// Parses the lifetime of a plan file.
pub(super) fn plan_age(text: &str) -> Result<Duration, String> {
    let age = value_parsers::duration(text)?;
    let longest = MAX_PLAN_AGE.unsigned_abs();
    let hours = longest.as_secs() / 3600;
    if age > longest {
        Err(format!("a plan file may be used for {hours}h at most"))
    } else {
        Ok(age)
    }
}
