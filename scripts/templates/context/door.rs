//! Who may do what, line by line.
use super::__name__::{Do, __Name__};
use jumun_model::{JsonSchema, Kind, Text};
use jumun_runtime::{
    Whole,
    door::{Door, OPERATOR, collection},
};
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
struct Open {
    text: Text,
}

pub(super) fn __name__s() -> Door<Whole<__Name__>> {
    collection::<__Name__>("/__name__s")
        .opens(OPERATOR, |body: Open| Ok(Do::Open { text: body.text.0 }), |_| Ok(()))
        .refusing(&[Kind::Invalid])
        .command("close", OPERATOR, || Do::Close, |_| Ok(()))
}
