//! The customer's door.
use super::screening::{Do, Edit, No, Screening};
use crate::{
    contract::screening::Visit,
    roles::{CUSTOMER, FRONT_DESK},
};
use jumun_model::{JsonSchema, Kind, Numeric, Personal, Text};
use jumun_runtime::{
    Whole,
    door::{Door, collection},
};
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Request {
    hospital_id: Numeric<1>,
    chk_date: Text,
    cust_nm: Text,
    #[serde(default)]
    hospital_nm: Option<Text>,
}

/// Clients set no state; the one that they may name is the wish to cancel, whatever else they send with it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(default)]
    status: Option<Text>,
    #[serde(default)]
    cust_nm: Option<Text>,
    #[serde(default)]
    hospital_id: Option<Numeric<1>>,
    #[serde(default)]
    chk_date: Option<Text>,
}

pub(super) fn screenings() -> Door<Whole<Screening>> {
    let request = |body: Request| -> Result<Do, No> {
        Ok(Do::Request(Visit {
            hospital_id: body.hospital_id.0,
            hospital_nm: body.hospital_nm.map(|text| text.0),
            chk_date: body.chk_date.0,
            cust_nm: Personal(body.cust_nm.0),
        }))
    };
    let change = |body: Change| -> Result<Do, No> {
        match body.status {
            Some(status) if status.0.eq_ignore_ascii_case("CANCELED") => Ok(Do::Cancel),
            Some(_) => Err(No::NotAWish),
            None => Ok(Do::Edit(Edit {
                cust_nm: body.cust_nm.map(|text| Personal(text.0)),
                hospital_id: body.hospital_id.map(|id| id.0),
                chk_date: body.chk_date.map(|text| text.0),
            })),
        }
    };
    collection::<Screening>("/screenings")
        .owned_by("custNm", CUSTOMER)
        .opens(CUSTOMER, request, Screening::placed)
        .also(FRONT_DESK)
        .refusing(&[Kind::Invalid, Kind::Missing, Kind::Conflict, Kind::Unavailable])
        .waiting()
        .command("cancel", CUSTOMER, || Do::Cancel, Screening::canceled)
        .also(FRONT_DESK)
        .refusing(&[Kind::Conflict])
        .edits(CUSTOMER, change, |_| Ok(()))
        .also(FRONT_DESK)
        .refusing(&[Kind::Invalid, Kind::Conflict])
        .waiting()
}
