//! Metrics of single runs, and what `contrib/` makes of metrics: rules of alerts and a dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::env::TestEnv;
use crate::support::tools;
use serde_json::Value;

/// Gives metrics to `promtool check metrics`, which knows their format and their conventions.
pub(super) fn check(metrics: &str) {
    if let Some(checked) = tools::run("promtool", &["check", "metrics"], metrics) {
        assert_eq!((checked.code, &*checked.stderr), (0, ""), "{checked:?}\n{metrics}");
    }
}

fn contrib(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(name)).unwrap()
}

/// Returns the names of recard's metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_name(c)).filter(|word| word.starts_with("recard_")).collect()
}

/// Compares the metrics of a loop with those that the rules and the dashboard name, all of which
/// a loop or a single run must have.
pub(super) fn check_names(of_loop: &str) {
    let env = TestEnv::quickstart();
    let single = ["drift", "--portal", "embedded", "-f", "lead.yaml", "-o", "prometheus"];
    let single = env.run(&single).stdout;
    let known: BTreeSet<&str> = names(of_loop).union(&names(&single)).copied().collect();
    for file in ["prometheus/recard.rules.yml", "grafana/recard.json"] {
        let text = contrib(file);
        let named = names(&text);
        assert!(named.len() > 5, "{file}: {named:?}");
        let unknown: Vec<&&str> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}\n{known:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_output_of_single_runs_has_their_numbers_and_passes_promtool() {
    let env = TestEnv::with_manifest("{ departments: [42] }").await;
    let portal = env.portal();
    let read = |command: &str, more: &[&str]| {
        let arguments = [&[command, "-f", "lead.yaml", "-o", "prometheus=m.prom"], more].concat();
        let ended = env.run(&arguments);
        let text = fs::read_to_string(env.at("m.prom")).unwrap();
        check(&text);
        (ended.code, text)
    };
    let has = |text: &str, line: &str| {
        let line = line.replace("PORTAL", &portal);
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    };
    let (code, text) = read("drift", &[]);
    assert_eq!(code, 2, "{text}");
    has(&text, r#"recard_drift_cards{command="drift",portal="PORTAL",kind="customized"} 3"#);
    has(&text, r#"recard_cards{command="drift",portal="PORTAL",decision="keep"} 7"#);
    has(&text, r#"recard_last_run_failed{command="drift",portal="PORTAL"} 0"#);
    let requests = env.emulator().counters().requests;
    let line = r#"recard_last_run_requests{command="drift",portal="PORTAL",result="answered"}"#;
    has(&text, &format!("{line} {requests}"));
    assert!(!text.contains("_total") && !text.contains("recard_last_run_cards"), "{text}");

    let (code, text) = read("apply", &["--auto-approve"]);
    assert_eq!(code, 0, "{text}");
    has(&text, r#"recard_last_run_cards{command="apply",portal="PORTAL",outcome="done"} 3"#);

    // A failure leaves a file, too, and no numbers of an earlier run in it.
    let failed = env.run(&["plan", "-f", "missing.yaml", "-o", "prometheus=m.prom"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let text = fs::read_to_string(env.at("m.prom")).unwrap();
    has(&text, r#"recard_last_run_failed{command="plan"} 1"#);
    assert!(!text.contains("recard_cards"), "{text}");
}

#[test]
fn alert_rules_pass_promtool() {
    for arguments in [
        ["check", "rules", "contrib/prometheus/recard.rules.yml"],
        ["test", "rules", "contrib/prometheus/recard.rules.test.yml"],
    ] {
        if let Some(checked) = tools::run("promtool", &arguments, "") {
            assert!(checked.code == 0 && checked.stdout.contains("SUCCESS"), "{checked:?}");
        }
    }
}

#[test]
fn dashboard_is_json_with_a_query_in_every_panel() {
    let dashboard: Value = serde_json::from_str(&contrib("grafana/recard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let queries = panel["targets"].as_array().unwrap();
        assert!(queries.iter().all(|query| query["expr"].as_str().is_some()), "{panel}");
        assert!(!queries.is_empty() && ids.insert(panel["id"].as_u64()), "{panel}");
    }
    assert!(panels.len() > 5);
}
