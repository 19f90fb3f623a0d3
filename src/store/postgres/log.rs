//! Logs of a portal in a database: each line is a row with its number.

use std::borrow::Cow;
use std::sync::Arc;

use tokio_postgres::types::Type;

use super::connection::Parameters;
use super::held::{Held, held, waiting};
use super::records::{Records, run_of};
use crate::ports::StoreError;
use crate::records::{check_line, decode_consumed_plan};
use crate::store::place::{Place, damaged};

/// The right to append to a log.
#[derive(Debug)]
pub(in crate::store) struct LeaseLog {
    held: Arc<Held>,
    place: Place,
    /// The number of the last line.
    last: i32,
    /// An append failed or was left: the end of the log is unknown.
    is_poisoned: bool,
    /// The last lines, which may not be on the disk: a server that crashed, or a standby that took
    /// its place, may not have them. They are written again with what waits for the disk next.
    unsynced: Vec<String>,
}

/// Statement that adds lines to a journal; the run is there from its first line.
macro_rules! journal {
    () => {
        held!(
            ", run as (insert into recard.run (portal, run) \
             select portal, $4 from held on conflict do nothing), \
             new as (insert into recard.journal (portal, run, number, line, worker, token) \
             select portal, $4, ($5 + n)::int, line, worker, $2 from held, \
             unnest($6::text[], $7::text[]) with ordinality as given(line, digest, n) \
             on conflict do nothing returning 1)"
        )
    };
}

/// Statement that adds a line to a journal without waiting for the disk.
const NOTE: &str = concat!(
    journal!(),
    " select (select count(*) from held) as held, (select count(*) from new) as new, \
     set_config('synchronous_commit', 'off', true)"
);

/// Returns the statement that appends lines: `$4` is the run, `$5` the number of the last line,
/// `$6` the lines, `$7` their digests. Rows that are there stay as they are.
fn append(place: &Place) -> &'static str {
    match place {
        Place::Journal(_) => waiting!(journal!()),
        Place::Backups(_) => waiting!(held!(
            ", given as (select * from unnest($6::text[], $7::text[]) with ordinality \
             as given(line, digest, n)), \
             stored as (insert into recard.backup (portal, digest, line) \
             select portal, digest, line from held, given on conflict do nothing), \
             new as (insert into recard.run_backup (portal, run, number, digest) \
             select portal, $4, ($5 + n)::int, digest from held, given \
             on conflict do nothing returning 1)"
        )),
        Place::Audit => waiting!(held!(
            ", new as (insert into recard.audit (portal, number, line, worker, token) \
             select portal, ($5 + n)::int, line, worker, $2 from held, \
             unnest($6::text[], $7::text[]) with ordinality as given(line, digest, n) \
             where $4 = '' on conflict do nothing returning 1)"
        )),
        _ => waiting!(held!(
            ", new as (insert into recard.used_plan (digest, portal, number, line, claim) \
             select digest, portal, ($5 + n)::int, line, $3 from held, \
             unnest($6::text[], $7::text[]) with ordinality as given(line, digest, n) \
             where $4 = '' on conflict do nothing returning 1)"
        )),
    }
}

impl LeaseLog {
    pub(super) fn new(held: Arc<Held>, place: Place, last: i32) -> Self {
        Self { held, place, last, is_poisoned: false, unsynced: Vec::new() }
    }

    pub(in crate::store) async fn append(&mut self, lines: String) -> Result<(), StoreError> {
        let unsynced = std::mem::take(&mut self.unsynced);
        self.add(append(&self.place), &unsynced, &lines).await
    }

    pub(in crate::store) async fn append_unsynced(
        &mut self,
        lines: String,
    ) -> Result<(), StoreError> {
        if !matches!(self.place, Place::Journal(_)) {
            return self.append(lines).await;
        }
        self.add(NOTE, &[], &lines).await?;
        self.unsynced.extend(lines.lines().map(str::to_owned));
        Ok(())
    }

    pub(in crate::store) async fn sync(&mut self) -> Result<(), StoreError> {
        match self.unsynced.is_empty() {
            true => Ok(()),
            false => self.append(String::new()).await,
        }
    }

    /// Appends lines, and the last ones before them again: those that are there stay.
    async fn add(
        &mut self,
        statement: &str,
        again: &[String],
        lines: &str,
    ) -> Result<(), StoreError> {
        let records = &self.held.records;
        if self.is_poisoned {
            return Err(records.database.nonsense("an earlier write to the log failed"));
        }
        let count = lines.lines().count();
        let lines: Vec<&str> = again.iter().map(String::as_str).chain(lines.lines()).collect();
        let before = self.last.saturating_sub(i32::try_from(again.len()).unwrap_or(i32::MAX));
        let digests: Vec<String> = lines.iter().map(|line| self.digest(line)).collect();
        let run = run_of(&self.place);
        let stored = self.stored(&lines)?;
        let more: Parameters<'_> = &[
            (&run, Type::TEXT),
            (&before, Type::INT4),
            (&stored, Type::TEXT_ARRAY),
            (&digests, Type::TEXT_ARRAY),
        ];
        // Also when the future is dropped meanwhile.
        self.is_poisoned = true;
        let new = self.held.write(statement, more).await;
        if matches!(new, Err(StoreError::LeaseLost { .. })) {
            self.is_poisoned = false;
        }
        // A statement whose answer was lost has been repeated: its lines are there already.
        if new? != i64::try_from(count).unwrap_or(i64::MAX) {
            self.check_stored(before, &lines, &digests).await?;
        }
        self.last = before.saturating_add(i32::try_from(lines.len()).unwrap_or(i32::MAX));
        self.is_poisoned = false;
        Ok(())
    }

    /// Returns lines as they are stored: backups are sealed if there is a key.
    fn stored<'a>(&self, lines: &[&'a str]) -> Result<Vec<Cow<'a, str>>, StoreError> {
        let records = &self.held.records;
        let key = records.database.key.as_ref().filter(|_| matches!(self.place, Place::Backups(_)));
        let Some(key) = key else {
            return Ok(lines.iter().map(|line| Cow::Borrowed(*line)).collect());
        };
        let sealed = lines.iter().map(|line| {
            let sealed = key.seal(records.portal.as_str(), line);
            sealed.map(Cow::Owned).ok_or_else(|| records.database.nonsense("a layout is too long"))
        });
        sealed.collect()
    }

    /// Returns the digest by which the database knows a line: that of its plan, or its own.
    fn digest(&self, line: &str) -> String {
        let plan = || decode_consumed_plan(check_line(line.as_bytes())?).ok();
        let used = (self.place == Place::UsedPlans).then(plan).flatten();
        used.map_or_else(|| self.held.records.backup_name(line), |used| used.plan.to_string())
    }

    /// Checks that the lines in the database are these, and not those of somebody else.
    async fn check_stored(
        &self,
        before: i32,
        lines: &[&str],
        digests: &[String],
    ) -> Result<(), StoreError> {
        let records = &self.held.records;
        let stored = match self.place {
            Place::UsedPlans => records.used_by(&self.held.claim, digests).await?,
            _ => records.lines_from(&self.place, before).await?,
        };
        if stored.iter().map(String::as_str).eq(lines.iter().copied()) {
            return Ok(());
        }
        let problem = match self.place {
            Place::UsedPlans => "the plan was used meanwhile".to_owned(),
            _ => format!("line {} is there already", before.saturating_add(1)),
        };
        Err(damaged(&records.name(&self.place), problem))
    }
}

impl Records {
    async fn lines_from(&self, place: &Place, last: i32) -> Result<Vec<String>, StoreError> {
        let rows = self.lines(place, &format!("where number > {last} order by number")).await?;
        rows.iter().map(|row| self.line(place, row)).collect()
    }

    async fn used_by(&self, claim: &str, digests: &[String]) -> Result<Vec<String>, StoreError> {
        let text = "select line from recard.used_plan where claim = $1 and digest = any($2)";
        let parameters: Parameters<'_> = &[(&claim, Type::TEXT), (&digests, Type::TEXT_ARRAY)];
        let rows = self.database.query_patiently(text, parameters).await?;
        rows.iter().map(|row| self.database.column(row, "line")).collect()
    }
}
