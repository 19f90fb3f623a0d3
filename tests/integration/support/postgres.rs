//! PostgreSQL servers for tests, and databases in them.
//!
//! One server serves all tests of the binary, each of which gets a database of its own. It runs in
//! a temporary folder, not as root, and ends with the process of the tests, however that ends.
//! `RECARD_TEST_POSTGRES_URL` names another server to use, by a role that may create databases. A
//! machine without either leaves the tests out, with a message.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use recard::store::postgres::{Database, DatabaseAccess, DatabaseAddress};
use tokio_postgres::{Client, NoTls};

/// Time for a server to start; machines of continuous integration are slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server until its input ends, and removes its folder. A test can end the server alone
/// (`kill`), and start it again.
const WATCHDOG: &str = r#"
postgres="$0" folder="$1"; shift
"$postgres" -D "$folder/data" "$@" </dev/null >>"$folder/log" 2>&1 &
cat >/dev/null
kill -INT $! 2>/dev/null
wait
rm -rf "$folder"
"#;

/// Server that a test started.
pub struct Server {
    programs: PathBuf,
    user: Option<(u32, u32)>,
    folder: PathBuf,
    port: u16,
    options: Vec<String>,
    watchdog: Child,
}

impl Server {
    /// Starts a server with these further settings; `None` if the machine has none.
    pub fn start(settings: &[&str]) -> Option<Self> {
        Self::start_with(settings, &[])
    }

    /// Starts a server with these further settings, and these files in its folder of data.
    pub fn start_with(settings: &[&str], files: &[(&str, &str)]) -> Option<Self> {
        let programs = programs()?;
        let user = other_than_root();
        let folder = folder_of(user);
        let data = folder.join("data");
        let mut initdb = Command::new(programs.join("initdb"));
        initdb
            .args(["--no-sync", "--auth=trust", "--username=recard", "--encoding=UTF8"])
            .args(["--locale=C", "--pgdata"])
            .arg(&data)
            .stdin(Stdio::null());
        let made = as_user(&mut initdb, user).current_dir(&folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for (name, text) in files {
            let path = data.join(name);
            drop(std::fs::remove_file(&path));
            // Readable by its owner alone, as the server wants its key.
            let mut file = std::fs::OpenOptions::new();
            let mut file = file.write(true).create_new(true).mode(0o600).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            if let Some((uid, gid)) = user {
                chown(&path, Some(uid), Some(gid)).unwrap();
            }
        }
        Some(Self::run(programs, user, folder, settings))
    }

    /// Starts a standby of this server.
    pub fn standby(&self) -> Self {
        let folder = folder_of(self.user);
        let mut copy = Command::new(self.programs.join("pg_basebackup"));
        copy.args([
            "--no-sync",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--write-recovery-conf",
        ])
        .args(["--username=recard", "--host=127.0.0.1", "--port", &self.port.to_string()])
        .arg("--pgdata")
        .arg(folder.join("data"))
        .stdin(Stdio::null());
        let made = as_user(&mut copy, self.user).current_dir(&folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self::run(self.programs.clone(), self.user, folder, &[])
    }

    /// Runs a server whose data is made.
    fn run(
        programs: PathBuf,
        user: Option<(u32, u32)>,
        folder: PathBuf,
        settings: &[&str],
    ) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut options =
            vec!["-p".to_owned(), port.to_string(), "-k".to_owned(), folder.display().to_string()];
        let defaults = ["listen_addresses=127.0.0.1", "max_connections=200"];
        options.extend(
            defaults.iter().chain(settings).flat_map(|one| ["-c".to_owned(), (*one).to_owned()]),
        );
        let watchdog = watchdog(&programs, user, &folder, &options);
        let server = Self { programs, user, folder, port, options, watchdog };
        server.wait_until_ready();
        server
    }

    /// Returns the address of a database, over loopback.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://recard@127.0.0.1:{}/{database}", self.port)
    }

    /// Returns the address of a database, over the socket of the server.
    pub fn socket_url(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://recard@{folder}:{}/{database}", self.port)
    }

    /// Returns the folder of its socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the id of its main process.
    pub fn process(&self) -> u32 {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        file.lines().next().unwrap().parse().unwrap()
    }

    /// Kills the server at once, as a crash does, and waits until it is gone.
    pub fn crash(&mut self) {
        let main = self.process().to_string();
        // Children of the main process see its end by a pipe, and end too.
        assert!(Command::new("kill").args(["-KILL", &main]).status().unwrap().success());
        let proc = PathBuf::from(format!("/proc/{main}"));
        let begun = Instant::now();
        while proc.exists() && !is_zombie(&proc) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts the server again after a crash.
    pub fn restart(&mut self) {
        // The watchdog of the crashed server would remove the folder.
        let mut old = std::mem::replace(
            &mut self.watchdog,
            watchdog(&self.programs, self.user, &self.folder, &self.options),
        );
        old.kill().unwrap();
        old.wait().unwrap();
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        let begun = Instant::now();
        let file = self.folder.join("data/postmaster.pid");
        loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if text.lines().any(|line| ["ready", "standby"].contains(&line.trim()))
                && std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            {
                return;
            }
            if begun.elapsed() > PATIENCE {
                let mut log = String::new();
                let opened = std::fs::File::open(self.folder.join("log"));
                drop(opened.map(|mut file| file.read_to_string(&mut log)));
                panic!("the server did not start: {log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        drop(self.watchdog.wait());
    }
}

/// Creates the folder of a server. Its watchdog removes it: its files belong to another user.
fn folder_of(user: Option<(u32, u32)>) -> PathBuf {
    let folder = tempfile::Builder::new().prefix("recard-pg-").tempdir().unwrap();
    if let Some((uid, gid)) = user {
        chown(folder.path(), Some(uid), Some(gid)).unwrap();
    }
    folder.keep()
}

fn is_zombie(proc: &Path) -> bool {
    let text = std::fs::read_to_string(proc.join("stat")).unwrap_or_default();
    text.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

fn watchdog(programs: &Path, user: Option<(u32, u32)>, folder: &Path, options: &[String]) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", WATCHDOG]).arg(programs.join("postgres")).arg(folder).args(options);
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    as_user(&mut command, user).spawn().unwrap()
}

/// Returns the folder of the newest programs of PostgreSQL on this machine.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").is_file())
        .collect();
    versions.sort();
    let in_path = || super::browser::find(&["initdb"])?.parent().map(Path::to_owned);
    versions.pop().map(|(_, folder)| folder).or_else(in_path)
}

/// Returns a user who may run a server, if the tests run as root.
pub(super) fn other_than_root() -> Option<(u32, u32)> {
    let root = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = root.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?;
    if uid != "0" {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let user = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(user("postgres").or_else(|| user("nobody")).unwrap())
}

pub(super) fn as_user(command: &mut Command, user: Option<(u32, u32)>) -> &mut Command {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// Server of all tests that need nothing special.
fn shared() -> Option<&'static (String, Option<Server>)> {
    static SHARED: OnceLock<Option<(String, Option<Server>)>> = OnceLock::new();
    #[allow(clippy::disallowed_methods, reason = "whoever runs the tests names a server")]
    let named = || std::env::var("RECARD_TEST_POSTGRES_URL").ok();
    let start = || match named() {
        Some(url) => Some((url, None)),
        None => Server::start(&["fsync=off", "full_page_writes=off"])
            .map(|server| (server.url("postgres"), Some(server))),
    };
    SHARED.get_or_init(start).as_ref()
}

/// Empty database of one test.
pub struct TestDatabase {
    /// Its address.
    pub url: String,
}

impl TestDatabase {
    /// Creates a database with the tables of recard; `None`, with a message, if there is no
    /// server.
    pub async fn create() -> Option<Self> {
        let created = Self::create_empty().await?;
        Database::new(created.address(), &DatabaseAccess::default())
            .unwrap()
            .migrate()
            .await
            .unwrap();
        Some(created)
    }

    /// Creates a database without tables.
    #[allow(clippy::print_stderr, reason = "the message is for whoever runs the tests")]
    pub async fn create_empty() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Starting a server takes a second, in which others go on.
        let Some((url, _)) = tokio::task::spawn_blocking(shared).await.unwrap() else {
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            eprintln!("PostgreSQL is not installed: {test} is left out");
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("recard_test_{}_{number}", std::process::id());
        let client = connect(url).await;
        client.batch_execute(&format!("drop database if exists {name}")).await.unwrap();
        client.batch_execute(&format!("create database {name}")).await.unwrap();
        let (server, _) = url.rsplit_once('/').unwrap();
        Some(Self { url: format!("{server}/{name}") })
    }

    /// Creates a database whose clock [`Self::pass`] sets forward: what recard calls `now()` is
    /// found before that of the server.
    pub async fn with_clock() -> Option<Self> {
        let created = Self::create().await?;
        let name = created.url.rsplit('/').next().unwrap();
        let text = format!(
            "create schema clock; create table clock.passed (time interval not null); \
             insert into clock.passed values ('0'); \
             create function clock.now() returns timestamptz stable language sql as \
             'select pg_catalog.now() + time from clock.passed'; \
             alter database {name} set search_path = clock, pg_catalog, public"
        );
        created.client().await.batch_execute(&text).await.unwrap();
        Some(created)
    }

    /// Sets the clock of the database forward.
    pub async fn pass(&self, time: Duration) {
        let text = "update clock.passed set time = time + $1 * interval '1 second'";
        self.client().await.execute(text, &[&time.as_secs_f64()]).await.unwrap();
    }

    /// Creates a database on a server of the test's own.
    pub async fn on(server: &Server) -> Self {
        let url = server.url("postgres");
        connect(&url).await.batch_execute("create database fleet").await.unwrap();
        let created = Self { url: server.url("fleet") };
        Database::new(created.address(), &DatabaseAccess::default())
            .unwrap()
            .migrate()
            .await
            .unwrap();
        created
    }

    /// Returns the same database behind another address.
    pub fn behind(&self, url: String) -> Self {
        Self { url }
    }

    /// Returns the address.
    pub fn address(&self) -> DatabaseAddress {
        DatabaseAddress::parse(&self.url).unwrap()
    }

    /// Opens it as recard does.
    pub async fn open(&self) -> Database {
        Database::open(self.address(), &DatabaseAccess::default()).await.unwrap()
    }

    /// Opens a connection for statements of the test.
    pub async fn client(&self) -> Client {
        connect(&self.url).await
    }
}

/// Opens a connection for statements of a test.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
