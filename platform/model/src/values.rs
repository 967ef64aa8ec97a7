//! Small values with a meaning of their own.
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{borrow::Cow, fmt, ops::Deref, str::FromStr};

/// Whole Korean won.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("x-unit" = "won"))]
pub struct Won(pub u64);
impl Won {
    /// This price for so many pieces; none if it does not fit.
    pub fn times(self, pieces: u64) -> Option<Won> {
        self.0.checked_mul(pieces).map(Won)
    }
}
impl fmt::Display for Won {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "₩{}", self.0)
    }
}

/// What concerns a person (a name, a phone number, an address): written to the store and the wire, hidden from logs and `Debug`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal<T>(pub T);
impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
impl<T> Deref for Personal<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
impl<T: JsonSchema> JsonSchema for Personal<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(to: &mut SchemaGenerator) -> Schema {
        T::json_schema(to)
    }
    fn inline_schema() -> bool {
        T::inline_schema()
    }
}

/// A whole number from `LEAST` (0 or 1) to `MOST` that a client may also send as text (`"1001"`), as HTTPie's `key=value` does.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Numeric<const LEAST: u64 = 0, const MOST: u64 = EXACT>(pub u64);

/// The largest whole number that JSON readers everywhere hold exactly: 2^53 − 1.
pub const EXACT: u64 = (1 << 53) - 1;

impl<'de, const LEAST: u64, const MOST: u64> Deserialize<'de> for Numeric<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit<const LEAST: u64, const MOST: u64>;
        impl<const LEAST: u64, const MOST: u64> de::Visitor<'_> for Visit<LEAST, MOST> {
            type Value = Numeric<LEAST, MOST>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {LEAST} to {MOST}")
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Self::Value, E> {
                if (LEAST..=MOST).contains(&n) {
                    Ok(Numeric(n))
                } else {
                    Err(E::invalid_value(de::Unexpected::Unsigned(n), &self))
                }
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Self::Value, E> {
                u64::try_from(n).map_err(|_| E::invalid_value(de::Unexpected::Signed(n), &self)).and_then(|n| self.visit_u64(n))
            }
            fn visit_f64<E: de::Error>(self, n: f64) -> Result<Self::Value, E> {
                // 1001.0 is the same JSON number as 1001
                if n.fract() == 0.0 && (0.0..=EXACT as f64).contains(&n) {
                    self.visit_u64(n as u64)
                } else {
                    Err(E::invalid_value(de::Unexpected::Float(n), &self))
                }
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let number = digits.then(|| u64::from_str(text).ok()).flatten();
                number.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self)).and_then(|n| self.visit_u64(n))
            }
        }
        from.deserialize_any(Visit::<LEAST, MOST>)
    }
}
impl<const LEAST: u64, const MOST: u64> JsonSchema for Numeric<LEAST, MOST> {
    fn schema_name() -> Cow<'static, str> {
        format!("Numeric{LEAST}To{MOST}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // of numeric text the document names what is surely in range: one digit fewer than the most
        let digits = MOST.checked_ilog10().unwrap_or(0).max(1);
        let pattern = if LEAST == 0 { format!("^[0-9]{{1,{digits}}}$") } else { format!("^[1-9][0-9]{{0,{}}}$", digits - 1) };
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": LEAST, "maximum": MOST }, { "type": "string", "pattern": pattern }] })
    }
    fn inline_schema() -> bool {
        true
    }
}

/// Text that a client may also send as a number.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text(pub String);
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…") // whatever a client typed may concern a person
    }
}
impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        impl de::Visitor<'_> for Visit {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
                Ok(Text(text))
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Text, E> {
                Ok(Text(n.to_string()))
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Text, E> {
                Ok(Text(n.to_string()))
            }
            fn visit_f64<E: de::Error>(self, n: f64) -> Result<Text, E> {
                Ok(Text(n.to_string()))
            }
        }
        from.deserialize_any(Visit)
    }
}
impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_as_a_number_or_as_its_digits_and_as_nothing_else() {
        for good in ["1001", "\"1001\"", "1001.0", "0", "9007199254740991"] {
            assert!(serde_json::from_str::<Numeric>(good).is_ok(), "{good}");
        }
        assert!(serde_json::from_str::<Numeric<1, 9>>("10").is_err());
        assert!(serde_json::from_str::<Numeric<1, 9>>("\"0\"").is_err());
        for bad in ["-1", "1.5", "\"\"", "\"+1\"", "\"1 \"", "true", "null", "1e300", "9007199254740992"] {
            assert!(serde_json::from_str::<Numeric>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_amount_says_in_its_schema_that_it_is_won() {
        assert_eq!(schemars::schema_for!(Won).get("x-unit"), Some(&"won".into()));
    }

    #[test]
    fn what_is_personal_is_not_in_debug_output() {
        assert_eq!(format!("{:?}", Personal("010-1234-5678")), "…");
        assert_eq!(serde_json::to_string(&Personal("010-1234-5678")).unwrap(), "\"010-1234-5678\"");
    }
}
