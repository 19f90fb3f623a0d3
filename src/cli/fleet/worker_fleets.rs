//! Fleets that a worker reconciles: from files that it reads again and again, or as they were
//! published in the store.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::files::{self, FleetOnDisk};
use super::rows;
use crate::cli::args::FleetFilesArgs;
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::fleet::rollout;
use crate::i18n::Text;
use crate::manifest::{Fleet, FleetPortal};
use crate::model::{Digest, PortalId};
use crate::ports::{Claim, Clock as _, FleetState as _, RolloutState, StoreError};
use crate::records::fleet::{FleetRevision, TrustedKey};
use crate::store::{Fleets, FolderQueue, QueuePortal};

/// Interval at which files or the state of fleets are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Interval of a portal that is in no known fleet.
const UNKNOWN_EVERY: Duration = Duration::from_secs(15 * 60);

/// Number of revisions that are kept in memory beside the current ones.
const MAX_REVISIONS: usize = 8;

/// Fleets by the digests of their revisions.
#[derive(Default)]
pub(in crate::cli) struct KnownFleets {
    known: RefCell<Known>,
    /// Held while a revision is read: the rounds that a worker begins with all need the same one.
    reading: tokio::sync::Mutex<()>,
    /// The current revision for the pages; `None` if there is none, or more than one.
    shown: std::sync::Arc<Mutex<Option<String>>>,
}

#[derive(Default)]
struct Known {
    fleets: BTreeMap<Digest, Rc<Fleet>>,
    /// The current revision of each fleet.
    heads: BTreeMap<String, Digest>,
    /// The revisions in the order in which they were read.
    order: Vec<Digest>,
}

impl KnownFleets {
    /// Returns the place of the current revision, for the pages.
    pub(in crate::cli) fn shown(&self) -> std::sync::Arc<Mutex<Option<String>>> {
        std::sync::Arc::clone(&self.shown)
    }

    fn add(&self, digest: Digest, fleet: Fleet) -> Rc<Fleet> {
        let fleet = Rc::new(fleet);
        let mut known = self.known.borrow_mut();
        known.fleets.insert(digest, Rc::clone(&fleet));
        known.order.push(digest);
        let Known { fleets, heads, order } = &mut *known;
        if let Some(excess) = order.len().checked_sub(MAX_REVISIONS) {
            for old in order.drain(..excess).collect::<Vec<_>>() {
                if heads.values().any(|head| *head == old) {
                    order.push(old);
                } else {
                    fleets.remove(&old);
                }
            }
        }
        fleet
    }

    fn set_heads(&self, heads: BTreeMap<String, Digest>) {
        let only = heads.values().next().filter(|_| heads.len() == 1).map(ToString::to_string);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = only;
        self.known.borrow_mut().heads = heads;
    }

    /// Returns the fleet of a revision, if it was read.
    pub(in crate::cli) fn get(&self, digest: Digest) -> Option<Rc<Fleet>> {
        self.known.borrow().fleets.get(&digest).cloned()
    }

    /// Returns the current fleet of a portal.
    pub(in crate::cli) fn current(&self, portal: &PortalId) -> Option<Rc<Fleet>> {
        let known = self.known.borrow();
        let mut heads = known.heads.values().filter_map(|digest| known.fleets.get(digest));
        heads.find(|fleet| portal_of(fleet, portal).is_some()).cloned()
    }

    /// Returns the interval of the portal of a claim, by the revision of the claim: its round may
    /// end before the current revisions are known.
    pub(in crate::cli) fn every(&self, claim: &Claim) -> Duration {
        let fleet = self.get(claim.revision);
        let portal = fleet.as_ref().and_then(|fleet| portal_of(fleet, &claim.portal));
        let every = portal.map(|portal| portal.every);
        every.unwrap_or(UNKNOWN_EVERY)
    }
}

/// Returns a portal of a fleet.
pub(in crate::cli) fn portal_of<'f>(fleet: &'f Fleet, name: &PortalId) -> Option<&'f FleetPortal> {
    fleet.portals.iter().find(|portal| portal.portal.as_ref() == Some(name))
}

/// Source of the fleets of a worker.
pub(in crate::cli) enum FleetSource<'a> {
    /// Files, for the queue of a folder. Files that have become invalid change nothing.
    Files(&'a FleetFilesArgs, &'a FolderQueue),
    /// The state of fleets. The queue of a folder is told of its portals; that of a database knows
    /// them.
    Published(Fleets, Option<&'a FolderQueue>, Vec<TrustedKey>),
}

impl FleetSource<'_> {
    /// Takes a fleet that was read from files. Returns the number of its portals.
    pub(in crate::cli) async fn take_files(
        known: &KnownFleets,
        queue: &FolderQueue,
        loaded: FleetOnDisk,
    ) -> Result<usize, CliError> {
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
            let is_paused = rows::is_paused(portal, now);
            Some(QueuePortal { portal: portal.portal.clone()?, revision: digest, is_paused })
        });
        let portals: Vec<QueuePortal> = portals.collect();
        let count = portals.len();
        let head = (fleet.name.to_string(), digest);
        if known.get(digest).is_none() {
            known.add(digest, fleet);
        }
        known.set_heads(BTreeMap::from([head]));
        queue.set_portals(portals).await?;
        Ok(count)
    }

    /// Looks at files or state again and again. A problem is told once.
    pub(in crate::cli) async fn follow(&self, known: &KnownFleets, ui: &Ui, interrupt: &Interrupt) {
        let mut told = None;
        loop {
            match self.look(known, interrupt).await {
                Ok(()) => told = None,
                Err(problem) => {
                    let text = problem.chain.first().map(Text::to_string);
                    if text != told {
                        ui.fail(&problem);
                        ui.note(tr!("the portals are reconciled as before"));
                        told = text;
                    }
                }
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn look(&self, known: &KnownFleets, interrupt: &Interrupt) -> Result<(), CliError> {
        let (state, queue) = match self {
            Self::Files(files, queue) => {
                let loaded = files::load_again(files, interrupt).await?;
                return Self::take_files(known, queue, loaded).await.map(|_| ());
            }
            Self::Published(state, queue, _) => (state, queue),
        };
        let (mut heads, mut portals) = (BTreeMap::new(), Vec::new());
        for (fleet, head) in state.heads().await? {
            if head.rollout.state == RolloutState::Running
                && let Some(change) = rollout::advance(state, &fleet).await?
            {
                tracing::info!(fleet, ?change, "rollout");
            }
            self.read(known, head.revision).await?;
            // The queue of a database knows the portals itself.
            let view = if queue.is_some() { state.view(&fleet).await? } else { None };
            for portal in view.iter().flat_map(|view| &view.portals) {
                portals.extend(portal.revision.map(|revision| QueuePortal {
                    portal: portal.published.portal.clone(),
                    revision,
                    is_paused: view.as_ref().is_some_and(|view| portal.is_paused(view.now)),
                }));
            }
            heads.insert(fleet, head.revision);
        }
        known.set_heads(heads);
        if let Some(queue) = queue {
            queue.set_portals(portals).await?;
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
            revision.check_signature(trusted).map_err(|problem| unusable(problem.to_string()))?;
        }
        let loaded = revision.load();
        let Some(fleet) = loaded.fleet else {
            return Err(unusable(tr!("its files have problems").to_string()));
        };
        Ok(Some(known.add(digest, fleet)))
    }
}
