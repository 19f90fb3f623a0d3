//! A run in a database whose journal is gone.

use crate::support::company::manifest;
use crate::support::env::TestEnv;
use crate::support::postgres::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn run_in_a_database_without_a_journal_is_still_a_run() {
    let Some(database) = TestDatabase::create().await else { return };
    let env = TestEnv::quickstart();
    let run = |line: &str| env.run_embedded(&format!("{line} --store {}", database.url));
    let client = database.client().await;
    for users in ["{ ids: [7] }", "{ ids: [12] }"] {
        env.file("lead.yaml", &manifest("embedded", users, ""));
        let applied = run("apply -f lead.yaml --auto-approve");
        assert!(applied.code == 0 && applied.stdout.contains("Done: "), "{applied:?}");
    }
    let newest: String =
        client.query_one("select max(run) from recard.run", &[]).await.unwrap().get(0);
    client.execute("delete from recard.journal where run = $1", &[&newest]).await.unwrap();

    let listed = run("history");
    assert!(listed.code == 0 && listed.stdout.starts_with(&newest), "{listed:?}");
    assert!(listed.stderr.contains("journal.jsonl is damaged: it is missing"), "{listed:?}");
    let recovered = run("recover");
    assert!(recovered.stdout.contains("No run is unfinished."), "{recovered:?}");
    let applied = run("apply -f lead.yaml --auto-approve");
    assert!(applied.code == 0 && applied.stdout.contains("No changes."), "{applied:?}");
    let restored = run("restore last --all --auto-approve");
    assert_eq!(restored.code, 3, "{restored:?}");
    assert!(restored.stdout.contains(&format!("of the run {newest}")), "{restored:?}");
    assert!(restored.stdout.contains("done   personal/12/lead/simple"), "{restored:?}");

    // Without a word of its end, the run may have been cut. It is closed like any other.
    for forget in [
        "delete from recard.journal where run = (select max(run) from recard.run)",
        "delete from recard.run_file where run = (select max(run) from recard.run)",
        "delete from recard.audit where number = (select max(number) from recard.audit)",
    ] {
        assert!(client.execute(forget, &[]).await.unwrap() > 0, "{forget}");
    }
    let refused = run("apply -f lead.yaml --auto-approve");
    assert!(refused.code == 4 && refused.stderr.contains("was cut before its end"), "{refused:?}");
    let recovered = run("recover --settle-time 0s");
    assert_eq!(recovered.code, 3, "{recovered:?}");
    let applied = run("apply -f lead.yaml --auto-approve");
    assert!(applied.code == 0 && applied.stdout.contains("Done: "), "{applied:?}");
}
