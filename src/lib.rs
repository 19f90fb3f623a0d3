//! recard keeps the lead cards of a Bitrix24 portal at their defaults, from a manifest in git.
//!
//! ```text
//!       YAML text                                        portal (HTTP)
//!           |                                                 |
//!  manifest: parse, check                         bitrix24: transport, batch; portal: adapter
//!           |                                                 |
//!    Declaration --- engine::resolve (users, departments) --> DesiredState
//!                                                             |
//!                          engine::observe (reads) -------> Snapshot
//!                                      \                    /
//!                                  plan::plan()  pure  <- Policy
//!                                            |
//!                                          Plan  --> plan::verify, guards (blast radius)
//!                                            |   \--> report: text, JSON
//!                                       ApprovedPlan
//!                                            |
//!                                   engine::apply -- through the ports --> portal, backups, journal
//!                                            |  emits events --> progress, logs
//!                                       ApplyReport --> report --> exit status
//! ```
//!
//! Everything is read first (people and departments, then the cards of all targets), then planned
//! offline, then executed. A dry run is a plan without the call of `apply`.
//!
//! The layers, from the bottom: [`i18n`], [`model`] and [`diagnostic`]; [`manifest`] and [`plan`],
//! which do not know each other; [`ports`]; [`records`]; [`portal`], [`store`] and [`engine`], side
//! by side; [`app`], the use cases of one portal; [`fleet`], the work over many; [`report`]; and
//! the command line, which marries them.
//! `tests/integration/repository/architecture.rs` holds the table. The REST client is the crate
//! `bitrix24`, the emulator the crate `bitrix24-emulator`. Neither imports any of them.
//!
//! # What is promised
//!
//! The command line, its exit codes, and the formats with a version. Of this library nothing is:
//! it is public for the tests and for readers, and every release may change it. Two crates have an
//! interface that follows semantic versioning: `bitrix24`, the REST client, and
//! `bitrix24-emulator`, the emulator.
//!
//! To read the code: begin with [`plan`] and its laws, then the protocol in [`engine`], then
//! [`ports`], the interfaces of both adapters.

#[macro_use]
pub mod i18n;

pub mod app;
#[cfg(feature = "cli")]
pub mod cli;
pub mod diagnostic;
pub mod engine;
pub mod fleet;
pub mod manifest;
pub mod model;
pub mod plan;
pub mod portal;
pub mod ports;
pub mod records;
pub mod report;
pub mod store;

#[cfg(feature = "cli")]
pub use bitrix24_emulator as emulator;
