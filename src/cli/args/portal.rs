//! Arguments of the commands that show what a portal has.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::output_format::{self, Output};
use crate::cli::value_parsers;
use crate::model::DepartmentId;

/// Arguments of `inventory`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct InventoryArgs {
    /// text, json or csv
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::text_json_or_csv, default_value = "text")]
    pub(in crate::cli) output: Vec<Output>,
}

/// Arguments of `export`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ExportArgs {
    /// Write manifest.yaml and layouts.json into this folder; without it the manifest goes to
    /// stdout
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Only people of this department and those below; may be repeated
    #[arg(long, value_name = "ID", value_parser = value_parsers::department)]
    pub(in crate::cli) department: Vec<DepartmentId>,
    /// Replace names and titles by salted hashes, to share the export
    #[arg(long)]
    pub(in crate::cli) sanitize: bool,
}

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct DoctorArgs {
    /// Check the webhook of plan and drift (RECARD_READ_WEBHOOK_URL), not that of apply
    #[arg(long)]
    pub(in crate::cli) read: bool,
    /// text or json
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::text_or_json, default_value = "text")]
    pub(in crate::cli) output: Vec<Output>,
}
