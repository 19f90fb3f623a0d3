//! The store in PostgreSQL, on a real server.

mod migrations;
mod records;
