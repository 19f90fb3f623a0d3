//! Fleets that a worker reconciles: from files that it reads again and again, or as they were
//! published in the store.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::files::{self, FleetOnDisk};
use super::{other_fleets, publishing, rows, state};
use crate::cli::args::{FleetFilesArgs, GlobalArgs};
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::diagnostic::Severity;
use crate::fleet::rollout;
use crate::i18n::Text;
use crate::manifest::{Fleet, FleetPortal};
use crate::model::{Digest, PortalId};
use crate::ports::{Claim, Clock as _, FleetHead, FleetState as _, RolloutState, StoreError};
use crate::records::fleet::{FleetRevision, TrustedKey};
use crate::store::{Fleets, FolderQueue, QueuePortal, fleet_file_name};

/// Interval at which files or the state of fleets are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Interval of a portal that is in no known fleet.
const UNKNOWN_EVERY: Duration = Duration::from_secs(15 * 60);

/// Maximum wait of a round for the first look at the state of fleets.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// Number of revisions that are kept in memory beside the current ones.
const MAX_REVISIONS: usize = 8;

/// Fleets by the digests of their revisions.
#[derive(Default)]
pub(in crate::cli) struct KnownFleets {
    known: RefCell<Known>,
    /// Held while a revision is read: the rounds that a worker begins with all need the same one.
    reading: tokio::sync::Mutex<()>,
    /// `true` once the current revisions were looked at.
    is_looked_at: tokio::sync::watch::Sender<bool>,
    shown: Arc<Mutex<ShownFleets>>,
}

/// Fleets on the pages of a worker.
#[derive(Clone, Default)]
pub(in crate::cli) struct ShownFleets {
    /// The current revision; `None` if there is none, or more than one.
    pub(in crate::cli) revision: Option<String>,
    /// The number of fleets and portals that cannot be used.
    pub(in crate::cli) problems: usize,
}

#[derive(Default)]
struct Known {
    fleets: BTreeMap<Digest, Rc<Fleet>>,
    heads: Heads,
    /// The revisions in the order in which they were read.
    order: Vec<Digest>,
    queued: Queued,
}

/// The portals of each fleet that is in a folder, for its queue.
type Queued = BTreeMap<String, Vec<QueuePortal>>;

/// The current revision of each fleet, or the last one that could be used.
type Heads = BTreeMap<String, Digest>;

impl KnownFleets {
    /// Returns what the pages show.
    pub(in crate::cli) fn shown(&self) -> Arc<Mutex<ShownFleets>> {
        Arc::clone(&self.shown)
    }

    /// Waits until the current revisions are known. Returns `false` if that takes too long.
    pub(in crate::cli) async fn are_known(&self) -> bool {
        let mut looked = self.is_looked_at.subscribe();
        let looked = looked.wait_for(|is_looked_at| *is_looked_at);
        tokio::time::timeout(FIRST_LOOK, looked).await.is_ok_and(|looked| looked.is_ok())
    }

    fn set_problems(&self, problems: usize) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).problems = problems;
    }

    fn add(&self, digest: Digest, fleet: Fleet) -> Rc<Fleet> {
        let fleet = Rc::new(fleet);
        let mut known = self.known.borrow_mut();
        known.fleets.insert(digest, Rc::clone(&fleet));
        known.order.push(digest);
        fleet
    }

    /// Takes the current revisions, and forgets the oldest other ones.
    fn set_heads(&self, heads: Heads) {
        let only = heads.values().next().filter(|_| heads.len() == 1).map(ToString::to_string);
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).revision = only;
        let mut known = self.known.borrow_mut();
        known.heads = heads;
        let Known { fleets, heads, order, .. } = &mut *known;
        let current: BTreeSet<Digest> = heads.values().copied().collect();
        let others = order.iter().filter(|revision| !current.contains(revision)).count();
        let mut excess = others.saturating_sub(MAX_REVISIONS);
        order.retain(|revision| {
            let is_kept = excess == 0 || current.contains(revision);
            if !is_kept {
                excess -= 1;
                fleets.remove(revision);
            }
            is_kept
        });
        drop(known);
        self.is_looked_at.send_replace(true);
    }

    /// Returns the fleet of a revision, if it was read.
    pub(in crate::cli) fn get(&self, digest: Digest) -> Option<Rc<Fleet>> {
        self.known.borrow().fleets.get(&digest).cloned()
    }

    /// Returns the name of a fleet from that of its file, which a damaged head in a folder has.
    fn name_of_damaged(&self, file: String) -> String {
        let known = self.known.borrow();
        let name = known.queued.keys().find(|fleet| fleet_file_name(fleet) == file).cloned();
        name.unwrap_or(file)
    }

    /// Returns a fleet by its name, as it is now.
    pub(in crate::cli) fn named(&self, name: &str) -> Option<Rc<Fleet>> {
        let known = self.known.borrow();
        known.heads.get(name).and_then(|digest| known.fleets.get(digest)).cloned()
    }

    /// Returns the current fleet of a portal.
    pub(in crate::cli) fn current(&self, portal: &PortalId) -> Option<Rc<Fleet>> {
        let known = self.known.borrow();
        let mut heads = known.heads.values().filter_map(|digest| known.fleets.get(digest));
        heads.find(|fleet| portal_of(fleet, portal).is_some()).cloned()
    }

    /// Returns the interval of the portal of a claim: that of the current revision, also where the
    /// claim is on an earlier one.
    pub(in crate::cli) fn every(&self, claim: &Claim) -> Duration {
        let fleet = self.current(&claim.portal).or_else(|| self.get(claim.revision));
        let portal = fleet.as_ref().and_then(|fleet| portal_of(fleet, &claim.portal));
        portal.map_or(UNKNOWN_EVERY, |portal| portal.every)
    }
}

/// Returns a portal of a fleet.
pub(in crate::cli) fn portal_of<'f>(fleet: &'f Fleet, name: &PortalId) -> Option<&'f FleetPortal> {
    fleet.portals.iter().find(|portal| portal.portal.as_ref() == Some(name))
}

/// Source of the fleets of a worker.
pub(in crate::cli) enum FleetSource<'a> {
    /// Files, for the queue of a folder, and the state with the pauses by command. Files that have
    /// become invalid change nothing.
    Files(&'a FleetFilesArgs, &'a FolderQueue, &'a GlobalArgs),
    /// The state of fleets. The queue of a folder is told of its portals; that of a database knows
    /// them.
    Published(Fleets, Option<&'a FolderQueue>, Vec<TrustedKey>),
}

impl FleetSource<'_> {
    /// Takes a fleet that was read from files, with the pauses by command. Returns the problems of
    /// single portals.
    pub(in crate::cli) async fn take_files(
        known: &KnownFleets,
        (queue, global): (&FolderQueue, &GlobalArgs),
        loaded: FleetOnDisk,
    ) -> Result<Vec<CliError>, CliError> {
        let pauses = state::open(global).pauses().await?;
        let FleetOnDisk { fleet, sources, .. } = loaded;
        let digest = Digest::hash_written(|sum| {
            sources.iter().try_for_each(|source| {
                write!(sum, "{}\n{}\n", source.name, source.bytes.len())?;
                sum.write_all(&source.bytes)
            })
        });
        let digest = digest.map_err(|problem: std::io::Error| {
            CliError::general(tr!("cannot read the fleet: {problem}", problem))
        })?;
        let now = SystemClock.now();
        let portals = fleet.portals.iter().filter_map(|portal| {
            let (name, every) = (portal.portal.clone()?, portal.every);
            let is_paused = rows::is_paused(portal, now)
                || pauses.get(&name).is_some_and(|pause| pause.holds(now));
            Some(QueuePortal { portal: name, revision: digest, every, is_paused })
        });
        let portals: Vec<QueuePortal> = portals.collect();
        let head = (fleet.name.to_string(), digest);
        if known.get(digest).is_none() {
            known.add(digest, fleet);
        }
        known.set_heads(BTreeMap::from([head]));
        let problems = queue.set_portals(portals).await?;
        Ok(problems.into_iter().map(CliError::from).collect())
    }

    /// Looks at files or state again and again. A problem is told once.
    pub(in crate::cli) async fn follow(&self, known: &KnownFleets, ui: &Ui, interrupt: &Interrupt) {
        let mut told = BTreeSet::new();
        loop {
            let (problems, remark) = match self.look(known, interrupt).await {
                Ok(problems) => (problems, tr!("all others are reconciled as before")),
                Err(problem) => (vec![problem], tr!("the portals are reconciled as before")),
            };
            known.set_problems(problems.len());
            let texts = problems.iter().map(ToString::to_string);
            let before = std::mem::replace(&mut told, texts.collect());
            let new = |problem: &&CliError| !before.contains(&problem.to_string());
            let mut has_new = false;
            for problem in problems.iter().filter(new) {
                let words: Vec<_> = problem.chain.iter().map(Text::english).collect();
                tracing::error!(problem = words.join(": "), "fleet");
                ui.fail(problem);
                has_new = true;
            }
            if has_new {
                ui.note(remark);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Looks at files or state. Returns the problems of single fleets and portals, which stop no
    /// other one.
    async fn look(
        &self,
        known: &KnownFleets,
        interrupt: &Interrupt,
    ) -> Result<Vec<CliError>, CliError> {
        let (state, queue) = match self {
            Self::Files(files, queue, global) => {
                let loaded = files::load_again(files, interrupt).await?;
                let found = other_fleets::find(global, &loaded.fleet, Severity::Error).await?;
                if let Some(first) = found.into_iter().next() {
                    return Err(CliError::general(first.message));
                }
                return Self::take_files(known, (queue, global), loaded).await;
            }
            Self::Published(state, queue, _) => (state, queue),
        };
        let (mut heads, mut queued, mut problems) = (Heads::new(), Queued::new(), Vec::new());
        for (name, head) in state.heads().await? {
            let fleet = if head.is_ok() { name } else { known.name_of_damaged(name) };
            let revisions = head.as_ref().ok().map(|head| (head.revision, head.previous));
            let looked = self.look_at_head(known, state, &fleet, head).await;
            let usable = self.usable(known, &fleet, revisions).await;
            heads.extend(usable.map(|usable| (fleet.clone(), usable)));
            let mut problem = looked.err();
            // The queue of a database knows the portals itself.
            if queue.is_some() {
                let (portals, unread) =
                    queue_portals(known, state, &fleet, revisions.is_some()).await;
                problem = problem.or(unread);
                queued.insert(fleet.clone(), portals);
            }
            let of_fleet =
                |problem: CliError| problem.context(tr!("the fleet {fleet} cannot be used", fleet));
            problems.extend(problem.map(of_fleet));
        }
        known.set_heads(heads);
        if let Some(queue) = queue {
            known.known.borrow_mut().queued.clone_from(&queued);
            let of_rows = queue.set_portals(queued.into_values().flatten().collect()).await?;
            problems.extend(of_rows.into_iter().map(CliError::from));
        }
        Ok(problems)
    }

    /// Returns the revision of a fleet that holds for all but the manifests: the current one, or
    /// the last one that could be used, so that a pause or a mode that was published stays.
    async fn usable(
        &self,
        known: &KnownFleets,
        fleet: &str,
        revisions: Option<(Digest, Option<Digest>)>,
    ) -> Option<Digest> {
        let (current, previous) = revisions.unzip();
        let usable = current.filter(|revision| known.get(*revision).is_some());
        let usable = usable.or_else(|| known.known.borrow().heads.get(fleet).copied());
        match (usable, previous.flatten()) {
            // The worker has just begun.
            (None, Some(previous)) => self.read(known, previous).await.ok()?.map(|_| previous),
            _ => usable,
        }
    }

    /// Reads the revision of a head, and then advances its rollout: a wave whose portals nobody can
    /// reconcile is not opened.
    async fn look_at_head(
        &self,
        known: &KnownFleets,
        state: &Fleets,
        fleet: &str,
        head: Result<FleetHead, StoreError>,
    ) -> Result<(), CliError> {
        let head = head?;
        let digest = head.revision;
        if self.read(known, digest).await?.is_none() {
            return Err(CliError::general(tr!("the store has no revision {digest}", digest)));
        }
        if head.rollout.state == RolloutState::Running
            && let Some(change) = rollout::advance(state, fleet).await?
        {
            tracing::info!(fleet, ?change, "rollout");
        }
        Ok(())
    }

    /// Returns the fleet of a revision; it is read from the state, if need be.
    pub(in crate::cli) async fn read(
        &self,
        known: &KnownFleets,
        digest: Digest,
    ) -> Result<Option<Rc<Fleet>>, CliError> {
        if let Some(fleet) = known.get(digest) {
            return Ok(Some(fleet));
        }
        let Self::Published(state, _, trusted) = self else { return Ok(None) };
        let _reading = known.reading.lock().await;
        if let Some(fleet) = known.get(digest) {
            return Ok(Some(fleet));
        }
        let Some(bytes) = state.revision(digest).await? else { return Ok(None) };
        let unusable = |problem: String| {
            CliError::general(tr!(
                "the revision {} cannot be used: {problem}",
                digest.short(),
                problem
            ))
        };
        let revision = FleetRevision::parse(&bytes).map_err(|problem| {
            CliError::from(StoreError::Damaged {
                path: tr!("the revision {}", digest.short()).to_string(),
                problem: problem.to_string(),
            })
        })?;
        if revision.digest != digest {
            return Err(unusable(tr!("its content is another one").to_string()));
        }
        if !trusted.is_empty() {
            revision
                .check_signature(trusted)
                .map_err(|problem| unusable(publishing::signature_problem(&problem).to_string()))?;
        }
        let loaded = revision.load();
        let Some(fleet) = loaded.fleet else {
            return Err(unusable(tr!("its files have problems").to_string()));
        };
        Ok(Some(known.add(digest, fleet)))
    }
}

/// Returns the portals of a published fleet, for the queue of a folder. Those of a fleet that
/// cannot be read stay as they were, but for pauses by command.
async fn queue_portals(
    known: &KnownFleets,
    state: &Fleets,
    fleet: &str,
    has_head: bool,
) -> (Vec<QueuePortal>, Option<CliError>) {
    let mut unread = None;
    if has_head {
        match portals_of(state, fleet).await {
            Ok(portals) => return (portals, None),
            Err(problem) => unread = Some(problem),
        }
    }
    let mut portals = known.known.borrow().queued.get(fleet).cloned().unwrap_or_default();
    match state.pauses().await {
        Ok(pauses) => {
            let now = SystemClock.now();
            for one in &mut portals {
                one.is_paused |= pauses.get(&one.portal).is_some_and(|pause| pause.holds(now));
            }
            (portals, unread)
        }
        Err(problem) => (Vec::new(), unread.or_else(|| Some(problem.into()))),
    }
}

/// Returns the portals of a published fleet as the state has them.
async fn portals_of(state: &Fleets, fleet: &str) -> Result<Vec<QueuePortal>, CliError> {
    let Some(view) = state.view(fleet).await? else { return Ok(Vec::new()) };
    let portals = view.portals.iter().filter_map(|portal| {
        Some(QueuePortal {
            portal: portal.published.portal.clone(),
            revision: portal.revision?,
            every: portal.published.every,
            is_paused: portal.is_paused(view.now),
        })
    });
    Ok(portals.collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest::{FleetFiles, Source, load_fleet};

    struct NoFiles;

    impl FleetFiles for NoFiles {
        fn read(&self, path: &Path) -> Result<Vec<u8>, Text> {
            Err(Text::from_display(&path.display()))
        }

        fn names(&self, _: &Path) -> Result<Vec<String>, Text> {
            Ok(Vec::new())
        }
    }

    fn fleet(number: usize) -> Fleet {
        let text = format!(
            "apiVersion: recard/v1\nkind: Fleet\nmetadata: {{ name: n{number}, reason: x }}\n\
             spec: {{ portals: [{{ portal: p{number}.example, manifests: [a] }}] }}\n"
        );
        let source = Source { name: "fleet.yaml".into(), bytes: text.into_bytes() };
        load_fleet(&[source], &NoFiles).fleet.unwrap()
    }

    #[test]
    fn known_fleets_keep_each_current_revision_and_the_last_other_ones() {
        let known = KnownFleets::default();
        let digest = |number: usize| Digest::hash(number.to_string().as_bytes());
        for number in 0..30 {
            known.add(digest(number), fleet(number));
        }
        let heads = (0..20).map(|number| (format!("n{number}"), digest(number)));
        known.set_heads(heads.collect());
        for number in 0..20 {
            let portal = PortalId::new(&format!("p{number}.example")).unwrap();
            assert_eq!(&*known.current(&portal).unwrap().name, format!("n{number}"));
        }
        let others: Vec<bool> =
            (20..30).map(|number| known.get(digest(number)).is_some()).collect();
        assert_eq!(others, [vec![false; 2], vec![true; MAX_REVISIONS]].concat());
        assert!(known.named("n20").is_none());
    }
}
