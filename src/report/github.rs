//! Workflow commands of GitHub Actions: annotations on the lines of the manifests.

use super::escape::{command_message, command_property};
use super::report_model::{Finding, FindingLevel, ReportModel};

/// Number of annotations of a kind that GitHub shows for one step; the last one counts the rest.
const SHOWN_PER_LEVEL: usize = 10;

/// Renders the report as workflow commands, a line each.
pub(super) fn render(model: &ReportModel<'_>) -> String {
    let findings = model.findings();
    let mut text = String::new();
    for level in [FindingLevel::Error, FindingLevel::Warning, FindingLevel::Note] {
        let of_level: Vec<&Finding> =
            findings.iter().filter(|finding| finding.level == level).collect();
        let room =
            if of_level.len() > SHOWN_PER_LEVEL { SHOWN_PER_LEVEL - 1 } else { SHOWN_PER_LEVEL };
        for finding in of_level.iter().take(room) {
            text.push_str(&command(model, finding));
        }
        if let Some(left @ 1..) = of_level.len().checked_sub(room) {
            let word = model.purpose.as_str();
            text.push_str(&format!("::{} title=recard {word}::and {left} more\n", name(level)));
        }
    }
    text
}

fn command(model: &ReportModel<'_>, finding: &Finding) -> String {
    let title = format!("recard {}: {}", model.purpose.as_str(), finding.rule);
    let mut properties = String::new();
    if let Some(place) = &finding.place {
        let file = place.file.strip_prefix("./").unwrap_or(&place.file);
        properties =
            format!("file={},line={},col={},", command_property(file), place.line, place.column);
    }
    let help = finding.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let message = command_message(&format!("{}{help}", finding.message));
    format!("::{} {properties}title={}::{message}\n", name(finding.level), command_property(&title))
}

fn name(level: FindingLevel) -> &'static str {
    match level {
        FindingLevel::Error => "error",
        FindingLevel::Warning => "warning",
        FindingLevel::Note => "notice",
    }
}
