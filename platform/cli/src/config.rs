//! Configuration: defaults < a TOML file < the environment.
use crate::stores::without_password;
use jumun_http::{BodyLimit, Limits};
use jumun_resilience::Backoff;
use jumun_runtime::{Key, Set, Settings};
use std::{collections::BTreeMap, num::NonZeroU32, path::Path, time::Duration};

/// The platform's own keys; a system's begin with its name.
pub(crate) const PLATFORM: &[Key] = &[
    Key {
        name: "auth",
        default: "open",
        meaning: "who acts: open gives everybody every role, on loopback only; with tokens or an issuer, callers are those who are known",
    },
    Key {
        name: "auth.tokens_file",
        default: "",
        meaning: "a TOML file of callers: a table by name with its token (16 characters or more) and roles, such as [\"customer\"]",
    },
    Key {
        name: "auth.tokens.*",
        default: "",
        meaning: "the same callers in this file: auth.tokens.kim.token and auth.tokens.kim.roles; the role operator sees everything",
    },
    Key {
        name: "auth.jwt.issuer",
        default: "",
        meaning: "whose signed tokens are believed: their iss (a build with --features jwt)",
    },
    Key { name: "auth.jwt.audience", default: "", meaning: "for whom they must be meant: one of their aud" },
    Key { name: "auth.jwt.jwks", default: "", meaning: "the issuer's keys: a file, or a URL that is read when needed" },
    Key { name: "auth.jwt.roles", default: "roles", meaning: "the claim with the caller's roles; a dot leads into a claim" },
    Key { name: "asks.try", default: "1s", meaning: "how long one try of an ask to another context may take" },
    Key { name: "asks.deadline", default: "2s", meaning: "how long a door waits for what is owed before it answers 202" },
    Key { name: "asks.slow", default: "500ms", meaning: "from when on an answer counts as slow for the breaker" },
    Key { name: "asks.open", default: "5s", meaning: "how long a breaker stays open before it lets trial calls through" },
    Key { name: "asks.bulkhead", default: "256", meaning: "how many asks to one other context may be under way at once" },
    Key { name: "errands.try", default: "800ms", meaning: "how long one try of an errand to a provider may take" },
    Key {
        name: "gateway.rate",
        default: "off",
        meaning: "how many requests per second one client may make at the gateway, or off",
    },
    Key {
        name: "http.connections",
        default: "1000",
        meaning: "how many connections a port may have at once; who comes then is told 503",
    },
    Key { name: "http.head", default: "10s", meaning: "how long a request's head may take, from its first byte" },
    Key { name: "http.body", default: "10s", meaning: "how long a request's body may take" },
    Key { name: "http.body_limit", default: "65536", meaning: "how large a request's body may be, in bytes" },
    Key { name: "http.idle", default: "75s", meaning: "how long a connection may stay without a request" },
    Key { name: "http.stalled", default: "30s", meaning: "how long a client may take nothing of its answer" },
    Key {
        name: "store.*",
        default: "sqlite:",
        meaning: "where that context keeps its data: sqlite: (a file in the data folder), sqlite:PATH, memory:, postgres://user:password@host/database or mysql://user:password@host/database (a build with --features cluster)",
    },
    Key {
        name: "log",
        default: "info",
        meaning: "what is logged: error, warn, info, debug, or a filter such as jumun_runtime=debug",
    },
    Key { name: "log.format", default: "text", meaning: "text, or json" },
    Key {
        name: "otlp.endpoint",
        default: "",
        meaning: "where traces go by OTLP, such as http://127.0.0.1:4318; empty for nowhere (a build with --features otlp)",
    },
];

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File(String),
    Environment(String),
}

/// What was set, and where.
pub(crate) struct Config {
    values: BTreeMap<String, (String, Source)>,
    known: Vec<Key>,
}

impl Config {
    /// Reads what is set for these systems' keys and the platform's.
    ///
    /// # Errors
    /// One sentence on what can not be read.
    pub(crate) fn read(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        systems: impl Iterator<Item = &'static [Key]>,
    ) -> Result<Self, String> {
        let known: Vec<Key> = PLATFORM.iter().copied().chain(systems.flatten().copied()).collect();
        let mut config = Config { values: BTreeMap::new(), known };
        if let Some(path) = file {
            let shown = path.display();
            let text =
                std::fs::read_to_string(path).map_err(|why| format!("the configuration {shown} can not be read: {why}"))?;
            let table: toml::Table =
                text.parse().map_err(|why| format!("the configuration {shown} is no TOML: {}", told(&why, &text)))?;
            config.take("", &toml::Value::Table(table), &Source::File(shown.to_string()))?;
        }
        let mut set: Vec<_> = environment.filter(|(name, _)| name.starts_with("JUMUN_")).collect();
        set.sort();
        for (name, value) in set {
            // JUMUN_MALLTAIL_PAYMENT_WINDOW is malltail.payment_window: the known keys tell where the dots are
            let Some(key) = config.key_of(&name) else { continue };
            config.values.insert(key, (value, Source::Environment(name)));
        }
        Ok(config)
    }

    fn take(&mut self, prefix: &str, value: &toml::Value, source: &Source) -> Result<(), String> {
        let text = match value {
            toml::Value::Table(table) => {
                for (name, value) in table {
                    let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    self.take(&key, value, source)?;
                }
                return Ok(());
            }
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !self.known.iter().any(|key| matches(key.name, prefix)) {
            return Err(format!("{prefix} is no key of the configuration; `jumun config` prints them all"));
        }
        self.values.insert(prefix.to_owned(), (text, source.clone()));
        Ok(())
    }

    fn key_of(&self, variable: &str) -> Option<String> {
        let wanted = variable.strip_prefix("JUMUN_")?;
        self.known.iter().find_map(|key| match key.name.strip_suffix('*') {
            Some(table) => wanted.strip_prefix(&screaming(table)).map(|rest| format!("{table}{}", rest.to_lowercase())),
            None => (screaming(key.name) == wanted).then(|| key.name.to_owned()),
        })
    }

    /// What was set of the keys that begin with this.
    pub(crate) fn of(&self, system: &str) -> Set {
        let mine = |key: &str| key.split_once('.').is_some_and(|(first, _)| first == system);
        self.values.iter().filter(|(key, _)| mine(key)).map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    }

    /// What was set of the keys in this table, without its name.
    pub(crate) fn table(&self, table: &str) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .filter_map(move |(key, (value, _))| Some((key.strip_prefix(table)?.strip_prefix('.')?, value.as_str())))
    }
    /// A text that was set, and is not empty.
    pub(crate) fn set(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|(value, _)| value.as_str()).filter(|value| !value.is_empty())
    }
    pub(crate) fn text(&self, key: &str) -> String {
        let default = || self.known.iter().find(|known| known.name == key).map_or("", |known| known.default).to_owned();
        self.values.get(key).map_or_else(default, |(value, _)| value.clone())
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T, String> {
        let text = self.text(key);
        text.parse().map_err(|_| format!("{key} = {text:?} is no whole number"))
    }

    fn duration(&self, key: &str) -> Result<Duration, String> {
        let text = self.text(key);
        duration(&text).ok_or_else(|| format!("{key} = {text:?} is no duration, such as 500ms or 2s"))
    }

    /// The platform's own settings.
    pub(crate) fn platform(&self) -> Result<Settings, String> {
        let mut settings = Settings {
            ask_try: self.duration("asks.try")?,
            errand_try: self.duration("errands.try")?,
            door_deadline: self.duration("asks.deadline")?,
            bulkhead: self.number("asks.bulkhead")?,
            backoff: Backoff::default(),
            ..Settings::default()
        };
        settings.breaker.slow = self.duration("asks.slow")?;
        settings.breaker.open_for = self.duration("asks.open")?;
        settings.lease = settings.ask_try * 2 + Duration::from_secs(1);
        Ok(settings)
    }

    /// What each port bears.
    pub(crate) fn limits(&self) -> Result<Limits, String> {
        Ok(Limits {
            head: self.duration("http.head")?,
            idle: self.duration("http.idle")?,
            stalled: self.duration("http.stalled")?,
            connections: self.number("http.connections")?,
        })
    }
    /// What a request's body may be.
    pub(crate) fn body(&self) -> Result<BodyLimit, String> {
        Ok(BodyLimit { bytes: self.number("http.body_limit")?, time: self.duration("http.body")? })
    }
    /// How many requests per second one client may make at the gateway; none for any number.
    pub(crate) fn rate(&self) -> Result<Option<NonZeroU32>, String> {
        match self.text("gateway.rate").as_str() {
            "off" => Ok(None),
            many => many.parse().map(Some).map_err(|_| format!("gateway.rate = {many:?} is neither off nor a number from 1")),
        }
    }

    /// The manual: every key, its value, where that comes from, its meaning.
    pub(crate) fn manual(&self) -> String {
        let mut text = String::from("# defaults < a TOML file (--config) < the environment\n");
        for key in &self.known {
            let (value, source) = match self.values.get(key.name) {
                None => (key.default.to_owned(), Source::Default),
                Some((value, source)) => (value.clone(), source.clone()),
            };
            let source = match source {
                Source::Default => "the default".to_owned(),
                Source::File(path) => format!("set in {path}"),
                Source::Environment(name) => format!("set by {name}"),
            };
            text.push_str(&format!(
                "\n# {}\n# environment: JUMUN_{}; {source}\n{} = {value:?}\n",
                key.meaning,
                screaming(key.name),
                key.name
            ));
            let table = key.name.strip_suffix('*');
            for (name, (value, _)) in
                table.into_iter().flat_map(|table| self.values.iter().filter(move |(name, _)| name.starts_with(table)))
            {
                let shown = if name.ends_with(".token") { "…".to_owned() } else { without_password(value) };
                text.push_str(&format!("{name} = {shown:?}\n"));
            }
        }
        text
    }
}

fn matches(known: &str, key: &str) -> bool {
    known == key || known.strip_suffix('*').is_some_and(|table| key.starts_with(table))
}
/// What is wrong with a TOML text, and where, without the line itself: it may hold a token.
pub(crate) fn told(why: &toml::de::Error, text: &str) -> String {
    let line = why.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
    format!("{} (line {line})", why.message())
}
fn screaming(key: &str) -> String {
    key.replace('.', "_").to_uppercase()
}
/// `500ms`, `2s`, `30m`, `24h`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    Some(match &text[digits..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(3600)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &[Key] =
        &[Key { name: "mall.window", default: "24h", meaning: "" }, Key { name: "mall.prices.*", default: "1", meaning: "" }];
    fn read(toml: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jumun.toml");
        std::fs::write(&file, toml).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::read(Some(&file), environment, [SHOP].into_iter())
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let config = read("[asks]\ntry = \"3s\"\ndeadline = \"4s\"", &[("JUMUN_ASKS_TRY", "5s"), ("PATH", "/bin")]).unwrap();
        assert_eq!(
            (config.text("asks.try"), config.text("asks.deadline"), config.text("asks.slow")),
            ("5s".into(), "4s".into(), "500ms".into())
        );
    }
    #[test]
    fn a_key_that_nobody_knows_is_an_error_that_names_it() {
        assert!(read("[asks]\ntyr = \"3s\"", &[]).err().unwrap().contains("asks.tyr"));
    }
    #[test]
    fn a_token_is_never_printed_nor_told() {
        let token = "a-token-of-sixteen";
        let config = read(&format!("[auth.tokens.kim]\ntoken = \"{token}\"\nroles = [\"customer\"]"), &[]).unwrap();
        let manual = config.manual();
        assert!(!manual.contains(token) && manual.contains("auth.tokens.kim.token = \"…\""), "{manual}");
        let why = read(&format!("[auth.tokens.kim]\ntoken = \"{token}\n"), &[]).err().unwrap();
        assert!(!why.contains(token) && why.contains("line 2"), "{why}");
    }
    #[test]
    fn a_duration_that_is_none_is_an_error_that_names_the_key() {
        assert_eq!(
            read("[asks]\ntry = \"soon\"", &[]).unwrap().platform().unwrap_err(),
            "asks.try = \"soon\" is no duration, such as 500ms or 2s"
        );
    }
    #[test]
    fn the_defaults_are_those_of_the_code() {
        let config = read("", &[]).unwrap();
        assert_eq!(format!("{:?}", config.limits().unwrap()), format!("{:?}", Limits::default()));
        assert_eq!(format!("{:?}", config.body().unwrap()), format!("{:?}", BodyLimit::default()));
        assert_eq!(config.rate(), Ok(None));
    }
    #[test]
    fn a_rate_is_off_or_a_number_from_1() {
        let rate = |text: &str| read("", &[("JUMUN_GATEWAY_RATE", text)]).unwrap().rate();
        assert_eq!((rate("off"), rate("100")), (Ok(None), Ok(NonZeroU32::new(100))));
        for wrong in ["0", "-1", "on", "100/s", ""] {
            assert!(rate(wrong).unwrap_err().contains("gateway.rate"), "{wrong}");
        }
    }
    #[test]
    fn a_system_gets_its_own_keys_and_its_tables() {
        let config = read("[mall]\nwindow = \"1h\"\n[mall.prices]\n1001 = 500", &[("JUMUN_MALL_PRICES_7", "9")]).unwrap();
        let set: Vec<_> = config.of("mall").into_iter().collect();
        let expected = [("mall.prices.1001", "500"), ("mall.prices.7", "9"), ("mall.window", "1h")];
        assert_eq!(set, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
