//! One seat is asked for, renamed, given back and taken by another, and its hospital closes. At every single port call of it the context that
//! makes it dies, once before and once after.
use crate::visiting::Visiting;
use jumun_sim::{Plan, Tally, When, all, calls, run};

const SEED: u64 = 7;

#[test]
fn at_every_port_call_a_context_may_die_before_and_after() {
    let made = calls(SEED, Visiting::plain());
    let each = (1..=made).flat_map(|call| [Plan::CrashAt(call, When::Before), Plan::CrashAt(call, When::After)]);
    let Tally { runs, sites, .. } = all(each, |plan| run(SEED, plan, Visiting::plain()));
    println!("{made} calls, and a death before and after each: {runs} runs\n{sites}");
    for ((context, site), seen) in &sites.0 {
        assert!(seen.crashed_before > 0 && seen.crashed_after > 0, "nobody died at {site} of {context}: {seen:?}");
    }
}
