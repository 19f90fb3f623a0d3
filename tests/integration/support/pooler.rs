//! PgBouncer in transaction mode, in front of a server of a test.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::postgres::{Server, as_user, other_than_root};

/// Runs the pooler until its input ends: with the process of the tests, however that ends.
const WATCHDOG: &str = r#""$0" -q "$1" </dev/null & cat >/dev/null; kill -KILL $!; wait"#;

/// Pooler that ends with this value.
pub struct Pooler {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Pooler {
    /// Starts a pooler with few connections to the server; `None`, with a message, if the machine
    /// has none.
    #[allow(clippy::print_stderr, reason = "the message is for whoever runs the tests")]
    pub fn start(server: &Server) -> Option<Self> {
        let Some(program) = super::browser::find(&["pgbouncer"]).or_else(|| {
            let path = std::path::PathBuf::from("/usr/sbin/pgbouncer");
            path.is_file().then_some(path)
        }) else {
            eprintln!("PgBouncer is not installed: the test behind a pooler is left out");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=recard\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nunix_socket_dir =\n",
            server.port()
        );
        recard::store::write_whole(&file, text.as_bytes()).unwrap();
        let user = other_than_root();
        if let Some((uid, gid)) = user {
            for path in [folder.path(), &file] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
        let mut command = Command::new("sh");
        command.args(["-c", WATCHDOG]).arg(program).arg(&file).current_dir(folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = as_user(&mut command, user).spawn().unwrap();
        let pooler = Self { child, port, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the pooler did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(pooler)
    }

    /// Returns the address of a database, through the pooler.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://recard@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}
