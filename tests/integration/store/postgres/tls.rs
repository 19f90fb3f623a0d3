//! TLS and passwords on the way to a database.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use recard::ports::StoreError;
use recard::store::postgres::{Database, DatabaseAccess, DatabaseAddress};
use recard::store::write_whole;

use crate::support::postgres::{Server, connect};

/// Who may connect how: with TLS and a password over the network, and tests over the socket.
const RULES: &str = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

const PASSWORD: &str = "geheim: \\ wort";

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap()
}

async fn open(url: &str, access: &DatabaseAccess) -> Result<(), StoreError> {
    let database = Database::new(DatabaseAddress::parse(url).unwrap(), access).unwrap();
    database.migrate().await.map(drop)
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    write_whole(&path, text.as_bytes()).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn way_to_a_database_needs_its_certificate_and_its_password() {
    let (trusted, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &trusted).unwrap().pem();
    let files = [
        ("pg_hba.conf", RULES),
        ("server.crt", certificate.as_str()),
        ("server.key", &key.serialize_pem()),
    ];
    let settings = ["fsync=off", "ssl=on", "password_encryption=scram-sha-256"];
    let started = tokio::task::block_in_place(|| Server::start_with(&settings, &files));
    let Some(server) = started else { return };
    let owner = connect(&server.socket_url("postgres")).await;
    let role = format!("create role worker login password '{PASSWORD}'");
    for statement in [role.as_str(), "create database fleet owner worker"] {
        owner.batch_execute(statement).await.unwrap();
    }

    let folder = tempfile::tempdir().unwrap();
    let roots = file(folder.path(), "roots.pem", &trusted.pem());
    let foreign = file(folder.path(), "foreign.pem", &other.pem());
    let password = file(folder.path(), "password", &format!("{PASSWORD}\n"));
    let wrong = file(folder.path(), "wrong", "geheim");
    let line = format!("127.0.0.1:{}:*:worker:geheim\\: \\\\ wort\n", server.port());
    let passwords = file(folder.path(), "pgpass", &format!("other:*:*:*:nothing\n{line}"));

    let url = |host: &str, more: &str| {
        let port = server.port();
        format!("postgres://worker@{host}:{port}/fleet?sslmode=verify-full&{more}")
    };
    let access = DatabaseAccess::default();
    let trusting = |more: &str| url("127.0.0.1", &format!("sslrootcert={roots}&{more}"));
    open(&trusting(&format!("passwordfile={password}")), &access).await.unwrap();
    open(&trusting(&format!("passfile={passwords}")), &access).await.unwrap();
    let environment = DatabaseAccess {
        password_file: Some(passwords.into()),
        roots: Some(vec![trusted.pem().into_bytes()]),
    };
    open(&url("127.0.0.1", ""), &environment).await.unwrap();

    let refused = |more: String, said: &'static str| {
        let access = access.clone();
        async move {
            let problem = open(&more, &access).await.unwrap_err().to_string();
            assert!(problem.contains(said), "{said}: {problem}");
            assert!(!problem.contains("geheim"), "{problem}");
        }
    };
    refused(trusting(&format!("passwordfile={wrong}")), "password authentication failed").await;
    refused(trusting("passwordfile=/no/such/file"), "cannot read the password").await;
    let foreign = format!("sslrootcert={foreign}&passwordfile={password}");
    refused(url("127.0.0.1", &foreign), "certificate").await;
    // The certificate names the address, and not this name of it.
    let named = format!("sslrootcert={roots}&passwordfile={password}");
    refused(url("localhost", &named), "certificate").await;
    // Without TLS the server lets nobody in.
    let plain =
        format!("postgres://worker@127.0.0.1:{}/fleet?passwordfile={password}", server.port());
    refused(plain, "no pg_hba.conf entry").await;
}
