//! Fleets: many portals in one repository, read into a [`Fleet`].
//!
//! A fleet names its portals with labels, and the manifests of each. A shared manifest leaves
//! `spec.portal` out and is bound to each portal in turn (`binding`). There are no templates: what
//! differs between portals is a value that stands for a selection.

mod binding;
mod content;
mod decode;
mod load;
mod selector;
mod waves;

pub use content::{
    Fleet, FleetGuards, FleetPortal, FleetWave, LoadedFleet, Pause, PortalMode, SecretReference,
    StopRule,
};
pub use load::{FleetFiles, load_fleet};
pub use selector::{LabelSelector, SelectorError};
