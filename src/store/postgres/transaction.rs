//! Transactions of several statements, for the few steps that one statement cannot make.

use deadpool::managed::Object;
use tokio_postgres::Row;

use super::Database;
use super::connection::{Connector, Failure, Parameters, asked};
use crate::ports::StoreError;

/// Open transaction. It is taken back when dropped.
pub(super) struct Transaction<'a> {
    database: &'a Database,
    connection: Option<Object<Connector>>,
}

impl Database {
    /// Begins a transaction; `mode` is its level of isolation.
    pub(super) async fn begin(&self, mode: &str) -> Result<Transaction<'_>, StoreError> {
        let connection = self.connection().await.map_err(|failure| self.error(failure))?;
        let begun = Transaction { database: self, connection: Some(connection) };
        begun.query(&format!("begin isolation level {mode}"), &[]).await?;
        Ok(begun)
    }
}

impl Transaction<'_> {
    /// Executes a statement.
    ///
    /// # Errors
    ///
    /// If it was refused, or no answer came. The transaction has then failed.
    pub(super) async fn query(
        &self,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let answered = match &self.connection {
            Some(connection) => asked(connection, statement, parameters).await,
            None => Err(Failure::Lasting("the transaction has ended".to_owned())),
        };
        answered.map_err(|failure| self.database.error(failure))
    }

    /// Ends the transaction. After an error it may have been done or not.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.query("commit", &[]).await?;
        // The connection is used again.
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    /// Closes the connection of a transaction that was not committed.
    fn drop(&mut self) {
        drop(self.connection.take().map(Object::take));
    }
}
