//! Trust in reads of other people's cards, and the evidence for it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Trust in the portal's answers to reads of other people's cards.
///
/// Releases up to 24.200 answer a read of any card with the caller's own, while a reset works on
/// the person named. A backup made there is of the wrong person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadTrust {
    /// Evidence shows that the portal reads the card of the person named.
    Trusted(TrustEvidence),
    /// All signs point to a portal that answers with the caller's own card.
    NotTrusted,
    /// No evidence either way.
    Unproven,
}

impl ReadTrust {
    /// Returns the evidence of reads that can be trusted.
    pub fn evidence(self) -> Option<TrustEvidence> {
        match self {
            Self::Trusted(evidence) => Some(evidence),
            Self::NotTrusted | Self::Unproven => None,
        }
    }
}

/// Evidence that reads can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustEvidence {
    /// `time.start` is a whole number: a release from 25.700 on.
    WholeSeconds,
    /// The caller's profile lacks `TIME_ZONE_OFFSET`: a release from 25.550 on.
    NoTimeZoneOffset,
    /// `user.get` sends the selected fields alone: a release from 24.300 on.
    SelectObeyed,
    /// A read of another person's card differs from the caller's own.
    DifferingRead,
    /// The store keeps evidence of an earlier command, and no answer of this one contradicts it.
    KeptProof,
    /// The run that is restored or recovered recorded a proof, and no answer contradicts it.
    RunRecord,
}

impl TrustEvidence {
    /// All kinds of evidence.
    pub const ALL: [Self; 6] = [
        Self::WholeSeconds,
        Self::NoTimeZoneOffset,
        Self::SelectObeyed,
        Self::DifferingRead,
        Self::KeptProof,
        Self::RunRecord,
    ];

    /// Returns the stable word for machine output and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WholeSeconds => "whole-seconds",
            Self::NoTimeZoneOffset => "no-time-zone-offset",
            Self::SelectObeyed => "select-obeyed",
            Self::DifferingRead => "differing-read",
            Self::KeptProof => "kept-proof",
            Self::RunRecord => "run-record",
        }
    }

    /// Returns `true` if an answer of the portal itself showed it, and not a record of an earlier
    /// answer.
    pub fn is_seen(self) -> bool {
        match self {
            Self::WholeSeconds
            | Self::NoTimeZoneOffset
            | Self::SelectObeyed
            | Self::DifferingRead => true,
            Self::KeptProof | Self::RunRecord => false,
        }
    }
}

impl fmt::Display for TrustEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Error: the text is not the word of any evidence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no evidence for reads")]
pub struct ParseTrustEvidenceError(String);

impl FromStr for TrustEvidence {
    type Err = ParseTrustEvidenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|evidence| evidence.as_str() == text);
        found.ok_or_else(|| ParseTrustEvidenceError(text.to_owned()))
    }
}

/// Knowledge of the portal's release before the first card is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseSign {
    /// The answers show a release whose reads of other people's cards can be trusted.
    Trusted(TrustEvidence),
    /// The answers show a release up to 24.200. Only a differing read proves more.
    Old,
    /// The answers show no release. An earlier proof counts unless a read contradicts it.
    Earlier(TrustEvidence),
    /// The answers show no release, and there is no earlier proof.
    Unknown,
}

impl ReleaseSign {
    /// Adds the evidence of an earlier command or run. A sign in the answers of this command takes
    /// precedence, an old release included.
    #[must_use]
    pub fn or_earlier(self, evidence: Option<TrustEvidence>) -> Self {
        match (self, evidence) {
            (Self::Unknown, Some(evidence)) => Self::Earlier(evidence),
            (sign, _) => sign,
        }
    }
}
