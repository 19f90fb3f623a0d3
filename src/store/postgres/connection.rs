//! Connections to a database, and statements over them.
//!
//! Only unnamed statements with given types are used, and no state of a session, so that a pooler
//! in transaction mode may stand between. Each call is one transaction of its own, but for
//! [`Database::in_transaction`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult, Timeouts};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{DatabaseAddress, Server};
use super::error::{is_passing, is_refused, words};
use super::password::password;
use super::schema::{check, version};
use super::seal::BackupKey;
use super::{CONNECT_TIMEOUT, STATEMENT_TIMEOUT};
use crate::model::PortalId;
use crate::ports::StoreError;
use crate::store::read_whole;

/// Number of connections of one process. Statements are short: hundreds of portals share them.
const MAX_CONNECTIONS: usize = 16;

/// Time for which a statement is repeated while the server restarts, or another takes its place.
const PATIENCE: Duration = Duration::from_secs(20);

/// Time for several statements in one transaction, such as a step of the schema.
const BATCH_TIMEOUT: Duration = Duration::from_secs(300);

/// Maximum size of a file with root certificates.
const MAX_ROOTS_BYTES: u64 = 16 << 20;

/// Parameters of a statement, with their types.
pub(super) type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// What the environment gives for the way to a database.
#[derive(Clone, Debug, Default)]
pub struct DatabaseAccess {
    /// File with passwords, in the form of libpq, if the address names none (`PGPASSFILE`).
    pub password_file: Option<PathBuf>,
    /// Texts of the root certificates in PEM; `None` for those of the system.
    pub roots: Option<Vec<Vec<u8>>>,
}

/// Database that several processes share as their store.
#[derive(Clone)]
pub struct Database {
    pool: Pool<Connector>,
    address: Arc<DatabaseAddress>,
    access: Arc<DatabaseAccess>,
    pub(super) key: Option<Arc<BackupKey>>,
}

/// Failure of one attempt.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another attempt may succeed. The text is the problem in words.
    Passing(String),
    /// The server refuses the user or the password, which may be about to be replaced. It is not
    /// asked again at once.
    Refused(String),
    /// Another attempt would fail the same way.
    Lasting(String),
    /// The schema does not fit this program.
    Schema(StoreError),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(problem: tokio_postgres::Error) -> Self {
        match is_passing(&problem) {
            true => Self::Passing(words(&problem)),
            false if is_refused(&problem) => Self::Refused(words(&problem)),
            false => Self::Lasting(words(&problem)),
        }
    }
}

/// Whether the schema must fit this program before a connection is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schema {
    Checked,
    Unchecked,
}

impl Database {
    /// Makes ready for connections; none is opened yet. Each new one checks the schema.
    ///
    /// # Errors
    ///
    /// If the root certificates cannot be used.
    pub fn new(address: DatabaseAddress, access: &DatabaseAccess) -> Result<Self, StoreError> {
        Self::with_schema(address, access, Schema::Checked)
    }

    pub(super) fn with_schema(
        address: DatabaseAddress,
        access: &DatabaseAccess,
        schema: Schema,
    ) -> Result<Self, StoreError> {
        let address = Arc::new(address);
        let failed = |problem| error(&address, problem, false);
        let key = address.key.as_deref().map(BackupKey::read).transpose().map_err(failed)?;
        let key = key.map(Arc::new);
        let connector = Connector {
            tls: tls(&address, access).map_err(failed)?,
            password_file: access.password_file.clone(),
            address: Arc::clone(&address),
            schema,
        };
        let pool = Pool::builder(connector)
            .max_size(MAX_CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(STATEMENT_TIMEOUT), create: None, recycle: None });
        let pool = pool.build().map_err(|problem| failed(problem.to_string()))?;
        Ok(Self { pool, address, access: Arc::new(access.clone()), key })
    }

    /// Returns the same database with connections of its own.
    pub(super) fn apart(&self, schema: Schema) -> Result<Self, StoreError> {
        Self::with_schema((*self.address).clone(), &self.access, schema)
    }

    /// Returns the portals of which the database holds anything, sorted.
    pub async fn portals(&self) -> Result<Vec<PortalId>, StoreError> {
        let text = "select portal from recard.portal where moved_to is null order by portal";
        let rows = self.query(text, &[]).await?;
        let portal = |row: &Row| {
            let name = self.column::<&str>(row, "portal")?;
            let failed = |problem| self.nonsense(format!("portal {name:?}: {problem}"));
            PortalId::new(name).map_err(failed)
        };
        rows.iter().map(portal).collect()
    }

    /// Returns the address, for texts.
    pub fn address(&self) -> &DatabaseAddress {
        &self.address
    }

    /// Executes a statement once.
    ///
    /// # Errors
    ///
    /// If it was refused, or no answer came. Then it may have been executed.
    pub(super) async fn query(
        &self,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.attempt(statement, parameters).await.map_err(|failure| self.error(failure))
    }

    /// Executes a statement that may be executed twice, and repeats it while the server cannot be
    /// reached.
    ///
    /// # Errors
    ///
    /// If it was refused, or no answer came for some time.
    pub(super) async fn query_patiently(
        &self,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(50);
        loop {
            match self.attempt(statement, parameters).await {
                Err(Failure::Passing(problem)) if Instant::now() + pause < deadline => {
                    tracing::debug!(problem, "statement is repeated");
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                settled => return settled.map_err(|failure| self.error(failure)),
            }
        }
    }

    async fn attempt(
        &self,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let connection = self.connection().await?;
        let answer = asked(&connection, statement, parameters).await;
        if let Err(Failure::Passing(_)) = &answer {
            // What comes over this connection later would be taken for another answer.
            drop(Object::take(connection));
        }
        answer
    }

    /// Executes statements in one transaction, as one text without parameters.
    ///
    /// # Errors
    ///
    /// If one was refused, or no answer came.
    pub(super) async fn in_transaction(&self, statements: &str) -> Result<(), StoreError> {
        let run = async {
            let connection = self.connection().await?;
            let text = format!(
                "begin;\nset local lock_timeout = '{}s';\n{statements}\n;commit;",
                PATIENCE.as_secs()
            );
            let ended = timeout(BATCH_TIMEOUT, connection.client.batch_execute(&text)).await;
            if !matches!(ended, Ok(Ok(()))) {
                // It may stand in a transaction that has failed.
                drop(Object::take(connection));
            }
            match ended {
                Ok(ended) => Ok(ended?),
                Err(_) => Err(Failure::Passing("no answer in time".to_owned())),
            }
        };
        run.await.map_err(|failure: Failure| self.error(failure))
    }

    pub(super) async fn connection(&self) -> Result<Object<Connector>, Failure> {
        use deadpool::managed::PoolError;
        self.pool.get().await.map_err(|problem| match problem {
            PoolError::Backend(failure) => failure,
            PoolError::Timeout(_) => Failure::Passing("all connections are in use".to_owned()),
            problem => Failure::Lasting(format!("{problem:?}")),
        })
    }

    pub(super) fn error(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Passing(problem) | Failure::Refused(problem) => {
                error(&self.address, problem, true)
            }
            Failure::Lasting(problem) => error(&self.address, problem, false),
            Failure::Schema(problem) => problem,
        }
    }

    /// Returns the error of an answer that makes no sense.
    pub(super) fn nonsense(&self, problem: impl std::fmt::Display) -> StoreError {
        error(&self.address, problem.to_string(), false)
    }

    /// Returns a column of an answer.
    ///
    /// # Errors
    ///
    /// If it has another type.
    pub(super) fn column<'a, T: FromSql<'a>>(
        &self,
        row: &'a Row,
        name: &str,
    ) -> Result<T, StoreError> {
        row.try_get(name).map_err(|problem| self.nonsense(words(&problem)))
    }
}

impl PartialEq for Database {
    fn eq(&self, other: &Self) -> bool {
        self.address.to_string() == other.address.to_string()
    }
}

impl Eq for Database {}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Database").field(&self.address.to_string()).finish()
    }
}

/// Executes a statement over a connection.
pub(super) async fn asked(
    connection: &Connection,
    statement: &str,
    parameters: Parameters<'_>,
) -> Result<Vec<Row>, Failure> {
    match timeout(STATEMENT_TIMEOUT, connection.client.query_typed(statement, parameters)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::Passing("no answer in time".to_owned())),
    }
}

fn error(address: &DatabaseAddress, problem: String, is_passing: bool) -> StoreError {
    StoreError::Database { address: address.to_string(), problem, is_passing }
}

/// Opens connections.
pub(super) struct Connector {
    address: Arc<DatabaseAddress>,
    tls: Option<MakeRustlsConnect>,
    password_file: Option<PathBuf>,
    schema: Schema,
}

/// Open connection. It ends when dropped.
pub(super) struct Connection {
    client: Client,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connector {
    async fn connect(&self, server: &Server) -> Result<Connection, Failure> {
        let mut config = self.address.config.clone();
        config.host(server.name()).port(server.port).ssl_mode(server.ssl);
        let found = password(&self.address, server, self.password_file.as_deref());
        if let Some(password) = found.map_err(Failure::Lasting)? {
            config.password(password);
        }
        let connection = match (&self.tls, server.ssl) {
            (Some(tls), SslMode::Require) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                Connection { client, task: tokio::spawn(async { drop(connection.await) }) }
            }
            _ => {
                let (client, connection) = config.connect(NoTls).await?;
                Connection { client, task: tokio::spawn(async { drop(connection.await) }) }
            }
        };
        if self.schema == Schema::Checked {
            let found = version(&connection.client).await?;
            check(&self.address, found).map_err(Failure::Schema)?;
        }
        Ok(connection)
    }
}

impl Manager for Connector {
    type Type = Connection;
    type Error = Failure;

    /// Connects to the first server that can be written to.
    async fn create(&self) -> Result<Connection, Failure> {
        let mut last = Failure::Lasting("the address names no server".to_owned());
        for server in &self.address.servers {
            // In a box: the future of every statement would have room for a handshake.
            let connected = timeout(CONNECT_TIMEOUT, Box::pin(self.connect(server))).await;
            let named = |problem: String| format!("{}: {problem}", server.name());
            last = match connected {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(Failure::Lasting(problem))) if !matches!(last, Failure::Passing(_)) => {
                    Failure::Lasting(named(problem))
                }
                Ok(Err(Failure::Refused(problem))) if !matches!(last, Failure::Passing(_)) => {
                    Failure::Refused(named(problem))
                }
                Ok(Err(
                    Failure::Lasting(problem)
                    | Failure::Refused(problem)
                    | Failure::Passing(problem),
                )) => Failure::Passing(named(problem)),
                Ok(Err(problem @ Failure::Schema(_))) => return Err(problem),
                Err(_) => Failure::Passing(named("no answer in time".to_owned())),
            };
        }
        Err(last)
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Failure> {
        if connection.client.is_closed() {
            return Err(RecycleError::message("closed"));
        }
        Ok(())
    }
}

/// Makes TLS ready if a server wants it: its certificate is always verified.
fn tls(
    address: &DatabaseAddress,
    access: &DatabaseAccess,
) -> Result<Option<MakeRustlsConnect>, String> {
    if address.servers.iter().all(|server| server.ssl == SslMode::Disable) {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|problem| problem.to_string())?;
    let named = match &address.roots {
        Some(path) => {
            let text = read_whole(path, MAX_ROOTS_BYTES);
            let text =
                text.map_err(|problem| format!("cannot read {}: {problem}", path.display()))?;
            Some(vec![text])
        }
        None => access.roots.clone(),
    };
    let verified = match named {
        Some(texts) => builder.with_root_certificates(roots(&texts)?),
        None => builder.with_platform_verifier().map_err(|problem| problem.to_string())?,
    };
    Ok(Some(MakeRustlsConnect::new(verified.with_no_client_auth())))
}

fn roots(texts: &[Vec<u8>]) -> Result<rustls::RootCertStore, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in texts.iter().flat_map(|text| CertificateDer::pem_slice_iter(text)) {
        let certificate = certificate.map_err(|problem| problem.to_string())?;
        // A system's list may hold old ones of another form.
        drop(roots.add(certificate));
    }
    if roots.is_empty() {
        return Err("the file of root certificates holds none".to_owned());
    }
    Ok(roots)
}
