//! Laws of reports, for any content of names, titles, reasons and the portal's own messages, and
//! for any size.

use std::collections::BTreeMap;

use super::sample_plans::{identity, planned, planned_of, planned_restore};
use super::*;
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::engine::TargetOutcome;
use crate::i18n::Text;
use crate::model::*;
use crate::plan::{Drift, Plan};

/// All special character sequences at once, in one text.
const TRAP: &str = "::error::x ##[error]y @everyone #1 <img src=x onerror=alert(1)> [z](javascript:z) `c` | \u{1b}[31m\u{9b}2J \u{202e}rtl --> ]]> &amp; {0} % \"q\" =1+1";

fn warning(text: &str) -> Diagnostic {
    let place = SourceLocation { file: "manifests/lead.yaml".into(), line: 3, column: 5 };
    Diagnostic::warning(DiagnosticCode::DuplicateTarget, place, text).help(text)
}

/// Renders each kind of report, and drift, with a text in every place for foreign text.
fn every_report(text: &str, format: OutputFormat, options: &RenderOptions) -> Vec<String> {
    let plan = planned(12, text, text, text);
    let caller = Identity { name: PersonName::new(text, ""), ..identity() };
    let commit = Commit { id: "0".repeat(40), author: text.into(), date: "2026-11-01".into() };
    let commits = BTreeMap::from([("manifests/lead.yaml".to_owned(), commit)]);
    let warnings = [warning(text)];
    let labels = CardLabels::from(FieldLabels::from_fields([("TITLE", Some(text))]));
    let plan_report = PlanReport {
        plan: &plan,
        caller: &caller,
        manifests: vec![("sales", text)],
        commits: &commits,
        cost: Cost { requests: 3, seconds: 2.0, operating_share: 0.12 },
        warnings: &warnings,
        drift: None,
        labels: &labels,
    };
    let place = SourceLocation { file: "manifests/lead.yaml".into(), line: 4, column: 2 };
    let gone = vec![Diagnostic::error(DiagnosticCode::UnknownEmail, place, text)];
    let drift = Drift::from_plan(&plan, gone);
    let drift_report = PlanReport { drift: Some(&drift), ..plan_report.clone() };
    let refused = Outcome::Refused { code: "ACCESS".into(), message: text.to_owned() };
    let outcomes = [Outcome::Reset, refused, Outcome::Unknown(text.to_owned())];
    let settled: Vec<TargetOutcome> = plan
        .targets
        .iter()
        .zip(outcomes.iter().cycle())
        .map(|(target, outcome)| TargetOutcome { key: target.key, outcome: outcome.clone() })
        .collect();
    let run = RunId::new("20261101T090000Z", 7).unwrap();
    let settled_run = ReportedRun {
        run: Some(&run),
        portal: "company.bitrix24.com",
        manifests: vec![("sales", text)],
        targets: &settled,
        stopped: Some(text),
        held: HeldTarget::from_plan(&plan),
        incomplete: Some(Text::from("2 cards were held")),
        plan: Some(&plan),
        names: None,
        header: None,
        labels: None,
    };
    let checked =
        ValidationReport { portal: None, documents: None, diagnostics: &warnings, sources: &[] };
    let chain = [Text::from(text), Text::from(text)];
    let failed = FailureReport { code: 1, chain: &chain, hints: &chain };
    let (restored, planned_restore) = planned_restore(&plan, text);
    let restore = RestoreReport {
        content: &restored,
        layouts: Some(&planned_restore),
        file: Some(RestorePlanUse { id: Digest::hash(b"plan"), used: None }),
        settled: &settled[1..2],
    };
    let subjects = [
        (Purpose::Plan, Subject::Plan(&plan_report)),
        (Purpose::Apply, Subject::Run(&settled_run)),
        (Purpose::Validate, Subject::Validation(&checked)),
        (Purpose::Plan, Subject::Failure(&failed)),
        (Purpose::Drift, Subject::Plan(&drift_report)),
        (Purpose::Restore, Subject::Restore(&restore)),
    ];
    subjects.map(|(purpose, subject)| Report { purpose, subject }.render(format, options)).to_vec()
}

fn in_detail() -> RenderOptions {
    RenderOptions {
        listing: RowFilter::Targets,
        content: DiffDetail::Shown,
        ..RenderOptions::default()
    }
}

#[test]
fn no_format_lets_through_what_a_terminal_or_a_build_server_obeys() {
    for (word, format) in OutputFormat::ALL {
        for (language, text) in [(Language::English, TRAP), (Language::Russian, TRAP)] {
            for shown in every_report(text, format, &RenderOptions { language, ..in_detail() }) {
                // recard's own text has styles; they are the only escape sequences.
                let plain = match format {
                    OutputFormat::Text => anstream::adapter::strip_str(&shown).to_string(),
                    _ => shown.clone(),
                };
                let bad = plain
                    .chars()
                    .find(|c| (c.is_control() && !matches!(c, '\n' | '\r')) || *c == '\u{202e}');
                assert_eq!(bad, None, "{word}: {plain}");
                assert!(
                    !shown.contains("\u{1b}[31m\u{fffd}2J") && !shown.contains("\u{1b}[31m2J"),
                    "{word}: {shown}"
                );
                if !matches!(
                    format,
                    OutputFormat::Json | OutputFormat::Sarif | OutputFormat::Github
                ) {
                    assert!(!plain.contains("##["), "{word}: {plain}");
                    let injected = plain.lines().find(|line| line.trim_start().starts_with("::"));
                    assert_eq!(injected, None, "{word}");
                }
            }
        }
    }
}

#[test]
fn every_workflow_command_is_one_of_ours() {
    for shown in every_report(TRAP, OutputFormat::Github, &in_detail()) {
        for line in shown.lines() {
            let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
            let (name, properties) = head.split_once(' ').unwrap();
            assert!(["error", "warning", "notice"].contains(&name), "{line}");
            let keys: Vec<&str> =
                properties.split(',').map(|property| property.split_once('=').unwrap().0).collect();
            assert!(keys == ["title"] || keys == ["file", "line", "col", "title"], "{line}");
            assert!(!message.is_empty() && !message.contains('\r'), "{line}");
        }
    }
}

#[test]
fn markdown_holds_no_markup_but_ours() {
    for shown in every_report(TRAP, OutputFormat::Markdown, &in_detail()) {
        let (marker, body) = shown.split_once('\n').unwrap();
        assert!(marker.starts_with("<!-- recard:") && marker.ends_with(" -->"), "{marker}");
        let body = &without_diffs(body);
        for trap in ["@everyone", "<img", "](", "`c`", "-->", "]]>", "onerror=", "#1 "] {
            assert!(!body.contains(trap), "{trap}: {body}");
        }
        // Every row of a table has as many cells as its heading.
        let mut cells = 0;
        for line in body.lines() {
            let here = line.matches('|').count();
            if line.starts_with("|--") {
                cells = here;
            } else if line.starts_with('|') && cells > 0 {
                assert_eq!(here, cells, "{line}");
            } else {
                cells = 0;
            }
        }
    }
}

/// Returns a document without its blocks of diffs, in which nothing is markup but the line that
/// ends them.
fn without_diffs(text: &str) -> String {
    let mut parts = text.split("\n```diff\n");
    let mut rest = parts.next().unwrap().to_owned();
    for part in parts {
        let (diff, after) = part.split_once("\n```\n").unwrap();
        let is_ours = |line: &str| line.starts_with(['-', '+', ' ']) || line.starts_with("@@ ");
        assert!(diff.lines().all(is_ours), "{diff}");
        rest.push_str(after);
    }
    rest
}

#[test]
fn xml_json_and_tables_can_be_read_back() {
    for shown in every_report(TRAP, OutputFormat::Junit, &in_detail()) {
        let document = roxmltree::Document::parse(&shown).unwrap();
        let root = document.root_element();
        let count = |name: &str| {
            root.descendants().filter(|node| node.has_tag_name(name)).count().to_string()
        };
        assert_eq!(root.attribute("tests"), Some(count("testcase").as_str()));
        assert_eq!(root.attribute("failures"), Some(count("failure").as_str()));
        assert_eq!(root.attribute("errors"), Some(count("error").as_str()));
        assert_eq!(root.attribute("skipped"), Some(count("skipped").as_str()));
    }
    for format in [OutputFormat::Json, OutputFormat::Sarif] {
        for shown in every_report(TRAP, format, &in_detail()) {
            let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert!(value.is_object());
        }
    }
    for shown in every_report(TRAP, OutputFormat::Csv, &in_detail()) {
        let rows = csv_rows(&shown);
        let width = rows[0].len();
        assert!(rows.len() > 1 && rows.iter().all(|row| row.len() == width), "{shown}");
        for field in rows.iter().flatten() {
            assert!(!field.starts_with(['=', '+', '-', '@']), "{field}");
        }
    }
}

/// Renders a plan of one manifest without labels.
fn render_plan(plan: &Plan, format: OutputFormat, options: &RenderOptions) -> String {
    let report = PlanReport {
        plan,
        caller: &identity(),
        manifests: vec![("sales", "New lead form")],
        commits: &BTreeMap::new(),
        cost: Cost { requests: 313, seconds: 156.0, operating_share: 0.1 },
        warnings: &[],
        drift: None,
        labels: &CardLabels::default(),
    };
    Report { purpose: Purpose::Plan, subject: Subject::Plan(&report) }.render(format, options)
}

/// Reads a table, whose lines end as RFC 4180 says.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    assert!(text.ends_with("\"\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']));
    let mut form = ::csv::ReaderBuilder::new();
    let mut reader = form.has_headers(false).flexible(true).from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.unwrap()).collect()
}

#[test]
fn plan_of_three_thousand_resets_with_four_layouts_is_four_groups_in_every_format() {
    let plan = planned_of(3_333, "Anna", &["One", "Two", "Three", "Four"], "New lead form");
    assert_eq!(plan.resets().count(), 3_000);
    let shown = |format| render_plan(&plan, format, &RenderOptions::default());
    let text = anstream::adapter::strip_str(&shown(OutputFormat::Text)).to_string();
    let groups: Vec<&str> = text.lines().filter(|line| line.starts_with("reset")).collect();
    assert_eq!(groups.len(), 4, "{groups:?}");
    assert!(text.contains("layout \"Three\" (1 section, 2 fields)"));
    let markdown = shown(OutputFormat::Markdown);
    assert!(markdown.len() <= MARKDOWN_LIMIT);
    assert_eq!(markdown.matches("| layout \"").count(), 4);
    assert_eq!(markdown.matches("```diff\n").count(), 4);
    let json: serde_json::Value = serde_json::from_str(&shown(OutputFormat::Json)).unwrap();
    assert_eq!(json["groups"].as_array().unwrap().len(), 4);
    // The page holds each text once, and rows that name it by its number.
    let html = shown(OutputFormat::Html);
    for title in ["One", "Two", "Three", "Four"] {
        assert_eq!(html.matches(&format!("\"{title}\"")).count(), 1, "{title}");
    }
    let csv = csv_rows(&shown(OutputFormat::Csv));
    assert!(csv[0].ends_with(&["vanishing".to_owned(), "appearing".to_owned()]), "{:?}", csv[0]);
}

#[test]
fn held_cards_of_one_kind_and_reason_are_folded_unless_each_card_is_asked_for() {
    let plan = planned(100, "Anna", "Start here", "New lead form");
    assert_eq!(plan.counts().hold, 10);
    let held = |text: &str| text.lines().filter(|line| line.contains("hold ")).count();
    let shown = |grouping| {
        let options = RenderOptions { grouping, ..RenderOptions::default() };
        let text = render_plan(&plan, OutputFormat::Text, &options);
        anstream::adapter::strip_str(&text).to_string()
    };
    let text = shown(Grouping::Layout);
    assert!(held(&text) == 2 && text.contains("and 8 more cards of lead/simple"), "{text}");
    assert_eq!(held(&shown(Grouping::None)), 10);
    let comment = render_plan(&plan, OutputFormat::Markdown, &in_detail());
    assert!(comment.contains("| and 8 more | |"), "{comment}");
    let few = planned(50, "Anna", "Start here", "New lead form");
    let few = render_plan(&few, OutputFormat::Text, &RenderOptions::default());
    assert_eq!(held(&anstream::adapter::strip_str(&few).to_string()), 5);
}

#[test]
fn markdown_of_five_thousand_changes_fits_with_totals_and_guards_first() {
    let plan = planned(5_555, "Anna Каренина-Облонская", "Start here", "New lead form");
    assert_eq!(plan.resets().count(), 5_000);
    let text = render_plan(&plan, OutputFormat::Markdown, &in_detail());
    assert!(text.len() <= MARKDOWN_LIMIT, "{}", text.len());
    assert!(text.len() > MARKDOWN_LIMIT / 2, "much more would have fitted: {}", text.len());
    // First the sum, then the guards that block it, then targets that need attention, then the
    // changes.
    let places = [
        "5000 cards to reset",
        "Apply will refuse this plan",
        "4999 people would lose a card",
        "the common card for simple leads would be lost",
        "acknowledge: { users: 4999, common: [simple] }",
        "#### Held: 556",
        "#### To reset: 5000",
        "| everybody in the common view<br>",
        "and 4994 more |",
        "layout \"Start here\" (1 section, 2 fields)",
        "```diff\n",
        "@@ now @@\n [Start here]\n",
        "5000 cards, with their lines of the manifests",
        "`common/lead/simple`",
        "`personal/2/lead/simple`",
        "more; `--output json=FILE` or `csv=FILE` has all of them.\n\n</details>\n\nApply takes",
    ];
    let found: Vec<usize> =
        places.iter().map(|place| text.find(place).unwrap_or_else(|| panic!("{place}"))).collect();
    assert!(found.is_sorted(), "{found:?}");

    // Less room gives less detail, and never an error; at the end the counts are left.
    let mut before = usize::MAX;
    for limit in [65_536, 30_000, 10_000, 5_000, 3_000, 2_000, 1_000] {
        let text = render_plan(
            &plan,
            OutputFormat::Markdown,
            &RenderOptions { markdown_limit: limit, ..in_detail() },
        );
        assert!(text.len() <= limit && text.len() <= before, "{limit}: {}", text.len());
        assert!(
            text.starts_with("<!-- recard:plan -->\n") && text.contains("5000 cards to reset"),
            "{text}"
        );
        before = text.len();
    }
    let counts = render_plan(
        &plan,
        OutputFormat::Markdown,
        &RenderOptions { markdown_limit: 2_500, ..in_detail() },
    );
    assert!(
        counts.contains("4999 cards") && counts.contains("department 41 and below"),
        "{counts}"
    );
}

#[test]
fn guard_breaches_stand_at_the_lines_that_bring_them_about() {
    let shown = every_report("x", OutputFormat::Sarif, &RenderOptions::default());
    let value: serde_json::Value = serde_json::from_str(&shown[0]).unwrap();
    let result = &value["runs"][0]["results"][0];
    assert_eq!(
        (result["ruleId"].as_str(), result["level"].as_str()),
        (Some("common-card"), Some("error"))
    );
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "manifests/lead.yaml");
    assert_eq!(place["region"]["startLine"], 20);
}

#[test]
fn machine_formats_are_the_same_in_every_language() {
    for format in [
        OutputFormat::Json,
        OutputFormat::Sarif,
        OutputFormat::Junit,
        OutputFormat::Csv,
        OutputFormat::Github,
    ] {
        let english = every_report("x", format, &RenderOptions::default());
        let russian = every_report(
            "x",
            format,
            &RenderOptions { language: Language::Russian, ..RenderOptions::default() },
        );
        assert_eq!(english, russian, "{format}");
    }
}

#[test]
fn run_that_ends_with_3_is_no_success_in_any_format() {
    let plan = planned(3, "a", "b", "c");
    let run = RunId::new("20261101T090000Z", 7).unwrap();
    let outcomes = |last: Outcome| -> Vec<TargetOutcome> {
        let keys = plan.targets.iter().map(|target| target.key).take(2);
        let outcomes = [Outcome::Reset, last];
        keys.zip(outcomes).map(|(key, outcome)| TargetOutcome { key, outcome }).collect()
    };
    let (good, changed) = (outcomes(Outcome::AlreadyDefault), outcomes(Outcome::Changed));
    let rendered = |targets, held: &[HeldTarget], incomplete: Option<&str>, format| {
        let run = ReportedRun {
            run: Some(&run),
            targets,
            held: held.to_vec(),
            incomplete: incomplete.map(Text::from),
            ..ReportedRun::not_begun("company.bitrix24.com")
        };
        Report { purpose: Purpose::Apply, subject: Subject::Run(&run) }
            .render(format, &RenderOptions::default())
    };
    let held =
        HeldTarget { key: plan.targets[2].key, reason: "not-seen", text: "was not read".into() };
    let held = [held];
    for (targets, held, incomplete, is_good, cards) in [
        (&good, &[][..], None, true, "1 of 2 cards"),
        (&changed, &[][..], None, false, "1 of 2 cards"),
        (&good, &held[..], None, false, "1 of 3 cards"),
        (&good, &[][..], Some("two cards were held"), false, "1 of 2 cards"),
    ] {
        let shown = |format| rendered(targets, held, incomplete, format);
        let (markdown, html) = (shown(OutputFormat::Markdown), shown(OutputFormat::Html));
        assert_eq!((markdown.contains('✅'), markdown.contains("⚠️")), (is_good, !is_good));
        let tone = if is_good { "banner green" } else { "banner amber" };
        assert!(html.contains(tone), "{html}");
        for text in [&markdown, &html, &shown(OutputFormat::Text)] {
            assert!(text.contains(cards), "{cards}: {text}");
            assert!(incomplete.is_none_or(|told| text.contains(told)), "{text}");
        }
        let Some(told) = incomplete else { continue };
        for format in [OutputFormat::Json, OutputFormat::Junit, OutputFormat::Sarif] {
            assert!(shown(format).contains(told), "{format:?}");
        }
        assert!(shown(OutputFormat::Junit).contains("failures=\"1\""));
    }
}
