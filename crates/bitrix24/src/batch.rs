//! Body of a batch request.
//!
//! Commands have keys with a letter in front, so that the portal answers with maps and not with
//! lists, and they stand in the order of execution. `halt` is always 0, and no command refers to
//! the result of another.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::command::{BATCH, BatchCommand};
use crate::rate_limiter::CallWeights;

/// Maximum number of commands in a batch (documentation and recordings).
pub const MAX_COMMANDS: usize = 50;

/// Commands with their keys, in the order of execution.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    commands: Vec<(String, BatchCommand)>,
}

impl Batch {
    /// Commands with the keys `c0`, `c1`, …
    pub fn numbered(commands: impl IntoIterator<Item = BatchCommand>) -> Self {
        Self {
            commands: commands
                .into_iter()
                .enumerate()
                .map(|(index, command)| (Self::key(index), command))
                .collect(),
        }
    }

    /// Returns the key of the command with this number in a [`Batch::numbered`].
    pub fn key(index: usize) -> String {
        format!("c{index}")
    }

    /// Adds a command under a key of its own.
    pub fn push(&mut self, key: String, command: BatchCommand) {
        self.commands.push((key, command));
    }

    /// Returns `true` if it has no commands.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Returns the number of commands.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Returns the charges of the batch: each method with its number of commands, and the batch
    /// itself.
    pub fn weights(&self) -> CallWeights {
        let mut weights = vec![(BATCH, 1)];
        for (_, command) in &self.commands {
            match weights.iter_mut().find(|(method, _)| *method == command.method()) {
                Some((_, commands)) => *commands += 1,
                None => weights.push((command.method(), 1)),
            }
        }
        weights
    }

    /// The methods of the commands, by key.
    pub fn methods(&self) -> BTreeMap<&str, &'static str> {
        self.commands.iter().map(|(key, command)| (key.as_str(), command.method())).collect()
    }

    /// The JSON text.
    pub fn body(&self) -> Vec<u8> {
        // Maps with text keys and texts as values can always be serialized.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Serialize for Batch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Commands<'a>(&'a [(String, BatchCommand)]);

        impl Serialize for Commands<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(key, command)| (key, command.text())))
            }
        }

        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("halt", &0)?;
        map.serialize_entry("cmd", &Commands(&self.commands))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_in_the_order_in_which_they_are_to_run() {
        const GET: &str = "crm.lead.details.configuration.get";
        const RESET: &str = "crm.lead.details.configuration.reset";
        let mut batch = Batch::default();
        for (key, method) in [("a0", GET), ("b0", RESET), ("c0", GET), ("a1", GET)] {
            batch.push(key.to_owned(), BatchCommand::new(method).with("scope", "C"));
        }
        let query = "?scope=C";
        let text = String::from_utf8(batch.body()).unwrap();
        assert_eq!(
            text,
            format!(
                "{{\"halt\":0,\"cmd\":{{\"a0\":\"{GET}{query}\",\"b0\":\"{RESET}{query}\",\"c0\":\"{GET}{query}\",\"a1\":\"{GET}{query}\"}}}}"
            )
        );
        assert_eq!(batch.weights(), [(BATCH, 1), (GET, 3), (RESET, 1)]);
    }
}
