//! Report over many portals: totals that add up, failures by cause, and the largest changes.
//!
//! Text and Markdown are of bounded size, whatever the size of the fleet; JSON, CSV and JUnit are
//! complete.

mod html;
mod machine;
mod markdown;
#[cfg(test)]
mod tests;
mod text;
mod words;

use super::{OutputFormat, RenderOptions, pretty};
use crate::i18n;
use crate::records::fleet::FleetReport;

impl FleetReport {
    /// Formats of the report.
    pub const FORMATS: [OutputFormat; 6] = [
        OutputFormat::Text,
        OutputFormat::Json,
        OutputFormat::Markdown,
        OutputFormat::Junit,
        OutputFormat::Csv,
        OutputFormat::Html,
    ];

    /// Renders the report in a format; those that it does not have are empty.
    pub fn render(&self, format: OutputFormat, options: &RenderOptions) -> String {
        i18n::with_language(format.language(options.language), || match format {
            OutputFormat::Text => text::render(self),
            OutputFormat::Json => pretty(self),
            OutputFormat::Markdown => markdown::render(self, options),
            OutputFormat::Junit => machine::junit(self),
            OutputFormat::Csv => machine::csv(self),
            OutputFormat::Html => html::render(self, options),
            _ => String::new(),
        })
    }
}

/// Returns the JSON Schema of [`FleetReport`].
pub fn fleet_report_schema() -> schemars::Schema {
    super::json::generator().into_root_schema_for::<FleetReport>()
}
