//! Chunk size of a list that the engine takes chunk by chunk.

/// Chunk size of a list whose owner takes it chunk by chunk and passes only the remaining number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CurrentChunk {
    size: usize,
    /// The items that remain after whole chunks. Zero at the end of a list.
    remaining: usize,
}

impl CurrentChunk {
    /// Returns the size of the next chunk. `chunk` is used when a list begins, or has grown.
    pub(crate) fn next(&mut self, remaining: usize, chunk: usize) -> usize {
        if self.remaining == 0 || remaining > self.remaining {
            self.size = chunk.max(1);
        }
        self.remaining = remaining.saturating_sub(self.size);
        self.size.min(remaining).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn current_chunk_holds_for_the_whole_list() {
        let (mut chunk, mut remaining, mut sizes) = (CurrentChunk::default(), 178, Vec::new());
        while remaining > 0 {
            let size = chunk.next(remaining, if sizes.is_empty() { 12 } else { 16 });
            sizes.push(size);
            remaining -= size;
        }
        assert_eq!(sizes, [[12; 14].as_slice(), &[10]].concat());
        assert_eq!(chunk.next(7, 3), 3, "a new list, although it is shorter");
        assert_eq!(chunk.next(9, 5), 5, "the list has grown");
        assert_eq!(chunk.next(0, 0), 1);
    }
}
