//! Lists that come in pages: people and departments.
//!
//! The first page of a query says how many entries there are; the other pages are then asked for by their offsets, many in
//! one batch and in any order. If the number is known from before, the first page need not be waited for. A page beyond the
//! end is never asked for on purpose, and never believed: there, the portal returns the first one again.
//! What came is counted: a list with a hole would look like people who are not to be touched, or like people who are gone.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::client::{Client, words};
use super::command::Command;
use super::reads::{Behind, ReadEnd};
use crate::port::PortalError;

/// How many entries the portal puts on a page (documentation and recordings).
const PAGE: u64 = 50;

/// The most entries that are believed; more would be a misread number.
const MOST_ENTRIES: u64 = 10_000_000;

/// How often a list is read again that changed while it was read.
const MOST_ROUNDS: u32 = 3;

/// A query whose answer comes in pages.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// The query, without a start.
    pub(crate) command: Command,
    /// How many entries there can be at most, if that is known. More mean that the portal ignored the filter.
    pub(crate) at_most: Option<u64>,
    /// How many entries are expected, because there were as many a moment ago or can hardly be more: all their pages are then
    /// asked for at once.
    pub(crate) expected: Option<u64>,
}

/// What a list holds.
pub(crate) trait Entry: Sized + Send {
    /// What a list of them is called.
    const WHAT: &'static str;
    /// That pages of the list do not fit together.
    const CHANGED: &'static str;

    /// About how many full requests a full page of them makes necessary.
    const REQUESTS_BEHIND_A_PAGE: f64;

    /// The number by which two of them are told apart.
    fn number(&self) -> u32;

    /// Reads a page. None if anything in it is something else.
    fn page(result: &RawValue) -> Option<Vec<Self>>;
}

/// Somebody who hears of entries.
struct Hearing<'a, T> {
    hears: &'a Heard<'a, T>,
    /// How many they have heard of already: what they do with those need not wait for the other pages.
    already: usize,
}

/// Hears of entries page by page, as they come, and of how many the list will have.
type Heard<'a, T> = dyn Fn(&[T], usize) + Sync + 'a;

/// Whether the numbers of entries that are known from before are of use.
#[derive(Clone, Copy)]
enum Expectation {
    /// All pages are asked for at once.
    Used,
    /// One of them may have led astray: the first page is waited for.
    Doubted,
}

/// A page as it came.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    listing: usize,
    start: u64,
    entries: Vec<T>,
    total: Option<u64>,
    next: Option<u64>,
}

impl<T> Page<T> {
    /// The first page of the first list, which was read before.
    pub(crate) fn first(entries: Vec<T>, total: Option<u64>, next: Option<u64>) -> Self {
        Self { listing: 0, start: 0, entries, total, next }
    }

    /// Tells what is on it, unless it was asked for beyond the end of the list and is the first one again.
    fn tell(&self, heard: &Heard<'_, T>) {
        let total = self.total.unwrap_or_default();
        if self.start == 0 || self.start < total {
            heard(&self.entries, usize::try_from(total).unwrap_or(usize::MAX));
        }
    }

    /// Whether there is a page behind it.
    pub(crate) fn goes_on(&self) -> bool {
        self.next.is_some()
    }
}

/// Why a round gave no list.
enum Failure {
    /// Nothing to be done.
    Final(PortalError),
    /// The pages do not fit together: most likely somebody was added or removed meanwhile.
    Changed(String),
}

impl From<PortalError> for Failure {
    fn from(error: PortalError) -> Self {
        Self::Final(error)
    }
}

impl Client {
    /// Reads some lists to their ends, and returns what they hold, each entry once, by number. `first` is the first page of
    /// the first of them, if it was read a moment ago.
    pub(crate) async fn list<T: Entry>(
        &self,
        listings: &[Listing],
        mut first: Option<Page<T>>,
        mut heard: Option<&Heard<'_, T>>,
    ) -> Result<BTreeMap<u32, T>, PortalError> {
        let mut rounds = 1;
        loop {
            let expectation = if rounds == 1 { Expectation::Used } else { Expectation::Doubted };
            match self.list_once(listings, expectation, first.take(), heard.take()).await {
                Ok(entries) => return Ok(entries),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Changed(text)) if rounds == MOST_ROUNDS => {
                    return Err(PortalError::Unexpected(format!("{text}, however often it is read")));
                }
                Err(Failure::Changed(text)) => {
                    self.asked_again(text);
                    rounds += 1;
                }
            }
        }
    }

    async fn list_once<T: Entry>(
        &self,
        listings: &[Listing],
        expectation: Expectation,
        first: Option<Page<T>>,
        heard: Option<&Heard<'_, T>>,
    ) -> Result<BTreeMap<u32, T>, Failure> {
        let expected = |listing: &Listing| match expectation {
            Expectation::Used => listing.expected.map_or(1, |entries| entries.div_ceil(PAGE).max(1)),
            Expectation::Doubted => 1,
        };
        let asked: Vec<u64> = listings.iter().map(expected).collect();
        let pages_of = |(listing, pages): (usize, &u64)| (0..*pages).map(move |number| (listing, number * PAGE));
        let mut starts: Vec<(usize, u64)> = asked.iter().enumerate().flat_map(pages_of).collect();
        starts.retain(|start| first.as_ref().is_none_or(|page| *start != (page.listing, page.start)));
        let mut first: Vec<Page<T>> = first.into_iter().collect();
        let heard = heard.map(|hears| Hearing { hears, already: first.iter().map(|page| page.entries.len()).sum() });
        if let Some(heard) = &heard {
            first.iter().for_each(|page| page.tell(heard.hears));
        }
        first.extend(self.pages::<T>(listings, &starts, heard.as_ref()).await?);
        let mut totals = vec![0; listings.len()];
        let mut starts = Vec::new();
        for page in first.iter().filter(|page| page.start == 0) {
            let total = total(page, listings.get(page.listing))?;
            if let Some(slot) = totals.get_mut(page.listing) {
                *slot = total;
            }
            let asked = asked.get(page.listing).copied().unwrap_or(1);
            starts.extend((asked..total.div_ceil(PAGE)).map(|number| (page.listing, number * PAGE)));
        }
        // There were fewer than expected, and beyond the end stands the first page again.
        first.retain(|page| page.start == 0 || totals.get(page.listing).is_some_and(|total| page.start < *total));
        let rest = self.pages::<T>(listings, &starts, heard.as_ref()).await?;
        gather(first.into_iter().chain(rest), &totals)
    }

    /// Reads pages, and returns them in the order of `starts`.
    async fn pages<T: Entry>(
        &self,
        listings: &[Listing],
        starts: &[(usize, u64)],
        heard: Option<&Hearing<'_, T>>,
    ) -> Result<Vec<Page<T>>, PortalError> {
        let command = |number: usize| {
            let (listing, start) = starts.get(number).copied().unwrap_or_default();
            let command = listings.get(listing).map(|listing| listing.command.clone());
            command.unwrap_or_else(|| Command::new(super::command::PROFILE)).with("start", &start.to_string())
        };
        let mut pages: BTreeMap<usize, Page<T>> = BTreeMap::new();
        let mut failure = None;
        let mut take = |number: usize, end: ReadEnd| {
            let (listing, start) = starts.get(number).copied().unwrap_or_default();
            match end {
                ReadEnd::Answered(answer) => match T::page(&answer.json) {
                    Some(entries) => {
                        let page = Page { listing, start, entries, total: answer.total, next: answer.next };
                        heard.into_iter().for_each(|heard| page.tell(heard.hears));
                        pages.insert(number, page);
                    }
                    None => failure = Some(PortalError::Unexpected(format!("this is no list of {}", T::WHAT))),
                },
                ReadEnd::Refused(refusal) => failure = Some(PortalError::Unexpected(words(&refusal))),
                ReadEnd::NoAnswer(text) => failure = Some(PortalError::MaybeExecuted(text)),
            }
        };
        let entries = |start: &(usize, u64)| {
            let expected = listings.get(start.0).and_then(|listing| listing.expected);
            expected.map_or(PAGE, |expected| expected.min(PAGE)) as f64
        };
        let reads = |entries: f64| entries / PAGE as f64 * T::REQUESTS_BEHIND_A_PAGE;
        let meanwhile = reads(heard.map_or(0.0, |heard| heard.already as f64));
        let reads = meanwhile + reads(starts.iter().map(entries).sum());
        let requests = reads + self.resets_behind(reads);
        let behind = if requests > 0.0 { Behind::Most { requests, meanwhile } } else { Behind::Nothing };
        self.read_all(starts.len(), behind, &command, &mut take).await?;
        match failure {
            Some(error) => Err(error),
            None => Ok(pages.into_values().collect()),
        }
    }
}

/// How many entries a list has, by its first page.
fn total<T: Entry>(page: &Page<T>, listing: Option<&Listing>) -> Result<u64, Failure> {
    let total = match (page.total, page.next) {
        (Some(total), _) => total,
        (None, None) => page.entries.len() as u64,
        (None, Some(_)) => {
            let text = format!("a list of {} goes on but does not say how long it is", T::WHAT);
            return Err(Failure::Final(PortalError::Unexpected(text)));
        }
    };
    if total > listing.and_then(|listing| listing.at_most).unwrap_or(MOST_ENTRIES) {
        let text =
            format!("the portal returns {total} {}, many more than were asked for: it ignored the filter", T::WHAT);
        return Err(Failure::Final(PortalError::Unexpected(text)));
    }
    Ok(total)
}

/// Puts pages together, and checks that nothing is missing.
fn gather<T: Entry>(pages: impl Iterator<Item = Page<T>>, totals: &[u64]) -> Result<BTreeMap<u32, T>, Failure> {
    let mut seen: Vec<BTreeMap<u32, ()>> = totals.iter().map(|_| BTreeMap::new()).collect();
    let mut entries = BTreeMap::new();
    for page in pages {
        let total = totals.get(page.listing).copied().unwrap_or_default();
        let fits = page.total.is_none_or(|own| own == total);
        let goes_on = page.start + PAGE < total;
        if !fits || page.next.is_some() != goes_on {
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

fn changed<T: Entry>() -> Failure {
    Failure::Changed(T::CHANGED.to_owned())
}
