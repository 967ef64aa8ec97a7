//! Bookings, summed up per customer, and customers, summed up in all.
use crate::contract::screening::Event as Fact;
use jumun_model::*;
use serde::{Deserialize, Serialize};

/// A screening, as far as it counts: once it has its seat.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Booking {
    pub cust_nm: Personal<String>,
    pub booked: bool,
    pub canceled: bool,
}
impl View for Booking {
    const NAME: &'static str = "bookings";
    const ROOT: Option<&'static str> = Some("screening");
}
impl Follows<Fact> for Booking {
    fn follow(&mut self, _: &Occasion, event: &Fact) {
        match event {
            Fact::RequestCompleted { visit, .. } => (self.cust_nm, self.booked) = (visit.cust_nm.clone(), true),
            Fact::CustomerRenamed { cust_nm, .. } => self.cust_nm = cust_nm.clone(),
            Fact::Canceled { .. } | Fact::ForceCanceled { .. } => self.canceled = true,
            Fact::Requested { .. } | Fact::Rejected { .. } => {}
        }
    }
}

/// How often a customer booked, and how often nothing came of it.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Customer {
    pub cust_nm: Personal<String>,
    pub bookings: u64,
    pub canceled: u64,
    /// Whether they booked twice or more.
    pub returning: bool,
}
impl View for Customer {
    const NAME: &'static str = "marketings";
    const KEYS: &'static [&'static str] = &["custNm", "returning"];
    fn listed(&self) -> bool {
        self.bookings > 0
    }
}
impl Customer {
    fn count(&mut self, bookings: u64, canceled: u64) {
        (self.bookings, self.canceled, self.returning) = (bookings, canceled, bookings >= 2);
    }
}
impl Tally<Booking> for Customer {
    const BY: Option<&'static str> = Some("custNm");
    fn row(booking: &Booking) -> Option<String> {
        booking.booked.then(|| booking.cust_nm.0.clone())
    }
    fn add(&mut self, booking: &Booking) {
        self.cust_nm = booking.cust_nm.clone();
        self.count(self.bookings + 1, self.canceled + u64::from(booking.canceled));
    }
    fn take(&mut self, booking: &Booking) {
        self.count(self.bookings - 1, self.canceled - u64::from(booking.canceled));
    }
}

/// How many customers came for the first time, and how many came again.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Inflow {
    pub new_customers: u64,
    pub returning_customers: u64,
}
impl View for Inflow {
    const NAME: &'static str = "inflow";
}
impl Inflow {
    fn side(&mut self, customer: &Customer) -> &mut u64 {
        if customer.returning { &mut self.returning_customers } else { &mut self.new_customers }
    }
}
impl Tally<Customer> for Inflow {
    const BY: Option<&'static str> = None;
    fn row(customer: &Customer) -> Option<String> {
        (customer.bookings > 0).then(String::new)
    }
    fn add(&mut self, customer: &Customer) {
        *self.side(customer) += 1;
    }
    fn take(&mut self, customer: &Customer) {
        *self.side(customer) -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::screening::{Reason, Visit},
        samples,
    };
    use jumun_testkit::{NOON, covers, interleavings};
    use std::collections::BTreeMap;

    fn name(name: &str) -> Personal<String> {
        Personal(name.to_owned())
    }
    fn booked(id: u64, cust_nm: &str) -> Fact {
        Fact::RequestCompleted { id, visit: Visit { cust_nm: name(cust_nm), ..samples::visit() } }
    }
    fn canceled(id: u64) -> Fact {
        Fact::Canceled { id, hospital_id: 1 }
    }
    fn follow(booking: &mut Booking, number: u64, fact: &Fact) {
        let (case, by) = (Case::new("screening", number), Caller::system());
        booking.follow(&Occasion::new(&case, NOON, &by), fact);
    }

    /// The sums, moved by each fact as the platform moves them: what was counted is taken out, what is to be counted is put in.
    #[derive(Default)]
    struct Sums {
        bookings: BTreeMap<u64, Booking>,
        customers: BTreeMap<String, Customer>,
        inflow: Inflow,
    }
    impl Sums {
        fn hear(&mut self, number: u64, fact: &Fact) {
            let booking = self.bookings.entry(number).or_default();
            let was = booking.clone();
            follow(booking, number, fact);
            let is = booking.clone();
            let names = [Customer::row(&was), Customer::row(&is)];
            let before: BTreeMap<_, _> =
                names.into_iter().flatten().map(|name| (name.clone(), self.customers.entry(name).or_default().clone())).collect();
            if let Some(name) = Customer::row(&was) {
                self.customers.entry(name).or_default().take(&was);
            }
            if let Some(name) = Customer::row(&is) {
                self.customers.entry(name).or_default().add(&is);
            }
            for (name, was) in before {
                let is = &self.customers[&name];
                if Inflow::row(&was).is_some() {
                    self.inflow.take(&was);
                }
                if Inflow::row(is).is_some() {
                    self.inflow.add(is);
                }
            }
        }
        /// What a client sees.
        fn seen(&self) -> Vec<(&str, u64, u64, bool)> {
            let shown = self.customers.values().filter(|customer| customer.listed());
            shown.map(|it| (&*it.cust_nm.0, it.bookings, it.canceled, it.returning)).collect()
        }
        /// The same, counted from the bookings at one go.
        fn counted(&self) -> (Vec<(&str, u64, u64, bool)>, Inflow) {
            let mut counts = BTreeMap::<&str, (u64, u64)>::new();
            for booking in self.bookings.values().filter(|booking| booking.booked) {
                let count = counts.entry(&booking.cust_nm.0).or_default();
                *count = (count.0 + 1, count.1 + u64::from(booking.canceled));
            }
            let returning = counts.values().filter(|(bookings, _)| *bookings > 1).count() as u64;
            let inflow = Inflow { new_customers: counts.len() as u64 - returning, returning_customers: returning };
            (counts.into_iter().map(|(name, (all, off))| (name, all, off, all > 1)).collect(), inflow)
        }
    }
    fn heard(facts: &[(u64, Fact)]) -> Sums {
        let mut sums = Sums::default();
        facts.iter().for_each(|(number, fact)| sums.hear(*number, fact));
        sums
    }

    #[test]
    fn a_booking_counts_once_it_has_its_seat_and_is_off_however_it_ends() {
        covers(samples::screening().iter().map(Event::name), Fact::NAMES);
        for fact in &samples::screening() {
            let mut booking = Booking::default();
            follow(&mut booking, 7, fact);
            let stands = (booking.booked, booking.canceled, &*booking.cust_nm.0);
            let wanted = match fact.name() {
                "RequestCompleted" => (true, false, "MOON"),
                "Canceled" | "ForceCanceled" => (false, true, ""),
                "CustomerRenamed" => (false, false, "YOU"),
                _ => (false, false, ""),
            };
            assert_eq!((stands, Customer::row(&booking)), (wanted, booking.booked.then(|| "MOON".to_owned())), "{fact:?}");
        }
    }

    #[test]
    fn a_customer_is_new_at_the_first_booking_and_returns_with_the_second() {
        let inflow = |new_customers, returning_customers| Inflow { new_customers, returning_customers };
        let first = heard(&[(1, booked(1, "MOON"))]);
        assert_eq!((first.seen(), &first.inflow), (vec![("MOON", 1, 0, false)], &inflow(1, 0)));
        let second = heard(&[(1, booked(1, "MOON")), (2, booked(2, "MOON")), (3, booked(3, "JUNG"))]);
        assert_eq!(second.seen(), [("JUNG", 1, 0, false), ("MOON", 2, 0, true)]);
        assert_eq!(second.inflow, inflow(1, 1));
        let off = heard(&[(1, booked(1, "MOON")), (1, canceled(1)), (2, booked(2, "MOON"))]);
        assert_eq!((off.seen(), &off.inflow), (vec![("MOON", 2, 1, true)], &inflow(0, 1)));
    }

    #[test]
    fn what_never_had_a_seat_counts_nowhere() {
        let (id, hospital_id) = (7, 1);
        let sums = heard(&[
            (7, Fact::Requested { id, visit: samples::visit() }),
            (7, Fact::Rejected { id, hospital_id, reason: Reason::Full }),
            (8, Fact::Requested { id: 8, visit: samples::visit() }),
            (8, canceled(8)),
        ]);
        assert_eq!((sums.seen(), &sums.inflow), (vec![], &Inflow::default()));
    }

    #[test]
    fn a_booking_that_is_renamed_counts_for_whoever_it_is_now() {
        let renamed = |id, to: &str| (id, Fact::CustomerRenamed { id, cust_nm: name(to) });
        let moved = heard(&[(1, booked(1, "MOON")), (2, booked(2, "MOON")), (1, canceled(1)), renamed(1, "YOU")]);
        assert_eq!(moved.seen(), [("MOON", 1, 0, false), ("YOU", 1, 1, false)]);
        assert_eq!(moved.inflow, Inflow { new_customers: 2, returning_customers: 0 });
        let gone = heard(&[(1, booked(1, "MOON")), renamed(1, "YOU")]);
        assert_eq!(gone.seen(), [("YOU", 1, 0, false)], "whoever is left without a booking is not shown");
    }

    #[test]
    fn in_whatever_order_the_facts_of_several_screenings_come_the_sums_are_what_a_recount_says() {
        let of = |number: u64, facts: &[Fact]| facts.iter().map(|fact| (number, fact.clone())).collect::<Vec<_>>();
        let renamed = |id, to: &str| Fact::CustomerRenamed { id, cust_nm: name(to) };
        let all = [
            of(1, &[booked(1, "MOON"), renamed(1, "YOU"), canceled(1)]),
            of(2, &[renamed(2, "YOU"), booked(2, "YOU"), renamed(2, "MOON")]),
            of(3, &[booked(3, "MOON"), Fact::ForceCanceled { id: 3, hospital_id: 1 }]),
        ];
        for order in interleavings(&all) {
            for heard_so_far in 0..=order.len() {
                let sums = heard(&order[..heard_so_far]);
                let (counted, inflow) = sums.counted();
                assert_eq!((sums.seen(), &sums.inflow), (counted, &inflow), "after {:?}", &order[..heard_so_far]);
            }
        }
    }
}
