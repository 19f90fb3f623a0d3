//! The store in PostgreSQL, on a real server.

mod copying;
mod migrations;
mod queue;
mod records;
