//! The store in PostgreSQL, on a real server.

mod collecting;
mod commands;
mod copying;
mod fleets;
mod many_clients;
mod migrations;
mod queue;
mod records;
mod sealing;
mod tls;
mod workers;
