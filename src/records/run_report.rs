//! Report of a run: the content of `recard show`, derived from the journal alone.
//!
//! Fields are declared in the order of their names, as in plan files: a report has an entry for
//! each of many people, and is sealed while it is written.

use serde::{Deserialize, Serialize, Serializer};

use super::FormatError;
use super::journal::{EndV1, HeaderV2};
use super::outcome::OutcomeV2;
use super::sealed::{RecordFormat, seal_sorted, sorted, unseal};
use super::stored::{self, Stored};
use crate::model::{CardKey, Digest, Outcome, RunId, Totals};
use crate::ports::{Interrupted, RunHeader};

/// Version 2 adds the field `trust` to the head of a run; version 3 names the kind in targets.
const FORMAT: RecordFormat = RecordFormat { name: "run", version: 3 };

/// Purpose of a run and the outcomes of its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// The header.
    pub header: RunHeader,
    /// The end of the run: regular or interrupted.
    pub interrupted: Interrupted,
    /// The finished targets, sorted.
    pub targets: Vec<(CardKey, Outcome)>,
}

/// A report that is written.
#[derive(Serialize)]
struct SealedRunReport<'a> {
    #[serde(with = "EndV1")]
    end: Interrupted,
    format: String,
    #[serde(serialize_with = "header")]
    header: &'a RunHeader,
    run: &'a RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    seal: Option<Digest>,
    #[serde(serialize_with = "stored::list::serialize")]
    targets: &'a [(CardKey, Outcome)],
    #[serde(with = "TotalsV2")]
    totals: Totals,
}

/// A report that was unsealed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunReportV2 {
    #[serde(with = "EndV1")]
    end: Interrupted,
    #[serde(with = "HeaderV2")]
    header: RunHeader,
    run: RunId,
    #[serde(with = "stored::list")]
    targets: Vec<(CardKey, Outcome)>,
    #[serde(with = "TotalsV2")]
    totals: Totals,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetOutcomeV2 {
    #[serde(serialize_with = "sorted")]
    result: OutcomeV2,
    target: CardKey,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Totals", deny_unknown_fields)]
struct TotalsV2 {
    done: u32,
    failed: u32,
    skipped: u32,
    unknown: u32,
}

fn header<S: Serializer>(header: &&RunHeader, serializer: S) -> Result<S::Ok, S::Error> {
    HeaderV2::serialize(header, serializer)
}

impl Stored for (CardKey, Outcome) {
    type Form = TargetOutcomeV2;
}

impl From<&(CardKey, Outcome)> for TargetOutcomeV2 {
    fn from((target, outcome): &(CardKey, Outcome)) -> Self {
        Self { result: outcome.into(), target: *target }
    }
}

impl From<TargetOutcomeV2> for (CardKey, Outcome) {
    fn from(TargetOutcomeV2 { result, target }: TargetOutcomeV2) -> Self {
        (target, result.into())
    }
}

impl RunReport {
    /// Returns the totals of the targets.
    pub fn totals(&self) -> Totals {
        Totals::from_outcomes(self.targets.iter().map(|(_, outcome)| outcome))
    }
}

/// Encodes a report as a sealed document.
///
/// # Errors
///
/// If JSON cannot hold it; values of recard always fit.
pub fn encode_run_report(report: &RunReport) -> Result<Vec<u8>, FormatError> {
    let RunReport { run, header, interrupted, targets } = report;
    seal_sorted(|seal| SealedRunReport {
        end: *interrupted,
        format: FORMAT.text(),
        header,
        run,
        seal,
        targets,
        totals: report.totals(),
    })
}

/// Decodes a report from a sealed document. Totals that do not add up are refused, even with a
/// valid seal.
///
/// # Errors
///
/// If it is not a sealed document of this kind, of a newer version, changed since it was written,
/// or does not add up.
pub fn decode_run_report(bytes: &[u8]) -> Result<RunReport, FormatError> {
    let RunReportV2 { end: interrupted, header, run, targets, totals } = unseal(FORMAT, bytes)?;
    let report = RunReport { run, header, interrupted, targets };
    if report.totals() != totals {
        return Err(FormatError::Invalid("its totals are not the sums of its targets".to_owned()));
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;
    use crate::records::sealed::seal;

    #[test]
    fn totals_that_do_not_add_up_are_refused_even_under_a_right_seal() {
        let bytes = encode_run_report(&samples::report()).unwrap();
        let mut form: serde_json::Map<_, _> = unseal(FORMAT, &bytes).unwrap();
        let done = form["totals"]["done"].as_u64().unwrap();
        form["totals"]["done"] = (done + 1).into();
        let problem = decode_run_report(&seal(FORMAT, &form).unwrap()).unwrap_err();
        assert_eq!(problem.to_string(), "its totals are not the sums of its targets");
    }

    #[test]
    fn a_flipped_bit_gives_an_error_or_the_same_report() {
        let report = samples::report();
        samples::flip_every_bit(&encode_run_report(&report).unwrap(), |damaged| {
            if let Ok(read) = decode_run_report(damaged) {
                assert_eq!(read, report);
            }
        });
    }
}
