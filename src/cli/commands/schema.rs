//! `recard schema`: the schemas of what people write and of what programs read.

use crate::cli::args::SchemaOf;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::planning::json;
use crate::cli::ui::Ui;
use crate::{manifest, report};

/// Prints a schema.
pub(in crate::cli) fn run(ui: &Ui, of: SchemaOf) -> Result<u8, Failure> {
    let text = match of {
        SchemaOf::Manifest => manifest::schema(),
        SchemaOf::Plan => json(&report::plan_schema()),
        SchemaOf::Report => json(&report::report_schema()),
    };
    ui.result(text)?;
    Ok(exit::DONE)
}
