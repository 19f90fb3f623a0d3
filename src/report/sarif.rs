//! SARIF 2.1.0: problems with their positions, for code scanning.

use serde_json::{Value, json};

use super::report_model::{Finding, FindingLevel, ReportModel};

/// Renders the report in SARIF. What is merely going to happen is no problem, and is left out.
pub(super) fn render(model: &ReportModel<'_>) -> String {
    let findings: Vec<Finding> = model
        .findings()
        .into_iter()
        .filter(|finding| finding.level != FindingLevel::Note)
        .collect();
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let rules: Vec<Value> = rules.into_iter().map(|rule| json!({"id": rule})).collect();
    let mut run = json!({
        "tool": {"driver": {"name": "recard", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
        "automationDetails": {"id": format!("recard/{}/", model.purpose.as_str())},
        "columnKind": "unicodeCodePoints",
        "results": findings.iter().map(result).collect::<Vec<_>>(),
    });
    if let (Some(fingerprint), Some(fields)) = (model.fingerprint, run.as_object_mut()) {
        fields
            .insert("properties".to_owned(), json!({"driftFingerprint": fingerprint.to_string()}));
    }
    super::pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }))
}

fn result(finding: &Finding) -> Value {
    let level = match finding.level {
        FindingLevel::Error => "error",
        FindingLevel::Warning => "warning",
        FindingLevel::Note => "note",
    };
    // A help of several lines is YAML, whose braces only the other formats can show.
    let help = finding
        .help
        .iter()
        .filter(|help| !help.contains('\n'))
        .map(|help| format!(". Help: {help}"));
    let text = finding.message.clone() + &help.collect::<String>();
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level,
        // In messages braces mean placeholders, and brackets mean links.
        "message": {"text": escaped(&text)},
    });
    if let (Some(place), Some(fields)) = (&finding.place, result.as_object_mut()) {
        let location = json!({
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&place.file)},
                "region": {"startLine": place.line.max(1), "startColumn": place.column.max(1)},
            },
        });
        fields.insert("locations".to_owned(), json!([location]));
    }
    result
}

/// Escapes a message: SARIF doubles braces and puts a backslash before brackets.
fn escaped(text: &str) -> String {
    text.replace('{', "{{")
        .replace('}', "}}")
        .replace('\\', "\\\\")
        .replace('[', "\\[")
        .replace(']', "\\]")
}

/// Returns a file's name as a relative reference, or as a `file` URL if it is absolute.
fn uri(file: &str) -> String {
    let slashed = file.replace('\\', "/");
    let path = slashed.strip_prefix("./").unwrap_or(&slashed);
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sarif_file_name_is_a_uri() {
        assert_eq!(uri("./manifests/a b.yaml"), "manifests/a%20b.yaml");
        assert_eq!(uri("/srv/люди.yaml"), "file:///srv/%D0%BB%D1%8E%D0%B4%D0%B8.yaml");
    }

    #[test]
    fn sarif_message_has_no_links_and_no_placeholders() {
        assert_eq!(escaped("{0} [x](y)"), "{{0}} \\[x\\](y)");
    }
}
