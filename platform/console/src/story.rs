//! The story of a case: what happened in all contexts, as a list and as a picture with a lane for each.
use crate::{fields::plain_time, text, visit::Visit, words::Words};
use axum::http::StatusCode;
use serde_json::Value;
use std::fmt::Write;

pub(crate) struct Story {
    pub(crate) case: String,
    pub(crate) happened: Vec<Moment>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) aside: Vec<Aside>,
    /// The picture: a lane per context, time runs down.
    pub(crate) lanes: Lanes,
}
/// One thing that happened.
pub(crate) struct Moment {
    pub(crate) at: (String, String),
    pub(crate) context: String,
    /// `fact`, `private`, `ask` or `refusal`.
    pub(crate) what: &'static str,
    pub(crate) name: String,
    /// What followed, or who was asked.
    pub(crate) note: String,
    pub(crate) by: String,
    pub(crate) body: Vec<(String, String)>,
}
pub(crate) struct Waiting {
    pub(crate) context: String,
    pub(crate) step: String,
    pub(crate) due: (String, String),
    pub(crate) tries: u64,
}
pub(crate) struct Aside {
    pub(crate) context: String,
    pub(crate) reaction: String,
    pub(crate) fact: String,
    pub(crate) why: String,
}

/// The story, where the operators' port tells it.
pub(crate) async fn story(visit: &Visit, case: &str) -> Option<Story> {
    let answer = visit.get(&visit.console.operators, &format!("/cases/{case}")).await;
    (answer.status == StatusCode::OK).then(|| Story::of(&answer.json, &visit.words))
}

impl Story {
    fn of(told: &Value, words: &Words) -> Self {
        let all = |what: &str| told[what].as_array().map(Vec::as_slice).unwrap_or_default();
        let when = |of: &Value, name: &str| (text(of, name).to_owned(), plain_time(text(of, name)));
        let moment = |of: &Value| {
            let what = match text(of, "what") {
                "ask" => "ask",
                "refusal" => "refusal",
                _ if of["public"] == false => "private",
                _ => "fact",
            };
            let note = match what {
                "ask" => format!("→ {} · {}", words.context(text(of, "to")), words.say(text(of, "outcome"))),
                "refusal" => text(of, "code").to_owned(),
                _ => String::new(),
            };
            Moment {
                at: when(of, "at"),
                context: words.context(text(of, "context")),
                what,
                name: words.word("fact", text(of, "name")),
                note,
                by: text(of, "by").to_owned(),
                body: body(&of["body"], text(of, "name"), words),
            }
        };
        let waiting = |of: &Value| Waiting {
            context: words.context(text(of, "context")),
            step: text(of, "step").to_owned(),
            due: when(of, "due"),
            tries: of["tries"].as_u64().unwrap_or(0),
        };
        let aside = |of: &Value| Aside {
            context: words.context(text(of, "context")),
            reaction: text(of, "reaction").to_owned(),
            fact: text(of, "fact").to_owned(),
            why: text(of, "why").to_owned(),
        };
        Story {
            case: text(told, "case").to_owned(),
            happened: all("happened").iter().map(moment).collect(),
            waiting: all("waiting").iter().map(waiting).collect(),
            aside: all("aside").iter().map(aside).collect(),
            lanes: Lanes::of(all("happened"), words),
        }
    }
}

/// A fact's body as pairs, without its own name; what is nested stays JSON.
fn body(body: &Value, fact: &str, words: &Words) -> Vec<(String, String)> {
    let pair = |(name, value): (&String, &Value)| {
        let shown = match value {
            Value::Null => return None,
            Value::String(text) if text.is_empty() || text == fact => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((words.field(name), shown))
    };
    body.as_object().into_iter().flatten().filter_map(pair).collect()
}

/// The picture's parts, in its own units; the stylesheet has the colours.
#[derive(Default)]
pub(crate) struct Lanes {
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) lanes: Vec<(i32, String)>,
    pub(crate) stickers: Vec<Sticker>,
    pub(crate) arrows: Vec<Arrow>,
}
pub(crate) struct Sticker {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) class: &'static str,
    pub(crate) name: String,
}
pub(crate) struct Arrow {
    pub(crate) class: &'static str,
    pub(crate) path: String,
    pub(crate) tip: String,
    /// Where its words stand; none for one without.
    pub(crate) label: Option<(i32, i32, String)>,
}
impl Lanes {
    /// From the left edge to the first lane, from lane to lane; from the top to the first row, from row to row; half a sticker.
    const LEFT: i32 = 92;
    const LANE: i32 = 196;
    const TOP: i32 = 84;
    const ROW: i32 = 44;
    const HALF: i32 = 84;

    fn of(happened: &[Value], words: &Words) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for name in happened.iter().flat_map(|of| [text(of, "context"), text(of, "to")]) {
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        let x = |context: &str| {
            names.iter().position(|name| *name == context).map(|lane| Self::LEFT + i32::try_from(lane).unwrap_or(0) * Self::LANE)
        };
        let mut picture =
            Lanes { lanes: names.iter().map(|name| (x(name).unwrap_or(0), words.context(name))).collect(), ..Lanes::default() };
        let mut y = Self::TOP;
        for of in happened {
            let (Some(here), what) = (x(text(of, "context")), text(of, "what")) else { continue };
            let name = words.word("fact", text(of, "name"));
            if what == "ask" {
                let Some(there) = x(text(of, "to")) else { continue };
                let (class, outcome) = match text(of, "outcome") {
                    "answered" => ("asks", String::new()),
                    outcome => ("asks failed", format!(" · {}", words.say(outcome))),
                };
                picture.arrow(class, here, there, y, 0, Some(format!("{name}{outcome}")));
            } else {
                // because of another context's fact: it was heard
                let heard = text(of, "because").split('/').next().and_then(x).filter(|there| *there != here);
                if let Some(there) = heard {
                    picture.arrow("hears", there, here, y, Self::HALF, None);
                }
                let class = match (what, &of["public"]) {
                    ("refusal", _) => "refusal",
                    (_, Value::Bool(false)) => "private",
                    _ => "fact",
                };
                picture.stickers.push(Sticker { x: here - Self::HALF, y: y - 14, class, name });
            }
            y += Self::ROW;
        }
        picture.width = Self::LEFT * 2 + i32::try_from(names.len().saturating_sub(1)).unwrap_or(0) * Self::LANE;
        picture.height = y;
        picture
    }
    /// From lane to lane at that height; it ends `before` the lane's middle.
    fn arrow(&mut self, class: &'static str, from: i32, to: i32, y: i32, before: i32, label: Option<String>) {
        let way = if to >= from { 1 } else { -1 };
        let end = to - way * (before + 1);
        let mut tip = String::new();
        let _ = write!(tip, "M {end} {y} l {} -4 v 8 z", -8 * way); // writing to a String can not fail
        self.arrows.push(Arrow {
            class,
            path: format!("M {from} {y} H {}", end - 7 * way),
            tip,
            label: label.map(|label| ((from + to) / 2, y - 7, label)),
        });
    }
}
