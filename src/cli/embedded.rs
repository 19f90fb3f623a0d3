//! `--emulator[=FILE]`: an emulated portal inside this process, with its state in a file
//! between commands.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bitrix24_emulator::{Emulator, EmulatorOptions, Seed};
use serde_json::Value;

use super::args::GlobalArgs;
use super::error::CliError;
use crate::store::{read_whole, write_whole};

/// Default file of the state, inside the store.
const DEFAULT_FILE: &str = "embedded.json";

/// Maximum size of a state that is read. One of 100,000 people with two cards each has a third of
/// it.
pub(super) const MAX_STATE_BYTES: u64 = 512 << 20;

/// Name by which manifests pin the embedded portal.
pub(super) const PORTAL_NAME: &str = "embedded";

/// Running portal and its file.
pub(super) struct Embedded {
    emulator: Emulator,
    file: PathBuf,
    saved: u64,
}

/// Returns the default file of the state in a store.
pub(super) fn default_file(store: &Path) -> PathBuf {
    store.join(DEFAULT_FILE)
}

/// Returns the file of `--emulator[=FILE]` or of its alias `--portal embedded[:FILE]`; `None` if
/// the portal is another one.
pub(super) fn state_file(global: &GlobalArgs) -> Option<PathBuf> {
    match (&global.emulator, &global.portal) {
        (Some(file), _) => {
            Some(file.clone().unwrap_or_else(|| default_file(global.store.folder())))
        }
        (None, Some(portal)) => match portal.strip_prefix(PORTAL_NAME)? {
            "" => Some(default_file(global.store.folder())),
            rest => rest.strip_prefix(':').filter(|file| !file.is_empty()).map(PathBuf::from),
        },
        (None, None) => None,
    }
}

/// Returns the error for a file that does not hold a state.
fn no_state(file: &Path, problem: &dyn Display) -> CliError {
    CliError::general(tr!("{} does not hold the state of an embedded portal: {problem}", file.display(), problem)).hint(tr!(
        "nothing was changed; name a state that recard has written, or a file that is not there yet, which starts with a small company"
    ))
}

impl Embedded {
    /// Starts the portal with the state of the file, or with a small company if there is none.
    pub(super) async fn start(file: PathBuf) -> Result<Self, CliError> {
        let options = match read_whole(&file, MAX_STATE_BYTES) {
            Ok(bytes) => {
                let state: Value =
                    serde_json::from_slice(&bytes).map_err(|problem| no_state(&file, &problem))?;
                EmulatorOptions { seed: Seed::State(state), ..EmulatorOptions::default() }
            }
            Err(problem) if problem.kind() == ErrorKind::NotFound => {
                EmulatorOptions { seed: Seed::Company, ..EmulatorOptions::default() }
            }
            Err(problem) => {
                return Err(CliError::general(tr!(
                    "cannot read {}: {problem}",
                    file.display(),
                    problem
                )));
            }
        };
        let emulator =
            Emulator::start_with(options).await.map_err(|problem| match problem.kind() {
                ErrorKind::InvalidData => no_state(&file, &problem),
                _ => {
                    CliError::general(tr!("the embedded portal does not start: {problem}", problem))
                }
            })?;
        // A new file is written at the end even without changes, so that people can read it.
        let saved = if file.exists() { emulator.changes() } else { u64::MAX };
        Ok(Self { emulator, file, saved })
    }

    /// Returns a webhook URL of the portal's administrator.
    pub(super) fn webhook(&self) -> Result<String, CliError> {
        let first = self.emulator.webhook_url(1);
        let any = || self.emulator.webhooks().into_iter().next().map(|webhook| webhook.url);
        first
            .or_else(any)
            .ok_or_else(|| CliError::general(tr!("the embedded portal has no webhook")))
    }

    /// Writes the state into the file, if it changed.
    pub(super) fn save(&mut self) -> Result<(), CliError> {
        let changed = self.emulator.changes();
        if changed == self.saved {
            return Ok(());
        }
        if let Some(folder) = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|problem| {
                CliError::general(tr!("cannot make {}: {problem}", folder.display(), problem))
            })?;
        }
        let mut bytes = serde_json::to_vec_pretty(&self.emulator.state()).map_err(|problem| {
            CliError::general(tr!("cannot write the embedded portal's state: {problem}", problem))
        })?;
        bytes.push(b'\n');
        write_whole(&self.file, &bytes)?;
        self.saved = changed;
        Ok(())
    }
}
