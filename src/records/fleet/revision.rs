//! Revision: a fleet with its manifests as one document, named by the digest of its content.
//!
//! The content is the files as they were read, under names that do not depend on the folder of the
//! repository. A worker reads the fleet from them as a command reads it from the disk, so that both
//! bind the same declarations. Commit, actor and signature stand beside the content and are no part
//! of the digest: the same fleet of another commit is the same revision.
//!
//! A revision holds no secret: a fleet names the places of its webhooks, and a file that holds one
//! all the same is refused.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::signature::{RevisionSignature, SignatureError, SigningKey, TrustedKey};
use crate::diagnostic::{Source, secrets};
use crate::i18n::Text;
use crate::manifest::{Fleet, FleetFiles, LoadedFleet, load_fleet};
use crate::model::Digest;
use crate::records::FormatError;
use crate::records::sealed::{RecordFormat, canonical_digest, seal, unseal};

const FORMAT: RecordFormat = RecordFormat { name: "fleet-revision", version: 1 };

/// Fleet and its manifests, to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetRevision {
    /// The content.
    pub content: RevisionContent,
    /// The digest of the content.
    pub digest: Digest,
    /// The commit, if it is known.
    pub commit: Option<String>,
    /// The person or pipeline; may be empty.
    pub actor: String,
    /// The signature of the digest.
    pub signature: Option<RevisionSignature>,
}

/// Content of a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionContent {
    /// The name of the fleet.
    pub fleet: String,
    /// The files of the fleet itself, in their order.
    pub roots: Vec<String>,
    /// The text of each file, by its name.
    pub files: BTreeMap<String, String>,
    /// Names of the files that could not be read, or are no text. They are not part of the
    /// revision; the portals that they are of are broken in it as they were on the disk.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unreadable: BTreeSet<String>,
}

/// Error: a fleet cannot be published.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RevisionError {
    /// A file is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotText(String),
    /// A file holds a webhook or another known secret.
    #[error("{0} holds a secret")]
    Secret(String),
    /// The files under their new names make another fleet.
    #[error("the files do not make the same fleet in another folder")]
    NotSelfContained,
    /// JSON cannot hold the content.
    #[error("{0}")]
    Format(String),
}

/// Stored form, beside `format` and the seal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<'a> {
    content: Cow<'a, RevisionContent>,
    commit: Option<String>,
    actor: String,
    signature: Option<RevisionSignature>,
}

impl FleetRevision {
    /// Makes the revision of a fleet from the files that it was read from; the first `roots` of
    /// them are those of the fleet itself.
    ///
    /// # Errors
    ///
    /// If a file is no text or holds a secret, or the fleet cannot be read from the revision again.
    pub fn new(fleet: &Fleet, sources: &[Source], roots: usize) -> Result<Self, RevisionError> {
        let folder = sources.first().map_or("", |source| folder_of(&source.name));
        let (mut files, mut unreadable) = (BTreeMap::new(), BTreeSet::new());
        for (index, source) in sources.iter().enumerate() {
            let name = || source.name.to_string();
            match std::str::from_utf8(&source.bytes) {
                Ok(text) if secrets(text).is_empty() => {
                    files.insert(name_from(folder, &source.name), text.to_owned());
                }
                Ok(_) => return Err(RevisionError::Secret(name())),
                Err(_) if index < roots => return Err(RevisionError::NotText(name())),
                Err(_) => {
                    unreadable.insert(name_from(folder, &source.name));
                }
            }
        }
        // An entry without a portal has the name of its file.
        let nameless = fleet.portals.iter().filter(|portal| portal.portal.is_none());
        let nameless = nameless.map(|portal| name_from(folder, portal.name()));
        unreadable.extend(nameless.filter(|name| !files.contains_key(name)));
        let content = RevisionContent {
            fleet: fleet.name.to_string(),
            roots: sources
                .iter()
                .take(roots)
                .map(|source| name_from(folder, &source.name))
                .collect(),
            files,
            unreadable,
        };
        let digest = digest(&content).map_err(|error| RevisionError::Format(error.to_string()))?;
        let revision =
            Self { content, digest, commit: None, actor: String::new(), signature: None };
        match revision.load().fleet {
            Some(again) if again.means_same(fleet) => Ok(revision),
            Some(_) | None => Err(RevisionError::NotSelfContained),
        }
    }

    /// Reads the fleet from the files of the revision.
    pub fn load(&self) -> LoadedFleet {
        let RevisionContent { fleet: _, roots, files, unreadable: _ } = &self.content;
        let source = |name: &String| Source {
            name: name.as_str().into(),
            bytes: files.get(name).map(|text| text.clone().into_bytes()).unwrap_or_default(),
        };
        let sources: Vec<Source> = roots.iter().map(source).collect();
        load_fleet(&sources, &StoredFiles(&self.content))
    }

    /// Signs the revision.
    pub fn sign(&mut self, key: &SigningKey) {
        self.signature = Some(key.sign(self.digest));
    }

    /// Checks that a trusted key signed the revision.
    ///
    /// # Errors
    ///
    /// If none did.
    pub fn check_signature(&self, trusted: &[TrustedKey]) -> Result<(), SignatureError> {
        let signature = self.signature.as_ref().ok_or(SignatureError::Missing)?;
        signature.check(self.digest, trusted)
    }

    /// Encodes the revision.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let Self { content, digest: _, commit, actor, signature } = self;
        let (commit, actor) = (commit.clone(), actor.clone());
        let signature = signature.clone();
        seal(FORMAT, &Stored { content: Cow::Borrowed(content), commit, actor, signature })
    }

    /// Decodes a revision.
    ///
    /// # Errors
    ///
    /// If it is not a revision, of a newer version, or changed since it was written.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let Stored { content, commit, actor, signature } = unseal(FORMAT, bytes)?;
        let content = content.into_owned();
        let digest = digest(&content)?;
        Ok(Self { content, digest, commit, actor, signature })
    }
}

/// Returns the digest that names a revision. It covers the format as well.
fn digest(content: &RevisionContent) -> Result<Digest, FormatError> {
    canonical_digest(&(FORMAT.text(), content))
}

/// Files of a revision.
struct StoredFiles<'a>(&'a RevisionContent);

impl FleetFiles for StoredFiles<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Text> {
        let text = path.to_str().and_then(|name| self.0.files.get(name));
        text.map(|text| text.clone().into_bytes())
            .ok_or_else(|| format!("the revision has no file {}", path.display()).into())
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>, Text> {
        let folder = folder.to_str().filter(|folder| *folder != ".").unwrap_or_default();
        let names = self.0.files.keys().chain(&self.0.unreadable);
        let names = names.filter(|name| folder_of(name) == folder);
        let names = names.map(|name| name.rsplit('/').next().unwrap_or(name).to_owned());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        Ok(names)
    }
}

/// Returns the folder of a name; an empty text for a name without one.
fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| if folder == "." { "" } else { folder })
}

/// Returns the name of a file as it is seen from a folder: `fleets/shared/card.yaml` from `fleets`
/// is `shared/card.yaml`, and `shared/card.yaml` is `../shared/card.yaml`.
fn name_from(folder: &str, name: &str) -> String {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| *part != "." && !part.is_empty()).map(Into::into).collect()
    };
    if folder.starts_with('/') != name.starts_with('/') {
        return name.to_owned();
    }
    let (folder, name) = (parts(folder), parts(name));
    let shared = folder.iter().zip(&name).take_while(|(one, other)| one == other).count();
    let up = folder.iter().skip(shared).map(|_| "..".to_owned());
    up.chain(name.into_iter().skip(shared)).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::records::fleet::signature::tests::{PRIVATE, PUBLIC};

    /// Files in memory, below a folder.
    struct Disk(BTreeMap<String, Vec<u8>>);

    impl FleetFiles for Disk {
        fn read(&self, path: &Path) -> Result<Vec<u8>, Text> {
            let found = self.0.get(path.to_str().unwrap().trim_start_matches("./")).cloned();
            found.ok_or_else(|| format!("cannot read {}", path.display()).into())
        }

        fn names(&self, folder: &Path) -> Result<Vec<String>, Text> {
            let folder = folder.to_str().unwrap();
            let folder = if folder == "." { "" } else { folder };
            let names = self.0.keys().filter(|name| folder_of(name) == folder);
            Ok(names.map(|name| name.rsplit('/').next().unwrap().to_owned()).collect())
        }
    }

    const HEAD: &str =
        "apiVersion: recard/v1\nkind: Fleet\nmetadata: { name: customers, reason: Test }\nspec:\n";

    const CARD: &str = "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: card, reason: test }\n\
                        spec: { personal: [{ users: { value: people }, leadCustomerTypes: [simple] }] }\n";

    /// Fleet of these portals: the number of people of each, and whether it has a file of its own.
    /// A portal without people has a broken manifest.
    fn files(portals: &[(u32, bool)], settle: u32) -> BTreeMap<String, String> {
        let mut fleet = format!(
            "{HEAD}  defaults: {{ manifests: [shared/card.yaml], webhook: {{ file: \"{{portal}}\" }} }}\n  portals:\n    - portal: first.bitrix24.com\n      labels: {{ ring: canary }}\n      manifests: [../other/own.yaml]\n      values: {{ people: {{ ids: [7] }} }}\n"
        );
        let mut files = BTreeMap::new();
        for (number, (people, is_included)) in portals.iter().enumerate() {
            let ids: Vec<String> = (1..=*people).map(|id| id.to_string()).collect();
            let values = match people {
                0 => "{}".to_owned(),
                _ => format!("{{ people: {{ ids: [{}] }} }}", ids.join(", ")),
            };
            let entry =
                format!("portal: p{number}.bitrix24.com, every: 1{number}s, values: {values}");
            match is_included {
                true => files.insert(
                    format!("portals/p{number}.portal.yaml"),
                    format!("apiVersion: recard/v1\nkind: FleetPortal\nspec: {{ {entry} }}\n"),
                ),
                false => {
                    fleet.push_str(&format!("    - {{ {entry} }}\n"));
                    None
                }
            };
        }
        if portals.iter().any(|(_, is_included)| *is_included) {
            fleet.push_str("  include: [portals/*.portal.yaml]\n");
        }
        fleet.push_str(&format!(
            "  waves: [{{ name: canary, select: {{ ring: canary }}, settle: {settle}s }}{}]\n",
            if portals.is_empty() { "" } else { ", { name: rest }" }
        ));
        files.insert("fleet.yaml".to_owned(), fleet);
        files.insert("shared/card.yaml".to_owned(), CARD.to_owned());
        files.insert("../other/own.yaml".to_owned(), CARD.replace("name: card", "name: own"));
        files
    }

    fn loaded(folder: &str, files: &BTreeMap<String, String>) -> LoadedFleet {
        let named = |(name, text): (&String, &String)| {
            let name = format!("{folder}{name}");
            (name.trim_start_matches("./").to_owned(), text.clone().into_bytes())
        };
        let disk = Disk(files.iter().map(named).collect());
        let name = format!("{folder}fleet.yaml");
        let bytes = disk.read(Path::new(&name)).unwrap();
        load_fleet(&[Source { name: name.into(), bytes }], &disk)
    }

    fn revision(folder: &str, files: &BTreeMap<String, String>) -> FleetRevision {
        let LoadedFleet { fleet, diagnostics, sources } = loaded(folder, files);
        let fleet = fleet.unwrap_or_else(|| panic!("{diagnostics:?}"));
        FleetRevision::new(&fleet, &sources, 1).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn revision_read_back_gives_the_same_fleet_wherever_it_was_read(
            portals in prop::collection::vec((0_u32..4, any::<bool>()), 0..6),
            settle in 0_u32..5,
            folder in prop::sample::select(vec!["", "./", "fleets/", "a/b/", "/srv/ci/17/"]),
            texts in any::<[String; 2]>(),
        ) {
            let files = files(&portals, settle);
            let (found, direct) = (revision(folder, &files), loaded("", &files));
            let [commit, actor] = texts;
            let found = FleetRevision { commit: Some(commit), actor, ..found };
            let read = FleetRevision::parse(&found.encode().unwrap()).unwrap();
            prop_assert_eq!(&read, &found);
            // Places included, and each declaration as a command on the disk has it.
            prop_assert_eq!(format!("{:?}", read.load().fleet), format!("{:?}", direct.fleet));
            prop_assert_eq!(revision("", &files).digest, found.digest);
        }

        #[test]
        fn revision_of_other_files_has_another_digest(
            one in prop::collection::vec((0_u32..3, any::<bool>()), 0..4),
            other in prop::collection::vec((0_u32..3, any::<bool>()), 0..4),
        ) {
            let (one, other) = (files(&one, 1), files(&other, 1));
            let digests = [&one, &other].map(|files| revision("", files).digest);
            prop_assert_eq!(digests[0] == digests[1], one == other);
        }
    }

    #[test]
    fn revision_that_would_hold_a_secret_or_miss_a_file_is_refused() {
        let files = files(&[(1, true)], 0);
        let of = |file: &str, from: &str, to: &str| {
            let mut files = files.clone();
            let text = files.get_mut(file).unwrap();
            *text = text.replace(from, to);
            let LoadedFleet { fleet, sources, .. } = loaded("fleets/", &files);
            FleetRevision::new(&fleet.unwrap(), &sources, 1)
        };
        // A broken manifest is one of its portals alone, and must not carry its secret along.
        crate::diagnostic::register_secret("r3vision-secret-01");
        for secret in ["r3vision-secret-01", "https://a.bitrix24.com/rest/1/abcdefgh12345678/"] {
            let found = of("shared/card.yaml", "reason: test", &format!("reason: {secret}"));
            let refused = RevisionError::Secret("fleets/shared/card.yaml".to_owned());
            assert_eq!(found, Err(refused), "{secret}");
        }
        // A portal whose manifest is missing is broken here and there.
        assert!(of("fleet.yaml", "../other/own.yaml", "missing.yaml").is_ok());
        let mut sources = loaded("", &files).sources;
        let fleet = loaded("", &files).fleet.unwrap();
        sources.pop();
        assert_eq!(FleetRevision::new(&fleet, &sources, 1), Err(RevisionError::NotSelfContained));
        sources[0].bytes.push(0xff);
        assert_eq!(
            FleetRevision::new(&fleet, &sources, 1),
            Err(RevisionError::NotText("fleet.yaml".to_owned()))
        );
    }

    #[test]
    fn revision_changed_since_it_was_signed_is_refused() {
        let mut signed = revision("", &files(&[(2, false)], 0));
        let trusted = [TrustedKey::from_pem(PUBLIC).unwrap()];
        assert_eq!(signed.check_signature(&trusted), Err(SignatureError::Missing));
        signed.sign(&SigningKey::from_pem(PRIVATE).unwrap());
        let read = FleetRevision::parse(&signed.encode().unwrap()).unwrap();
        assert_eq!(read.check_signature(&trusted), Ok(()));
        // Sealed anew with another content, as whoever can write to the store could.
        let other = revision("", &files(&[(3, false)], 0));
        let forged = FleetRevision { signature: signed.signature.clone(), ..other };
        let read = FleetRevision::parse(&forged.encode().unwrap()).unwrap();
        assert_eq!(read.check_signature(&trusted), Err(SignatureError::Wrong));
        let text = String::from_utf8(signed.encode().unwrap()).unwrap();
        let changed = FleetRevision::parse(text.replace("ids: [1, 2]", "ids: [1, 3]").as_bytes());
        assert!(matches!(changed, Err(FormatError::Altered(_))), "{changed:?}");
    }

    #[test]
    fn name_of_a_file_is_seen_from_the_folder_of_the_fleet() {
        for (folder, name, seen) in [
            ("", "fleet.yaml", "fleet.yaml"),
            ("fleets", "fleets/a/card.yaml", "a/card.yaml"),
            ("fleets", "fleets/../shared/card.yaml", "../shared/card.yaml"),
            ("a/b", "a/c/card.yaml", "../c/card.yaml"),
            ("/srv/1", "/srv/1/fleet.yaml", "fleet.yaml"),
            ("fleets", "/srv/card.yaml", "/srv/card.yaml"),
        ] {
            assert_eq!(name_from(folder, name), seen);
        }
    }
}
