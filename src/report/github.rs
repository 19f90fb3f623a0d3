//! Workflow commands of GitHub Actions: annotations on the lines of the manifests.

use super::Report;
use super::annotation::{Annotation, AnnotationLevel, annotations};
use super::escape::{command_message, command_property};

/// Number of annotations of a kind that GitHub shows for one step; the last one counts the rest.
const SHOWN_PER_LEVEL: usize = 10;

/// Renders the report as workflow commands, a line each.
pub(super) fn render(report: &Report<'_>) -> String {
    let annotations = annotations(report);
    let mut text = String::new();
    for level in [AnnotationLevel::Error, AnnotationLevel::Warning, AnnotationLevel::Note] {
        let of_level: Vec<&Annotation> =
            annotations.iter().filter(|annotation| annotation.level == level).collect();
        let room =
            if of_level.len() > SHOWN_PER_LEVEL { SHOWN_PER_LEVEL - 1 } else { SHOWN_PER_LEVEL };
        for annotation in of_level.iter().take(room) {
            text.push_str(&command(report, annotation));
        }
        if let Some(left @ 1..) = of_level.len().checked_sub(room) {
            let word = report.purpose.as_str();
            text.push_str(&format!("::{} title=recard {word}::and {left} more\n", name(level)));
        }
    }
    text
}

fn command(report: &Report<'_>, annotation: &Annotation) -> String {
    let title = format!("recard {}: {}", report.purpose.as_str(), annotation.rule);
    let mut properties = String::new();
    if let Some(place) = &annotation.place {
        let file = place.file.strip_prefix("./").unwrap_or(&place.file);
        properties =
            format!("file={},line={},col={},", command_property(file), place.line, place.column);
    }
    let help = annotation.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let message = command_message(&format!("{}{help}", annotation.message));
    format!(
        "::{} {properties}title={}::{message}\n",
        name(annotation.level),
        command_property(&title)
    )
}

fn name(level: AnnotationLevel) -> &'static str {
    match level {
        AnnotationLevel::Error => "error",
        AnnotationLevel::Warning => "warning",
        AnnotationLevel::Note => "notice",
    }
}
