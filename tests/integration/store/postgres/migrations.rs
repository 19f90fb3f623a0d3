//! Versions of the schema, and the rights of roles.

use recard::ports::StoreError;
use recard::store::postgres::{Database, DatabaseAccess, Migration, Rights};

use crate::support::postgres::TestDatabase;

#[tokio::test]
async fn database_without_tables_is_refused_until_it_is_migrated() {
    let Some(database) = TestDatabase::create_empty().await else { return };
    let access = DatabaseAccess::default();
    let opened = Database::open(database.address(), &access).await.unwrap_err();
    assert!(matches!(opened, StoreError::NotMigrated { found: 0, wanted: 1, .. }), "{opened}");
    let unchecked = Database::new(database.address(), &access).unwrap();
    let first = unchecked.migrate().await.unwrap();
    assert_eq!(first, Migration { from: 0, to: 1 });
    let second = unchecked.migrate().await.unwrap();
    assert_eq!(second, Migration { from: 1, to: 1 });
    Database::open(database.address(), &access).await.unwrap();
}

#[tokio::test]
async fn two_migrations_at_once_leave_one_schema() {
    let Some(database) = TestDatabase::create_empty().await else { return };
    let access = DatabaseAccess::default();
    let one = Database::new(database.address(), &access).unwrap();
    let both = tokio::join!(one.migrate(), one.migrate());
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    let rows = database.client().await.query("select * from recard.schema_version", &[]).await;
    assert_eq!(rows.unwrap().len(), 1);
}

#[tokio::test]
async fn newer_schema_is_used_only_if_it_says_so() {
    let Some(database) = TestDatabase::create().await else { return };
    let client = database.client().await;
    client.batch_execute("insert into recard.schema_version values (7, 1)").await.unwrap();
    database.open().await;
    client.batch_execute("insert into recard.schema_version values (8, 5)").await.unwrap();
    let opened = Database::open(database.address(), &DatabaseAccess::default()).await;
    let problem = opened.unwrap_err();
    assert!(matches!(problem, StoreError::SchemaTooNew { found: 5, known: 1, .. }), "{problem}");
}

#[tokio::test]
async fn unreachable_server_is_named_without_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::File::create(&path).unwrap();
    recard::store::write_whole(&path, b"geheim").unwrap();
    let url = format!("postgres://u@127.0.0.1:1/d?passwordfile={}", path.display());
    let address = recard::store::postgres::DatabaseAddress::parse(&url).unwrap();
    let problem = Database::open(address, &DatabaseAccess::default()).await.unwrap_err();
    let text = format!("{problem} {problem:?}");
    assert!(text.contains("postgres://u@127.0.0.1:1/d: 127.0.0.1: error connecting"), "{text}");
    assert!(!text.contains("geheim"), "{text}");
}

/// Runs a statement as another role.
async fn as_role(database: &TestDatabase, role: &str, statement: &str) -> Result<(), String> {
    let client = database.client().await;
    client.batch_execute(&format!("set role {role}")).await.unwrap();
    client.batch_execute(statement).await.map_err(|problem| {
        problem.as_db_error().map_or_else(|| problem.to_string(), |db| db.message().to_owned())
    })
}

#[tokio::test]
async fn worker_may_only_add_where_history_stands() {
    let Some(database) = TestDatabase::create().await else { return };
    let (worker, reader) =
        (format!("w_{}", std::process::id()), format!("r_{}", std::process::id()));
    let owner = database.client().await;
    let roles = format!(
        "drop role if exists {worker}; drop role if exists {reader}; create role {worker}; create role {reader}"
    );
    owner.batch_execute(&roles).await.unwrap();
    let opened = database.open().await;
    opened.grant(&worker, Rights::Worker).await.unwrap();
    opened.grant(&reader, Rights::Reader).await.unwrap();
    let portal = "insert into recard.portal (portal) values ('a.example.com')";
    as_role(&database, &worker, portal).await.unwrap();
    let history = [
        ("audit", "(portal, number, line, worker, token) values ('a.example.com', 1, '', '', 1)"),
        (
            "ledger",
            "(portal, generation, card, entry, worker, token) values ('a.example.com', '', '', '', '', 1)",
        ),
        (
            "used_plan",
            "(digest, portal, number, line, claim) values ('', 'a.example.com', 1, '', '')",
        ),
    ];
    for (table, values) in history {
        as_role(&database, &worker, &format!("insert into recard.{table} {values}")).await.unwrap();
        for change in [
            format!("delete from recard.{table}"),
            format!("update recard.{table} set portal = 'b.example.com'"),
            format!("truncate recard.{table}"),
        ] {
            let refused = as_role(&database, &worker, &change).await.unwrap_err();
            assert_eq!(refused, format!("permission denied for table {table}"), "{change}");
        }
    }
    for table in ["journal", "run_backup", "backup", "run"] {
        let refused = as_role(&database, &worker, &format!("delete from recard.{table}")).await;
        assert!(refused.unwrap_err().contains("permission denied"), "{table}");
    }
    as_role(&database, &reader, "select * from recard.portal_status, recard.run_history")
        .await
        .unwrap();
    for table in ["portal", "backup", "audit", "revision"] {
        let refused = as_role(&database, &reader, &format!("select * from recard.{table}")).await;
        assert!(refused.unwrap_err().contains("permission denied"), "{table}");
    }
    let drop = format!("drop owned by {worker}, {reader}; drop role {worker}, {reader}");
    owner.batch_execute(&drop).await.unwrap();
}

#[tokio::test]
async fn run_with_an_odd_name_breaks_no_query_over_the_history_of_runs() {
    let Some(database) = TestDatabase::create().await else { return };
    let client = database.client().await;
    let names =
        ["20261130T093000Z-0a1b2c", "99999999T999999Z-0a1b2c", "00000000T000000", "odd", ""];
    client.batch_execute("insert into recard.portal (portal) values ('a.example')").await.unwrap();
    for name in names {
        let text = "with run as (insert into recard.run values ('a.example', $1)) \
                    insert into recard.journal values ('a.example', $1, 1, '{}', 'w', 1)";
        client.execute(text, &[&name]).await.unwrap();
    }
    let text = "select run, started::text from recard.run_history \
                where started is null or started > '1970-01-01' order by run desc";
    let rows = client.query(text, &[]).await.unwrap();
    let rows: Vec<(String, Option<String>)> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let started = rows.iter().find(|(run, _)| run == names[0]).and_then(|(_, at)| at.clone());
    assert!(started.is_some_and(|at| at.starts_with("2026-11-30 09:30:00")), "{rows:?}");
    assert_eq!(rows.len(), 4, "{rows:?}");
}
