//! Published revisions of a fleet: who may publish, pauses, parked portals, halts and rollbacks.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use recard::model::{Digest, PortalId};
use recard::ports::{
    Clock, FleetState as _, FleetView, HaltCause, ParkReason, Parked, RevisionRounds,
    RolloutChange, RoundClass,
};
use recard::records::fleet::FleetRevision;
use recard::store::{FolderFleets, read_queue_row, write_queue_row, write_whole};
use serde_json::{Value, json};

use crate::support::env::{CommandOutput, TestEnv};

pub(super) const CARD: &str = "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: card, reason: test }\nspec:\n  \
                    personal: [{ users: { ids: [8, 12] }, leadCustomerTypes: [simple] }]\n";

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the commands use the same clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Folder with a fleet of portals that no test asks.
pub(super) struct Fleet(pub(super) TestEnv);

impl Fleet {
    pub(super) fn new(portals: &[&str]) -> Self {
        let fleet = Self(TestEnv::new());
        fleet.0.file("card.yaml", CARD);
        fleet.declare(portals, "");
        fleet
    }

    /// Writes the fleet. The first portal has the label `ring: canary`, and is the first wave.
    pub(super) fn declare(&self, portals: &[&str], more: &str) {
        let mut text = "apiVersion: recard/v1\nkind: Fleet\nmetadata: { name: customers, reason: Test }\nspec:\n  \
                        defaults: { manifests: [card.yaml], webhook: { file: \"{portal}\" } }\n  portals:\n"
            .to_owned();
        for (index, portal) in portals.iter().enumerate() {
            let ring = if index == 0 { "canary" } else { "rest" };
            text.push_str(&format!(
                "    - portal: {portal}.example\n      labels: {{ ring: {ring} }}\n"
            ));
        }
        if portals.len() > 1 {
            text.push_str(
                "  waves: [{ name: canary, select: { ring: canary } }, { name: rest }]\n",
            );
        }
        self.0.file("fleet.yaml", &format!("{text}{more}"));
    }

    /// Runs a command over the fleet; the report of one that has outputs is in `report.json`.
    pub(super) fn run(&self, command: &str, more: &[&str]) -> (CommandOutput, Value) {
        let mut arguments = vec!["fleet", command];
        if !matches!(command, "pause" | "unpause" | "retry") {
            arguments.extend(["-o", "text", "-o", "json=report.json"]);
        }
        arguments.extend(more);
        let _ = std::fs::remove_file(self.0.at("report.json"));
        let mut command = self.0.command(&arguments);
        command.env("PATH", system_path()).env("RECARD_ACTOR", "anna");
        let done = CommandOutput::of(command.output().unwrap());
        let report = std::fs::read(self.0.at("report.json")).unwrap_or_default();
        (done, serde_json::from_slice(&report).unwrap_or_default())
    }

    pub(super) fn publish(&self, more: &[&str]) -> (CommandOutput, Value) {
        self.run("publish", more)
    }

    /// Returns the digest of the current revision.
    pub(super) fn current(&self) -> String {
        self.run("status", &[]).1["rollout"]["revision"].as_str().unwrap().to_owned()
    }

    pub(super) fn current_of(&self, fleet: &str) -> String {
        let report = self.run("status", &["--fleet", fleet]).1;
        report["rollout"]["revision"].as_str().unwrap().to_owned()
    }

    pub(super) fn state(&self) -> FolderFleets {
        FolderFleets::new(&self.0.at(".recard"), Arc::new(SystemClock))
    }

    pub(super) async fn view(&self) -> FleetView {
        self.state().view("customers").await.unwrap().unwrap()
    }

    pub(super) async fn change(&self, change: RolloutChange) {
        let at = self.view().await.head.step();
        assert!(self.state().change_rollout("customers", at, &change).await.unwrap());
    }

    fn queue_row(&self, portal: &str, change: impl FnOnce(&mut recard::ports::QueueState)) {
        let (root, portal) = (self.0.at(".recard"), PortalId::new(portal).unwrap());
        let mut row = read_queue_row(&root, &portal).unwrap().unwrap_or_default();
        change(&mut row.state);
        write_queue_row(&root, &portal, &row).unwrap();
    }

    pub(super) fn git(&self, arguments: &[&str]) {
        git(self.0.path(), arguments);
    }

    pub(super) fn commit(&self) {
        self.git(&["add", "card.yaml", "fleet.yaml"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "change"]);
    }
}

#[expect(clippy::disallowed_methods, reason = "git is found where the test itself finds it")]
fn system_path() -> String {
    std::env::var("PATH").unwrap()
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Anna", "-c", "user.email=a@example.com"]);
    command.args(["-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]).args(arguments);
    let ended = command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
}

#[tokio::test]
async fn fleet_publish_makes_the_fleet_what_workers_read_and_holds_no_secret() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    let (status, _) = fleet.run("status", &["--fleet", "customers"]);
    assert_eq!(status.code, 1, "{status:?}");
    let (published, report) = fleet.publish(&[]);
    assert_eq!(published.code, 0, "{published:?}");
    assert!(published.stdout.contains("Rollout under way"), "{}", published.stdout);
    assert!(published.stdout.contains("by anna"), "{}", published.stdout);
    let view = fleet.view().await;
    assert_eq!(report["rollout"]["revision"], json!(view.head.revision.to_string()));
    assert_eq!(report["rollout"]["waves"][0]["portals"], 1);
    let document = fleet.state().revision(view.head.revision).await.unwrap().unwrap();
    let revision = FleetRevision::parse(&document).unwrap();
    let read = revision.load().fleet.unwrap();
    assert!(read.portals.iter().all(|portal| portal.declaration.is_some()), "{read:?}");
    assert_eq!(revision.content.files.keys().collect::<Vec<_>>(), ["card.yaml", "fleet.yaml"]);
    // Without the files, from the store alone, in every format.
    std::fs::remove_file(fleet.0.at("fleet.yaml")).unwrap();
    for format in ["text", "json", "markdown", "csv", "html", "junit"] {
        let shown = fleet.0.run(&["fleet", "status", "-o", format]);
        assert_eq!(shown.code, 0, "{shown:?}");
        let holds =
            if matches!(format, "text" | "markdown") { "Revision " } else { "beta.example" };
        assert!(shown.stdout.contains(holds), "{format}: {}", shown.stdout);
    }
    let (canary, report) = fleet.run("status", &["--fleet", "customers", "-l", "ring=canary"]);
    assert_eq!((canary.code, report["portals"].as_array().unwrap().len()), (0, 1), "{canary:?}");
    let schema: Value =
        serde_json::from_str(&fleet.0.run(&["schema", "fleet-report"]).stdout).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let problems: Vec<String> = validator.iter_errors(&report).map(|one| one.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
}

#[tokio::test]
async fn fleet_publish_without_the_expected_revision_before_is_refused() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    let other = format!("sha256:{}", "0f".repeat(32));
    assert_eq!(fleet.publish(&["--expect", &other]).0.code, 4);
    assert_eq!(fleet.publish(&["--expect", "none"]).0.code, 0);
    let first = fleet.current();
    // The same again is nothing new.
    let (again, report) = fleet.publish(&[]);
    assert_eq!((again.code, &report["rollout"]["number"]), (0, &json!(1)), "{again:?}");
    fleet.declare(&["alpha", "beta", "gamma"], "");
    for refused in [&[][..], &["--expect", "none"], &["--expect", &other]] {
        let (ended, _) = fleet.publish(refused);
        assert_eq!(ended.code, 4, "{ended:?}");
        assert_eq!(fleet.view().await.head.revision.to_string(), first, "nothing was published");
    }
    let (published, report) = fleet.publish(&["--expect", &first]);
    assert_eq!((published.code, &report["rollout"]["number"]), (0, &json!(2)), "{published:?}");
    assert_eq!(report["rollout"]["previous"], json!(first));
    assert_eq!(fleet.publish(&["--expect", "latest"]).0.code, 64);
    assert_eq!(fleet.publish(&["-l", "ring=canary"]).0.code, 64);
}

#[tokio::test]
async fn fleet_publish_of_a_commit_that_is_no_descendant_of_the_current_one_is_refused() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    fleet.git(&["init", "-q"]);
    fleet.commit();
    let (first, report) = fleet.publish(&[]);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(report["rollout"]["commit"].as_str().unwrap().len(), 40);
    fleet.declare(&["alpha", "beta", "gamma"], "");
    fleet.commit();
    fleet.declare(&["alpha", "beta", "gamma", "delta"], "");
    fleet.commit();
    let (third, _) = fleet.publish(&[]);
    assert_eq!(third.code, 0, "two commits later: {third:?}");
    let current = fleet.current();
    // The pipeline of the commit before comes late, and so does one of another branch.
    fleet.git(&["checkout", "-q", "HEAD~1"]);
    let (late, _) = fleet.publish(&[]);
    assert_eq!((late.code, fleet.current()), (4, current.clone()), "{late:?}");
    assert!(late.stderr.contains("no ancestor"), "{late:?}");
    fleet.declare(&["alpha", "beta", "other"], "");
    fleet.commit();
    assert_eq!((fleet.publish(&[]).0.code, fleet.current()), (4, current.clone()));
    // A later commit beside the fleet takes over the commit, and no rollout begins.
    fleet.git(&["checkout", "-q", "main"]);
    fleet.commit();
    let (beside, report) = fleet.publish(&[]);
    assert_eq!((beside.code, &report["rollout"]["number"]), (0, &json!(2)), "{beside:?}");
    fleet.git(&["checkout", "-q", "HEAD~1"]);
    assert_eq!(fleet.publish(&[]).0.code, 0, "the same fleet of an older commit is no error");
    fleet.declare(&["alpha", "beta", "gamma", "delta", "late"], "");
    assert_eq!(fleet.publish(&[]).0.code, 4, "and has not moved the commit back");
}

#[tokio::test]
async fn fleet_publish_refuses_lost_portals_broken_files_and_portals_of_another_fleet() {
    let fleet = Fleet::new(&["alpha", "beta", "gamma", "delta"]);
    fleet.publish(&[]);
    let before = fleet.current();
    fleet.declare(&["alpha", "beta"], "");
    let (lost, report) = fleet.publish(&["--expect", &before]);
    assert_eq!((lost.code, fleet.current()), (4, before.clone()), "{lost:?}");
    assert_eq!(report["violations"][0]["guard"], "lostPortals");
    assert!(lost.stdout.contains("acknowledge: { fleet: 2 }"), "{}", lost.stdout);
    // The fleet that is published is the measure of plans as well, with no round in the store.
    let (plan, _) = fleet.run("plan", &["--detailed-exitcode", "--secrets", "none"]);
    assert_eq!(plan.code, 4, "{plan:?}");
    fleet.declare(&["alpha", "beta"], "  guards: { acknowledge: { fleet: 2 } }\n");
    assert_eq!(fleet.publish(&["--expect", &before]).0.code, 0);

    fleet.declare(&["alpha", "beta"], "  include: [broken.portal.yaml]\n");
    let broken = "apiVersion: recard/v1\nkind: FleetPortal\nspec: { portal: gamma.example, labels: { ring: rest }, mode: dirft }\n";
    fleet.0.file("broken.portal.yaml", broken);
    let before = fleet.current();
    let (strict, _) = fleet.publish(&["--strict", "--expect", &before]);
    assert_eq!((strict.code, fleet.current()), (1, before.clone()), "{strict:?}");
    let (published, _) = fleet.publish(&["--expect", &before]);
    assert_eq!(published.code, 0, "{published:?}");
    assert!(published.stderr.contains("did you mean `drift`"), "{}", published.stderr);
    assert_eq!(fleet.view().await.portals.len(), 3);

    let text = std::fs::read_to_string(fleet.0.at("fleet.yaml")).unwrap();
    fleet.0.file("fleet.yaml", &text.replace("name: customers", "name: partners"));
    let (other, _) = fleet.publish(&[]);
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.stderr.contains("is of the fleet customers"), "{}", other.stderr);
    let heads = fleet.state().heads().await.unwrap();
    assert_eq!(heads.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["customers"]);
}

#[tokio::test]
async fn fleet_pause_by_command_holds_for_every_command_and_tells_who_and_why() {
    let fleet = Fleet::new(&["alpha", "beta", "gamma"]);
    // Nothing is published yet: a portal is named.
    let (paused, _) = fleet.run("pause", &["alpha.example", "--reason", "CRM is being moved"]);
    assert_eq!(paused.code, 0, "{paused:?}");
    let (plan, report) = fleet.run("plan", &["--secrets", "none"]);
    assert_eq!(plan.code, 3, "the others have no secret: {plan:?}");
    assert_eq!(report["portals"][0]["outcome"], "paused");
    let cause = report["portals"][0]["cause"].as_str().unwrap();
    assert!(cause.contains("CRM is being moved (paused by anna at 2"), "{cause}");
    fleet.publish(&[]);
    let ended = fleet.run("pause", &["-l", "ring=rest", "--until", "2h", "--reason", "Audit"]).0;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "2 portals are paused\n"), "{ended:?}");
    let view = fleet.view().await;
    assert!(view.portals.iter().all(|portal| portal.is_paused(view.now)));
    let until = view.portals[1].pause.as_ref().unwrap().until.unwrap();
    let left = until.duration_since(view.now).as_secs();
    assert!((7_100..=7_200).contains(&left), "{left}");
    let (status, report) = fleet.run("status", &[]);
    assert_eq!((status.code, &report["totals"]), (0, &json!({ "paused": 3 })), "{status:?}");
    // A pause in the fleet and one by command both hold.
    let text = std::fs::read_to_string(fleet.0.at("fleet.yaml")).unwrap();
    let declared = "- portal: beta.example\n      pause: { reason: Being audited }\n";
    fleet.0.file("fleet.yaml", &text.replace("- portal: beta.example\n", declared));
    assert_eq!(fleet.publish(&["--expect", &fleet.current()]).0.code, 0);
    let ended = fleet.run("unpause", &["-l", "ring=rest"]).0;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("holds on: beta.example"), "{}", ended.stderr);
    let view = fleet.view().await;
    let paused: Vec<bool> = view.portals.iter().map(|one| one.is_paused(view.now)).collect();
    assert_eq!(paused, [true, true, false]);
    for (wrong, code) in [
        (&["alpha.example"][..], 64),
        (&["alpha.example", "--reason", " "], 64),
        (&["alpha.example", "--reason", "x", "--until", "2020-01-01"], 64),
        (&["alpha.example", "--reason", "x", "--until", "later"], 64),
        (&["unknown.example", "--reason", "x"], 1),
        (&["-l", "ring=none", "--reason", "x"], 1),
    ] {
        let ended = fleet.run("pause", wrong).0;
        assert_eq!(ended.code, code, "{wrong:?}: {ended:?}");
    }
    assert_eq!(fleet.run("halt", &["--reason", " "]).0.code, 64);
}

#[tokio::test]
async fn fleet_retry_frees_a_parked_portal_and_status_tells_why_it_was() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    fleet.publish(&[]);
    let at = SystemClock.now();
    let due = at - Duration::from_secs(7_200);
    let parked = Parked { at, reason: ParkReason::Deaths(3) };
    fleet.queue_row("beta.example", |state| state.parked = Some(parked));
    fleet.queue_row("alpha.example", |state| state.due = Some(due));
    let (status, report) = fleet.run("status", &[]);
    assert_eq!(status.code, 3, "a parked portal needs a person: {status:?}");
    assert_eq!(report["portals"][1]["outcome"], "parked");
    assert!(status.stdout.contains("3 workers ended while they held the portal"), "{status:?}");
    assert!(status.stdout.contains("1 portal is overdue"), "{}", status.stdout);
    assert!(report["portals"][0]["overdueSeconds"].as_u64().unwrap() >= 7_200, "{report}");
    let (freed, _) = fleet.run("retry", &["-l", "ring in (canary,rest)"]);
    assert_eq!((freed.code, freed.stdout.as_str()), (0, "1 portal is no longer parked\n"));
    assert_eq!(fleet.run("status", &[]).0.code, 0);
}

#[tokio::test]
async fn fleet_rollout_that_is_halted_says_why_and_begins_anew_only_when_it_is_meant() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    fleet.git(&["init", "-q"]);
    fleet.commit();
    fleet.publish(&[]);
    let (halted, report) = fleet.run("halt", &["--reason", "too many calls"]);
    assert_eq!((halted.code, &report["rollout"]["state"]), (0, &json!("halted")), "{halted:?}");
    let (status, report) = fleet.run("status", &[]);
    assert_eq!(status.code, 3, "{status:?}");
    assert!(status.stdout.contains("too many calls (halted by anna)"), "{}", status.stdout);
    assert_eq!(report["rollout"]["cause"], "too many calls (halted by anna)");
    let (again, _) = fleet.run("halt", &["--reason", "again"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stderr.contains("no rollout is under way"), "{}", again.stderr);
    // A commit beside the fleet does not begin it anew.
    fleet.commit();
    assert_eq!(fleet.publish(&[]).0.code, 4);
    let (anew, report) = fleet.publish(&["--expect", &fleet.current()]);
    assert_eq!((anew.code, &report["rollout"]["state"]), (0, &json!("running")), "{anew:?}");
    assert_eq!(report["rollout"]["number"], 2);
}

#[tokio::test]
async fn fleet_rollback_returns_to_the_revision_before_and_is_not_undone_by_its_pipeline() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    fleet.git(&["init", "-q"]);
    fleet.commit();
    fleet.publish(&[]);
    assert_eq!(fleet.run("rollback", &[]).0.code, 1, "there is none before");
    fleet.change(RolloutChange::Open(1)).await;
    let first = fleet.view().await.head.revision;
    fleet.0.file("card.yaml", &CARD.replace("[8, 12]", "[8, 12, 14]"));
    fleet.commit();
    fleet.publish(&[]);
    let second = fleet.view().await.head.revision;
    let on = |view: &FleetView| view.portals.iter().map(|one| one.revision).collect::<Vec<_>>();
    assert_eq!(on(&fleet.view().await), [Some(second), Some(first)]);
    assert_eq!(fleet.run("rollback", &["--expect", &first.to_string()]).0.code, 4);
    let (back, report) = fleet.run("rollback", &[]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(report["rollout"]["revision"], json!(first.to_string()));
    assert!(back.stderr.contains("recard restore"), "{}", back.stderr);
    assert_eq!(on(&fleet.view().await), [Some(first); 2], "what was withdrawn is left at once");
    // The pipeline of the withdrawn commit runs once more, and then that of its mending.
    let (once_more, _) = fleet.publish(&[]);
    assert_eq!((once_more.code, fleet.view().await.head.revision), (4, first), "{once_more:?}");
    fleet.0.file("card.yaml", &CARD.replace("[8, 12]", "[8, 14]"));
    fleet.commit();
    assert_eq!(fleet.publish(&[]).0.code, 0);
}

#[tokio::test]
async fn fleet_revision_of_another_signer_is_refused() {
    let fleet = Fleet::new(&["alpha"]);
    let openssl = |arguments: &[&str]| {
        let ended = Command::new("openssl").args(arguments).current_dir(fleet.0.path()).output();
        assert!(ended.unwrap().status.success(), "{arguments:?}");
    };
    for name in ["own", "other"] {
        let (private, public) = (format!("{name}.pem"), format!("{name}.pub"));
        openssl(&["genpkey", "-algorithm", "ed25519", "-out", &private]);
        openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
    }
    for (ids, key) in [("8", "own.pem"), ("9", "own.pem"), ("10", "own.pem")] {
        fleet.0.file("card.yaml", &CARD.replace("8, 12", ids));
        let expect = match ids {
            "8" => "none".to_owned(),
            _ => fleet.current(),
        };
        let (signed, _) = fleet.publish(&["--signing-key", key, "--expect", &expect]);
        assert_eq!(signed.code, 0, "{signed:?}");
    }
    let (refused, _) = fleet.run("rollback", &["--trusted-key", "other.pub"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("not trusted"), "{}", refused.stderr);
    let both = ["--trusted-key", "other.pub", "--trusted-key", "own.pub"];
    assert_eq!(fleet.run("rollback", &both).0.code, 0);
    fleet.0.file("card.yaml", &CARD.replace("8, 12", "11"));
    let (signed, _) = fleet.publish(&["--signing-key", "own.pem", "--expect", &fleet.current()]);
    assert_eq!(signed.code, 0, "{signed:?}");
    // A revision without a signature in place of the one before.
    let before = fleet.view().await.head.previous.unwrap();
    let document = fleet.state().revision(before).await.unwrap().unwrap();
    let unsigned = FleetRevision { signature: None, ..FleetRevision::parse(&document).unwrap() };
    let name = before.to_string().replace("sha256:", "");
    let path = fleet.0.at(".recard").join(format!("fleets/revisions/{name}.json"));
    write_whole(&path, &unsigned.encode().unwrap()).unwrap();
    let (refused, _) = fleet.run("rollback", &both);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("is not signed"), "{}", refused.stderr);
    assert_eq!(fleet.publish(&["--signing-key", "own.pub"]).0.code, 1);
    assert_eq!(fleet.run("rollback", &["--trusted-key", "own.pem"]).0.code, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_publish_waits_for_the_end_of_the_rollout_and_exits_by_it() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    let cause = HaltCause::Failures { wave: "canary".into(), failed: 1, of: 1 };
    for (ids, change, code) in
        [("8", RolloutChange::Complete, 0), ("9", RolloutChange::Halt(cause), 3)]
    {
        fleet.0.file("card.yaml", &CARD.replace("8, 12", ids));
        let expect = match ids {
            "8" => "none".to_owned(),
            _ => fleet.current(),
        };
        let before = fleet.state().view("customers").await.unwrap();
        let number = before.map_or(0, |view| view.head.number);
        let child = fleet.0.spawn(&["fleet", "publish", "--wait", "--expect", &expect]);
        while fleet.state().view("customers").await.unwrap().map_or(0, |view| view.head.number)
            == number
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        fleet.change(RolloutChange::Open(1)).await;
        fleet.change(change).await;
        let ended = CommandOutput::of(child.wait_with_output().unwrap());
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.contains("the wave rest is open"), "{}", ended.stderr);
        let why = "1 of 1 portals of the wave canary failed on the revision";
        assert_eq!(ended.stdout.contains(why), code == 3, "{}", ended.stdout);
    }
    // Without an end, by the deadline or a signal.
    let (current, card) = (fleet.current(), CARD.replace("8, 12", "10"));
    fleet.0.file("card.yaml", &card);
    let (late, _) = fleet.publish(&["--wait", "--expect", &current, "--deadline", "1s"]);
    assert_eq!(late.code, 3, "{late:?}");
    assert!(late.stderr.contains("--deadline"), "{}", late.stderr);
    let current = fleet.current();
    let child = fleet.0.spawn(&["fleet", "publish", "--wait", "--expect", &current]);
    tokio::time::sleep(Duration::from_millis(700)).await;
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ended = CommandOutput::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 130, "{ended:?}");
}

#[tokio::test]
async fn fleet_status_shows_the_last_round_of_a_worker() {
    let fleet = Fleet::new(&["alpha"]);
    fleet.publish(&[]);
    let (_, report) = fleet.run("status", &[]);
    let mut row = report["portals"][0].clone();
    assert_eq!(row["outcome"], "never-seen");
    row["outcome"] = json!("failed");
    row["cause"] = json!("the portal does not answer");
    row["last"] = json!({ "command": "worker", "at": "2026-11-01T09:00:00Z" });
    let revision: Digest = report["rollout"]["revision"].as_str().unwrap().parse().unwrap();
    fleet.queue_row("alpha.example", |state| {
        state.row = Some(row.to_string());
        state.failures = 1;
        let at = SystemClock.now();
        let (class, people) = (RoundClass::Failed, 2);
        state.rounds = Some(RevisionRounds { revision, class, people, at });
    });
    let (status, report) = fleet.run("status", &[]);
    assert_eq!(
        (status.code, &report["portals"][0]["outcome"]),
        (3, &json!("failed")),
        "{status:?}"
    );
    let wave = &report["rollout"]["waves"][0];
    assert_eq!(
        (&wave["done"], &wave["failed"], &wave["people"]),
        (&json!(1), &json!(1), &json!(2))
    );
}
