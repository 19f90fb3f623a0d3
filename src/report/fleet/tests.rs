use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::i18n::{Language, with_language};
use crate::records::fleet::*;
use crate::report::RenderOptions;

/// Report of so many portals: each hundredth does not answer with a cause of its own, each tenth
/// for the same cause, and each third has changes.
fn report(portals: usize) -> FleetReport {
    let row = |index: usize| {
        let (outcome, cause) = match index {
            _ if index.is_multiple_of(100) => {
                (PortalOutcome::Failed, format!("cause of {index}: {}", "long ".repeat(200)))
            }
            _ if index.is_multiple_of(10) => {
                (PortalOutcome::Failed, "the portal does not accept the webhook".to_owned())
            }
            _ if index.is_multiple_of(3) => (PortalOutcome::Changes, String::new()),
            _ => (PortalOutcome::Unchanged, String::new()),
        };
        let reset = if outcome == PortalOutcome::Changes { index as u32 } else { 0 };
        PortalRow {
            portal: format!("a-customer-with-a-long-name-{index:04}.bitrix24.com"),
            wave: "rest".to_owned(),
            labels: BTreeMap::from([("country".to_owned(), "de".to_owned())]),
            outcome,
            counts: FleetCounts { people: reset, reset, keep: 40, hold: 0 },
            cause,
            shown_cause: String::new(),
            detail: "in full".to_owned(),
            run: None,
            milliseconds: 20,
            revision: None,
            overdue_seconds: None,
            worker: None,
            last: None,
            new: false,
        }
    };
    let mut report = FleetReport {
        format: FLEET_REPORT_FORMAT.to_owned(),
        command: "plan".to_owned(),
        fleet: "customers".to_owned(),
        reason: "Standard lead card".to_owned(),
        made: "2026-11-01T09:02:00Z".parse::<Timestamp>().unwrap(),
        seconds: 12,
        totals: BTreeMap::new(),
        sums: FleetCounts::default(),
        violations: vec![FleetViolation {
            guard: "maxPeople".to_owned(),
            number: 1,
            limit: 0,
            acknowledge: 1,
        }],
        stopped_in: Some("rest".to_owned()),
        rollout: None,
        workers: Vec::new(),
        portals: (0..portals).map(row).collect(),
    };
    report.count();
    report
}

#[test]
fn report_of_any_size_is_bounded_for_people_and_complete_for_programs() {
    for (portals, language) in
        [(3, Language::English), (1_000, Language::English), (5_000, Language::Russian)]
    {
        let report = with_language(language, || report(portals));
        let options = RenderOptions { language, ..RenderOptions::default() };
        let text = report.render(OutputFormat::Text, &options);
        assert!(text.lines().count() <= 60, "{}: {text}", text.lines().count());
        let markdown = report.render(OutputFormat::Markdown, &options);
        assert!(markdown.len() <= 60_000, "{portals}: {}", markdown.len());
        let html = report.render(OutputFormat::Html, &options);
        assert!(html.len() <= 2_000 * portals.max(1_000), "{portals}: {}", html.len());
        assert_eq!(html.matches("data-o=").count(), portals);
        assert_eq!(report.render(OutputFormat::Csv, &options).lines().count(), portals + 1);
        let junit = report.render(OutputFormat::Junit, &options);
        assert_eq!(junit.matches("<testcase").count(), portals);
        let json = report.render(OutputFormat::Json, &options);
        assert_eq!(serde_json::from_str::<FleetReport>(&json).unwrap(), report);
        assert_eq!(report.totals.values().sum::<usize>(), portals, "totals add up");
    }
}

#[test]
fn failures_are_grouped_by_cause_and_the_largest_changes_come_first() {
    let report = report(1_000);
    let text = report.render(OutputFormat::Text, &RenderOptions::default());
    assert!(text.contains("90 failed"), "{text}");
    assert!(text.contains(": the portal does not accept the webhook"), "{text}");
    let changes = text.split("Largest changes").nth(1).unwrap();
    assert!(changes.contains("0999.bitrix24.com") && changes.contains("999 cards"), "{changes}");
    assert!(text.contains("guards: { acknowledge: { people: 1 } }"), "{text}");
    for format in [OutputFormat::Text, OutputFormat::Markdown, OutputFormat::Html] {
        let rendered = report.render(format, &RenderOptions::default());
        assert!(rendered.contains("Stopped in the wave rest"), "{rendered}");
    }
}

fn rollout_in(state: RolloutPhase, report: &FleetReport) -> RolloutReport {
    let wave = |index| WaveReport {
        name: format!("wave {index}"),
        opened: None,
        portals: 100,
        counted: 100,
        done: 0,
        failed: 0,
        people: 0,
    };
    RolloutReport {
        revision: format!("sha256:{}", "0f".repeat(32)),
        previous: None,
        number: 1,
        published: report.made,
        commit: None,
        actor: "anna".to_owned(),
        state,
        since: Some(report.made),
        cause: "Too many calls".to_owned(),
        shown_cause: String::new(),
        waves: (0..9).map(wave).collect(),
    }
}

#[test]
fn fleet_with_a_rollout_that_is_not_complete_is_not_told_to_be_without_changes() {
    for state in [RolloutPhase::Running, RolloutPhase::Halted, RolloutPhase::Complete] {
        let mut report = report(2);
        report.violations.clear();
        report.stopped_in = None;
        report.portals.iter_mut().for_each(|row| row.outcome = PortalOutcome::Unchanged);
        report.portals.iter_mut().for_each(|row| row.counts.reset = 0);
        report.rollout = Some(rollout_in(state, &report));
        report.count();
        let text = report.render(OutputFormat::Text, &RenderOptions::default());
        assert_eq!(text.contains("No changes."), state == RolloutPhase::Complete, "{text}");
    }
}

#[test]
fn fleet_without_a_round_is_not_told_to_be_without_changes() {
    use PortalOutcome::{Applied, AppliedBefore, Unchanged};
    for outcome in PortalOutcome::ALL {
        let is_told = matches!(outcome, Applied | AppliedBefore | Unchanged);
        let mut report = report(3);
        report.violations.clear();
        report.stopped_in = None;
        report.portals.iter_mut().for_each(|row| row.outcome = outcome);
        report.portals.iter_mut().for_each(|row| row.counts.reset = 0);
        report.count();
        let text = report.render(OutputFormat::Text, &RenderOptions::default());
        assert_eq!(text.contains("No changes."), is_told, "{text}");
        report.portals[1].counts.hold = 1;
        report.count();
        let text = report.render(OutputFormat::Text, &RenderOptions::default());
        assert!(!text.contains("No changes."), "a card is held: {text}");
        report.portals[1].counts.hold = 0;
        report.portals[1].overdue_seconds = Some(3600);
        report.count();
        let text = report.render(OutputFormat::Text, &RenderOptions::default());
        assert!(!text.contains("No changes."), "a round is waited for: {text}");
    }
}

#[test]
fn junit_skips_portals_without_a_round_and_passes_none_of_them() {
    use PortalOutcome::{NeverSeen, NotReached, PassedOver, Paused};
    for outcome in PortalOutcome::ALL {
        let mut report = report(1);
        report.portals[0].outcome = outcome;
        report.portals[0].cause = "Being moved".to_owned();
        let junit = report.render(OutputFormat::Junit, &RenderOptions::default());
        let is_skipped = matches!(outcome, NeverSeen | NotReached | PassedOver | Paused);
        assert_eq!(junit.contains("skipped=\"1\""), is_skipped, "{junit}");
        assert_eq!(junit.contains("failures=\"1\""), outcome.is_failure(), "{junit}");
        let is_told = junit.contains("Being moved") && junit.contains(outcome.as_str());
        assert_eq!(is_told, is_skipped || outcome.is_failure(), "{junit}");
    }
}

#[test]
fn paused_portals_of_any_number_are_named_within_the_sizes() {
    for rollout in [false, true] {
        let mut report = report(1_000);
        for (index, row) in report.portals.iter_mut().enumerate() {
            if index.is_multiple_of(7) {
                row.outcome = PortalOutcome::Paused;
                row.cause = format!("Reason {} (paused by anna)", index % 5);
            } else if index.is_multiple_of(2) {
                row.outcome = PortalOutcome::Failed;
                row.cause = format!("cause of {index}");
            }
        }
        report.rollout = rollout.then(|| rollout_in(RolloutPhase::Halted, &report));
        report.count();
        let text = report.render(OutputFormat::Text, &RenderOptions::default());
        assert!(text.lines().count() <= 60, "{}: {text}", text.lines().count());
        let markdown = report.render(OutputFormat::Markdown, &RenderOptions::default());
        assert!(markdown.len() <= 60_000, "{}", markdown.len());
        for text in [&text, &markdown] {
            assert!(text.contains("paused") && text.contains("(paused by anna)"), "{text}");
            assert!(text.contains("Paused portals"), "{text}");
        }
        assert!(text.contains("and 2 more causes"), "{text}");
    }
}

#[test]
fn one_card_of_one_person_is_told_as_one() {
    for command in ["plan", "apply", "status"] {
        let mut report = report(2);
        report.command = command.to_owned();
        report.portals.iter_mut().for_each(|row| row.counts = FleetCounts::default());
        report.portals[1].counts = FleetCounts { people: 1, reset: 1, keep: 0, hold: 0 };
        report.count();
        let text = report.render(OutputFormat::Text, &RenderOptions::default());
        assert_eq!(text.matches("1 card of 1 person").count(), 2, "{text}");
    }
}

#[test]
fn row_is_new_if_outcome_or_cause_differ_from_an_earlier_report() {
    let (mut now, mut earlier) = (report(30), report(30));
    earlier.portals[3].outcome = PortalOutcome::Unchanged;
    earlier.portals[10].cause = "another cause".to_owned();
    earlier.portals.remove(5);
    now.mark_new(&earlier);
    let new: Vec<usize> = (0..30).filter(|index| now.portals[*index].new).collect();
    assert_eq!(new, [3, 5, 10]);
}

#[test]
fn foreign_text_is_no_markup_in_any_format() {
    let mut report = report(1);
    let trap = "<script>alert(1)</script> | @team \u{1b}[31m =cmd()";
    report.fleet = trap.to_owned();
    report.portals[0].cause = trap.to_owned();
    report.portals[0].portal = trap.to_owned();
    for (_, format) in OutputFormat::ALL {
        let text = report.render(format, &RenderOptions::default());
        let text = text.replace(crate::report::html::STYLE, "");
        let is_styled = format == OutputFormat::Text;
        assert!(is_styled || !text.contains('\u{1b}'), "{format}");
        assert!(!text.contains("\u{1b}[31m @"), "{format}");
        if matches!(format, OutputFormat::Html | OutputFormat::Markdown | OutputFormat::Junit) {
            assert!(!text.contains("<script>alert"), "{format}: {text}");
        }
        if format == OutputFormat::Markdown {
            assert!(!text.contains(" @team"), "{text}");
        }
    }
}

#[test]
fn sanitized_page_holds_no_name_and_no_free_text() {
    let sanitizer = Some(crate::records::Anonymizer::new([7; 16]));
    let options = RenderOptions { sanitizer, ..RenderOptions::default() };
    let html = report(20).render(OutputFormat::Html, &options);
    assert_eq!(html.matches("data-o=").count(), 20);
    for text in ["a-customer", "customers", "Standard lead card", "does not accept", "country=de"] {
        assert!(!html.contains(text), "{text}");
    }
}
