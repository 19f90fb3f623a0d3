//! Who changed the manifests last, as git tells: asked once a file, while the portal is being asked, and never an error.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::manifest::Source;
use crate::report::Commit;

/// More files than this are not asked about: a process for each would take longer than the plan.
const MOST_FILES: usize = 50;

/// Git, as it was asked.
pub(super) struct Asked(Option<JoinHandle<BTreeMap<String, Commit>>>);

/// Asks git for the last commit of each file, beside whatever else is done meanwhile.
pub(super) fn ask(sources: &[Source]) -> Asked {
    let names: Vec<Arc<str>> = sources.iter().take(MOST_FILES).map(|source| Arc::clone(&source.name)).collect();
    let named = |name: Arc<str>| Some((name.to_string(), last_commit(Path::new(&*name))?));
    let ask = move || names.into_iter().filter_map(named).collect();
    Asked(thread::Builder::new().name("git".to_owned()).spawn(ask).ok())
}

impl Asked {
    /// The last commit of each file, where git is there and knows the file.
    pub(super) fn answer(self) -> BTreeMap<String, Commit> {
        self.0.and_then(|asked| asked.join().ok()).unwrap_or_default()
    }
}

fn last_commit(file: &Path) -> Option<Commit> {
    let (folder, name) = (file.parent()?, file.file_name()?);
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Nothing that a repository's own settings name is started for this.
    let output = Command::new("git")
        .args(["--no-pager", "-c", "log.showSignature=false", "-c", "core.fsmonitor=false"])
        .args(["log", "-1", "--no-ext-diff", "--no-textconv", "--format=%H%n%an%n%as", "--"])
        .arg(name)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    read(std::str::from_utf8(&output.stdout).ok()?)
}

fn read(text: &str) -> Option<Commit> {
    let mut lines = text.lines();
    let (id, author, date) = (lines.next()?, lines.next()?, lines.next()?);
    let is_id = id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| Commit { id: id.to_owned(), author: author.to_owned(), date: date.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_commit_is_left_out() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let commit = read(&format!("{id}\nAnna\n2026-11-01\n")).unwrap();
        assert_eq!((commit.author.as_str(), commit.date.as_str()), ("Anna", "2026-11-01"));
        assert_eq!(read(""), None);
        assert_eq!(read("warning: odd\nx\ny\n"), None);
        assert_eq!(last_commit(Path::new("/nowhere/lead.yaml")), None);
    }
}
