//! Which store a context has: a file of its own in the data folder, unless `store.<context>` names another by its URL.
use crate::config::Config;
use jumun_runtime::Context;
use jumun_store::{MemoryDisk, MemoryStore, Store};
use jumun_store_sqlite::SqliteStore;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// URLs by context, as far as they are named. An environment knows small letters only, so names are told apart by these.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stores(BTreeMap<String, String>);

impl Stores {
    /// As configured, for these contexts.
    ///
    /// # Errors
    /// One sentence: a store of a context that is not there.
    pub(crate) fn read<'a>(config: &Config, contexts: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let names: Vec<_> = contexts.collect();
        let stores: BTreeMap<_, _> = config.table("store").map(|(name, url)| (name.to_lowercase(), url.to_owned())).collect();
        match stores.keys().find(|store| !names.iter().any(|name| name.to_lowercase() == **store)) {
            Some(nobody) => Err(format!("store.{nobody} is of no context; there is {}", names.join(", "))),
            None => Ok(Stores(stores)),
        }
    }
    fn url(&self, context: &str) -> Option<&str> {
        self.0.get(&context.to_lowercase()).map(String::as_str).filter(|url| *url != "sqlite:")
    }
    /// What a person is told of a store that is not in the data folder.
    pub(crate) fn told(&self, context: &str) -> Option<String> {
        self.url(context).map(without_password)
    }
    /// Whether there is anything to look at.
    pub(crate) fn exists(&self, context: &str, file: &Path) -> bool {
        self.url(context).is_some() || file.exists()
    }

    /// Opens a context's store; `file` is where it is unless it is elsewhere.
    ///
    /// # Errors
    /// One sentence, without a password.
    pub(crate) async fn open(&self, context: &Context, file: PathBuf) -> Result<Arc<dyn Store>, String> {
        let (name, layout) = (context.name, context.layout());
        let sqlite = |path: &Path| {
            let store = SqliteStore::open(path, context.layout(), name).map_err(|why| why.to_string())?;
            Ok(Arc::new(store) as Arc<dyn Store>)
        };
        let Some(url) = self.url(name) else { return sqlite(&file) };
        let unreadable = |why: String| format!("store.{name} = {:?}: {why}", without_password(url));
        match url.split_once(':') {
            Some(("sqlite", path)) => sqlite(Path::new(path)),
            Some(("memory", "")) => {
                let store = MemoryStore::open(&MemoryDisk::new(), layout).map_err(|why| unreadable(why.to_string()))?;
                Ok(Arc::new(store))
            }
            Some(("postgres" | "postgresql", _)) => postgres(url, context).await.map_err(unreadable),
            Some(("mysql", _)) => mysql(url, context).await.map_err(unreadable),
            _ => Err(unreadable("a store is sqlite:, memory:, postgres://… or mysql://…".to_owned())),
        }
    }
}

#[cfg(feature = "cluster")]
async fn postgres(url: &str, context: &Context) -> Result<Arc<dyn Store>, String> {
    let store = jumun_store_postgres::PostgresStore::open(url, context.layout(), context.name).await;
    store.map(|store| Arc::new(store) as Arc<dyn Store>).map_err(|why| why.to_string())
}
#[cfg(feature = "cluster")]
async fn mysql(url: &str, context: &Context) -> Result<Arc<dyn Store>, String> {
    let store = jumun_store_mysql::MysqlStore::open(url, context.layout(), context.name).await;
    store.map(|store| Arc::new(store) as Arc<dyn Store>).map_err(|why| why.to_string())
}
#[cfg(not(feature = "cluster"))]
async fn postgres(_: &str, _: &Context) -> Result<Arc<dyn Store>, String> {
    Err("this build has no PostgreSQL; cargo build --release --features cluster has it".to_owned())
}
#[cfg(not(feature = "cluster"))]
async fn mysql(_: &str, _: &Context) -> Result<Arc<dyn Store>, String> {
    Err("this build has no MariaDB; cargo build --release --features cluster has it".to_owned())
}

/// A URL as it may be seen.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((user, place)) = rest.rsplit_once('@') else { return url.to_owned() };
    format!("{scheme}://{}@{place}", user.split_once(':').map_or(user.to_owned(), |(name, _)| format!("{name}:…")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_seen() {
        for (url, seen) in [
            ("postgres://kim:hush@db/mall", "postgres://kim:…@db/mall"),
            ("postgres://kim:hu@sh@db:5432/mall", "postgres://kim:…@db:5432/mall"),
            ("postgres://kim@db/mall", "postgres://kim@db/mall"),
            ("sqlite:/var/lib/order.db", "sqlite:/var/lib/order.db"),
        ] {
            assert_eq!(without_password(url), seen);
        }
    }

    #[test]
    fn a_context_is_found_by_its_name_in_small_letters_and_nobody_elses_is_taken() {
        let read = |name: &str| {
            let set = [(name.to_owned(), "memory:".to_owned())];
            let config = Config::read(None, set.into_iter(), std::iter::empty()).unwrap();
            Stores::read(&config, ["order", "viewPage"].into_iter())
        };
        let stores = read("JUMUN_STORE_VIEWPAGE").unwrap();
        assert_eq!((stores.told("viewPage").as_deref(), stores.told("order")), (Some("memory:"), None));
        assert!(read("JUMUN_STORE_PAY").unwrap_err().contains("there is order, viewPage"));
    }

    #[tokio::test]
    async fn what_is_no_store_is_said_with_its_key() {
        let context = Context::named("order", jumun_runtime::Rank::Core, 1);
        let open = async |url: &str| {
            let stores = Stores(BTreeMap::from([("order".to_owned(), url.to_owned())]));
            stores.open(&context, PathBuf::from("/nowhere")).await.err().unwrap()
        };
        assert!(open("redis://kim:hush@db").await.contains("store.order = \"redis://kim:…@db\""));
        for scheme in ["postgres", "mysql"] {
            let said = open(&format!("{scheme}://kim:hush@127.0.0.1:1/mall")).await;
            assert!(said.contains("store.order") && !said.contains("a store is") && !said.contains("hush"), "{said}");
        }
    }
}
