//! Report of a run: the content of `recard show`, derived from the journal alone.

use serde::{Deserialize, Serialize};

use super::FormatError;
use super::journal::{EndV1, HeaderV2};
use super::sealed::{RecordFormat, seal, unseal};
use super::stored;
use crate::model::{CardKey, Outcome, RunId, Totals};
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunReportV2 {
    #[serde(with = "EndV1")]
    end: Interrupted,
    #[serde(with = "HeaderV2")]
    header: RunHeader,
    run: RunId,
    targets: Vec<TargetOutcomeV2>,
    #[serde(with = "TotalsV2")]
    totals: Totals,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetOutcomeV2 {
    #[serde(with = "stored")]
    result: Outcome,
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

impl RunReport {
    /// Returns the totals of the targets.
    pub fn totals(&self) -> Totals {
        Totals::from_outcomes(self.targets.iter().map(|(_, outcome)| outcome))
    }
}

/// Encodes a report as a sealed document.
pub fn encode_run_report(report: &RunReport) -> Result<Vec<u8>, FormatError> {
    let RunReport { run, header, interrupted: end, targets } = report.clone();
    let outcome = |(target, result)| TargetOutcomeV2 { result, target };
    let targets = targets.into_iter().map(outcome).collect();
    seal(FORMAT, &RunReportV2 { end, header, run, targets, totals: report.totals() })
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
    let targets = targets.into_iter().map(|target| (target.target, target.result)).collect();
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

    #[test]
    fn totals_that_do_not_add_up_are_refused_even_under_a_right_seal() {
        let bytes = encode_run_report(&samples::report()).unwrap();
        let mut form: serde_json::Map<_, _> = unseal(FORMAT, &bytes).unwrap();
        let done = form["totals"]["done"].as_u64().unwrap();
        form["totals"]["done"] = (done + 1).into();
        let problem = decode_run_report(&seal(FORMAT, &form).unwrap()).unwrap_err();
        assert_eq!(problem.to_string(), "its totals are not the sums of its targets");
    }
}
