//! Diagnostics of the portal's reads, for `recard doctor`. They use reads alone.

use super::observe::read_all;
use super::{Event, observe};
use crate::model::{
    CardKey, Identity, LeadCustomerType, Observed, ReadTrust, UnreadableReason, UserId,
};
use crate::ports::{CardRead, PortalError, ReadPortal};

/// Findings of the reads of some cards.
#[derive(Clone, Debug)]
pub struct CardDiagnostics {
    /// The trust in reads of other people's cards.
    pub trust: ReadTrust,
    /// The access of the caller to other people's cards: the sign of an administrator.
    pub access: Access,
    /// The finding on the portal's distinction of simple and repeat leads.
    pub selector: SelectorFinding,
}

/// Access of the caller to other people's cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The portal shows them.
    Allowed,
    /// The portal refuses; the text is its message.
    Refused(String),
    /// No usable answer.
    Unknown(String),
}

/// Finding on the parameter that selects the type of lead.
///
/// The portal silently ignores an unknown parameter name, and then every read is about simple
/// leads. If the two answers differ for any person, the portal knows the parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorFinding {
    /// For this card the two types of lead read differently.
    Obeyed(CardKey),
    /// This number of pairs of cards exists, and each reads the same for both types.
    AlwaysTheSame(u32),
    /// There is no card to compare.
    NothingToCompare,
}

/// Reads the cards of an impossible user, of the caller, of some people, and the common ones.
///
/// # Errors
///
/// If the portal cannot be used at all.
pub async fn diagnose_cards<P: ReadPortal>(
    portal: &P,
    caller: &Identity,
    people: &[UserId],
) -> Result<CardDiagnostics, PortalError> {
    let silent = |_: Event| {};
    // The card of an impossible user may be read only with access to all cards.
    let nobody = [CardKey::personal(UserId::IMPOSSIBLE, LeadCustomerType::Simple)];
    let snapshot = observe(portal, caller, &nobody, &silent).await?;
    let access = match snapshot.cards.first() {
        Some((_, Observed::Unreadable(UnreadableReason::Refused { code, message }))) => {
            Access::Refused([code.as_str(), message.as_str()].join(" ").trim().to_owned())
        }
        Some((_, Observed::Unreadable(UnreadableReason::NoAnswer(text)))) => {
            Access::Unknown(text.clone())
        }
        Some((_, Observed::Known(_) | Observed::Unreadable(_))) => Access::Allowed,
        None => Access::Unknown("the portal was not asked".to_owned()),
    };

    let others = people.iter().copied().filter(|_| access == Access::Allowed);
    let whose: Vec<UserId> =
        [caller.user].into_iter().chain(others.filter(|user| *user != caller.user)).collect();
    let mut pairs = vec![LeadCustomerType::ALL.map(CardKey::common)];
    pairs.extend(
        whose.iter().map(|user| LeadCustomerType::ALL.map(|lead| CardKey::personal(*user, lead))),
    );
    let keys: Vec<CardKey> = pairs.iter().flatten().copied().collect();
    let reads = read_all(portal, &keys, &silent).await?;
    let selector = selector(pairs.iter().map(|pair| (pair, pair.map(|key| reads.get(&key)))));

    // The cards of many people may prove more than the observation of one card.
    let trust = match snapshot.trust {
        ReadTrust::Unproven => {
            let keys: Vec<CardKey> =
                keys.iter().copied().filter(|key| key.user().is_some()).collect();
            observe(portal, caller, &keys, &silent).await?.trust
        }
        found => found,
    };
    Ok(CardDiagnostics { trust, access, selector })
}

fn selector<'a>(
    pairs: impl Iterator<Item = (&'a [CardKey; 2], [Option<&'a CardRead>; 2])>,
) -> SelectorFinding {
    let mut same = 0;
    for ([simple, _], reads) in pairs {
        let [Some(CardRead::Read(one)), Some(CardRead::Read(other))] = reads else { continue };
        if one != other {
            return SelectorFinding::Obeyed(*simple);
        }
        same += u32::from(one.is_some());
    }
    if same > 0 { SelectorFinding::AlwaysTheSame(same) } else { SelectorFinding::NothingToCompare }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Layout;

    fn card(text: Option<&str>) -> CardRead {
        CardRead::Read(text.map(|text| Layout::from_json(text).unwrap()))
    }

    #[test]
    fn diagnostics_of_two_differing_answers_prove_lead_types() {
        let pair = LeadCustomerType::ALL.map(CardKey::common);
        let (none, one, other) = (card(None), card(Some("[]")), card(Some("[1]")));
        let found =
            |reads: &[[&CardRead; 2]]| selector(reads.iter().map(|reads| (&pair, reads.map(Some))));
        assert_eq!(found(&[[&none, &none]]), SelectorFinding::NothingToCompare);
        assert_eq!(found(&[[&one, &one], [&none, &none]]), SelectorFinding::AlwaysTheSame(1));
        assert_eq!(found(&[[&one, &one], [&one, &other]]), SelectorFinding::Obeyed(pair[0]));
        assert_eq!(found(&[[&none, &one]]), SelectorFinding::Obeyed(pair[0]));
        let refused = CardRead::NoAnswer("cut".into());
        assert_eq!(found(&[[&refused, &one]]), SelectorFinding::NothingToCompare);
    }
}
