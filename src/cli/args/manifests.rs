//! Manifests of a command, and rules that are not part of them.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::app::{Narrowing, PersonSelector};
use crate::cli::value_parsers;
use crate::manifest::DepartmentName;
use crate::model::CardKey;

/// Manifests of a command.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ManifestArgs {
    /// Manifest files, folders of them, or - for stdin; by default the folder manifests
    #[arg(value_name = "MANIFEST", value_hint = ValueHint::AnyPath)]
    positional: Vec<PathBuf>,
    /// Manifest file or folder, like MANIFEST; may be repeated
    #[arg(long = "file", short = 'f', value_name = "FILE", value_hint = ValueHint::AnyPath)]
    files: Vec<PathBuf>,
}

impl ManifestArgs {
    /// Returns all named files and folders. None of them means the default folder.
    pub(in crate::cli) fn files(&self) -> Vec<PathBuf> {
        self.positional.iter().chain(&self.files).cloned().collect()
    }
}

/// Rules that are not part of a manifest.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct PolicyArgs {
    /// Reset cards that cannot be read (portals up to release 24.200), without a backup
    #[arg(long)]
    pub(in crate::cli) blind_reset: bool,
    /// Lower the limit on people in this run; cannot raise the limits of the manifests
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::people)]
    pub(in crate::cli) max_users: Option<u32>,
    #[command(flatten)]
    pub(in crate::cli) ledger_args: LedgerArgs,
}

/// Location of the ledger of mode once.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct LedgerArgs {
    /// Ledger file of mode once, in place of the store; `recard ledger new` creates one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) ledger: Option<PathBuf>,
}

/// Part of the targets of the manifests.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct NarrowingArgs {
    /// Only the cards of this person, by id or e-mail; may be repeated
    #[arg(long, value_name = "PERSON", value_parser = value_parsers::person)]
    user: Vec<PersonSelector>,
    /// Only people of this department and those below, by id or name; may be repeated
    #[arg(long, value_name = "DEPARTMENT", value_parser = value_parsers::department_name)]
    department: Vec<DepartmentName>,
    /// Only this card, such as personal/12/lead/simple; may be repeated
    #[arg(long, value_name = "CARD")]
    target: Vec<CardKey>,
}

impl NarrowingArgs {
    /// Returns the narrowing.
    pub(in crate::cli) fn narrowing(&self) -> Narrowing {
        Narrowing {
            people: self.user.clone(),
            departments: self.department.clone(),
            targets: self.target.iter().copied().collect(),
        }
    }
}
