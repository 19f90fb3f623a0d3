//! Reports: plans, runs, checked manifests and failures as text, for people and programs.
//!
//! This module returns text, and prints nothing. A [`Report`] has a subject and the purpose of the
//! command; [`Report::render`] renders it in any [`OutputFormat`], all from the same value, so that
//! two formats of one run always agree.
//!
//! Text carries styles; the printer removes them without a terminal. Machine formats have a version
//! in their first field and a schema in `schemas/`; their content never depends on the language or
//! width of a terminal. Text of people and of the portal goes through `escape` in every format: it
//! must not become markup, a mention, a formula, a workflow command or an escape sequence.

mod alike;
mod built_in_card;
mod card;
mod card_view;
mod cost;
mod csv;
mod doctor;
mod escape;
mod fill;
mod fleet;
mod github;
mod history;
mod html;
mod humanize;
mod inventory;
mod json;
mod junit;
mod labels;
mod manifest_export;
mod markdown;
mod metrics;
mod plan_file;
mod report_model;
mod restore;
mod review;
#[cfg(test)]
mod sample_plans;
mod sarif;
mod style;
mod subject;
#[cfg(test)]
mod tests;
mod text;
mod undo;
mod view;
mod visible_card;
mod worker_metrics;

use std::fmt;

use jiff::Timestamp;

use crate::i18n::{self, Language};
use crate::records::{Anonymizer, AuditHeads};

pub use card::{PersonCardsJson, PersonCardsReport, card_schema};
pub use cost::Cost;
pub use doctor::{Check, CheckStatus, DoctorJson, DoctorReport, doctor_schema};
pub use escape::{json as json_document, visible};
pub use fleet::fleet_report_schema;
pub use history::RunHistory;
pub use humanize::Seconds;
pub use inventory::{Inventory, inventory_schema};
pub use json::{FailureJson, PlanJson, ReportJson, ValidationJson};
pub use json::{
    failure_schema, plan_schema, report_schema, restore_plan_schema, validation_schema,
};
pub use manifest_export::ExportedManifest;
pub use metrics::{Exposition, Metrics, RequestTotals};
pub use plan_file::{PlanFileReport, PresentCards};
pub use restore::{RestorePlanUse, RestoreReport};
pub use subject::{
    Commit, FailureReport, HeldTarget, PlanReport, Purpose, Report, ReportedRun, Subject,
    ValidationReport,
};
pub use text::run::RunText;
pub use view::{DiffDetail, Grouping, RowFilter};
pub use worker_metrics::{WorkerNumbers, worker_metrics};

/// Returns the JSON Schema of [`AuditHeads`].
pub fn audit_heads_schema() -> schemars::Schema {
    json::generator().into_root_schema_for::<AuditHeads>()
}

/// Output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// Text for people on a terminal.
    Text,
    /// JSON for programs; versioned, with a schema.
    Json,
    /// Markdown for a comment on a pull request.
    Markdown,
    /// JUnit XML for test reports of build servers.
    Junit,
    /// SARIF 2.1.0 for code scanning: problems with their positions.
    Sarif,
    /// Workflow commands of GitHub Actions that annotate the lines of the manifests.
    Github,
    /// CSV for spreadsheets (RFC 4180).
    Csv,
    /// HTML page for reviewers; one self-contained file.
    Html,
    /// Metrics of one run, for the text files of a Prometheus agent.
    Prometheus,
}

impl OutputFormat {
    /// All formats, with the words that name them on the command line.
    pub const ALL: [(&'static str, Self); 9] = [
        ("text", Self::Text),
        ("json", Self::Json),
        ("markdown", Self::Markdown),
        ("junit", Self::Junit),
        ("sarif", Self::Sarif),
        ("github", Self::Github),
        ("csv", Self::Csv),
        ("html", Self::Html),
        ("prometheus", Self::Prometheus),
    ];

    /// Returns the language of a format: that of its readers if they are people, and English for
    /// programs.
    pub fn language(self, wanted: Language) -> Language {
        match self {
            Self::Text | Self::Markdown | Self::Html => wanted,
            Self::Json
            | Self::Junit
            | Self::Sarif
            | Self::Github
            | Self::Csv
            | Self::Prometheus => Language::English,
        }
    }
}

/// Options of rendering; they never change the content of a report.
#[derive(Clone, Debug)]
pub struct RenderOptions {
    /// The targets that are listed.
    pub listing: RowFilter,
    /// The rule for the content of cards.
    pub content: DiffDetail,
    /// The grouping of cards with the same layout, in text.
    pub grouping: Grouping,
    /// The language of texts for people.
    pub language: Language,
    /// The maximum size of Markdown in bytes.
    pub markdown_limit: usize,
    /// The size of a page in HTML, in bytes, above which layouts are left out.
    pub html_limit: usize,
    /// The anonymizer of names and texts of people in HTML, if they must not stand there.
    pub sanitizer: Option<Anonymizer>,
    /// The time of the report, for the page in HTML and for metrics.
    pub made: Option<Timestamp>,
    /// A name that tells this report's comment from others on the same page; may be empty.
    pub marker: String,
    /// The requests so far, for metrics.
    pub requests: RequestTotals,
}

/// Maximum size of a comment on GitHub, applied to bytes to be on the safe side of its characters.
pub const MARKDOWN_LIMIT: usize = 65_536;

/// Size of a page in HTML above which layouts are left out: browsers open it at once.
pub const HTML_LIMIT: usize = 16 << 20;

impl Default for RenderOptions {
    fn default() -> Self {
        Self {
            listing: RowFilter::default(),
            content: DiffDetail::default(),
            grouping: Grouping::default(),
            language: Language::default(),
            markdown_limit: MARKDOWN_LIMIT,
            html_limit: HTML_LIMIT,
            sanitizer: None,
            made: None,
            marker: String::new(),
            requests: RequestTotals::default(),
        }
    }
}

impl Report<'_> {
    /// Renders the report in a format, with the line end that its last line needs.
    pub fn render(&self, format: OutputFormat, options: &RenderOptions) -> String {
        i18n::with_language(format.language(options.language), || {
            let model = fill::model(self);
            match format {
                OutputFormat::Text => text::render(&model, options),
                OutputFormat::Json => json::render(&model, options),
                OutputFormat::Markdown => markdown::render(&model, options),
                OutputFormat::Junit => junit::render(&model),
                OutputFormat::Sarif => sarif::render(&model),
                OutputFormat::Github => github::render(&model),
                OutputFormat::Csv => csv::render(&model),
                OutputFormat::Html => html::render(&model, options),
                OutputFormat::Prometheus => metrics::of_run(self, options),
            }
        })
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            Self::ALL.iter().find(|(_, format)| format == self).map_or("", |(word, _)| word),
        )
    }
}

/// Renders a value as JSON with a line end.
pub fn pretty(value: &impl serde::Serialize) -> String {
    // These values have text keys and finite numbers only, which JSON can always hold.
    serde_json::to_string_pretty(value).map(|text| escape::json(&text) + "\n").unwrap_or_default()
}
