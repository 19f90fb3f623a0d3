//! Arguments of `restore`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::output::PlanView;
use super::plans::plan_age;
use crate::cli::value_parsers;
use crate::model::{CardKind, DepartmentId, UserId};

/// Arguments of `restore`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct RestoreArgs {
    /// Run id from `recard history`, or `last`: the newest apply that changed something; or a plan
    /// file of `restore --out`, which is executed without a question
    #[arg(value_name = "RUN|PLAN")]
    pub(in crate::cli) run: String,
    #[command(flatten)]
    pub(in crate::cli) filter: TargetFilterArgs,
    #[command(flatten)]
    pub(in crate::cli) view: PlanView,
    /// Overwrite layouts that are newer than the backup; they are backed up first
    #[arg(long)]
    pub(in crate::cli) overwrite_newer: bool,
    /// Do not ask; required without a terminal
    #[arg(long, visible_alias = "yes", conflicts_with_all = ["plan", "out"])]
    pub(in crate::cli) auto_approve: bool,
    #[command(flatten)]
    pub(in crate::cli) preview: RestorePreviewArgs,
}

/// Preview of a restore.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct RestorePreviewArgs {
    /// Show what a restore would do with each card, and write nothing
    #[arg(long, group = "preview")]
    pub(in crate::cli) plan: bool,
    /// Write a plan file, as with --plan; `recard restore FILE` executes it
    #[arg(long, group = "preview", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Lifetime of the plan file (90s, 15m, 24h), at most 744h
    #[arg(long, value_name = "TIME", value_parser = plan_age, default_value = "24h", requires = "out")]
    pub(in crate::cli) max_age: Duration,
    /// With --plan or --out: exit with 2 if a card would be written or is held
    #[arg(long, requires = "preview")]
    pub(in crate::cli) detailed_exitcode: bool,
}

impl RestorePreviewArgs {
    /// Returns `true` if nothing is to be written to the portal.
    pub(in crate::cli) fn is_wanted(&self) -> bool {
        self.plan || self.out.is_some()
    }
}

/// Filter of a run's cards.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct TargetFilterArgs {
    /// Every card that the run changed
    #[arg(long, visible_alias = "everything", conflicts_with_all = ["user", "department", "common"])]
    pub(in crate::cli) all: bool,
    /// The cards of this user; may be repeated
    #[arg(long, value_name = "ID", value_parser = value_parsers::user)]
    pub(in crate::cli) user: Vec<UserId>,
    /// The cards of the people of this department and those below; may be repeated
    #[arg(long, value_name = "ID", value_parser = value_parsers::department)]
    pub(in crate::cli) department: Vec<DepartmentId>,
    /// The common cards
    #[arg(long)]
    pub(in crate::cli) common: bool,
    /// Only this kind of card, such as lead/simple or deal/0
    #[arg(long = "card", visible_alias = "type", value_name = "CARD", value_parser = value_parsers::card_kind)]
    pub(in crate::cli) kind: Option<CardKind>,
}

impl TargetFilterArgs {
    /// Returns `true` if no card is named.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        let Self { all, user, department, common, kind } = self;
        !all && user.is_empty() && department.is_empty() && !common && kind.is_none()
    }
}
