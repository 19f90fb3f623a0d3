//! Assignment of portals to waves.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::content::{FleetPortal, FleetWave, Wave, WaveRule};
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::manifest::value::twice;
use crate::model::{Digest, SourceLocation};

/// Name of the only wave of a fleet that declares none.
const ONLY: &str = "all";

/// Waves of a fleet, after its portals were assigned to them.
pub(super) struct Assigned {
    pub(super) waves: Vec<FleetWave>,
    /// Waves without a portal, which may be one with a broken entry.
    pub(super) lost: Vec<Diagnostic>,
}

/// Assigns each portal to the first wave that takes it. A wave without a portal and a portal
/// without a wave are errors. A broken entry, whose labels may be lost, is neither missing in a
/// wave nor without one.
pub(super) fn assign(
    waves: &[Wave],
    portals: &mut [FleetPortal],
    broken: &BTreeSet<SourceLocation>,
    found: &mut Vec<Diagnostic>,
) -> Assigned {
    let mut lost = Vec::new();
    if waves.is_empty() {
        return Assigned {
            waves: vec![FleetWave { name: ONLY.into(), settle: Duration::ZERO }],
            lost,
        };
    }
    refuse_duplicates(waves, found);
    // An entry that does not even tell its portal has no labels, and a name of its own: it must not
    // be the portal of a wave, nor move the share of one.
    let (nameless, mut left): (Vec<_>, Vec<&mut FleetPortal>) =
        portals.iter_mut().partition(|portal| portal.portal.is_none());
    nameless.into_iter().for_each(|portal| portal.wave = waves.len() - 1);
    let total = left.len();
    // A share is drawn by digest: the order of the files may follow countries or customers.
    left.sort_by_cached_key(|portal| Digest::hash(portal.name().as_bytes()));
    for (index, Wave { name, takes, settle: _ }) in waves.iter().enumerate() {
        let mut room = match takes {
            WaveRule::Percent(percent) => (total * *percent as usize).div_ceil(100),
            WaveRule::Select(_) | WaveRule::Rest => usize::MAX,
        };
        let mut taken = 0;
        left.retain_mut(|portal| {
            let is_taken = room > 0
                && match takes {
                    WaveRule::Select(selector) => selector.matches(&portal.labels),
                    WaveRule::Percent(_) | WaveRule::Rest => true,
                };
            if is_taken {
                portal.wave = index;
                room -= 1;
                taken += 1;
            }
            !is_taken
        });
        if taken == 0 {
            let message = tr!("the wave `{}` takes no portal", name.value);
            let empty =
                Diagnostic::error(DiagnosticCode::EmptySelection, name.place.clone(), message);
            if broken.is_empty() {
                found.push(empty.help(tr!(
                    "a wave takes portals that no wave before it took; remove it, or mend its selection"
                )));
            } else {
                lost.push(empty);
            }
        }
    }
    left.sort_by(|one, other| one.place.cmp(&other.place));
    for portal in left {
        if broken.contains(&portal.place) {
            portal.wave = waves.len().saturating_sub(1);
            continue;
        }
        let message = tr!("no wave takes the portal {}", portal.name());
        let help = tr!("end the waves with one that takes the rest: `- name: rest`");
        found.push(
            Diagnostic::error(DiagnosticCode::EmptySelection, portal.place.clone(), message)
                .help(help),
        );
    }
    let declared = waves.iter();
    let declared =
        declared.map(|wave| FleetWave { name: Arc::clone(&wave.name.value), settle: wave.settle });
    Assigned { waves: declared.collect(), lost }
}

/// Reports waves of the same name: reports and commands know a wave by it.
fn refuse_duplicates(waves: &[Wave], found: &mut Vec<Diagnostic>) {
    let mut first = BTreeMap::new();
    for Wave { name, takes: _, settle: _ } in waves {
        match first.entry(&name.value) {
            Entry::Vacant(vacant) => {
                vacant.insert(&name.place);
            }
            Entry::Occupied(earlier) => {
                let (message, here) = twice(&name.value);
                found.push(
                    Diagnostic::error(DiagnosticCode::DuplicateName, name.place.clone(), message)
                        .label((*earlier.get()).clone(), here),
                );
            }
        }
    }
}
