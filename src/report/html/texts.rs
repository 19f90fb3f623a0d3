//! Texts of a page, each of which stands in it once.

use std::collections::BTreeMap;

use super::markup::data;
use crate::diagnostic::strip_controls;

/// Texts with their indexes, and their size in the page.
#[derive(Debug, Default)]
pub(super) struct Texts {
    indexes: BTreeMap<String, usize>,
    texts: Vec<String>,
    size: usize,
}

impl Texts {
    /// Returns the index of a text, made safe to look at.
    pub(super) fn index(&mut self, text: &str) -> usize {
        let text = strip_controls(text);
        if let Some(index) = self.indexes.get(&*text) {
            return *index;
        }
        let index = self.texts.len();
        self.size += data(&*text).len() + 1;
        self.indexes.insert(text.clone().into_owned(), index);
        self.texts.push(text.into_owned());
        index
    }

    /// Returns all texts.
    pub(super) fn all(&self) -> &[String] {
        &self.texts
    }

    /// Returns the size of all texts in the page, in bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Returns the number of texts.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Drops the last texts, down to a number of them.
    pub(super) fn truncate(&mut self, length: usize) {
        for text in self.texts.drain(length.min(self.texts.len())..) {
            self.size = self.size.saturating_sub(data(&text).len() + 1);
            self.indexes.remove(&text);
        }
    }
}
