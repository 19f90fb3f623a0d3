//! Processes: the measured one, and the emulator that it talks to.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Resources of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) code: i32,
    pub(crate) wall: f64,
    pub(crate) user: f64,
    pub(crate) system: f64,
    pub(crate) peak_mib: f64,
}

impl Taken {
    pub(crate) fn processor(&self) -> f64 {
        self.user + self.system
    }
}

/// Starts the only child, waits, and writes what it took into a file.
pub(crate) fn alone(arguments: &[String]) -> i32 {
    let [out, program, rest @ ..] = arguments else { return 64 };
    let started = Instant::now();
    let status = Command::new(program).args(rest).status().unwrap();
    let wall = started.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
    let code = status.code().unwrap_or(-1);
    let text = format!(
        "{code} {wall} {} {} {}",
        seconds(usage.user_time()),
        seconds(usage.system_time()),
        usage.max_rss()
    );
    recard::store::write_whole(Path::new(out), text.as_bytes()).unwrap();
    0
}

/// A folder to run `recard` in, with a manifest and a store.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// The program that is measured.
pub(crate) const RECARD: &str = env!("CARGO_BIN_EXE_recard");

impl Place {
    /// A folder with a manifest that selects everybody but the caller, both kinds of leads.
    pub(crate) fn new(portal: &Portal, users: u64) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let text = format!(
            "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: bench, reason: to measure }}\nspec:\n  \
             portal: {}\n  personal:\n    - users: {{ all: true, except: {{ ids: [1] }} }}\n      \
             leadCustomerTypes: [simple, repeat]\n  guards: {{ acknowledge: {{ users: {users} }} }}\n",
            portal.authority()
        );
        place.write("bench.yaml", text.as_bytes());
        place
    }

    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        recard::store::write_whole(&path, bytes).unwrap();
        path
    }

    /// Runs `recard` and measures it. What it prints goes to the files `out` and `err`.
    pub(crate) async fn measure(&self, webhook: &str, arguments: &[&str]) -> Taken {
        let taken = self.folder.path().join("taken");
        let file = |name: &str| std::fs::File::create(self.folder.path().join(name)).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg("--alone")
            .arg(&taken)
            .arg(RECARD)
            .args(arguments)
            .current_dir(self.folder.path());
        command.env_clear().env("RECARD_WEBHOOK_URL", webhook).env("TMPDIR", std::env::temp_dir());
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        let status = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
        assert!(status.success(), "the process that measures failed");
        let text = std::fs::read_to_string(&taken).unwrap();
        let numbers: Vec<f64> = text.split(' ').map(|number| number.parse().unwrap()).collect();
        let [code, wall, user, system, peak] = numbers.as_slice() else { panic!("{text:?}") };
        Taken {
            code: *code as i32,
            wall: *wall,
            user: *user,
            system: *system,
            peak_mib: peak / 1024.0,
        }
    }

    /// The end of what the last measured process said.
    pub(crate) fn said(&self) -> String {
        let read =
            |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let text = format!("{}\n{}", read("out"), read("err"));
        text.lines()
            .rev()
            .take(12)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// A process that ends when this is dropped.
pub(crate) struct Running(Child);

impl Running {
    /// Starts a process.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Returns its process id.
    #[cfg(feature = "postgres")]
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Returns the peak of its memory so far, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Rule for equal layouts of two people.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cards {
    /// All cards differ: the worst case, in which no parse is shared, and every backup is separate.
    Different,
    /// A few layouts that many people have, as the emulator's seed makes them.
    Shared,
}

/// An emulated portal in a process of its own.
pub(crate) struct Portal {
    _process: Running,
    _folder: tempfile::TempDir,
    client: reqwest::Client,
    control: String,
    pub(crate) webhook: String,
}

impl Portal {
    /// Starts a portal.
    pub(crate) async fn start(users: u64, limits: &str, command: Duration, cards: Cards) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready.json");
        let mut process = Command::new(RECARD);
        process.arg("emulate").args(["--seed", &format!("users={users}"), "--limits", limits]);
        process
            .arg("--ready-file")
            .arg(&ready)
            .args(["--command-time", &format!("{}ms", command.as_millis())]);
        process.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Running(process.spawn().unwrap());
        let document = loop {
            match std::fs::read(&ready) {
                Ok(bytes) => break serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let (control, webhook) =
            (text(&document["control"]), text(&document["webhooks"][0]["url"]));
        let portal = Self { _process: process, _folder: folder, client, control, webhook };
        match cards {
            Cards::Shared => {}
            Cards::Different => portal.make_cards_different().await,
        }
        portal.forget().await;
        portal
    }

    async fn make_cards_different(&self) {
        let mut state = self.get("state").await;
        for (number, row) in state["options"].as_array_mut().into_iter().flatten().enumerate() {
            row["value"][0]["elements"][0]["title"] = serde_json::json!(format!("Card {number}"));
        }
        self.put("state", &state).await;
    }

    fn authority(&self) -> &str {
        self.webhook.split('/').nth(2).unwrap()
    }

    pub(crate) async fn get(&self, what: &str) -> serde_json::Value {
        let answer = self.client.get(format!("{}/{what}", self.control)).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    pub(crate) async fn put(&self, what: &str, value: &serde_json::Value) {
        let body = serde_json::to_vec(value).unwrap();
        let answer =
            self.client.put(format!("{}/{what}", self.control)).body(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Sets the counters to zero.
    pub(crate) async fn forget(&self) {
        self.client.delete(format!("{}/counters", self.control)).send().await.unwrap();
    }

    pub(crate) async fn counter(&self, name: &str) -> u64 {
        self.get("counters").await[name].as_u64().unwrap()
    }

    /// Sends a request that counts, as another program would; tells whether it was taken, and how
    /// long it took.
    pub(crate) async fn request(&self, commands: usize) -> (u16, f64) {
        let cmd: serde_json::Map<String, serde_json::Value> =
            (0..commands).map(|number| (format!("c{number}"), "profile".into())).collect();
        let body = serde_json::json!({ "halt": 0, "cmd": cmd }).to_string();
        let request = self
            .client
            .post(format!("{}batch", self.webhook))
            .header("content-type", "application/json");
        let started = Instant::now();
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        answer.bytes().await.unwrap();
        (status, started.elapsed().as_secs_f64())
    }
}

/// Says something while it goes on, on stderr: the tables are on stdout.
pub(crate) fn say(text: &str) {
    // A failed write has no further destination.
    let _ = writeln!(std::io::stderr(), "{text}");
}
