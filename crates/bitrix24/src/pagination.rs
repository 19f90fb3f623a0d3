//! Paged lists: people and departments.
//!
//! The first page of a query names the number of entries; the other pages are then requested by
//! their offsets, many in one batch and in any order. A page beyond the end is never requested:
//! there, the portal returns the first one again. The entries are counted: a list with a gap would
//! look like people who must not be touched, or like dismissed people.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::batch_executor::{BatchExecutor, ReadResult};
use crate::command::BatchCommand;
use crate::error::ClientError;

/// Number of entries on a page (documentation and recordings).
pub const PAGE: u64 = 50;

/// Maximum number of entries that is accepted; more would be a misread number.
const MAX_ENTRIES: u64 = 10_000_000;

/// Number of attempts for a list that changes while it is read.
const MAX_ROUNDS: u32 = 3;

/// Query with a paged answer.
#[derive(Clone, Debug)]
pub struct PagedQuery {
    /// The query, without a start.
    pub command: BatchCommand,
    /// The maximum number of entries, if it is known. More mean that the portal ignored the filter.
    pub at_most: Option<u64>,
    /// The likely number of entries: the requests that follow the list are estimated with it.
    pub likely: u64,
}

/// What a list holds.
pub trait PageItem: Sized + Send {
    /// Name of such a list.
    const NOUN: &'static str;
    /// Message that the pages of the list do not fit together.
    const CHANGED: &'static str;

    /// Number of requests that follow a full page.
    const REQUESTS_AFTER_A_PAGE: u64;

    /// Returns the id that distinguishes two entries.
    fn number(&self) -> u32;

    /// Parses a page. Returns `None` if any entry is invalid.
    fn page(result: &RawValue) -> Option<Vec<Self>>;
}

/// Page as it came.
#[derive(Clone, Debug)]
struct FetchedPage<T> {
    listing: usize,
    start: u64,
    entries: Vec<T>,
    total: Option<u64>,
    next: Option<u64>,
}

/// Error: a round gave no list.
enum PaginationError {
    /// Nothing to be done.
    Final(ClientError),
    /// The pages do not fit together: most likely an entry was added or removed meanwhile.
    Changed(String),
}

impl From<ClientError> for PaginationError {
    fn from(error: ClientError) -> Self {
        Self::Final(error)
    }
}

/// Reader of lists in pages over one executor of batches.
#[derive(Debug)]
pub struct Paginator {
    batches: BatchExecutor,
}

impl Paginator {
    /// Makes a paginator over an executor of batches.
    pub fn new(batches: BatchExecutor) -> Self {
        Self { batches }
    }

    /// Returns the executor of batches below.
    pub fn batches(&self) -> &BatchExecutor {
        &self.batches
    }

    /// Reads some lists to their ends, and returns their entries, each once, by id.
    pub async fn list<T: PageItem>(
        &self,
        listings: &[PagedQuery],
    ) -> Result<BTreeMap<u32, T>, ClientError> {
        let mut rounds = 1;
        loop {
            match self.list_once(listings).await {
                Ok(entries) => return Ok(entries),
                Err(PaginationError::Final(error)) => return Err(error),
                Err(PaginationError::Changed(text)) if rounds == MAX_ROUNDS => {
                    return Err(ClientError::Unexpected(format!(
                        "{text}, however often it is read"
                    )));
                }
                Err(PaginationError::Changed(text)) => {
                    self.batches.client().count_retry(text);
                    rounds += 1;
                }
            }
        }
    }

    async fn list_once<T: PageItem>(
        &self,
        listings: &[PagedQuery],
    ) -> Result<BTreeMap<u32, T>, PaginationError> {
        let starts: Vec<(usize, u64)> = (0..listings.len()).map(|listing| (listing, 0)).collect();
        let first = self.pages::<T>(listings, &starts).await?;
        let mut totals = vec![0; listings.len()];
        let mut starts = Vec::new();
        for page in &first {
            let total = total(page, listings.get(page.listing))?;
            if let Some(slot) = totals.get_mut(page.listing) {
                *slot = total;
            }
            // A page that contradicts its own total must not make this client request thousands of
            // others.
            if !fits(page, total) {
                return Err(changed::<T>());
            }
            starts.extend((1..total.div_ceil(PAGE)).map(|number| (page.listing, number * PAGE)));
        }
        let rest = self.pages::<T>(listings, &starts).await?;
        merge_pages(first.into_iter().chain(rest), &totals)
    }

    /// Reads pages, and returns them in the order of `starts`.
    async fn pages<T: PageItem>(
        &self,
        listings: &[PagedQuery],
        starts: &[(usize, u64)],
    ) -> Result<Vec<FetchedPage<T>>, ClientError> {
        let command = |number: usize| {
            let (listing, start) = starts.get(number).copied().unwrap_or_default();
            // Every number is that of a query; the time of the portal is a harmless thing to ask.
            let command = listings.get(listing).map(|listing| listing.command.clone());
            command
                .unwrap_or_else(|| BatchCommand::new("server.time"))
                .with("start", &start.to_string())
        };
        let mut pages: BTreeMap<usize, FetchedPage<T>> = BTreeMap::new();
        let mut failure = None;
        let mut take = |number: usize, end: ReadResult| {
            let (listing, start) = starts.get(number).copied().unwrap_or_default();
            match end {
                ReadResult::Answered(answer) => match T::page(&answer.json) {
                    Some(entries) => {
                        let page = FetchedPage {
                            listing,
                            start,
                            entries,
                            total: answer.total,
                            next: answer.next,
                        };
                        pages.insert(number, page);
                    }
                    None => {
                        failure =
                            Some(ClientError::Unexpected(format!("this is no list of {}", T::NOUN)))
                    }
                },
                ReadResult::Refused(refusal) => {
                    failure = Some(ClientError::Unexpected(refusal.to_string()))
                }
                ReadResult::NoAnswer(text) => failure = Some(ClientError::MaybeExecuted(text)),
            }
        };
        let likely = |(listing, _): &(usize, u64)| {
            listings.get(*listing).map_or(PAGE, |listing| listing.likely.min(PAGE))
        };
        let following = starts.iter().map(likely).sum::<u64>() * T::REQUESTS_AFTER_A_PAGE;
        let reserved = usize::try_from(following.div_ceil(PAGE)).unwrap_or(usize::MAX);
        self.batches.read_all(starts.len(), reserved, &command, &mut take).await?;
        match failure {
            Some(error) => Err(error),
            None => Ok(pages.into_values().collect()),
        }
    }
}

/// Returns the number of entries of a list, by its first page.
fn total<T: PageItem>(
    page: &FetchedPage<T>,
    listing: Option<&PagedQuery>,
) -> Result<u64, PaginationError> {
    let total = match (page.total, page.next) {
        (Some(total), _) => total,
        (None, None) => page.entries.len() as u64,
        (None, Some(_)) => {
            let text = format!("a list of {} goes on but does not say how long it is", T::NOUN);
            return Err(PaginationError::Final(ClientError::Unexpected(text)));
        }
    };
    if total > listing.and_then(|listing| listing.at_most).unwrap_or(MAX_ENTRIES) {
        let text = format!(
            "the portal returns {total} {}, many more than were asked for: it ignored the filter",
            T::NOUN
        );
        return Err(PaginationError::Final(ClientError::Unexpected(text)));
    }
    Ok(total)
}

/// Joins pages, and checks that no entry is missing.
fn merge_pages<T: PageItem>(
    pages: impl Iterator<Item = FetchedPage<T>>,
    totals: &[u64],
) -> Result<BTreeMap<u32, T>, PaginationError> {
    let mut seen: Vec<BTreeMap<u32, ()>> = totals.iter().map(|_| BTreeMap::new()).collect();
    let mut entries = BTreeMap::new();
    for page in pages {
        let total = totals.get(page.listing).copied().unwrap_or_default();
        if !fits(&page, total) {
            return Err(changed::<T>());
        }
        for entry in page.entries {
            if let Some(seen) = seen.get_mut(page.listing) {
                seen.insert(entry.number(), ());
            }
            entries.insert(entry.number(), entry);
        }
    }
    if seen.iter().zip(totals).any(|(seen, total)| seen.len() as u64 != *total) {
        return Err(changed::<T>());
    }
    Ok(entries)
}

/// Returns `true` if a page is consistent with a list of this number of entries.
fn fits<T>(page: &FetchedPage<T>, total: u64) -> bool {
    let left = total.saturating_sub(page.start);
    page.total.is_none_or(|own| own == total) && page.next.is_some() == (left > PAGE)
}

fn changed<T: PageItem>() -> PaginationError {
    PaginationError::Changed(T::CHANGED.to_owned())
}
