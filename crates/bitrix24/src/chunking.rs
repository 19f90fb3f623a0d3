//! Chunk sizes: the number of items that one batch request carries.

/// Minimum number of commands that are worth a request of their own.
const MIN_COMMANDS: usize = 4;

/// List that is about to be sent in chunks.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Things on the list.
    pub items: usize,
    /// Commands of each.
    pub commands_each: usize,
    /// The maximum number of items in a request.
    pub max: usize,
    /// The requests of later lists that this one makes necessary.
    pub reserved: usize,
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
}
