//! Check of the caller's permissions for a plan, as far as reads can tell.
//!
//! The portal lets all users read the common cards, but only an administrator of the CRM reset
//! them, and its profile shows administrators of the portal alone. Without a read of another
//! person's card, the plan of an employee would look fine, and every one of its resets would be
//! refused.

use super::Session;
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::model::{CardKey, LeadCustomerType, UnreadableReason, UserId};
use crate::plan::{Decision, HoldReason, Plan, PlannedTarget};
use crate::portal::MethodFamily;
use crate::ports::{CardRead, PortalError, ReadPortal as _};

/// Returns a warning if the portal treats the caller as a user without the permission. Sends one
/// more request only if the plan does not tell.
pub(super) async fn warning(
    session: &Session,
    plan: &Plan,
) -> Result<Option<Diagnostic>, PortalError> {
    let caller = &session.caller;
    if caller.portal_admin {
        return Ok(None);
    }
    let of_others =
        |target: &&PlannedTarget| target.key.user().is_some_and(|user| user != caller.user);
    let refused = |target: &PlannedTarget| {
        matches!(
            target.decision,
            Decision::Hold(HoldReason::Unreadable(UnreadableReason::Refused { .. }))
        )
    };
    let others: Vec<&PlannedTarget> = plan.targets.iter().filter(of_others).collect();
    let found = match others.iter().find(|target| refused(target)) {
        Some(target) => Some(*target),
        None if !others.is_empty() => None,
        None => match plan.resets().find(|target| target.key.user().is_none()) {
            Some(common) if reads_of_others_are_refused(session).await? => Some(common),
            Some(_) | None => None,
        },
    };
    Ok(found.map(|target| {
        let text = tr!("user {}, the owner of the webhook, is no administrator of the CRM: the portal refuses the cards of others, \
             and changes of common cards", caller.user);
        let help = tr!("make the webhook as an administrator of the CRM (of the portal, before release 25.100)");
        Diagnostic::warning(DiagnosticCode::NotAdministrator, target.origin.place.clone(), text).help(help)
    }))
}

/// Returns a warning if the cards of leads have the methods of all kinds, because the portal has
/// none of their own.
pub(super) fn item_methods(session: &Session, plan: &Plan) -> Option<Diagnostic> {
    if session.portal.method_family() == MethodFamily::Lead {
        return None;
    }
    let lead = plan.targets.iter().find(|target| target.key.kind.lead().is_some())?;
    let text = tr!("cards of leads are read and reset by crm.item.details.configuration.*");
    let help = tr!(
        "the portal has no crm.lead.details.configuration.*, or `--method-family item` says so; both change the same cards"
    );
    let place = lead.origin.place.clone();
    Some(Diagnostic::warning(DiagnosticCode::ItemMethods, place, text).help(help))
}

/// Reads the card of an impossible user, which needs access to all cards.
async fn reads_of_others_are_refused(session: &Session) -> Result<bool, PortalError> {
    let nobody = [CardKey::personal(UserId::IMPOSSIBLE, LeadCustomerType::Simple)];
    let mut refused = false;
    let mut sink = |_: CardKey, read: CardRead| refused = matches!(read, CardRead::Refused(_));
    session.portal.reader().read_cards(&nobody, &mut sink).await?;
    Ok(refused)
}
