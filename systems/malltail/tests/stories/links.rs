//! What an order offers is what its rule would do.
use jumun_malltail::{
    Settings,
    order::{
        self,
        order::{Do, Order},
    },
};
use jumun_testkit::links;

#[test]
fn an_order_shows_the_link_to_cancel_exactly_while_that_would_do_something() {
    links::<Order>(order::context(&Settings::default()), "/orders", [("cancel", Do::Cancel)]).hold();
}
