//! `recard export`: a manifest of all people with customized cards, and the layouts of all cards.
//! Reads only, by type.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::args::{ExportArgs, GlobalArgs};
use crate::cli::clock::SystemClock;
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::output;
use crate::cli::session::PortalEndpoint;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::diagnostic::visible;
use crate::engine::CardInventory;
use crate::manifest::{self, Source};
use crate::model::Layout;
use crate::ports::Clock as _;
use crate::records::{Anonymizer, LayoutExport, LayoutExportContent, encode_layout_export};
use crate::report::ExportedManifest;
use crate::store::write_whole;

/// File name of the manifest in the folder of an export.
const MANIFEST: &str = "manifest.yaml";

/// File name of the layouts in the folder of an export.
const LAYOUTS: &str = "layouts.json";

/// Reads all cards and writes both files, or the manifest alone to stdout.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &ExportArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let departments = &arguments.department;
    if let Some(folder) = &arguments.out {
        refuse_existing(folder)?;
    }
    let session = PortalEndpoint::find(global, WebhookAccess::Read, interrupt)
        .await?
        .connect(global, ui, interrupt)
        .await?;
    let mut survey = session
        .run_and_close(ui, async |session| {
            super::inventory::read_cards(ui, session, &arguments.card.selection()).await
        })
        .await?;
    if let Some(unknown) = departments.iter().find(|id| !survey.departments.contains_key(id)) {
        return Err(CliError::general(tr!(
            "the portal has no active department {unknown}",
            unknown
        ))
        .hint(tr!("`recard inventory` lists the departments with people")));
    }
    if !departments.is_empty() {
        survey.retain_departments(departments);
    }
    let sanitizer = arguments.sanitize.then(|| Anonymizer::new(rand::random()));
    let (manifest, bundle) = build_export(&survey, sanitizer.as_ref())?;
    let people = manifest.people().len();
    let has_people = people > 0;
    let text = checked(manifest)?;
    match &arguments.out {
        None if has_people => ui.result(&text)?,
        None => {}
        Some(folder) => write(ui, folder, people, &text, &bundle)?,
    }
    if !has_people {
        ui.note(tr!("No card is customized, so there is no manifest to write."));
    }
    Ok(super::inventory::exit_code(ui, &survey))
}

/// Builds the manifest and the layouts, with or without names and titles.
fn build_export(
    survey: &CardInventory,
    sanitizer: Option<&Anonymizer>,
) -> Result<(ExportedManifest, LayoutExport), CliError> {
    let now = SystemClock.now();
    let portal = &survey.snapshot.portal;
    let portal = sanitizer.map_or_else(|| portal.clone(), |sanitizer| sanitizer.portal(portal));
    let layout = |layout: &Layout| match sanitizer {
        None => Ok(layout.clone()),
        Some(sanitizer) => sanitizer.layout(layout).map_err(|problem| {
            CliError::general(tr!("a layout cannot be sanitized: {problem}", problem))
        }),
    };
    let cards = survey
        .cards()
        .map(|(key, found)| Ok((key, layout(found)?)))
        .collect::<Result<Vec<_>, CliError>>()?;
    let name = |name: &str| match sanitizer {
        Some(sanitizer) if !name.is_empty() => sanitizer.person(name),
        _ => name.to_owned(),
    };
    let manifest = ExportedManifest {
        portal: portal.clone(),
        day: now.strftime("%Y-%m-%d").to_string(),
        cards: cards.iter().map(|(key, _)| *key).collect(),
        names: survey.people.iter().map(|(id, person)| (*id, name(person.name.as_str()))).collect(),
    };
    let content = if sanitizer.is_some() {
        LayoutExportContent::Anonymized
    } else {
        LayoutExportContent::Original
    };
    Ok((manifest, LayoutExport { portal, read: now, content, cards }))
}

/// Returns the text of a manifest that `recard validate` accepts: without the names if they make it
/// too large.
fn checked(mut manifest: ExportedManifest) -> Result<String, CliError> {
    let mut text = manifest.to_string();
    if text.len() > manifest::MAX_FILE_BYTES {
        manifest.names.clear();
        text = manifest.to_string();
    }
    if text.len() > manifest::MAX_FILE_BYTES {
        return Err(CliError::general(tr!(
            "a manifest of all these people would be larger than 8 MiB, and nothing reads it"
        ))
        .hint(tr!("export them by department, with --department")));
    }
    if manifest.people().is_empty() {
        return Ok(text);
    }
    let found =
        manifest::load(&[Source { name: MANIFEST.into(), bytes: text.clone().into_bytes() }]);
    match found.diagnostics.iter().find(|found| found.is_error()) {
        None => Ok(text),
        Some(problem) => Err(CliError::general(tr!(
            "the manifest would not be valid, and was not written: {problem}",
            problem
        ))
        .hint(tr!("this is a mistake of recard: please report it"))),
    }
}

/// Returns the files that an export into a folder writes.
pub(in crate::cli) fn files(folder: &Path) -> [PathBuf; 2] {
    [MANIFEST, LAYOUTS].map(|name| folder.join(name))
}

/// Refuses to replace a file of an earlier export, which may have been edited.
fn refuse_existing(folder: &Path) -> Result<(), CliError> {
    match files(folder).into_iter().find(|path| path.exists()) {
        None => Ok(()),
        Some(path) => Err(CliError::general(tr!(
            "{} is there already, and export replaces nothing",
            path.display()
        ))
        .hint(tr!("name another folder with --out, or move the file away"))),
    }
}

fn write(
    ui: &Ui,
    folder: &PathBuf,
    people: usize,
    manifest: &str,
    bundle: &LayoutExport,
) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(|problem| {
        CliError::general(tr!("cannot make the folder {}: {problem}", folder.display(), problem))
    })?;
    let mut wrote = String::new();
    if people > 0 {
        let path = folder.join(MANIFEST);
        output::write_document(&path, manifest)?;
        let people =
            tr!("{n} person with a card of their own"
                | "{n} people with a card of their own" % people);
        let _ = writeln!(wrote, "{}", visible(&format!("{}: {people}", path.display())));
    }
    let path = folder.join(LAYOUTS);
    let bytes = encode_layout_export(bundle).map_err(|problem| {
        CliError::general(tr!("the layouts cannot be written: {problem}", problem))
    })?;
    write_whole(&path, &bytes)?;
    let cards = tr!("{n} layout" | "{n} layouts" % bundle.cards.len());
    let _ = writeln!(wrote, "{}", visible(&format!("{}: {cards}", path.display())));
    ui.changed(&wrote)
}
