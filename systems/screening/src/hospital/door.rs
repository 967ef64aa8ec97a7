//! The hospital administrator's door.
use super::hospital::{Do, Edit, Hospital, No, Registration};
use crate::roles::{ADMINISTRATOR, CUSTOMER, FRONT_DESK};
use jumun_model::{JsonSchema, Kind, Numeric, Text};
use jumun_runtime::{
    Shared,
    door::{Door, pool_collection},
};
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Register {
    /// Its number, if it is to have a certain one.
    #[serde(default)]
    id: Option<Numeric<1>>,
    hospital_nm: Text,
    chk_date: Text,
    /// How many seats it has.
    pcnt: Numeric<0, 1_000_000>,
}

/// Who sends back what was read means the capacity by `capacity`, whatever is left.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(default)]
    hospital_nm: Option<Text>,
    #[serde(default)]
    chk_date: Option<Text>,
    #[serde(default)]
    capacity: Option<Numeric<0, 1_000_000>>,
    /// The capacity as well, where that is left out.
    #[serde(default)]
    pcnt: Option<Numeric<0, 1_000_000>>,
}

pub(super) fn hospitals() -> Door<Shared<Hospital>> {
    let register = |body: Register| -> Result<Do, No> {
        let Register { hospital_nm, chk_date, pcnt, .. } = body;
        Ok(Do::Register(Registration { hospital_nm: hospital_nm.0, chk_date: chk_date.0, capacity: pcnt.0 }))
    };
    let change = |body: Change| -> Result<Do, No> {
        let text = |text: Option<Text>| text.map(|text| text.0);
        let capacity = body.capacity.or(body.pcnt).map(|seats| seats.0);
        Ok(Do::Edit(Edit { hospital_nm: text(body.hospital_nm), chk_date: text(body.chk_date), capacity }))
    };
    pool_collection::<Hospital>("/hospitals")
        .opens_under(|body: &Register| body.id.map(|id| id.0), ADMINISTRATOR, register, |_| Ok(()))
        .refusing(&[Kind::Invalid, Kind::Conflict])
        .edits(ADMINISTRATOR, change, |_| Ok(()))
        .refusing(&[Kind::Invalid, Kind::Conflict])
        .command("close", ADMINISTRATOR, || Do::Close, |_| Ok(()))
        .on_delete()
        .seen_by(CUSTOMER)
        .seen_by(FRONT_DESK)
}
