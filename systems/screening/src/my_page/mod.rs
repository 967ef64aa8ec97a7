//! myPage: what the customer looks at, fed by facts alone.
pub mod views;

use crate::{
    contract::screening,
    roles::{CUSTOMER, FRONT_DESK},
};
use jumun_runtime::{Context, Rank, show};
use views::MyPage;

pub fn context() -> Context {
    Context::named("myPage", Rank::Supporting, 8084)
        .shows(show::<MyPage>("/myPages").owned_by("custNm", CUSTOMER).seen_by(FRONT_DESK).follows::<screening::Event>())
}
