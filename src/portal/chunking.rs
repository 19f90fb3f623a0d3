//! Chunk sizes: the number of items that one batch request carries.

/// Minimum number of commands that are worth a request of their own.
const MIN_COMMANDS: usize = 4;

/// List that is about to be sent in chunks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    /// The items on the list.
    pub(crate) items: usize,
    /// The commands of each item.
    pub(crate) commands_each: usize,
    /// The maximum number of items in a request.
    pub(crate) max: usize,
    /// The requests of later lists that this one makes necessary.
    pub(crate) reserved: usize,
}

impl Workload {
    /// Returns the chunk size of the list, chosen once at its beginning. `available` is the number
    /// of requests that the rate limiter admits at once.
    ///
    /// All connections carry equal requests if there is room for whole rounds of them and for the
    /// requests that follow. Otherwise the rate limit is the bottleneck, and full requests use it
    /// best.
    pub(crate) fn chunk_size(&self, connections: usize, available: f64) -> usize {
        let Self { items, commands_each, max, reserved } = *self;
        let max = max.max(1);
        let requests = items.div_ceil(max).next_multiple_of(connections.max(1));
        if (requests + reserved) as f64 > available {
            return max;
        }
        let fewest = (MIN_COMMANDS / commands_each.max(1)).clamp(1, max);
        items.div_ceil(requests.max(1)).max(fewest)
    }
}

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

    /// Returns the sizes of the requests of a list of cards over 8 connections.
    fn sizes(items: usize, commands_each: usize, available: f64, reserved: usize) -> Vec<usize> {
        let max = if commands_each == 1 { 50 } else { 16 };
        let chunk = Workload { items, commands_each, max, reserved }.chunk_size(8, available);
        (0..items).step_by(chunk).map(|start| chunk.min(items - start)).collect()
    }

    #[test]
    fn chunk_size_with_room_fills_whole_waves() {
        assert_eq!(sizes(504, 1, 48.0, 11), [[32; 15].as_slice(), &[24]].concat());
        assert_eq!(sizes(178, 3, 48.0, 0), [[12; 14].as_slice(), &[10]].concat());
        assert_eq!(sizes(5004, 1, f64::INFINITY, 101).len(), 103);
    }

    #[test]
    fn chunk_size_without_room_is_full() {
        assert_eq!(sizes(504, 1, 0.0, 0), [[50; 10].as_slice(), &[4]].concat());
        assert_eq!(sizes(5004, 1, 48.0, 0).len(), 101);
        assert_eq!(sizes(178, 3, 3.0, 0), [[16; 11].as_slice(), &[2]].concat());
        // The rounds alone would fit, but not with the requests that follow.
        assert_eq!(sizes(504, 1, 26.0, 11).len(), 11);
    }

    #[test]
    fn chunk_size_of_a_short_list_is_four_commands() {
        assert_eq!(sizes(2, 1, 48.0, 0), [2]);
        assert_eq!(sizes(24, 1, 48.0, 0), [4; 6]);
        assert_eq!(sizes(5, 3, 48.0, 0), [1; 5]);
        assert_eq!(sizes(0, 1, 48.0, 0), [] as [usize; 0]);
    }

    #[test]
    fn chunk_size_of_odd_arguments_is_usable() {
        for workload in [
            Workload { items: 0, commands_each: 0, max: 0, reserved: 0 },
            Workload { items: usize::MAX, commands_each: usize::MAX, max: usize::MAX, reserved: 0 },
        ] {
            for available in [0.0, -1.0, f64::NAN, f64::INFINITY] {
                assert!(workload.chunk_size(0, available) >= 1, "{workload:?} {available}");
            }
        }
    }

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
