//! In-memory portal with fault injection at every request that writes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use recard::model::*;
use recard::ports::*;

use super::fuse::{Cut, Fuse};

pub(super) fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

pub(super) fn simple(id: u64) -> CardKey {
    CardKey::personal(user(id), LeadCustomerType::Simple)
}

pub(super) fn layout(name: &str) -> Layout {
    let json = format!(
        r#"[{{"name":"{name}","title":"Title","type":"section","elements":[{{"name":"TITLE"}}]}}]"#
    );
    Layout::from_json(&json).unwrap()
}

/// Fault of one write request.
#[derive(Clone, Debug)]
pub(super) enum PortalFault {
    /// The request is lost before it reaches the portal, without a sign.
    LostBefore,
    /// The request is executed, and the answer is lost.
    LostAfter,
    /// A person saves a card after the last read and before the request arrives.
    SavedBefore(CardKey, Layout),
    /// The same, and once more between the reset and the read after it.
    SavedTwice(CardKey, Layout, Layout),
    /// The same, and the read after the reset of that card has no answer.
    SavedBeforeAndHidden(CardKey, Layout),
    /// The same as `SavedBefore`, and a limit keeps the portal from resetting that card, or from
    /// storing it.
    SavedBeforeAndLimited(CardKey, Layout),
    /// The portal refuses to reset this card.
    Refuses(CardKey),
    /// The portal resets this card, and breaks down before it says so.
    BreaksDown(CardKey),
    /// A person saves a card between the write and the read behind it.
    SavedAfter(CardKey, Layout),
    /// An administrator sets a common default before the request arrives.
    SetForAll(LeadCustomerType, Layout),
    /// The read before the reset of this card has no answer.
    HidesBefore(CardKey),
    /// The answer leaves this card out.
    LeavesOut(CardKey),
    /// The request is refused as if the webhook had expired, and was not executed.
    Expired,
    /// The same, and it was executed.
    RefusedAfter,
    /// The same, and from then on nothing is answered.
    DiesAfter,
    /// The request is refused because of a limit, and was not executed.
    Limited,
    /// The same, and it was executed.
    LimitedAfter,
    /// The answer is lost, and the resets of the request are executed just before this many further
    /// reads. Meanwhile a person saves a card.
    Late(usize, CardKey, Layout),
    /// Each write of the request is executed, and answered as if a limit had prevented it.
    ExecutedAndLimited,
    /// The portal keeps only this of a `set`.
    Keeps(Layout),
}

/// The portal's rows, and everything that was asked of it.
#[derive(Default)]
pub(super) struct World {
    pub(super) rows: BTreeMap<CardKey, Layout>,
    pub(super) common_defaults: BTreeMap<CardKind, Layout>,
    pub(super) people: Vec<Person>,
    pub(super) departments: Vec<Department>,
    /// Requests that write, in order, with what happens to each; later ones are fine.
    pub(super) faults: BTreeMap<usize, PortalFault>,
    pub(super) writes: usize,
    /// The cards for which a reset arrived, in order.
    pub(super) resets: Vec<CardKey>,
    /// Reads answer with the caller's own card, whoever is named.
    pub(super) legacy: bool,
    /// The credential is refused.
    pub(super) dead: bool,
    /// The credential is refused from this many further reads on.
    pub(super) dies_after_reads: Option<usize>,
    /// The number of next read-backs that the portal refuses.
    pub(super) refused_reads: usize,
    /// Resets that are executed after this many further reads.
    pub(super) late: Option<(usize, Vec<CardKey>)>,
    /// A layout, and the part of it that the portal keeps.
    pub(super) keeps: Option<(Layout, Layout)>,
}

#[derive(Clone)]
pub(super) struct InMemoryPortal {
    pub(super) id: PortalId,
    pub(super) caller: UserId,
    world: Arc<Mutex<World>>,
    fuse: Fuse,
    cut: Cut,
    /// The number of targets in a request.
    per_request: usize,
    /// `true` if no layout fits into a batch.
    pub(super) alone: bool,
    /// Serializes requests in the order of their arrival, as the rate limiter does.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl InMemoryPortal {
    pub(super) fn new(world: &Arc<Mutex<World>>) -> Self {
        let id = PortalId::new("company.bitrix24.com").unwrap();
        Self {
            id,
            caller: user(1),
            world: Arc::clone(world),
            fuse: Fuse::default(),
            cut: Cut::Before,
            per_request: 2,
            alone: false,
            turn: Arc::default(),
        }
    }

    pub(super) fn in_requests_of(self, per_request: usize) -> Self {
        Self { per_request, ..self }
    }

    pub(super) fn cut(self, fuse: &Fuse, cut: Cut) -> Self {
        Self { fuse: fuse.clone(), cut, ..self }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(super) fn identity(&self) -> Identity {
        Identity {
            user: self.caller,
            name: PersonName::new("Olga", "Admin"),
            portal_admin: true,
            active_users: 100,
            release_sign: match self.world().legacy {
                true => ReleaseSign::Unknown,
                false => ReleaseSign::Trusted(TrustEvidence::WholeSeconds),
            },
            emulator: false,
        }
    }

    /// Waits for its turn and yields to others while it has it.
    async fn wait(&self) {
        let _turn = self.turn.lock().await;
        tokio::task::yield_now().await;
    }

    fn dead<T>() -> Result<T, PortalError> {
        Err(PortalError::Stopped("the process died".into()))
    }
}

impl World {
    fn read(&self, key: CardKey, caller: UserId) -> CardRead {
        let row = match key.user() {
            Some(_) if self.legacy => self.rows.get(&CardKey::personal(caller, key.kind)),
            _ => self.rows.get(&key),
        };
        CardRead::Read(row.or_else(|| key.user().and(self.common_defaults.get(&key.kind))).cloned())
    }
}

impl ReadPortal for InMemoryPortal {
    fn portal(&self) -> &PortalId {
        &self.id
    }

    async fn identify(&self) -> Result<Identity, PortalError> {
        Ok(self.identity())
    }

    async fn departments(&self) -> Result<Vec<Department>, PortalError> {
        Ok(self.world().departments.clone())
    }

    async fn people(&self, query: &PeopleQuery) -> Result<Vec<Person>, PortalError> {
        let fits = |person: &&Person| match query {
            PeopleQuery::Ids(ids) => ids.contains(&person.id),
            PeopleQuery::Emails(emails) => person
                .email
                .as_ref()
                .is_some_and(|one| emails.iter().any(|email| **email == one.to_lowercase())),
            PeopleQuery::Departments(wanted) => {
                person.active
                    && person.departments.iter().any(|department| wanted.contains(department))
            }
            PeopleQuery::AllActive => person.active,
        };
        Ok(self.world().people.iter().filter(fits).cloned().collect())
    }

    async fn catalog(&self, _: &CatalogQuery) -> Result<CardCatalog, PortalError> {
        Ok(CardCatalog::default())
    }

    async fn read_cards(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> Result<(), PortalError> {
        self.wait().await;
        let read = |key: &CardKey| (*key, self.world().read(*key, self.caller));
        let Some(reads) = self.fuse.step(self.cut, || keys.iter().map(read).collect::<Vec<_>>())
        else {
            return Self::dead();
        };
        for (key, read) in reads {
            sink.take(key, read);
        }
        Ok(())
    }
}

impl WritePortal for InMemoryPortal {
    fn targets_per_request(&self, _: usize) -> usize {
        self.per_request
    }

    fn fits_batch(&self, _: &Layout) -> bool {
        !self.alone
    }

    async fn write_cards(
        &self,
        writes: &[(CardKey, CardWrite<'_>)],
        _: Lane,
    ) -> Result<Vec<(CardKey, WriteEvidence)>, WriteError> {
        self.wait().await;
        let dead = || Err(WriteError::NotSent(PortalError::Stopped("the process died".into())));
        self.fuse.step(self.cut, || self.world().write(writes, self.caller)).unwrap_or_else(dead)
    }

    async fn set_card(
        &self,
        key: CardKey,
        layout: &Layout,
        _: Lane,
        proceed: &(dyn Fn(&CardRead) -> bool + Sync),
    ) -> SingleSet {
        let mut before = CardRead::NoAnswer("the portal was not asked".into());
        let mut sink = |_: CardKey, read: CardRead| before = read;
        if let Err(problem) = self.read_back(&[key], &mut sink).await {
            before = CardRead::NoAnswer(problem.to_string());
        }
        if !proceed(&before) {
            return SingleSet::NotSent(before);
        }
        let answer = self.set_alone(key, layout).await;
        SingleSet::Sent(before, answer)
    }

    async fn read_back(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> Result<(), PortalError> {
        if self.world().dead {
            return Err(expired());
        }
        {
            let mut world = self.world();
            world.dies_after_reads = world.dies_after_reads.map(|left| left.saturating_sub(1));
            if world.dies_after_reads == Some(0) {
                return Err(expired());
            }
            if let Some(left) = world.refused_reads.checked_sub(1) {
                world.refused_reads = left;
                return Err(expired());
            }
            match world.late.take() {
                Some((0 | 1, late)) => late.iter().for_each(|key| drop(world.rows.remove(key))),
                Some((left, late)) => world.late = Some((left - 1, late)),
                None => {}
            }
        }
        self.read_cards(keys, sink).await
    }
}

impl InMemoryPortal {
    /// Executes the single call of a layout.
    async fn set_alone(&self, key: CardKey, layout: &Layout) -> Result<WriteAnswer, WriteError> {
        self.wait().await;
        let dead = || Err(WriteError::NotSent(PortalError::Stopped("the process died".into())));
        let act = || self.world().write(&[(key, CardWrite::Set(layout))], self.caller);
        let mut evidence = self.fuse.step(self.cut, act).unwrap_or_else(dead)?;
        Ok(evidence
            .pop()
            .map_or(WriteAnswer::Unclear("left out".into()), |(_, evidence)| evidence.answer))
    }
}

fn expired() -> PortalError {
    let (rejection, code) = (Rejection::Credentials, "INVALID_CREDENTIALS".into());
    PortalError::Rejected { rejection, code, message: String::new() }
}

impl World {
    /// Executes one request that writes, with its fault.
    fn write(
        &mut self,
        writes: &[(CardKey, CardWrite<'_>)],
        caller: UserId,
    ) -> Result<Vec<(CardKey, WriteEvidence)>, WriteError> {
        let indeterminate = |cause| Err(WriteError::Indeterminate { reason: "cut".into(), cause });
        let fault = self.faults.get(&self.writes).cloned();
        self.writes += 1;
        match &fault {
            Some(PortalFault::LostBefore) => return indeterminate(IndeterminateCause::NoAnswer),
            Some(PortalFault::Late(reads, key, layout)) => {
                self.late = Some((*reads, writes.iter().map(|(key, _)| *key).collect()));
                self.rows.insert(*key, layout.clone());
                return indeterminate(IndeterminateCause::NoAnswer);
            }
            Some(PortalFault::Limited) => return indeterminate(IndeterminateCause::Limit),
            Some(PortalFault::Expired) => {
                return indeterminate(IndeterminateCause::Refusal(expired()));
            }
            Some(
                PortalFault::SavedBefore(key, layout)
                | PortalFault::SavedTwice(key, layout, _)
                | PortalFault::SavedBeforeAndHidden(key, layout)
                | PortalFault::SavedBeforeAndLimited(key, layout),
            ) => {
                self.rows.insert(*key, layout.clone());
            }
            Some(PortalFault::SetForAll(lead, layout)) => {
                self.common_defaults.insert((*lead).into(), layout.clone());
            }
            _ => {}
        }
        let mut answers = Vec::new();
        for (key, write) in writes {
            let before = match &fault {
                Some(PortalFault::HidesBefore(hidden)) if hidden == key => {
                    CardRead::NoAnswer("cut".into())
                }
                _ => self.read(*key, caller),
            };
            let answer = match &fault {
                Some(PortalFault::SavedBeforeAndLimited(limited, _)) if limited == key => {
                    WriteAnswer::Limited("a limit".into())
                }
                Some(PortalFault::Refuses(refused)) if refused == key => {
                    let (code, message) = (String::new(), "Access denied.".to_owned());
                    WriteAnswer::Refused(Refusal { code, message })
                }
                _ => {
                    match (write, &fault) {
                        (CardWrite::Reset, _) => {
                            self.rows.remove(key);
                            self.resets.push(*key);
                        }
                        (CardWrite::Set(_), Some(PortalFault::Keeps(part))) => {
                            drop(self.rows.insert(*key, part.clone()))
                        }
                        (CardWrite::Set(layout), _) => {
                            let part = self.keeps.as_ref().filter(|(whole, _)| whole == *layout);
                            let kept = part.map_or(*layout, |(_, part)| part).clone();
                            drop(self.rows.insert(*key, kept))
                        }
                    }
                    match &fault {
                        Some(PortalFault::BreaksDown(broken)) if broken == key => {
                            WriteAnswer::Unclear("broken".into())
                        }
                        Some(PortalFault::ExecutedAndLimited) => {
                            WriteAnswer::Limited("a limit".into())
                        }
                        _ => WriteAnswer::Done,
                    }
                }
            };
            if let Some(
                PortalFault::SavedTwice(saved, _, layout) | PortalFault::SavedAfter(saved, layout),
            ) = &fault
                && saved == key
            {
                self.rows.insert(*key, layout.clone());
            }
            let after = match &fault {
                Some(PortalFault::SavedBeforeAndHidden(hidden, _)) if hidden == key => {
                    CardRead::NoAnswer("cut".into())
                }
                _ => self.read(*key, caller),
            };
            answers.push((*key, WriteEvidence { before, answer, after }));
        }
        match fault {
            Some(PortalFault::LostAfter) => return indeterminate(IndeterminateCause::NoAnswer),
            Some(PortalFault::LimitedAfter) => return indeterminate(IndeterminateCause::Limit),
            Some(PortalFault::RefusedAfter) => {
                return indeterminate(IndeterminateCause::Refusal(expired()));
            }
            Some(PortalFault::DiesAfter) => {
                self.dead = true;
                return indeterminate(IndeterminateCause::Refusal(expired()));
            }
            Some(PortalFault::LeavesOut(key)) => answers.retain(|(answered, _)| *answered != key),
            _ => {}
        }
        answers.reverse();
        Ok(answers)
    }
}
