//! What readers wish: forms become the door's own requests, and its answers pages; or, for the script, data.
use crate::{
    fields::body,
    found,
    pages::{Answered, nothing, one, rows, signing_in, unknown},
    rows::{Form, Row, Said},
    visit::{Answer, Visit},
};
use askama::Template;
use axum::{
    Json,
    body::Bytes,
    extract::Path,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::json;

pub(crate) fn typed(form: &Bytes) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}

/// `POST /app/{context}/{collection}`: opens a new one, once per rendering of the form.
pub(crate) async fn open(visit: Visit, Path((context, name)): Path<(String, String)>, form: Bytes) -> Answered {
    let house = visit.console.house(&visit).await;
    let Some((stands, collection)) = found(&house, &context, &name) else { return Err(nothing(visit).await) };
    let Some(line) = &collection.open else { return Err(StatusCode::METHOD_NOT_ALLOWED.into_response()) };
    let typed = typed(&form);
    let key = typed.iter().find(|(name, _)| name == "key").map(|(_, key)| key.clone());
    let answer =
        visit.ask(stands.service, Method::POST, &format!("/{name}"), Some(&body(&line.fields, &typed)), key.as_deref()).await;
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(unknown(&visit));
    }
    // an answer that is none leaves the wish with its key, so that a repeat is no second wish
    let key = key.filter(|_| answer.status.is_server_error()).unwrap_or_else(|| visit.console.key());
    let at = collection.at();
    if visit.by_script {
        let html = answer.json["id"].is_u64().then(|| Row::of(collection, &answer.json, &visit.words, visit.asked("as")));
        return Ok(told(&visit, &answer, Some(&at), html.as_ref(), Some(&key)));
    }
    if answer.status.is_success() {
        return Ok(Redirect::to(&format!("{at}/{}", answer.json["id"])).into_response());
    }
    let said = Said::no(answer.sentence());
    let field = crate::text(&answer.json, "field").to_owned();
    rows(&visit, &context, &name, answer.status, |line, collection| {
        let mut form = Form::open(collection, line, &typed, key, &visit.words);
        form.answer(said, &field);
        form
    })
    .await
}

/// `POST /app/{context}/{collection}/{id}/{command}`: the command of that link.
pub(crate) async fn command(
    visit: Visit,
    Path((context, name, id, command)): Path<(String, String, String, String)>,
    form: Bytes,
) -> Answered {
    let path = format!("/{name}/{id}/{command}");
    change(visit, (&context, &name, &id), (Method::PUT, &path, &command), &form).await
}
/// `POST /app/{context}/{collection}/{id}`: a change of fields.
pub(crate) async fn edit(visit: Visit, Path((context, name, id)): Path<(String, String, String)>, form: Bytes) -> Answered {
    let path = format!("/{name}/{id}");
    change(visit, (&context, &name, &id), (Method::PATCH, &path, "edit"), &form).await
}
async fn change(visit: Visit, at: (&str, &str, &str), (method, path, wish): (Method, &str, &str), form: &Bytes) -> Answered {
    let house = visit.console.house(&visit).await;
    let line = found(&house, at.0, at.1).and_then(|(stands, collection)| {
        let line = if wish == "edit" { collection.edit.as_ref() } else { collection.command(wish) };
        line.map(|line| (stands, collection, line))
    });
    let Some((stands, collection, line)) = line.filter(|_| at.2.parse::<u64>().is_ok()) else { return Err(nothing(visit).await) };
    let typed = typed(form);
    let body = (!line.fields.is_empty()).then(|| body(&line.fields, &typed));
    let answer = visit.ask(stands.service, method, path, body.as_ref(), None).await;
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(unknown(&visit));
    }
    if visit.by_script {
        let row = if answer.json["_links"].is_object() {
            answer.json.clone()
        } else {
            visit.get(stands.service, &format!("/{}/{}", at.1, at.2)).await.json
        };
        let html = row["id"].is_u64().then(|| Row::of(collection, &row, &visit.words, visit.asked("as")));
        return Ok(told(&visit, &answer, None, html.as_ref(), None));
    }
    if answer.status == StatusCode::OK {
        return Ok(Redirect::to(&format!("{}/{}", collection.at(), at.2)).into_response());
    }
    let said = Said { tone: if answer.status.is_success() { "waiting" } else { "bad" }, sentence: answer.sentence() };
    let field = crate::text(&answer.json, "field");
    one(&visit, at, answer.status, |page| {
        let mut forms = page.acts.iter_mut().chain(page.edit.as_mut());
        match forms.find(|form| form.name == wish) {
            Some(form) => form.answer(said, field),
            None => *page.said = Some(said), // the link is gone: what was wished is no longer possible
        }
    })
    .await
}

/// The answer to the script: what happened, as a sentence and as the row.
fn told(visit: &Visit, answer: &Answer, opened: Option<&str>, row: Option<&Row>, key: Option<&str>) -> Response {
    let words = &visit.words;
    let id = row.map(|row| row.id.as_str());
    let (tone, sentence) = match answer.status {
        StatusCode::ACCEPTED => ("waiting", answer.sentence()),
        status if status.is_success() => {
            ("good", id.map_or_else(|| words.say("done"), |id| words.told("done-with", &[("id", id.to_owned())])))
        }
        _ => ("bad", answer.sentence()),
    };
    let said = json!({
        "tone": tone,
        "sentence": sentence,
        "field": answer.json["field"],
        "id": id,
        "href": opened.zip(id).map(|(at, id)| format!("{at}/{id}")),
        "row": row.and_then(|row| row.render().ok()),
        "key": key,
    });
    (answer.status, Json(said)).into_response()
}

/// `POST /app/sign-in`: a token that the doors take is kept by the browser, where no script sees it.
pub(crate) async fn sign_in(mut visit: Visit, form: Bytes) -> Response {
    let token =
        typed(&form).into_iter().find(|(name, _)| name == "token").map(|(_, token)| token.trim().to_owned()).unwrap_or_default();
    let plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic() && !b";,\"\\".contains(&byte));
    if !plain {
        let sentence = visit.words.say("no-token");
        return signing_in(&visit, StatusCode::BAD_REQUEST, Some(sentence));
    }
    match visit.bringing(&token).await {
        Ok(()) => keep(&token, ""),
        Err(no) => signing_in(&visit, no.status, Some(no.sentence())),
    }
}
/// `POST /app/sign-out`.
pub(crate) async fn sign_out() -> Response {
    keep("", "; Max-Age=0")
}
fn keep(token: &str, age: &str) -> Response {
    let mut answer = Redirect::to("/app").into_response();
    let cookie = format!("token={token}; Path=/app; HttpOnly; SameSite=Strict{age}");
    answer.headers_mut().extend(HeaderValue::try_from(cookie).ok().map(|cookie| (header::SET_COOKIE, cookie)));
    answer
}
