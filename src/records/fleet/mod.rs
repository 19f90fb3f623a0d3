//! Records over many portals: the report, and the file with a plan for each portal.

mod plan_file;
mod report;

pub use plan_file::{FleetPlanFile, PlannedPortal, StoredSecret, StoredStopRule};
pub use report::{
    CauseGroup, FLEET_REPORT_FORMAT, FleetCounts, FleetReport, FleetViolation, LastRound,
    PortalOutcome, PortalRow,
};
