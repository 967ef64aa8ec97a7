//! The pages that are made from the doors: start, a role's desk, a collection, one row.
use crate::fields::{Cell, Kind};
use crate::{
    Standing, found,
    live::{matching, position},
    rows::{Form, Said, Table, To, acts, details},
    story::{Story, story},
    table::Collection,
    visit::{Answer, Visit},
    words::Words,
};
use askama::Template;
use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use jumun_runtime::door::OPERATOR;
use std::collections::BTreeSet;

/// A page, or the page that says why there is none.
pub(crate) type Answered = Result<Response, Response>;

/// How many rows a page of a table has.
const ROWS: u64 = 20;

/// What stands around every page.
pub(crate) struct Frame {
    pub(crate) words: Words,
    pub(crate) system: String,
    /// Where the reader is, for the links that change the language.
    pub(crate) here: String,
    pub(crate) roles: Vec<(String, bool)>,
    /// The link to the board, and whether it is where the reader is.
    pub(crate) board: Option<bool>,
    pub(crate) signed_in: bool,
}
impl Frame {
    pub(crate) fn of(visit: &Visit, house: &[Standing<'_>], here: &str) -> Self {
        let current = |role: &str| here.strip_prefix("/app/as/") == Some(role) || visit.asked("as") == Some(role);
        Frame {
            words: visit.words.clone(),
            system: visit.console.system.clone(),
            here: here.to_owned(),
            roles: own_roles(visit, house).map(|role| (role.to_owned(), current(role))).collect(),
            board: visit.reader.may_be(OPERATOR).then(|| here.starts_with("/app/board")),
            signed_in: visit.signed_in,
        }
    }
}

/// The roles that the tables name, in the order of the contexts.
fn roles<'a>(house: &'a [Standing<'_>]) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let all = || house.iter().flat_map(|stands| stands.collections.iter());
    let look = all().flat_map(|collection| collection.seen_by.iter().map(String::as_str)).filter(|role| *role != OPERATOR);
    // who acts comes before who only looks; who sees everything has no desk, but the board
    all().flat_map(Collection::roles).chain(look).filter(|role| seen.insert(*role)).collect()
}
/// Those of them that the reader may have.
fn own_roles<'a>(visit: &Visit, house: &'a [Standing<'_>]) -> impl Iterator<Item = &'a str> {
    roles(house).into_iter().filter(|role| visit.reader.may_be(role))
}
/// Whether the reader may look at it.
fn is_shown(visit: &Visit, collection: &Collection) -> bool {
    collection.seen_by.is_empty() || collection.seen_by.iter().any(|role| visit.reader.may_be(role))
}
fn collections<'a>(house: &'a [Standing<'_>]) -> impl Iterator<Item = (&'a Standing<'a>, &'a Collection)> {
    house.iter().flat_map(|stands| stands.collections.iter().map(move |collection| (stands, collection)))
}

#[derive(Template)]
#[template(path = "start.html")]
struct Start {
    frame: Frame,
    opens: Vec<To>,
    roles: Vec<RoleCard>,
    contexts: Vec<ContextCard>,
}
struct RoleCard {
    name: String,
    does: Vec<String>,
}
struct ContextCard {
    name: String,
    rank: String,
    running: bool,
    collections: Vec<To>,
}

pub(crate) async fn start(visit: Visit) -> Response {
    let house = visit.console.house(&visit).await;
    let words = &visit.words;
    let opens = collections(&house).filter_map(|(_, collection)| {
        let line = collection.open.as_ref()?;
        let role = line.roles.iter().find(|role| visit.reader.may_be(role))?;
        let label = words
            .own("open", &collection.name)
            .unwrap_or_else(|| words.told("open-one", &[("what", words.collection(&collection.name))]));
        Some(To { href: format!("/app/as/{role}#{}", collection.name), label })
    });
    let does = |role: &str| {
        let lines = collections(&house).flat_map(|(_, collection)| {
            let open = collection
                .open
                .iter()
                .map(|line| (line, words.own("open", &collection.name).unwrap_or_else(|| words.say("open"))));
            open.chain(collection.commands.iter().map(|line| (line, words.command(&line.name))))
        });
        let does = lines.filter(|(line, _)| line.is_for(role)).map(|(_, label)| label).collect::<Vec<_>>();
        let sees = || {
            collections(&house).filter(|(_, collection)| collection.is_seen_by(role)).map(|(_, it)| words.collection(&it.name))
        };
        if does.is_empty() { sees().collect() } else { does }
    };
    let context = |stands: &Standing<'_>| ContextCard {
        name: stands.name.to_owned(),
        rank: stands.rank.to_owned(),
        running: stands.running,
        collections: {
            let shown = stands.collections.iter().filter(|collection| is_shown(&visit, collection));
            shown.map(|collection| To::collection(collection, words)).collect()
        },
    };
    let page = Start {
        opens: opens.collect(),
        roles: own_roles(&visit, &house).map(|role| RoleCard { name: role.to_owned(), does: does(role) }).collect(),
        contexts: house.iter().map(context).collect(),
        frame: Frame::of(&visit, &house, "/app"),
    };
    visit.page(StatusCode::OK, &page)
}

/// A collection on a page of several.
struct Section {
    name: String,
    heading: String,
    all: String,
    open: Option<Form>,
    table: Result<Table, String>,
}

#[derive(Template)]
#[template(path = "role.html")]
struct Role {
    frame: Frame,
    role: String,
    sections: Vec<Section>,
    views: Vec<To>,
}

pub(crate) async fn role(visit: Visit, Path(role): Path<String>) -> Answered {
    let house = visit.console.house(&visit).await;
    let words = &visit.words;
    let acts = |(_, collection): &(_, &Collection)| collection.roles().any(|name| name == role);
    let mut mine = collections(&house).filter(acts).collect::<Vec<_>>();
    if mine.is_empty() && roles(&house).contains(&role.as_str()) {
        mine = collections(&house).filter(|(_, collection)| collection.is_seen_by(&role)).collect();
    }
    if mine.is_empty() {
        return Err(missing(&visit, &house));
    }
    let mut sections = Vec::new();
    for (stands, collection) in mine {
        let open = collection.open.as_ref().filter(|line| line.is_for(&role));
        sections.push(Section {
            name: collection.name.clone(),
            heading: words.collection(&collection.name),
            all: collection.at(),
            open: open.map(|line| Form::open(collection, line, &[], visit.console.key(), words)),
            table: match table(&visit, stands, collection, Some(&role), Vec::new()).await {
                Ok((table, _)) => Ok(table),
                Err(no) if no.status == StatusCode::UNAUTHORIZED => return Err(unknown(&visit)),
                Err(no) => Err(no.sentence()),
            },
        });
    }
    let looks = |collection: &Collection| collection.is_view() || !collection.seen_by.is_empty();
    let looks = |collection: &Collection| looks(collection) && collection.is_seen_by(&role);
    let views =
        collections(&house).filter(|(_, collection)| looks(collection) && !sections.iter().any(|it| it.name == collection.name));
    let page = Role {
        views: views.map(|(_, collection)| To::collection(collection, words)).collect(),
        frame: Frame::of(&visit, &house, &format!("/app/as/{role}")),
        role,
        sections,
    };
    Ok(visit.page(StatusCode::OK, &page))
}

/// A page of a collection as a table, the newest first, and where its changes go on.
async fn table(
    visit: &Visit,
    stands: &Standing<'_>,
    collection: &Collection,
    role: Option<&str>,
    matching: Vec<(String, String)>,
) -> Result<(Table, Paging), Answer> {
    let number = visit.asked("page").and_then(|page| page.parse::<u64>().ok()).filter(|_| role.is_none()).unwrap_or(0);
    let filter = form_urlencoded::Serializer::new(String::new()).extend_pairs(&matching).finish();
    let after = position(visit, stands.service, &collection.name).await;
    let answer =
        visit.get(stands.service, &format!("/{}?page={number}&size={ROWS}&sort=id,desc&{filter}", collection.name)).await;
    if answer.status != StatusCode::OK {
        return Err(answer);
    }
    let at = collection.at();
    let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
    let role_only = role.map(|role| format!("&as={role}")).unwrap_or_default();
    let live = format!("{at}/rows?{filter}{role_only}{after}");
    let pages = answer.json["page"]["totalPages"].as_u64().unwrap_or(0);
    let to = |page: u64| if filter.is_empty() { format!("{at}?page={page}") } else { format!("{at}?{filter}&page={page}") };
    let paging = Paging {
        total: answer.json["page"]["totalElements"].as_u64().unwrap_or(0),
        number: number + 1,
        pages: pages.max(1),
        newer: number.checked_sub(1).map(to),
        older: (number + 1 < pages).then(|| to(number + 1)),
    };
    Ok((Table::of(collection, &answer.json, &visit.words, role, live, number == 0), paging))
}
struct Paging {
    total: u64,
    number: u64,
    pages: u64,
    newer: Option<String>,
    older: Option<String>,
}

/// What a table can be filtered by.
struct Filter {
    name: String,
    label: String,
    value: String,
    choices: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "collection.html")]
struct Rows {
    frame: Frame,
    heading: String,
    context: String,
    at: String,
    open: Option<Form>,
    filters: Vec<Filter>,
    filtered: bool,
    table: Table,
    paging: Paging,
}

pub(crate) async fn collection(visit: Visit, Path((context, name)): Path<(String, String)>) -> Answered {
    let key = visit.console.key();
    rows(&visit, &context, &name, StatusCode::OK, |line, collection| Form::open(collection, line, &[], key, &visit.words)).await
}
/// The page of a collection, with the form that opens a new one as it is given.
pub(crate) async fn rows(
    visit: &Visit,
    context: &str,
    name: &str,
    status: StatusCode,
    form: impl FnOnce(&crate::table::Line, &Collection) -> Form,
) -> Answered {
    let house = visit.console.house(visit).await;
    let Some((stands, collection)) = found(&house, context, name) else { return Err(missing(visit, &house)) };
    let matching = matching(collection, visit);
    let value = |key: &str| matching.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap_or_default();
    let choices = |key: &str| match collection.fields.iter().find(|field| field.name == key).map(|field| &field.kind) {
        Some(Kind::Choice(words)) => words.iter().map(|word| (word.clone(), visit.words.status(word))).collect(),
        _ => Vec::new(),
    };
    let filters = collection.keys.iter().map(|key| Filter {
        name: key.clone(),
        label: visit.words.field(key),
        value: value(key),
        choices: choices(key),
    });
    let filters = filters.collect();
    let filtered = !matching.is_empty();
    let (table, paging) = table(visit, stands, collection, None, matching).await.map_err(|no| sorry(visit, &house, &no))?;
    let page = Rows {
        frame: Frame::of(visit, &house, &collection.at()),
        heading: visit.words.collection(name),
        context: context.to_owned(),
        at: collection.at(),
        open: collection.open.as_ref().map(|line| form(line, collection)),
        filters,
        filtered,
        table,
        paging,
    };
    Ok(visit.page(status, &page))
}

#[derive(Template)]
#[template(path = "item.html")]
struct Item {
    frame: Frame,
    heading: String,
    context: String,
    all: String,
    id: String,
    pills: Vec<(String, Cell)>,
    details: Vec<(String, Cell)>,
    acts: Vec<Form>,
    edit: Option<Form>,
    said: Option<Said>,
    live: String,
    story: Option<Story>,
}

pub(crate) async fn item(visit: Visit, Path((context, name, id)): Path<(String, String, String)>) -> Answered {
    one(&visit, (&context, &name, &id), StatusCode::OK, |_| ()).await
}
/// Who reloads the page that answered a form without a script comes here.
pub(crate) async fn item_again(Path((context, name, id, _)): Path<(String, String, String, String)>) -> Redirect {
    Redirect::to(&format!("/app/{context}/{name}/{id}"))
}

/// What was wished on the page of one, and what was said to it.
pub(crate) struct Told<'a> {
    pub(crate) acts: &'a mut Vec<Form>,
    pub(crate) edit: &'a mut Option<Form>,
    pub(crate) said: &'a mut Option<Said>,
}
/// The page of one; `tell` puts a sentence where it belongs.
pub(crate) async fn one(
    visit: &Visit,
    (context, name, id): (&str, &str, &str),
    status: StatusCode,
    tell: impl FnOnce(Told<'_>),
) -> Answered {
    let house = visit.console.house(visit).await;
    let Some((stands, collection)) = found(&house, context, name) else { return Err(missing(visit, &house)) };
    if id.parse::<u64>().is_err() {
        return Err(missing(visit, &house));
    }
    let after = position(visit, stands.service, name).await;
    let answer = visit.get(stands.service, &format!("/{name}/{id}")).await;
    if answer.status != StatusCode::OK {
        return Err(sorry(visit, &house, &answer));
    }
    let (row, words) = (&answer.json, &visit.words);
    let mut acts = acts(collection, row, words, None);
    let mut edit = collection
        .edit
        .as_ref()
        .map(|line| Form::new("edit", words.say("change"), format!("{}/{id}", collection.at()), &line.fields, &[], words));
    let mut said = None;
    tell(Told { acts: &mut acts, edit: &mut edit, said: &mut said });
    let (pills, details) = details(collection, row, words).into_iter().partition(|(_, cell)| matches!(cell, Cell::Pill { .. }));
    let case = collection.case.as_ref().map(|root| format!("{root}/{id}"));
    let story = match case {
        Some(case) => story(visit, &case).await,
        None => None,
    };
    let page = Item {
        frame: Frame::of(visit, &house, &format!("{}/{id}", collection.at())),
        heading: words.collection(name),
        context: context.to_owned(),
        all: collection.at(),
        id: id.to_owned(),
        pills,
        details,
        acts,
        edit,
        said,
        live: format!("{}/rows?id={id}{}", collection.at(), after.map(|after| format!("&after={after}")).unwrap_or_default()),
        story,
    };
    Ok(visit.page(status, &page))
}

#[derive(Template)]
#[template(path = "sorry.html")]
struct Sorry {
    frame: Frame,
    status: u16,
    sentence: String,
}
/// The page that says why there is none.
pub(crate) fn sorry(visit: &Visit, house: &[Standing<'_>], no: &Answer) -> Response {
    if no.status == StatusCode::UNAUTHORIZED {
        return unknown(visit);
    }
    said(visit, house, no.status, no.sentence())
}
pub(crate) fn said(visit: &Visit, house: &[Standing<'_>], status: StatusCode, sentence: String) -> Response {
    visit.page(status, &Sorry { frame: Frame::of(visit, house, &visit.path), status: status.as_u16(), sentence })
}
fn missing(visit: &Visit, house: &[Standing<'_>]) -> Response {
    said(visit, house, StatusCode::NOT_FOUND, visit.words.say("nothing-here"))
}
/// Who is not known is asked who they are.
pub(crate) fn unknown(visit: &Visit) -> Response {
    if visit.by_script { StatusCode::UNAUTHORIZED.into_response() } else { Redirect::to("/app/sign-in").into_response() }
}
pub(crate) async fn nothing(visit: Visit) -> Response {
    let house = visit.console.house(&visit).await;
    missing(&visit, &house)
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    said: Option<String>,
}
pub(crate) async fn sign_in(visit: Visit) -> Response {
    signing_in(&visit, StatusCode::OK, None)
}
/// The page on which readers say who they are, with what there is to say of their last attempt.
pub(crate) fn signing_in(visit: &Visit, status: StatusCode, said: Option<String>) -> Response {
    visit.page(status, &SignIn { frame: Frame::of(visit, &[], "/app/sign-in"), said })
}
