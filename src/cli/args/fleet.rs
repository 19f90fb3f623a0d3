//! Arguments of the commands over a fleet.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::output::OutputArgs;
use super::plans::plan_age;
use crate::cli::output_format::Output;
use crate::cli::value_parsers::{self, Until};
use crate::manifest::LabelSelector;
use crate::model::{Digest, PortalId};

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
    /// Make a fleet the current revision of the store, for workers
    Publish(FleetPublishArgs),
    /// Leave portals alone, until a time or until they are unpaused
    Pause(FleetPauseArgs),
    /// End pauses by command
    Unpause(FleetPortalsArgs),
    /// Free parked portals, so that workers try them again
    Retry(FleetPortalsArgs),
    /// Open no further wave of the rollout
    Halt(FleetHaltArgs),
    /// Make the revision before the current one
    Rollback(FleetRollbackArgs),
}

impl FleetAction {
    /// Returns the files of the fleet.
    pub(in crate::cli) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Validate(arguments) => arguments.fleet.files(),
            Self::Plan(arguments) => arguments.fleet.files(),
            Self::Drift(arguments) => arguments.fleet.files(),
            Self::Apply(arguments) => arguments.fleet.files(),
            Self::Status(arguments) => arguments.fleet.files(),
            Self::Publish(arguments) => arguments.fleet.files(),
            Self::Pause(_)
            | Self::Unpause(_)
            | Self::Retry(_)
            | Self::Halt(_)
            | Self::Rollback(_) => Vec::new(),
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
            Self::Publish(arguments) => &arguments.output_args,
            Self::Halt(arguments) => &arguments.output_args,
            Self::Rollback(arguments) => &arguments.output_args,
            Self::Pause(_) | Self::Unpause(_) | Self::Retry(_) => return &[],
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
    /// File of the fleet, like the argument; may be repeated
    #[arg(long = "file", short = 'f', value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Only portals with these labels: ring=canary,country!=de or "country in (de,at)"
    #[arg(long, short = 'l', value_name = "LABELS", value_parser = selector)]
    pub(in crate::cli) selector: Option<LabelSelector>,
}

impl FleetFilesArgs {
    /// Returns the files that are named.
    pub(in crate::cli) fn named(&self) -> Vec<PathBuf> {
        self.positional.iter().chain(&self.files).cloned().collect()
    }

    /// Returns `true` if a file is named.
    pub(in crate::cli) fn is_named(&self) -> bool {
        !self.positional.is_empty() || !self.files.is_empty()
    }

    /// Returns the files of the fleet.
    pub(in crate::cli) fn files(&self) -> Vec<PathBuf> {
        let named = self.named();
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
    /// Folder of the webhooks, one file per portal; by default that of CREDENTIALS_DIRECTORY, else
    /// /run/secrets/recard
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) secrets: Option<PathBuf>,
    /// Number of portals to process concurrently
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::concurrency, default_value = "50")]
    pub(in crate::cli) concurrency: usize,
    /// Requests a second to all portals together; without it each portal has its own limit alone
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::total_rate)]
    pub(in crate::cli) total_rate: Option<f64>,
    /// Time that each portal may take (90s, 15m); one that takes longer fails, and no other
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "10m")]
    pub(in crate::cli) portal_deadline: Duration,
    /// Mark what is new since this earlier report (JSON)
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
    /// Published fleet to show, as its revision has it; without a fleet.yaml here the only one of
    /// the store
    #[arg(long = "fleet", value_name = "NAME", conflicts_with_all = ["positional", "files"])]
    pub(in crate::cli) name: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
}

/// Arguments of `fleet publish`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetPublishArgs {
    #[command(flatten)]
    pub(in crate::cli) fleet: FleetFilesArgs,
    /// Publish nothing if a portal has a broken file
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Revision that must be the current one, or `none`; by default one of an ancestor of this
    /// commit
    #[arg(long, value_name = "DIGEST", value_parser = expectation)]
    pub(in crate::cli) expect: Option<Expectation>,
    /// File with the private key (Ed25519, PEM) that signs the revision
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) signing_key: Option<PathBuf>,
    /// Wait until the rollout is complete; exits with 3 if it halts
    #[arg(long)]
    pub(in crate::cli) wait: bool,
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
}

/// Revision that must be the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Expectation {
    /// None.
    Nothing,
    /// This one.
    Revision(Digest),
}

/// Portals of a command over published fleets.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetPortalsArgs {
    /// Portals, by their hosts
    #[arg(value_name = "PORTAL", value_parser = portal, required_unless_present = "selector")]
    pub(in crate::cli) portals: Vec<PortalId>,
    /// All portals of the published fleet with these labels
    #[arg(long, short = 'l', value_name = "LABELS", value_parser = selector, conflicts_with = "portals")]
    pub(in crate::cli) selector: Option<LabelSelector>,
    /// Published fleet, if the store has several
    #[arg(long = "fleet", value_name = "NAME", conflicts_with = "portals")]
    pub(in crate::cli) name: Option<String>,
}

/// Arguments of `fleet pause`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetPauseArgs {
    #[command(flatten)]
    pub(in crate::cli) portals: FleetPortalsArgs,
    /// End of the pause: 2h, 2026-12-01, or 2026-12-01T09:00:00Z; without it the pause has no end
    #[arg(long, value_name = "TIME", value_parser = value_parsers::until)]
    pub(in crate::cli) until: Option<Until>,
    /// Reason, for reports
    #[arg(long, value_name = "TEXT", value_parser = value_parsers::reason)]
    pub(in crate::cli) reason: String,
}

/// Arguments of `fleet halt`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetHaltArgs {
    /// Published fleet, if the store has several
    #[arg(long = "fleet", value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Reason, for reports
    #[arg(long, value_name = "TEXT", value_parser = value_parsers::reason)]
    pub(in crate::cli) reason: String,
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
}

/// Arguments of `fleet rollback`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct FleetRollbackArgs {
    /// Published fleet, if the store has several
    #[arg(long = "fleet", value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Revision that must be the current one
    #[arg(long, value_name = "DIGEST", value_parser = expectation)]
    pub(in crate::cli) expect: Option<Expectation>,
    /// Refuse a revision that was not signed with one of these public keys (Ed25519, PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) trusted_key: Vec<PathBuf>,
    /// Wait until the rollout is complete; exits with 3 if it halts
    #[arg(long)]
    pub(in crate::cli) wait: bool,
    #[command(flatten)]
    pub(in crate::cli) output_args: OutputArgs,
}

/// Parses a revision that must be the current one.
fn expectation(text: &str) -> Result<Expectation, String> {
    if text == "none" {
        return Ok(Expectation::Nothing);
    }
    text.parse().map(Expectation::Revision).map_err(|_| {
        "a revision is named by its digest, sha256:… , which `recard fleet status -o json` shows"
            .to_owned()
    })
}

/// Parses the host of a portal.
fn portal(text: &str) -> Result<PortalId, String> {
    PortalId::new(text).map_err(|problem| problem.to_string())
}

/// Parses a selector of labels.
fn selector(text: &str) -> Result<LabelSelector, String> {
    LabelSelector::parse(text).map_err(|problem| problem.to_string())
}
