//! Records of one portal in a database: documents, and logs of lines.
//!
//! Lines and documents are those of a folder, byte for byte. A log ends with a whole line, because
//! a transaction is done as a whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::Database;
use super::connection::Parameters;
use super::held_permit::HeldPermit;
use super::seal::opened;
use crate::model::{Digest, Ledger, PortalId, RunId};
use crate::ports::StoreError;
use crate::records::{decode_ledger, encode_ledger};
use crate::store::place::{LinePart, Place, damaged, misread};

/// Name of the document that a probe writes and removes.
const PROBE: &str = "probe";

/// Its size. The server keeps room for what it writes next, so that more would show nothing more,
/// and a worker may probe for hundreds of portals at once.
const PROBE_BYTES: usize = 1024;

/// Records of one portal.
#[derive(Clone, Debug)]
pub(in crate::store) struct Records {
    pub(super) database: Database,
    pub(super) portal: PortalId,
    pub(in crate::store) permit: HeldPermit,
    /// Documents of the portal by their names, once they were read; `None` if each is read for
    /// itself.
    kept: Option<Arc<Mutex<Option<Documents>>>>,
}

/// Documents by their names.
type Documents = BTreeMap<String, Vec<u8>>;

/// Statements that read a log: its lines in their order, `line` each, with `$1` the portal and
/// `$2` the run.
fn lines_of(place: &Place) -> &'static str {
    match place {
        Place::Journal(_) => {
            "select line, number from recard.journal where portal = $1 and run = $2"
        }
        Place::Backups(_) => {
            "select line, number from recard.run_backup held join recard.backup using (portal, digest) \
             where portal = $1 and run = $2"
        }
        Place::Audit => "select line, number from recard.audit where portal = $1 and $2 = ''",
        _ => "select line, number from recard.used_plan where portal = $1 and $2 = ''",
    }
}

/// Returns the run of a record; empty for one of the portal.
pub(super) fn run_of(place: &Place) -> &str {
    match place {
        Place::Plan(run)
        | Place::Report(run)
        | Place::Journal(run)
        | Place::Backups(run)
        | Place::Collected(run) => run.as_str(),
        _ => "",
    }
}

/// Returns the name of a record, that of its file in a folder.
pub(super) fn name_of(place: &Place) -> &'static str {
    match place {
        Place::LimiterState => "limiter.json",
        Place::ReadProof => "read-proof.json",
        Place::FieldLabels => "field-labels.json",
        Place::Ledger => "ledger.json",
        Place::Selection => "selection.json",
        Place::Plan(_) => "plan.json",
        Place::Report(_) => "report.json",
        Place::UsedPlans => "used-plans.jsonl",
        Place::Audit => "audit.jsonl",
        Place::Journal(_) => "journal.jsonl",
        Place::Backups(_) => "backups.jsonl",
        Place::Collected(_) => "collected.json",
        Place::Moved => "moved-to",
    }
}

impl Records {
    pub(in crate::store) fn new(database: Database, portal: PortalId) -> Self {
        Self { database, portal, permit: HeldPermit::default(), kept: None }
    }

    /// Reads all documents of the portal at once, and again only after one was written here. For
    /// the round of a worker, beside which nobody else works on the portal.
    pub(in crate::store) fn keep_documents(&mut self) {
        self.kept = Some(Arc::default());
    }

    /// Forgets the documents that were read.
    pub(super) async fn forget_documents(&self) {
        if let Some(kept) = &self.kept {
            *kept.lock().await = None;
        }
    }

    pub(in crate::store) fn name(&self, place: &Place) -> String {
        let run = match run_of(place) {
            "" => String::new(),
            run => format!("{run}/"),
        };
        format!("{} {}/{run}{}", self.database.address(), self.portal, name_of(place))
    }

    async fn rows(
        &self,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.database.query_patiently(statement, parameters).await
    }

    pub(super) async fn lines(&self, place: &Place, rest: &str) -> Result<Vec<Row>, StoreError> {
        let (portal, run) = (self.portal.as_str(), run_of(place));
        let statement = format!("select line, number from ({}) as lines {rest}", lines_of(place));
        self.rows(&statement, &[(&portal, Type::TEXT), (&run, Type::TEXT)]).await
    }

    /// Returns the line of a row of a log, without its seal.
    pub(super) fn line(&self, place: &Place, row: &Row) -> Result<String, StoreError> {
        let line = self.database.column::<&str>(row, "line")?;
        match place {
            Place::Backups(_) => opened(self.database.key.as_deref(), self.portal.as_str(), line)
                .map_err(|problem| damaged(&self.name(place), problem)),
            _ => Ok(line.to_owned()),
        }
    }

    /// Refuses backups by a process that cannot open those of the portal that are sealed: its own
    /// ones would be readable by everyone, or by nobody who has the key of the others.
    pub(super) async fn check_key(&self, place: &Place) -> Result<(), StoreError> {
        if !matches!(place, Place::Backups(_)) {
            return Ok(());
        }
        let text = "select line from recard.backup \
                    where portal = $1 and digest like 'hmac:%' limit 20";
        let rows = self.rows(text, &[(&self.portal.as_str(), Type::TEXT)]).await?;
        let mut problem = None;
        for row in &rows {
            match self.line(place, row) {
                Ok(_) => return Ok(()),
                Err(of_line) => problem = Some(of_line),
            }
        }
        problem.map_or(Ok(()), Err)
    }

    /// Returns the name of a line of backups in the database.
    pub(super) fn backup_name(&self, line: &str) -> String {
        match &self.database.key {
            Some(key) => key.name(line),
            None => Digest::hash(line.as_bytes()).to_string(),
        }
    }

    pub(in crate::store) async fn is_there(&self) -> Result<bool, StoreError> {
        let text = "select 1 from recard.run where portal = $1 \
                    union all select 1 from recard.document where portal = $1 \
                    union all select 1 from recard.audit where portal = $1 limit 1";
        let rows = self.rows(text, &[(&self.portal.as_str(), Type::TEXT)]).await?;
        Ok(!rows.is_empty())
    }

    /// Writes a small document, waits for the disk, and removes it.
    pub(in crate::store) async fn probe(&self) -> Result<(), StoreError> {
        self.write_document(PROBE, &vec![b'.'; PROBE_BYTES], "on").await?;
        self.remove_document(PROBE).await
    }

    pub(in crate::store) async fn read(
        &self,
        place: &Place,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match place {
            Place::Ledger => return self.read_ledger().await,
            Place::Moved => return Ok(self.moved_to().await?.map(String::into_bytes)),
            _ => {}
        }
        if !place.is_log() {
            return self.read_document(place).await;
        }
        let rows = self.lines(place, "order by number").await?;
        let (mut bytes, mut is_any_open, mut problem) = (Vec::new(), false, None);
        for row in &rows {
            match self.line(place, row) {
                Ok(line) => {
                    is_any_open = true;
                    bytes.extend_from_slice(line.as_bytes());
                }
                // With its seal it counts as a damaged line, and hides no other backup.
                Err(of_line) => {
                    problem.get_or_insert(of_line);
                    let sealed = self.database.column::<&str>(row, "line")?;
                    bytes.extend_from_slice(sealed.as_bytes());
                }
            }
            bytes.push(b'\n');
        }
        match problem {
            Some(problem) if !is_any_open => Err(problem),
            _ => Ok((!rows.is_empty()).then_some(bytes)),
        }
    }

    /// Returns the store to which the portal has moved.
    pub(super) async fn moved_to(&self) -> Result<Option<String>, StoreError> {
        let text = "select moved_to from recard.portal where portal = $1";
        let rows = self.rows(text, &[(&self.portal.as_str(), Type::TEXT)]).await?;
        Ok(rows.first().map(|row| self.database.column(row, "moved_to")).transpose()?.flatten())
    }

    async fn read_document(&self, place: &Place) -> Result<Option<Vec<u8>>, StoreError> {
        let (portal, name, run) = (self.portal.as_str(), name_of(place), run_of(place));
        if let (Some(kept), true) = (&self.kept, run.is_empty()) {
            let mut kept = kept.lock().await;
            let documents = match kept.take() {
                Some(documents) => documents,
                None => self.read_documents().await?,
            };
            return Ok(kept.insert(documents).get(name).cloned());
        }
        let text = "select content from recard.document where portal = $1 and name = $2 and $3 = '' \
            union all \
            select content from recard.run_file where portal = $1 and name = $2 and run = $3";
        let parameters: Parameters<'_> =
            &[(&portal, Type::TEXT), (&name, Type::TEXT), (&run, Type::TEXT)];
        let rows = self.rows(text, parameters).await?;
        rows.first().map(|row| self.database.column(row, "content")).transpose()
    }

    async fn read_documents(&self) -> Result<Documents, StoreError> {
        let text = "select name, content from recard.document where portal = $1";
        let rows = self.rows(text, &[(&self.portal.as_str(), Type::TEXT)]).await?;
        let document = |row: &Row| {
            Ok((self.database.column(row, "name")?, self.database.column(row, "content")?))
        };
        rows.iter().map(document).collect()
    }

    /// Returns the ledger as one document, made of its entries.
    async fn read_ledger(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let text = "select entry from recard.ledger where portal = $1";
        let rows = self.rows(text, &[(&self.portal.as_str(), Type::TEXT)]).await?;
        let failed = |problem| misread(&self.name(&Place::Ledger), problem, None);
        let mut ledger = Ledger::default();
        for row in &rows {
            let entry = self.database.column::<&str>(row, "entry")?;
            let one = decode_ledger(&self.portal, entry.as_bytes()).map_err(failed)?;
            for (generation, key, entry) in one.iter() {
                ledger.record_reset(generation.clone(), key, entry);
            }
        }
        let bytes = encode_ledger(&self.portal, &ledger).map_err(failed)?;
        Ok((!rows.is_empty()).then_some(bytes))
    }

    pub(in crate::store) async fn read_part(
        &self,
        place: &Place,
        part: &LinePart,
    ) -> Result<Vec<u8>, StoreError> {
        // By its place in the log and not by its number: a row that is gone hides no other one.
        let rest = format!(
            "where number = (select number from recard.run_backup where portal = $1 and run = $2 \
             order by number offset {} limit 1)",
            part.number.saturating_sub(1)
        );
        let rows = self.lines(place, &rest).await?;
        let line = match rows.first() {
            Some(row) => self.line(place, row)?,
            None => String::new(),
        };
        // The part is the end of its line.
        let length = usize::try_from(part.bytes.end.saturating_sub(part.bytes.start));
        let from = line.len().saturating_sub(length.unwrap_or_default());
        Ok(line.as_bytes().get(from..).unwrap_or_default().to_vec())
    }

    pub(in crate::store) async fn read_end(&self, place: &Place) -> Result<Vec<u8>, StoreError> {
        let rows = self.lines(place, "order by number desc limit 1").await?;
        let Some(row) = rows.first() else { return Ok(Vec::new()) };
        Ok(format!("{}\n", self.line(place, row)?).into_bytes())
    }

    /// Returns the number of the last line, which tells as well as a length if a log has grown.
    pub(in crate::store) async fn length(&self, place: &Place) -> u64 {
        self.last_number(place).await.map_or(0, |last| u64::from(last.unsigned_abs()))
    }

    /// Returns the number of the last line of a log.
    pub(super) async fn last_number(&self, place: &Place) -> Result<i32, StoreError> {
        let rows = self.lines(place, "order by number desc limit 1").await?;
        Ok(rows.first().map(|row| self.database.column(row, "number")).transpose()?.unwrap_or(0))
    }

    pub(in crate::store) async fn run_ids(&self) -> Result<Vec<RunId>, StoreError> {
        let text = "select run from recard.run where portal = $1";
        let rows = self.rows(text, &[(&self.portal.as_str(), Type::TEXT)]).await?;
        let run = |row: &Row| {
            let text = self.database.column::<&str>(row, "run")?;
            let name = format!("{} {}", self.database.address(), self.portal);
            text.parse().map_err(|problem| damaged(&name, format!("run {text:?}: {problem}")))
        };
        rows.iter().map(run).collect()
    }

    /// Makes sure that the portal has its row.
    pub(super) async fn enroll(&self) -> Result<(), StoreError> {
        let text = "insert into recard.portal (portal) values ($1) on conflict do nothing";
        self.rows(text, &[(&self.portal.as_str(), Type::TEXT)]).await.map(drop)
    }

    pub(in crate::store) async fn place(
        &self,
        place: &Place,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        self.write_document(name_of(place), &bytes, "off").await
    }

    /// Writes a document without a lease, `synchronous_commit` being this.
    async fn write_document(
        &self,
        name: &str,
        bytes: &[u8],
        commit: &str,
    ) -> Result<(), StoreError> {
        let portal = self.portal.as_str();
        let text = "insert into recard.document (portal, name, content) \
            select portal, $2, $3 from recard.portal where portal = $1 and moved_to is null \
            on conflict (portal, name) do update set content = excluded.content, at = now() \
            returning set_config('synchronous_commit', $4, true)";
        let parameters: Parameters<'_> = &[
            (&portal, Type::TEXT),
            (&name, Type::TEXT),
            (&bytes, Type::BYTEA),
            (&commit, Type::TEXT),
        ];
        self.forget_documents().await;
        if self.rows(text, parameters).await?.is_empty() {
            // The portal has no row yet, or has moved.
            self.enroll().await?;
            self.rows(text, parameters).await?;
        }
        Ok(())
    }

    pub(in crate::store) async fn remove(&self, place: &Place) -> Result<(), StoreError> {
        self.remove_document(name_of(place)).await
    }

    async fn remove_document(&self, name: &str) -> Result<(), StoreError> {
        let portal = self.portal.as_str();
        let text = "delete from recard.document where portal = $1 and name = $2";
        self.forget_documents().await;
        self.rows(text, &[(&portal, Type::TEXT), (&name, Type::TEXT)]).await.map(drop)
    }
}
