//! Commands over many portals: their files, the rounds over their portals, and their reports.

pub(super) mod applies;
pub(super) mod changes;
pub(super) mod files;
pub(super) mod guards;
pub(super) mod other_fleets;
pub(super) mod plans;
pub(super) mod portal_session;
pub(super) mod publication;
pub(super) mod publishing;
pub(super) mod reports;
pub(super) mod rows;
pub(super) mod sample;
pub(super) mod state;
pub(super) mod statuses;
pub(super) mod worker_fleets;
pub(super) mod worker_pages;
pub(super) mod worker_rounds;
