//! Advice for a plan that a guard blocks: the complete lines for the manifests, or the flag that is
//! the limit.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::guard::{GuardReport, LimitSource, Violation, ViolationKind, count};
use crate::model::ManifestLimits;

/// Advice for a plan that a guard blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Lines to be put under `spec`.
    Lines {
        /// The complete block, or one for each manifest below a comment that names it.
        lines: String,
        /// The block in the manifest that the lines replace.
        replace: Replaces,
    },
    /// A limit of the command line.
    Flag {
        /// The value of the flag.
        limit: u32,
        /// The number of people affected.
        people: u32,
    },
    /// A protected person has to be left out.
    LeaveOut,
}

/// Block of a manifest that a block of lines replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// No block: the manifest has none.
    Nothing,
    /// The block `guards`; its present content is repeated in the lines.
    Guards,
}

impl GuardReport {
    /// Returns the advice that would allow exactly this plan; empty if no guard blocks it.
    pub fn advice(&self) -> Vec<Advice> {
        let mut advice = Vec::new();
        if self
            .violations
            .iter()
            .any(|violation| matches!(violation.kind, ViolationKind::Protected(_)))
        {
            advice.push(Advice::LeaveOut);
        } else if let Some((lines, replace)) = self.lines() {
            advice.push(Advice::Lines { lines, replace });
        }
        advice.extend(self.violations.iter().find_map(|violation| {
            match (&violation.source, &violation.kind) {
                (LimitSource::CommandLine, ViolationKind::TooManyPeople { people, limit }) => {
                    Some(Advice::Flag { limit: *limit, people: *people })
                }
                _ => None,
            }
        }));
        advice
    }

    /// Returns the lines that would allow the plan, to be put under `spec` of a manifest; `None` if
    /// no line can.
    pub fn acknowledgement(&self) -> Option<String> {
        self.advice().into_iter().find_map(|advice| match advice {
            Advice::Lines { lines, .. } => Some(lines),
            Advice::Flag { .. } | Advice::LeaveOut => None,
        })
    }

    /// Returns the complete blocks `guards` of the manifests that have to acknowledge something.
    fn lines(&self) -> Option<(String, Replaces)> {
        let names: BTreeSet<&Arc<str>> =
            self.limits.manifests.keys().chain(self.impact.manifests.keys()).collect();
        let several = names.len() > 1;
        let mut replace = Replaces::Nothing;
        let mut blocks = Vec::new();
        for name in names {
            let stated = self.limits.manifests.get(name).cloned().unwrap_or_default();
            let needed = self.needed(name, &stated);
            if needed == stated {
                continue;
            }
            if stated.states_guards() {
                replace = Replaces::Guards;
            }
            let comment = if several { format!("# manifest {name}\n") } else { String::new() };
            blocks.push(comment + &block(&needed));
        }
        (!blocks.is_empty()).then(|| (blocks.join("\n"), replace))
    }

    /// Returns the limits of a manifest, with the acknowledgements that it lacks.
    fn needed(&self, name: &Arc<str>, stated: &ManifestLimits) -> ManifestLimits {
        let mut needed = stated.clone();
        let own = self.impact.manifests.get(name).map_or(0, |impact| count(&impact.people));
        for Violation { source, kind } in &self.violations {
            match source {
                LimitSource::OnlyManifest => {}
                LimitSource::Manifest(manifest) if manifest == name => {}
                LimitSource::AllManifests if own > 0 => {}
                LimitSource::Manifest(_) | LimitSource::AllManifests | LimitSource::CommandLine => {
                    continue;
                }
            }
            match kind {
                ViolationKind::TooManyPeople { .. } | ViolationKind::TooLargeShare { .. } => {
                    needed.acknowledged_users = needed.acknowledged_users.max(Some(own));
                }
                ViolationKind::CommonCard(lead) => {
                    needed.acknowledged_common.insert(*lead);
                }
                ViolationKind::SpecialPerson(user, _) => {
                    needed.acknowledged_people.insert(*user);
                }
                ViolationKind::Shrunk { now, .. } => needed.acknowledged_selection = Some(*now),
                ViolationKind::Protected(_) => {}
            }
        }
        needed
    }
}

/// Returns the block `guards` of a manifest that states these limits.
fn block(limits: &ManifestLimits) -> String {
    let ManifestLimits {
        max_users,
        max_percent_of_users,
        acknowledged_users,
        acknowledged_selection,
        acknowledged_common,
        acknowledged_people,
        protected: _,
    } = limits;
    let mut entries = Vec::new();
    entries.extend(acknowledged_users.map(|number| format!("users: {number}")));
    entries.extend(acknowledged_selection.map(|number| format!("selection: {number}")));
    let leads: Option<Vec<String>> =
        acknowledged_common.iter().map(|kind| kind.lead().map(|lead| lead.to_string())).collect();
    // Both kinds of manifest read the short form of leads.
    let common = leads
        .unwrap_or_else(|| acknowledged_common.iter().map(|kind| format!("\"{kind}\"")).collect());
    let people: Vec<String> = acknowledged_people.iter().map(ToString::to_string).collect();
    for (key, list) in [("common", common.join(", ")), ("people", people.join(", "))] {
        if !list.is_empty() {
            entries.push(format!("{key}: [{list}]"));
        }
    }
    let mut lines = vec!["guards:".to_owned()];
    lines.extend(max_users.map(|number| format!("  maxUsers: {number}")));
    lines.extend(max_percent_of_users.map(|percent| format!("  maxPercentOfUsers: {percent}")));
    if !entries.is_empty() {
        lines.push(format!("  acknowledge: {{ {} }}", entries.join(", ")));
    }
    lines.join("\n")
}

impl Advice {
    /// Returns the lines for manifests; empty if the advice has no such lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Lines { lines, .. } => lines.as_str(),
            Self::Flag { .. } | Self::LeaveOut => "",
        }
        .lines()
    }
}

impl fmt::Display for Advice {
    /// Writes the sentence in front of the lines, or the advice as a whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Lines { replace: Replaces::Nothing, .. } => {
                tr!("These lines under `spec` would allow exactly this:")
            }
            Self::Lines { replace: Replaces::Guards, .. } => {
                tr!("These lines in place of `guards` under `spec` would allow exactly this:")
            }
            Self::Flag { limit, people } => {
                tr!(
                    "--max-users {limit} is the limit: give --max-users {people}, or leave it out.",
                    limit,
                    people
                )
            }
            Self::LeaveOut => {
                tr!("Nothing lifts a protection; leave the person out with `except`.")
            }
        })
    }
}
