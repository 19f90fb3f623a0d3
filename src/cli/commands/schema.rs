//! `recard schema`: the schemas of manifests and of machine output.

use crate::cli::args::SchemaOf;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::manifest;
use crate::report::{self, pretty};

/// Prints a schema.
pub(in crate::cli) fn run(ui: &Ui, of: SchemaOf) -> Result<u8, CliError> {
    let text = match of {
        SchemaOf::Manifest => manifest::SCHEMA.to_owned(),
        SchemaOf::Fleet => manifest::FLEET_SCHEMA.to_owned(),
        SchemaOf::Plan => pretty(&report::plan_schema()),
        SchemaOf::Report => pretty(&report::report_schema()),
        SchemaOf::RestorePlan => pretty(&report::restore_plan_schema()),
        SchemaOf::Validation => pretty(&report::validation_schema()),
        SchemaOf::Failure => pretty(&report::failure_schema()),
        SchemaOf::FleetReport => pretty(&report::fleet_report_schema()),
        SchemaOf::Inventory => pretty(&report::inventory_schema()),
        SchemaOf::Card => pretty(&report::card_schema()),
        SchemaOf::AuditHeads => pretty(&report::audit_heads_schema()),
        SchemaOf::Doctor => pretty(&report::doctor_schema()),
    };
    ui.verbatim(&text)?;
    Ok(exit::DONE)
}
