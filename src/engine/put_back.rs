//! Puts back a layout that a reset removed although nobody had planned that.
//!
//! It happens when a person saves between the plan and the reset. The read that the reset came with holds what they lost;
//! from there it goes into a backup, and then to the portal again.

use crate::language::english;
use crate::model::{CardKey, Layout, Outcome};
use crate::port::{CardRead, CommandAnswer, JournalRecord, PortalError, ReadPortal, RunLog, StoreError, WritePortal};

/// Stores a layout that a reset removed by mistake, with a backup and an intent first, and reads it back.
///
/// # Errors
///
/// Only if the store fails; what the portal does is an outcome.
pub(super) async fn put_back<P: WritePortal, L: RunLog>(
    portal: &P,
    log: &mut L,
    key: CardKey,
    layout: &Layout,
) -> Result<Outcome, StoreError> {
    let kept = log
        .back_up(&[(key, layout)])
        .and_then(|()| log.append(&[JournalRecord::SetIntent { target: key, digest: layout.digest() }]));
    // Without a backup the layout is nowhere but in this process: all the more it is put back.
    let answer = portal.set_card(key, layout).await;
    kept?;
    // Whatever the answer says, what counts is what stands there now; be it that the person has saved it once more.
    let now = read_one(portal, key).await;
    let backup = layout.digest().short();
    let not_sent = match &answer {
        Ok(CommandAnswer::Refused(refusal)) => Some(refusal.message.clone()),
        Ok(CommandAnswer::NotExecuted(reason)) => Some(reason.clone()),
        Err(problem @ (PortalError::Rejected { .. } | PortalError::NotExecuted(_) | PortalError::Stopped(_))) => {
            Some(english(&problem))
        }
        Ok(CommandAnswer::Done | CommandAnswer::Unclear(_))
        | Err(PortalError::MaybeExecuted(_) | PortalError::Unexpected(_)) => None,
    };
    Ok(match (now, not_sent) {
        (Ok(Some(there)), _) if there == *layout => Outcome::PutBack,
        (_, Some(reason)) => {
            Outcome::Lost(format!("it could not be put back ({reason}); restore it from the backup {backup}"))
        }
        (Ok(Some(_)), None) => {
            Outcome::Lost(format!("put back, but the portal did not keep all of it; the backup {backup} holds it"))
        }
        (Ok(None), None) => Outcome::Lost(format!("restore it from the backup {backup}")),
        (Err(reason), None) => {
            Outcome::Unknown(format!("put back, but could not be read back ({reason}); the backup {backup} holds it"))
        }
    })
}

/// Reads one card, without judging whose it is.
async fn read_one<P: ReadPortal>(portal: &P, key: CardKey) -> Result<Option<Layout>, String> {
    let mut found = Err("no answer".to_owned());
    let mut sink = |_: CardKey, read: CardRead| {
        found = match read {
            CardRead::Read(layout) => Ok(layout),
            CardRead::Refused(refusal) => Err(refusal.message),
            CardRead::NoAnswer(what) => Err(what),
        };
    };
    match portal.read_cards(&[key], &mut sink).await {
        Ok(()) => found,
        Err(problem) => Err(english(&problem)),
    }
}
