//! __name__, supporting: say in a line what it is for.
mod door;
#[expect(clippy::module_inception, reason = "an aggregate's file is called as the aggregate is")]
pub mod __name__;

use __name__::__Name__;
use jumun_runtime::{Context, Rank, keep};

pub fn context() -> Context {
    Context::named("__name__", Rank::Supporting, __port__).keeps(keep::<__Name__>(()).door(door::__name__s()))
}
