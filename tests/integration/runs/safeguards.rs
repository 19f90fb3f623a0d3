//! Safeguards: guards, locks, signals, simultaneous saves of people, and failing disks.

use std::process::{Command, Stdio};

use recard::emulator::{Emulator, EmulatorOptions, Release};
use recard::ports::Archive as _;
use serde_json::json;

use super::locks_and_signals::ended;
use crate::support::company::{ids, manifest, people, resets_sent, row, save, sets_sent};
use crate::support::env::{CommandOutput, TestEnv};
use crate::support::wait::Wait as _;

pub(super) const APPLY: [&str; 6] =
    ["apply", "-f", "lead.yaml", "--auto-approve", "--rate", "unlimited"];

/// An apply on a disk on which no file can grow beyond so many KiB.
fn apply_with_files_of_at_most(env: &TestEnv, kibibytes: u32) -> CommandOutput {
    let recard = env!("CARGO_BIN_EXE_recard");
    let script =
        format!("trap '' XFSZ; ulimit -f {}; exec '{recard}' {}", 2 * kibibytes, APPLY.join(" "));
    let mut command = Command::new("sh");
    let webhook = env.emulator().webhook_url(1).unwrap();
    command
        .args(["-c", &script])
        .current_dir(env.path())
        .env_clear()
        .env("RECARD_WEBHOOK_URL", webhook);
    CommandOutput::of(command.stdin(Stdio::null()).output().unwrap())
}

/// Refused by a guard: exit code 4, and nothing written to the portal. Gives what was said.
fn is_refused(env: &TestEnv, guard: &str) -> String {
    let before = env.rows();
    let planned = env.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(planned.code, 0, "a guard never blocks a plan: {planned:?}");
    assert!(planned.stdout.contains(guard), "{guard}: {planned:?}");
    let ended = env.run(&APPLY);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.stderr.contains("blocked by guard `"), "{ended:?}");
    assert_eq!((resets_sent(env.emulator()), sets_sent(env.emulator())), (0, 0), "{guard}");
    assert_eq!(env.emulator().counters().rows_removed, 0, "{guard}");
    assert_eq!(env.rows(), before, "{guard}");
    assert_eq!(env.store().run_ids().wait().unwrap(), [], "{guard}");
    ended.stderr
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guard_on_people_is_lifted_up_to_the_acknowledged_number() {
    let (env, people) = TestEnv::with_customized_cards(38).await;
    let acknowledged = "  guards:\n    acknowledge: { users: 37 }\n";
    env.write_manifest(&ids(&people), "");
    let told = is_refused(&env, "38 people would lose a card; the limit maxUsers is 25");
    assert!(told.contains("    guards:\n      acknowledge: { users: 38 }"), "{told}");
    env.write_manifest(&ids(&people), acknowledged);
    is_refused(&env, "38 people would lose a card; the limit maxUsers is 25");
    env.write_manifest(&ids(&people[..37]), acknowledged);
    let applied = env.run(&APPLY);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!(env.emulator().counters().rows_removed, 37);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guard_on_the_share_of_the_portal_writes_nothing() {
    // 36 employees work in the company: eleven of them are more than a tenth.
    let env = TestEnv::start().await;
    let mut state = env.emulator().state();
    let eleven: Vec<i64> =
        people(&state).into_iter().filter(|id| (11..23).contains(id) && *id != 17).collect();
    let options = state["options"].as_array_mut().unwrap();
    options.retain(|row| row["user_id"] == 0);
    options.extend(eleven.iter().map(|id| row(*id, "lead_details", "mine")));
    env.emulator().set_state(&state).unwrap();
    assert_eq!(eleven.len(), 11);
    env.write_manifest(&ids(&eleven), "");
    let told = is_refused(
        &env,
        "11 of 36 employees would lose a card; the limit maxPercentOfUsers is 10 %",
    );
    assert!(told.contains("acknowledge: { users: 11 }"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guard_on_a_common_card_writes_nothing_until_acknowledged() {
    let env = TestEnv::start().await;
    let mut common = row(0, "lead_details_common", "for all");
    common["common"] = json!("Y");
    save(env.emulator(), common);
    env.write_manifest("{ ids: [16] }", "  common:\n    leadCustomerTypes: [simple]\n");
    let told = is_refused(&env, "the common card for simple leads would be lost");
    assert!(told.contains("acknowledge: { common: [simple] }"), "{told}");
    let other = "  common:\n    leadCustomerTypes: [simple]\n  guards:\n    acknowledge: { common: [repeat] }\n";
    env.write_manifest("{ ids: [16] }", other);
    is_refused(&env, "the common card for simple leads would be lost");
    env.write_manifest("{ ids: [16] }", &other.replace("common: [repeat]", "common: [simple]"));
    assert_eq!(env.run(&APPLY).code, 0);
    assert_eq!(env.emulator().counters().rows_removed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guard_on_the_caller_and_user_1_writes_nothing_until_acknowledged() {
    let env = TestEnv::start().await;
    save(env.emulator(), row(1, "lead_details", "own"));
    env.write_manifest("{ ids: [1] }", "");
    let told = is_refused(&env, "user 1 would lose a card: the owner of the webhook");
    assert!(told.contains("acknowledge: { people: [1] }"), "{told}");

    // With the webhook of another administrator user 1 is still user 1.
    let webhooks = env.emulator().webhooks();
    let other = webhooks.iter().find(|webhook| webhook.user == 9).unwrap();
    let by_nine = TestEnv::with_webhook(&other.url);
    save(env.emulator(), row(9, "lead_details", "own"));
    for (users, text) in [
        ("{ ids: [1] }", "user 1 would lose a card: usually the portal's first administrator"),
        ("{ ids: [9] }", "user 9 would lose a card: the owner of the webhook"),
    ] {
        by_nine.file("lead.yaml", &manifest(&env.portal(), users, ""));
        let ended = by_nine.run(&APPLY);
        assert_eq!(ended.code, 4, "{ended:?}");
        assert!(ended.stderr.contains(text), "{ended:?}");
    }
    assert_eq!((resets_sent(env.emulator()), env.emulator().counters().rows_removed), (0, 0));
    let named = "  guards:\n    acknowledge: { people: [9] }\n";
    by_nine.file("lead.yaml", &manifest(&env.portal(), "{ ids: [9] }", named));
    assert_eq!(by_nine.run(&APPLY).code, 0);
    assert_eq!(env.emulator().counters().rows_removed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guard_on_protected_people_cannot_be_acknowledged() {
    let env = TestEnv::start().await;
    let more = "  protect: { ids: [7] }\n  guards:\n    maxUsers: 1000\n    acknowledge: { users: 1000, people: [7] }\n";
    env.write_manifest("{ departments: [{ id: 41, recursive: true }] }", more);
    let told = is_refused(&env, "user 7 would lose a card, and is protected");
    assert!(!told.contains("acknowledge:"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guard_on_a_shrunk_selection_writes_nothing_until_acknowledged() {
    let (env, people) = TestEnv::with_customized_cards(20).await;
    env.write_manifest(&ids(&people[..10]), "");
    assert_eq!(env.run(&APPLY).code, 0);
    let removed = env.emulator().counters().rows_removed;
    // Half of the selection is gone, and the other half has arranged its cards again.
    for id in &people[..5] {
        save(env.emulator(), row(*id, "lead_details", "again"));
    }
    env.write_manifest(&ids(&people[..5]), "");
    let before = env.rows();
    let ended = env.run(&APPLY);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(
        ended.stderr.contains("the manifests select 5 people, and selected 10 in the last run"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("acknowledge: { selection: 5 }"), "{ended:?}");
    assert_eq!((env.emulator().counters().rows_removed, env.rows()), (removed, before));
    env.write_manifest(&ids(&people[..5]), "  guards:\n    acknowledge: { selection: 5 }\n");
    assert_eq!(env.run(&APPLY).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_save_just_before_the_reset_is_restored_and_reported() {
    let (env, people) = TestEnv::with_customized_cards(10).await;
    env.write_manifest(&ids(&people), "");
    let newer = row(people[4], "lead_details", "saved in the last moment");
    let get = "crm.lead.details.configuration.get";
    let script = json!([{"method": get, "nth": first_read_of_reset(&env, &people, people[4]), "do": "save",
        "row": {"user_id": people[4], "name": "lead_details", "value": newer["value"]}}]);
    env.emulator().set_faults(&script).unwrap();
    // With no room in the counter everything goes into full requests, whose order never changes.
    let applied = env.run(&["apply", "-f", "lead.yaml", "--auto-approve", "--rate", "4,3"]);
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
    let kept = env.rows();
    let kept = kept.as_array().unwrap().iter().find(|row| row["user_id"] == people[4]).unwrap();
    assert_eq!(kept["value"][0]["elements"][0]["title"], "saved in the last moment");
    assert_eq!(sets_sent(env.emulator()), 1);
    // What they saved lies in a backup, too.
    let store = env.store();
    let run = store.run_ids().await.unwrap().pop().unwrap();
    let records = store.journal(&run).await.unwrap();
    let set = records.iter().find_map(|record| match record {
        recard::ports::JournalRecord::SetIntent { target, digest, .. } => Some((*target, *digest)),
        _ => None,
    });
    let (target, digest) = set.unwrap();
    assert!(
        store
            .backup(&run, target, digest)
            .await
            .unwrap()
            .as_json()
            .contains("saved in the last moment")
    );
}

/// Returns the number of the read just before the reset of a person, as an apply counts them:
/// learned from the same apply on the same portal.
fn first_read_of_reset(env: &TestEnv, people: &[i64], person: i64) -> u64 {
    let get = "crm.lead.details.configuration.get";
    let before = env.emulator().counters().by_method.get(get).copied().unwrap_or(0);
    assert_eq!(env.run(&["plan", "-f", "lead.yaml"]).code, 0);
    let of_plan = env.emulator().counters().by_method[get] - before;
    // The reads of the apply's own plan, then a pair of reads for each person, in the order of
    // their ids.
    let place = people.iter().position(|id| *id == person).unwrap() as u64;
    of_plan + place * 2 + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_that_cannot_be_written_is_refused_before_the_first_reset() {
    let (env, people) = TestEnv::with_customized_cards(5).await;
    env.write_manifest(&ids(&people), "");
    // A file where a folder must be, as a read-only or foreign place would be.
    env.file("occupied", "");
    let occupied = env.run(&[&APPLY[..], &["--store", "occupied"]].concat());
    assert_eq!(occupied.code, 1, "{occupied:?}");
    assert!(occupied.stderr.contains("cannot use as a store: occupied"), "{occupied:?}");
    // A disk with room for the plan, and none for backups.
    let full = apply_with_files_of_at_most(&env, 64);
    assert_eq!(full.code, 1, "{full:?}");
    assert!(full.stderr.contains("backups cannot be written, so nothing was reset"), "{full:?}");
    assert_eq!((resets_sent(env.emulator()), env.emulator().counters().rows_removed), (0, 0));
    assert_eq!(env.run(&APPLY).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_that_fails_during_a_run_stops_it_and_each_reset_has_its_backup() {
    let (env, people) = TestEnv::with_customized_cards(200).await;
    env.write_manifest(&ids(&people), "  guards:\n    acknowledge: { users: 200 }\n");
    let mut state = env.emulator().state();
    for row in state["options"].as_array_mut().unwrap().iter_mut().filter(|row| row["user_id"] != 0)
    {
        row["value"][0]["elements"][0]["title"] =
            json!(format!("{} {}", row["user_id"], "x".repeat(20_000)));
    }
    env.emulator().set_state(&state).unwrap();
    // Room for the probe and for some seventy backups.
    let stopped = apply_with_files_of_at_most(&env, 1536);
    assert_eq!(stopped.code, 3, "{stopped:?}");
    assert!(stopped.stderr.contains("the store failed, and the run stopped"), "{stopped:?}");
    let removed = env.emulator().counters().rows_removed;
    assert!(removed > 0 && removed < 200, "{removed}");
    let store = env.store();
    let run = store.run_ids().await.unwrap().pop().unwrap();
    if store.unfinished().await.unwrap().is_some() {
        let resumed = env.run(&["recover", "--settle-time", "0s"]);
        assert_eq!(resumed.code, 3, "{resumed:?}");
    }
    let summary = store.summary(&run).await.unwrap();
    assert_eq!((summary.totals().planned(), u64::from(summary.totals().done)), (200, removed));
    let restored = env.run(&["restore", "last", "--all", "--auto-approve", "--rate", "unlimited"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(env.emulator().counters().rows_written, removed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_with_untrusted_reads_writes_no_card_of_others() {
    let (env, people) = TestEnv::with_customized_cards(5).await;
    env.write_manifest(&ids(&people), "");
    assert_eq!(env.run(&APPLY).code, 0);
    // The portal is put back to a release that reads and writes the caller's card, whoever is
    // named.
    let before = env.rows();
    let mut state = env.emulator().state();
    let old = Emulator::start_with(EmulatorOptions {
        release: Some(Release::LegacyRead),
        ..EmulatorOptions::default()
    });
    state["variant"] = old.await.unwrap().state()["variant"].clone();
    env.emulator().set_state(&state).unwrap();
    for more in [&[][..], &["--overwrite-newer"]] {
        let restored = env.run(&[&["restore", "last", "--all", "--auto-approve"], more].concat());
        assert_eq!(restored.code, 3, "{restored:?}");
        assert!(
            restored.stdout.contains("cannot be read, or the read cannot be believed"),
            "{restored:?}"
        );
    }
    assert_eq!((sets_sent(env.emulator()), env.rows()), (0, before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_ledger_file_keeps_resets_between_runs() {
    let (env, people) = TestEnv::with_customized_cards(3).await;
    env.write_manifest(&ids(&people), "      mode: { once: 2026-11 }\n");
    let with_ledger = |arguments: &[&str]| {
        // Each time with a store of its own, as in a pipeline that keeps none.
        let store = tempfile::tempdir().unwrap();
        let path = store.path().display().to_string();
        env.run(&[arguments, &["--ledger", "once.json", "--store", &path]].concat())
    };
    let missing = with_ledger(&APPLY);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.stderr.contains("recard ledger new once.json"), "{missing:?}");
    assert_eq!(resets_sent(env.emulator()), 0);
    assert_eq!(env.run(&["ledger", "new", "once.json"]).code, 0);
    assert_eq!(
        env.run(&["ledger", "new", "once.json"]).code,
        1,
        "a ledger is never begun over another"
    );
    assert_eq!(with_ledger(&APPLY).code, 0);
    assert_eq!(env.emulator().counters().rows_removed, 3);
    let ledger = std::fs::read_to_string(env.at("once.json")).unwrap();
    assert!(!ledger.contains("elements") && !ledger.contains("of "), "no content: {ledger}");
    save(env.emulator(), row(people[0], "lead_details", "again"));
    let again = with_ledger(&APPLY);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(env.emulator().counters().rows_removed, 3);
    // Whose entry is taken out has another turn.
    let entry = format!("personal/{}/lead/simple", people[0]);
    let kept: Vec<&str> = ledger.lines().filter(|line| !line.contains(&entry)).collect();
    let text = kept.join("\n").replace("},\n  ]", "}\n  ]");
    env.file("once.json", &text);
    let turn = with_ledger(&APPLY);
    assert_eq!(turn.code, 0, "{turn:?}");
    assert_eq!(env.emulator().counters().rows_removed, 4);
    // Damage is an error and never an empty memory.
    for damaged in
        [String::new(), text[..text.len() / 2].to_owned(), text.replace("simple", "repeat")]
    {
        env.file("once.json", &damaged);
        let ended = with_ledger(&APPLY);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains("once.json"), "{ended:?}");
    }
    assert_eq!(env.emulator().counters().rows_removed, 4);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_with_a_report_that_cannot_be_written_names_the_run() {
    // Where stdout goes to, and the options that send reports there and elsewhere.
    let cases: [(&str, &[&str]); 4] = [
        ("full", &["--output", "json"]),
        ("gone", &["--output", "json"]),
        ("gone", &[]),
        ("", &["--output", "text", "--output", "junit=reports/run.xml"]),
    ];
    let restore = ["restore", "last", "--all", "--auto-approve"];
    for (stdout, output) in cases {
        let (env, people) = TestEnv::with_customized_cards(5).await;
        env.write_manifest(&ids(&people), "");
        let before = env.rows();
        for command in [&APPLY[..], &restore[..]] {
            std::fs::create_dir_all(env.at("reports")).unwrap();
            let inside = if command[0] == "apply" { "reset" } else { "set" };
            let inside = format!("crm.lead.details.configuration.{inside}");
            env.emulator()
                .set_faults(&json!([{"method": inside, "nth": 1, "do": "slow", "ms": 1500}]))
                .unwrap();
            let mut command = env.command(&[command, output].concat());
            let (reader, writer) = std::io::pipe().unwrap();
            match stdout {
                "full" => {
                    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap())
                }
                "gone" => command.stdout(writer),
                _ => command.stdout(Stdio::piped()),
            };
            let child = command.stderr(Stdio::piped()).spawn().unwrap();
            let runs = env.store().run_ids().await.unwrap().len();
            while env.store().run_ids().await.unwrap().len() == runs {
                std::thread::yield_now();
            }
            // The plan was shown, and the run is under way.
            drop(reader);
            std::fs::remove_dir(env.at("reports")).unwrap();
            let ended = tokio::task::block_in_place(|| ended(child));
            let run = env.store().run_ids().await.unwrap().pop().unwrap();
            assert_eq!(ended.code, 3, "{stdout}, {output:?}: {ended:?}");
            for told in [
                "Done: 5 of 5 cards",
                &format!("the run {run} is over, but its report could not be written"),
                &format!("recard restore {run} --all"),
            ] {
                assert!(ended.stderr.contains(told), "{stdout}, {output:?}: {told}: {ended:?}");
            }
            assert!(env.store().report(&run).await.unwrap().is_some());
        }
        assert_eq!(env.rows().as_array().unwrap().len(), before.as_array().unwrap().len());
    }
}
