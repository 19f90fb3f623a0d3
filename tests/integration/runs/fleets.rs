//! `recard fleet` over emulated portals: plans, applies by wave, isolation, guards and reports.

use std::num::NonZeroU32;

use recard::emulator::{CardRow, Emulator, EmulatorOptions, Portal};
use serde_json::{Value, json};

use crate::support::env::{CommandOutput, TestEnv};

pub(super) const CARD: &str = "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: card, reason: test }\nspec:\n  \
                    personal: [{ users: { value: people }, leadCustomerTypes: [simple] }]\n";

/// Fleet of emulated portals, each with its secret.
pub(super) struct Fleet {
    pub(super) emulator: Emulator,
    pub(super) env: TestEnv,
}

impl Fleet {
    pub(super) async fn start(portals: u32) -> Self {
        let number = NonZeroU32::new(portals);
        let options = EmulatorOptions { portals: number, ..EmulatorOptions::default() };
        let emulator = Emulator::start_with(options).await.unwrap();
        let fleet = Self { emulator, env: TestEnv::new() };
        fleet.env.file("card.yaml", CARD);
        std::fs::create_dir(fleet.env.at("secrets")).unwrap();
        for portal in fleet.emulator.portals() {
            fleet.env.file(&fleet.secret(portal), &portal.webhook_url(1).unwrap());
        }
        fleet.declare("");
        fleet
    }

    pub(super) fn secret(&self, portal: &Portal) -> String {
        format!("secrets/{}", portal.host().replace(':', "_"))
    }

    pub(super) fn portal(&self, number: usize) -> &Portal {
        &self.emulator.portals()[number - 1]
    }

    /// Writes the fleet, with more lines of its spec. The first portal has the label
    /// `ring: canary`.
    pub(super) fn declare(&self, more: &str) {
        let mut text = "apiVersion: recard/v1\nkind: Fleet\nmetadata: { name: test, reason: Test }\nspec:\n  \
                        defaults: { manifests: [card.yaml], webhook: { file: \"{portal}\" } }\n  portals:\n"
            .to_owned();
        for (index, portal) in self.emulator.portals().iter().enumerate() {
            let ring = if index == 0 { "canary" } else { "rest" };
            text.push_str(&format!(
                "    - portal: \"{}\"\n      labels: {{ ring: {ring} }}\n      values: {{ people: {{ ids: [8, 12] }} }}\n",
                portal.host()
            ));
        }
        self.env.file("fleet.yaml", &format!("{text}{more}"));
    }

    /// Runs a command over the fleet; its report is in `report.json`.
    pub(super) fn run(&self, command: &str, more: &[&str]) -> (CommandOutput, Value) {
        let mut arguments =
            vec!["fleet", command, "--rate", "unlimited", "-o", "text", "-o", "json=report.json"];
        if command != "status" {
            arguments.extend(["--secrets", "secrets"]);
        }
        arguments.extend(more);
        let _ = std::fs::remove_file(self.env.at("report.json"));
        let done = self.env.run(&arguments);
        let report = std::fs::read(self.env.at("report.json")).unwrap_or_default();
        (done, serde_json::from_slice(&report).unwrap_or_default())
    }

    /// Returns the number of removed rows of each portal. Requires that there are no complaints.
    pub(super) fn removed(&self) -> Vec<u64> {
        let portals = self.emulator.portals().iter();
        portals
            .map(|portal| {
                assert!(portal.complaints().is_empty(), "{:?}", portal.complaints());
                portal.counters().rows_removed
            })
            .collect()
    }
}

pub(super) fn outcomes(report: &Value) -> Vec<&str> {
    let portals = report["portals"].as_array().unwrap_or_else(|| panic!("{report}")).iter();
    portals.map(|row| row["outcome"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_is_planned_applied_and_found_unchanged() {
    let fleet = Fleet::start(3).await;
    let (plan, report) = fleet.run("plan", &["--detailed-exitcode"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    assert_eq!(outcomes(&report), ["changes"; 3]);
    assert_eq!(report["totals"], json!({ "changes": 3 }));
    assert_eq!(report["sums"]["reset"], 6);
    assert!(plan.stdout.contains("Fleet test: 3 portals"), "{}", plan.stdout);
    assert_eq!(fleet.run("drift", &[]).0.code, 2);
    assert_eq!(fleet.removed(), [0, 0, 0], "plan and drift read only");

    // Without a terminal and without approval, nothing is written.
    let (refused, _) = fleet.run("apply", &[]);
    assert_eq!((refused.code, fleet.removed()), (4, vec![0; 3]), "{refused:?}");
    let (applied, report) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (0, vec![2; 3]), "{applied:?}");
    assert_eq!(outcomes(&report), ["applied"; 3]);
    let (status, left) = fleet.run("status", &[]);
    assert_eq!((status.code, outcomes(&left)), (0, vec!["applied"; 3]), "{status:?}");
    assert_eq!(left["sums"]["reset"], 0, "what was done is not left to be done");
    assert_eq!(left["sums"]["keep"], 6, "it is as it should be");
    assert_eq!((&report["sums"]["reset"], &report["sums"]["people"]), (&json!(6), &json!(6)));

    let (again, report) = fleet.run("plan", &["--detailed-exitcode"]);
    assert_eq!((again.code, outcomes(&report)), (0, vec!["unchanged"; 3]), "{again:?}");
    assert!(again.stdout.contains("No changes."), "{}", again.stdout);
    let (status, report) = fleet.run("status", &[]);
    assert_eq!((status.code, outcomes(&report)), (0, vec!["unchanged"; 3]), "{status:?}");
    assert_eq!(report["portals"][0]["last"]["command"], "plan");
    // Each run is one of its portal, with its own way back.
    let portal = fleet.portal(2);
    let restore =
        ["restore", "last", "--all", "--yes", "--rate", "unlimited", "--portal", portal.host()];
    let secret = fleet.secret(portal);
    let back = fleet.env.run(&[&restore[..], &["--webhook-url-file", &secret]].concat());
    assert_eq!(back.code, 0, "{back:?}");
    let (drift, report) = fleet.run("drift", &["-l", "ring=rest"]);
    assert_eq!((drift.code, outcomes(&report)), (2, vec!["drifted", "unchanged"]), "{drift:?}");
    let (none, _) = fleet.run("plan", &["-l", "ring=none"]);
    assert_eq!(none.code, 1, "an empty selection is an error: {none:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_portal_that_hangs_refuses_is_locked_or_broken_affects_its_own_row_alone() {
    let fleet = Fleet::start(8).await;
    fleet.portal(2).set_faults(&json!([{"do": "slow", "ms": 60_000}])).unwrap();
    fleet.portal(3).set_faults(&json!([{"do": "expire-webhook"}])).unwrap();
    std::fs::remove_file(fleet.env.at(fleet.secret(fleet.portal(4)))).unwrap();
    // The webhook of another portal.
    let foreign = fleet.portal(1).webhook_url(1).unwrap();
    fleet.env.file(&fleet.secret(fleet.portal(5)), &foreign);
    let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    let entry = |number: usize| {
        let from = format!(
            "    - portal: \"{}\"\n      labels: {{ ring: rest }}\n      values: {{ people: {{ ids: [8, 12] }} }}\n",
            fleet.portal(number).host()
        );
        assert!(text.contains(&from), "{text}");
        from
    };
    let text = text
        .replace(&entry(6), &entry(6).replace("people:", "peple:"))
        .replace(&entry(7), &format!("{}      pause: {{ reason: Being moved }}\n", entry(7)));
    fleet.env.file("fleet.yaml", &text);

    let started = std::time::Instant::now();
    let (plan, report) = fleet.run("plan", &["--portal-deadline", "3s"]);
    assert!(started.elapsed().as_secs() < 40, "{:?}", started.elapsed());
    assert_eq!(plan.code, 3, "never 0 with a portal that failed: {plan:?}");
    let expected =
        ["changes", "failed", "failed", "failed", "failed", "failed", "paused", "changes"];
    assert_eq!(outcomes(&report), expected);
    let cause = |number: usize| report["portals"][number - 1]["cause"].as_str().unwrap().to_owned();
    for (number, part) in [
        (2, "--portal-deadline"),
        (3, "does not accept the webhook"),
        (4, "cannot read the webhook from secrets/(portal): "),
        (5, "nothing was sent"),
        (6, "manifests have problems"),
        (7, "Being moved"),
    ] {
        assert!(cause(number).contains(part), "{number}: {}", cause(number));
        let other = fleet.portal(number).counters().requests;
        assert_eq!(other > 0, number <= 3, "{number}: {other} requests");
    }
    assert_eq!(fleet.run("validate", &[]).0.code, 64, "validate has no secrets");
    let validate = fleet.env.run(&["fleet", "validate"]);
    assert_eq!(validate.code, 1, "{validate:?}");
    assert!(validate.stderr.contains("RC0207"), "{}", validate.stderr);
    // No report shows a secret.
    let all = format!("{}{}{report}", plan.stdout, plan.stderr);
    assert!(!all.contains("emulator00000001p"), "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_guard_refuses_the_run_before_any_write_and_is_lifted_by_numbers_alone() {
    let fleet = Fleet::start(3).await;
    fleet.declare("  guards: { maxPortals: 2, maxPeople: 5 }\n");
    let (plan, report) = fleet.run("plan", &[]);
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(plan.stdout.contains("acknowledge: { portals: 3, people: 6 }"), "{}", plan.stdout);
    assert_eq!(report["violations"].as_array().unwrap().len(), 2);
    assert_eq!(fleet.run("plan", &["--detailed-exitcode"]).0.code, 4);
    assert_eq!(fleet.run("plan", &["--out", "fleet.json"]).0.code, 4);
    for arguments in [&["--auto-approve"][..], &["fleet.json"]] {
        let (applied, _) = fleet.run("apply", arguments);
        assert_eq!((applied.code, fleet.removed()), (4, vec![0; 3]), "{applied:?}");
    }
    fleet.declare(
        "  guards: { maxPortals: 2, maxPeople: 5, acknowledge: { portals: 3, people: 5 } }\n",
    );
    let (applied, _) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (4, vec![0; 3]), "{applied:?}");
    fleet.declare(
        "  guards: { maxPortals: 2, maxPeople: 5, acknowledge: { portals: 3, people: 6 } }\n",
    );
    let (applied, _) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (0, vec![2; 3]), "{applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_that_lost_more_than_a_fifth_of_its_portals_is_refused_until_that_is_acknowledged() {
    let fleet = Fleet::start(4).await;
    fleet.run("plan", &[]);
    let whole = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    let (head, entries) = whole.split_once("  portals:\n").unwrap();
    let third: Vec<&str> = entries.split_inclusive("[8, 12] } }\n").take(2).collect();
    let smaller = format!("{head}  portals:\n{}", third.concat());
    fleet.env.file("fleet.yaml", &smaller);
    let (plan, report) = fleet.run("plan", &["--detailed-exitcode"]);
    assert_eq!(plan.code, 4, "{plan:?}");
    assert!(plan.stdout.contains("2 portals are gone from the fleet"), "{}", plan.stdout);
    assert!(plan.stdout.contains("acknowledge: { fleet: 2 }"), "{}", plan.stdout);
    assert_eq!(report["violations"][0]["guard"], "lostPortals");
    for acknowledged in ["", "  guards: { acknowledge: { fleet: 4, portals: 2, people: 4 } }\n"] {
        fleet.env.file("fleet.yaml", &format!("{smaller}{acknowledged}"));
        let (applied, _) = fleet.run("apply", &["--auto-approve"]);
        assert_eq!((applied.code, fleet.removed()), (4, vec![0; 4]), "{applied:?}");
    }
    // A selection is no loss, and drift only reads.
    assert_eq!(fleet.run("drift", &[]).0.code, 2);
    fleet
        .env
        .file("fleet.yaml", &format!("{smaller}  guards: {{ acknowledge: {{ fleet: 2 }} }}\n"));
    let (applied, _) = fleet.run("apply", &["--auto-approve", "-l", "ring=canary"]);
    assert_eq!((applied.code, fleet.removed()), (0, vec![2, 0, 0, 0]), "{applied:?}");
    // From then on the fleet has two portals, and the acknowledgement is not needed any more.
    fleet.env.file("fleet.yaml", &smaller);
    let (applied, _) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (0, vec![2, 2, 0, 0]), "{applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_total_rate_caps_the_requests_to_all_portals_together() {
    let fleet = Fleet::start(4).await;
    let started = std::time::Instant::now();
    let (plan, _) = fleet.run("plan", &["--total-rate", "8"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let requests: u64 = fleet.emulator.portals().iter().map(|one| one.counters().requests).sum();
    // The first request waits for none; a cap is no measure of performance.
    let least = std::time::Duration::from_secs_f64((requests - 1) as f64 / 8.0);
    assert!(requests >= 8 && started.elapsed() >= least, "{requests} in {:?}", started.elapsed());
    assert_eq!(fleet.run("plan", &["--total-rate", "0"]).0.code, 64);
}

const WAVES: &str = "  waves: [{ name: canary, select: { ring: canary } }, { name: rest }]\n  stop: { failed: 0 }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_apply_stops_before_the_next_wave_once_too_many_portals_failed() {
    let fleet = Fleet::start(4).await;
    fleet.declare(WAVES);
    let reset = "crm.lead.details.configuration.reset";
    fleet.portal(1).set_faults(&json!([{"method": reset, "do": "fail-command"}])).unwrap();
    let (applied, report) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (3, vec![0; 4]), "{applied:?}");
    assert_eq!(outcomes(&report), ["partial", "not-reached", "not-reached", "not-reached"]);
    assert_eq!(report["stoppedIn"], "canary");

    // With the canary well again, a wave can be applied alone, and then the rest.
    fleet.portal(1).set_faults(&json!([])).unwrap();
    let (applied, report) = fleet.run("apply", &["--auto-approve", "--wave", "canary"]);
    assert_eq!((applied.code, fleet.removed()), (0, vec![2, 0, 0, 0]), "{applied:?}");
    assert_eq!(outcomes(&report), ["applied"]);
    let (applied, _) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (0, vec![2; 4]), "{applied:?}");
    assert_eq!(fleet.run("apply", &["--auto-approve", "--wave", "canari"]).0.code, 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_apply_goes_on_past_a_portal_that_is_offline_but_not_past_a_wave_of_such() {
    let fleet = Fleet::start(3).await;
    fleet.declare(WAVES);
    fleet.portal(2).set_faults(&json!([{ "do": "cut-before" }])).unwrap();
    let (applied, report) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (3, vec![2, 0, 2]), "{applied:?}");
    assert_eq!(outcomes(&report), ["applied", "unreachable", "applied"]);
    assert_eq!(report["stoppedIn"], Value::Null);
    // A canary that was not reached proves nothing.
    fleet.portal(1).set_faults(&json!([{ "do": "cut-before" }])).unwrap();
    fleet.portal(2).set_faults(&json!([])).unwrap();
    let (applied, report) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (3, vec![2, 0, 2]), "{applied:?}");
    assert_eq!(outcomes(&report), ["unreachable", "not-reached", "unchanged"]);
    assert_eq!(report["stoppedIn"], "canary");
    assert!(applied.stdout.contains("or none was reached"), "{}", applied.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_plan_file_uses_each_plan_once_and_continues_where_an_apply_stopped() {
    let fleet = Fleet::start(3).await;
    fleet.declare(WAVES);
    let (plan, _) = fleet.run("plan", &["--out", "fleet.json"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let file = std::fs::read_to_string(fleet.env.at("fleet.json")).unwrap();
    assert!(!file.contains("emulator00000001p"), "the file holds no secret");
    let (applied, report) = fleet.run("apply", &["fleet.json", "--wave", "canary"]);
    assert_eq!((applied.code, fleet.removed()), (0, vec![2, 0, 0]), "{applied:?}");
    assert_eq!(outcomes(&report), ["applied", "not-reached", "not-reached"]);
    // A card that changed since its review is left alone.
    let changed = fleet.portal(2);
    let sections = json!([{"name": "main", "type": "section", "title": "New", "elements": [{"name": "TITLE"}]}]);
    changed.put_row(CardRow::personal(8, "lead_details", &sections));
    let (applied, report) = fleet.run("apply", &["fleet.json"]);
    assert_eq!((applied.code, fleet.removed()), (3, vec![2, 1, 2]), "{applied:?}");
    assert_eq!(outcomes(&report), ["applied-before", "partial", "applied"]);
    let (again, report) = fleet.run("apply", &["fleet.json"]);
    assert_eq!((again.code, fleet.removed()), (3, vec![2, 1, 2]), "{again:?}");
    assert_eq!(outcomes(&report), ["applied-before", "partial", "applied-before"]);
    // A file that was changed is refused as a whole.
    fleet.env.file("fleet.json", &file.replace("p0002", "p0003"));
    assert_eq!(fleet.run("apply", &["fleet.json"]).0.code, 5);
}

/// Makes the resets of a portal slow, so that a run surely holds its lock for a while.
pub(super) fn slow_down(portal: &Portal, milliseconds: u32) {
    let reset = "crm.lead.details.configuration.reset";
    let slow = json!([{"method": "batch", "inside": reset, "do": "slow", "ms": milliseconds}]);
    portal.set_faults(&slow).unwrap();
}

pub(super) fn wait_for_a_fault(portal: &Portal) {
    while portal.counters().faults == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_apply_passes_a_locked_portal_and_writes_to_the_others() {
    let fleet = Fleet::start(3).await;
    fleet.declare("  stop: { failed: 1 }\n");
    fleet.run("plan", &["--out", "fleet.json"]);
    let busy = fleet.portal(2);
    slow_down(busy, 5_000);
    let manifest = CARD
        .replace("{ value: people }", "{ ids: [8] }")
        .replace("spec:\n", &format!("spec:\n  portal: \"{}\"\n", busy.host()));
    fleet.env.file("one.yaml", &manifest);
    let secret = fleet.secret(busy);
    let one = ["apply", "one.yaml", "--yes", "--rate", "unlimited", "--webhook-url-file", &secret];
    let mut child = fleet.env.spawn(&one);
    tokio::task::block_in_place(|| {
        wait_for_a_fault(busy);
        let (applied, report) = fleet.run("apply", &["fleet.json"]);
        assert_eq!(outcomes(&report), ["applied", "locked", "applied"], "{applied:?}");
        assert_eq!(applied.code, 3);
        assert!(child.wait().unwrap().success());
    });
    assert_eq!(fleet.removed(), [2, 1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_apply_that_is_interrupted_finishes_its_portal_and_continues_with_the_same_file() {
    let fleet = Fleet::start(3).await;
    fleet.run("plan", &["--out", "fleet.json"]);
    slow_down(fleet.portal(1), 700);
    let before = fleet.portal(2).counters().requests;
    let child = fleet.env.spawn(&[
        "fleet",
        "apply",
        "fleet.json",
        "--secrets",
        "secrets",
        "--concurrency",
        "1",
        "--rate",
        "unlimited",
    ]);
    tokio::task::block_in_place(|| {
        wait_for_a_fault(fleet.portal(1));
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let stopped = CommandOutput::of(child.wait_with_output().unwrap());
        assert_eq!(stopped.code, 130, "{stopped:?}");
        assert!(stopped.stdout.contains("not reached"), "{stopped:?}");
    });
    assert_eq!(fleet.removed()[1..], [0, 0]);
    assert_eq!(fleet.portal(2).counters().requests, before, "nothing is begun after a signal");
    fleet.portal(1).set_faults(&json!([])).unwrap();
    let (applied, report) = fleet.run("apply", &["fleet.json", "--concurrency", "1"]);
    // The signal may have come between its two cards; what is left of it stops no other portal.
    let (code, first) = match fleet.removed()[0] {
        2 => (0, "applied-before"),
        _ => (3, "partial"),
    };
    assert_eq!(applied.code, code, "{applied:?} {report}");
    assert_eq!(outcomes(&report), [first, "applied", "applied"]);
    assert_eq!(fleet.removed()[1..], [2, 2]);
    assert_eq!(fleet.run("apply", &["--auto-approve"]).0.code, 0);
    assert_eq!(fleet.removed(), [2; 3]);
    assert_eq!(fleet.run("status", &[]).0.code, 0, "no run is left open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_secret_that_is_replaced_during_a_round_is_read_once_more_after_its_refusal() {
    let fleet = Fleet::start(2).await;
    let rotated = fleet.portal(2);
    let secret = rotated.webhook_url(1).unwrap();
    fleet.env.file(&fleet.secret(rotated), &secret.replace("emulator", "outdated"));
    rotated.set_faults(&json!([{"nth": 1, "do": "slow", "ms": 700}])).unwrap();
    let child = fleet.env.spawn(&["fleet", "plan", "--secrets", "secrets", "--rate", "unlimited"]);
    tokio::task::block_in_place(|| {
        wait_for_a_fault(rotated);
        fleet.env.file(&fleet.secret(rotated), &secret);
        let planned = CommandOutput::of(child.wait_with_output().unwrap());
        assert_eq!(planned.code, 0, "{planned:?}");
        assert!(planned.stdout.contains("2 with changes"), "{planned:?}");
    });
    // One that is refused and the same is not asked again.
    fleet.env.file(&fleet.secret(rotated), &secret.replace("emulator", "outdated"));
    let before = rotated.counters().requests;
    assert_eq!(fleet.run("plan", &[]).0.code, 3);
    assert_eq!(rotated.counters().requests, before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_report_marks_what_an_earlier_one_did_not_have() {
    let fleet = Fleet::start(3).await;
    fleet.portal(2).set_faults(&json!([{"do": "expire-webhook"}])).unwrap();
    fleet.run("plan", &[]);
    std::fs::rename(fleet.env.at("report.json"), fleet.env.at("earlier.json")).unwrap();
    fleet.portal(3).set_faults(&json!([{"do": "expire-webhook"}])).unwrap();
    let (plan, report) = fleet.run("plan", &["--new-since", "earlier.json"]);
    assert!(plan.stdout.contains("1 new"), "{}", plan.stdout);
    let new = report["portals"].as_array().unwrap().iter().map(|row| row["new"] == json!(true));
    assert_eq!(new.collect::<Vec<_>>(), [false, false, true]);
    let schema: Value =
        serde_json::from_str(&fleet.env.run(&["schema", "fleet-report"]).stdout).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let problems: Vec<String> = validator.iter_errors(&report).map(|one| one.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(fleet.run("plan", &["--new-since", "fleet.yaml"]).0.code, 1);
    assert_eq!(fleet.run("plan", &["-o", "sarif=x"]).0.code, 64);
}

#[test]
fn secrets_of_a_thousand_portals_are_each_covered_in_every_text() {
    let secret = |number: u32| format!("q{:05}x{}z9", number * 7919 % 100_003, number % 10);
    for number in 0..1_000 {
        recard::diagnostic::register_secret(&secret(number));
    }
    for number in 0..1_000 {
        let secret = secret(number);
        let encoded = secret.replacen('q', "%71", 1).to_uppercase();
        for text in [format!("a {secret} b"), format!("a {encoded} b")] {
            assert_eq!(recard::diagnostic::mask(&text), "a *** b", "{secret}");
        }
    }
}
