//! Last commits of the manifests, from git: one query a file, beside the requests to the portal,
//! and never an error.
//!
//! Manifests may lie in a foreign repository. Git therefore gets no environment variable that could
//! hold a secret, asks for no password, fetches nothing, starts no program from the repository's
//! settings, and is killed with its children at a timeout.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::env;
use crate::manifest::Source;
use crate::report::Commit;

/// Number of files above which git is not queried: a process for each would take longer than the
/// plan.
const MAX_FILES: usize = 50;

/// Timeout of all queries together.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum size of an answer: an id, a name, a date and the names of a few refs.
const MAX_OUTPUT_BYTES: u64 = 64 << 10;

/// Number of files whose ids one query asks for.
const FILES_A_QUERY: usize = 500;

/// Options of git itself: no program, no lock, no fetch, and the history as it was made. The
/// options of `-c` override the settings of the repository, so that none of these can start a
/// program.
const GIT_OPTIONS: &[&str] = &[
    "--no-pager",
    "--no-optional-locks",
    "--no-replace-objects",
    "--literal-pathspecs",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.pager=cat",
    "-c",
    "core.sshCommand=false",
    "-c",
    "core.gitProxy=",
    "-c",
    "core.askPass=",
    "-c",
    "core.alternateRefsCommand=false",
    "-c",
    "credential.helper=",
    "-c",
    "diff.external=",
    "-c",
    "gpg.program=false",
    "-c",
    "log.showSignature=false",
    "-c",
    "log.mailmap=false",
    "-c",
    "maintenance.auto=false",
    "-c",
    "gc.auto=0",
    "-c",
    "safe.bareRepository=explicit",
    // A git without GIT_NO_LAZY_FETCH fetches nothing either.
    "-c",
    "protocol.allow=never",
    "-c",
    "protocol.ext.allow=never",
    "-c",
    "protocol.file.allow=never",
    "-c",
    "protocol.git.allow=never",
    "-c",
    "protocol.http.allow=never",
    "-c",
    "protocol.https.allow=never",
    "-c",
    "protocol.ssh.allow=never",
];

/// Query: id, author and date of the last commit, and a mark if its parents are missing.
const LOG_OPTIONS: &[&str] = &[
    "log",
    "-1",
    "--no-patch",
    "--no-ext-diff",
    "--no-textconv",
    "--no-show-signature",
    "--no-color",
    "--encoding=UTF-8",
    "--format=%H%n%an%n%as%n%D",
    "--",
];

/// Mark that git prints for a commit without its parents: the boundary of a shallow clone.
const BOUNDARY: &str = "grafted";

/// Running query.
pub(super) struct GitQuery(JoinHandle<BTreeMap<String, Commit>>);

/// Queries git for the last commit of each file, in the background. Must be called within a
/// runtime.
pub(super) fn query(sources: &[Source]) -> GitQuery {
    let names: Vec<Arc<str>> =
        sources.iter().take(MAX_FILES).map(|source| Arc::clone(&source.name)).collect();
    GitQuery(tokio::spawn(async move {
        let mut commits = BTreeMap::new();
        let asking = async {
            for name in names {
                if let Some(commit) = last_commit(Path::new(&*name)).await {
                    commits.insert(name.to_string(), commit);
                }
            }
        };
        // Answers within the timeout count.
        let _ = tokio::time::timeout(TIMEOUT, asking).await;
        commits
    }))
}

impl GitQuery {
    /// Returns the last commit of each file, if git exists and knows the file.
    pub(super) async fn answer(mut self) -> BTreeMap<String, Commit> {
        (&mut self.0).await.unwrap_or_default()
    }
}

impl Drop for GitQuery {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn last_commit(file: &Path) -> Option<Commit> {
    let name = file.file_name()?;
    let arguments = LOG_OPTIONS.iter().map(AsRef::as_ref).chain([name]);
    parse_commit(&git(file, arguments).await?)
}

/// Returns the commit that is checked out where a file lies; `None` if git does not know.
pub(super) async fn head(file: &Path) -> Option<String> {
    let arguments = ["rev-parse", "--verify", "HEAD"].map(AsRef::as_ref);
    let answer = tokio::time::timeout(TIMEOUT, git(file, arguments)).await.ok()??;
    answer.lines().next().filter(|id| is_id(id)).map(ToOwned::to_owned)
}

/// Returns `true` if git knows both commits of the repository of a file, and the first is an
/// ancestor of the second.
pub(super) async fn is_ancestor(file: &Path, first: &str, second: &str) -> bool {
    if !is_id(first) || !is_id(second) || first == second {
        return false;
    }
    let arguments = ["merge-base", "--is-ancestor", first, second].map(AsRef::as_ref);
    let asked = tokio::time::timeout(TIMEOUT, git(file, arguments)).await;
    matches!(asked, Ok(Some(_)))
}

/// Returns `true` if a commit has exactly these files, by their names from the folder of a file.
/// Nothing of the working tree is asked: git would run filters of the repository's settings on it.
pub(super) async fn holds(file: &Path, commit: &str, files: &BTreeMap<String, String>) -> bool {
    if !is_id(commit) || files.keys().any(|name| name.starts_with('/')) {
        return false;
    }
    let files: Vec<(&String, &String)> = files.iter().collect();
    for files in files.chunks(FILES_A_QUERY) {
        let objects = files.iter().map(|(name, _)| match name.starts_with("../") {
            true => format!("{commit}:{name}"),
            false => format!("{commit}:./{name}"),
        });
        let objects: Vec<String> = ["rev-parse".to_owned()].into_iter().chain(objects).collect();
        let asked = git(file, objects.iter().map(AsRef::as_ref));
        let Ok(Some(ids)) = tokio::time::timeout(TIMEOUT, asked).await else { return false };
        let ids: Vec<&str> = ids.lines().collect();
        let mut pairs = files.iter().zip(&ids);
        if ids.len() != files.len() || !pairs.all(|((_, text), id)| is_object(text, id)) {
            return false;
        }
    }
    true
}

/// Returns `true` if git names this text by an id. A checkout may have added carriage returns, and
/// reading has taken away a byte order mark.
fn is_object(text: &str, id: &str) -> bool {
    let algorithm = if id.len() > 40 { &SHA256 } else { &SHA1_FOR_LEGACY_USE_ONLY };
    let texts = [text.to_owned(), text.replace("\r\n", "\n")];
    let mut forms = texts.into_iter().flat_map(|text| [format!("\u{feff}{text}"), text]);
    forms.any(|text| {
        let object = format!("blob {}\0{text}", text.len());
        let hash = digest(algorithm, object.as_bytes());
        let hash = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
        hash.collect::<String>() == id
    })
}

/// Runs git where a file lies. Returns its answer if it succeeded.
async fn git<'a>(file: &Path, arguments: impl IntoIterator<Item = &'a OsStr>) -> Option<String> {
    let folder = file.parent()?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut command = Command::new("git");
    command.args(GIT_OPTIONS).args(arguments).current_dir(folder);
    command
        .env_clear()
        .envs(env::git_variables())
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut running = GitProcess(command.spawn().ok()?);
    let mut answer = Vec::new();
    let stdout = running.0.stdout.take()?;
    stdout.take(MAX_OUTPUT_BYTES).read_to_end(&mut answer).await.ok()?;
    let ended = running.0.wait().await.ok()?;
    if ended.success() { String::from_utf8(answer).ok() } else { None }
}

/// Running git. Dropped before its end, it is killed with its children.
struct GitProcess(Child);

impl Drop for GitProcess {
    fn drop(&mut self) {
        // A finished child has no process id any more. Systems other than Unix have no process
        // groups; there tokio kills the child.
        #[cfg(unix)]
        if let Some(group) =
            self.0.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?))
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

fn is_id(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn parse_commit(text: &str) -> Option<Commit> {
    let mut lines = text.lines();
    let (id, author, date) = (lines.next()?, lines.next()?, lines.next()?);
    // The boundary commit would appear as the author of every older file.
    let is_boundary = lines.next().unwrap_or_default().split(", ").any(|name| name == BOUNDARY);
    (is_id(id) && !is_boundary).then(|| Commit {
        id: id.to_owned(),
        author: author.to_owned(),
        date: date.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_commit_is_left_out() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let commit = parse_commit(&format!("{id}\nAnna\n2026-11-01\n\n")).unwrap();
        assert_eq!((commit.author.as_str(), commit.date.as_str()), ("Anna", "2026-11-01"));
        assert!(
            parse_commit(&format!("{id}\nAnna\n2026-11-01\nHEAD -> main, grafted-later\n"))
                .is_some()
        );
        assert_eq!(parse_commit(&format!("{id}\nAnna\n2026-11-01\ngrafted, HEAD -> main\n")), None);
        assert_eq!(parse_commit(""), None);
        assert_eq!(parse_commit("warning: odd\nx\ny\n"), None);
        assert_eq!(last_commit(Path::new("/nowhere/lead.yaml")).await, None);
    }
}
