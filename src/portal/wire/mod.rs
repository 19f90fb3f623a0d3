//! What the portal answers, byte for byte: pure functions from an answer to values.
//!
//! Two steps: [`decode`] judges a whole answer (status, content type, body) and gives its result or
//! the [`Trouble`]; [`BatchAnswer::of`] and the functions of [`people`] and [`card`] read results.
//! Nothing here asks the network or keeps state, so that recordings of a real portal can be put in
//! directly.
//!
//! The portal is written in PHP, and its answers show it: everything empty is a list, a list with
//! gaps is an object, numbers come as text, an error may have an empty code, and a batch in which
//! everything failed is answered with 200. Each of these forms is accepted here, once, so that
//! nobody outside has to know them.

mod batch;
pub mod card;
mod envelope;
pub(crate) mod lenient;
pub mod people;
mod trouble;

pub use batch::{BatchAnswer, CommandOutcome, CommandResult};
pub use envelope::{Success, Times, WholeSeconds, decode};
pub use trouble::{Breakage, CommandTrouble, Trouble};
