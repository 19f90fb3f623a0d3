//! Surroundings of one test: a temporary folder, the program in it with an environment that holds
//! nothing but what the test sets, and an emulated portal if the test needs one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use recard::emulator::{Emulator, EmulatorOptions, Seed};
use recard::records::plan_file::{PlanFile, PlanFileContent};
use recard::store::Store;
use serde_json::Value;

use super::company::{manifest, people, portal_of, row};

/// The manifest of the quick start, which is for the embedded portal.
pub const QUICKSTART: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart.yaml"));

/// Temporary folder to run the program in, with the webhook of a portal or without one.
///
/// Tests run at the same time in one process. A `TestEnv` changes nothing of that process: folder
/// and environment are those of the commands that it starts.
#[derive(Debug)]
pub struct TestEnv {
    folder: tempfile::TempDir,
    webhook: Option<String>,
    emulator: Option<Emulator>,
}

/// Exit code and output of a command that has ended.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl TestEnv {
    /// Creates an empty folder without a webhook: commands need `--portal embedded`.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), webhook: None, emulator: None }
    }

    /// Creates a folder with the manifest of the quick start in `lead.yaml`.
    pub fn quickstart() -> Self {
        let env = Self::new();
        env.file("lead.yaml", QUICKSTART);
        env
    }

    /// Creates an empty folder with this webhook in the environment.
    pub fn with_webhook(webhook: &str) -> Self {
        Self { webhook: Some(webhook.to_owned()), ..Self::new() }
    }

    /// Starts the emulated company, and creates an empty folder with the webhook of its user 1.
    pub async fn start() -> Self {
        Self::start_with(EmulatorOptions::default()).await
    }

    /// Starts an emulator, and creates an empty folder with the webhook of its user 1.
    pub async fn start_with(options: EmulatorOptions) -> Self {
        let emulator = Emulator::start_with(options).await.unwrap();
        let webhook = emulator.webhook_url(1).unwrap();
        Self { emulator: Some(emulator), ..Self::with_webhook(&webhook) }
    }

    /// Starts the emulated company, and writes a manifest for these users into `lead.yaml`.
    pub async fn with_manifest(users: &str) -> Self {
        let env = Self::start().await;
        env.write_manifest(users, "");
        env
    }

    /// Starts a portal of 600 people, `count` of whom, but not the caller, have a customized card.
    /// Returns their ids, too.
    pub async fn with_customized_cards(count: usize) -> (Self, Vec<i64>) {
        let seed = Seed::Users(600);
        let env = Self::start_with(EmulatorOptions { seed, ..EmulatorOptions::default() }).await;
        let mut ids = people(&env.emulator().state());
        ids.retain(|id| *id != 1);
        ids.truncate(count);
        assert_eq!(ids.len(), count);
        env.change(|state| {
            let options = state["options"].as_array_mut().unwrap();
            options.retain(|row| row["user_id"] == 0);
            options.extend(ids.iter().map(|id| row(*id, "lead_details", &format!("of {id}"))));
        });
        (env, ids)
    }

    /// Takes the webhook out of the environment of the commands.
    pub fn without_webhook(self) -> Self {
        Self { webhook: None, ..self }
    }

    /// Returns the webhook that commands find in their environment.
    pub fn webhook(&self) -> &str {
        self.webhook.as_deref().unwrap()
    }

    /// Returns the emulated portal.
    pub fn emulator(&self) -> &Emulator {
        self.emulator.as_ref().unwrap()
    }

    /// Returns the name of the emulated portal.
    pub fn portal(&self) -> String {
        portal_of(self.emulator())
    }

    /// Returns the stored layouts of the emulated portal.
    pub fn rows(&self) -> Value {
        self.emulator().state()["options"].clone()
    }

    /// Changes the emulated portal without a request.
    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.emulator().state();
        change(&mut state);
        self.emulator().set_state(&state).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the path of a file in the folder.
    pub fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        recard::store::write_whole(&path, text.as_bytes()).unwrap();
        path
    }

    /// Writes a manifest for the emulated portal into `lead.yaml`; see [`manifest`].
    pub fn write_manifest(&self, users: &str, more: &str) {
        self.file("lead.yaml", &manifest(&self.portal(), users, more));
    }

    /// Reads the content of a plan file.
    pub fn read_plan_file(&self, name: &str) -> PlanFileContent {
        PlanFile::parse(&std::fs::read(self.at(name)).unwrap()).unwrap().content
    }

    /// Writes a plan file with another content and a valid seal.
    pub fn write_plan_file(&self, name: &str, content: PlanFileContent) {
        let bytes = PlanFile::new(content).unwrap().encode().unwrap();
        recard::store::write_whole(&self.at(name), &bytes).unwrap();
    }

    /// Opens the store of the emulated portal.
    pub fn store(&self) -> Store {
        Store::open(&self.at(".recard").into(), &self.portal().parse().unwrap()).unwrap()
    }

    /// Returns the folder of the one portal that the store knows.
    pub fn store_folder(&self) -> PathBuf {
        let mut portals = std::fs::read_dir(self.at(".recard/portals")).unwrap();
        portals.next().unwrap().unwrap().path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recard"));
        command.args(arguments).current_dir(self.path()).env_clear().stdin(Stdio::null());
        if let Some(webhook) = &self.webhook {
            command.env("RECARD_WEBHOOK_URL", webhook);
        }
        command
    }

    /// Starts a command whose output a test reads or awaits.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(self.command(arguments).output().unwrap())
    }

    /// Runs a command line, words separated by one space, on the embedded portal.
    pub fn run_embedded(&self, line: &str) -> CommandOutput {
        let mut words: Vec<&str> = line.split(' ').collect();
        words.extend(["--portal", "embedded"]);
        self.run(&words)
    }
}

impl CommandOutput {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Everything in one text, for comparing: exit code, stdout, stderr; names of runs are told
    /// alike.
    pub fn shown(&self) -> String {
        steady(&format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        ))
    }
}

/// Returns `true` if 23 bytes are a run id, which holds the time.
pub fn is_run(word: &[u8]) -> bool {
    word.len() == 23
        && word.iter().enumerate().all(|(index, byte)| match index {
            8 => *byte == b'T',
            15 => *byte == b'Z',
            16 => *byte == b'-',
            17.. => byte.is_ascii_hexdigit(),
            _ => byte.is_ascii_digit(),
        })
}

/// Puts `RUN` in place of the names of runs, which hold the time.
pub fn steady(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.as_bytes().get(..23).is_some_and(is_run) {
            out.push_str("RUN");
            rest = &rest[23..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}
