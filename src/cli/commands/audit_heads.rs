//! `recard audit heads`: where each audit log of a store ends, and the check against earlier ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::args::{AuditHeadsArgs, GlobalArgs};
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::cli::{exit, output, session};
use crate::i18n::Text;
use crate::model::PortalId;
use crate::ports::{Clock as _, StoreError};
use crate::records::{AuditBreak, AuditHead, AuditHeads};
use crate::report::{OutputFormat, pretty};
use crate::store::{Store, read_whole};

/// Maximum size of a file with heads.
const MAX_BYTES: u64 = 64 << 20;

/// Prints the heads, unless a log is damaged or does not continue an earlier one.
pub(super) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &AuditHeadsArgs,
) -> Result<u8, CliError> {
    output::check_paths(&arguments.output)?;
    let named = session::named_portal(global)?;
    let mut earlier = BTreeMap::new();
    if let Some(path) = &arguments.check {
        let is_meant = |head: &AuditHead| named.as_ref().is_none_or(|named| *named == head.portal);
        let heads = read(path)?.heads.into_iter().filter(is_meant);
        earlier.extend(heads.map(|head| (head.portal.clone(), head)));
        if earlier.is_empty() {
            return Err(CliError::general(tr!(
                "{} has no head of such a log: nothing was checked",
                path.display()
            )));
        }
    }
    let mut portals: BTreeSet<PortalId> = match named {
        Some(portal) => BTreeSet::from([portal]),
        None => global.store.portals().await?.into_iter().collect(),
    };
    portals.extend(earlier.keys().cloned());
    let (mut heads, mut broken) = (Vec::new(), 0_usize);
    for portal in &portals {
        match check(global, portal, earlier.get(portal)).await? {
            Ok(head) => heads.extend(head),
            Err(problem) => {
                ui.warn(problem);
                broken += 1;
            }
        }
    }
    if broken > 0 {
        return Err(CliError::general(tr!("{n} audit log is damaged, or was cut"
            | "{n} audit logs are damaged, or were cut" % broken))
        .hint(tr!("the store was changed by something else than recard"))
        .hint(tr!("no heads were written: keep the earlier ones")));
    }
    if heads.is_empty() {
        let store = &global.store;
        return Err(CliError::general(tr!("the store {store} has no audit log", store))
            .hint(tr!("name the store with --store; the first apply makes one")));
    }
    let checked = earlier.len();
    let heads = AuditHeads::new(SystemClock.now(), heads);
    output::write(ui, &arguments.output, |format| match format {
        OutputFormat::Json => pretty(&heads),
        _ => text(&heads, checked),
    })?;
    Ok(exit::DONE)
}

/// Returns the head of the log of a portal; none if it has no line. The inner error is the problem
/// of the log.
async fn check(
    global: &GlobalArgs,
    portal: &PortalId,
    earlier: Option<&AuditHead>,
) -> Result<Result<Option<AuditHead>, Text>, CliError> {
    let digests = match Store::open(&global.store, portal)?.audit_digests().await {
        Ok(digests) => digests,
        Err(problem @ StoreError::Damaged { .. }) => return Ok(Err(Text::from_display(&problem))),
        Err(problem) => return Err(problem.into()),
    };
    let Some(earlier) = earlier else { return Ok(Ok(AuditHead::from_digests(portal, &digests))) };
    let lines = earlier.lines;
    Ok(match earlier.check(&digests) {
        None => Ok(AuditHead::from_digests(portal, &digests)),
        Some(AuditBreak::Cut(now)) => Err(tr!(
            "the audit log of {portal} was cut: it had {lines} lines, and has {now}",
            portal,
            lines,
            now
        )),
        Some(AuditBreak::Rewritten) => Err(tr!(
            "the audit log of {portal} was rewritten: its line {lines} is another one",
            portal,
            lines
        )),
    })
}

fn read(path: &Path) -> Result<AuditHeads, CliError> {
    let cannot = |problem: &dyn std::fmt::Display| {
        CliError::general(tr!("cannot read the heads {}: {problem}", path.display(), problem))
            .hint(tr!("`recard audit heads -o json=FILE` writes them"))
    };
    let bytes = read_whole(path, MAX_BYTES).map_err(|problem| cannot(&problem))?;
    AuditHeads::parse(&bytes).map_err(|problem| cannot(&problem))
}

fn text(heads: &AuditHeads, checked: usize) -> String {
    let line = |head: &AuditHead| format!("{}  {}  {}\n", head.portal, head.lines, head.digest);
    let mut text: String = heads.heads.iter().map(line).collect();
    if checked > 0 {
        let holds = tr!("{n} earlier head is still in its log."
            | "{n} earlier heads are still in their logs." % checked);
        text.push_str(&format!("{holds}\n"));
    }
    text
}
