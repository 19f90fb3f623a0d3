//! Plan files that the command line names.

use std::path::Path;

use super::error::CliError;
use crate::records::plan_file::PlanFile;
use crate::store::read_whole;

/// Maximum size of a plan file that is read. One for all cards of 100,000 people has less.
const MAX_PLAN_FILE_BYTES: u64 = 256 << 20;

/// Reads a plan file, with its bytes. Its content is intact;
/// [`check_plan_file`](crate::app::check_plan_file) decides if it may be used.
pub(super) fn read(path: &Path) -> Result<(PlanFile, Vec<u8>), CliError> {
    let bytes = read_whole(path, MAX_PLAN_FILE_BYTES).map_err(|problem| {
        CliError::general(tr!("cannot read the plan file {}: {problem}", path.display(), problem))
            .hint(tr!("nothing was written; a plan file is what `recard plan -f FILE --out PLAN` has written"))
    })?;
    match PlanFile::parse(&bytes) {
        Ok(file) => Ok((file, bytes)),
        Err(problem) => Err(CliError::plan_file(tr!("{}: {problem}", path.display(), problem))),
    }
}
