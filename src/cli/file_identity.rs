//! Identity of files: two paths of one file have the same identity, whatever their spelling.
//!
//! The text of a path is never an identity: a file has many spellings (`./a`, links), and two names
//! that differ in bytes that are not UTF-8 are displayed alike.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use crate::store::destination;

/// Identity of the file behind a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FileIdentity {
    /// An existing file or folder.
    Existing(FileNumber),
    /// A name in a folder, where no file exists yet.
    Missing(FileNumber, OsString),
    /// A path whose folder does not exist either.
    Unknown(PathBuf),
}

/// Device and number of a file on it.
#[cfg(unix)]
pub(super) type FileNumber = (u64, u64);

/// The path without links and detours, where the system has no numbers of files.
#[cfg(not(unix))]
pub(super) type FileNumber = PathBuf;

impl FileIdentity {
    /// Determines the identity of a path.
    pub(super) fn from_path(path: &Path) -> Self {
        if let Some(number) = number(path) {
            return Self::Existing(number);
        }
        let path = destination(path).unwrap_or_else(|_| path.to_owned());
        let folder =
            path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match (number(folder), path.file_name()) {
            (Some(folder), Some(name)) => Self::Missing(folder, name.to_owned()),
            _ => Self::Unknown(path),
        }
    }

    /// Determines the identity of stdin, where the system supports it: it may come from a file that
    /// is named as well.
    pub(super) fn from_stdin() -> Self {
        number(Path::new("/dev/stdin"))
            .map_or_else(|| Self::Unknown(PathBuf::from("-")), Self::Existing)
    }
}

fn number(path: &Path) -> Option<FileNumber> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).ok().map(|there| (there.dev(), there.ino()))
    }
    #[cfg(not(unix))]
    {
        fs::canonicalize(path).ok()
    }
}

/// Returns `true` if a path leads to a regular file or to no file yet. Other files (a terminal, a
/// pipe, `/dev/null`) hold no content that a second output could replace.
pub(super) fn is_kept(path: &Path) -> bool {
    fs::metadata(path).as_ref().map_or(true, Metadata::is_file)
}

/// Returns `true` if a path leads into a folder, or is the folder.
pub(super) fn is_inside(path: &Path, folder: &Path) -> bool {
    let folder = FileIdentity::from_path(folder);
    let path = destination(path).unwrap_or_else(|_| path.to_owned());
    if FileIdentity::from_path(&path) == folder {
        return true;
    }
    let parent =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned());
    parent.ancestors().any(|ancestor| FileIdentity::from_path(ancestor) == folder)
}

/// Returns `true` if a path leads to a file of a store, or into a folder that is only a store.
pub(super) fn is_of_store(path: &Path, store: &Path) -> bool {
    if is_inside(Path::new("."), store) {
        // The store shares its folder with other files.
        let kept = [store.join(".gitignore")]
            .iter()
            .any(|kept| FileIdentity::from_path(kept) == FileIdentity::from_path(path));
        return kept || is_inside(path, &store.join("portals"));
    }
    is_inside(path, store)
}

/// Unique names under which files are displayed.
#[derive(Debug, Default)]
pub(super) struct DisplayNames(BTreeSet<String>);

impl DisplayNames {
    /// Returns a name for a path: the path itself, with bytes that are not UTF-8 as `\xNN`.
    pub(super) fn name(&mut self, path: &Path) -> String {
        let name = escaped(path);
        let numbered = |number: u32| match number {
            1 => name.clone(),
            _ => format!("{name} ({number})"),
        };
        let free = (1..).map(numbered).find(|name| !self.0.contains(name)).unwrap_or(name.clone());
        self.0.insert(free.clone());
        free
    }
}

/// Returns a path as text, with bytes that are not UTF-8 as `\xNN`.
fn escaped(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn identity_of_two_spellings_and_links_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::File::create(at("file")).unwrap();
        fs::create_dir(at("below")).unwrap();
        fs::hard_link(at("file"), at("hard")).unwrap();
        std::os::unix::fs::symlink("file", at("soft")).unwrap();
        let one = FileIdentity::from_path(&at("file"));
        for other in ["./file", "below/../file", "hard", "soft"] {
            assert_eq!(FileIdentity::from_path(&at(other)), one, "{other}");
        }
        fs::File::create(at("other")).unwrap();
        assert_ne!(FileIdentity::from_path(&at("other")), one);
        // A missing file is told apart by its name, links followed.
        std::os::unix::fs::symlink("below/new", at("dangling")).unwrap();
        assert_eq!(
            FileIdentity::from_path(&at("dangling")),
            FileIdentity::from_path(&at("below/./new"))
        );
        assert_ne!(FileIdentity::from_path(&at("dangling")), FileIdentity::from_path(&at("new")));
    }

    #[test]
    fn identity_inside_a_folder_is_found_by_any_way() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("store/portals")).unwrap();
        std::os::unix::fs::symlink("store/portals", at("way")).unwrap();
        std::os::unix::fs::symlink("store/new", at("dangling")).unwrap();
        for inside in ["store", "store/x", "store/portals/x", "way/x", "dangling"] {
            assert!(is_inside(&at(inside), &at("store")), "{inside}");
        }
        for outside in ["x", "store.json", "way"] {
            assert!(!is_inside(&at(outside), &at("store")) || outside == "way", "{outside}");
        }
        assert!(is_inside(&at("none"), &at("none")));
    }

    #[test]
    fn names_that_differ_in_bytes_that_are_no_text_are_displayed_differently() {
        let mut displayed = DisplayNames::default();
        let path = |bytes: &[u8]| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
        let names: Vec<String> =
            [b"a\xff.yaml".as_slice(), b"a\xfe.yaml", b"a\\xff.yaml", b"\xd0\xb0.yaml"]
                .into_iter()
                .map(|bytes| displayed.name(&path(bytes)))
                .collect();
        assert_eq!(names, ["a\\xff.yaml", "a\\xfe.yaml", "a\\xff.yaml (2)", "а.yaml"]);
    }
}
