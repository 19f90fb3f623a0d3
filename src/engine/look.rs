//! From manifests to a snapshot in one go: the cards of the first people are read while the last ones are still being listed.
//!
//! On a portal of thousands, the list takes seconds in which most connections would have nothing to do. That is so for blocks
//! that select everybody. People of departments, however many they are, are all listed first.
//!
//! Which cards are wanted of somebody who is just being listed is a guess, and it is safe to be wrong: a card that was read and
//! is no target is in no snapshot, and a target that was not read yet is read in the end. Nothing but the finished resolution
//! says what the targets are.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::try_join;
use thiserror::Error;

use super::directory::Directory;
use super::observe::{probes, probes_for, read_queue, snapshot};
use super::resolve::{Resolution, resolve_what_is_there};
use super::{Event, Listener};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Declaration, PersonalBlock};
use crate::model::{CardKey, DepartmentId, Identity, LeadCustomerType, Person, Snapshot, UserId};
use crate::port::{CardQueue, PortalError, ReadPortal};

/// Why the portal could not be looked at.
#[derive(Debug, Error)]
pub enum LookError {
    /// It could not be asked for people and departments.
    #[error("{}", tr!("cannot look up people and departments"))]
    LookUp(#[source] PortalError),
    /// It could not be asked for cards.
    #[error("{}", tr!("cannot read the cards"))]
    Read(#[source] PortalError),
}

/// What manifests mean on a portal, and what it holds of it.
#[derive(Clone, Debug)]
pub struct Look {
    /// The targets, and what was odd. What the manifests name and the portal does not have is left out of the targets and stands
    /// among the warnings as an error.
    pub resolution: Resolution,
    /// The cards of the targets. None if they were not worth looking at.
    pub snapshot: Option<Snapshot>,
}

/// Resolves manifests, and reads the cards of all targets. `worth` is asked once the targets are known: with these warnings,
/// is there any use in the cards?
///
/// # Errors
///
/// If the portal cannot be asked.
pub async fn look<P: ReadPortal>(
    portal: &P,
    caller: &Identity,
    declaration: &Declaration,
    worth: impl Fn(&[Diagnostic]) -> bool + Sync,
    listener: &dyn Listener,
) -> Result<Look, LookError> {
    enum End {
        Error(LookError),
        NotWorth(Resolution),
    }
    let queue = CardQueue::default();
    let early = Early::new(declaration, caller.user, &queue);
    let find = async {
        let heard = |directory: &Directory, people: &[Person], in_all| early.hear(directory, people, in_all);
        let found = resolve_what_is_there(portal, declaration, &heard).await;
        let resolution = found.map_err(|problem| End::Error(LookError::LookUp(problem)))?;
        if !worth(&resolution.warnings) {
            return Err(End::NotWorth(resolution));
        }
        let targets = resolution.desired.targets.iter().map(|target| target.key).collect();
        Ok((resolution, targets))
    };
    let read = |problem| End::Error(LookError::Read(problem));
    match observe_while(portal, caller, &queue, find, read, listener).await {
        Ok((resolution, snapshot)) => Ok(Look { resolution, snapshot: Some(snapshot) }),
        Err(End::NotWorth(resolution)) => Ok(Look { resolution, snapshot: None }),
        Err(End::Error(problem)) => Err(problem),
    }
}

/// Reads the cards of a queue while the targets are found out, and then those of all targets that were not in it.
pub(super) async fn observe_while<P: ReadPortal, T, E>(
    portal: &P,
    caller: &Identity,
    queue: &CardQueue,
    find: impl Future<Output = Result<(T, Vec<CardKey>), E>> + Send,
    failed: impl Fn(PortalError) -> E + Send + Sync,
    listener: &dyn Listener,
) -> Result<(T, Snapshot), E>
where
    T: Send,
    E: Send,
{
    let find = async {
        let (found, targets) = find.await?;
        listener.hear(Event::Resolved { targets: targets.len() });
        let mut early = queue.cards();
        early.sort_unstable();
        let first = probes_for(&targets, caller.user);
        let all = first.iter().chain(targets.iter().filter(|key| !first.contains(key)));
        let late: Vec<CardKey> = all.filter(|key| early.binary_search(key).is_err()).copied().collect();
        queue.complete(late);
        Ok((found, targets))
    };
    let read = async { read_queue(portal, queue, listener).await.map_err(&failed) };
    let ((found, targets), reads) = try_join(find, read).await?;
    let snapshot = snapshot(portal, caller, &targets, &reads).await.map_err(&failed)?;
    Ok((found, snapshot))
}

/// Puts the cards of people into a queue who are still being listed.
struct Early<'a> {
    queue: &'a CardQueue,
    caller: UserId,
    blocks: Vec<Block<'a>>,
    /// What is wanted whoever is listed.
    always: Vec<CardKey>,
    /// How many people were heard of.
    heard: AtomicUsize,
}

/// A block that selects everybody.
struct Block<'a> {
    block: &'a PersonalBlock,
    excepted: BTreeSet<UserId>,
    addresses: BTreeSet<&'a str>,
    /// The departments that it leaves out, once they are known.
    departments: OnceLock<BTreeSet<DepartmentId>>,
}

impl<'a> Early<'a> {
    fn new(declaration: &'a Declaration, caller: UserId, queue: &'a CardQueue) -> Self {
        let blocks = declaration.documents.iter().flat_map(|document| &document.personal);
        let blocks: Vec<Block<'_>> = blocks.filter(|block| block.users.all.is_some()).map(Block::of).collect();
        let mut always = probes(&leads(blocks.iter()), caller);
        let common = declaration.documents.iter().flat_map(|document| &document.common);
        always.extend(common.map(|lead| CardKey::common(lead.value)).collect::<BTreeSet<_>>());
        Self { queue, caller, blocks, always, heard: AtomicUsize::new(0) }
    }

    fn hear(&self, directory: &Directory, people: &[Person], in_all: usize) {
        let mut keys = if self.queue.is_empty() { self.always.clone() } else { Vec::new() };
        // The caller's own cards are among the probes.
        for person in people.iter().filter(|person| person.id != self.caller) {
            let blocks = self.blocks.iter().filter(|block| block.selects(person, directory));
            keys.extend(leads(blocks).into_iter().map(|lead| CardKey::personal(person.id, lead)));
        }
        let heard = self.heard.fetch_add(people.len(), Ordering::Relaxed) + people.len();
        let theirs = (self.queue.len() + keys.len()).saturating_sub(self.always.len());
        self.queue
            .push(keys, self.always.len().saturating_add(theirs.saturating_mul(in_all.max(heard)) / heard.max(1)));
    }
}

/// The kinds of leads that blocks name.
fn leads<'a>(blocks: impl Iterator<Item = &'a Block<'a>>) -> BTreeSet<LeadCustomerType> {
    blocks.flat_map(|block| block.block.lead_customer_types.iter().copied()).collect()
}

impl<'a> Block<'a> {
    fn of(block: &'a PersonalBlock) -> Self {
        let except = &block.users.except;
        Self {
            block,
            excepted: except.ids.iter().map(|id| id.value).collect(),
            addresses: except.emails.iter().map(|email| &*email.value).collect(),
            departments: OnceLock::new(),
        }
    }

    fn selects(&self, person: &Person, directory: &Directory) -> bool {
        let departments = self.departments.get_or_init(|| {
            let excepted = self.block.users.except.departments.iter();
            excepted.flat_map(|department| directory.department_tree(&department.value)).collect()
        });
        let address = person.email.as_ref().map(|email| email.to_lowercase());
        person.is_employee()
            && !self.excepted.contains(&person.id)
            && !address.is_some_and(|address| self.addresses.contains(address.as_str()))
            && !person.departments.iter().any(|id| departments.contains(id))
    }
}
