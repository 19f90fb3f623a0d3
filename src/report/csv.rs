//! Tables for spreadsheets: RFC 4180, a line for each row of the report.

use std::fmt::Display;

use super::escape;
use super::report_model::ReportModel;

/// Renders the report as a table with a line of headings.
pub(super) fn render(model: &ReportModel<'_>) -> String {
    let headings: Vec<&str> = model.columns.iter().map(|(heading, _)| *heading).collect();
    let mut table = CsvTable::new(&headings);
    // A row without a word has nothing to tell; it is a check only.
    for row in model.rows.iter().filter(|row| !row.word.is_empty()) {
        table.write(model.columns.iter().map(|(_, field)| escape::csv(&field(model, row))));
    }
    table.into_text()
}

/// Table of quoted fields, in the form of RFC 4180.
pub(super) struct CsvTable(::csv::Writer<Vec<u8>>);

impl CsvTable {
    /// Returns a table with a line of headings.
    pub(super) fn new(headings: &[&str]) -> Self {
        let mut form = ::csv::WriterBuilder::new();
        form.quote_style(::csv::QuoteStyle::Always).terminator(::csv::Terminator::CRLF);
        let mut table = Self(form.flexible(true).from_writer(Vec::new()));
        table.write(headings.iter().map(|heading| (*heading).to_owned()));
        table
    }

    /// Adds a row.
    pub(super) fn row(&mut self, fields: &[&dyn Display]) {
        self.write(fields.iter().map(|field| escape::csv(&field.to_string())));
    }

    /// Returns the text of all rows.
    pub(super) fn into_text(self) -> String {
        let bytes = self.0.into_inner().unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }

    fn write(&mut self, fields: impl Iterator<Item = String>) {
        // Memory takes every write, and rows of any length are allowed.
        let _ = self.0.write_record(fields);
    }
}
