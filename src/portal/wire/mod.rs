//! Results of the portal's methods as values of the model: pure functions, so that recordings of a
//! real portal can be put in directly.
//!
//! [`decode`] judges a whole response; [`BatchResponse::from_success`] and the functions of
//! [`people`], [`fields`] and [`card`] read results.

pub mod card;
pub mod catalog;
pub mod fields;
pub mod people;

pub use bitrix24::{
    BatchResponse, CommandError, CommandResponse, FailureClass, RawCommandResult, Rejection,
    ResponseError, Success, Times, WholeSeconds, decode,
};
