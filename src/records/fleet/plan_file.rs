//! File with a plan for each portal of a fleet.
//!
//! Each plan is a plan file of its own, with its own seal, and is used once. The file names the
//! places of the webhooks, and never holds one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::{FleetViolation, PortalRow};
use crate::records::FormatError;
use crate::records::sealed::{RecordFormat, seal, unseal};

const FORMAT: RecordFormat = RecordFormat { name: "fleet-plan-file", version: 1 };

/// Plans of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetPlanFile {
    /// The name of the fleet.
    pub fleet: String,
    /// The reason of the fleet.
    pub reason: String,
    /// The time of its making.
    pub created: Timestamp,
    /// The waves, in their order.
    pub waves: Vec<String>,
    /// The stop rule.
    pub stop: StoredStopRule,
    /// The limits of the fleet that the plans are above.
    pub violations: Vec<FleetViolation>,
    /// A row for each portal, as it was planned.
    pub rows: Vec<PortalRow>,
    /// The plans.
    pub plans: Vec<PlannedPortal>,
}

/// Stop rule of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredStopRule {
    /// The number of failed portals of a wave above which a run stops.
    pub failed: Option<u32>,
    /// Their share, in percent.
    pub failed_percent: Option<u32>,
}

/// Plan of a portal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedPortal {
    /// The portal.
    pub portal: String,
    /// The place of the webhook that writes.
    pub webhook: StoredSecret,
    /// The plan file of the portal, as it would stand alone.
    pub plan: String,
}

/// Place of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum StoredSecret {
    /// A file in the folder of secrets.
    File(String),
    /// A variable of the environment.
    Env(String),
}

impl FleetPlanFile {
    /// Encodes the file.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        seal(FORMAT, self)
    }

    /// Decodes a file.
    ///
    /// # Errors
    ///
    /// If it is not such a file, of a newer version, or changed since it was written.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        unseal(FORMAT, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleet_plan_file_is_read_back_and_refused_once_changed() {
        let file = FleetPlanFile {
            fleet: "customers".to_owned(),
            reason: "Standard lead card".to_owned(),
            created: "2026-11-01T09:02:00Z".parse().unwrap(),
            waves: vec!["canary".to_owned()],
            stop: StoredStopRule { failed: Some(3), failed_percent: None },
            violations: Vec::new(),
            rows: Vec::new(),
            plans: vec![PlannedPortal {
                portal: "alpha.bitrix24.com".to_owned(),
                webhook: StoredSecret::File("{portal}".to_owned()),
                plan: "{\"a\": 1}\n".to_owned(),
            }],
        };
        let bytes = file.encode().unwrap();
        assert_eq!(FleetPlanFile::parse(&bytes).unwrap(), file);
        let text = String::from_utf8(bytes).unwrap();
        let changed = text.replace("alpha", "gamma");
        assert!(matches!(FleetPlanFile::parse(changed.as_bytes()), Err(FormatError::Altered(_))));
    }
}
