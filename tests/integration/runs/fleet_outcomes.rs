//! Outcomes of the portals of a fleet that are easily hidden: used plans, cards that are held,
//! portals that were not written to, and the rounds of a worker that reads files.

use serde_json::{Value, json};

use super::fleets::{CARD, Fleet, outcomes};
#[cfg(unix)]
use super::workers::{Worker, row, wait_until};

/// Method that resets a card.
const RESET: &str = "crm.lead.details.configuration.reset";

impl Fleet {
    /// Gives a portal the webhook of an employee who administrates nothing: the card of `own` is
    /// reset, and the others are held.
    fn with_employee(&self, number: usize, own: &str) {
        let portal = self.portal(number);
        self.env.file(&self.secret(portal), &portal.webhook_url(8).unwrap());
        let fleet = std::fs::read_to_string(self.env.at("fleet.yaml")).unwrap();
        let (before, entry) = fleet.split_once(portal.host()).unwrap();
        let entry = entry.replacen("[8, 12]", own, 1);
        self.env.file("fleet.yaml", &format!("{before}{}{entry}", portal.host()));
        self.env
            .file("card.yaml", &format!("{CARD}  guards: {{ acknowledge: {{ people: [8] }} }}\n"));
    }

    fn run_folder(&self, number: usize) -> std::path::PathBuf {
        let name = self.portal(number).host().replace(':', "_");
        self.env.at(format!(".recard/portals/{name}/runs"))
    }
}

fn sums(report: &Value) -> [u64; 3] {
    ["reset", "keep", "hold"].map(|name| report["sums"][name].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_plan_whose_run_did_not_reset_every_card_is_not_told_to_be_applied() {
    let fleet = Fleet::start(3).await;
    fleet.declare("  stop: { failed: 3 }\n");
    assert_eq!(fleet.run("plan", &["--out", "fleet.json"]).0.code, 0);
    fleet.portal(1).set_faults(&json!([{ "method": RESET, "do": "fail-command" }])).unwrap();
    let (applied, report) = fleet.run("apply", &["fleet.json"]);
    assert_eq!((applied.code, fleet.removed()), (3, vec![0, 2, 2]), "{applied:?}");
    assert_eq!(outcomes(&report), ["partial", "applied", "applied"]);
    // What was done is done, and the rest waits for a new plan, whatever the portal does now.
    fleet.portal(1).set_faults(&json!([])).unwrap();
    let (again, second) = fleet.run("apply", &["fleet.json"]);
    assert_eq!((again.code, fleet.removed()), (3, vec![0, 2, 2]), "{again:?}");
    assert_eq!(outcomes(&second), ["partial", "applied-before", "applied-before"]);
    assert_eq!(sums(&second), [0, 4, 2]);
    assert!(again.stdout.contains("used before, and its run did not reset"), "{again:?}");
    assert!(!again.stdout.contains("No changes."), "{again:?}");
    assert_eq!(second["portals"][0]["run"], report["portals"][0]["run"], "the run that tells why");
    let (status, left) = fleet.run("status", &[]);
    assert_eq!((status.code, sums(&left)), (3, [0, 4, 2]), "{status:?}");
    // Without its run, unknown outcome of a plan.
    std::fs::rename(fleet.run_folder(2), fleet.env.at("elsewhere")).unwrap();
    let (lost, report) = fleet.run("apply", &["fleet.json"]);
    assert_eq!((lost.code, fleet.removed()), (3, vec![0, 2, 2]), "{lost:?}");
    assert_eq!(outcomes(&report), ["partial", "stale", "applied-before"]);
    let (applied, report) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (0, vec![2, 2, 2]), "{applied:?}");
    assert_eq!(outcomes(&report), ["applied", "unchanged", "unchanged"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_apply_that_stopped_at_its_canary_stops_there_again_with_the_same_file() {
    let fleet = Fleet::start(2).await;
    fleet.declare("  waves: [{ name: canary, select: { ring: canary } }, { name: rest }]\n");
    fleet.run("plan", &["--out", "fleet.json"]);
    fleet.portal(1).set_faults(&json!([{ "method": RESET, "do": "fail-command" }])).unwrap();
    for _ in 0..2 {
        let (applied, report) = fleet.run("apply", &["fleet.json"]);
        assert_eq!((applied.code, fleet.removed()), (3, vec![0, 0]), "{applied:?}");
        assert_eq!(outcomes(&report), ["partial", "not-reached"]);
        assert_eq!((&report["stoppedIn"], sums(&report)), (&json!("canary"), [0, 0, 4]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_with_cards_that_are_held_ends_with_3_and_shows_them() {
    let fleet = Fleet::start(3).await;
    fleet.declare("  stop: { failed: 3 }\n");
    fleet.with_employee(2, "[8, 12]");
    fleet.with_employee(3, "[12]");
    let (plan, report) = fleet.run("plan", &["--out", "fleet.json"]);
    assert_eq!((plan.code, sums(&report)), (0, [3, 0, 2]), "{plan:?}");
    assert_eq!(outcomes(&report), ["changes"; 3]);
    let (applied, report) = fleet.run("apply", &["fleet.json"]);
    assert_eq!((applied.code, fleet.removed()), (3, vec![2, 1, 0]), "{applied:?}");
    assert_eq!(outcomes(&report), ["applied", "partial", "partial"]);
    assert_eq!(sums(&report), [3, 0, 2]);
    assert!(applied.stdout.contains("2 in part: cards are held: "), "{}", applied.stdout);
    for arguments in [&["fleet.json"][..], &["--auto-approve"]] {
        let (again, report) = fleet.run("apply", arguments);
        assert_eq!((again.code, sums(&report)), (3, [0, 3, 2]), "{again:?}");
        assert_eq!(outcomes(&report)[1..], ["partial", "partial"], "{again:?}");
        assert!(!again.stdout.contains("No changes."), "{}", again.stdout);
        let (status, report) = fleet.run("status", &[]);
        assert_eq!((status.code, sums(&report)), (3, [0, 3, 2]), "{status:?}");
    }
    // A plan is no apply: it writes nothing, so that nothing is left undone by it.
    let (plan, report) = fleet.run("plan", &[]);
    assert_eq!((plan.code, sums(&report)), (0, [0, 3, 2]), "{plan:?}");
    assert!(!plan.stdout.contains("No changes."), "{}", plan.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_apply_stops_after_a_wave_whose_cards_are_held() {
    let fleet = Fleet::start(2).await;
    fleet.declare("  waves: [{ name: canary, select: { ring: canary } }, { name: rest }]\n");
    let whole = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    fleet.with_employee(1, "[12]");
    let (applied, report) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (3, vec![0, 0]), "{applied:?}");
    assert_eq!(outcomes(&report), ["partial", "not-reached"]);
    assert_eq!(report["stoppedIn"], "canary");
    assert_eq!(sums(&report), [0, 0, 3], "no card was reset: {report}");
    let (status, left) = fleet.run("status", &[]);
    assert_eq!((status.code, sums(&left)), (3, [0, 0, 3]), "{status:?}");
    // A wave that is not wanted says nothing of its cards.
    let portal = fleet.portal(1);
    fleet.env.file(&fleet.secret(portal), &portal.webhook_url(1).unwrap());
    fleet.env.file("fleet.yaml", &whole);
    fleet.with_employee(2, "[12]");
    assert_eq!(fleet.run("plan", &["--out", "fleet.json"]).0.code, 0);
    let (applied, report) = fleet.run("apply", &["fleet.json", "--wave", "canary"]);
    assert_eq!((applied.code, fleet.removed()), (0, vec![2, 0]), "{applied:?}");
    assert_eq!(outcomes(&report), ["applied", "not-reached"]);
    assert!(!applied.stdout.contains("No changes."), "{}", applied.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_status_after_a_guard_blocked_an_apply_tells_no_card_to_be_as_it_should_be() {
    let fleet = Fleet::start(2).await;
    let card = std::fs::read_to_string(fleet.env.at("card.yaml")).unwrap();
    fleet.env.file("card.yaml", &format!("{card}  guards: {{ maxUsers: 1 }}\n"));
    let (applied, report) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((applied.code, fleet.removed()), (3, vec![0, 0]), "{applied:?}");
    assert_eq!(outcomes(&report), ["blocked"; 2]);
    assert_eq!(sums(&report), [0, 0, 4], "nothing was reset: {report}");
    assert!(applied.stdout.contains("0 cards of 0 people reset"), "{}", applied.stdout);
    assert!(!applied.stdout.contains("Largest changes"), "{}", applied.stdout);
    let (status, report) = fleet.run("status", &[]);
    assert_eq!((status.code, sums(&report)), (3, [0, 0, 4]), "{status:?}");
    assert!(status.stdout.contains("4 held or not reset"), "{}", status.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_report_names_paused_portals_and_who_paused_them_in_every_format() {
    let fleet = Fleet::start(2).await;
    let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    let first = format!("\"{}\"\n", fleet.portal(1).host());
    let paused = format!("{first}      pause: {{ reason: Being moved, until: 9000-01-01 }}\n");
    fleet.env.file("fleet.yaml", &text.replace(&first, &paused));
    let pause = ["fleet", "pause", fleet.portal(2).host(), "--reason", "Audit"];
    let mut pause = fleet.env.command(&pause);
    assert!(pause.env("RECARD_ACTOR", "anna").status().unwrap().success());
    let formats = ["text", "markdown", "csv", "html", "json", "junit"];
    let outputs = formats.map(|format| format!("{format}=out.{format}"));
    let outputs: Vec<&str> = outputs.iter().flat_map(|output| ["-o", output]).collect();
    for command in ["plan", "status"] {
        let (done, report) = fleet.run(command, &outputs);
        assert_eq!((done.code, outcomes(&report)), (0, vec!["paused"; 2]), "{done:?}");
        assert!(!done.stdout.contains("No changes."), "{}", done.stdout);
        for format in formats {
            let text = std::fs::read_to_string(fleet.env.at(format!("out.{format}"))).unwrap();
            let signs = [("&#45;", "-"), ("&#44;", ","), ("&#46;", "."), ("&#58;", ":")];
            let text = signs.iter().fold(text, |text, (sign, plain)| text.replace(sign, plain));
            let [one, two] = [1, 2].map(|number| fleet.portal(number).host());
            let wanted =
                ["Being moved", "manifest, until 9000-01-01", "Audit", "paused by anna at 2"];
            for wanted in wanted.into_iter().chain([one, two]) {
                assert!(text.contains(wanted), "{format}, {wanted}: {text}");
            }
        }
        let junit = std::fs::read_to_string(fleet.env.at("out.junit")).unwrap();
        assert!(junit.contains("skipped=\"2\""), "{junit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_validate_names_no_portal_for_the_manifests_of_several() {
    let fleet = Fleet::start(2).await;
    let valid = fleet.env.run(&["fleet", "validate"]);
    assert_eq!(valid.stdout, "2 manifests: valid, 0 warnings\n", "{valid:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_status_shows_the_rounds_of_a_worker_that_reads_files() {
    let fleet = Fleet::start(4).await;
    std::fs::remove_file(fleet.env.at(fleet.secret(fleet.portal(2)))).unwrap();
    let secret = fleet.secret(fleet.portal(3));
    let wrong = std::fs::read_to_string(fleet.env.at(&secret)).unwrap();
    fleet.env.file(&secret, &wrong.replace("emulator", "reloaded"));
    fleet.with_employee(4, "[8, 12]");
    let mut worker = Worker::start(&fleet, &[]);
    wait_until("all rounds", || {
        worker.rounds("failed") >= 2.0
            && worker.rounds("parked") >= 1.0
            && worker.rounds("succeeded") >= 1.0
    });
    let is_over = |number| row(&fleet, number).claim.is_none();
    wait_until("the last release", || (1..=4).all(is_over));
    for is_running in [true, false] {
        let (status, report) = fleet.run("status", &[]);
        assert_eq!(outcomes(&report), ["applied", "failed", "parked", "partial"], "{status:?}");
        assert_eq!((status.code, sums(&report)), (3, [0, 3, 1]), "{status:?}");
        assert_eq!(report["portals"][0]["last"]["command"], "worker");
        assert!(status.stdout.contains("cannot read the webhook"), "{}", status.stdout);
        assert!(status.stdout.contains("refuses the webhook for good"), "{}", status.stdout);
        assert!(status.stdout.contains("in part: cards are held"), "{}", status.stdout);
        assert!(!status.stderr.contains("no round over this fleet"), "{status:?}");
        assert_eq!(status.stdout.contains("1 worker: "), is_running, "{}", status.stdout);
        if is_running {
            worker.stop();
        }
    }
    assert_eq!(fleet.run("status", &["-l", "ring=canary"]).0.code, 0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollout_halts_at_a_canary_whose_cards_are_held_unless_it_held_them_before() {
    let fleet = Fleet::start(2).await;
    fleet.declare("  waves: [{ name: canary, select: { ring: canary } }, { name: rest }]\n");
    fleet.with_employee(1, "[12]");
    let arguments = ["worker", "--secrets", "secrets", "--rate", "unlimited"];
    let _worker = super::reconcile::Running(fleet.env.spawn(&arguments));
    let publish = ["fleet", "publish", "--wait", "--deadline", "100s"];
    let halted = fleet.env.run(&publish);
    assert_eq!((halted.code, fleet.removed()), (3, vec![0, 0]), "{halted:?}");
    assert!(halted.stdout.contains("1 of 1 portals of the wave canary failed"), "{halted:?}");
    assert!(halted.stdout.contains("1 in part: cards are held"), "{halted:?}");
    assert!(halted.stdout.contains("1 held or not reset"), "{halted:?}");
    // What it held before says nothing of a revision.
    let revision = fleet.run("status", &["--fleet", "test"]).1["rollout"]["revision"].clone();
    let revision = revision.as_str().unwrap();
    fleet.declare("  waves: [{ name: all }]\n");
    let again = fleet.env.run(&[&publish[..], &["--expect", revision]].concat());
    assert_eq!((again.code, fleet.removed()[1]), (0, 2), "{again:?}");
    assert!(again.stdout.contains("wave all: 1 of 1 portals done, 0 failed"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_apply_whose_earlier_report_cannot_be_read_ends_before_it_writes() {
    let fleet = Fleet::start(2).await;
    fleet.declare("");
    for command in ["plan", "drift", "apply"] {
        let approved: &[&str] = if command == "apply" { &["--auto-approve"] } else { &[] };
        let arguments = [&["--new-since", "no-such-report.json"], approved].concat();
        let (ended, _) = fleet.run(command, &arguments);
        assert_eq!((ended.code, fleet.removed()), (1, vec![0, 0]), "{ended:?}");
        assert!(ended.stderr.contains("no-such-report.json"), "{ended:?}");
        let requests = [1, 2].map(|number| fleet.portal(number).counters().requests);
        assert_eq!(requests, [0, 0], "{command}");
    }
}
