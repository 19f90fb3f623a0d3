//! Lease of a portal: the right to write to its records.
//!
//! Every statement that writes names the token and the claim of the lease, and locks the row of the
//! portal for sharing, so that nobody else can take the lease before the statement has ended. A
//! statement that finds no such row writes nothing.

use std::sync::Arc;

use tokio_postgres::types::Type;

use super::columns::whole_micros;
use super::connection::Parameters;
use super::held::{Held, LEASE, held, waiting};
use super::log::LeaseLog;
use super::records::{Records, name_of, run_of};
use crate::i18n::Text;
use crate::model::{Digest, Ledger, RunId};
use crate::ports::{Claim, ClaimId, Clock, LockOwner, Moment, StoreError};
use crate::records::{LockRecord, decode_ledger, decode_lock, encode_ledger, encode_lock};
use crate::store::place::{LockState, Place, damaged, misread};

/// Statements that delete backups with the digests `$3` of a run `$2`. The numbers pass through
/// negative ones, because a number must not be there twice.
const COLLECT: [&str; 4] = [
    "delete from recard.run_backup where portal = $1 and run = $2 and digest = any($3) returning 1",
    "update recard.run_backup b set number = -place from \
     (select number, row_number() over (order by number)::int as place from recard.run_backup \
     where portal = $1 and run = $2) as kept \
     where portal = $1 and run = $2 and b.number = kept.number and $3::text[] is not null",
    "update recard.run_backup set number = -number \
     where portal = $1 and run = $2 and $3::text[] is not null",
    "delete from recard.backup b where portal = $1 and digest = any($3) and $2 <> '' \
     and not exists (select 1 from recard.run_backup r \
     where r.portal = b.portal and r.digest = b.digest)",
];

/// Statement that writes the file `$3` of a run `$2`.
const MARK: &str = "insert into recard.run_file (portal, run, name, content) \
     values ($1, $2, $3, $4) \
     on conflict (portal, run, name) do update set content = excluded.content";

/// Held lease of a portal.
#[derive(Debug)]
pub(in crate::store) struct Lease {
    held: Arc<Held>,
}

impl Records {
    pub(in crate::store) async fn lock(
        &self,
        owner: LockOwner,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Lease, Option<Text>), StoreError> {
        self.enroll().await?;
        let worker = format!("{}/{}", owner.host, owner.process);
        let record = encode_owner(&owner).map_err(|problem| self.database.nonsense(problem))?;
        // Drawn here, so that the statement may be repeated.
        let claim = ClaimId::new(rand::random()).to_string();
        let (portal, lease) = (self.portal.as_str(), whole_micros(LEASE));
        let text = "with before as materialized (select portal, claim, worker, owner \
             from recard.portal where portal = $1 and moved_to is null \
             and (lease is null or lease <= now() or claim = $2) for update) \
             update recard.portal p set token = token + 1, claim = $2, worker = $3, owner = $4, \
             lease = now() + $5 * interval '1 microsecond' \
             from before where p.portal = before.portal \
             returning token, before.claim as claim_before, before.worker as worker_before, \
             before.owner as owner_before";
        let parameters: Parameters<'_> = &[
            (&portal, Type::TEXT),
            (&claim, Type::TEXT),
            (&worker, Type::TEXT),
            (&record, Type::TEXT),
            (&lease, Type::INT8),
        ];
        let asked = Moment::now(&**clock);
        let rows = self.database.query_patiently(text, parameters).await?;
        let Some(row) = rows.first() else { return Err(self.locked().await?) };
        let column = |name| self.database.column::<Option<&str>>(row, name);
        let left = column("claim_before")?.filter(|before| *before != claim);
        let note = match left {
            Some(_) => {
                let last = owner_of(column("owner_before")?, column("worker_before")?);
                Some(tr!(
                    "unclean end of process {} on {}, which ran `recard {}` since {}; its lock was taken over",
                    last.process,
                    last.host,
                    last.command,
                    last.since
                ))
            }
            None => None,
        };
        let token = self.database.column::<i64>(row, "token")?;
        let held = Held::kept(self.clone(), token, claim, asked, clock);
        Ok((Lease { held: Arc::new(held) }, note))
    }

    /// Returns the lease of a claim that its worker keeps.
    pub(in crate::store) async fn adopt(
        &self,
        claim: &Claim,
        owner: &LockOwner,
    ) -> Result<Lease, StoreError> {
        let token = i64::try_from(claim.token).unwrap_or(i64::MAX);
        let held = Held::of_claim(self.clone(), token, claim.id.to_string());
        let record = encode_owner(owner).map_err(|problem| self.database.nonsense(problem))?;
        let text = "update recard.portal set owner = $4 \
                    where portal = $1 and token = $2 and claim = $3 returning portal";
        let portal = self.portal.as_str();
        let parameters: Parameters<'_> = &[
            (&portal, Type::TEXT),
            (&held.token, Type::INT8),
            (&held.claim, Type::TEXT),
            (&record, Type::TEXT),
        ];
        match self.database.query_patiently(text, parameters).await?.is_empty() {
            true => Err(held.lost()),
            false => Ok(Lease { held: Arc::new(held) }),
        }
    }

    /// Returns the error for a portal whose lease cannot be taken.
    async fn locked(&self) -> Result<StoreError, StoreError> {
        if let Some(to) = self.moved_to().await? {
            return Ok(StoreError::Moved { portal: self.portal.clone(), to });
        }
        let owner = self.lock_owner().await?;
        Ok(StoreError::Locked(owner.unwrap_or_else(|| owner_of(None, None))))
    }

    pub(in crate::store) async fn lock_owner(&self) -> Result<Option<LockOwner>, StoreError> {
        Ok(match self.lock_state().await? {
            LockState::Free => None,
            LockState::Held(owner) | LockState::Left(owner) | LockState::Unknown(owner) => {
                Some(owner)
            }
        })
    }

    pub(in crate::store) async fn lock_state(&self) -> Result<LockState, StoreError> {
        let text = "select worker, owner, lease > now() as held from recard.portal \
                    where portal = $1 and claim is not null";
        let portal = self.portal.as_str();
        let rows = self.database.query_patiently(text, &[(&portal, Type::TEXT)]).await?;
        let Some(row) = rows.first() else { return Ok(LockState::Free) };
        let owner =
            owner_of(self.database.column(row, "owner")?, self.database.column(row, "worker")?);
        Ok(match self.database.column(row, "held")? {
            true => LockState::Held(owner),
            false => LockState::Left(owner),
        })
    }

    /// Ends the lease of a dead owner. One that is extended is that of a live one.
    pub(in crate::store) async fn unlock(&self, shown: LockOwner) -> Result<(), StoreError> {
        match self.lock_state().await? {
            LockState::Free => return Ok(()),
            LockState::Left(owner) if owner == shown => {}
            LockState::Held(owner) | LockState::Left(owner) | LockState::Unknown(owner) => {
                return Err(StoreError::Locked(owner));
            }
        }
        let text = "update recard.portal set claim = null, worker = null, owner = null, \
                    lease = null where portal = $1 and lease <= now()";
        let portal = self.portal.as_str();
        self.database.query_patiently(text, &[(&portal, Type::TEXT)]).await.map(drop)
    }
}

impl Lease {
    pub(in crate::store) async fn replace(
        &self,
        place: &Place,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        match place {
            Place::Ledger => return self.add_to_ledger(&bytes).await,
            Place::Moved => return self.mark_moved(&bytes).await,
            _ => {}
        }
        let (name, run) = (name_of(place), run_of(place));
        let document = waiting!(held!(
            ", new as (insert into recard.document (portal, name, content) \
             select portal, $4, $6 from held where $5 = '' \
             on conflict (portal, name) do update set content = excluded.content, at = now() \
             returning 1)"
        ));
        let file = waiting!(held!(
            ", new as (insert into recard.run_file (portal, name, run, content) \
             select portal, $4, $5, $6 from held \
             on conflict (portal, run, name) do update set content = excluded.content \
             returning 1)"
        ));
        let statement = if run.is_empty() { document } else { file };
        let more: Parameters<'_> =
            &[(&name, Type::TEXT), (&run, Type::TEXT), (&bytes, Type::BYTEA)];
        self.held.records.forget_documents().await;
        self.held.write(statement, more).await.map(drop)
    }

    async fn mark_moved(&self, to: &[u8]) -> Result<(), StoreError> {
        let statement = waiting!(held!(
            ", new as (update recard.portal set moved_to = $4 from held \
             where portal.portal = held.portal returning 1)"
        ));
        let to = String::from_utf8_lossy(to);
        self.held.write(statement, &[(&to.trim_end(), Type::TEXT)]).await.map(drop)
    }

    /// Adds the entries of a ledger that are new. None is ever changed.
    async fn add_to_ledger(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let records = &self.held.records;
        let failed = |problem| misread(&records.name(&Place::Ledger), problem, None);
        let ledger = decode_ledger(&records.portal, bytes).map_err(failed)?;
        let (mut generations, mut cards, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        for (generation, key, entry) in ledger.iter() {
            let mut one = Ledger::default();
            one.record_reset(generation.clone(), key, entry);
            let document = encode_ledger(&records.portal, &one).map_err(failed)?;
            generations.push(generation.to_string());
            cards.push(key.to_string());
            entries.push(String::from_utf8_lossy(&document).into_owned());
        }
        let statement = waiting!(held!(
            ", new as (insert into recard.ledger (portal, generation, card, entry, worker, token) \
             select portal, generation, card, entry, worker, $2 \
             from held, unnest($4::text[], $5::text[], $6::text[]) as given(generation, card, entry) \
             on conflict do nothing returning 1)"
        ));
        let more: Parameters<'_> = &[
            (&generations, Type::TEXT_ARRAY),
            (&cards, Type::TEXT_ARRAY),
            (&entries, Type::TEXT_ARRAY),
        ];
        self.held.write(statement, more).await.map(drop)
    }

    /// Deletes backups of a run and layouts that no run holds any more, and marks the run. The
    /// numbers of the others have no gap afterwards.
    pub(in crate::store) async fn delete_lines(
        &self,
        run: &RunId,
        lines: &[String],
        mark: &[u8],
    ) -> Result<(), StoreError> {
        let held = &self.held;
        let (backups, collected) = (Place::Backups(run.clone()), Place::Collected(run.clone()));
        let (portal, run) = (held.records.portal.as_str(), run.as_str());
        // A line may be older than the key that seals the others.
        let names = |line: &String| {
            [held.records.backup_name(line), Digest::hash(line.as_bytes()).to_string()]
        };
        let digests: Vec<String> = lines.iter().flat_map(names).collect();
        let transaction = held.records.database.begin("read committed").await?;
        let fence = "select 1 from recard.portal \
                     where portal = $1 and token = $2 and claim = $3 for update";
        let parameters: Parameters<'_> =
            &[(&portal, Type::TEXT), (&held.token, Type::INT8), (&held.claim, Type::TEXT)];
        if transaction.query(fence, parameters).await?.is_empty() {
            return Err(held.lost());
        }
        let parameters: Parameters<'_> =
            &[(&portal, Type::TEXT), (&run, Type::TEXT), (&digests, Type::TEXT_ARRAY)];
        for (index, statement) in COLLECT.iter().enumerate() {
            let deleted = transaction.query(statement, parameters).await?.len();
            if index == 0 && deleted != lines.len() {
                let problem = format!("{deleted} of {} lines would go", lines.len());
                return Err(damaged(&held.records.name(&backups), problem));
            }
        }
        let name = name_of(&collected);
        let parameters: Parameters<'_> =
            &[(&portal, Type::TEXT), (&run, Type::TEXT), (&name, Type::TEXT), (&mark, Type::BYTEA)];
        transaction.query(MARK, parameters).await?;
        transaction.commit().await
    }

    pub(in crate::store) async fn create_log(
        &self,
        place: &Place,
        line: String,
    ) -> Result<LeaseLog, StoreError> {
        self.held.records.check_key(place).await?;
        let mut log = LeaseLog::new(Arc::clone(&self.held), place.clone(), 0);
        log.append(line).await?;
        Ok(log)
    }

    /// Opens a log behind its last line: a transaction leaves no torn one.
    pub(in crate::store) async fn open_log(&self, place: &Place) -> Result<LeaseLog, StoreError> {
        self.held.records.check_key(place).await?;
        let last = self.held.records.last_number(place).await?;
        Ok(LeaseLog::new(Arc::clone(&self.held), place.clone(), last))
    }
}

fn encode_owner(owner: &LockOwner) -> Result<String, crate::records::FormatError> {
    let record = LockRecord { owner: owner.clone(), process: None, file: String::new() };
    Ok(String::from_utf8_lossy(&encode_lock(&record)?).into_owned())
}

/// Returns the owner of a lease: as it named itself, or a worker that has only its id.
fn owner_of(owner: Option<&str>, worker: Option<&str>) -> LockOwner {
    let named = owner.and_then(|owner| decode_lock(owner.as_bytes()).ok());
    named.map_or_else(
        || LockOwner {
            process: 0,
            host: worker.unwrap_or("an unknown host").to_owned(),
            actor: String::new(),
            command: "worker".to_owned(),
            since: "an unknown time".to_owned(),
        },
        |record| record.owner,
    )
}
