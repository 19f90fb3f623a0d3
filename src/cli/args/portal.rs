//! Arguments of the commands that show what a portal has.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::output::JsonFlag;
use crate::app::PersonSelector;
use crate::cli::output_format::{self, Output};
use crate::cli::value_parsers;
use crate::engine::KindSelection;
use crate::model::{CardKind, DepartmentId};

/// Kinds of cards.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct KindsArg {
    /// Kind of card, such as deal/0, or `all`; may be repeated; both kinds of leads without it
    #[arg(long, value_name = "CARD", value_parser = value_parsers::card_kinds)]
    card: Vec<Option<CardKind>>,
}

impl KindsArg {
    /// Returns the selection. `all` includes each other kind.
    pub(in crate::cli) fn selection(&self) -> KindSelection {
        match self.card.iter().copied().collect::<Option<Vec<CardKind>>>() {
            Some(kinds) => KindSelection::Kinds(kinds),
            None => KindSelection::All,
        }
    }
}

/// Arguments of `inventory`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct InventoryArgs {
    #[command(flatten)]
    pub(in crate::cli) card: KindsArg,
    /// text, json or csv
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::text_json_or_csv(), hide_possible_values = true, default_value_if("json", "true", "json"), default_value = "text")]
    pub(in crate::cli) output: Vec<Output>,
    #[command(flatten)]
    pub(in crate::cli) json_flag: JsonFlag,
}

/// Arguments of `card`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct CardArgs {
    /// Action
    #[command(subcommand)]
    pub(in crate::cli) action: CardAction,
}

/// Action on cards.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum CardAction {
    /// Show the cards of one person as they are now
    Show(CardShowArgs),
}

/// Arguments of `card show`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct CardShowArgs {
    /// Person, by id or e-mail
    #[arg(value_name = "PERSON", value_parser = value_parsers::person)]
    pub(in crate::cli) user: PersonSelector,
    #[command(flatten)]
    pub(in crate::cli) card: KindsArg,
    /// text or json
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::text_or_json(), hide_possible_values = true, default_value_if("json", "true", "json"), default_value = "text")]
    pub(in crate::cli) output: Vec<Output>,
    #[command(flatten)]
    pub(in crate::cli) json_flag: JsonFlag,
}

/// Arguments of `export`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ExportArgs {
    /// Write manifest.yaml and layouts.json into this folder; without it the manifest goes to
    /// stdout
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) out: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) card: KindsArg,
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
    #[arg(long, short, value_name = "FORMAT[=PATH]", value_parser = output_format::text_or_json(), hide_possible_values = true, default_value_if("json", "true", "json"), default_value = "text")]
    pub(in crate::cli) output: Vec<Output>,
    #[command(flatten)]
    pub(in crate::cli) json_flag: JsonFlag,
}
