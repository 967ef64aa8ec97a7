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
