//! Publications of a fleet: what a store gets, and which revision must be the current one.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::cli::args::Expectation;
use crate::cli::error::CliError;
use crate::cli::{env, git_log};
use crate::i18n::Text;
use crate::manifest::{Fleet, FleetPortal};
use crate::model::Digest;
use crate::ports::{
    DeclaredPause, FleetHead, FleetState as _, Publication, PublishedPortal, Publisher, RolloutWave,
};
use crate::records::fleet::{
    FleetRevision, RevisionError, RevisionSignature, SigningKey, TrustedKey,
};
use crate::store::{Fleets, read_whole};

/// Maximum size of a key file that is read.
const MAX_KEY_BYTES: u64 = 64 << 10;

/// Makes the publication of a revision.
pub(in crate::cli) fn new(
    fleet: &Fleet,
    revision: &FleetRevision,
    expected: Option<Digest>,
    publisher: Publisher,
) -> Result<Publication, CliError> {
    let guards = &fleet.guards;
    let unwritable =
        |problem| CliError::general(tr!("the revision cannot be written: {problem}", problem));
    Ok(Publication {
        fleet: fleet.name.to_string(),
        revision: revision.digest,
        document: revision.encode().map_err(unwritable)?,
        expected,
        publisher,
        waves: fleet
            .waves
            .iter()
            .map(|wave| RolloutWave { name: wave.name.clone(), settle: wave.settle, opened: None })
            .collect(),
        stop: fleet.stop,
        max_people: Some(guards.max_people.max(guards.acknowledged_people.unwrap_or(0))),
        portals: fleet.portals.iter().filter_map(published).collect(),
        withdrawn: None,
    })
}

/// Returns a portal as it is published; `None` for the broken entry of a portal without a name.
fn published(portal: &FleetPortal) -> Option<PublishedPortal> {
    let pause = portal.pause.as_ref().map(|pause| DeclaredPause {
        until: pause.until.and_then(|day| {
            let midnight: Option<Timestamp> = format!("{day}T00:00:00Z").parse().ok();
            midnight
        }),
        reason: pause.reason.to_string(),
    });
    Some(PublishedPortal {
        portal: portal.portal.clone()?,
        wave: portal.wave,
        labels: portal.labels.clone(),
        every: portal.every,
        pause,
    })
}

/// Returns the error of a fleet that cannot be a revision.
pub(in crate::cli) fn unfit(problem: &RevisionError) -> CliError {
    match problem {
        RevisionError::NotText(file) => CliError::general(tr!("{file} is not UTF-8", file)),
        RevisionError::Secret(file) => CliError::general(tr!("{file} holds a secret", file))
            .hint(tr!("remove it, and make a new webhook: a revision must hold none")),
        RevisionError::NotSelfContained => CliError::general(tr!(
            "the files of the fleet do not make the same fleet in another folder"
        ))
        .hint(tr!("name files relative to the file that contains the names, below one folder")),
        RevisionError::Format(problem) => {
            CliError::general(tr!("the revision cannot be written: {problem}", problem))
        }
    }
}

/// Returns the commit of a revision that is to be published, and `true` if its files are not those
/// of the commit. Such a commit is marked: `COMMIT-dirty`. The commit that a pipeline names is
/// taken as it is where git does not work.
pub(in crate::cli) async fn commit(
    file: &Path,
    revision: &FleetRevision,
) -> (Option<String>, bool) {
    let head = git_log::head(file).await;
    let Some(commit) = env::commit().or_else(|| head.clone()) else { return (None, false) };
    let is_dirty = head.is_some() && !git_log::holds(file, &commit, &revision.content.files).await;
    (Some(if is_dirty { format!("{commit}-dirty") } else { commit }), is_dirty)
}

/// Gives a revision the signature that it has in the store, unless it has a new one: the same
/// content does not lose it. Returns the one in the store; none of a document that is damaged,
/// which the publication replaces.
pub(in crate::cli) async fn keep_signature(
    state: &Fleets,
    revision: &mut FleetRevision,
) -> Result<Option<RevisionSignature>, CliError> {
    let stored = state.revision(revision.digest).await?;
    let stored = stored.and_then(|bytes| FleetRevision::parse(&bytes).ok());
    let stored = stored.filter(|stored| stored.digest == revision.digest);
    let stored = stored.and_then(|stored| stored.signature);
    if revision.signature.is_none() {
        revision.signature.clone_from(&stored);
    }
    Ok(stored)
}

/// Source of the fleet that is to be published.
#[derive(Clone, Copy)]
pub(in crate::cli) struct PublishedFiles<'a> {
    /// The first of its files.
    pub(in crate::cli) file: &'a Path,
    /// The commit, as it is published.
    pub(in crate::cli) commit: Option<&'a str>,
    /// `true` if the files are not those of the commit.
    pub(in crate::cli) is_dirty: bool,
}

/// Returns the revision that must be the current one. Without `--expect`, the commit of the current
/// one must be an ancestor of that of the new one, so that a late pipeline overtakes none.
pub(in crate::cli) async fn expected(
    stated: Option<&Expectation>,
    head: Option<&FleetHead>,
    at: PublishedFiles<'_>,
) -> Result<Option<Digest>, CliError> {
    let current = head.map(|head| head.revision);
    match (stated, head) {
        (Some(Expectation::Nothing), _) => Ok(None),
        (Some(Expectation::Revision(digest)), _) => Ok(Some(*digest)),
        (None, None) => Ok(None),
        (None, Some(head)) => {
            let (before, after) = (head.publisher.commit.as_deref(), at.commit);
            let refused = |why: Text| {
                CliError::refused(why).hint(tr!(
                    "look at what is current, and then state it: --expect {}",
                    head.revision
                ))
            };
            let (Some(before), Some(after)) = (before, after) else {
                return Err(refused(tr!(
                    "git does not tell if this fleet is newer than the current revision; nothing was published"
                )));
            };
            if at.is_dirty {
                return Err(refused(tr!(
                    "the files of the fleet are not those of a commit ({after}); nothing was published",
                    after
                )));
            }
            match git_log::is_ancestor(at.file, before, after).await {
                true => Ok(current),
                false => Err(refused(tr!(
                    "the current revision is of the commit {before}, which is no ancestor of {after} as far as git knows here; nothing was published",
                    before,
                    after
                ))),
            }
        }
    }
}

/// Returns the error of a publication that another one overtook.
pub(in crate::cli) fn overtaken(current: Option<Digest>) -> CliError {
    let text = match current {
        Some(current) => tr!(
            "the current revision is {current}, and not the expected one; nothing was published",
            current
        ),
        None => tr!("the fleet has no revision yet; nothing was published"),
    };
    CliError::refused(text)
        .hint(tr!("`recard fleet status` shows what is current; `--expect none` begins a fleet"))
}

/// Reads the private key of `--signing-key`.
pub(in crate::cli) fn signing_key(path: &Path) -> Result<SigningKey, CliError> {
    SigningKey::from_pem(&key_text(path)?).map_err(|_| {
        CliError::general(tr!("{} holds no private key of Ed25519 in PEM", path.display()))
            .hint(tr!("`openssl genpkey -algorithm ed25519 -out FILE` makes one"))
    })
}

/// Reads the public keys of `--trusted-key`.
pub(in crate::cli) fn trusted_keys(paths: &[PathBuf]) -> Result<Vec<TrustedKey>, CliError> {
    let read = |path: &PathBuf| {
        TrustedKey::from_pem(&key_text(path)?).map_err(|_| {
            CliError::general(tr!("{} holds no public key of Ed25519 in PEM", path.display()))
                .hint(tr!("`openssl pkey -in PRIVATE -pubout -out FILE` writes it"))
        })
    };
    paths.iter().map(read).collect()
}

fn key_text(path: &Path) -> Result<String, CliError> {
    let cannot = |problem: &dyn std::fmt::Display| {
        CliError::general(tr!("cannot read the key {}: {problem}", path.display(), problem))
    };
    let bytes = read_whole(path, MAX_KEY_BYTES).map_err(|problem| cannot(&problem))?;
    String::from_utf8(bytes).map_err(|problem| cannot(&problem))
}
