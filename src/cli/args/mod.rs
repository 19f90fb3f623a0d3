//! Arguments of the command line, a file for each subject.

mod emulator;
mod fleet;
mod global;
mod manifests;
mod output;
mod plans;
mod portal;
mod restore;
mod runs;
mod setup;
mod store;

mod worker;

use clap::{Parser, Subcommand};

pub(super) use emulator::{DemoArgs, EmulateArgs};
pub(super) use fleet::{
    Expectation, FleetAction, FleetApplyArgs, FleetArgs, FleetDriftArgs, FleetFilesArgs,
    FleetHaltArgs, FleetPauseArgs, FleetPlanArgs, FleetPortalsArgs, FleetPublishArgs,
    FleetRollbackArgs, FleetStatusArgs, FleetValidateArgs, RoundsArgs,
};
pub(super) use global::{
    ColorWhen, DEFAULT_STORE, GLOBAL_HEADING, GlobalArgs, LogFormat, MethodFamilyArg, language,
};
pub(super) use manifests::{LedgerArgs, PolicyArgs};
pub(super) use output::JsonFlag;
pub(super) use output::{GroupBy, OutputArgs, PlanView};
pub(super) use plans::{ApplyArgs, DriftArgs, PlanArgs, ReconcileArgs, ValidateArgs};
pub(super) use portal::{
    CardAction, CardArgs, CardShowArgs, DoctorArgs, ExportArgs, InventoryArgs,
};
pub(super) use restore::{RestoreArgs, RestorePreviewArgs};
pub(super) use runs::{
    AuditAction, AuditArgs, AuditHeadsArgs, HistoryArgs, LedgerAction, LedgerCommandArgs,
    RecoverArgs, ShowArgs, UnlockArgs,
};
pub(super) use setup::{
    CiSystem, CompletionsArgs, ExplainArgs, HelpArgs, InitArgs, ManArgs, SchemaArgs, SchemaOf,
};
pub(super) use store::{StoreAction, StoreArgs, StoreCopyArgs, StoreGcArgs, StoreMigrateArgs};

pub(super) use worker::WorkerArgs;

/// Reset the cards of a Bitrix24 portal to their defaults, from manifests in git.
#[derive(Debug, Parser)]
#[command(name = "recard", version, propagate_version = true, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: GlobalArgs,
    #[command(subcommand)]
    pub(super) command: CliCommand,
}

/// Command of recard.
#[derive(Debug, Subcommand)]
pub(super) enum CliCommand {
    /// Write a first manifest, and files for a pipeline
    Init(InitArgs),
    /// Check manifests without a portal
    ///
    /// Only the portal knows if the people and departments in them exist: `recard plan` asks it.
    Validate(ValidateArgs),
    /// Show the changes that apply would make
    Plan(PlanArgs),
    /// Reset the cards that the manifests select, after showing the plan
    Apply(ApplyArgs),
    /// Restore the layouts that a run removed
    Restore(RestoreArgs),
    /// Recover an interrupted run
    #[command(visible_alias = "resume")]
    Recover(RecoverArgs),
    /// List the runs of the store
    History(HistoryArgs),
    /// Show a run of the store, or a plan file
    Show(ShowArgs),
    /// Apply at an interval, until stopped
    Reconcile(ReconcileArgs),
    /// Show differences from the manifests; exits with 2 if there are any
    Drift(DriftArgs),
    /// Plan, apply and watch many portals of one repository
    Fleet(FleetArgs),
    /// Reconcile the portals of a fleet continuously, until stopped
    Worker(WorkerArgs),
    /// Count customized cards by department
    Inventory(InventoryArgs),
    /// Show the cards of one person as they are now
    Card(CardArgs),
    /// Write a manifest of all people with customized cards, and the layouts of all cards
    Export(ExportArgs),
    /// Check portal, webhook, rights and store; changes nothing
    Doctor(DoctorArgs),
    /// Verify or show the audit log, or print its last digest
    Audit(AuditArgs),
    /// Show the ledger of mode once, or create one in a file
    Ledger(LedgerCommandArgs),
    /// Release a lock whose owner is dead
    Unlock(UnlockArgs),
    /// Prepare, check or move a store
    Store(StoreArgs),
    /// Print a JSON Schema
    Schema(SchemaArgs),
    /// Serve the emulator over HTTP
    Emulate(EmulateArgs),
    /// Run plan, apply, plan and restore on the emulator
    Demo(DemoArgs),
    /// Explain the code of a message, such as RC0303
    Explain(ExplainArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page of recard or of a command
    Man(ManArgs),
    /// Print the version
    Version,
    /// Print the help of a command, the exit codes, or the options of every command
    Help(HelpArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
