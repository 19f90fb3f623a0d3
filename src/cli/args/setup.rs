//! Arguments of the commands that set recard up, and that explain it.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::value_parsers::{download_url, image, sha256};

/// Arguments of `init`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct InitArgs {
    /// Folder for the files
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) folder: PathBuf,
    /// Write the files for this pipeline, too; may be repeated
    #[arg(long, value_name = "SYSTEM", value_enum)]
    pub(in crate::cli) ci: Vec<CiSystem>,
    /// Portal of the manifest; by default that of the webhook URL
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) host: Option<String>,
    /// https address of the program for the pipeline, from a place that you trust
    #[arg(long, value_name = "URL", value_parser = download_url, requires = "ci", conflicts_with = "image")]
    pub(in crate::cli) download_url: Option<String>,
    /// SHA-256 of the program at --download-url; by default that of this program
    #[arg(long, value_name = "SUM", value_parser = sha256, requires = "download_url")]
    pub(in crate::cli) sha256: Option<String>,
    /// Image with the program, by its digest, for --ci github
    #[arg(long, value_name = "NAME@sha256:DIGEST", value_parser = image, requires = "ci")]
    pub(in crate::cli) image: Option<String>,
}

/// Pipeline system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(in crate::cli) enum CiSystem {
    /// `.github/workflows/recard.yml`.
    Github,
    /// `.gitlab-ci.yml`.
    Gitlab,
    /// `ci/recard.sh`, for all others.
    Shell,
}

/// Arguments of `schema`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct SchemaArgs {
    /// Document that the schema describes
    #[arg(value_enum, default_value_t = SchemaOf::Manifest)]
    pub(in crate::cli) of: SchemaOf,
}

/// Documents with a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SchemaOf {
    /// The manifest.
    Manifest,
    /// The fleet.
    Fleet,
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
    /// The output of `fleet plan`, `drift`, `apply` and `status` with `--output json`.
    FleetReport,
    /// The output of `inventory --output json`.
    Inventory,
    /// The output of `card show --output json`.
    Card,
    /// The output of `audit heads --output json`.
    AuditHeads,
}

/// Arguments of `completions`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(in crate::cli) shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ManArgs {
    /// Command, for example plan, or audit verify; by default recard itself
    pub(in crate::cli) command: Vec<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub(in crate::cli) out: Option<PathBuf>,
}

/// Arguments of `explain`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ExplainArgs {
    /// Code of a message, such as RC0303; without it all codes are listed
    pub(in crate::cli) code: Option<String>,
}

/// Arguments of `help`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct HelpArgs {
    /// Command, for example plan, or audit verify; or options, or exit-codes
    pub(in crate::cli) topic: Vec<String>,
}
