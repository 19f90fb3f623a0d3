//! A portal and a store in memory, which can be cut at every step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::model::*;
use crate::port::*;

pub(super) fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

pub(super) fn simple(id: u64) -> CardKey {
    CardKey::personal(user(id), LeadCustomerType::Simple)
}

pub(super) fn layout(name: &str) -> Layout {
    let json = format!(r#"[{{"name":"{name}","title":"Title","type":"section","elements":[{{"name":"TITLE"}}]}}]"#);
    Layout::from_json(&json).unwrap()
}

/// What happens to one request that writes.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It never reaches the portal, but nobody knows.
    LostBefore,
    /// It is carried out, and the answer is lost.
    LostAfter,
    /// Somebody saves a card after the last read and before the request arrives.
    SavedBefore(CardKey, Layout),
    /// The same, and once more between the reset and the read after it.
    SavedTwice(CardKey, Layout, Layout),
    /// The same, and the read after the reset of that card has no answer.
    SavedBeforeAndHidden(CardKey, Layout),
    /// The same, and a limit keeps the portal from resetting that card, or from storing it.
    SavedBeforeAndLimited(CardKey, Layout),
    /// The portal refuses to reset this card.
    Refuses(CardKey),
    /// The portal resets this card, and breaks down before it says so.
    BreaksDown(CardKey),
    /// Somebody sets a card for everybody, before the request arrives.
    SetForAll(LeadCustomerType, Layout),
    /// The read before the reset of this card has no answer.
    HidesBefore(CardKey),
    /// The answer leaves this card out.
    LeavesOut(CardKey),
    /// The webhook has expired.
    Expired,
    /// The portal keeps only this of a `set`.
    Keeps(Layout),
}

/// The portal's rows, and everything that was asked of it.
#[derive(Default)]
pub(super) struct World {
    pub(super) rows: BTreeMap<CardKey, Layout>,
    pub(super) stand_ins: BTreeMap<LeadCustomerType, Layout>,
    pub(super) people: Vec<Person>,
    pub(super) departments: Vec<Department>,
    /// Requests that write, in order, with what happens to each; later ones are fine.
    pub(super) faults: BTreeMap<usize, Fault>,
    pub(super) writes: usize,
    /// The cards for which a reset arrived, in order.
    pub(super) resets: Vec<CardKey>,
    /// Reads answer with the caller's own card, whoever is named.
    pub(super) legacy: bool,
}

/// Ends everything after a number of steps, as a killed process would.
#[derive(Clone, Default)]
pub(super) struct Fuse(Arc<Mutex<FuseState>>);

#[derive(Default)]
struct FuseState {
    left: Option<usize>,
    burnt: bool,
}

/// Whether a step is carried out before the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Before,
    After,
}

impl Fuse {
    pub(super) fn after(steps: usize) -> Self {
        Self(Arc::new(Mutex::new(FuseState { left: Some(steps), burnt: false })))
    }

    pub(super) fn is_burnt(&self) -> bool {
        self.0.lock().unwrap().burnt
    }

    /// Carries out a step, unless the process is dead. Nothing if it is, or died in this step.
    fn step<T>(&self, cut: Cut, act: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.0.lock().unwrap();
        if state.burnt {
            return None;
        }
        match &mut state.left {
            Some(0) => {
                state.burnt = true;
                if cut == Cut::After {
                    act();
                }
                None
            }
            Some(left) => {
                *left -= 1;
                Some(act())
            }
            None => Some(act()),
        }
    }
}

#[derive(Clone)]
pub(super) struct FakePortal {
    pub(super) id: PortalId,
    pub(super) caller: UserId,
    world: Arc<Mutex<World>>,
    fuse: Fuse,
    cut: Cut,
    /// How many targets a request has; which of them, by how many remain.
    per_request: &'static [usize],
    /// One request at a time, in the order of their coming, as in front of a limit.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl FakePortal {
    pub(super) fn new(world: &Arc<Mutex<World>>) -> Self {
        let id = PortalId::new("company.bitrix24.com").unwrap();
        Self {
            id,
            caller: user(1),
            world: Arc::clone(world),
            fuse: Fuse::default(),
            cut: Cut::Before,
            per_request: &[2],
            turn: Arc::default(),
        }
    }

    pub(super) fn in_sizes(self, per_request: &'static [usize]) -> Self {
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
            release_sign: (!self.world().legacy).then_some(TrustEvidence::WholeSeconds),
            emulator: false,
        }
    }

    /// Waits for its turn, and lets others go on while it has it.
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
            Some(_) if self.legacy => self.rows.get(&CardKey::personal(caller, key.lead)),
            _ => self.rows.get(&key),
        };
        CardRead::Read(row.or_else(|| key.user().and(self.stand_ins.get(&key.lead))).cloned())
    }
}

impl ReadPortal for FakePortal {
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
            PeopleQuery::Emails(emails) => {
                person.email.as_ref().is_some_and(|one| emails.iter().any(|email| **email == one.to_lowercase()))
            }
            PeopleQuery::Departments(wanted) => {
                person.active && person.departments.iter().any(|department| wanted.contains(department))
            }
            PeopleQuery::AllActive => person.active,
        };
        Ok(self.world().people.iter().filter(fits).cloned().collect())
    }

    async fn read_cards(&self, keys: &[CardKey], sink: &mut dyn CardSink) -> Result<(), PortalError> {
        self.wait().await;
        let read = |key: &CardKey| (*key, self.world().read(*key, self.caller));
        let Some(reads) = self.fuse.step(self.cut, || keys.iter().map(read).collect::<Vec<_>>()) else {
            return Self::dead();
        };
        for (key, read) in reads {
            sink.take(key, read);
        }
        Ok(())
    }
}

impl WritePortal for FakePortal {
    fn targets_per_request(&self, remaining: usize) -> usize {
        self.per_request[remaining % self.per_request.len()]
    }

    async fn reset_cards(&self, targets: &[CardKey]) -> Result<Vec<(CardKey, ResetAnswer)>, PortalError> {
        self.wait().await;
        let act = || {
            let mut world = self.world();
            let fault = world.faults.get(&world.writes).cloned();
            world.writes += 1;
            match &fault {
                Some(Fault::LostBefore) => return Err(PortalError::MaybeExecuted("cut".into())),
                Some(Fault::Expired) => {
                    let (rejection, code) = (Rejection::Credentials, "INVALID_CREDENTIALS".into());
                    return Err(PortalError::Rejected { rejection, code, message: String::new() });
                }
                Some(
                    Fault::SavedBefore(key, layout)
                    | Fault::SavedTwice(key, layout, _)
                    | Fault::SavedBeforeAndHidden(key, layout)
                    | Fault::SavedBeforeAndLimited(key, layout),
                ) => {
                    world.rows.insert(*key, layout.clone());
                }
                Some(Fault::SetForAll(lead, layout)) => {
                    world.stand_ins.insert(*lead, layout.clone());
                }
                _ => {}
            }
            let refused: BTreeSet<CardKey> = match &fault {
                Some(Fault::Refuses(key)) => [*key].into(),
                _ => BTreeSet::new(),
            };
            let mut answers = Vec::new();
            for key in targets {
                let before = match &fault {
                    Some(Fault::HidesBefore(hidden)) if hidden == key => CardRead::NoAnswer("cut".into()),
                    _ => world.read(*key, self.caller),
                };
                let limited = matches!(&fault, Some(Fault::SavedBeforeAndLimited(limited, _)) if limited == key);
                let reset = if limited {
                    CommandAnswer::NotExecuted("a limit".into())
                } else if refused.contains(key) {
                    let (code, message) = (String::new(), "Access denied.".to_owned());
                    CommandAnswer::Refused(Refusal { code, message })
                } else {
                    world.rows.remove(key);
                    world.resets.push(*key);
                    match &fault {
                        Some(Fault::BreaksDown(broken)) if broken == key => CommandAnswer::Unclear("broken".into()),
                        _ => CommandAnswer::Done,
                    }
                };
                if let Some(Fault::SavedTwice(saved, _, layout)) = &fault
                    && saved == key
                {
                    world.rows.insert(*key, layout.clone());
                }
                let after = match &fault {
                    Some(Fault::SavedBeforeAndHidden(hidden, _)) if hidden == key => CardRead::NoAnswer("cut".into()),
                    _ => world.read(*key, self.caller),
                };
                answers.push((*key, ResetAnswer { before, reset, after }));
            }
            match fault {
                Some(Fault::LostAfter) => return Err(PortalError::MaybeExecuted("cut".into())),
                Some(Fault::LeavesOut(key)) => answers.retain(|(answered, _)| *answered != key),
                _ => {}
            }
            answers.reverse();
            Ok(answers)
        };
        self.fuse.step(self.cut, act).unwrap_or_else(Self::dead)
    }

    async fn set_card(&self, key: CardKey, layout: &Layout) -> Result<CommandAnswer, PortalError> {
        let act = || {
            let mut world = self.world();
            let fault = world.faults.get(&world.writes).cloned();
            world.writes += 1;
            if let Some(Fault::SavedBefore(saved, newer)) = &fault {
                world.rows.insert(*saved, newer.clone());
            }
            if let Some(Fault::SavedBeforeAndLimited(saved, newer)) = fault {
                world.rows.insert(saved, newer);
                return Ok(CommandAnswer::NotExecuted("a limit".to_owned()));
            }
            let kept = match &fault {
                Some(Fault::LostBefore) => return Err(PortalError::MaybeExecuted("cut".into())),
                Some(Fault::Keeps(part)) => part.clone(),
                _ => layout.clone(),
            };
            world.rows.insert(key, kept);
            match fault {
                Some(Fault::LostAfter) => Err(PortalError::MaybeExecuted("cut".into())),
                _ => Ok(CommandAnswer::Done),
            }
        };
        self.fuse.step(self.cut, act).unwrap_or_else(Self::dead)
    }
}

/// What survives a killed process.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) journals: BTreeMap<RunId, Vec<JournalRecord>>,
    pub(super) backups: BTreeMap<Digest, Layout>,
    pub(super) ledger: Ledger,
}

#[derive(Clone)]
pub(super) struct FakeLog {
    run: RunId,
    disk: Arc<Mutex<Disk>>,
    fuse: Fuse,
    cut: Cut,
    /// What was noted last and is not synced: it is lost when everything ends.
    noted: Vec<JournalRecord>,
}

impl FakeLog {
    /// Opens a journal with its header; the header itself is no step.
    pub(super) fn open(disk: &Arc<Mutex<Disk>>, number: u32, purpose: RunPurpose, targets: Vec<PlannedCard>) -> Self {
        let run = RunId::new("20261101T090000Z", number).unwrap();
        let header = RunHeader {
            purpose,
            portal: PortalId::new("company.bitrix24.com").unwrap(),
            caller: user(1),
            actor: String::new(),
            manifest: None,
            commit: None,
            reasons: Vec::new(),
            targets,
        };
        disk.lock().unwrap().journals.insert(run.clone(), vec![JournalRecord::Opened(header)]);
        Self { run, disk: Arc::clone(disk), fuse: Fuse::default(), cut: Cut::Before, noted: Vec::new() }
    }

    /// The log of a run that was opened before.
    pub(super) fn again(disk: &Arc<Mutex<Disk>>, run: &RunId) -> Self {
        Self { run: run.clone(), disk: Arc::clone(disk), fuse: Fuse::default(), cut: Cut::Before, noted: Vec::new() }
    }

    pub(super) fn cut(self, fuse: &Fuse, cut: Cut) -> Self {
        Self { fuse: fuse.clone(), cut, ..self }
    }

    pub(super) fn shared_disk(&self) -> Arc<Mutex<Disk>> {
        Arc::clone(&self.disk)
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    pub(super) fn records(&self) -> Vec<JournalRecord> {
        self.disk().journals[&self.run].clone()
    }

    fn write(&self, act: impl FnOnce(&mut Disk)) -> Result<(), StoreError> {
        self.fuse.step(self.cut, || act(&mut self.disk())).ok_or_else(|| StoreError::Io {
            doing: "cannot write",
            path: "store".into(),
            source: std::io::Error::other("the process died"),
        })
    }
}

impl RunLog for FakeLog {
    fn run(&self) -> &RunId {
        &self.run
    }

    fn back_up(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        self.write(|disk| disk.backups.extend(cards.iter().map(|(_, layout)| (layout.digest(), (*layout).clone()))))
    }

    fn append(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        let noted = std::mem::take(&mut self.noted);
        self.write(|disk| {
            let journal = disk.journals.entry(self.run.clone()).or_default();
            journal.extend(noted.into_iter().chain(records.iter().cloned()));
        })
    }

    fn note(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        // A part of what is not synced may have come to the disk by itself.
        let noted = std::mem::replace(&mut self.noted, records.to_vec());
        self.write(|disk| disk.journals.entry(self.run.clone()).or_default().extend(noted))
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.append(&[])
    }

    fn mark(&mut self, entries: &[(Generation, CardKey, LedgerEntry)]) -> Result<(), StoreError> {
        self.write(|disk| {
            for (generation, key, entry) in entries {
                disk.ledger.mark(generation.clone(), *key, *entry);
            }
        })
    }
}

impl Archive for FakeLog {
    fn journal(&self, run: &RunId) -> Result<Vec<JournalRecord>, StoreError> {
        self.disk().journals.get(run).cloned().ok_or_else(|| StoreError::Missing(format!("run {run}")))
    }

    fn backup(&self, _run: &RunId, target: CardKey, digest: Digest) -> Result<Layout, StoreError> {
        self.disk().backups.get(&digest).cloned().ok_or_else(|| StoreError::Missing(format!("backup of {target}")))
    }
}
