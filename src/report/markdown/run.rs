//! Report of a run as Markdown: indeterminate and failed targets first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Detail, MAX_LIST_ITEMS, manifests, short};
use crate::engine::TargetOutcome;
use crate::i18n::Text;
use crate::model::OutcomeClass;
use crate::report::ReportedRun;
use crate::report::escape::markdown;

/// Writes the part below the headline.
pub(super) fn write_run(text: &mut String, run: &ReportedRun<'_>, detail: Detail) {
    if let Some(reason) = run.stopped {
        let _ = writeln!(
            text,
            "\n**{}** {}",
            tr!("The run ended early:"),
            short(&Text::from_msgid(reason))
        );
    }
    let of = |class: OutcomeClass| {
        run.targets.iter().filter(move |settled| settled.outcome.class() == class)
    };
    for (title, class) in [
        (tr!("Unknown"), OutcomeClass::Unknown),
        (tr!("Failed"), OutcomeClass::Failed),
        (tr!("Skipped"), OutcomeClass::Skipped),
        (tr!("Done"), OutcomeClass::Done),
    ] {
        let targets: Vec<&TargetOutcome> = of(class).collect();
        if targets.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n#### {title}: {}", targets.len());
        outcomes(text, run, &targets, detail);
    }
    if !run.held.is_empty() {
        let _ = writeln!(text, "\n#### {}\n", tr!("Held, not tried: {}", run.held.len()));
        for held in run.held.iter().take(detail.rows.min(MAX_LIST_ITEMS)) {
            let _ = writeln!(text, "- `{}`: {}", held.key, short(&held.text));
        }
        if let Some(left @ 1..) = run.held.len().checked_sub(detail.rows.min(MAX_LIST_ITEMS)) {
            let _ = writeln!(text, "- {}", tr!("and {left} more", left));
        }
    }
    match run.run {
        Some(id) => {
            let run = tr!("Portal {portal}, run `{id}`.", portal = markdown(run.portal), id);
            let _ = writeln!(text, "\n{run}");
        }
        None => {
            let portal = markdown(run.portal);
            let nothing =
                tr!("Portal {portal}; nothing was to be done, and no run was started.", portal);
            let _ = writeln!(text, "\n{nothing}");
        }
    }
    manifests(text, &run.manifests);
}

/// Writes targets with the same outcome, one by one or in counts.
fn outcomes(text: &mut String, run: &ReportedRun<'_>, targets: &[&TargetOutcome], detail: Detail) {
    if detail.rows == 0 {
        let mut words: BTreeMap<&str, usize> = BTreeMap::new();
        for settled in targets {
            *words.entry(settled.outcome.as_str()).or_default() += 1;
        }
        text.push('\n');
        for (word, count) in words {
            let _ = writeln!(text, "- {count}: {word}");
        }
        return;
    }
    let _ = writeln!(text, "\n| {} |\n|---|---|---|", tr!("target | who | what"));
    for settled in targets.iter().take(detail.rows) {
        let name = short(run.person_name(settled.key));
        let _ = writeln!(
            text,
            "| `{}` | {name} | {} |",
            settled.key,
            short(&settled.outcome.to_string())
        );
    }
    if let Some(left @ 1..) = targets.len().checked_sub(detail.rows) {
        let _ =
            writeln!(text, "\n{}", tr!("… and {left} more; `recard show` has all of them.", left));
    }
}
