//! The door of a view.
use super::{Call, Collection, Line, News, Part, Problem, Reply, Shape, Sight, news, only, silent, theirs};
use crate::{core::Core, document::shown, tally::Totals};
use futures_util::future::BoxFuture;
use jumun_model::{Caller, JsonSchema, Schema, SchemaGenerator, View};
use jumun_store::{Document, Query};
use serde_json::Map;
use std::{marker::PhantomData, sync::Arc};

/// The door of a view: it is looked at, and that is all.
pub(crate) struct Seen<V> {
    path: &'static str,
    sight: Sight,
    totals: Option<Totals>,
    of: PhantomData<fn() -> V>,
}
impl<V: View + JsonSchema> Seen<V> {
    pub(crate) fn at(path: &'static str, sight: Sight, totals: Option<Totals>) -> Arc<dyn Collection> {
        Arc::new(Seen::<V> { path, sight, totals, of: PhantomData })
    }
}
fn row(row: &Document) -> Result<Shape, Problem> {
    let body = shown(row.number, &row.body).map_err(silent)?;
    Ok(Shape { number: row.number, version: row.version, seq: row.seq, body, links: Vec::new() })
}
impl<V: View + JsonSchema> Collection for Seen<V> {
    fn path(&self) -> &'static str {
        self.path
    }
    fn of(&self) -> &'static str {
        V::NAME
    }
    fn keys(&self) -> &'static [&'static str] {
        V::KEYS
    }
    fn root(&self) -> Option<&'static str> {
        V::ROOT
    }
    fn shape(&self, to: &mut SchemaGenerator) -> Schema {
        V::json_schema(to)
    }
    fn totals(&self, to: &mut SchemaGenerator) -> Option<Schema> {
        self.totals.as_ref().map(|totals| (totals.shape)(to))
    }
    fn lines(&self) -> &[Line] {
        &[]
    }
    fn sight(&self) -> &Sight {
        &self.sight
    }
    fn call<'a>(&'a self, _: &'a Arc<Core>, _: usize, _: Call) -> BoxFuture<'a, Result<Reply, Problem>> {
        Box::pin(std::future::ready(Err(Problem::missing())))
    }
    fn item<'a>(&'a self, core: &'a Arc<Core>, number: u64, by: &'a Caller) -> BoxFuture<'a, Result<Shape, Problem>> {
        Box::pin(async move {
            let found = core.store.load(V::NAME, number).await.map_err(silent)?;
            let shape = found.filter(|document| document.listed).as_ref().map_or_else(|| Err(Problem::missing()), row)?;
            theirs(self.sight.own(by), shape)
        })
    }
    fn list<'a>(&'a self, core: &'a Arc<Core>, query: &'a Query, by: &'a Caller) -> BoxFuture<'a, Result<Part, Problem>> {
        Box::pin(async move {
            let own = self.sight.own(by);
            let page = core.store.find(V::NAME, &only(own, query)).await.map_err(silent)?;
            let totals = match &self.totals {
                Some(totals) if own.is_none() => totals.now(core).await.map_err(silent)?,
                _ => Map::new(),
            };
            Ok(Part { rows: page.rows.iter().map(row).collect::<Result<_, _>>()?, total: page.total, totals })
        })
    }
    fn changed<'a>(&'a self, core: &'a Arc<Core>, after: u64, by: &'a Caller) -> BoxFuture<'a, Result<News, Problem>> {
        Box::pin(async move {
            let rows = core.store.changed(V::NAME, after, 500).await.map_err(silent)?;
            news(self.sight.own(by), &rows, row)
        })
    }
}
