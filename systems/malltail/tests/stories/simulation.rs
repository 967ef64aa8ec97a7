//! Whole systems from a seed: everybody does what he likes, contexts die anywhere, asks get lost, doubled and late. Whatever happens, what
//! has to hold holds, and every case settles with no hand laid on it.
use crate::shopping::Shopping;
use jumun_sim::{Fates, ONLY_LOOKED_AT, Outcome, Plan, Tally, Unreachable, all, run, seeds};

/// How many seeds are played unless `JUMUN_SEEDS` says otherwise.
const SEEDS: u64 = 1_500;
/// How an order can end; the storm has to see all of it.
const FATES: [&str; 6] = [
    "Ordered  Accepted DeliveryCompleted",
    "Ordered  Ready",
    "Canceled customer",
    "Canceled customs",
    "Rejected",
    "PaymentFailed",
];

fn played(seed: u64) -> Outcome {
    run(seed, Plan::storm(seed), Shopping::default())
}

/// What else this flow can not reach, why, and in which test contexts die there instead.
const UNREACHABLE: &[Unreachable] = &[
    Unreachable::new("store.load_entry", "malltail has no pool", "a_seat_is_taken_once_whoever_dies_over_its_entry"),
    Unreachable::new(
        "store.find",
        "lists are for clients who look, and these only write",
        "everybody_is_told_once_whoever_dies_over_whom_to_tell",
    ),
];

#[test]
fn whatever_happens_what_has_to_hold_holds() {
    let fates = Fates::default();
    let Tally { runs, calls, sites } = all(seeds(SEEDS), |seed| run(seed, Plan::storm(seed), Shopping::counting(&fates)));
    println!("{runs} seeds, {calls} port calls\n{sites}");
    fates.all().into_iter().for_each(|(fate, times)| println!("{times:>6} times settled as {fate}"));
    if runs >= SEEDS {
        let seen = fates.all();
        for fate in FATES {
            assert!(seen.keys().any(|of| of.starts_with(fate)), "nothing ever ended as {fate}");
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

/// What the other process says: its part of the next test.
#[test]
fn the_trace_of_a_seed_has_a_hash() {
    println!("the trace of seed 42 has the hash {:016x}", played(42).trace_hash);
}
#[test]
fn the_same_seed_is_the_same_run_in_another_process() {
    let other = std::process::Command::new(std::env::current_exe().expect("a test is a program"))
        .args(["--exact", "simulation::the_trace_of_a_seed_has_a_hash", "--nocapture"])
        .output()
        .expect("it can be run again");
    let (said, hash) = (String::from_utf8_lossy(&other.stdout), format!("{:016x}", played(42).trace_hash));
    assert!(said.contains(&format!("the trace of seed 42 has the hash {hash}")), "here it is {hash}, there: {said}");
}
