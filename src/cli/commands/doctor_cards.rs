//! Checks of `recard doctor` on the reads of cards: release, rights, trust, and types of leads.

use crate::engine::{Access, CardDiagnostics, ListedKinds, SelectorFinding};
use crate::model::{Identity, ReadTrust, ReleaseSign, TrustEvidence};
use crate::portal::MissingPipeline;
use crate::report::{Check, CheckStatus};

/// Reports the release, by the caller's own answers or by the evidence of the reads.
pub(super) fn release(caller: &Identity, trust: Option<ReadTrust>) -> Check {
    let is_proved = matches!(trust, Some(ReadTrust::Trusted(_)));
    match caller.release_sign {
        ReleaseSign::Unknown if is_proved => {
            Check::ok("release", tr!("24.300 or newer, by its reads"))
        }
        ReleaseSign::Trusted(TrustEvidence::WholeSeconds) => {
            Check::ok("release", tr!("25.700 or newer, by the form of its answers"))
        }
        ReleaseSign::Trusted(TrustEvidence::NoTimeZoneOffset) => {
            Check::ok("release", tr!("25.550 or newer, by the caller's profile"))
        }
        ReleaseSign::Trusted(TrustEvidence::SelectObeyed) => {
            Check::ok("release", tr!("24.300 or newer, by its list of people"))
        }
        ReleaseSign::Trusted(_) => Check::ok("release", tr!("24.300 or newer, by its reads")),
        ReleaseSign::Earlier(_) => Check::ok(
            "release",
            tr!("24.300 or newer, by a proof that the store keeps; no answer shows it now"),
        ),
        ReleaseSign::Old => Check::warning(
            "release",
            tr!("24.200 or older, by its list of people"),
            tr!(
                "up to 24.200 the portal reads the wrong person's card; recard finds out by comparing (see reads)"
            ),
        ),
        ReleaseSign::Unknown => Check::warning(
            "release",
            tr!("no sign of 24.300 or newer"),
            tr!(
                "up to 24.200 the portal reads the wrong person's card; recard finds out by comparing (see reads)"
            ),
        ),
    }
}

pub(super) fn administrator(cards: &CardDiagnostics, caller: &Identity) -> Check {
    match &cards.access {
        Access::Allowed if caller.portal_admin => Check::ok("administrator", tr!("of the portal")),
        Access::Allowed => {
            Check::ok("administrator", tr!("of the CRM: the cards of others are not refused"))
        }
        Access::Refused(words) => Check::failure(
            "administrator",
            tr!("the cards of others are refused: {words}", words),
            tr!(
                "the webhook's owner must be an administrator of the CRM (of the portal, before release 25.100)"
            ),
        ),
        Access::Unknown(text) => Check::warning(
            "administrator",
            tr!("could not be found out: {text}", text),
            tr!("try again later"),
        ),
    }
}

/// Reports the kinds of cards that the portal lists, and those that it hides.
pub(super) fn pipelines(listed: &ListedKinds, caller: &Identity) -> Check {
    let kinds: Vec<String> = listed.kinds.iter().map(ToString::to_string).collect();
    let text = tr!(
        "{n} kind of card: {kinds}" | "{n} kinds of cards: {kinds}" % kinds.len(),
        kinds = kinds.join(", ")
    );
    let mut help = Vec::new();
    if !listed.hidden_deals.is_empty() {
        let ids: Vec<String> = listed.hidden_deals.iter().map(ToString::to_string).collect();
        help.push(tr!(
            "pipelines of deals that the webhook's owner may not read: {ids}",
            ids = ids.join(", ")
        ));
    } else if !caller.portal_admin {
        help.push(tr!(
            "pipelines that the webhook's owner may not read are missing; an administrator of the portal sees all"
        ));
    }
    if let Some(refusal) = &listed.no_processes {
        help.push(tr!("the portal does not list its smart processes: {refusal}", refusal));
    }
    for of in &listed.without_pipeline {
        help.push(tr!(
            "{type}: no pipeline is listed, so that these cards are held",
            type = of.words()
        ));
    }
    let verdict = match listed.hidden_deals.is_empty() && caller.portal_admin {
        true => CheckStatus::Ok,
        false => CheckStatus::Warning,
    };
    Check { check: "pipelines", verdict, text, help }
}

/// Reports what the portal does without a pipeline, which tells releases apart.
pub(super) fn missing_pipeline(found: MissingPipeline) -> Check {
    Check::ok(
        "smart processes",
        match found {
            MissingPipeline::Default => {
                tr!(
                    "a card without a pipeline is that of the default one: a release up to June 2025"
                )
            }
            MissingPipeline::Nobody => {
                tr!("a card without a pipeline is nobody's: a release from July 2025 on")
            }
        },
    )
}

/// Reports the trust in reads. Left out if reads of others are refused and there is no evidence:
/// there is nothing to compare then.
pub(super) fn reads(cards: &CardDiagnostics) -> Option<Check> {
    let others_are_read = cards.access == Access::Allowed;
    Some(match cards.trust {
        ReadTrust::Trusted(_) if others_are_read => {
            Check::ok("reads", tr!("the cards of others are theirs"))
        }
        ReadTrust::Trusted(_) => Check::ok(
            "reads",
            tr!("the portal reads the card that it is asked for, where it may be read"),
        ),
        ReadTrust::NotTrusted | ReadTrust::Unproven if !others_are_read => return None,
        ReadTrust::NotTrusted => Check::warning(
            "reads",
            tr!("the portal answers with the caller's own card, as releases up to 24.200 do"),
            tr!(
                "update the portal; until then recard holds the cards of others, or resets them unread with --blind-reset"
            ),
        ),
        ReadTrust::Unproven => Check::warning(
            "reads",
            tr!("nothing shows whose card the portal reads"),
            tr!(
                "arrange a card of the webhook's owner in the portal: a read that differs from it proves the rest"
            ),
        ),
    })
}

pub(super) fn lead_types(cards: &CardDiagnostics) -> Check {
    match &cards.selector {
        SelectorFinding::Obeyed(key) => {
            let whose = match (key.user(), cards.trust) {
                (None, _) => tr!("the common cards differ"),
                (Some(user), ReadTrust::Trusted(_)) => tr!("those of user {user} differ", user),
                (Some(_), ReadTrust::NotTrusted | ReadTrust::Unproven) => tr!("two answers differ"),
            };
            Check::ok("lead types", tr!("simple and repeat are told apart: {whose}", whose))
        }
        SelectorFinding::AlwaysTheSame(number) => Check::warning(
            "lead types",
            tr!("simple and repeat read the same for all {number} cards looked at", number),
            tr!(
                "arrange a card for one kind of lead only, and look again: the portal may ignore the kind of lead"
            ),
        ),
        SelectorFinding::NothingToCompare => Check::ok(
            "lead types",
            tr!("no card to compare simple and repeat by; nothing speaks against it"),
        ),
    }
}
