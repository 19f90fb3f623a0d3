//! Report of a run: the content of `recard show`, derived from the journal alone.
//!
//! Fields are declared in the order of their names, as in plan files: a report has an entry for
//! each of many people, and is sealed while it is written.

use serde::{Deserialize, Serialize};

use super::journal::{EndV1, HeaderV2};
use super::lazy_seq::LazySeq;
use super::outcome::OutcomeV2;
use super::sealed::{RecordFormat, seal_sorted, sorted, unseal};
use super::{FormatError, parsed};
use crate::model::{CardKey, Outcome, RunId, Totals};
use crate::ports::{Interrupted, RunHeader};

/// Version 2 adds the field `trust` to the header of a run.
const FORMAT: RecordFormat = RecordFormat { name: "run", version: 2 };

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

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunReportV2<'a> {
    end: EndV1,
    #[serde(default)]
    format: String,
    header: HeaderV2<'a>,
    run: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
    targets: LazySeq<'a, (CardKey, Outcome), TargetOutcomeV2>,
    totals: TotalsV2,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetOutcomeV2 {
    #[serde(serialize_with = "sorted")]
    result: OutcomeV2,
    target: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TotalsV2 {
    done: u32,
    failed: u32,
    skipped: u32,
    unknown: u32,
}

impl From<&(CardKey, Outcome)> for TargetOutcomeV2 {
    fn from((key, outcome): &(CardKey, Outcome)) -> Self {
        Self { target: key.to_string(), result: outcome.into() }
    }
}

impl TryFrom<TargetOutcomeV2> for (CardKey, Outcome) {
    type Error = FormatError;

    fn try_from(TargetOutcomeV2 { target, result }: TargetOutcomeV2) -> Result<Self, FormatError> {
        Ok((parsed(&target)?, result.into()))
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
    let Totals { done, skipped, failed, unknown } = report.totals();
    seal_sorted(|seal| RunReportV2 {
        end: (*interrupted).into(),
        format: FORMAT.text(),
        header: header.into(),
        run: run.to_string(),
        seal,
        targets: LazySeq::from_slice(targets),
        totals: TotalsV2 { done, failed, skipped, unknown },
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
    let RunReportV2 { end, format: _, header, run, seal: _, targets, totals } =
        unseal(FORMAT, bytes)?;
    let report = RunReport {
        run: parsed(&run)?,
        header: header.try_into()?,
        interrupted: end.into(),
        targets: targets.into_items(),
    };
    let TotalsV2 { done, skipped, failed, unknown } = totals;
    if report.totals() != (Totals { done, skipped, failed, unknown }) {
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
