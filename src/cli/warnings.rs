//! Words of warnings about names: kinds of cards that are hidden, and names that changed.

use crate::engine::ListedKinds;
use crate::i18n::Text;
use crate::model::{CardKind, EntityType, KindNames, PersonName, UserId};

/// Number of people that a warning lists.
const MAX_LISTED: usize = 20;

/// Words the kinds of cards that may be hidden from the caller, as a plan of all pipelines does.
pub(super) fn hidden_kinds(listed: &ListedKinds, is_complete: bool) -> Vec<Text> {
    let mut texts = Vec::new();
    if !listed.hidden_deals.is_empty() {
        let ids: Vec<String> = listed.hidden_deals.iter().map(ToString::to_string).collect();
        texts.push(tr!(
            "`all` leaves out pipelines of {type} that the webhook's owner may not read: {ids}",
            type = EntityType::Deal.words(),
            ids = ids.join(", ")
        ));
    }
    if let Some(refusal) = &listed.no_processes {
        texts.push(tr!("the portal does not list its smart processes: {refusal}", refusal));
    }
    if !is_complete {
        texts.push(tr!(
            "`all` means the pipelines and types that the webhook's owner may read; others may exist, and an administrator of the portal sees all (RC0411)"
        ));
    }
    texts
}

/// Words the kinds of cards of a plan file that have another name now.
pub(super) fn renamed_kinds(
    kinds: &[CardKind],
    planned: &KindNames,
    present: &KindNames,
) -> Vec<Text> {
    let renamed = |kind: &CardKind| {
        let words = |names: &KindNames| names.words(*kind, str::to_owned);
        let (planned, present) = (words(planned), words(present));
        tr!("{kind} is {planned} in the plan file, and {present} now", kind, planned, present)
    };
    kinds.iter().map(renamed).collect()
}

/// Words the people of a plan file who have another name now.
pub(super) fn renamed_people(people: &[(UserId, PersonName, PersonName)]) -> Text {
    let renamed = |(user, planned, present): &(UserId, PersonName, PersonName)| {
        tr!("user {user} is {planned} in the plan file, and {present} now", user, planned, present)
    };
    let listed: Vec<Text> = people.iter().take(MAX_LISTED).map(renamed).collect();
    let listed = Text::join(&listed, "; ");
    match people.len().saturating_sub(MAX_LISTED) {
        0 => listed,
        more => tr!("{listed}, and {more} more", listed, more),
    }
}
