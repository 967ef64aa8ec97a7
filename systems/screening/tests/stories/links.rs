//! What a screening offers is what its rule would do.
use jumun_screening::{
    Settings,
    screening::{
        self,
        screening::{Do, Screening},
    },
};
use jumun_testkit::links;

#[test]
fn a_screening_shows_the_link_to_cancel_exactly_while_that_would_do_something() {
    links::<Screening>(screening::context(&Settings::default()), "/screenings", [("cancel", Do::Cancel)]).hold();
}
