//! Safeguards: guards, locks, signals, simultaneous saves of people, and failing disks.

#![cfg(all(unix, feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use recard::emulator::{Emulator, EmulatorOptions, Release, Seed};
use recard::ports::Archive as _;
use recard::store::{LockState, RunEnd, Store};
use serde_json::{Value, json};

use support::company::{manifest, people, portal_of, resets_sent, row, save, sets_sent};
use support::recard::{Ended, Place};

const APPLY: [&str; 6] = ["apply", "-f", "lead.yaml", "--auto-approve", "--rate", "unlimited"];

struct World {
    emulator: Emulator,
    place: Place,
}

impl World {
    async fn with(options: EmulatorOptions) -> Self {
        let emulator = Emulator::start_with(options).await.unwrap();
        let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
        Self { emulator, place }
    }

    async fn company() -> Self {
        Self::with(EmulatorOptions::default()).await
    }

    /// A portal with so many people besides the caller, each with an arranged card.
    async fn of(count: usize) -> (Self, Vec<i64>) {
        let world =
            Self::with(EmulatorOptions { seed: Seed::Users(600), ..EmulatorOptions::default() })
                .await;
        let mut state = world.emulator.state();
        let ids: Vec<i64> = people(&state).into_iter().filter(|id| *id != 1).take(count).collect();
        let options = state["options"].as_array_mut().unwrap();
        options.retain(|row| row["user_id"] == 0);
        options.extend(ids.iter().map(|id| row(*id, "lead_details", &format!("of {id}"))));
        world.emulator.set_state(&state).unwrap();
        (world, ids)
    }

    fn manifest(&self, users: &str, more: &str) {
        self.place.file("lead.yaml", &manifest(&portal_of(&self.emulator), users, more));
    }

    fn store(&self) -> Store {
        Store::open(&self.place.path().join(".recard"), &portal_of(&self.emulator).parse().unwrap())
            .unwrap()
    }

    /// Returns the folder of the portal in the store.
    fn folder(&self) -> PathBuf {
        let mut portals = std::fs::read_dir(self.place.path().join(".recard/portals")).unwrap();
        portals.next().unwrap().unwrap().path()
    }

    fn rows(&self) -> Value {
        self.emulator.state()["options"].clone()
    }

    /// An apply on a disk on which no file can grow beyond so many KiB.
    fn apply_with_files_of_at_most(&self, kibibytes: u32) -> Ended {
        let recard = env!("CARGO_BIN_EXE_recard");
        let script = format!(
            "trap '' XFSZ; ulimit -f {}; exec '{recard}' {}",
            2 * kibibytes,
            APPLY.join(" ")
        );
        let mut command = Command::new("sh");
        let webhook = self.emulator.webhook_url(1).unwrap();
        command
            .args(["-c", &script])
            .current_dir(self.place.path())
            .env_clear()
            .env("RECARD_WEBHOOK_URL", webhook);
        Ended::of(command.stdin(Stdio::null()).output().unwrap())
    }

    /// Refused by a guard: exit code 4, and nothing written to the portal. Gives what was said.
    fn is_refused(&self, guard: &str) -> String {
        let before = self.rows();
        let planned = self.place.run(&["plan", "-f", "lead.yaml"]);
        assert_eq!(planned.code, 0, "a guard never blocks a plan: {planned:?}");
        assert!(planned.stdout.contains(guard), "{guard}: {planned:?}");
        let ended = self.place.run(&APPLY);
        assert_eq!(ended.code, 4, "{ended:?}");
        assert!(ended.stderr.contains("a guard stands against the plan"), "{ended:?}");
        assert_eq!((resets_sent(&self.emulator), sets_sent(&self.emulator)), (0, 0), "{guard}");
        assert_eq!(self.emulator.counters().rows_removed, 0, "{guard}");
        assert_eq!(self.rows(), before, "{guard}");
        assert_eq!(self.store().run_ids().unwrap(), [], "{guard}");
        ended.stderr
    }

    /// Waits until a process holds the lock of the portal.
    fn wait_until_locked(&self) {
        while !matches!(self.store().lock_owner(), Ok(Some(_))) {
            std::thread::yield_now();
        }
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

fn ids(list: &[i64]) -> String {
    let list: Vec<String> = list.iter().map(ToString::to_string).collect();
    format!("{{ ids: [{}] }}", list.join(", "))
}

fn ended(child: Child) -> Ended {
    Ended::of(child.wait_with_output().unwrap())
}

/// Sends a signal to a process that the test started.
fn signal(child: &Child, name: &str) {
    let sent =
        Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_on_people_is_lifted_for_its_number_and_not_for_one_more() {
    let (world, people) = World::of(38).await;
    let acknowledged = "  guards:\n    acknowledge: { users: 37 }\n";
    world.manifest(&ids(&people), "");
    let told = world.is_refused("38 people would lose a card; the limit maxUsers is 25");
    assert!(told.contains("    guards:\n      acknowledge: { users: 38 }"), "{told}");
    world.manifest(&ids(&people), acknowledged);
    world.is_refused("38 people would lose a card; the limit maxUsers is 25");
    world.manifest(&ids(&people[..37]), acknowledged);
    let applied = world.place.run(&APPLY);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!(world.emulator.counters().rows_removed, 37);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_on_the_share_of_the_portal_writes_nothing() {
    // 36 employees work in the company: eleven of them are more than a tenth.
    let world = World::company().await;
    let mut state = world.emulator.state();
    let eleven: Vec<i64> =
        people(&state).into_iter().filter(|id| (11..23).contains(id) && *id != 17).collect();
    let options = state["options"].as_array_mut().unwrap();
    options.retain(|row| row["user_id"] == 0);
    options.extend(eleven.iter().map(|id| row(*id, "lead_details", "mine")));
    world.emulator.set_state(&state).unwrap();
    assert_eq!(eleven.len(), 11);
    world.manifest(&ids(&eleven), "");
    let told = world
        .is_refused("11 of 36 employees would lose a card; the limit maxPercentOfUsers is 10 %");
    assert!(told.contains("acknowledge: { users: 11 }"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_on_a_common_card_writes_nothing_until_that_card_is_named() {
    let world = World::company().await;
    let mut common = row(0, "lead_details_common", "for all");
    common["common"] = json!("Y");
    save(&world.emulator, common);
    world.manifest("{ ids: [16] }", "  common:\n    leadCustomerTypes: [simple]\n");
    let told = world.is_refused("the common card for simple leads would be lost");
    assert!(told.contains("acknowledge: { common: [simple] }"), "{told}");
    let other = "  common:\n    leadCustomerTypes: [simple]\n  guards:\n    acknowledge: { common: [repeat] }\n";
    world.manifest("{ ids: [16] }", other);
    world.is_refused("the common card for simple leads would be lost");
    world.manifest("{ ids: [16] }", &other.replace("common: [repeat]", "common: [simple]"));
    assert_eq!(world.place.run(&APPLY).code, 0);
    assert_eq!(world.emulator.counters().rows_removed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_on_the_caller_and_on_user_1_write_nothing_until_they_are_named() {
    let world = World::company().await;
    save(&world.emulator, row(1, "lead_details", "own"));
    world.manifest("{ ids: [1] }", "");
    let told = world.is_refused("user 1 would lose a card: the owner of the webhook");
    assert!(told.contains("acknowledge: { people: [1] }"), "{told}");

    // With the webhook of another administrator user 1 is still user 1.
    let webhooks = world.emulator.webhooks();
    let other = webhooks.iter().find(|webhook| webhook.user == 9).unwrap();
    let place = Place::with_webhook(&other.url);
    save(&world.emulator, row(9, "lead_details", "own"));
    for (users, text) in [
        ("{ ids: [1] }", "user 1 would lose a card: usually the portal's first administrator"),
        ("{ ids: [9] }", "user 9 would lose a card: the owner of the webhook"),
    ] {
        place.file("lead.yaml", &manifest(&portal_of(&world.emulator), users, ""));
        let ended = place.run(&APPLY);
        assert_eq!(ended.code, 4, "{ended:?}");
        assert!(ended.stderr.contains(text), "{ended:?}");
    }
    assert_eq!((resets_sent(&world.emulator), world.emulator.counters().rows_removed), (0, 0));
    let named = "  guards:\n    acknowledge: { people: [9] }\n";
    place.file("lead.yaml", &manifest(&portal_of(&world.emulator), "{ ids: [9] }", named));
    assert_eq!(place.run(&APPLY).code, 0);
    assert_eq!(world.emulator.counters().rows_removed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protected_person_is_never_touched_whatever_is_acknowledged() {
    let world = World::company().await;
    let more = "  protect: { ids: [7] }\n  guards:\n    maxUsers: 1000\n    acknowledge: { users: 1000, people: [7] }\n";
    world.manifest("{ departments: [{ id: 41, recursive: true }] }", more);
    let told = world.is_refused("user 7 would lose a card, and is protected");
    assert!(!told.contains("acknowledge:"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selection_that_shrank_writes_nothing_until_the_new_size_is_named() {
    let (world, people) = World::of(20).await;
    world.manifest(&ids(&people[..10]), "");
    assert_eq!(world.place.run(&APPLY).code, 0);
    let removed = world.emulator.counters().rows_removed;
    // Half of the selection is gone, and the other half has arranged its cards again.
    for id in &people[..5] {
        save(&world.emulator, row(*id, "lead_details", "again"));
    }
    world.manifest(&ids(&people[..5]), "");
    let before = world.rows();
    let ended = world.place.run(&APPLY);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(
        ended.stderr.contains("the manifests select 5 people, and selected 10 in the last run"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("acknowledge: { selection: 5 }"), "{ended:?}");
    assert_eq!((world.emulator.counters().rows_removed, world.rows()), (removed, before));
    world.manifest(&ids(&people[..5]), "  guards:\n    acknowledge: { selection: 5 }\n");
    assert_eq!(world.place.run(&APPLY).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_applies_at_once_one_works_and_the_other_writes_nothing() {
    let (world, people) = World::of(20).await;
    world.manifest(&ids(&people), "");
    // The first one meets a slow portal, so that it surely holds the lock when the second one
    // comes.
    world
        .emulator
        .set_faults(&json!([{"method": "*", "nth": 2, "do": "slow", "ms": 700}]))
        .unwrap();
    tokio::task::block_in_place(|| {
        let first = world.start(&APPLY);
        world.wait_until_locked();
        let second = world.place.run(&APPLY);
        assert_eq!(second.code, 6, "{second:?}");
        assert!(
            second.stderr.contains(&format!("locked by process {} on", first.id())),
            "{second:?}"
        );
        let unlocked = world.place.run(&["unlock", "--auto-approve"]);
        assert_eq!(unlocked.code, 6, "a living owner keeps its lock: {unlocked:?}");
        // Whoever waits gets their turn, and finds nothing to do.
        let waiting = world.start(&[&APPLY[..], &["--lock-timeout", "60s"]].concat());
        let first = ended(first);
        assert_eq!(first.code, 0, "{first:?}");
        let waiting = ended(waiting);
        assert_eq!(waiting.code, 0, "{waiting:?}");
        assert!(waiting.stdout.contains("Nothing to do"), "{waiting:?}");
    });
    assert_eq!((resets_sent(&world.emulator), world.emulator.counters().rows_removed), (20, 20));
    assert_eq!(world.store().run_ids().unwrap().len(), 1);
    assert_eq!(world.place.run(&["audit", "verify"]).code, 0);
    assert_eq!(world.emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_of_a_killed_owner_is_taken_over_with_a_note() {
    let (world, people) = World::of(20).await;
    world.manifest(&ids(&people), "");
    world
        .emulator
        .set_faults(&json!([{"method": "*", "nth": 2, "do": "slow", "ms": 60000}]))
        .unwrap();
    tokio::task::block_in_place(|| {
        let mut first = world.start(&APPLY);
        world.wait_until_locked();
        first.kill().unwrap();
        first.wait().unwrap();
        world.emulator.set_faults(&json!([])).unwrap();
        let next = world.place.run(&APPLY);
        assert_eq!(next.code, 0, "{next:?}");
        let note = format!("unclean end of process {} on", first.id());
        assert!(next.stderr.contains(&note), "{next:?}");
        let trail = world.place.run(&["audit", "show"]);
        assert!(trail.stdout.contains(&note), "{trail:?}");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_was_left_behind_is_shown_and_given_back_after_a_yes() {
    let world = World::company().await;
    world.manifest("{ ids: [12] }", "");
    let free = world.place.run(&["unlock"]);
    assert_eq!((free.code, free.stdout.contains("Nobody holds the lock")), (0, true), "{free:?}");
    assert_eq!(world.place.run(&["plan", "-f", "lead.yaml"]).code, 0);
    // What another host left in a shared folder, where nobody here can tell whether it lives.
    let lock = world.folder().join("lock");
    let owner = recard::ports::LockOwner {
        process: 4711,
        host: "elsewhere".to_owned(),
        actor: "anna".to_owned(),
        command: "apply".to_owned(),
        since: "2026-11-01T09:00:00Z".to_owned(),
    };
    recard::store::write_whole(&lock, &recard::records::encode_lock_owner(&owner).unwrap())
        .unwrap();
    let refused = world.place.run(&APPLY);
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.stderr.contains("locked by process 4711 on elsewhere (anna)"), "{refused:?}");
    let asked = world.place.run(&["unlock"]);
    assert_eq!(asked.code, 4, "nobody can be asked here: {asked:?}");
    assert!(asked.stdout.contains("locked by process 4711 on elsewhere (anna)"), "{asked:?}");
    assert_eq!(world.place.run(&APPLY).code, 6);
    let given = world.place.run(&["unlock", "--auto-approve"]);
    assert_eq!(given.code, 0, "{given:?}");
    assert_eq!(world.place.run(&APPLY).code, 0);
    let trail = world.place.run(&["audit", "show"]);
    assert!(
        trail.stdout.contains("process 4711 on elsewhere")
            && trail.stdout.contains("given back by hand"),
        "{trail:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_saves_in_the_last_moment_keeps_what_they_saved() {
    let (world, people) = World::of(10).await;
    world.manifest(&ids(&people), "");
    let newer = row(people[4], "lead_details", "saved in the last moment");
    let get = "crm.lead.details.configuration.get";
    let script = json!([{"method": get, "nth": first_read_of_reset(&world, &people, people[4]), "do": "save",
        "row": {"user_id": people[4], "name": "lead_details", "value": newer["value"]}}]);
    world.emulator.set_faults(&script).unwrap();
    // With no room in the counter everything goes into full requests, whose order never changes.
    let applied = world.place.run(&["apply", "-f", "lead.yaml", "--auto-approve", "--rate", "4,3"]);
    assert_eq!(applied.code, 3, "{applied:?}");
    assert!(
        applied
            .stdout
            .contains("saved by its owner in the same moment; their layout is there again"),
        "{applied:?}"
    );
    assert!(
        applied.stdout.contains("Done: 9 of 10 cards; 0 skipped, 1 failed, 0 unknown."),
        "{applied:?}"
    );
    let kept = world.rows();
    let kept = kept.as_array().unwrap().iter().find(|row| row["user_id"] == people[4]).unwrap();
    assert_eq!(kept["value"][0]["elements"][0]["title"], "saved in the last moment");
    assert_eq!(sets_sent(&world.emulator), 1);
    // What they saved lies in a backup, too.
    let store = world.store();
    let run = store.run_ids().unwrap().pop().unwrap();
    let records = store.journal(&run).unwrap();
    let set = records.iter().find_map(|record| match record {
        recard::ports::JournalRecord::SetIntent { target, digest, .. } => Some((*target, *digest)),
        _ => None,
    });
    let (target, digest) = set.unwrap();
    assert!(
        store.backup(&run, target, digest).unwrap().as_json().contains("saved in the last moment")
    );
}

/// Returns the number of the read just before the reset of a person, as an apply counts them:
/// learned from the same apply on the same portal.
fn first_read_of_reset(world: &World, people: &[i64], person: i64) -> u64 {
    let get = "crm.lead.details.configuration.get";
    let before = world.emulator.counters().by_method.get(get).copied().unwrap_or(0);
    assert_eq!(world.place.run(&["plan", "-f", "lead.yaml"]).code, 0);
    let of_plan = world.emulator.counters().by_method[get] - before;
    // The reads of the apply's own plan, then a pair of reads for each person, in the order of
    // their ids.
    let place = people.iter().position(|id| *id == person).unwrap() as u64;
    of_plan + place * 2 + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_signal_finishes_what_is_under_way_and_completes_the_journal() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let options = EmulatorOptions {
            seed: Seed::Users(600),
            command_time: Duration::from_millis(2),
            ..EmulatorOptions::default()
        };
        let world = World::with(options).await;
        let all = "{ all: true, except: { ids: [1] } }";
        world.manifest(all, "  guards:\n    acknowledge: { users: 600 }\n");
        tokio::task::block_in_place(|| {
            let apply = world.start(&APPLY);
            while world.emulator.counters().rows_removed == 0 {
                std::thread::yield_now();
            }
            signal(&apply, name);
            let stopped = ended(apply);
            assert_eq!(stopped.code, code, "{stopped:?}");
            assert!(stopped.stdout.contains("The run ended early: interrupted"), "{stopped:?}");
        });
        let store = world.store();
        assert_eq!(store.unfinished().unwrap(), None, "the journal is complete");
        let summary = store.summary(&store.run_ids().unwrap()[0]).unwrap();
        assert!(matches!(summary.end, RunEnd::Closed(recard::ports::Interrupted::Yes)));
        let totals = summary.totals();
        assert_eq!(totals.planned() as usize, summary.header.targets.len());
        assert_eq!(u64::from(totals.done), world.emulator.counters().rows_removed, "{totals:?}");
        assert!(totals.done > 0 && totals.failed > 0 && totals.unknown == 0, "{totals:?}");
        assert_eq!(store.lock_state().unwrap(), LockState::Free);
        // The rest can be done at once.
        let rest = world.place.run(&APPLY);
        assert_eq!(rest.code, 0, "{rest:?}");
        assert_eq!(world.emulator.complaints(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_signal_stops_at_once_and_the_journal_is_still_valid() {
    let (world, people) = World::of(20).await;
    world.manifest(&ids(&people), "");
    tokio::task::block_in_place(|| {
        // The first request that resets somebody takes a minute.
        let inside = "crm.lead.details.configuration.reset";
        let script =
            json!([{"method": "batch", "inside": inside, "nth": 1, "do": "slow", "ms": 60000}]);
        world.emulator.set_faults(&script).unwrap();
        let mut apply = world.start(&APPLY);
        while !world.store().unfinished().is_ok_and(|run| run.is_some()) {
            std::thread::yield_now();
        }
        signal(&apply, "INT");
        // It has noticed once it says so.
        let mut said = String::new();
        let mut stderr = std::io::BufReader::new(apply.stderr.take().unwrap());
        while !said.contains("once more to stop at once") {
            assert!(std::io::BufRead::read_line(&mut stderr, &mut said).unwrap() > 0, "{said}");
        }
        signal(&apply, "INT");
        assert_eq!(apply.wait().unwrap().code(), Some(130));
        world.emulator.set_faults(&json!([])).unwrap();
        let run = world.store().unfinished().unwrap().unwrap();
        let resumed = world.place.run(&["resume", "--settle-time", "0s"]);
        assert_eq!(resumed.code, 3, "{resumed:?}");
        let summary = world.store().summary(&run).unwrap();
        assert_eq!(summary.totals().planned(), 20);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_written_is_found_before_the_first_reset() {
    let (world, people) = World::of(5).await;
    world.manifest(&ids(&people), "");
    // A file where a folder must be, as a read-only or foreign place would be.
    world.place.file("occupied", "");
    let occupied = world.place.run(&[&APPLY[..], &["--store", "occupied"]].concat());
    assert_eq!(occupied.code, 1, "{occupied:?}");
    assert!(occupied.stderr.contains("cannot use as a store: occupied"), "{occupied:?}");
    // A disk with room for the plan, and none for backups.
    let full = world.apply_with_files_of_at_most(64);
    assert_eq!(full.code, 1, "{full:?}");
    assert!(full.stderr.contains("backups cannot be written, so nothing was reset"), "{full:?}");
    assert_eq!((resets_sent(&world.emulator), world.emulator.counters().rows_removed), (0, 0));
    assert_eq!(world.place.run(&APPLY).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_in_the_middle_stops_the_run_and_every_removed_card_has_its_backup() {
    let (world, people) = World::of(200).await;
    world.manifest(&ids(&people), "  guards:\n    acknowledge: { users: 200 }\n");
    let mut state = world.emulator.state();
    for row in state["options"].as_array_mut().unwrap().iter_mut().filter(|row| row["user_id"] != 0)
    {
        row["value"][0]["elements"][0]["title"] =
            json!(format!("{} {}", row["user_id"], "x".repeat(20_000)));
    }
    world.emulator.set_state(&state).unwrap();
    // Room for the probe and for some seventy backups.
    let stopped = world.apply_with_files_of_at_most(1536);
    assert_eq!(stopped.code, 3, "{stopped:?}");
    assert!(stopped.stderr.contains("the store failed, and the run stopped"), "{stopped:?}");
    let removed = world.emulator.counters().rows_removed;
    assert!(removed > 0 && removed < 200, "{removed}");
    let store = world.store();
    let run = store.run_ids().unwrap().pop().unwrap();
    if store.unfinished().unwrap().is_some() {
        let resumed = world.place.run(&["resume", "--settle-time", "0s"]);
        assert_eq!(resumed.code, 3, "{resumed:?}");
    }
    let summary = store.summary(&run).unwrap();
    assert_eq!((summary.totals().planned(), u64::from(summary.totals().done)), (200, removed));
    let restored =
        world.place.run(&["restore", "last", "--all", "--auto-approve", "--rate", "unlimited"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(world.emulator.counters().rows_written, removed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_elses_card_is_put_back_on_a_portal_whose_reads_are_not_trusted() {
    let (world, people) = World::of(5).await;
    world.manifest(&ids(&people), "");
    assert_eq!(world.place.run(&APPLY).code, 0);
    // The portal is put back to a release that reads and writes the caller's card, whoever is
    // named.
    let before = world.rows();
    let mut state = world.emulator.state();
    let old = Emulator::start_with(EmulatorOptions {
        release: Some(Release::LegacyRead),
        ..EmulatorOptions::default()
    });
    state["variant"] = old.await.unwrap().state()["variant"].clone();
    world.emulator.set_state(&state).unwrap();
    for more in [&[][..], &["--overwrite-newer"]] {
        let restored =
            world.place.run(&[&["restore", "last", "--all", "--auto-approve"], more].concat());
        assert_eq!(restored.code, 3, "{restored:?}");
        assert!(
            restored.stdout.contains("cannot be read, or the read cannot be believed"),
            "{restored:?}"
        );
    }
    assert_eq!((sets_sent(&world.emulator), world.rows()), (0, before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_and_show_tell_who_did_what_from_which_commit_and_manifest() {
    let (world, people) = World::of(3).await;
    world.manifest(&ids(&people), "");
    let mut command = world.place.command(&APPLY);
    let applied = Ended::of(
        command
            .env("RECARD_ACTOR", "anna")
            .env("RECARD_COMMIT", "1a2b3c4d5e6f7a8b")
            .output()
            .unwrap(),
    );
    assert_eq!(applied.code, 0, "{applied:?}");
    let history = world.place.run(&["history"]);
    assert!(history.stdout.contains("3 of 3 done"), "{history:?}");
    assert!(history.stdout.contains("    test, by anna, commit 1a2b3c4d5e6f\n"), "{history:?}");
    let shown = world.place.run(&["show", "last"]);
    for text in ["manifest test: to try", "commit 1a2b3c4d5e6f7a8b", "by anna", "as user 1 of"] {
        assert!(shown.stdout.contains(text), "{text}: {shown:?}");
    }
    let shown = world.place.run(&["show", "last", "--output", "json"]);
    let report: Value = serde_json::from_str(&shown.stdout).unwrap();
    let about = &report["about"];
    assert_eq!((&about["actor"], &about["commit"]), (&json!("anna"), &json!("1a2b3c4d5e6f7a8b")));
    assert_eq!((&about["planned"], &report["totals"]["planned"]), (&json!(3), &json!(3)));
    // Plan and report lie beside the journal.
    let run = world.store().run_ids().unwrap().pop().unwrap();
    let plan =
        recard::records::plan_file::PlanFile::parse(&world.store().plan(&run).unwrap().unwrap())
            .unwrap();
    assert_eq!(plan.content.targets.len(), 3);
    let kept =
        recard::records::decode_run_report(&world.store().report(&run).unwrap().unwrap()).unwrap();
    assert_eq!(kept, world.store().summary(&run).unwrap().into_report().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_trail_that_was_edited_or_cut_off_is_found() {
    let (world, people) = World::of(3).await;
    world.manifest(&ids(&people), "");
    assert_eq!(world.place.run(&APPLY).code, 0);
    for store in ["elsewhere", "."] {
        let elsewhere = world.place.run(&["audit", "verify", "--store", store]);
        assert!(
            elsewhere.code == 1 && elsewhere.stderr.contains("knows nothing of"),
            "{elsewhere:?}"
        );
    }
    let verified = world.place.run(&["audit", "verify"]);
    assert!(verified.code == 0 && verified.stdout.contains("2 events, 1 run"), "{verified:?}");
    let path = world.folder().join("audit.jsonl");
    let trail = std::fs::read_to_string(&path).unwrap();
    for (damaged, told) in [
        (trail.replace("\"done\":3", "\"done\":2"), "line 2 was altered after it was written"),
        (
            trail.lines().skip(1).map(|line| format!("{line}\n")).collect(),
            "does not follow the line before",
        ),
        (String::new(), "the audit trail has no word of the run"),
    ] {
        assert_ne!(damaged, trail);
        recard::store::write_whole(&path, damaged.as_bytes()).unwrap();
        let ended = world.place.run(&["audit", "verify"]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mode_once_is_remembered_in_a_file_that_can_be_committed() {
    let (world, people) = World::of(3).await;
    world.manifest(&ids(&people), "      mode: { once: 2026-11 }\n");
    let with_ledger = |arguments: &[&str]| {
        // Each time with a store of its own, as in a pipeline that keeps none.
        let store = tempfile::tempdir().unwrap();
        let path = store.path().display().to_string();
        world.place.run(&[arguments, &["--ledger", "once.json", "--store", &path]].concat())
    };
    let missing = with_ledger(&APPLY);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.stderr.contains("recard ledger new once.json"), "{missing:?}");
    assert_eq!(resets_sent(&world.emulator), 0);
    assert_eq!(world.place.run(&["ledger", "new", "once.json"]).code, 0);
    assert_eq!(
        world.place.run(&["ledger", "new", "once.json"]).code,
        1,
        "a ledger is never begun over another"
    );
    assert_eq!(with_ledger(&APPLY).code, 0);
    assert_eq!(world.emulator.counters().rows_removed, 3);
    let ledger = std::fs::read_to_string(world.place.path().join("once.json")).unwrap();
    assert!(!ledger.contains("elements") && !ledger.contains("of "), "no content: {ledger}");
    save(&world.emulator, row(people[0], "lead_details", "again"));
    let again = with_ledger(&APPLY);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(world.emulator.counters().rows_removed, 3);
    // Whose entry is taken out has another turn.
    let entry = format!("personal/{}/simple", people[0]);
    let kept: Vec<&str> = ledger.lines().filter(|line| !line.contains(&entry)).collect();
    let text = kept.join("\n").replace("},\n  ]", "}\n  ]");
    world.place.file("once.json", &text);
    let turn = with_ledger(&APPLY);
    assert_eq!(turn.code, 0, "{turn:?}");
    assert_eq!(world.emulator.counters().rows_removed, 4);
    // Damage is an error and never an empty memory.
    for damaged in
        [String::new(), text[..text.len() / 2].to_owned(), text.replace("simple", "repeat")]
    {
        world.place.file("once.json", &damaged);
        let ended = with_ledger(&APPLY);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains("once.json"), "{ended:?}");
    }
    assert_eq!(world.emulator.counters().rows_removed, 4);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_cannot_be_written_does_not_hide_the_run() {
    // Where stdout goes to, and the options that send reports there and elsewhere.
    let cases: [(&str, &[&str]); 4] = [
        ("full", &["--output", "json"]),
        ("gone", &["--output", "json"]),
        ("gone", &[]),
        ("", &["--output", "text", "--output", "junit=reports/run.xml"]),
    ];
    let restore = ["restore", "last", "--all", "--auto-approve"];
    for (stdout, output) in cases {
        let (world, people) = World::of(5).await;
        world.manifest(&ids(&people), "");
        let before = world.rows();
        for command in [&APPLY[..], &restore[..]] {
            std::fs::create_dir_all(world.place.path().join("reports")).unwrap();
            let inside = if command[0] == "apply" { "reset" } else { "set" };
            let inside = format!("crm.lead.details.configuration.{inside}");
            world
                .emulator
                .set_faults(&json!([{"method": inside, "nth": 1, "do": "slow", "ms": 1500}]))
                .unwrap();
            let mut command = world.place.command(&[command, output].concat());
            let (reader, writer) = std::io::pipe().unwrap();
            match stdout {
                "full" => {
                    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap())
                }
                "gone" => command.stdout(writer),
                _ => command.stdout(Stdio::piped()),
            };
            let child = command.stderr(Stdio::piped()).spawn().unwrap();
            let runs = world.store().run_ids().unwrap().len();
            while world.store().run_ids().unwrap().len() == runs {
                std::thread::yield_now();
            }
            // The plan was shown, and the run is under way.
            drop(reader);
            std::fs::remove_dir(world.place.path().join("reports")).unwrap();
            let ended = tokio::task::block_in_place(|| ended(child));
            let run = world.store().run_ids().unwrap().pop().unwrap();
            assert_eq!(ended.code, 3, "{stdout}, {output:?}: {ended:?}");
            for told in [
                "Done: 5 of 5 cards",
                &format!("the run {run} is over, but its report could not be written"),
                &format!("recard restore {run} --all"),
            ] {
                assert!(ended.stderr.contains(told), "{stdout}, {output:?}: {told}: {ended:?}");
            }
            assert!(world.store().report(&run).unwrap().is_some());
        }
        assert_eq!(world.rows().as_array().unwrap().len(), before.as_array().unwrap().len());
    }
}
