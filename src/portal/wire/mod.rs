//! Wire format: pure functions from an answer of the portal to values.
//!
//! Two steps: [`decode`] classifies a whole answer (status, content type, body) and returns its
//! result or the [`ResponseError`]; [`BatchResponse::from_success`] and the functions of [`people`]
//! and [`card`] parse results. The module has no I/O and no state, so that recordings of a real
//! portal can be put in directly.
//!
//! The portal is written in PHP, and its answers show it: every empty value is a list, a list with
//! gaps is an object, numbers come as text, an error may have an empty code, and a batch in which
//! everything failed is answered with 200. Each of these forms is accepted here, once.

mod batch;
pub mod card;
mod error;
pub mod people;
pub(crate) mod php_json;
mod response;

pub use batch::{BatchResponse, CommandResponse, RawCommandResult};
pub use error::{CommandError, FailureClass, ResponseError};
pub use response::{Success, Times, WholeSeconds, decode};
