//! Numbers summed up while they pass.

/// Distinct values that a [`Tally`] keeps apart for the median.
const BUCKETS: usize = 2048;

/// Minimum, maximum and total of all numbers, and their median as long as it
/// lies below the number of buckets.
#[derive(Clone, Debug)]
pub struct Tally {
    count: u64,
    total: u64,
    min: u64,
    max: u64,
    buckets: [u32; BUCKETS],
}

impl Tally {
    /// Nothing yet: all bytes zero, so that a static one takes no room in an
    /// image.
    pub const fn new() -> Self {
        Self {
            count: 0,
            total: 0,
            min: 0,
            max: 0,
            buckets: [0; BUCKETS],
        }
    }

    /// Takes a number in.
    pub fn add(&mut self, value: u64) {
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.count += 1;
        self.total = self.total.saturating_add(value);
        self.max = self.max.max(value);
        let bucket = usize::try_from(value)
            .unwrap_or(usize::MAX)
            .min(BUCKETS - 1);
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            *bucket = bucket.saturating_add(1);
        }
    }

    /// How many numbers there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The smallest; zero if there was none.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The largest.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The lower median; numbers from the last bucket on count as its bound.
    pub fn median(&self) -> u64 {
        let middle = self.count.div_ceil(2);
        let mut seen = 0;
        for (value, bucket) in self.buckets.iter().enumerate() {
            seen += u64::from(*bucket);
            if seen >= middle && seen > 0 {
                return value as u64;
            }
        }
        0
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_figures_are_those_of_the_numbers_given() {
        let mut tally = Tally::new();
        for value in [5, 1, 9, 7, 3] {
            tally.add(value);
        }
        assert_eq!(
            (
                tally.count(),
                tally.min(),
                tally.median(),
                tally.max(),
                tally.total()
            ),
            (5, 1, 5, 9, 25)
        );
    }

    #[test]
    fn an_empty_tally_is_all_zero() {
        let tally = Tally::new();
        assert_eq!((tally.min(), tally.median(), tally.max()), (0, 0, 0));
    }

    #[test]
    fn numbers_beyond_the_buckets_count_but_blur_the_median() {
        let mut tally = Tally::new();
        tally.add(u64::MAX);
        assert_eq!(tally.max(), u64::MAX);
        assert_eq!(tally.median(), BUCKETS as u64 - 1);
    }
}
