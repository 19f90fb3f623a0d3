//! Reading of a fleet: its own files, those that it includes, and the manifests of each portal.
//!
//! A problem of the fleet's own file stops everything. One of an included file or of a manifest
//! stays with the portals that it is of, so that one of a thousand files stops one portal.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::binding::Binding;
use super::content::{Fleet, FleetPortal, LoadedFleet, problems_of};
use super::decode::{self, FleetDocument, PortalEntry};
use super::waves::{self, Assigned};
use crate::diagnostic::{Diagnostic, DiagnosticCode, Source};
use crate::i18n::Text;
use crate::manifest::declaration::{Declaration, Located};
use crate::manifest::document_tree::{parse, sorted};
use crate::manifest::mapping::Finder;
use crate::manifest::yaml_tree::YamlNode;
use crate::manifest::{cross_checks, decode as manifest_decode};
use crate::model::SourceLocation;

/// Interval of the rounds of a portal, unless another one is stated.
const EVERY: Duration = Duration::from_secs(15 * 60);

/// Files that a fleet names.
pub trait FleetFiles {
    /// Reads a file.
    fn read(&self, path: &Path) -> Result<Vec<u8>, Text>;

    /// Returns the names of the files in a folder, sorted.
    fn names(&self, folder: &Path) -> Result<Vec<String>, Text>;
}

/// File with the documents in it, or its problems.
struct ParsedFile {
    name: Arc<str>,
    nodes: Vec<YamlNode>,
    problems: Vec<Diagnostic>,
}

/// Files that were read so far, each once.
struct Reader<'a> {
    files: &'a dyn FleetFiles,
    sources: Vec<Source>,
    parsed: BTreeMap<String, Arc<ParsedFile>>,
}

/// Reads a fleet from its files.
pub fn load_fleet(sources: &[Source], files: &dyn FleetFiles) -> LoadedFleet {
    let mut reader = Reader { files, sources: sources.to_vec(), parsed: BTreeMap::new() };
    let mut found = Vec::new();
    let mut fleets: Vec<(FleetDocument, SourceLocation)> = Vec::new();
    let mut entries: Vec<(PortalEntry, Vec<Diagnostic>)> = Vec::new();
    for source in sources {
        for node in parse(source, &mut found) {
            let finder = &mut Finder { file: &source.name, found: &mut found };
            if decode::kind(&node) == Some("FleetPortal") {
                let entry = decode::portal(finder, &node);
                entries.extend(entry.map(|entry| (entry, Vec::new())));
            } else if let Some(mut fleet) = decode::fleet(finder, &node) {
                let place = finder.place(&node);
                entries.extend(fleet.portals.drain(..).map(|entry| (entry, Vec::new())));
                fleets.push((fleet, place));
            }
        }
    }
    if let [_, (second, place), ..] = fleets.as_slice() {
        let message = tr!("`{}` is a second fleet", second.name);
        let help = tr!("one run is over one fleet; put portals into files of `kind: FleetPortal`");
        found.push(
            Diagnostic::error(DiagnosticCode::DuplicateName, place.clone(), message).help(help),
        );
    }
    let Some((fleet, _)) = fleets.into_iter().next() else {
        if found.is_empty() {
            let file = sources.first().map_or("".into(), |source| Arc::clone(&source.name));
            let place = SourceLocation { file, line: 1, column: 1 };
            let message = tr!("there is no fleet here");
            let help =
                tr!("a fleet is a document of `kind: Fleet`; `recard schema fleet` describes it");
            found.push(Diagnostic::error(DiagnosticCode::Empty, place, message).help(help));
        }
        return LoadedFleet { fleet: None, diagnostics: sorted(found), sources: reader.sources };
    };
    for pattern in &fleet.include {
        reader.include(pattern, &mut entries, &mut found);
    }
    refuse_duplicates(&entries, &mut found);
    let broken: BTreeSet<SourceLocation> = entries
        .iter()
        .filter(|(_, problems)| problems.iter().any(Diagnostic::is_error))
        .map(|(entry, _)| entry.place.clone())
        .collect();
    let mut portals: Vec<FleetPortal> = entries
        .into_iter()
        .map(|(entry, problems)| reader.bind(&fleet.defaults, entry, problems))
        .collect();
    // A wave without a portal may have lost it to a problem that is reported already.
    let mut of_waves = Vec::new();
    let Assigned { waves, lost } =
        waves::assign(&fleet.waves, &mut portals, &broken, &mut of_waves);
    let mut lost_waves = Vec::new();
    if !lost.is_empty() {
        // A selection may leave the broken portals out, and they are why.
        lost_waves = problems_of(portals.iter().filter(|portal| broken.contains(&portal.place)));
        lost_waves.extend(lost);
    }
    let is_of_waves = found.is_empty();
    if is_of_waves {
        found = of_waves;
    }
    let FleetDocument { name, reason, stop, guards, .. } = fleet;
    let fleet = Fleet { name, reason, portals, waves, lost_waves, stop, guards };
    let is_broken = found.iter().any(Diagnostic::is_error);
    // A fleet that is refused tells everything at once, and its portals' own problems first. Those
    // of a portal whose entry is sound may follow from a problem of the fleet.
    let is_told =
        |portal: &&FleetPortal| is_broken && (is_of_waves || broken.contains(&portal.place));
    let mut diagnostics = problems_of(fleet.portals.iter().filter(is_told));
    diagnostics.extend(sorted(found));
    LoadedFleet { fleet: (!is_broken).then_some(fleet), diagnostics, sources: reader.sources }
}

/// Reports portals that stand in the fleet twice.
fn refuse_duplicates(entries: &[(PortalEntry, Vec<Diagnostic>)], found: &mut Vec<Diagnostic>) {
    let mut first = BTreeMap::new();
    for Located { value, place } in entries.iter().filter_map(|(entry, _)| entry.portal.as_ref()) {
        match first.entry(value) {
            Entry::Vacant(vacant) => {
                vacant.insert(place);
            }
            Entry::Occupied(earlier) => {
                let message = tr!("the portal {value} is in the fleet twice", value);
                let found_twice =
                    Diagnostic::error(DiagnosticCode::DuplicateName, place.clone(), message)
                        .help(tr!("keep one entry; it may name several manifests"))
                        .label((*earlier.get()).clone(), tr!("first here"));
                found.push(found_twice);
            }
        }
    }
}

impl Reader<'_> {
    /// Returns a file, which is read once; an error for one that cannot be read.
    fn file(&mut self, path: &str) -> Result<Arc<ParsedFile>, Text> {
        if let Some(parsed) = self.parsed.get(path) {
            return Ok(Arc::clone(parsed));
        }
        let bytes = crate::manifest::without_byte_order_marks(self.files.read(Path::new(path))?);
        let source = Source { name: path.into(), bytes };
        let mut problems = Vec::new();
        let nodes = parse(&source, &mut problems);
        let parsed = Arc::new(ParsedFile { name: Arc::clone(&source.name), nodes, problems });
        self.sources.push(source);
        self.parsed.insert(path.to_owned(), Arc::clone(&parsed));
        Ok(parsed)
    }

    /// Adds the entries in the files of a pattern.
    fn include(
        &mut self,
        pattern: &Located<Arc<str>>,
        entries: &mut Vec<(PortalEntry, Vec<Diagnostic>)>,
        found: &mut Vec<Diagnostic>,
    ) {
        let mut refuse = |message: Text| {
            let help =
                tr!("`include` takes a file, or the files of one folder: portals/*.portal.yaml");
            let place = pattern.place.clone();
            found.push(Diagnostic::error(DiagnosticCode::Empty, place, message).help(help));
        };
        let path = beside(&pattern.place, &pattern.value);
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", &path));
        let paths = match name.contains('*') {
            false => vec![path.clone()],
            true => match self.files.names(Path::new(folder)) {
                Ok(names) => {
                    let names = names.into_iter().filter(|file| matches(name, file));
                    names.map(|file| join(folder, &file)).collect()
                }
                Err(problem) => return refuse(problem),
            },
        };
        if paths.is_empty() {
            refuse(tr!("no file fits {}", pattern.value));
        }
        for path in paths {
            let file = match self.file(&path) {
                Ok(file) => file,
                // Its portals are not known. It is one entry in reports, by its name.
                Err(problem) => {
                    let place = pattern.place.clone();
                    let problem = Diagnostic::error(DiagnosticCode::Empty, place, problem);
                    let place = SourceLocation { file: path.into(), line: 1, column: 1 };
                    entries.push((PortalEntry::without_portal(place), vec![problem]));
                    continue;
                }
            };
            let mut problems = file.problems.clone();
            let before = entries.len();
            for node in &file.nodes {
                let finder = &mut Finder { file: &file.name, found: &mut problems };
                entries.extend(decode::portal(finder, node).map(|entry| (entry, Vec::new())));
            }
            // A file without an entry stands in reports by its name.
            if entries.len() == before {
                let place = SourceLocation { file: Arc::clone(&file.name), line: 1, column: 1 };
                if problems.is_empty() {
                    let message = tr!("there is no portal here");
                    problems.push(Diagnostic::error(DiagnosticCode::Empty, place.clone(), message));
                }
                entries.push((PortalEntry::without_portal(place), Vec::new()));
            }
            for (_, of_entry) in entries.iter_mut().skip(before) {
                of_entry.extend(problems.iter().cloned());
            }
        }
    }

    /// Binds the manifests of a portal to it.
    fn bind(
        &mut self,
        defaults: &PortalEntry,
        entry: PortalEntry,
        mut problems: Vec<Diagnostic>,
    ) -> FleetPortal {
        let mut documents = Vec::new();
        let manifests: Vec<&Located<Arc<str>>> =
            defaults.manifests.iter().chain(&entry.manifests).collect();
        if manifests.is_empty() && problems.is_empty() {
            let message = tr!("the portal has no manifest");
            let help = tr!(
                "name one in its entry, or under `defaults`: `manifests: [standard-card.yaml]`"
            );
            let place = entry.place.clone();
            problems.push(
                Diagnostic::error(DiagnosticCode::NothingDeclared, place, message).help(help),
            );
        }
        for manifest in manifests {
            let Some(portal) = &entry.portal else { break };
            let file = match self.file(&beside(&manifest.place, &manifest.value)) {
                Ok(file) => file,
                Err(problem) => {
                    let place = manifest.place.clone();
                    let help = tr!("a path is relative to the file that contains it");
                    problems
                        .push(Diagnostic::error(DiagnosticCode::Empty, place, problem).help(help));
                    continue;
                }
            };
            problems.extend(file.problems.iter().cloned());
            let binding = Binding { portal, values: &entry.values };
            for node in &file.nodes {
                let bound = binding.bind(node, &file.name, &mut problems);
                documents.extend(manifest_decode::document(&bound, &file.name, &mut problems));
            }
        }
        problems.extend(cross_checks::check(&documents));
        let problems = sorted(problems);
        let is_broken = problems.iter().any(Diagnostic::is_error);
        let PortalEntry {
            place, portal, labels, webhook, read_webhook, every, mode, pause, ..
        } = entry;
        FleetPortal {
            portal: portal.map(|portal| portal.value),
            place,
            labels,
            wave: 0,
            // A webhook of its own is no reason to look with the right to write.
            read_webhook: read_webhook.or_else(|| defaults.read_webhook.clone()),
            webhook: webhook.or_else(|| defaults.webhook.clone()),
            every: every.or(defaults.every).unwrap_or(EVERY),
            mode: mode.or(defaults.mode).unwrap_or_default(),
            pause,
            declaration: if is_broken { None } else { Declaration::new(documents) },
            problems,
        }
    }
}

/// Returns a path as it is meant beside the file of a place.
fn beside(place: &SourceLocation, path: &str) -> String {
    match place.file.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => join(folder, path),
        _ => path.to_owned(),
    }
}

fn join(folder: &str, name: &str) -> String {
    let name = name.trim_start_matches("./");
    if folder == "." { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Returns `true` if a file name fits a pattern, in which `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| name.strip_prefix(start)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((end, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.len() >= end.len() && rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_in_a_pattern_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("*.portal.yaml", "alpha.portal.yaml", true),
            ("*.portal.yaml", ".portal.yaml", true),
            ("*.portal.yaml", "alpha.yaml", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("aba*aba", "aba", false),
            ("*", "x", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn path_is_relative_to_the_file_that_it_stands_in() {
        let place = |file: &str| SourceLocation { file: file.into(), line: 1, column: 1 };
        for (file, path, meant) in [
            ("fleet.yaml", "shared/card.yaml", "shared/card.yaml"),
            ("fleet/fleet.yaml", "./card.yaml", "fleet/card.yaml"),
            ("fleet/fleet.yaml", "/srv/card.yaml", "/srv/card.yaml"),
            ("./fleet.yaml", "card.yaml", "card.yaml"),
        ] {
            assert_eq!(beside(&place(file), path), meant);
        }
    }
}
