//! Restore plan as text, with the targets that are not restored.

use std::collections::BTreeMap;
use std::fmt;

use anstyle::Style;

use super::rows::{self, Line};
use crate::engine::{RestoreDecision, RestorePlan, RestoreTarget};
use crate::i18n::Text;
use crate::model::{CardKey, PersonName, UserId};
use crate::plan::diff::diff;
use crate::report::escape::visible_line;
use crate::report::{DiffDetail, HeldTarget, visible};

/// Restore plan: the decision about each card, with its reason.
#[derive(Clone, Copy, Debug)]
pub struct RestoreText<'a> {
    /// The plan.
    pub plan: &'a RestorePlan,
    /// The names of people, as far as they are known.
    pub names: &'a BTreeMap<UserId, PersonName>,
    /// The rule for the content of cards.
    pub content: DiffDetail,
}

impl fmt::Display for RestoreText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, names, content } = *self;
        writeln!(f, "{}\n", tr!("Restore of the run {of}", of = plan.restored_run))?;
        let name = |key: CardKey| {
            key.user().and_then(|user| names.get(&user)).map_or("", PersonName::as_str)
        };
        let line = |RestoreTarget { key, decision }: &RestoreTarget| {
            let (word, what) = words(decision);
            let (style, text) = (Style::new(), visible(&what).into_owned());
            let below = match (content, decision) {
                (DiffDetail::Shown, RestoreDecision::Restore { wanted, over }) => {
                    diff(over.as_ref(), Some(wanted))
                        .iter()
                        .map(|line| {
                            let text = visible_line(&line.text);
                            format!("       {}{text}\n", line.change.sign())
                        })
                        .collect()
                }
                _ => String::new(),
            };
            Line { style, word: word.into(), key: *key, name: name(*key), text, below }
        };
        rows::write(f, &plan.targets.iter().map(line).collect::<Vec<_>>())?;
        match (plan.actions().next(), HeldTarget::from_restore_plan(plan).len()) {
            (Some(_), _) => writeln!(f),
            (None, 0) => writeln!(f, "{}", tr!("Nothing to put back.")),
            (None, held) => writeln!(
                f,
                "{}",
                tr!("{n} card is held, and none is put back."
                    | "{n} cards are held, and none is put back." % held)
            ),
        }
    }
}

impl HeldTarget {
    /// Returns the requested targets that a restore leaves alone.
    pub fn from_restore_plan(plan: &RestorePlan) -> Vec<Self> {
        let held = |target: &RestoreTarget| {
            let reason = match &target.decision {
                RestoreDecision::NewerKept(_) => "newer-kept",
                RestoreDecision::Unreadable(_) => "unreadable",
                RestoreDecision::NoBackup => "no-backup",
                RestoreDecision::BackupUnusable(_) => "backup-unusable",
                RestoreDecision::Restore { .. }
                | RestoreDecision::Remove(_)
                | RestoreDecision::AsBefore => {
                    return None;
                }
            };
            Some(Self { key: target.key, reason, text: words(&target.decision).1 })
        };
        plan.targets.iter().filter_map(held).collect()
    }
}

/// Returns a decision as a word, with its reason.
fn words(decision: &RestoreDecision) -> (Text, Text) {
    match decision {
        RestoreDecision::Restore { wanted, over: None } => {
            let sections = tr!("{n} section" | "{n} sections" % wanted.sections());
            let fields = tr!("{n} field" | "{n} fields" % wanted.fields());
            (tr!("put"), tr!("puts back {sections}, {fields}", sections, fields))
        }
        RestoreDecision::Restore { over: Some(_), .. } => {
            (tr!("put"), tr!("overwrites the layout that stands there, which is backed up first"))
        }
        RestoreDecision::Remove(_) => (tr!("reset"), tr!("was at its default before the run")),
        RestoreDecision::AsBefore => (tr!("keep"), tr!("is as before the run")),
        RestoreDecision::NewerKept(_) => {
            (tr!("hold"), tr!("holds a newer layout; --overwrite-newer would replace it"))
        }
        RestoreDecision::Unreadable(_) => {
            (tr!("hold"), tr!("cannot be read, or the read cannot be believed"))
        }
        RestoreDecision::NoBackup => (tr!("hold"), tr!("was reset without a backup")),
        RestoreDecision::BackupUnusable(problem) => {
            (tr!("hold"), tr!("its backup cannot be used: {problem}", problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Layout, LeadCustomerType};

    #[test]
    fn what_people_wrote_into_a_card_commands_no_build_server() {
        let title = r###"[{"name":"main","title":"##[error]","type":"section","elements":[]}]"###;
        let wanted = Layout::from_json(title).unwrap();
        let key = CardKey::personal(UserId::new(7).unwrap(), LeadCustomerType::Simple);
        let decision = RestoreDecision::Restore { wanted, over: None };
        let plan = RestorePlan {
            restored_run: "20261101T090000Z-000007".parse().unwrap(),
            targets: vec![RestoreTarget { key, decision }],
            common_defaults: BTreeMap::new(),
        };
        let text = RestoreText { plan: &plan, names: &BTreeMap::new(), content: DiffDetail::Shown }
            .to_string();
        assert!(text.contains("+section main \"## [error]\"") && !text.contains("##["), "{text}");
    }
}
