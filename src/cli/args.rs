//! The command line: what can be asked of recard.

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
    /// `embedded[:FILE]`: a portal inside this process, whose state lies in FILE, in place of a
    /// real one (or RECARD_PORTAL)
    #[arg(long, global = true, value_name = "PORTAL")]
    pub(super) portal: Option<String>,
    /// A file that holds the address of the webhook (or RECARD_WEBHOOK_URL, or
    /// RECARD_WEBHOOK_URL_FILE)
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) webhook_url_file: Option<PathBuf>,
    /// Where backups, journals and locks are kept (or RECARD_STORE)
    #[arg(long, global = true, value_name = "DIR", default_value = DEFAULT_STORE, value_hint = ValueHint::DirPath)]
    pub(super) store: PathBuf,
    /// The portal's rate limit: standard (50 at once, 2 a second), enterprise (250, 5), unlimited,
    /// or X,Y (or RECARD_RATE)
    #[arg(long, global = true, value_name = "RATE")]
    pub(super) rate: Option<String>,
    /// The share of the portal's budget of operating time that recard may use, 0.1 to 1
    #[arg(long, global = true, value_name = "SHARE", value_parser = value_parsers::share, default_value_t = 0.8)]
    pub(super) operating_share: f64,
    /// Start no further request after this time (90s, 15m, 2h)
    #[arg(long, global = true, value_name = "TIME", value_parser = value_parsers::duration)]
    pub(super) deadline: Option<Duration>,
    /// Wait this long for another process that works on the portal (90s, 15m)
    #[arg(long, global = true, value_name = "TIME", value_parser = value_parsers::duration, default_value = "0s")]
    pub(super) lock_timeout: Duration,
    /// When to use colour; NO_COLOR is respected
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorWhen::Auto)]
    pub(super) color: ColorWhen,
    /// The language of what people read: en or ru; else as RECARD_LANG, LC_ALL, LC_MESSAGES or LANG
    /// say
    #[arg(long, global = true, value_name = "LANGUAGE", value_parser = language)]
    pub(super) lang: Option<Language>,
    /// Say only warnings and errors on stderr
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// The form of log lines on stderr; RECARD_LOG chooses which (for example recard=debug)
    #[arg(long, global = true, value_name = "FORM", value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line of text each.
    Text,
    /// A JSON object each.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum CliCommand {
    /// Write a manifest to start from, and files for a pipeline
    Init(InitArgs),
    /// Check manifests without a portal
    ///
    /// Whether the people and departments that they name exist is known to the portal alone:
    /// `recard plan` asks it.
    Validate(ValidateArgs),
    /// Show what apply would do
    Plan(PlanArgs),
    /// Reset what the manifests want at its default, after showing it
    Apply(ApplyArgs),
    /// Put back what a run removed
    Restore(RestoreArgs),
    /// Recover an interrupted run
    #[command(visible_alias = "resume")]
    Recover(RecoverArgs),
    /// List the runs of the store
    History(HistoryArgs),
    /// Show a run of the store, or a plan file
    Show(ShowArgs),
    /// Apply every so often, until ended
    Reconcile(ReconcileArgs),
    /// Tell what differs from the manifests; ends with 2 if anything does
    Drift(DriftArgs),
    /// Count who has arranged their cards, by department
    Inventory(InventoryArgs),
    /// Write a manifest of everybody who has a card of their own, and the layouts of all cards
    Export(ExportArgs),
    /// Look whether recard would work here: portal, webhook, rights, store; changes nothing
    Doctor(DoctorArgs),
    /// Look at the audit trail of the store
    Audit(AuditArgs),
    /// Look at the memory of mode once, or begin one in a file
    Ledger(LedgerCommandArgs),
    /// Give back a lock whose owner is dead
    Unlock(UnlockArgs),
    /// Print a JSON Schema
    Schema(SchemaArgs),
    /// Serve an emulated portal over HTTP
    #[cfg(feature = "emulator")]
    Emulate(EmulateArgs),
    /// See it work: plan, apply and plan again on an emulated portal
    #[cfg(feature = "emulator")]
    Demo(DemoArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page of recard or of a command
    Man(ManArgs),
    /// Print the exit codes and what they mean
    HelpExitCodes,
}

/// Which manifests.
#[derive(Args, Clone, Debug)]
pub(super) struct ManifestArgs {
    /// A manifest, a folder of manifests, or - for stdin; may be repeated, all are one declaration
    #[arg(long = "file", short = 'f', value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(super) files: Vec<PathBuf>,
}

/// Where reports go, and in which form.
#[derive(Args, Clone, Debug)]
pub(super) struct OutputArgs {
    /// text, json, markdown, junit, sarif, github or csv, to stdout or with =PATH to a file; may be
    /// repeated
    #[arg(long, short, value_name = "FORMAT[=PATH]", default_value = "text")]
    pub(super) output: Vec<Output>,
    /// At most so many bytes of markdown; with less room there is less detail, never an error
    #[arg(long, value_name = "BYTES", value_parser = output_format::markdown_limit, default_value_t = MARKDOWN_LIMIT)]
    pub(super) markdown_limit: usize,
    /// A name in the first line of markdown, where one page has comments of several pipelines
    #[arg(long, value_name = "NAME", value_parser = output_format::marker)]
    pub(super) marker: Option<String>,
}

/// How plans and what becomes of them are shown.
#[derive(Args, Clone, Debug)]
pub(super) struct PlanView {
    #[command(flatten)]
    pub(super) output_args: OutputArgs,
    /// Show the content that is lost, as a diff, and where each target comes from
    #[arg(long)]
    pub(super) detail: bool,
    /// Show the cards that stay as they are, too
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

/// Rules that a manifest does not hold.
#[derive(Args, Clone, Debug)]
pub(super) struct PolicyArgs {
    /// Reset cards that cannot be read (portals up to release 24.200), without a backup
    #[arg(long)]
    pub(super) blind_reset: bool,
    /// Lower the limit on people in this run; can never raise what the manifests allow
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::people)]
    pub(super) max_users: Option<u32>,
    #[command(flatten)]
    pub(super) ledger_args: LedgerArgs,
}

/// Where the memory of mode once is.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct LedgerArgs {
    /// A file that remembers mode once in place of the store, to be committed beside the manifests;
    /// `recard ledger new` begins one
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
    /// End with 2 if anything is to be done or held
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// Tell what people will see afterwards, as far as it can be known; reads the common cards, too
    #[arg(long)]
    pub(super) effective: bool,
    /// Write a plan file, which apply carries out once and as it was reviewed, or less of it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) out: Option<PathBuf>,
    /// How long the plan file may be used (90s, 15m, 24h), at most 744h
    #[arg(long, value_name = "TIME", value_parser = plan_age, default_value = "24h", requires = "out")]
    pub(super) max_age: Duration,
}

/// Arguments of `apply`.
#[derive(Args, Clone, Debug)]
pub(super) struct ApplyArgs {
    /// A plan file of `plan --out`, in place of manifests: what was reviewed is done, or less of
    /// it, without a question
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub(super) plan: Option<PathBuf>,
    /// A manifest, a folder of manifests, or - for stdin; may be repeated, all are one declaration.
    /// With a plan file: the manifests that it must have been made from
    #[arg(long = "file", short = 'f', value_name = "FILE", required_unless_present = "plan", value_hint = ValueHint::AnyPath)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) view: PlanView,
    #[command(flatten)]
    pub(super) policy_args: PolicyArgs,
    /// Do not ask; needed where nobody can be asked
    #[arg(long)]
    pub(super) auto_approve: bool,
}

/// Arguments of `restore`.
#[derive(Args, Clone, Debug)]
pub(super) struct RestoreArgs {
    /// The run, as `recard history` names it, or `last`: the newest apply that changed something
    #[arg(value_name = "RUN")]
    pub(super) run: String,
    #[command(flatten)]
    pub(super) filter: TargetFilter,
    #[command(flatten)]
    pub(super) view: PlanView,
    /// Overwrite layouts that are newer than the backup; they are backed up first
    #[arg(long)]
    pub(super) overwrite_newer: bool,
    /// Do not ask; needed where nobody can be asked
    #[arg(long)]
    pub(super) auto_approve: bool,
}

/// Which cards of a run to restore.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = true)]
pub(super) struct TargetFilter {
    /// Every card that the run changed
    #[arg(long, visible_alias = "everything", conflicts_with_all = ["user", "common"])]
    pub(super) all: bool,
    /// The cards of this person; may be repeated
    #[arg(long, value_name = "ID", value_parser = value_parsers::user)]
    pub(super) user: Vec<UserId>,
    /// The common cards
    #[arg(long)]
    pub(super) common: bool,
    /// Only cards of this kind of lead: simple or repeat
    #[arg(long = "type", value_name = "TYPE", value_enum)]
    pub(super) lead: Option<LeadType>,
}

/// The kind of lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LeadType {
    /// Simple leads.
    Simple,
    /// Repeat leads.
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
    /// The run; the unfinished one if none is given
    #[arg(value_name = "RUN")]
    pub(super) run: Option<String>,
    /// Wait this long before looking, for requests of the dead process that may still be on their
    /// way
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
    /// The run, as `recard history` names it, or `last`: the newest one; or a plan file
    #[arg(value_name = "RUN|PLAN")]
    pub(super) run: String,
    #[command(flatten)]
    pub(super) output_args: OutputArgs,
}

/// Arguments of `reconcile`.
#[derive(Args, Clone, Debug)]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    pub(super) manifests: ManifestArgs,
    /// How often; counted from beginning to beginning, but no round begins before the last one has
    /// ended
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "15m")]
    pub(super) every: Duration,
    /// Begin each round later by a random time up to this; a tenth of --every unless said
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration)]
    pub(super) jitter: Option<Duration>,
    /// End after so many rounds
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::rounds)]
    pub(super) rounds: Option<u64>,
    /// Serve /healthz, /readyz and /metrics (Prometheus) here; port 0 takes a free one
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
    /// Where to write
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(super) folder: PathBuf,
    /// Write the files for this pipeline, too; may be repeated
    #[arg(long, value_name = "SYSTEM", value_enum)]
    pub(super) ci: Vec<CiSystem>,
    /// The portal that the manifest is for; that of the webhook unless said
    #[arg(long, value_name = "HOST")]
    pub(super) host: Option<String>,
}

/// A system that runs pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum CiSystem {
    /// `.github/workflows/recard.yml`.
    Github,
    /// `.gitlab-ci.yml`.
    Gitlab,
    /// `ci/recard.sh`, for any other.
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
    /// Put salted hashes in the place of names and titles, to show the export to others
    #[arg(long)]
    pub(super) sanitize: bool,
}

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug)]
pub(super) struct DoctorArgs {
    /// Look at the webhook that plan and drift use (RECARD_READ_WEBHOOK_URL), not at that of apply
    #[arg(long)]
    pub(super) read: bool,
    /// text or json
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::text_or_json, default_value = "text")]
    pub(super) output: Vec<Output>,
}

/// Arguments of `audit`.
#[derive(Args, Clone, Debug)]
pub(super) struct AuditArgs {
    /// What to do
    #[command(subcommand)]
    pub(super) action: AuditAction,
}

/// What to do with the audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum AuditAction {
    /// Follow the chain of the trail, and compare it with the journals
    Verify,
    /// List its events
    Show,
}

/// Arguments of `ledger`.
#[derive(Args, Clone, Debug)]
pub(super) struct LedgerCommandArgs {
    /// What to do
    #[command(subcommand)]
    pub(super) action: LedgerAction,
}

/// What to do with the memory of mode once.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum LedgerAction {
    /// List which targets had their reset for which generation
    Show {
        /// A ledger in a file; that of the store if none is given
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Begin a ledger in a file, with what the store remembers
    New {
        /// The file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// Arguments of `unlock`.
#[derive(Args, Clone, Debug)]
pub(super) struct UnlockArgs {
    /// Do not ask: somebody has made sure that the owner of the lock is dead
    #[arg(long)]
    pub(super) auto_approve: bool,
}

/// Arguments of `schema`.
#[derive(Args, Clone, Debug)]
pub(super) struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value_t = SchemaOf::Manifest)]
    pub(super) of: SchemaOf,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// The manifest that people write.
    Manifest,
    /// What `plan --output json` prints.
    Plan,
    /// What `apply`, `restore` and `show` print with `--output json`.
    Report,
    /// What `validate --output json` prints.
    Validation,
    /// What a command prints with `--output json` if it fails before it has anything else to tell.
    Failure,
    /// What `doctor --output json` prints.
    Doctor,
    /// What `inventory --output json` prints.
    Inventory,
}

/// Arguments of `emulate`.
#[cfg(feature = "emulator")]
#[derive(Args, Clone, Debug)]
pub(super) struct EmulateArgs {
    /// Where to serve the portal; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: std::net::SocketAddr,
    /// Where to serve the control address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) control: std::net::SocketAddr,
    /// Write addresses and webhooks into this file, as JSON, once it listens
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) ready_file: Option<PathBuf>,
    /// What the portal holds: company, empty, users=N, or a file with a state
    #[arg(long, value_name = "SEED", default_value = "company")]
    pub(super) seed: String,
    /// The release: current, mid or legacy-read; that of the seed if none is given
    #[arg(long, value_name = "RELEASE")]
    pub(super) release: Option<String>,
    /// The limits: off, standard, enterprise, X,Y or X,Y,SECONDS: X requests at once, Y a second,
    /// operating time in ten minutes
    #[arg(long, value_name = "LIMITS", default_value = "off")]
    pub(super) limits: String,
    /// How long a command takes (for example 20ms)
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration, default_value = "0s")]
    pub(super) command_time: Duration,
    /// A script of faults (JSON): a list of rules such as {"method": "batch", "inside":
    /// "crm.lead.details.configuration.reset", "nth": 1, "do": "cut-after"};
    /// docs/portal-behaviour.md lists what they can do
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) faults: Option<PathBuf>,
    /// Allow addresses other than loopback: anybody who reaches them can use and control the
    /// emulator
    #[arg(long)]
    pub(super) allow_remote: bool,
}

/// Arguments of `demo`.
#[cfg(feature = "emulator")]
#[derive(Args, Clone, Debug)]
pub(super) struct DemoArgs {
    /// Print the manifest of the demonstration, and nothing else
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
    /// The command, for example plan, or audit verify; recard itself if there is none
    pub(super) command: Vec<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub(super) out: Option<PathBuf>,
}

/// Reads how long a plan file may be used.
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

/// Reads a language.
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
