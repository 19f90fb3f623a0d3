//! Commands of one portal on a store in a database.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use recard::emulator::{Emulator, EmulatorOptions};

use crate::support::env::{CommandOutput, TestEnv};
use crate::support::postgres::TestDatabase;

/// Runs a command on the embedded portal, with the store in a database.
fn run(env: &TestEnv, database: &TestDatabase, line: &str) -> CommandOutput {
    env.run_embedded(&format!("{line} --store {}", database.url))
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_one_portal_work_on_a_database() {
    let Some(database) = TestDatabase::create_empty().await else { return };
    let env = TestEnv::quickstart();
    let early = run(&env, &database, "history");
    assert_eq!(early.code, 1, "{early:?}");
    assert!(early.stderr.contains("has version 0, and this recard needs version 1"), "{early:?}");
    assert!(early.stderr.contains("recard store migrate"), "{early:?}");

    let migrated = run(&env, &database, "store migrate");
    assert_eq!(migrated.code, 0, "{migrated:?}");
    assert!(migrated.stdout.contains("has version 1 now; it had 0"), "{migrated:?}");
    let again = run(&env, &database, "store migrate");
    assert!(again.stdout.contains("nothing was left to do"), "{again:?}");

    for (line, code, said) in [
        ("plan -f lead.yaml", 0, "3 cards of 2 people"),
        ("apply -f lead.yaml --auto-approve", 0, "Done: 9 of 9"),
        ("plan -f lead.yaml", 0, "No changes"),
        ("history", 0, "apply"),
        ("show last", 0, "reset, read back"),
        ("audit verify", 0, "1 run"),
        ("audit heads --output json=heads.json", 0, ""),
        ("restore last --all --auto-approve", 0, ""),
        ("audit verify", 0, "2 runs"),
        ("audit heads --check heads.json", 0, "1 earlier head is still in its log"),
        ("history --json", 0, "restore"),
        ("unlock", 0, "Nobody holds the lock"),
        ("ledger show", 0, ""),
        ("plan -f lead.yaml --out plan.json", 0, ""),
        ("apply plan.json --auto-approve", 0, "Done: 9 of 9"),
        ("apply plan.json --auto-approve", 5, ""),
        ("show plan.json", 0, "used"),
    ] {
        let ended = run(&env, &database, line);
        assert_eq!(ended.code, code, "{line}: {ended:?}");
        assert!(format!("{}{}", ended.stdout, ended.stderr).contains(said), "{line}: {ended:?}");
    }
    let text = "select count(*) from recard.run_history where closed \
                and abs(extract(epoch from now() - started)) < 600 and backups > 0 and lines > 2";
    let runs: i64 = database.client().await.query_one(text, &[]).await.unwrap().get(0);
    assert_eq!(runs, 3, "two applies and a restore");
    // The owner of the tables may delete lines, and is found out.
    let all = env.run(&["audit", "heads", "--store", &database.url, "-o", "json=heads.json"]);
    let heads = std::fs::read_to_string(env.at("heads.json")).unwrap();
    assert!(all.code == 0 && heads.contains("\"lines\": 7"), "{all:?} {heads}");
    let cut = "delete from recard.audit where number > 6";
    database.client().await.execute(cut, &[]).await.unwrap();
    let cut = run(&env, &database, "audit heads --check heads.json");
    assert!(cut.code == 1 && cut.stderr.contains("it had 7 lines, and has 6"), "{cut:?}");
    // Nothing of the store lies in the folder: only the state of the emulated portal does.
    assert!(!env.at(".recard/portals").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_what_a_crash_of_the_server_would_lose() {
    let Some(database) = TestDatabase::create().await else { return };
    let env = TestEnv::new();
    let ended = env.run(&["store", "check", "--store", &database.url]);
    // The servers of tests do not wait for their disks.
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stdout.contains("a crash of the machine loses backups"), "{ended:?}");
    assert!(ended.stdout.contains("set fsync = on"), "{ended:?}");
    assert!(ended.stdout.starts_with("Store postgres://"), "{ended:?}");
    let nowhere = "postgres://nobody@127.0.0.1:1/none";
    let away = env.run(&["store", "check", "--store", nowhere]);
    assert_eq!(away.code, 1, "{away:?}");
    assert!(away.stderr.contains("see that the server runs"), "{away:?}");
    assert!(!away.stderr.contains("recard store check"), "{away:?}");
    let folder = env.run(&["store", "check"]);
    assert_eq!(folder.code, 64, "{folder:?}");
    assert!(folder.stderr.contains(".recard is a folder"), "{folder:?}");
}

#[test]
fn address_with_a_password_is_refused_without_repeating_it() {
    let env = TestEnv::new();
    let ended = env.run(&["history", "--store", "postgres://u:geheim-wort@db.example.com/d"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.stderr.contains("PGPASSFILE"), "{ended:?}");
    assert!(!format!("{ended:?}").contains("geheim-wort"), "{ended:?}");
    let open = env.run(&["history", "--store", "postgres://u@db.example.com/d?sslmode=disable"]);
    assert_eq!(open.code, 64, "{open:?}");
    assert!(open.stderr.contains("verify-full"), "{open:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn portal_that_moved_is_refused_by_every_command() {
    let Some(database) = TestDatabase::create().await else { return };
    let env = TestEnv::quickstart();
    assert_eq!(env.run_embedded("apply -f lead.yaml --auto-approve").code, 0);
    let moved = env.run_embedded(&format!("store copy --to {}", database.url));
    assert_eq!(moved.code, 0, "{moved:?}");
    assert!(moved.stdout.contains("1 run"), "{moved:?}");
    for line in ["plan -f lead.yaml", "history", "restore last --all", "audit show", "unlock"] {
        let refused = env.run_embedded(line);
        assert_eq!(refused.code, 1, "{line}: {refused:?}");
        assert!(refused.stderr.contains("have moved to postgres://"), "{line}: {refused:?}");
    }
    let verified = run(&env, &database, "audit verify");
    assert_eq!(verified.code, 0, "{verified:?}");
    let restored = run(&env, &database, "restore last --all --auto-approve");
    assert_eq!(restored.code, 0, "{restored:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_that_was_killed_is_recovered_by_another_process_once_its_lease_ended() {
    let Some(database) = TestDatabase::create().await else { return };
    let client = database.client().await;
    let (env, people) = TestEnv::with_customized_cards(150).await;
    let before = env.rows();
    env.write_manifest(
        "{ all: true, except: { ids: [1] } }",
        "  guards: { acknowledge: { users: 150 } }\n",
    );
    let store = ["--store", &database.url];
    let apply = ["apply", "-f", "lead.yaml", "--auto-approve", "--rate", "50,5"];
    let mut child = env.spawn(&[&apply[..], &store[..]].concat());
    let begun = Instant::now();
    // Some requests have been sent, and others have not.
    loop {
        let text = "select count(*) from recard.journal";
        let lines: i64 = client.query_one(text, &[]).await.unwrap().get(0);
        if lines > 20 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{lines} lines");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let command = |words: &[&str]| env.run(&[words, &store[..]].concat());
    let locked = command(&["recover"]);
    assert_eq!(locked.code, 6, "{locked:?}");
    let text = "update recard.portal set lease = now() - interval '1 second'";
    client.batch_execute(text).await.unwrap();
    let refused = command(&apply);
    assert_eq!(refused.code, 4, "an interrupted run is recovered first: {refused:?}");
    let recovered = command(&["recover", "--settle-time", "0s"]);
    assert!([0, 3].contains(&recovered.code), "{recovered:?}");
    let restored = command(&["restore", "last", "--all", "--auto-approve"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(env.rows(), before, "{} people have their cards again", people.len());
    let verified = command(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn last_rounds_of_a_fleet_are_shown_on_another_machine() {
    let Some(database) = TestDatabase::create().await else { return };
    let options = EmulatorOptions { portals: NonZeroU32::new(3), ..EmulatorOptions::default() };
    let emulator = Emulator::start_with(options).await.unwrap();
    let (here, there) = (TestEnv::new(), TestEnv::new());
    recard_fleet(&here, &emulator);
    recard_fleet(&there, &emulator);
    let command = |env: &TestEnv, line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        env.run(&[&words[..], &["-o", "json", "--store", &database.url]].concat())
    };
    let outcomes = |output: &CommandOutput| -> Vec<String> {
        let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let rows = report["portals"].as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", row["last"]["command"], row["outcome"])).collect()
    };
    let planned = command(&here, "fleet plan --secrets secrets --rate unlimited");
    assert_eq!(planned.code, 0, "{planned:?}");
    let shown = command(&there, "fleet status");
    assert_eq!(outcomes(&shown), [r#""plan" "changes""#; 3], "{shown:?}");
    let apply = "fleet apply --secrets secrets --rate unlimited --auto-approve --wave canary";
    let applied = command(&here, apply);
    assert_eq!(applied.code, 0, "{applied:?}");
    let shown = command(&there, "fleet status");
    let [applied, planned] = [r#""apply" "applied""#, r#""plan" "changes""#];
    assert_eq!(outcomes(&shown), [applied, applied, planned], "{shown:?}");
    // A row says nothing about a revision.
    let rounds = "select count(*) from recard.portal where round_revision is not null";
    let rounds: i64 = database.client().await.query_one(rounds, &[]).await.unwrap().get(0);
    assert_eq!(rounds, 0);
}

/// Writes the fleet of the emulated portals, as `recard emulate --fleet-out` does.
fn recard_fleet(env: &TestEnv, emulator: &Emulator) {
    let mut text = "apiVersion: recard/v1\nkind: Fleet\nmetadata: { name: test, reason: Test }\nspec:\n  \
                    waves: [{ name: canary, select: { ring: canary } }, { name: rest }]\n  \
                    defaults: { manifests: [card.yaml], webhook: { file: \"{portal}\" } }\n  portals:\n"
        .to_owned();
    for (index, portal) in emulator.portals().iter().enumerate() {
        let ring = if index < 2 { "canary" } else { "rest" };
        text.push_str(&format!(
            "    - {{ portal: \"{}\", labels: {{ ring: {ring} }} }}\n",
            portal.host()
        ));
        let secret = format!("secrets/{}", portal.host().replace(':', "_"));
        env.file(&secret, &portal.webhook_url(1).unwrap());
    }
    env.file("fleet.yaml", &text);
    let card = "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: card, reason: test }\nspec:\n  \
                personal: [{ users: { ids: [8, 12] }, leadCustomerTypes: [simple] }]\n";
    env.file("card.yaml", card);
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_key_of_the_command_line_seals_a_database_and_nothing_else() {
    let Some(database) = TestDatabase::create().await else { return };
    let env = TestEnv::quickstart();
    let (key, other) = ("5a".repeat(32), "5b".repeat(32));
    env.file("key", &key);
    env.file("other", &other);
    let folder = env.run_embedded("history --backup-key-file key");
    assert_eq!(folder.code, 64, "{folder:?}");
    assert!(folder.stderr.contains(".recard is a folder"), "{folder:?}");
    let named = format!("?backupkeyfile={}", env.at("key").display());
    let two = env
        .run_embedded(&format!("history --backup-key-file other --store {}{named}", database.url));
    assert_eq!(two.code, 64, "{two:?}");
    assert!(two.stderr.contains("--backup-key-file names other"), "{two:?}");

    let applied = run(&env, &database, "apply -f lead.yaml --auto-approve --backup-key-file key");
    assert_eq!(applied.code, 0, "{applied:?}");
    let open = "select count(*) from recard.backup where line not like 'sealed1 %'";
    let client = database.client().await;
    assert_eq!(client.query_one(open, &[]).await.unwrap().get::<_, i64>(0), 0);
    let blind = run(&env, &database, "audit verify");
    assert!(blind.code == 1 && blind.stderr.contains("neither --backup-key-file"), "{blind:?}");
    let with_key = format!("{}{named}", database.url);
    for verified in [
        env.run_embedded(&format!("audit verify --store {with_key}")),
        run(&env, &database, "audit verify --backup-key-file key"),
    ] {
        assert_eq!(verified.code, 0, "{verified:?}");
    }
    let restored = run(&env, &database, "restore last --all --auto-approve --backup-key-file key");
    assert_eq!(restored.code, 0, "{restored:?}");
}
