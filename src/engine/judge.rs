//! What the portal's answers mean for a target: values in, values out.
//!
//! A portal answers `true` whatever it did, leaves commands out and breaks down in the middle of a batch. So what counts is
//! what was seen of the card: by the reads that stand beside the reset, and if those do not tell, by one made afterwards.
//! Nothing here sends, waits or writes; [`apply`](super::apply()) acts on the judgements.

use crate::model::{CardKey, CardState, Layout, Outcome};
use crate::port::{CardRead, CommandAnswer, Refusal, ResetAnswer};

/// How often one target is tried before its failure counts as its own.
const TRIES: u32 = 4;

/// One target on its way.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// The target.
    pub key: CardKey,
    /// What is removed, and what the backup holds; nothing for a blind reset.
    pub layout: Option<Layout>,
    /// Whether that is on disk.
    pub backed_up: bool,
    /// How often it was sent in vain.
    pub tries: u32,
    /// An earlier try may have been carried out, and no read can tell.
    pub in_doubt: bool,
    /// What is known of what the last try removed, if it was carried out.
    pub removed: Removed,
}

/// What a reset removed, if it was carried out: the read just before it tells.
#[derive(Clone, Debug)]
pub(super) enum Removed {
    /// That read has no answer.
    Unseen,
    /// What the plan saw.
    AsPlanned,
    /// What the person has saved since the plan.
    Newer(Layout),
    /// Nothing: the card was at its default.
    Nothing,
}

/// What is to be done about a target, now that the portal has answered.
pub(super) enum Judgement {
    /// Nothing more: this became of it.
    Settled(Outcome),
    /// Surely not carried out, for this reason; a repeat is safe.
    Again(String),
    /// Carried out on a layout newer than the backup. This is it.
    Raced(Layout),
    /// The same, and by now the card holds yet another layout, which stays.
    Overtaken(Layout),
}

/// Maybe carried out, and not proved: the card has to be read.
pub(super) struct Unproved {
    /// What the reset removed, if it was carried out.
    pub removed: Removed,
}

impl Job {
    /// A target of which nothing was sent yet.
    pub(super) fn new(key: CardKey, layout: Option<Layout>) -> Self {
        Self { key, layout, backed_up: false, tries: 0, in_doubt: false, removed: Removed::Unseen }
    }

    /// What it comes to if nothing more is sent for it.
    pub(super) fn left(&self, reason: &str) -> Outcome {
        if self.in_doubt { Outcome::Unknown(reason.to_owned()) } else { Outcome::NotAttempted(reason.to_owned()) }
    }

    /// The job for another try; or what it comes to, if it was tried too often.
    pub(super) fn again(self, reason: &str) -> Result<Self, Outcome> {
        let tries = self.tries + 1;
        if tries < TRIES {
            return Ok(Self { tries, removed: Removed::Unseen, ..self });
        }
        Err(match self.in_doubt {
            true => Outcome::Unknown(reason.to_owned()),
            false => Outcome::NotAttempted(format!("tried {tries} times, and the card is as before: {reason}")),
        })
    }
}

/// What a card holds that was read before anything is sent for it; or what it comes to, because nobody could look.
pub(super) fn seen(read: Option<&CardRead>) -> Result<Option<&Layout>, Outcome> {
    match read {
        Some(CardRead::Read(read)) => Ok(read.as_ref()),
        Some(CardRead::Refused(Refusal { code, message })) => {
            Err(Outcome::Refused { code: code.clone(), message: message.clone() })
        }
        Some(CardRead::NoAnswer(what)) => Err(Outcome::NotAttempted(format!("could not be read again: {what}"))),
        None => Err(Outcome::NotAttempted(tr_later!("could not be read again").into())),
    }
}

/// What such a read says of the plan: nothing if the card is as planned, else why it is left alone.
pub(super) fn judge_read_again(
    planned: &Layout,
    read: Option<&CardRead>,
    stand_in: Option<&Layout>,
) -> Option<Outcome> {
    let there = match seen(read) {
        Ok(there) => there,
        Err(outcome) => return Some(outcome),
    };
    match CardState::of_read(there.cloned(), stand_in) {
        CardState::Customised(layout) if layout == *planned => None,
        CardState::Customised(_) => Some(Outcome::Changed),
        CardState::Default | CardState::Inherited => Some(Outcome::AlreadyDefault),
    }
}

/// What an answer to `get, reset, get` says. The last read counts more than what the portal says of the reset.
pub(super) fn judge_answer(job: &Job, answer: ResetAnswer, stand_in: Option<&Layout>) -> Result<Judgement, Unproved> {
    let ResetAnswer { before, reset, after } = answer;
    let Some(backup) = &job.layout else { return judge_blind(job, reset) };
    let after = match after {
        CardRead::Read(layout) => Some(CardState::of_read(layout, stand_in)),
        CardRead::Refused(_) | CardRead::NoAnswer(_) => None,
    };
    let is_as_before = matches!(&after, Some(CardState::Customised(layout)) if layout == backup);
    match reset {
        CommandAnswer::NotExecuted(reason) => {
            // What the reads have shown of a card that surely still stands counts: nobody resets what they know to be newer.
            return Ok(match removed(job, backup, before, stand_in) {
                Removed::Newer(_) => Judgement::Settled(Outcome::Changed),
                Removed::Nothing => Judgement::Settled(Outcome::AlreadyDefault),
                Removed::Unseen | Removed::AsPlanned => Judgement::Again(reason),
            });
        }
        CommandAnswer::Refused(Refusal { code, message }) if is_as_before || after.is_none() => {
            return Ok(Judgement::Settled(Outcome::Refused { code, message }));
        }
        CommandAnswer::Unclear(reason) if is_as_before => return Ok(Judgement::Again(reason)),
        CommandAnswer::Done | CommandAnswer::Refused(_) | CommandAnswer::Unclear(_) => {}
    }
    let outcome = match (before, after) {
        (before, None) => return Err(Unproved { removed: removed(job, backup, before, stand_in) }),
        (_, Some(CardState::Customised(_))) if is_as_before => Outcome::StillCustomised,
        // What the backup holds is gone, and another layout is there.
        (before, Some(CardState::Customised(there))) => match removed(job, backup, before, stand_in) {
            Removed::Newer(newer) if newer != there => return Ok(Judgement::Overtaken(newer)),
            Removed::Newer(_) | Removed::Unseen | Removed::AsPlanned | Removed::Nothing => Outcome::Unknown(
                tr_later!("the card now shows another layout than before: it was saved since, or set for everybody")
                    .into(),
            ),
        },
        (CardRead::Read(Some(layout)), _) if layout == *backup => Outcome::Reset,
        (CardRead::Read(before), _) => match CardState::of_read(before, stand_in) {
            // A try before this one did it, and its answer was lost; or the person did it themselves.
            CardState::Default | CardState::Inherited if job.tries > 0 => Outcome::ResetUnseen,
            CardState::Default | CardState::Inherited => Outcome::AlreadyDefault,
            CardState::Customised(newer) => return Ok(Judgement::Raced(newer)),
        },
        (CardRead::Refused(_) | CardRead::NoAnswer(_), _) => Outcome::ResetUnseen,
    };
    Ok(Judgement::Settled(outcome))
}

/// What an answer to a reset without reads says: there is nothing but the portal's word.
fn judge_blind(job: &Job, reset: CommandAnswer) -> Result<Judgement, Unproved> {
    match reset {
        CommandAnswer::Done => Ok(Judgement::Settled(Outcome::ResetBlind)),
        // The refusal is of this try alone.
        CommandAnswer::Refused(refusal) if job.in_doubt => Ok(Judgement::Settled(Outcome::Unknown(refusal.message))),
        CommandAnswer::Refused(Refusal { code, message }) => Ok(Judgement::Settled(Outcome::Refused { code, message })),
        CommandAnswer::NotExecuted(reason) => Ok(Judgement::Again(reason)),
        CommandAnswer::Unclear(_) => Err(Unproved { removed: Removed::Unseen }),
    }
}

/// What a reset removed, by the read just before it.
fn removed(job: &Job, backup: &Layout, before: CardRead, stand_in: Option<&Layout>) -> Removed {
    let CardRead::Read(before) = before else { return Removed::Unseen };
    match CardState::of_read(before, stand_in) {
        CardState::Customised(layout) if layout == *backup => Removed::AsPlanned,
        CardState::Customised(newer) => Removed::Newer(newer),
        CardState::Default | CardState::Inherited if job.tries > 0 => Removed::Unseen,
        CardState::Default | CardState::Inherited => Removed::Nothing,
    }
}

/// What a read made afterwards says of a target whose answer, for the given reason, proved nothing.
pub(super) fn judge_read_back(
    job: &Job,
    read: Option<&CardRead>,
    stand_in: Option<&Layout>,
    reason: &str,
) -> Judgement {
    let Some(CardRead::Read(read)) = read else {
        return match &job.removed {
            // At worst it is written over itself.
            Removed::Newer(newer) => Judgement::Raced(newer.clone()),
            Removed::Unseen | Removed::AsPlanned | Removed::Nothing => {
                Judgement::Settled(Outcome::Unknown(format!("{reason}; and could not be read back")))
            }
        };
    };
    match (CardState::of_read(read.clone(), stand_in), &job.removed) {
        (CardState::Default | CardState::Inherited, removed) => match removed {
            Removed::AsPlanned => Judgement::Settled(Outcome::Reset),
            Removed::Unseen => Judgement::Settled(Outcome::ResetUnseen),
            Removed::Nothing => Judgement::Settled(Outcome::AlreadyDefault),
            Removed::Newer(newer) => Judgement::Raced(newer.clone()),
        },
        (CardState::Customised(there), Removed::Newer(newer)) if there == *newer => {
            Judgement::Settled(Outcome::Changed)
        }
        (CardState::Customised(there), _) if job.layout.as_ref() == Some(&there) => Judgement::Again(reason.to_owned()),
        (CardState::Customised(_), Removed::Newer(newer)) => Judgement::Overtaken(newer.clone()),
        (CardState::Customised(_), _) => Judgement::Settled(Outcome::Unknown(
            tr_later!("the answer was lost, and the card now holds another layout, which was left alone").into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LeadCustomerType, UserId};

    fn blind(in_doubt: bool) -> Job {
        let key = CardKey::personal(UserId::new(2).unwrap(), LeadCustomerType::Simple);
        Job { in_doubt, ..Job::new(key, None) }
    }

    fn settled(job: &Job, reset: CommandAnswer) -> Option<Outcome> {
        let unread = || CardRead::NoAnswer("not asked".into());
        match judge_answer(job, ResetAnswer { before: unread(), reset, after: unread() }, None) {
            Ok(Judgement::Settled(outcome)) => Some(outcome),
            Ok(Judgement::Again(_) | Judgement::Raced(_) | Judgement::Overtaken(_)) | Err(Unproved { .. }) => None,
        }
    }

    #[test]
    fn a_blind_reset_that_may_have_been_carried_out_once_is_not_refused_by_a_later_answer() {
        let refused = || CommandAnswer::Refused(Refusal { code: "ACCESS".into(), message: "denied".into() });
        let (code, message) = ("ACCESS".to_owned(), "denied".to_owned());
        assert_eq!(settled(&blind(false), refused()), Some(Outcome::Refused { code, message }));
        assert_eq!(settled(&blind(true), refused()), Some(Outcome::Unknown("denied".into())));
        assert_eq!(settled(&blind(true), CommandAnswer::Done), Some(Outcome::ResetBlind));
    }

    #[test]
    fn a_target_is_tried_four_times_and_says_in_the_end_whether_it_is_in_doubt() {
        let last = |in_doubt: bool| {
            let mut job = blind(in_doubt);
            for tries in 1..TRIES {
                job = job.again("busy").unwrap();
                assert_eq!(job.tries, tries);
            }
            job.again("busy").unwrap_err()
        };
        assert_eq!(last(true), Outcome::Unknown("busy".into()));
        assert_eq!(last(false), Outcome::NotAttempted("tried 4 times, and the card is as before: busy".into()));
    }
}
