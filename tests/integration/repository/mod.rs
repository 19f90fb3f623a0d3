//! The repository itself: layers, documents, translations, dependencies, the manifests of the
//! tests.

mod architecture;
mod circles;
mod dependencies;
#[cfg(unix)]
mod distribution;
#[cfg(unix)]
mod docs;
mod fleets;
mod fuzz;
mod i18n;
mod manifests;
#[cfg(unix)]
mod picture;
mod readme;
mod style;
mod threat_model;
