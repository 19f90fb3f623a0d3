//! The store in PostgreSQL, on a real server.

mod chaos;
mod collecting;
mod commands;
mod copying;
mod cut_off;
mod fleets;
mod lost_journals;
mod many_clients;
mod migrations;
mod queue;
mod records;
mod round_watch;
mod sealing;
mod standby;
mod tls;
mod trouble;
mod versions;
mod workers;
