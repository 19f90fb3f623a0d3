//! Observation: from a portal to a snapshot, with the trust in its reads.
//!
//! Releases up to 24.200 answer a read of any card with the caller's own (behavior notes, section
//! 5.5). Reads alone detect such a portal: the card of an impossible user is compared with the
//! caller's own.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, EventSink};
use crate::model::{
    CardKey, CardKind, CardState, Identity, Layout, Observed, ReadTrust, ReleaseSign, Snapshot,
    TrustEvidence, UnreadableReason, UserId,
};
use crate::ports::{CardRead, PortalError, ReadPortal};

/// Number of cards that differ from the caller's and are read again: some of them may be saved at
/// that moment.
const MAX_CONTROL_READS: usize = 3;

/// Reads every target and the probes that judge the answers. The targets are sorted, each once.
///
/// # Errors
///
/// If the portal cannot be used at all. A single unreadable card is a gap in the snapshot, not an
/// error.
pub async fn observe<P: ReadPortal>(
    portal: &P,
    caller: &Identity,
    targets: &[CardKey],
    events: &dyn EventSink,
) -> Result<Snapshot, PortalError> {
    let mut keys = trust_probes_for(targets, caller.user);
    let asked: BTreeSet<CardKey> = keys.iter().copied().collect();
    keys.extend(targets.iter().filter(|key| !asked.contains(key)));
    let common = common_cards_behind(targets);
    keys.extend(common.iter().filter(|key| targets.binary_search(key).is_err()));
    events.on_event(Event::Resolved { targets: targets.len() });

    let reads = &read_all(portal, &keys, events).await?;
    let control_reads = control_reads(reads, caller.user);
    let trust = match caller.release_sign {
        ReleaseSign::Trusted(sign) => ReadTrust::Trusted(sign),
        // The difference may come from a save of the caller during the reads, and then proves
        // nothing.
        _ if !control_reads.is_empty()
            && are_still(portal, reads, &control_reads, caller.user).await? =>
        {
            ReadTrust::Trusted(TrustEvidence::DifferingRead)
        }
        _ if control_reads.is_empty() && nobody_reads_as_the_caller(reads, caller.user) => {
            ReadTrust::NotTrusted
        }
        ReleaseSign::Earlier(evidence) => ReadTrust::Trusted(evidence),
        ReleaseSign::Old | ReleaseSign::Unknown => ReadTrust::Unproven,
    };

    let common_defaults = common_defaults(reads, trust);
    let interpret = |key: &CardKey| {
        let common_default = common_defaults.get(&key.kind);
        interpret_read(*key, reads.get(key), trust, caller.user, common_default)
    };
    let common_cards = common.iter().map(|key| (key.kind, interpret(key))).collect();
    let cards = targets.iter().map(|key| (*key, interpret(key))).collect();
    Ok(Snapshot {
        portal: portal.portal().clone(),
        caller: caller.clone(),
        trust,
        common_defaults,
        common_cards,
        cards,
    })
}

/// Returns the common cards for the kinds of personal targets.
fn common_cards_behind(targets: &[CardKey]) -> BTreeSet<CardKey> {
    let personal = targets.iter().filter(|key| key.user().is_some());
    personal.map(|key| CardKey::common(key.kind)).collect()
}

/// Returns the probes for the kinds of some targets.
pub(super) fn trust_probes_for(targets: &[CardKey], caller: UserId) -> Vec<CardKey> {
    let personal = targets.iter().filter(|key| key.user().is_some());
    trust_probes(&personal.map(|key| key.kind).collect(), caller)
}

/// Returns the reads that decide on the trust in the portal: for each kind of card, ahead of all
/// others.
pub(super) fn trust_probes(kinds: &BTreeSet<CardKind>, caller: UserId) -> Vec<CardKey> {
    let both =
        |kind| [CardKey::personal(UserId::IMPOSSIBLE, kind), CardKey::personal(caller, kind)];
    kinds.iter().copied().flat_map(both).collect()
}

/// Reads cards into a map and reports the progress.
pub(super) async fn read_all<P: ReadPortal>(
    portal: &P,
    keys: &[CardKey],
    events: &dyn EventSink,
) -> Result<BTreeMap<CardKey, CardRead>, PortalError> {
    let mut reads = BTreeMap::new();
    let total = keys.len();
    let mut sink = |key: CardKey, read: CardRead| {
        reads.insert(key, read);
        events.on_event(Event::Read { done: reads.len(), total });
    };
    portal.read_cards(keys, &mut sink).await?;
    Ok(reads)
}

fn read_layout(reads: &BTreeMap<CardKey, CardRead>, key: CardKey) -> Option<Option<&Layout>> {
    match reads.get(&key)? {
        CardRead::Read(layout) => Some(layout.as_ref()),
        CardRead::Refused(_) | CardRead::NoAnswer(_) | CardRead::NoPipeline => None,
    }
}

/// Returns some cards of others that read differently from the caller's own, that of the impossible
/// user first, since no person saves it.
fn control_reads(reads: &BTreeMap<CardKey, CardRead>, caller: UserId) -> Vec<CardKey> {
    let differs = |key: &CardKey| {
        let own = read_layout(reads, CardKey::personal(caller, key.kind));
        let theirs = read_layout(reads, *key);
        theirs.zip(own).is_some_and(|(theirs, own)| theirs != own)
    };
    let is_nobody = |key: &CardKey| key.user() == Some(UserId::IMPOSSIBLE);
    let personal =
        || reads.keys().copied().filter(|key| key.user().is_some_and(|user| user != caller));
    let nobody = personal().filter(is_nobody);
    let others = personal().filter(|key| !is_nobody(key));
    nobody.chain(others).filter(differs).take(MAX_CONTROL_READS).collect()
}

/// Returns `true` if the impossible user has a card, and it equals the caller's.
fn nobody_reads_as_the_caller(reads: &BTreeMap<CardKey, CardRead>, caller: UserId) -> bool {
    kinds_of_probes(reads).any(|kind| {
        let nobody = read_layout(reads, CardKey::personal(UserId::IMPOSSIBLE, kind));
        let own = read_layout(reads, CardKey::personal(caller, kind));
        matches!((nobody, own), (Some(Some(_)), Some(Some(_))))
    })
}

/// Returns `true` if the caller's own cards and at least one of the witnesses read the same as
/// before. The witnesses are read first this time, and may have been before: a false result needs a
/// save of the caller between both times, and the same two layouts.
async fn are_still<P: ReadPortal>(
    portal: &P,
    reads: &BTreeMap<CardKey, CardRead>,
    control_reads: &[CardKey],
    caller: UserId,
) -> Result<bool, PortalError> {
    let own: Vec<CardKey> =
        reads.keys().copied().filter(|key| key.user() == Some(caller)).collect();
    let keys: Vec<CardKey> = control_reads.iter().chain(&own).copied().collect();
    let silent = |_: Event| {};
    let again = read_all(portal, &keys, &silent).await?;
    let is_still = |key: &CardKey| again.get(key).is_some_and(|read| reads.get(key) == Some(read));
    Ok(own.iter().all(is_still) && control_reads.iter().any(is_still))
}

fn common_defaults(
    reads: &BTreeMap<CardKey, CardRead>,
    trust: ReadTrust,
) -> BTreeMap<CardKind, Layout> {
    match trust {
        ReadTrust::Trusted(_) => {}
        // The answer for the impossible user may be the caller's own card.
        ReadTrust::NotTrusted | ReadTrust::Unproven => return BTreeMap::new(),
    }
    let common_default = |kind| {
        let layout = read_layout(reads, CardKey::personal(UserId::IMPOSSIBLE, kind))??;
        Some((kind, layout.clone()))
    };
    kinds_of_probes(reads).filter_map(common_default).collect()
}

/// Iterates over the kinds of cards that were read for the impossible user.
fn kinds_of_probes(reads: &BTreeMap<CardKey, CardRead>) -> impl Iterator<Item = CardKind> {
    let probes = reads.keys().filter(|key| key.user() == Some(UserId::IMPOSSIBLE));
    probes.map(|key| key.kind)
}

fn interpret_read(
    key: CardKey,
    read: Option<&CardRead>,
    trust: ReadTrust,
    caller: UserId,
    common_default: Option<&Layout>,
) -> Observed {
    let layout = match read {
        Some(CardRead::Read(layout)) => layout.clone(),
        Some(CardRead::Refused(refusal)) => {
            let (code, message) = (refusal.code.clone(), refusal.message.clone());
            return Observed::Unreadable(UnreadableReason::Refused { code, message });
        }
        Some(CardRead::NoPipeline) => {
            return Observed::Unreadable(UnreadableReason::NoPipeline);
        }
        Some(CardRead::NoAnswer(what)) => {
            return Observed::Unreadable(UnreadableReason::NoAnswer(what.clone()));
        }
        None => {
            return Observed::Unreadable(UnreadableReason::NoAnswer(
                tr_later!("the portal was not asked").into(),
            ));
        }
    };
    match (key.user(), trust) {
        (None, _) => Observed::Known(CardState::from_read(layout, None)),
        (Some(user), _) if user == caller => {
            Observed::Known(CardState::from_read(layout, common_default))
        }
        (Some(_), ReadTrust::Trusted(_)) => {
            Observed::Known(CardState::from_read(layout, common_default))
        }
        (Some(_), ReadTrust::NotTrusted) => Observed::Unreadable(UnreadableReason::ReadsNotTrusted),
        (Some(_), ReadTrust::Unproven) => Observed::Unreadable(UnreadableReason::ReadsUnproven),
    }
}
