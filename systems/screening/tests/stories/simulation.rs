//! Whole systems from a seed: everybody does what they like, contexts die anywhere, asks get lost, doubled and late. Whatever happens, seats add
//! up, and every screening settles with no hand laid on it.
use crate::visiting::Visiting;
use jumun_sim::{Fates, ONLY_LOOKED_AT, Outcome, Plan, Tally, Unreachable, all, run, seeds};

/// How many seeds are played unless `JUMUN_SEEDS` says otherwise.
const SEEDS: u64 = 1_000;
/// How a screening, and a customer, can end; the storm has to see all of it.
const FATES: [&str; 10] = [
    "REQUEST_COMPLETED",
    "CANCELED",
    "CANCELED (no seat)",
    "FORCE_CANCELED",
    "REJECTED full (no seat)",
    "REJECTED closed (no seat)",
    "REJECTED unknown-hospital (no seat)",
    "REJECTED other-date (no seat)",
    "REJECTED no-answer (no seat)",
    "a customer who returned",
];

fn played(seed: u64) -> Outcome {
    run(seed, Plan::storm(seed), Visiting::default())
}

/// What else this flow can not reach, why, and in which test contexts die there instead.
const UNREACHABLE: &[Unreachable] =
    &[Unreachable::new("provider.answer", "nobody outside is asked here", "a_letter_is_answered_whoever_dies_over_it")];

#[test]
fn whatever_happens_what_has_to_hold_holds() {
    let fates = Fates::default();
    let Tally { runs, calls, sites } = all(seeds(SEEDS), |seed| run(seed, Plan::storm(seed), Visiting::counting(&fates)));
    println!("{runs} seeds, {calls} port calls\n{sites}");
    fates.all().into_iter().for_each(|(fate, times)| println!("{times:>6} times settled as {fate}"));
    if runs >= SEEDS {
        let seen = fates.all();
        for fate in FATES {
            assert!(seen.contains_key(fate), "nothing ever ended as {fate}");
        }
        assert_eq!(sites.gaps(&[ONLY_LOOKED_AT, UNREACHABLE].concat()), [""; 0]);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..10 {
        let (one, two) = (played(seed), played(seed));
        assert_eq!(one.trace_hash, two.trace_hash, "seed {seed}");
        assert_ne!(one.trace_hash, played(seed + 100).trace_hash);
    }
}
