//! Findings of `recard doctor`, as text and as JSON.

use std::fmt;

use anstyle::Style;
use schemars::JsonSchema;
use serde::Serialize;

use crate::i18n::Text;

use super::humanize::wrap;
use super::style::{BAD, FAINT, GOOD, HEADING, WARNING};
use super::subject::warnings as warnings_of;
use super::text::plan::portal;
use super::visible;

/// Width at which lines are cut: the usual width of a terminal.
const WIDTH: usize = 80;

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Verdict")]
pub enum CheckStatus {
    /// The check passed.
    Ok,
    /// It works, with a restriction.
    Warning,
    /// It will not work.
    Failure,
}

/// Check of the doctor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard check")]
pub struct Check {
    /// The subject, as a stable word.
    pub check: &'static str,
    /// The result.
    pub verdict: CheckStatus,
    /// The finding.
    #[schemars(with = "String")]
    pub text: Text,
    /// The remedies, if there is a problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub help: Vec<Text>,
}

impl Check {
    /// Creates a passed check.
    pub fn ok(check: &'static str, text: impl Into<Text>) -> Self {
        Self { check, verdict: CheckStatus::Ok, text: text.into(), help: Vec::new() }
    }

    /// Creates a check with a warning and its remedy.
    pub fn warning(check: &'static str, text: impl Into<Text>, help: impl Into<Text>) -> Self {
        Self { check, verdict: CheckStatus::Warning, text: text.into(), help: vec![help.into()] }
    }

    /// Creates a failed check with its remedy.
    pub fn failure(check: &'static str, text: impl Into<Text>, help: impl Into<Text>) -> Self {
        Self { check, verdict: CheckStatus::Failure, text: text.into(), help: vec![help.into()] }
    }
}

/// All checks of a doctor.
#[derive(Clone, Debug)]
pub struct DoctorReport {
    /// The heading in place of the portal, for checks of something else.
    pub heading: Option<Text>,
    /// The portal.
    pub portal: String,
    /// `true` if the portal says that it is an emulator.
    pub emulator: bool,
    /// The checks, in the order in which they build on each other.
    pub checks: Vec<Check>,
}

impl DoctorReport {
    /// Returns the worst result.
    pub fn verdict(&self) -> CheckStatus {
        self.checks.iter().map(|check| check.verdict).max().unwrap_or(CheckStatus::Ok)
    }

    fn count(&self, verdict: CheckStatus) -> u32 {
        let number = self.checks.iter().filter(|check| check.verdict == verdict).count();
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

impl CheckStatus {
    fn style(self) -> Style {
        match self {
            Self::Ok => GOOD,
            Self::Warning => WARNING,
            Self::Failure => BAD,
        }
    }

    fn label(self) -> Text {
        match self {
            Self::Ok => tr!("ok"),
            Self::Warning => tr!("warn"),
            Self::Failure => tr!("FAIL"),
        }
    }
}

impl fmt::Display for DoctorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = match &self.heading {
            Some(heading) => heading.clone(),
            None => portal(&self.portal, self.emulator),
        };
        writeln!(f, "{HEADING}{heading}{HEADING:#}\n")?;
        let word_width = self
            .checks
            .iter()
            .map(|check| check.verdict.label().chars().count())
            .max()
            .unwrap_or(0)
            .max(4);
        let width = self.checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
        for Check { check, verdict, text, help } in &self.checks {
            let style = verdict.style();
            write!(f, "{style}{:<word_width$}{style:#}  {check:<width$}", verdict.label())?;
            // Behind the result and the name, with two blanks between.
            let margin = width + word_width + 4;
            for (index, line) in wrap(&visible(text), WIDTH - margin).iter().enumerate() {
                writeln!(f, "{:1$}{line}", "", if index == 0 { 2 } else { margin })?;
            }
            for help in help {
                for (index, line) in wrap(&visible(help), WIDTH - margin - 3).iter().enumerate() {
                    let arrow = if index == 0 { "->" } else { "  " };
                    writeln!(f, "{:margin$}{FAINT}{arrow} {line}{FAINT:#}", "")?;
                }
            }
        }
        let (warnings, failures) =
            (self.count(CheckStatus::Warning), self.count(CheckStatus::Failure));
        let style = self.verdict().style();
        let (warnings, failures) =
            (warnings_of(warnings), tr!("{n} failure" | "{n} failures" % failures));
        let sums = tr!(
            "{ok} ok, {warnings}, {failures}.",
            ok = self.count(CheckStatus::Ok),
            warnings,
            failures
        );
        writeln!(f, "\n{style}{sums}{style:#}")
    }
}

/// All checks, as JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard doctor")]
pub struct DoctorJson {
    /// Always `recard.doctor/v1`.
    format: &'static str,
    /// The portal.
    portal: String,
    /// `true` if the portal is an emulator.
    emulator: bool,
    /// The worst result.
    verdict: CheckStatus,
    /// The checks.
    checks: Vec<Check>,
}

/// Returns the JSON Schema of [`DoctorJson`].
pub fn doctor_schema() -> schemars::Schema {
    super::json::generator().into_root_schema_for::<DoctorJson>()
}

impl DoctorJson {
    /// Converts the report to JSON.
    pub fn new(report: &DoctorReport) -> Self {
        let DoctorReport { heading: _, portal, emulator, checks } = report.clone();
        Self { format: "recard.doctor/v1", portal, emulator, verdict: report.verdict(), checks }
    }
}
