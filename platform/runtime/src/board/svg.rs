//! The board as a picture: a lane per context, from whoever wishes to whatever is shown. Lines run in gutters between the columns and
//! beneath the rows, each on a track of its own, so that no two lie upon each other.
use super::{Blue, Board, Link, Means, Zone, actor, aggregate, command, fact, policy, provider, view};
use std::{collections::BTreeMap, fmt::Write};

/// A sticker's height, and from one to the next.
const STICKER: i32 = 40;
const ROW: i32 = 50;
/// Above the first row, where an aggregate has its name.
const HEAD: i32 = 30;
/// Between two tracks of a gutter, between the tracks beneath the rows, and where a gutter begins and ends.
const TRACK: i32 = 12;
const BELOW: i32 = 18;
const GUTTER: i32 = 22;
const MARGIN: i32 = 24;
/// Where the first lane begins.
const TOP: i32 = 92;

/// How stickers and lines look.
const STYLE: &str = "
  text { font-family: system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Noto Sans KR', sans-serif; fill: #212121; }
  .name { font-size: 12.5px; font-weight: 600; text-anchor: middle; }
  .note { font-size: 10px; text-anchor: middle; fill: #37474f; }
  .lane { fill: #f6f7f9; stroke: #e3e6ea; }
  .zone { font-size: 15px; font-weight: 700; }
  .rank { font-size: 11px; fill: #78909c; font-weight: 400; }
  .head { font-size: 11px; fill: #90a4ae; letter-spacing: 0.08em; text-anchor: middle; }
  .asked { font-size: 11px; fill: #37474f; paint-order: stroke; stroke: #f6f7f9; stroke-width: 4px; text-anchor: end; }
  .sticker { stroke: #00000026; }
  .actor { fill: #ffffff; stroke: #90a4ae; }
  .aggregate { fill: #fff59d; }
  .command { fill: #90caf9; }
  .event { fill: #ffb74d; }
  .private { fill: #ffe3bf; stroke: #ef6c00; stroke-dasharray: 4 3; }
  .unreached { fill: #ffffff; stroke: #c62828; stroke-dasharray: 4 3; }
  .policy { fill: #ce93d8; }
  .view { fill: #a5d6a7; }
  .external { fill: #f48fb1; }
  path { fill: none; }
  .wishes { stroke: #78909c; stroke-width: 1.4; }
  .says { stroke: #8d6e00; stroke-width: 1.4; stroke-opacity: 0.65; }
  .asks { stroke: #263238; stroke-width: 1.8; }
  .follows { stroke: #e65100; stroke-width: 1.6; stroke-dasharray: 1.5 4; stroke-linecap: round; }
  .wants { stroke: #8e24aa; stroke-width: 1.4; }
  .tip { stroke: none; fill: #78909c; }
  .says.tip { fill: #8d6e00; }
  .asks.tip { fill: #263238; }
  .follows.tip { fill: #e65100; }
  .wants.tip { fill: #8e24aa; }
";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Actor,
    Command,
    Aggregate,
    Event,
    Policy,
    View,
}
use Column::{Actor, Aggregate, Command, Event, Policy, View};
const COLUMNS: [(Column, &str); 6] =
    [(Actor, "who"), (Command, "command"), (Aggregate, "aggregate"), (Event, "event"), (Policy, "policy"), (View, "view")];

/// A sticker, before it is known how wide the columns are.
struct Card {
    column: Column,
    class: &'static str,
    y: i32,
    height: i32,
    name: String,
    note: String,
    told: String,
}
impl Card {
    fn new(column: Column, class: &'static str, y: i32, name: &str) -> Self {
        Card { column, class, y, height: STICKER, name: name.to_owned(), note: String::new(), told: String::new() }
    }
    fn middle(&self) -> i32 {
        self.y + self.height / 2
    }
}
struct Lane {
    name: String,
    rank: &'static str,
    y: i32,
    height: i32,
}
/// Lines that share a track: from these heights to those.
struct Bus {
    class: &'static str,
    /// Where it comes from: stickers to the left of its gutter, or a height at which it arrives from elsewhere.
    from: Vec<Begin>,
    to: Vec<String>,
    label: String,
}
enum Begin {
    Sticker(String),
    /// From the bottom of an aggregate, at that place of so many, beneath the rows at that height.
    Beneath(String, i32, i32, i32),
    /// From the right of a policy, beneath the rows at that height, on that track.
    Around(String, i32, i32),
}

struct Picture<'a> {
    board: &'a Board,
    cards: BTreeMap<String, Card>,
    lanes: Vec<Lane>,
    left: Vec<Bus>,
    right: Vec<Bus>,
    around: i32,
}

impl Board {
    /// As a picture: SVG without scripts.
    pub fn svg(&self) -> String {
        let mut picture =
            Picture { board: self, cards: BTreeMap::new(), lanes: Vec::new(), left: Vec::new(), right: Vec::new(), around: 0 };
        let mut y = TOP;
        for zone in &self.contexts {
            y = picture.lane(zone, y);
        }
        picture.outside(y);
        picture.follow();
        picture.draw()
    }
}

impl Picture<'_> {
    /// Lays out one context; where the next lane begins.
    fn lane(&mut self, zone: &Zone, top: i32) -> i32 {
        let board = self.board;
        let mut y = top + 14;
        let rows = y + HEAD;
        let mut last = None;
        for kept in &zone.aggregates {
            let first = y + HEAD;
            let mut rows = 0;
            for (row, blue) in (0..).zip(&kept.commands) {
                let id = command(zone.name, kept.name, &blue.name);
                let card = Card::new(Command, "command", first + row * ROW, &blue.name);
                self.cards.insert(id, Card { note: note(blue), told: told(blue), ..card });
                rows = rows.max(row + 1);
            }
            let mut row = 0;
            for orange in zone.facts.iter().filter(|fact| fact.of.first() == Some(&kept.name)) {
                let (class, note) = if orange.public { ("event", "") } else { ("private", "private") };
                let card = Card::new(Event, class, first + row * ROW, orange.name);
                self.cards.insert(fact(zone.name, orange.name), Card { note: note.to_owned(), ..card });
                row += 1;
            }
            let rows = rows.max(row).max(1);
            let height = HEAD + rows * ROW;
            let id = aggregate(zone.name, kept.name);
            let what = if kept.pool { "pool" } else { "" }.to_owned();
            let told = format!("{} states were found", kept.states);
            self.cards.insert(
                id.clone(),
                Card { column: Aggregate, class: "aggregate", y, height, name: kept.name.to_owned(), note: what, told },
            );
            last = Some((first, row));
            y += height;
            let asks: Vec<_> = board.links(Means::Asks).filter(|link| link.from == id).collect();
            let of = i32::try_from(asks.len()).unwrap_or(i32::MAX);
            for (place, link) in (0..).zip(asks) {
                y += BELOW;
                let begin = Begin::Beneath(id.clone(), place, of, y);
                let label = link.labels.join(", ");
                self.left.push(Bus { class: "asks", from: vec![begin], to: vec![link.to.clone()], label });
            }
            y += 20;
        }
        if let Some((first, row)) = last {
            for (row, name) in (row..).zip(&zone.unreached) {
                let at = first + row * ROW;
                let card = Card::new(Event, "unreached", at, name);
                self.cards.insert(fact(zone.name, name), Card { note: "never reached".to_owned(), ..card });
                y = y.max(at + ROW + 10);
            }
        }
        // between the rows, so that no line to a policy or view lies upon one from an event
        let mut right = if zone.aggregates.is_empty() { top + 14 } else { rows + ROW / 2 };
        for lilac in &zone.policies {
            let id = policy(zone.name, lilac.name, lilac.publisher);
            let told = format!("whenever {} says so, then {}", lilac.publisher, lilac.target);
            self.cards.insert(id, Card { told, ..Card::new(Policy, "policy", right, lilac.name) });
            right += ROW;
        }
        for green in &zone.views {
            self.cards.insert(view(zone.name, green.name), Card::new(View, "view", right, green.name));
            right += ROW;
        }
        let mut left = rows + ROW / 2;
        for role in &board.roles {
            let wishes: Vec<_> = self.links_into(zone, Means::Wishes, &actor(role));
            if !wishes.is_empty() {
                let id = format!("{}@{}", actor(role), zone.name);
                self.cards.insert(id.clone(), Card::new(Actor, "actor", left, role));
                let from = vec![Begin::Sticker(id)];
                self.left.push(Bus { class: "wishes", from, to: wishes, label: String::new() });
                left += ROW;
            }
        }
        y = y.max(right).max(left);
        for (track, lilac) in (0..).zip(&zone.policies) {
            let id = policy(zone.name, lilac.name, lilac.publisher);
            let wants = self.links_into(zone, Means::Wants, &id);
            if !wants.is_empty() {
                let from = vec![Begin::Around(id, track, y)];
                self.left.push(Bus { class: "wants", from, to: wants, label: String::new() });
                self.around = self.around.max(track + 1);
                y += BELOW;
            }
        }
        let name = zone.name.to_owned();
        self.lanes.push(Lane { name, rank: zone.rank, y: top, height: y - top });
        y + 14
    }

    /// Where these arrows of that sticker end, inside this context.
    fn links_into(&self, zone: &Zone, means: Means, from: &str) -> Vec<String> {
        let inside = |link: &&Link| {
            link.from == from && link.to.split_once(':').is_some_and(|(_, to)| to.starts_with(&format!("{}/", zone.name)))
        };
        self.board.links(means).filter(inside).map(|link| link.to.clone()).collect()
    }

    fn outside(&mut self, top: i32) {
        let mut y = top + 14;
        for name in &self.board.providers {
            self.cards.insert(provider(name), Card::new(Command, "external", y, name));
            y += ROW;
        }
        if !self.board.providers.is_empty() {
            self.lanes.push(Lane { name: "outside".to_owned(), rank: "", y: top, height: y - top + 4 });
        }
    }

    fn follow(&mut self) {
        let mut buses: Vec<Bus> = Vec::new();
        for link in self.board.links(Means::Follows) {
            let begin = Begin::Sticker(link.from.clone());
            match buses.iter_mut().find(|bus| bus.to == [link.to.clone()]) {
                Some(bus) => bus.from.push(begin),
                None => {
                    buses.push(Bus { class: "follows", from: vec![begin], to: vec![link.to.clone()], label: String::new() });
                }
            }
        }
        self.right = buses;
    }
}

fn note(blue: &Blue) -> String {
    match (blue.after.is_empty(), blue.due, blue.facts.is_empty()) {
        (false, ..) => format!("after {}", blue.after.join(", ")),
        (_, true, _) => "when it is time".to_owned(),
        (.., true) => "changes nothing".to_owned(),
        _ => String::new(),
    }
}
fn told(blue: &Blue) -> String {
    if blue.refused.is_empty() { String::new() } else { format!("may be refused: {}", blue.refused.join(", ")) }
}

/// Where everything is from left to right.
struct Across {
    columns: Vec<(Column, i32, i32)>,
    left: Vec<i32>,
    right: Vec<i32>,
    width: i32,
}
impl Across {
    fn of(&self, column: Column) -> (i32, i32) {
        self.columns.iter().find(|(known, ..)| *known == column).map_or((0, 0), |(_, x, width)| (*x, *width))
    }
    fn end(&self, column: Column) -> i32 {
        let (x, width) = self.of(column);
        x + width
    }
}

impl Picture<'_> {
    /// At which height each bus arrives at each of its ends: side by side where several do.
    fn arrivals(&self, buses: &[Bus]) -> Vec<Vec<i32>> {
        let arriving = |id: &String| buses.iter().filter(|bus| bus.to.contains(id)).count();
        let mut come: BTreeMap<&String, usize> = BTreeMap::new();
        let mut all = Vec::new();
        for bus in buses {
            let mut heights = Vec::new();
            for id in &bus.to {
                let Some(card) = self.cards.get(id) else { continue };
                let at = if card.column == Aggregate { card.y + HEAD / 2 } else { card.middle() };
                let place = come.entry(id).or_default();
                heights.push(at + step(*place, arriving(id), 9));
                *place += 1;
            }
            all.push(heights);
        }
        all
    }
    fn begins(&self, bus: &Bus) -> Vec<i32> {
        let height = |begin: &Begin| match begin {
            Begin::Sticker(id) => self.cards.get(id).map(Card::middle),
            Begin::Beneath(.., y) | Begin::Around(.., y) => Some(*y),
        };
        bus.from.iter().filter_map(height).collect()
    }
    /// A track for each bus, the short ones next to the stickers that they lead to.
    fn tracks(&self, buses: &[Bus], arrivals: &[Vec<i32>]) -> Vec<i32> {
        let spans = buses.iter().zip(arrivals).map(|(bus, ends)| {
            let heights = || self.begins(bus).into_iter().chain(ends.iter().copied());
            (heights().min().unwrap_or(0), heights().max().unwrap_or(0))
        });
        let spans: Vec<_> = spans.collect();
        let mut order: Vec<_> = (0..spans.len()).collect();
        order.sort_by_key(|&index| (spans[index].1 - spans[index].0, spans[index].0, index));
        let mut taken: Vec<Vec<(i32, i32)>> = Vec::new();
        let mut tracks = vec![0; spans.len()];
        for index in order {
            let (from, to) = spans[index];
            let free = |track: &Vec<(i32, i32)>| track.iter().all(|(first, last)| to + 8 < *first || *last + 8 < from);
            let track = taken.iter().position(free).unwrap_or_else(|| {
                taken.push(Vec::new());
                taken.len() - 1
            });
            taken[track].push((from, to));
            tracks[index] = i32::try_from(track).unwrap_or(i32::MAX);
        }
        tracks
    }

    fn across(&self, left: &[i32], right: &[i32]) -> Across {
        let gutter = |tracks: i32| if tracks == 0 { GUTTER } else { 2 * GUTTER + (tracks - 1) * TRACK };
        let many = |tracks: &[i32]| tracks.iter().max().map_or(0, |most| most + 1);
        let mut columns = Vec::new();
        let mut x = MARGIN + 12;
        for (column, _) in COLUMNS {
            let cards = self.cards.values().filter(|card| card.column == column);
            let mut width = cards.map(|card| wide(&card.name, 82).max(wide(&card.note, 62)) + 26).max().unwrap_or(0);
            if column == Actor {
                let titles = self.lanes.iter().map(|lane| wide(&lane.name, 100).max(wide(lane.rank, 65)) + 8);
                width = titles.max().unwrap_or(0).max(width);
            }
            if width == 0 {
                columns.push((column, x, 0));
                continue;
            }
            width = width.max(104);
            columns.push((column, x, width));
            x += width
                + match column {
                    Actor => gutter(many(left)),
                    Event => gutter(many(right)),
                    Policy => gutter(self.around),
                    Command | Aggregate => 30,
                    View => 0,
                };
        }
        let across = Across { columns, left: Vec::new(), right: Vec::new(), width: x + 12 + MARGIN };
        let (command, event) = (across.of(Command).0, across.end(Event));
        Across {
            left: left.iter().map(|track| command - GUTTER - track * TRACK).collect(),
            right: right.iter().map(|track| event + GUTTER + track * TRACK).collect(),
            ..across
        }
    }

    fn draw(&self) -> String {
        let (left, right) = (self.arrivals(&self.left), self.arrivals(&self.right));
        let across = self.across(&self.tracks(&self.left, &left), &self.tracks(&self.right, &right));
        let bottom = self.lanes.iter().map(|lane| lane.y + lane.height).max().unwrap_or(TOP);
        let (legend, wide) = legend(bottom + 26);
        let (width, height) = (across.width.max(wide), bottom + 26 + 40);
        let name = escaped(self.board.system);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <title>The event-storming board of {name}</title>\n<style>{STYLE}</style>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
             <text x=\"{MARGIN}\" y=\"40\" font-size=\"22\" font-weight=\"700\">{name}</text>\n\
             <text x=\"{MARGIN}\" y=\"60\" font-size=\"12\" style=\"fill:#78909c\">found by trying the code: jumun board {name} --svg</text>\n"
        );
        for lane in &self.lanes {
            let Lane { y, height, .. } = lane;
            let (wide, at) = (width - 2 * MARGIN, MARGIN + 14);
            put(
                &mut svg,
                &format!("<rect class=\"lane\" x=\"{MARGIN}\" y=\"{y}\" width=\"{wide}\" height=\"{height}\" rx=\"8\"/>"),
            );
            put(&mut svg, &format!("<text class=\"zone\" x=\"{at}\" y=\"{}\">{}</text>", y + 26, escaped(&lane.name)));
            put(&mut svg, &format!("<text class=\"rank\" x=\"{at}\" y=\"{}\">{}</text>", y + 42, lane.rank));
        }
        for (column, head) in COLUMNS {
            let (x, width) = across.of(column);
            if width > 0 {
                put(&mut svg, &format!("<text class=\"head\" x=\"{}\" y=\"{}\">{head}</text>", x + width / 2, TOP - 10));
            }
        }
        for (index, bus) in self.right.iter().enumerate() {
            self.bus(&mut svg, bus, across.right[index], &right[index], &across);
        }
        for (index, bus) in self.left.iter().enumerate() {
            self.bus(&mut svg, bus, across.left[index], &left[index], &across);
        }
        let (whole, parts): (Vec<_>, Vec<_>) = self.cards.values().partition(|card| card.column == Aggregate);
        whole.into_iter().for_each(|card| sticker(&mut svg, card, &across));
        self.says(&mut svg, &across);
        parts.into_iter().for_each(|card| sticker(&mut svg, card, &across));
        svg.push_str(&legend);
        svg.push_str("</svg>\n");
        svg
    }

    /// From commands to facts, across their aggregate.
    fn says(&self, svg: &mut String, across: &Across) {
        for link in self.board.links(Means::Says) {
            let (Some(from), Some(to)) = (self.cards.get(&link.from), self.cards.get(&link.to)) else { continue };
            let ((x, y), (end, at)) = ((across.end(Command), from.middle()), (across.of(Event).0, to.middle()));
            let half = (x + end) / 2;
            put(svg, &format!("<path class=\"says\" d=\"M{x} {y} C{half} {y} {half} {at} {} {at}\"/>", end - 6));
            tip(svg, "says", end, at);
        }
    }

    /// One trunk, what flows into it, and what it leads to.
    fn bus(&self, svg: &mut String, bus: &Bus, x: i32, ends: &[i32], across: &Across) {
        let begins = self.begins(bus);
        let heights = || begins.iter().chain(ends).copied();
        let (Some(top), Some(low)) = (heights().min(), heights().max()) else { return };
        let round = ((low - top) / 2).min(7);
        // an outermost end turns into the trunk, one in between meets it at a dot
        let mut dots = Vec::new();
        let mut turn = |y: i32| match y {
            _ if top == low => (x, y),
            _ if y == top => (x, y + round),
            _ if y == low => (x, y - round),
            _ => {
                dots.push(y);
                (x, y)
            }
        };
        if low - top > 2 * round {
            put(svg, &format!("<path class=\"{}\" d=\"M{x} {} V{}\"/>", bus.class, top + round, low - round));
        }
        for begin in &bus.from {
            let points = match begin {
                Begin::Sticker(id) => {
                    let Some(card) = self.cards.get(id) else { continue };
                    vec![(across.end(card.column), card.middle()), (x, card.middle()), turn(card.middle())]
                }
                Begin::Beneath(id, place, of, y) => {
                    let Some(card) = self.cards.get(id) else { continue };
                    let (start, width) = across.of(Aggregate);
                    let out = start + width * (place + 1) / (of + 1);
                    put(
                        svg,
                        &format!("<text class=\"asked\" x=\"{}\" y=\"{}\">{}</text>", start - 8, y - 5, escaped(&bus.label)),
                    );
                    vec![(out, card.y + card.height), (out, *y), (x, *y), turn(*y)]
                }
                Begin::Around(id, track, y) => {
                    let Some(card) = self.cards.get(id) else { continue };
                    let out = across.end(Policy) + GUTTER + track * TRACK;
                    vec![(across.end(Policy), card.middle()), (out, card.middle()), (out, *y), (x, *y), turn(*y)]
                }
            };
            put(svg, &format!("<path class=\"{}\" d=\"{}\"/>", bus.class, route(&points)));
        }
        for (id, &y) in bus.to.iter().filter(|id| self.cards.contains_key(*id)).zip(ends) {
            let end = across.of(self.cards[id].column).0;
            put(svg, &format!("<path class=\"{}\" d=\"{}\"/>", bus.class, route(&[turn(y), (x, y), (end - 6, y)])));
            tip(svg, bus.class, end, y);
        }
        for y in dots {
            put(svg, &format!("<circle class=\"{} tip\" cx=\"{x}\" cy=\"{y}\" r=\"2.6\"/>", bus.class));
        }
    }
}

/// How far from the middle this one of so many is.
fn step(place: usize, of: usize, apart: i32) -> i32 {
    let whole = |n: usize| i32::try_from(n).unwrap_or(0);
    (2 * whole(place) - whole(of) + 1) * apart / 2
}

/// A line around corners.
fn route(points: &[(i32, i32)]) -> String {
    let mut path = String::new();
    for (index, &(x, y)) in points.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| points[before]);
        match (before, points.get(index + 1)) {
            (None, _) => _ = write!(path, "M{x} {y}"),
            (Some(from), Some(&to)) => {
                let ((a, b), (c, d)) = (towards((x, y), from), towards((x, y), to));
                _ = write!(path, " L{a} {b} Q{x} {y} {c} {d}");
            }
            (Some(_), None) => _ = write!(path, " L{x} {y}"),
        }
    }
    path
}
/// A little from here to there; lines are level or upright.
fn towards((x, y): (i32, i32), (to_x, to_y): (i32, i32)) -> (i32, i32) {
    (x + (to_x - x).clamp(-7, 7), y + (to_y - y).clamp(-7, 7))
}

fn sticker(svg: &mut String, card: &Card, across: &Across) {
    let (x, width) = across.of(card.column);
    let Card { class, y, height, .. } = card;
    let (middle, round) = (x + width / 2, if *class == "actor" { 20 } else { 4 });
    let told = if card.told.is_empty() { String::new() } else { format!("<title>{}</title>", escaped(&card.told)) };
    put(
        svg,
        &format!(
            "<g>{told}<rect class=\"sticker {class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\"/>"
        ),
    );
    let whole = card.column == Aggregate;
    let name = match (whole, card.note.is_empty()) {
        (true, _) => 19,
        (_, true) => height / 2 + 4,
        (_, false) => height / 2 - 2,
    };
    put(svg, &format!("<text class=\"name\" x=\"{middle}\" y=\"{}\">{}</text>", y + name, escaped(&card.name)));
    if !card.note.is_empty() {
        let at = if whole { y + height - 8 } else { y + height / 2 + 12 };
        put(svg, &format!("<text class=\"note\" x=\"{middle}\" y=\"{at}\">{}</text>", escaped(&card.note)));
    }
    put(svg, "</g>");
}

fn tip(svg: &mut String, class: &str, x: i32, y: i32) {
    put(svg, &format!("<path class=\"{class} tip\" d=\"M{} {} L{x} {y} L{} {} Z\"/>", x - 8, y - 4, x - 8, y + 4));
}

/// What the colours and lines mean, and how wide that is.
fn legend(y: i32) -> (String, i32) {
    let mut svg = String::new();
    let mut x = MARGIN;
    let stickers = [
        ("command", "command"),
        ("aggregate", "aggregate"),
        ("event", "event"),
        ("private", "private event"),
        ("policy", "policy"),
        ("view", "view"),
        ("external", "outside"),
    ];
    for (class, label) in stickers {
        put(&mut svg, &format!("<rect class=\"sticker {class}\" x=\"{x}\" y=\"{y}\" width=\"16\" height=\"16\" rx=\"3\"/>"));
        put(&mut svg, &format!("<text x=\"{}\" y=\"{}\" font-size=\"11\">{label}</text>", x + 22, y + 12));
        x += 22 + wide(label, 70) + 14;
    }
    let lines = [("wishes", "wishes"), ("says", "leads to"), ("asks", "asks"), ("follows", "hears"), ("wants", "then wants")];
    for (class, label) in lines {
        let at = y + 8;
        put(&mut svg, &format!("<path class=\"{class}\" d=\"M{x} {at} H{}\"/>", x + 26));
        tip(&mut svg, class, x + 32, at);
        put(&mut svg, &format!("<text x=\"{}\" y=\"{}\" font-size=\"11\">{label}</text>", x + 38, y + 12));
        x += 38 + wide(label, 70) + 14;
    }
    (svg, x + MARGIN - 14)
}

/// About how wide a text is, at so many tenths of a pixel for a letter.
fn wide(text: &str, letter: i32) -> i32 {
    text.chars().map(|c| if c.is_ascii() { letter } else { 2 * letter }).sum::<i32>() / 10
}
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
fn put(svg: &mut String, what: &str) {
    svg.push_str(what);
    svg.push('\n');
}
