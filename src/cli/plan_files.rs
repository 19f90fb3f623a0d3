//! Plan files that the command line names.

use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::records::plan_file::{PlanFile, PlanFileError, RestorePlanFile};
use crate::store::read_whole;

/// Maximum size of a plan file that is read. One for all cards of 100,000 people has less.
const MAX_PLAN_FILE_BYTES: u64 = 256 << 20;

/// Number of bytes of a file by which its kind is told.
const HEAD_BYTES: usize = 64 << 10;

/// Plan file of one of the two kinds.
pub(super) enum NamedPlan {
    /// The plan file of an apply, with its bytes.
    Apply(Box<PlanFile>, Vec<u8>),
    /// The plan file of a restore.
    Restore(RestorePlanFile),
}

impl NamedPlan {
    /// Gives a failure the remedy for plan files of this kind.
    pub(super) fn with_hint(&self, failure: CliError) -> CliError {
        match self {
            Self::Apply(..) => failure,
            Self::Restore(_) => failure.of_restore(),
        }
    }
}

/// Returns the path of a plan file that stands in the place of a run; `None` for a run. A pipe may
/// hold a plan, and a run id has no separator.
pub(super) fn path(run_or_plan: &str) -> Option<PathBuf> {
    let path = Path::new(run_or_plan);
    let is_path = run_or_plan.contains(std::path::is_separator) || run_or_plan.ends_with(".json");
    (is_path || (path.exists() && !path.is_dir())).then(|| path.to_owned())
}

/// Decodes the plan file of an apply. Its content is intact;
/// [`check_plan_file`](crate::app::check_plan_file) decides if it may be used.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<PlanFile, CliError> {
    PlanFile::parse(bytes).map_err(|problem| not_readable(path, &problem))
}

/// Reads the plan file of a restore. Its content is intact;
/// [`check_restore_plan_file`](crate::app::check_restore_plan_file) decides if it may be used.
pub(super) fn read_restore(path: &Path) -> Result<RestorePlanFile, CliError> {
    let bytes = read_bytes(path)?;
    RestorePlanFile::parse(&bytes).map_err(|problem| not_readable(path, &problem).of_restore())
}

/// Reads a plan file of either kind.
pub(super) fn read_either(path: &Path) -> Result<NamedPlan, CliError> {
    let bytes = read_bytes(path)?;
    match PlanFile::parse(&bytes) {
        Ok(file) => Ok(NamedPlan::Apply(Box::new(file), bytes)),
        Err(PlanFileError::NotAPlanFile { found, .. }) if is_restore(&found) => {
            let file = RestorePlanFile::parse(&bytes);
            let file = file.map_err(|problem| not_readable(path, &problem).of_restore());
            Ok(NamedPlan::Restore(file?))
        }
        Err(problem) => Err(not_readable(path, &problem)),
    }
}

/// Reads the bytes of a plan file.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    read_whole(path, MAX_PLAN_FILE_BYTES).map_err(|problem| {
        CliError::general(tr!("cannot read the plan file {}: {problem}", path.display(), problem))
            .hint(tr!(
                "nothing was written; a plan file is what `recard plan FILE --out PLAN` has written"
            ))
    })
}

/// Words why a file is no usable plan file. A plan of the other kind is named with its command.
fn not_readable(path: &Path, problem: &PlanFileError) -> CliError {
    let failure = CliError::plan_file(tr!("{}: {problem}", path.display(), problem));
    match problem {
        PlanFileError::NotAPlanFile { found, .. } if is_restore(found) => {
            failure.hint(tr!("it is the plan of a restore, for: recard restore {}", path.display()))
        }
        PlanFileError::NotAPlanFile { found, .. } if found.starts_with("recard.plan-file/") => {
            failure.hint(tr!("it is the plan of an apply, for: recard apply {}", path.display()))
        }
        _ => failure,
    }
}

fn is_restore(format: &str) -> bool {
    format.starts_with("recard.restore-plan-file/")
}

/// Returns `true` if a file is meant as a plan file, and not as a manifest: an object of JSON
/// without the key `apiVersion`, or a file with the extension of JSON that does not begin as one.
pub(super) fn is_plan(path: &Path, bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(bytes.get(..HEAD_BYTES).unwrap_or(bytes));
    let head = head.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    match head.strip_prefix('{') {
        Some(inside) => {
            inside.trim_start().starts_with(['"', '}']) && !head.contains("\"apiVersion\"")
        }
        None => is_named_as_plan(path),
    }
}

/// Returns `true` if the name of a file ends as those of plan files do.
pub(super) fn is_named_as_plan(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// Returns the plan file among the positional files of `apply`, told by its content where that can
/// be read again.
pub(super) fn sole_plan(positional: &[PathBuf]) -> Option<&Path> {
    let [path] = positional else { return None };
    let is_plan = match path.is_file() {
        true => read_whole(path, MAX_PLAN_FILE_BYTES).is_ok_and(|bytes| is_plan(path, &bytes)),
        false => is_named_as_plan(path),
    };
    is_plan.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_and_manifest_are_told_apart_by_their_content() {
        let is = |name: &str, text: &str| is_plan(Path::new(name), text.as_bytes());
        assert!(is("p", "{\"format\":\"recard.plan-file/2\"}"));
        assert!(is("p.yaml", "\u{feff}\n{ \"format\": 1, \"reason\": \"\\\"apiVersion\\\"\" }"));
        assert!(is("p.json", "{}") && is("p.json", "") && is("p.JSON", "cut"));
        assert!(!is("a.yaml", "apiVersion: recard/v1") && !is("a.yaml", ""));
        assert!(!is("a.json", "{\"apiVersion\": \"recard/v1\"}"));
        assert!(!is("a.yaml", "{ apiVersion: recard/v1 }"));
    }
}
