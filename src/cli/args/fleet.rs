//! Arguments of the commands over a fleet.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::output::OutputArgs;
use super::plans::plan_age;
use crate::cli::output_format::Output;
use crate::cli::value_parsers;
use crate::manifest::Selector;

/// Arguments of `fleet`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetArgs {
    #[command(subcommand)]
    pub(in crate::cli) action: FleetAction,
}

/// Command over a fleet.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum FleetAction {
    /// Check a fleet and the manifests of its portals, without a portal
    Validate(FleetValidateArgs),
    /// Show the changes that apply would make, on all portals
    Plan(FleetPlanArgs),
    /// Show differences from the manifests, on all portals; exits with 2 if there are any
    Drift(FleetDriftArgs),
    /// Reset the cards that the manifests select, wave by wave, after showing the plan
    Apply(FleetApplyArgs),
    /// Show what is known of each portal, without a request to any
    Status(FleetStatusArgs),
}

impl FleetAction {
    /// Returns the files of the fleet.
    pub(in crate::cli) fn files(&self) -> &FleetFilesArgs {
        match self {
            Self::Validate(arguments) => &arguments.fleet,
            Self::Plan(arguments) => &arguments.fleet,
            Self::Drift(arguments) => &arguments.fleet,
            Self::Apply(arguments) => &arguments.fleet,
            Self::Status(arguments) => &arguments.fleet,
        }
    }

    /// Returns the outputs.
    pub(in crate::cli) fn outputs(&self) -> &[Output] {
        let output_args = match self {
            Self::Validate(arguments) => &arguments.output_args,
            Self::Plan(arguments) => &arguments.rounds.output_args,
            Self::Drift(arguments) => &arguments.rounds.output_args,
            Self::Apply(arguments) => &arguments.rounds.output_args,
            Self::Status(arguments) => &arguments.output_args,
        };
        &output_args.output
    }

    /// Returns the file with plans that the command writes.
    pub(in crate::cli) fn out(&self) -> Option<&Path> {
        match self {
            Self::Plan(arguments) => arguments.out.as_deref(),
            _ => None,
        }
    }
}

/// Portals of a command.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetFilesArgs {
    /// Files of the fleet, by default fleet.yaml; for apply also the file of `fleet plan --out`
    #[arg(value_name = "FLEET", value_hint = ValueHint::FilePath)]
    positional: Vec<PathBuf>,
    /// File of the fleet, as above; may be repeated
    #[arg(long = "file", short = 'f', value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Only portals with these labels: ring=canary,country!=de or "country in (de,at)"
    #[arg(long, short = 'l', value_name = "LABELS", value_parser = selector)]
    pub(in crate::cli) selector: Option<Selector>,
}

impl FleetFilesArgs {
    /// Returns the files of the fleet.
    pub(in crate::cli) fn files(&self) -> Vec<PathBuf> {
        let named: Vec<PathBuf> = self.positional.iter().chain(&self.files).cloned().collect();
        if named.is_empty() { vec![PathBuf::from("fleet.yaml")] } else { named }
    }
}

/// Arguments of `fleet validate`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetValidateArgs {
    #[command(flatten)]
    pub(in crate::cli) fleet: FleetFilesArgs,
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
}

/// Rounds over the portals.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct RoundsArgs {
    /// Folder of the webhooks, a file a portal; by default that of CREDENTIALS_DIRECTORY, else
    /// /run/secrets/recard
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) secrets: Option<PathBuf>,
    /// Number of portals that are worked on at the same time
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::concurrency, default_value = "50")]
    pub(in crate::cli) concurrency: usize,
    /// Requests a second to all portals together; without it each portal has its own limit alone
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::total_rate)]
    pub(in crate::cli) total_rate: Option<f64>,
    /// Time that each portal may take (90s, 15m); one that takes longer fails, and no other
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "10m")]
    pub(in crate::cli) portal_deadline: Duration,
    /// Mark what this earlier report (JSON) did not have
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) new_since: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
}

/// Arguments of `fleet plan`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetPlanArgs {
    #[command(flatten)]
    pub(in crate::cli) fleet: FleetFilesArgs,
    #[command(flatten)]
    pub(in crate::cli) rounds: RoundsArgs,
    /// Exit with 2 if there are changes or held cards, with 4 if a guard of the fleet blocks them
    #[arg(long)]
    pub(in crate::cli) detailed_exitcode: bool,
    /// Write a file with a plan for each portal, for `fleet apply`; each is used once
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Lifetime of the plans (90s, 15m, 24h), at most 744h
    #[arg(long, value_name = "TIME", value_parser = plan_age, default_value = "24h", requires = "out")]
    pub(in crate::cli) max_age: Duration,
}

/// Arguments of `fleet drift`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetDriftArgs {
    #[command(flatten)]
    pub(in crate::cli) fleet: FleetFilesArgs,
    #[command(flatten)]
    pub(in crate::cli) rounds: RoundsArgs,
}

/// Arguments of `fleet apply`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetApplyArgs {
    #[command(flatten)]
    pub(in crate::cli) fleet: FleetFilesArgs,
    #[command(flatten)]
    pub(in crate::cli) rounds: RoundsArgs,
    /// Apply the waves up to this one
    #[arg(long, value_name = "WAVE")]
    pub(in crate::cli) wave: Option<String>,
    /// Do not ask; required without a terminal
    #[arg(long, visible_alias = "yes")]
    pub(in crate::cli) auto_approve: bool,
}

/// Arguments of `fleet status`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetStatusArgs {
    #[command(flatten)]
    pub(in crate::cli) fleet: FleetFilesArgs,
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
}

/// Parses a selector of labels.
fn selector(text: &str) -> Result<Selector, String> {
    Selector::parse(text).map_err(|problem| problem.to_string())
}
