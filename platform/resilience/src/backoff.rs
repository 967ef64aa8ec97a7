//! How long to wait before the next try.
use std::time::Duration;

/// Doubling pauses with full jitter: after Marc Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest pause after the first try; it doubles with each further one.
    pub first: Duration,
    /// The longest pause of all.
    pub most: Duration,
}
impl Default for Backoff {
    /// From 200 ms, doubling to 30 s.
    fn default() -> Self {
        Backoff { first: Duration::from_millis(200), most: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The shortest pause, whatever the settings: nobody spins.
    const LEAST: Duration = Duration::from_millis(1);

    /// The pause after so many failed tries (0 is read as 1): even over (0, min(`most`, `first` · 2^(tries − 1))], but at
    /// least 1 ms.
    ///
    /// `chance` is a random number, even over all of `u64`; the same one gives the same pause. No settings and no number of
    /// tries overflow; a pause ends at 584 years.
    pub fn delay(self, tries: u32, chance: u64) -> Duration {
        let doubled = self.first.as_nanos().saturating_mul(1 << tries.saturating_sub(1).min(127));
        let longest = doubled.min(self.most.as_nanos()).min(u64::MAX.into());
        let nanos = (longest * (u128::from(chance) + 1)) >> 64; // at most 2^64 − 1, as `longest` is
        Duration::from_nanos(nanos as u64).max(Self::LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: u64 = u64::MAX; // the chance that gives the longest pause

    #[test]
    fn the_longest_pause_doubles_from_the_first_to_the_most() {
        let longest: Vec<_> = (1..=10).map(|tries| Backoff::default().delay(tries, ALL).as_millis()).collect();
        assert_eq!(longest, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn a_pause_is_even_over_the_whole_span() {
        let quarters = [ALL / 4, ALL / 2, ALL / 4 * 3 + 2, ALL].map(|chance| Backoff::default().delay(2, chance).as_millis());
        assert_eq!(quarters, [100, 200, 300, 400]);
    }

    #[test]
    fn a_pause_is_never_under_a_millisecond() {
        let none = Backoff { first: Duration::ZERO, most: Duration::ZERO };
        assert_eq!(none.delay(1, ALL), Duration::from_millis(1));
        assert_eq!(Backoff::default().delay(9, 0), Duration::from_millis(1));
    }

    #[test]
    fn no_try_counts_as_the_first() {
        assert_eq!(Backoff::default().delay(0, ALL), Duration::from_millis(200));
    }

    #[test]
    fn a_tiny_first_pause_still_reaches_the_most() {
        let tiny = Backoff { first: Duration::from_nanos(1), most: Duration::from_secs(3_600) };
        assert_eq!(tiny.delay(60, ALL), Duration::from_secs(3_600));
    }

    proptest! {
        #[test]
        fn whatever_is_set_and_tried_a_pause_stays_within_its_bounds(
            first in any::<Duration>(), most in any::<Duration>(), tries in any::<u32>(), chance in any::<u64>(),
        ) {
            let pause = Backoff { first, most }.delay(tries, chance);
            prop_assert!(pause >= Duration::from_millis(1));
            prop_assert!(pause <= most.max(Duration::from_millis(1)));
        }
    }
}
