//! Environment: the secret, the person or pipeline behind a run, the commit.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::parser::ValueSource;

use super::args::{self, GlobalArgs};
use super::error::CliError;
use super::exit;
use crate::app::RunOrigin;
use crate::diagnostic;
use crate::i18n::Language;
use crate::manifest::SecretReference;
use crate::model::PortalId;
use crate::portal::{Network, TrustedRoots, WebhookUrl};
#[cfg(feature = "postgres")]
use crate::store::postgres::{Database, DatabaseAccess, DatabaseAddress};
use crate::store::{StoreLocation, read_whole};

/// Maximum size of a webhook file that is read.
const MAX_WEBHOOK_FILE_BYTES: u64 = 64 << 10;

/// Access that a command needs from its webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WebhookAccess {
    /// Read access: `RECARD_READ_WEBHOOK_URL` takes precedence.
    Read,
    /// Write access: `RECARD_READ_WEBHOOK_URL` is never used.
    Write,
}

/// Returns a variable. An empty or blank one counts as unset, because pipelines pass missing values
/// as empty texts.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Variables that hold text; the others name files.
const TEXT_VARIABLES: [&str; 12] = [
    "RECARD_PORTAL",
    "RECARD_RATE",
    "RECARD_LANG",
    "RECARD_LOG",
    "RECARD_WEBHOOK_URL",
    "RECARD_READ_WEBHOOK_URL",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Refuses variables whose value is not UTF-8: treated as unset, they would lead to another portal,
/// or past a limit.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn check_texts() -> Result<(), CliError> {
    let is_no_text =
        |name: &&str| std::env::var_os(name).is_some_and(|value| value.to_str().is_none());
    match TEXT_VARIABLES.into_iter().find(is_no_text) {
        None => Ok(()),
        Some(name) => {
            Err(CliError::new(exit::USAGE, tr!("the variable {name} is not UTF-8", name))
                .hint(tr!("nothing was done; set it again, or leave it unset")))
        }
    }
}

/// Returns the path in a variable, as [`variable`] does.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn path_variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name)?;
    (!value.to_string_lossy().trim().is_empty()).then(|| PathBuf::from(value))
}

/// Fills options that the command line leaves open from the environment. They are not part of the
/// clap definition, which would repeat them in every usage line and accept an empty variable as a
/// value.
pub(super) fn fill_missing_options(
    global: &mut GlobalArgs,
    store: Option<ValueSource>,
) -> Result<(), CliError> {
    check_texts()?;
    if !global.names_emulator() {
        global.portal = global.portal.take().or_else(|| variable("RECARD_PORTAL"));
    }
    global.rate = global.rate.take().or_else(|| variable("RECARD_RATE"));
    if store != Some(ValueSource::CommandLine)
        && let Some(folder) = path_variable("RECARD_STORE")
    {
        global.store = folder.into();
    }
    global.store = located(global.store.clone(), global.backup_key_file.as_deref())?;
    if let (StoreLocation::Folder(folder), Some(_)) = (&global.store, &global.backup_key_file) {
        let text = tr!(
            "--backup-key-file seals a store in a database, and {} is a folder",
            folder.display()
        );
        return Err(CliError::new(exit::USAGE, text)
            .hint(tr!("name a database with --store postgres://USER@HOST/DATABASE")));
    }
    if global.lang.is_none()
        && let Some(word) = variable("RECARD_LANG")
    {
        let unknown = |problem| {
            let text =
                tr!("invalid value '{word}' for '--lang <LANGUAGE>': {problem}", word, problem);
            CliError::new(exit::USAGE, text).hint(tr!("the value comes from RECARD_LANG"))
        };
        global.lang = Some(args::language(&word).map_err(unknown)?);
    }
    Ok(())
}

/// Returns the place of a store that was written like a folder, if it is the address of a database.
/// The key is for a database alone.
pub(super) fn located(store: StoreLocation, key: Option<&Path>) -> Result<StoreLocation, CliError> {
    let text = store.to_string();
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Ok(store);
    }
    located_database(&text, key)
}

#[cfg(feature = "postgres")]
fn located_database(text: &str, key: Option<&Path>) -> Result<StoreLocation, CliError> {
    let mut address = DatabaseAddress::parse(text).map_err(|problem| {
        CliError::new(exit::USAGE, tr!("the address of the database cannot be used: {problem}", problem)).hint(tr!(
            "a password belongs into a file: PGPASSFILE, or ?passfile=FILE, or ?passwordfile=FILE with nothing but the password"
        ))
    })?;
    if let Some(key) = key {
        let two_keys = |other: PathBuf| {
            let (option, address) = (key.display(), other.display());
            let text = tr!(
                "--backup-key-file names {option}, and the address names {address}",
                option,
                address
            );
            CliError::new(exit::USAGE, text)
        };
        address.seal_with(key).map_err(two_keys)?;
    }
    let access = DatabaseAccess { password_file: path_variable("PGPASSFILE"), roots: roots()? };
    Ok(StoreLocation::Database(Database::new(address, &access)?))
}

#[cfg(not(feature = "postgres"))]
fn located_database(_text: &str, _key: Option<&Path>) -> Result<StoreLocation, CliError> {
    Err(CliError::new(exit::USAGE, tr!("this recard was built without stores in PostgreSQL"))
        .hint(tr!("build it with `--features postgres`, or name a folder with --store")))
}

/// Maximum size of a file with root certificates that is read. Those of a system have half a
/// megabyte.
const MAX_ROOTS_BYTES: u64 = 16 << 20;

/// Returns the network settings: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, in upper or lower case,
/// `SSL_CERT_FILE` and `SSL_CERT_DIR`. The libraries would read them too, but accept empty ones.
///
/// They are read once in a process, so that the connections of a fleet share the certificates.
pub(super) fn network() -> Result<Network, CliError> {
    static NETWORK: OnceLock<Network> = OnceLock::new();
    if let Some(network) = NETWORK.get() {
        return Ok(network.clone());
    }
    let first = |names: &[&str]| names.iter().find_map(|name| variable(name));
    let network = Network {
        proxy: first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
            .map(|address| address.trim().to_owned()),
        no_proxy: first(&["NO_PROXY", "no_proxy"]).unwrap_or_default(),
        roots: roots()?.map_or_else(TrustedRoots::default, TrustedRoots::new),
    };
    Ok(NETWORK.get_or_init(|| network).clone())
}

/// Returns the texts of the root certificates that the environment names.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn roots() -> Result<Option<Vec<Vec<u8>>>, CliError> {
    let (file, folders) = (path_variable("SSL_CERT_FILE"), path_variable("SSL_CERT_DIR"));
    let mut files: Vec<PathBuf> = file.into_iter().collect();
    let cannot = |name: &str, path: &Path, problem: &dyn std::fmt::Display| {
        CliError::general(tr!(
            "cannot read root certificates from {}: {problem}",
            path.display(),
            problem
        ))
        .hint(tr!("it is what {name} names; nothing was sent", name))
    };
    let mut texts = Vec::new();
    for folder in folders
        .iter()
        .flat_map(std::env::split_paths)
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        let entries = std::fs::read_dir(&folder)
            .map_err(|problem| cannot("SSL_CERT_DIR", &folder, &problem))?;
        // Besides certificates such a folder holds revocation lists and dangling links.
        let inside =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file());
        texts.extend(inside.filter_map(|path| read_whole(&path, MAX_ROOTS_BYTES).ok()));
    }
    if files.is_empty() && folders.is_none() {
        if std::env::var_os("SSL_CERT_FILE").is_none() {
            return Ok(None);
        }
        // An empty value: the library would look for a file without a name.
        files.extend(openssl_probe::probe().cert_file);
        if files.is_empty() {
            return Ok(None);
        }
    }
    for path in &files {
        texts.push(
            read_whole(path, MAX_ROOTS_BYTES)
                .map_err(|problem| cannot("SSL_CERT_FILE", path, &problem))?,
        );
    }
    Ok(Some(texts))
}

/// Registers the secrets in the environment and in the arguments, in whatever place a webhook URL
/// was put.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(super) fn register_secrets(arguments: &[OsString]) {
    for (_, value) in std::env::vars_os() {
        diagnostic::register_secrets(&value.to_string_lossy());
    }
    for argument in arguments {
        diagnostic::register_secrets(&argument.to_string_lossy());
    }
}

/// Returns the environment of git: the path of programs, and the settings of the user.
///
/// Git runs in the folder of a manifest, so a relative folder in `PATH` would lead to a program
/// that lies beside the manifest. Such folders are left out.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(super) fn git_variables() -> impl Iterator<Item = (&'static str, OsString)> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let absolute = std::env::split_paths(&folders).filter(|folder| folder.is_absolute());
    // An empty `PATH` means the current folder. Without one the system uses its own.
    let path = std::env::join_paths(absolute)
        .ok()
        .filter(|path| !path.is_empty())
        .map(|path| ("PATH", path));
    path.into_iter().chain(std::env::var_os("HOME").map(|home| ("HOME", home)))
}

/// Returns `true` if a variable has exactly this value.
pub(super) fn is_set_to(name: &str, value: &str) -> bool {
    variable(name).is_some_and(|found| found == value)
}

/// Returns the language of the locale.
pub(super) fn language() -> Language {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(variable);
    locale.map_or(Language::English, |locale| Language::from_locale(&locale))
}

/// Returns the filter of log lines.
pub(super) fn log_filter() -> Option<String> {
    variable("RECARD_LOG")
}

/// Returns the person or pipeline that started the run, from the environment; may be empty.
pub(super) fn actor() -> String {
    ["RECARD_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID", "USER"]
        .into_iter()
        .find_map(variable)
        .unwrap_or_default()
}

/// Returns the folder for temporary files.
pub(super) fn temporary_folder() -> PathBuf {
    // If TMPDIR is empty, the standard library returns the current folder.
    let folder = std::env::temp_dir();
    if folder.to_string_lossy().trim().is_empty() { PathBuf::from("/tmp") } else { folder }
}

/// Returns the file that GitHub Actions shows as the summary of a step.
pub(super) fn step_summary() -> Option<PathBuf> {
    path_variable("GITHUB_STEP_SUMMARY")
}

/// Returns the commit of the manifests, if the pipeline sets it.
pub(super) fn commit() -> Option<String> {
    ["RECARD_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA"].into_iter().find_map(variable)
}

/// Returns the name of this host.
pub(super) fn host() -> String {
    let of_system = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned());
    of_system
        .or_else(|| variable("HOSTNAME"))
        .or_else(|| variable("COMPUTERNAME"))
        .unwrap_or_else(|| "unknown".into())
}

/// Returns the origin of the runs of this process.
pub(super) fn origin() -> RunOrigin {
    RunOrigin { process: std::process::id(), host: host(), actor: actor(), commit: commit() }
}

/// Returns `true` if a webhook for writing is named.
pub(super) fn has_write_webhook(file: Option<&Path>) -> bool {
    file.is_some()
        || ["RECARD_WEBHOOK_URL", "RECARD_WEBHOOK_URL_FILE"]
            .into_iter()
            .any(|name| variable(name).is_some())
}

/// Returns the webhook files in the environment.
pub(super) fn webhook_files() -> Vec<PathBuf> {
    ["RECARD_WEBHOOK_URL_FILE", "RECARD_READ_WEBHOOK_URL_FILE"]
        .into_iter()
        .filter_map(path_variable)
        .collect()
}

/// Returns `true` if any webhook is named.
pub(super) fn has_webhook(file: Option<&Path>) -> bool {
    has_write_webhook(file) || read_webhook_variable().is_some()
}

/// Returns the variable that names the webhook of commands that only read.
fn read_webhook_variable() -> Option<&'static str> {
    ["RECARD_READ_WEBHOOK_URL", "RECARD_READ_WEBHOOK_URL_FILE"]
        .into_iter()
        .find(|name| path_variable(name).is_some())
}

/// Variables of Bitrix24 SDKs for a webhook. Such a webhook belongs to another program and has
/// other rights, so recard never takes it.
const SDK_VARIABLES: [&str; 4] = ["B24_WEBHOOK_URL", "B24_HOOK", "B24_WEBHOOK", "BITRIX24_WEBHOOK"];

/// Returns the error for a missing webhook, or one without the needed access.
fn no_webhook(access: WebhookAccess) -> CliError {
    let put = tr!(
        "put the address of a webhook into RECARD_WEBHOOK_URL, or its file's name into RECARD_WEBHOOK_URL_FILE"
    );
    let failure = match (access, read_webhook_variable()) {
        (WebhookAccess::Write, Some(name)) => CliError::general(tr!(
            "this command writes, and {name} is for commands that only read",
            name
        ))
        .hint(put),
        (WebhookAccess::Read, _) | (WebhookAccess::Write, None) => {
            CliError::general(tr!("no portal is given"))
                .hint(put)
                .hint(tr!("to try recard without a portal, add --emulator"))
        }
    };
    match SDK_VARIABLES.into_iter().find(|name| variable(name).is_some()) {
        Some(name) => failure.hint(tr!(
            "{name} is set, and recard never takes it: it was made for another program. If recard is to use the same webhook, put \
             its address into RECARD_WEBHOOK_URL",
            name
        )),
        None => failure,
    }
}

/// Folder of secrets in containers, if no other one is named.
const CONTAINER_SECRETS: &str = "/run/secrets/recard";

/// Returns the webhook of a portal of a fleet, and its place. Its text never occurs in an error.
///
/// A file is looked for in the named folder, else in that of systemd, else in that of containers.
pub(super) fn webhook_of_portal(
    secret: &SecretReference,
    portal: &PortalId,
    folder: Option<&Path>,
) -> Result<(WebhookUrl, String), CliError> {
    let (from, text) = match secret {
        SecretReference::File(name) => {
            let folder = folder.map(Path::to_owned);
            let folder = folder.or_else(|| path_variable("CREDENTIALS_DIRECTORY"));
            let folder = folder.unwrap_or_else(|| PathBuf::from(CONTAINER_SECRETS));
            from_file(&folder.join(name.replace("{portal}", &portal.folder_name())))?
        }
        SecretReference::Variable(name) => match variable(name) {
            Some(text) => (name.to_string(), text),
            None => {
                return Err(CliError::general(tr!("the variable {name} is not set", name)));
            }
        },
    };
    diagnostic::register_secrets(&text);
    parse_webhook(from, &text)
}

/// Reads a webhook from a file.
fn from_file(path: &Path) -> Result<(String, String), CliError> {
    match read_whole(path, MAX_WEBHOOK_FILE_BYTES) {
        // A file that is not text does not hold a URL.
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            diagnostic::register_secrets(&text);
            Ok((path.display().to_string(), text))
        }
        Err(problem) => Err(CliError::general(tr!(
            "cannot read the webhook from {}: {problem}",
            path.display(),
            problem
        ))),
    }
}

fn parse_webhook(from: String, text: &str) -> Result<(WebhookUrl, String), CliError> {
    match WebhookUrl::parse(text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')) {
        Ok(webhook) => Ok((webhook, from)),
        Err(problem) => Err(CliError::general(tr!(
            "{from} does not hold the address of a webhook: {problem}",
            from,
            problem
        ))
        .hint(tr!("it looks like https://company.bitrix24.com/rest/1/xxxxxxxxxxxxxxxx/"))
        .hint(tr!("the portal shows it on its page Developer resources, under Inbound webhook"))),
    }
}

/// Returns the webhook, and the name of its variable or file. Its text never occurs in an error.
pub(super) fn webhook(
    access: WebhookAccess,
    file: Option<&Path>,
) -> Result<(WebhookUrl, String), CliError> {
    // A variable for reading takes precedence where a command only reads.
    let read_names = ["RECARD_READ_WEBHOOK_URL", "RECARD_READ_WEBHOOK_URL_FILE"];
    let names = ["RECARD_WEBHOOK_URL", "RECARD_WEBHOOK_URL_FILE"];
    let in_variables = |[text, path]: [&str; 2]| match (variable(text), path_variable(path)) {
        (Some(found), _) => Some(Ok((text.to_owned(), found))),
        (None, Some(path)) => Some(from_file(&path)),
        (None, None) => None,
    };
    let for_reading = match access {
        WebhookAccess::Read => in_variables(read_names),
        WebhookAccess::Write => None,
    };
    let found = for_reading.or_else(|| file.map(from_file)).or_else(|| in_variables(names));
    let (from, text) = found.ok_or_else(|| no_webhook(access))??;
    parse_webhook(from, &text)
}
