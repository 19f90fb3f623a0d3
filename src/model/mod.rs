//! Nouns of recard: person, card, layout, snapshot, outcome.
//!
//! Everything else speaks in these words. The module does no I/O and knows no file format. Serde is
//! implemented for types with one stable text form alone: what people write (`manifest`), what the
//! portal speaks (`portal`) and what recard keeps (`records`) are three families of formats that
//! change for different reasons, and each converts to and from the types here at its own border.
//!
//! A value of a type in this module is valid by construction: an id is in range, a layout is JSON,
//! a target names exactly one stored row of the portal. No later check repeats this.

mod card;
mod card_catalog;
mod card_kind;
pub mod decimal;
mod desired;
mod digest;
mod field_labels;
mod id;
mod layout;
mod lead_customer_type;
mod ledger;
mod outcome;
mod person;
mod selection;
mod snapshot;
mod state;
mod text_serde;
mod trust;

pub use card::{CardKey, CardScope, ParseCardKeyError};
pub use card_catalog::{CardCatalog, CardLabels, KindNames, NamedProcess, Pipeline, TypeCatalog};
pub use card_kind::{
    CardKind, EntityType, ParseCardKindError, PipelineId, PipelinedType, SmartProcessType,
};
pub use desired::{
    DesiredState, DesiredTarget, Generation, GuardLimits, ManifestLimits, Mode, Origin, Selector,
    SourceLocation, TreeGap, TreeHole,
};
pub use digest::{Digest, ParseDigestError};
pub use field_labels::FieldLabels;
pub use id::{DepartmentId, IdError, PortalId, RunId, UserId};
pub use layout::{Field, Layout, LayoutError, Outline, Section};
pub use lead_customer_type::LeadCustomerType;
pub use ledger::{Ledger, LedgerEntry};
pub use outcome::{Outcome, OutcomeClass, Totals};
pub use person::{Department, Identity, Person, PersonName};
pub use selection::{CurrentSelection, Selection, Selections};
pub use snapshot::Snapshot;
pub use state::{CardState, Observed, UnreadableReason};
pub use trust::{ParseTrustEvidenceError, ReadTrust, ReleaseSign, TrustEvidence};
