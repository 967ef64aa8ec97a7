//! Who acts: `auth` as it was set.
use crate::config::{Config, told};
use jumun_http::{Access, Known};
use jumun_runtime::Clock;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

/// A caller who is known by a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bearer {
    token: String,
    roles: Vec<String>,
}

/// How callers are known.
///
/// # Errors
/// One sentence on what was set and can not be. It never holds a token.
pub(crate) fn access(config: &Config, clock: &Arc<dyn Clock>) -> Result<Access, String> {
    let mut known = Known::default();
    let mut all = written(config)?;
    if let Some(file) = config.set("auth.tokens_file") {
        for (name, bearer) in kept(file)? {
            if all.insert(name.clone(), bearer).is_some() {
                return Err(format!("{name} is in auth.tokens and in {file}"));
            }
        }
    }
    let signed = issued(config)?;
    let open = all.is_empty() && signed.is_none();
    match (config.set("auth"), open) {
        (None | Some("open"), true) => return Ok(Access::Open),
        (Some("open"), false) => return Err("auth is open, and callers are named all the same: leave out one of both".to_owned()),
        (None, false) => {}
        (Some(other), _) => return Err(format!("auth = {other:?} is not open; who is known is set by auth.tokens and auth.jwt")),
    }
    for (name, Bearer { token, roles }) in all {
        known = known.token(&token, &name, roles)?;
    }
    Ok(Access::known(match signed {
        None => known,
        Some(signed) => believing(known, signed, clock)?,
    }))
}

/// The callers in the configuration itself.
fn written(config: &Config) -> Result<BTreeMap<String, Bearer>, String> {
    let mut tables: BTreeMap<&str, toml::Table> = BTreeMap::new();
    for (key, value) in config.table("auth.tokens") {
        let (name, field) = key.rsplit_once('.').ok_or_else(|| format!("auth.tokens.{key} is no key: {NEEDS}"))?;
        let value = if field == "roles" { value.parse().map_err(|_| wrong(name))? } else { toml::Value::from(value) };
        tables.entry(name).or_default().insert(field.to_owned(), value);
    }
    tables.into_iter().map(|(name, table)| Ok((name.to_owned(), table.try_into().map_err(|_| wrong(name))?))).collect()
}
/// The callers in a file of their own.
fn kept(file: &str) -> Result<BTreeMap<String, Bearer>, String> {
    let text = std::fs::read_to_string(file).map_err(|why| format!("auth.tokens_file {file} can not be read: {why}"))?;
    let all: toml::Table = text.parse().map_err(|why| format!("auth.tokens_file {file} is no TOML: {}", told(&why, &text)))?;
    all.into_iter().map(|(name, value)| value.try_into().map(|bearer| (name.clone(), bearer)).map_err(|_| wrong(&name))).collect()
}
const NEEDS: &str = "a caller needs a token and roles, such as [\"customer\"]";
fn wrong(name: &str) -> String {
    format!("the caller {name} can not be read: {NEEDS}")
}

/// `auth.jwt`, whole: issuer, audience, keys, and the claim with the roles.
fn issued(config: &Config) -> Result<Option<[String; 4]>, String> {
    let [issuer, audience, jwks] = ["auth.jwt.issuer", "auth.jwt.audience", "auth.jwt.jwks"].map(|key| config.set(key));
    match (issuer, audience, jwks) {
        (None, None, None) => Ok(None),
        (Some(issuer), Some(audience), Some(jwks)) => {
            Ok(Some([issuer, audience, jwks, &config.text("auth.jwt.roles")].map(str::to_owned)))
        }
        _ => Err("auth.jwt needs all of issuer, audience and jwks".to_owned()),
    }
}
#[cfg(feature = "jwt")]
fn believing(known: Known, [issuer, audience, jwks, roles]: [String; 4], clock: &Arc<dyn Clock>) -> Result<Known, String> {
    let keys = jumun_http::Keys::at(&jwks)?;
    Ok(known.issuer(jumun_http::Issuer::new(issuer, audience, roles, keys, Arc::clone(clock))))
}
#[cfg(not(feature = "jwt"))]
fn believing(_: Known, [issuer, ..]: [String; 4], _: &Arc<dyn Clock>) -> Result<Known, String> {
    Err(format!("this build knows no signed tokens, so not those of {issuer}: build with `cargo build --release --features jwt`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jumun_runtime::SystemClock;

    /// As it is set by this TOML, and a file of callers beside it.
    fn read(toml: &str, callers: Option<&str>) -> Result<Access, String> {
        let folder = tempfile::tempdir().unwrap();
        let [file, beside] = ["jumun.toml", "callers.toml"].map(|name| folder.path().join(name));
        std::fs::write(&file, toml).unwrap();
        let environment = callers.map(|callers| {
            std::fs::write(&beside, callers).unwrap();
            ("JUMUN_AUTH_TOKENS_FILE".to_owned(), beside.display().to_string())
        });
        let config = Config::read(Some(&file), environment.into_iter(), std::iter::empty())?;
        access(&config, &(Arc::new(SystemClock::start()) as Arc<dyn Clock>))
    }
    const KIM: &str = "[auth.tokens.kim]\ntoken = \"token-of-kim-0123\"\nroles = [\"customer\"]\n";
    const LEE: &str = "[lee]\ntoken = \"token-of-lee-0123\"\nroles = [\"operator\", \"customer\"]\n";

    #[test]
    fn access_is_open_until_callers_are_named() {
        assert!(read("", None).unwrap().is_open());
        assert!(read("auth = \"open\"", None).unwrap().is_open());
        for (toml, callers) in [(KIM, None), ("", Some(LEE)), (KIM, Some(LEE))] {
            assert!(!read(toml, callers).unwrap().is_open(), "{toml} {callers:?}");
        }
    }
    #[test]
    fn what_can_not_be_is_said_and_no_token_with_it() {
        for (toml, callers, says) in [
            ("auth = \"closed\"", None, "is not open"),
            ("auth = \"open\"", Some(LEE), "leave out one of both"),
            ("", Some("lee = \"token-of-lee-0123\""), "the caller lee"),
            ("", Some("[lee]\ntoken = \"token-of-lee-0123\""), "the caller lee"),
            ("", Some("[lee\ntoken-of-lee-0123"), "line 1"),
            ("[auth.tokens.kim]\ntoken = \"token-of-kim-0123\"", None, "the caller kim"),
            ("[auth.tokens.kim]\ntoken = \"token-of-kim-0123\"\nroles = \"customer\"", None, "the caller kim"),
            ("[auth.tokens]\nkim = \"token-of-kim-0123\"", None, "auth.tokens.kim is no key"),
            ("[auth.tokens.kim]\ntoken = \"token-of-kim\"\nroles = []", None, "the token of kim must be 16"),
            ("[auth.tokens.system]\ntoken = \"token-of-kim-0123\"\nroles = []", None, "no name of a caller"),
            (KIM, Some("[lee]\ntoken = \"token-of-kim-0123\"\nroles = []"), "another's too"),
            (KIM, Some("[kim]\ntoken = \"token-of-lee-0123\"\nroles = []"), "kim is in auth.tokens and in"),
            ("[auth.jwt]\nissuer = \"https://issuer\"", None, "all of issuer, audience and jwks"),
        ] {
            let why = read(toml, callers).unwrap_err();
            assert!(why.contains(says) && !why.contains("token-of"), "{toml} {callers:?}: {why}");
        }
    }
    #[test]
    #[cfg(not(feature = "jwt"))]
    fn a_small_build_says_what_to_build_for_signed_tokens() {
        let toml = "[auth.jwt]\nissuer = \"https://issuer\"\naudience = \"mall\"\njwks = \"keys.json\"";
        assert!(read(toml, None).unwrap_err().contains("--features jwt"));
    }
}
