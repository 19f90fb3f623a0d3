//! Arguments of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use super::output_format::{self, Output};
use super::value_parsers;
use crate::i18n::Language;
use crate::model::{DepartmentId, LeadCustomerType, UserId};
use crate::records::plan_file::MAX_PLAN_AGE;
use crate::report::MARKDOWN_LIMIT;

/// Folder of the store, unless another one is named.
pub(super) const DEFAULT_STORE: &str = ".recard";

/// Keeps the lead cards of a Bitrix24 portal at their defaults, from a manifest in git.
#[derive(Debug, Parser)]
#[command(name = "recard", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Try it without a portal: recard demo\nExit codes: recard help-exit-codes")]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: GlobalArgs,
    #[command(subcommand)]
    pub(super) command: CliCommand,
}

/// Options that every command takes, before or after its name.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options for every command")]
pub(super) struct GlobalArgs {
    /// `embedded[:FILE]`: an emulated portal inside this process, with its state in FILE, in place
    /// of a real one (or RECARD_PORTAL)
    #[arg(long, global = true, value_name = "PORTAL")]
    pub(super) portal: Option<String>,
    /// File that holds the webhook URL (or RECARD_WEBHOOK_URL, or RECARD_WEBHOOK_URL_FILE)
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) webhook_url_file: Option<PathBuf>,
    /// Folder of backups, journals and locks (or RECARD_STORE)
    #[arg(long, global = true, value_name = "DIR", default_value = DEFAULT_STORE, value_hint = ValueHint::DirPath)]
    pub(super) store: PathBuf,
    /// The portal's rate limit: standard (50 at once, 2 a second), enterprise (250, 5), unlimited,
    /// or X,Y (or RECARD_RATE)
    #[arg(long, global = true, value_name = "RATE")]
    pub(super) rate: Option<String>,
    /// Share of the portal's operating time that recard may use, 0.1 to 1
    #[arg(long, global = true, value_name = "SHARE", value_parser = value_parsers::share, default_value_t = 0.8)]
    pub(super) operating_share: f64,
    /// Start no further request after this time (90s, 15m, 2h)
    #[arg(long, global = true, value_name = "TIME", value_parser = value_parsers::duration)]
    pub(super) deadline: Option<Duration>,
    /// Wait this long for the lock if another process works on the portal (90s, 15m)
    #[arg(long, global = true, value_name = "TIME", value_parser = value_parsers::duration, default_value = "0s")]
    pub(super) lock_timeout: Duration,
    /// Color of the output; NO_COLOR is respected
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorWhen::Auto)]
    pub(super) color: ColorWhen,
    /// Language of texts for people: en or ru; by default that of RECARD_LANG, LC_ALL, LC_MESSAGES
    /// or LANG
    #[arg(long, global = true, value_name = "LANGUAGE", value_parser = language)]
    pub(super) lang: Option<Language>,
    /// Print only warnings and errors on stderr
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// Format of log lines on stderr; RECARD_LOG is their filter (for example recard=debug)
    #[arg(long, global = true, value_name = "FORM", value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
}

/// Use of color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines of text.
    Text,
    /// JSON objects, one a line.
    Json,
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
    /// Count customized cards by department
    Inventory(InventoryArgs),
    /// Write a manifest of all people with customized cards, and the layouts of all cards
    Export(ExportArgs),
    /// Check portal, webhook, rights and store; changes nothing
    Doctor(DoctorArgs),
    /// Verify or show the audit log of the store
    Audit(AuditArgs),
    /// Show the ledger of mode once, or create one in a file
    Ledger(LedgerCommandArgs),
    /// Release a lock whose owner is dead
    Unlock(UnlockArgs),
    /// Print a JSON Schema
    Schema(SchemaArgs),
    /// Serve the emulator over HTTP
    #[cfg(feature = "emulator")]
    Emulate(EmulateArgs),
    /// Run plan, apply, plan and restore on the emulator
    #[cfg(feature = "emulator")]
    Demo(DemoArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page of recard or of a command
    Man(ManArgs),
    /// Print the exit codes and their meaning
    HelpExitCodes,
}

/// Manifests of a command.
#[derive(Args, Clone, Debug)]
pub(super) struct ManifestArgs {
    /// Manifest, folder of manifests, or - for stdin; may be repeated, all form one declaration
    #[arg(long = "file", short = 'f', value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(super) files: Vec<PathBuf>,
}

/// Formats and destinations of reports.
#[derive(Args, Clone, Debug)]
pub(super) struct OutputArgs {
    /// text, json, markdown, junit, sarif, github or csv, to stdout or with =PATH to a file; may be
    /// repeated
    #[arg(long, short, value_name = "FORMAT[=PATH]", default_value = "text")]
    pub(super) output: Vec<Output>,
    /// Maximum size of Markdown in bytes; less room means less detail, never an error
    #[arg(long, value_name = "BYTES", value_parser = output_format::markdown_limit, default_value_t = MARKDOWN_LIMIT)]
    pub(super) markdown_limit: usize,
    /// Name in the first line of Markdown, for pages with comments of several pipelines
    #[arg(long, value_name = "NAME", value_parser = output_format::marker)]
    pub(super) marker: Option<String>,
}

/// Grouping of the cards that a plan resets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum GroupBy {
    /// Cards with the same layout are one group
    #[default]
    Layout,
    /// Each card stands alone
    None,
}

/// View of plans and reports.
#[derive(Args, Clone, Debug)]
pub(super) struct PlanView {
    #[command(flatten)]
    pub(super) output_args: OutputArgs,
    /// Show each card before and after, and the origin of each target
    #[arg(long, visible_alias = "effective", overrides_with = "detail")]
    pub(super) detail: bool,
    /// Group the cards with the same layout, or list each card (none)
    #[arg(long, value_name = "BY", value_enum, default_value_t)]
    pub(super) group: GroupBy,
    /// Show the unchanged cards, too
    #[arg(long)]
    pub(super) unchanged: bool,
}

/// Arguments of `validate`.
#[derive(Args, Clone, Debug)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    pub(super) manifests: ManifestArgs,
    #[command(flatten)]
    pub(super) output_args: OutputArgs,
}

/// Rules that are not part of a manifest.
#[derive(Args, Clone, Debug)]
pub(super) struct PolicyArgs {
    /// Reset cards that cannot be read (portals up to release 24.200), without a backup
    #[arg(long)]
    pub(super) blind_reset: bool,
    /// Lower the limit on people in this run; cannot raise the limits of the manifests
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::people)]
    pub(super) max_users: Option<u32>,
    #[command(flatten)]
    pub(super) ledger_args: LedgerArgs,
}

/// Location of the ledger of mode once.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct LedgerArgs {
    /// Ledger file of mode once in place of the store, to be committed beside the manifests;
    /// `recard ledger new` creates one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) ledger: Option<PathBuf>,
}

/// Arguments of `plan`.
#[derive(Args, Clone, Debug)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) manifests: ManifestArgs,
    #[command(flatten)]
    pub(super) view: PlanView,
    #[command(flatten)]
    pub(super) policy_args: PolicyArgs,
    /// Exit with 2 if there are changes or held cards
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// Write a plan file; apply executes it once, as it was reviewed, or less of it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) out: Option<PathBuf>,
    /// Lifetime of the plan file (90s, 15m, 24h), at most 744h
    #[arg(long, value_name = "TIME", value_parser = plan_age, default_value = "24h", requires = "out")]
    pub(super) max_age: Duration,
}

/// Arguments of `apply`.
#[derive(Args, Clone, Debug)]
pub(super) struct ApplyArgs {
    /// Plan file of `plan --out`, in place of manifests: executed as it was reviewed, or less of
    /// it, without a question
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub(super) plan: Option<PathBuf>,
    /// Manifest, folder of manifests, or - for stdin; may be repeated, all form one declaration.
    /// With a plan file: the manifests that it must have been made from
    #[arg(long = "file", short = 'f', value_name = "FILE", required_unless_present = "plan", value_hint = ValueHint::AnyPath)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) view: PlanView,
    #[command(flatten)]
    pub(super) policy_args: PolicyArgs,
    /// Do not ask; required without a terminal
    #[arg(long)]
    pub(super) auto_approve: bool,
}

/// Arguments of `restore`.
#[derive(Args, Clone, Debug)]
pub(super) struct RestoreArgs {
    /// Run id from `recard history`, or `last`: the newest apply that changed something; or a plan
    /// file of `restore --out`, which is executed once, as it was reviewed or less of it, without a
    /// question
    #[arg(value_name = "RUN|PLAN")]
    pub(super) run: String,
    #[command(flatten)]
    pub(super) filter: TargetFilter,
    #[command(flatten)]
    pub(super) view: PlanView,
    /// Overwrite layouts that are newer than the backup; they are backed up first
    #[arg(long)]
    pub(super) overwrite_newer: bool,
    /// Do not ask; required without a terminal
    #[arg(long, conflicts_with_all = ["plan", "out"])]
    pub(super) auto_approve: bool,
    #[command(flatten)]
    pub(super) preview: RestorePreviewArgs,
}

/// Preview of a restore.
#[derive(Args, Clone, Debug)]
pub(super) struct RestorePreviewArgs {
    /// Show what a restore would do with each card, and write nothing
    #[arg(long, group = "preview")]
    pub(super) plan: bool,
    /// Write a plan file, as with --plan; `recard restore FILE` executes it
    #[arg(long, group = "preview", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) out: Option<PathBuf>,
    /// Lifetime of the plan file (90s, 15m, 24h), at most 744h
    #[arg(long, value_name = "TIME", value_parser = plan_age, default_value = "24h", requires = "out")]
    pub(super) max_age: Duration,
    /// With --plan or --out: exit with 2 if a card would be written or is held
    #[arg(long, requires = "preview")]
    pub(super) detailed_exitcode: bool,
}

impl RestorePreviewArgs {
    /// Returns `true` if nothing is to be written to the portal.
    pub(super) fn is_wanted(&self) -> bool {
        self.plan || self.out.is_some()
    }
}

/// Filter of a run's cards.
#[derive(Args, Clone, Debug)]
pub(super) struct TargetFilter {
    /// Every card that the run changed
    #[arg(long, visible_alias = "everything", conflicts_with_all = ["user", "department", "common"])]
    pub(super) all: bool,
    /// The cards of this user; may be repeated
    #[arg(long, value_name = "ID", value_parser = value_parsers::user)]
    pub(super) user: Vec<UserId>,
    /// The cards of the people of this department and those below; may be repeated
    #[arg(long, value_name = "ID", value_parser = value_parsers::department)]
    pub(super) department: Vec<DepartmentId>,
    /// The common cards
    #[arg(long)]
    pub(super) common: bool,
    /// Only this card: lead/simple or lead/repeat
    #[arg(long = "card", visible_alias = "type", value_name = "CARD", value_enum)]
    pub(super) lead: Option<LeadType>,
}

impl TargetFilter {
    /// Returns `true` if no card is named.
    pub(super) fn is_empty(&self) -> bool {
        let Self { all, user, department, common, lead } = self;
        !all && user.is_empty() && department.is_empty() && !common && lead.is_none()
    }
}

/// Type of lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LeadType {
    /// Simple leads.
    #[value(name = "lead/simple", alias = "simple")]
    Simple,
    /// Repeat leads.
    #[value(name = "lead/repeat", alias = "repeat")]
    Repeat,
}

impl LeadType {
    /// Returns the lead customer type.
    pub(super) fn lead_customer_type(self) -> LeadCustomerType {
        match self {
            Self::Simple => LeadCustomerType::Simple,
            Self::Repeat => LeadCustomerType::Repeat,
        }
    }
}

/// Arguments of `recover`.
#[derive(Args, Clone, Debug)]
pub(super) struct RecoverArgs {
    /// Run id; by default that of the interrupted run
    #[arg(value_name = "RUN")]
    pub(super) run: Option<String>,
    /// Wait this long before the first read, for requests of the dead process that may still be in
    /// flight
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "3s")]
    pub(super) settle_time: Duration,
    #[command(flatten)]
    pub(super) ledger_args: LedgerArgs,
}

/// Arguments of `history`.
#[derive(Args, Clone, Debug)]
pub(super) struct HistoryArgs {
    /// text, json, markdown or csv
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::history_format, default_value = "text")]
    pub(super) output: Vec<Output>,
}

/// Arguments of `show`.
#[derive(Args, Clone, Debug)]
pub(super) struct ShowArgs {
    /// Run id from `recard history`, or `last`: the newest one; or a plan file
    #[arg(value_name = "RUN|PLAN")]
    pub(super) run: String,
    #[command(flatten)]
    pub(super) output_args: OutputArgs,
    /// Of a plan file: read its cards from the portal again, show their layouts, and mark those
    /// that changed since
    #[arg(long)]
    pub(super) detail: bool,
}

/// Arguments of `reconcile`.
#[derive(Args, Clone, Debug)]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    pub(super) manifests: ManifestArgs,
    /// Interval, from start to start; a round starts only after the end of the last one
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "15m")]
    pub(super) every: Duration,
    /// Delay each round by a random time up to this; by default a tenth of --every
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration)]
    pub(super) jitter: Option<Duration>,
    /// End after this number of rounds
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::rounds)]
    pub(super) rounds: Option<u64>,
    /// Serve /healthz, /readyz and /metrics (Prometheus) at this address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<std::net::SocketAddr>,
    /// Allow --listen on addresses other than loopback
    #[arg(long, requires = "listen")]
    pub(super) allow_remote: bool,
    #[command(flatten)]
    pub(super) policy_args: PolicyArgs,
    #[command(flatten)]
    pub(super) output_args: OutputArgs,
}

/// Arguments of `init`.
#[derive(Args, Clone, Debug)]
pub(super) struct InitArgs {
    /// Folder for the files
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(super) folder: PathBuf,
    /// Write the files for this pipeline, too; may be repeated
    #[arg(long, value_name = "SYSTEM", value_enum)]
    pub(super) ci: Vec<CiSystem>,
    /// Portal of the manifest; by default that of the webhook URL
    #[arg(long, value_name = "HOST")]
    pub(super) host: Option<String>,
}

/// Pipeline system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum CiSystem {
    /// `.github/workflows/recard.yml`.
    Github,
    /// `.gitlab-ci.yml`.
    Gitlab,
    /// `ci/recard.sh`, for all others.
    Shell,
}

/// Arguments of `drift`.
#[derive(Args, Clone, Debug)]
pub(super) struct DriftArgs {
    #[command(flatten)]
    pub(super) manifests: ManifestArgs,
    #[command(flatten)]
    pub(super) view: PlanView,
    #[command(flatten)]
    pub(super) ledger_args: LedgerArgs,
}

/// Arguments of `inventory`.
#[derive(Args, Clone, Debug)]
pub(super) struct InventoryArgs {
    /// text, json or csv
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::text_json_or_csv, default_value = "text")]
    pub(super) output: Vec<Output>,
}

/// Arguments of `export`.
#[derive(Args, Clone, Debug)]
pub(super) struct ExportArgs {
    /// Write manifest.yaml and layouts.json into this folder; without it the manifest goes to
    /// stdout
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) out: Option<PathBuf>,
    /// Only people of this department and those below; may be repeated
    #[arg(long, value_name = "ID", value_parser = value_parsers::department)]
    pub(super) department: Vec<DepartmentId>,
    /// Replace names and titles by salted hashes, to share the export
    #[arg(long)]
    pub(super) sanitize: bool,
}

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug)]
pub(super) struct DoctorArgs {
    /// Check the webhook of plan and drift (RECARD_READ_WEBHOOK_URL), not that of apply
    #[arg(long)]
    pub(super) read: bool,
    /// text or json
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::text_or_json, default_value = "text")]
    pub(super) output: Vec<Output>,
}

/// Arguments of `audit`.
#[derive(Args, Clone, Debug)]
pub(super) struct AuditArgs {
    /// Action
    #[command(subcommand)]
    pub(super) action: AuditAction,
}

/// Action on the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum AuditAction {
    /// Verify the chain of the audit log, and compare it with the journals
    Verify,
    /// List its events
    Show,
}

/// Arguments of `ledger`.
#[derive(Args, Clone, Debug)]
pub(super) struct LedgerCommandArgs {
    /// Action
    #[command(subcommand)]
    pub(super) action: LedgerAction,
}

/// Action on the ledger of mode once.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum LedgerAction {
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
pub(super) struct UnlockArgs {
    /// Do not ask: a person has made sure that the owner of the lock is dead
    #[arg(long)]
    pub(super) auto_approve: bool,
}

/// Arguments of `schema`.
#[derive(Args, Clone, Debug)]
pub(super) struct SchemaArgs {
    /// Document that the schema describes
    #[arg(value_enum, default_value_t = SchemaOf::Manifest)]
    pub(super) of: SchemaOf,
}

/// Documents with a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// The manifest.
    Manifest,
    /// The output of `plan --output json`.
    Plan,
    /// The output of `apply`, `restore` and `show` with `--output json`.
    Report,
    /// The output of `restore --plan --output json`, and of `show` for its plan file.
    RestorePlan,
    /// The output of `validate --output json`.
    Validation,
    /// The output of a failed command with `--output json`.
    Failure,
    /// The output of `doctor --output json`.
    Doctor,
    /// The output of `inventory --output json`.
    Inventory,
}

/// Arguments of `emulate`.
#[cfg(feature = "emulator")]
#[derive(Args, Clone, Debug)]
pub(super) struct EmulateArgs {
    /// Address of the portal; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: std::net::SocketAddr,
    /// Address of the control interface; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) control: std::net::SocketAddr,
    /// Write addresses and webhooks into this file, as JSON, once the emulator listens
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) ready_file: Option<PathBuf>,
    /// Content of the portal: company, empty, users=N, or a file with a state
    #[arg(long, value_name = "SEED", default_value = "company")]
    pub(super) seed: String,
    /// Release: current, mid or legacy-read; by default that of the seed
    #[arg(long, value_name = "RELEASE")]
    pub(super) release: Option<String>,
    /// Limits: off, standard, enterprise, X,Y or X,Y,SECONDS: X requests at once, Y a second,
    /// operating time in ten minutes
    #[arg(long, value_name = "LIMITS", default_value = "off")]
    pub(super) limits: String,
    /// Duration of a command (for example 20ms)
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "0s")]
    pub(super) command_time: Duration,
    /// Script of faults (JSON): a list of rules such as {"method": "batch", "inside":
    /// "crm.lead.details.configuration.reset", "nth": 1, "do": "cut-after"};
    /// docs/portal-behaviour.md lists all faults
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) faults: Option<PathBuf>,
    /// Allow addresses other than loopback: all who reach them can use and control the emulator
    #[arg(long)]
    pub(super) allow_remote: bool,
}

/// Arguments of `demo`.
#[cfg(feature = "emulator")]
#[derive(Args, Clone, Debug)]
pub(super) struct DemoArgs {
    /// Print the manifest of the demo and exit
    #[arg(long)]
    pub(super) manifest: bool,
}

/// Arguments of `completions`.
#[derive(Args, Clone, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Args, Clone, Debug)]
pub(super) struct ManArgs {
    /// Command, for example plan, or audit verify; by default recard itself
    pub(super) command: Vec<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub(super) out: Option<PathBuf>,
}

/// Parses the lifetime of a plan file.
fn plan_age(text: &str) -> Result<Duration, String> {
    let age = value_parsers::duration(text)?;
    let longest = MAX_PLAN_AGE.unsigned_abs();
    let hours = longest.as_secs() / 3600;
    if age > longest {
        Err(format!("a plan file may be used for {hours}h at most"))
    } else {
        Ok(age)
    }
}

/// Parses a language.
pub(super) fn language(text: &str) -> Result<Language, String> {
    let known = Language::ALL.into_iter().find(|(word, _)| *word == text);
    known.map(|(_, language)| language).ok_or_else(|| "recard speaks en and ru".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
