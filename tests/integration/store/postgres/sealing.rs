//! Sealed backups: a database that cannot be read as people's layouts.

use recard::ports::{Archive as _, RunLog as _, StoreError};
use recard::store::postgres::{Database, DatabaseAccess, DatabaseAddress};
use recard::store::{StoreLocation, write_whole};

use crate::store::store_laws::{self, card, header, intent, layout, lock, run, store};
use crate::support::postgres::TestDatabase;

fn with_key(database: &TestDatabase, file: &std::path::Path) -> StoreLocation {
    let url = format!("{}?backupkeyfile={}", database.url, file.display());
    let address = DatabaseAddress::parse(&url).unwrap();
    StoreLocation::Database(Database::new(address, &DatabaseAccess::default()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_backups_are_read_with_their_key_alone() {
    let Some(database) = TestDatabase::create().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (file, foreign) = (folder.path().join("key"), folder.path().join("foreign"));
    write_whole(&file, format!("{}\n", "5a".repeat(32)).as_bytes()).unwrap();
    write_whole(&foreign, "5b".repeat(32).as_bytes()).unwrap();
    let sealed = with_key(&database, &file);
    Box::pin(store_laws::check(&sealed)).await;

    let here = store(&sealed, "sealed");
    let mut guard = lock(&here).await;
    for number in 1..4 {
        let mut log = guard.start_run(run(number), header(&here, &[card(1)])).await.unwrap();
        log.save_backups(&[(card(1), &layout("Geheim"))]).await.unwrap();
        log.append(&[intent(card(1), &layout("Geheim"))]).await.unwrap();
    }
    let digest = layout("Geheim").digest();
    assert_eq!(here.backup(&run(3), card(1), digest).await.unwrap(), layout("Geheim"));
    let client = database.client().await;
    let text = "select line, digest from recard.backup where portal = 'sealed.example.com'";
    let rows = client.query(text, &[]).await.unwrap();
    assert_eq!(rows.len(), 1, "a layout is stored once");
    let line: String = rows[0].get(0);
    assert!(line.starts_with("sealed1 ") && !line.contains("Geheim"), "{line}");
    let open = "select count(*) from recard.backup where line like '%main%' or digest like 'sha%'";
    assert_eq!(client.query_one(open, &[]).await.unwrap().get::<_, i64>(0), 0);

    for (other, said) in [
        (with_key(&database, &foreign), "sealed with another key"),
        (
            StoreLocation::Database(database.open().await),
            "neither --backup-key-file nor the address",
        ),
    ] {
        let problem = store(&other, "sealed").backup(&run(1), card(1), digest).await.unwrap_err();
        assert!(matches!(problem, StoreError::Damaged { .. }), "{problem}");
        assert!(problem.to_string().contains(said), "{problem}");
    }
    // A line that was moved to another portal does not open there.
    let text = "update recard.backup set line = $1 where portal = 'run.example.com'";
    client.execute(text, &[&line]).await.unwrap();
    let moved = store(&sealed, "run").backup(&run(1), card(1), layout("before").digest()).await;
    assert!(matches!(moved, Err(StoreError::Damaged { .. })), "{moved:?}");

    write_whole(&file, b"too short").unwrap();
    let url = format!("{}?backupkeyfile={}", database.url, file.display());
    let address = DatabaseAddress::parse(&url).unwrap();
    let refused = Database::new(address, &DatabaseAccess::default()).unwrap_err();
    assert!(refused.to_string().contains("64 hexadecimal digits"), "{refused}");
}
