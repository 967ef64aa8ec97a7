//! A kiosk that takes from a shelf and prints a receipt, and what the board finds out about it.
use super::*;
use crate::{
    Context, Rank,
    door::{collection, pool_collection},
    keep, keep_pool, show,
};
use jumun_model::*;
use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

mod sale {
    use super::*;

    #[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    pub(super) struct Sale {
        shelf: u64,
        stage: u8,
        counted: u64,
    }
    #[derive(Clone, Debug)]
    pub(super) enum Do {
        Sell(u64),
        Got,
        Missed,
        GiveUp,
        Printed,
        Count,
        Stumble,
        Nothing,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
    #[serde(tag = "eventType")]
    pub(super) enum Fact {
        Wished { shelf: u64 },
        Sold,
        Missed { shelf: u64, late: bool },
        Counted { so_far: u64 },
        Printed,
        Lost,
    }
    impl Event for Fact {
        const CONTEXT: &'static str = "kiosk";
        const NAMES: &'static [&'static str] = Self::VARIANTS;
        fn name(&self) -> &'static str {
            self.into()
        }
        fn is_public(&self) -> bool {
            *self != Fact::Printed
        }
    }
    #[derive(Debug, thiserror::Error)]
    #[error("it is over")]
    pub(super) struct Over;
    impl Refusal for Over {
        fn code(&self) -> &'static str {
            "over"
        }
        fn kind(&self) -> Kind {
            Kind::Conflict
        }
    }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Print {}
    impl Ask for Print {
        const OF: &'static str = "printer";
        const NAME: &'static str = "print";
        type Answer = ();
    }

    impl Aggregate for Sale {
        const NAME: &'static str = "sale";
        const ROOT: &'static str = "sale";
        type Command = Do;
        type Event = Fact;
        type Refusal = Over;
        type Settings = ();
        fn decide(&self, _: &Occasion, command: Do) -> Result<Vec<Fact>, Over> {
            let missed = |late| vec![Fact::Missed { shelf: self.shelf, late }];
            Ok(match (self.stage, command) {
                (0, Do::Sell(shelf)) => vec![Fact::Wished { shelf }],
                (1, Do::Got) => vec![Fact::Sold],
                (1, Do::Missed) => missed(false),
                (1, Do::GiveUp) => missed(true),
                (2, Do::Printed) => vec![Fact::Printed],
                (0, Do::Count) => vec![Fact::Counted { so_far: self.counted + 1 }],
                (_, Do::Sell(_)) => return Err(Over),
                (_, Do::Stumble) => panic!("the rule stumbles"),
                _ => vec![],
            })
        }
        fn evolve(&mut self, _: &Occasion, fact: &Fact) {
            match fact {
                Fact::Wished { shelf } => (self.shelf, self.stage) = (*shelf, 1),
                Fact::Sold => self.stage = 2,
                Fact::Counted { so_far } => self.counted = *so_far,
                Fact::Missed { .. } | Fact::Printed | Fact::Lost => self.stage = 3,
            }
        }
        fn owes(&self, _: &Case, (): &()) -> Owes<Do> {
            match self.stage {
                1 => Owes::ask(&shelf::Take { shelf: self.shelf }, |got| Some(if got { Do::Got } else { Do::Missed }))
                    .until(Timestamp::EPOCH, Do::GiveUp),
                2 => Owes::ask(&Print {}, |()| Some(Do::Printed)),
                _ => Owes::nothing(),
            }
        }
        fn examples() -> Vec<Do> {
            vec![Do::Sell(4), Do::Got, Do::Missed, Do::GiveUp, Do::Printed, Do::Count, Do::Stumble, Do::Nothing]
        }
    }

    #[derive(Deserialize, schemars::JsonSchema)]
    pub(super) struct Wished {
        shelf: Numeric<1, 9>,
        #[expect(dead_code, reason = "it is there to be sampled")]
        on: Option<Day>,
    }
    #[derive(Deserialize, schemars::JsonSchema)]
    enum Day {
        Monday,
    }
    pub(super) fn context() -> Context {
        let door = collection::<Sale>("/sales")
            .opens("seller", |body: Wished| Ok(Do::Sell(body.shelf.0)), |_| Ok(()))
            .command("count", "owner & co", || Do::Count, |_| Ok(()))
            .edits("seller", |_: ()| Err(Over), |_| Ok(()));
        Context::named("kiosk", Rank::Core, 8001)
            .keeps(keep::<Sale>(()).asks::<shelf::Take>().asks::<Print>().whenever_every("CountAgain", count_again).door(door))
    }
    fn count_again(fact: &shelf::Fact) -> Option<Every<Do>> {
        (*fact == shelf::Fact::Filled).then(|| Every { key: "shelf", value: "4".to_owned(), command: Do::Count })
    }
}

mod shelf {
    use super::*;

    #[derive(Clone, Default, Debug, Serialize, Deserialize, schemars::JsonSchema)]
    pub(super) struct Shelf {
        full: bool,
        left: u64,
    }
    #[derive(Clone, Debug, IntoStaticStr)]
    pub(super) enum Do {
        Fill,
        Take,
        GiveBack,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
    #[serde(tag = "eventType")]
    pub(super) enum Fact {
        Filled,
        Taken,
        GivenBack,
    }
    impl Event for Fact {
        const CONTEXT: &'static str = "shelf";
        const NAMES: &'static [&'static str] = Self::VARIANTS;
        fn name(&self) -> &'static str {
            self.into()
        }
    }
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    pub(super) struct No(&'static str);
    impl Refusal for No {
        fn code(&self) -> &'static str {
            self.0
        }
        fn kind(&self) -> Kind {
            Kind::Conflict
        }
    }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Take {
        pub(super) shelf: u64,
    }
    impl Ask for Take {
        const OF: &'static str = "shelf";
        const NAME: &'static str = "take";
        type Answer = bool;
    }
    impl Pool for Shelf {
        const NAME: &'static str = "shelf";
        type Entry = bool;
        type Command = Do;
        type Event = Fact;
        type Refusal = No;
        fn decide(&self, has: &bool, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
            let own = on.case.root == "shelf";
            Ok(match command {
                Do::Fill if !own => return Err(No("not-yours")),
                Do::Take | Do::GiveBack if own => return Err(No("not-the-shelfs")),
                Do::Fill if !self.full => vec![Fact::Filled],
                Do::Take if *has => vec![],
                Do::Take if self.left == 0 => return Err(No("empty")),
                Do::Take => vec![Fact::Taken],
                Do::GiveBack if *has => vec![Fact::GivenBack],
                Do::Fill | Do::GiveBack => vec![],
            })
        }
        fn evolve(&mut self, has: &mut bool, _: &Occasion, fact: &Fact) {
            match fact {
                Fact::Filled => (self.full, self.left) = (true, 2),
                Fact::Taken => (self.left, *has) = (self.left - 1, true),
                Fact::GivenBack => (self.left, *has) = (self.left + 1, false),
            }
        }
        fn examples() -> Vec<Do> {
            vec![Do::Fill, Do::Take, Do::GiveBack]
        }
    }
    pub(super) fn context() -> Context {
        Context::named("shelf", Rank::Supporting, 8002).keeps(
            keep_pool::<Shelf>()
                .answers::<Take>(|ask| (ask.shelf, Do::Take), |has| has.is_ok_and(|has| *has))
                .whenever("GiveBack", |fact: &sale::Fact| match fact {
                    sale::Fact::Missed { shelf, late: true } => Some((*shelf, Do::GiveBack)),
                    _ => None,
                })
                .door(pool_collection::<Shelf>("/shelves").command("fill", "owner & co", || Do::Fill, |_| Ok(()))),
        )
    }
}

/// Follows sales, and of the shelf what cases of sales take from it.
#[derive(Clone, Default, Debug, Serialize, Deserialize, schemars::JsonSchema)]
struct Page {
    facts: u64,
}
impl View for Page {
    const NAME: &'static str = "page";
}
impl Follows<sale::Fact> for Page {
    fn follow(&mut self, _: &Occasion, fact: &sale::Fact) {
        self.facts += u64::from(*fact != sale::Fact::Sold);
    }
}
impl Follows<shelf::Fact> for Page {
    fn row(on: &Occasion, _: &shelf::Fact) -> Option<u64> {
        (on.case.root == "sale").then_some(on.case.number)
    }
    fn follow(&mut self, _: &Occasion, _: &shelf::Fact) {
        self.facts += 1;
    }
}

struct Printer;
impl crate::Answering for Printer {
    fn answer(&self, _: crate::Asked) -> futures_util::future::BoxFuture<'static, Result<serde_json::Value, crate::Unanswered>> {
        unreachable!("nothing of a board runs")
    }
}
fn of(contexts: Vec<Context>) -> System {
    System { name: "kiosks", topic: "kiosks", contexts, providers: vec![("printer", std::sync::Arc::new(Printer))] }
}
fn system() -> System {
    let page =
        Context::named("page", Rank::General, 8003).shows(show::<Page>("/page").follows::<sale::Fact>().follows::<shelf::Fact>());
    of(vec![sale::context(), shelf::context(), page])
}

#[test]
fn what_a_rule_does_is_found_by_trying_it() {
    let board = system().board();
    let told = |zone: &Zone| -> Vec<String> {
        let blue = |blue: &Blue| format!("{}: {:?} {:?} {:?} {}", blue.name, blue.facts, blue.refused, blue.after, blue.due);
        zone.aggregates[0].commands.iter().map(blue).collect()
    };
    assert_eq!(
        told(&board.contexts[0]),
        [
            r#"Sell: ["Wished"] ["over"] [] false"#,
            r#"Got: ["Sold"] [] ["shelf.take"] false"#,
            r#"Missed: ["Missed"] [] ["shelf.take"] false"#,
            r#"GiveUp: ["Missed"] [] [] true"#,
            r#"Printed: ["Printed"] [] ["printer.print"] false"#,
            r#"Count: ["Counted"] [] [] false"#,
            r#"Stumble: [] [] [] false"#,
            r#"Nothing: [] [] [] false"#,
        ]
    );
    assert_eq!(
        told(&board.contexts[1]),
        [
            r#"Fill: ["Filled"] ["not-yours"] [] false"#,
            r#"Take: ["Taken"] ["empty", "not-the-shelfs"] [] false"#,
            r#"GiveBack: ["GivenBack"] ["not-the-shelfs"] [] false"#,
        ]
    );
    // it counts without end, and is looked at only so far
    assert_eq!(board.contexts[0].aggregates[0].states, 512);
    // empty; full, with two, one or none left, each with and without something of the case
    assert_eq!(board.contexts[1].aggregates[0].states, 6);
}

#[test]
fn facts_are_known_by_a_sample_and_what_no_wish_leads_to_is_told() {
    let board = system().board();
    let kiosk = &board.contexts[0];
    let told: Vec<_> = kiosk.facts.iter().map(|fact| (fact.name, fact.public)).collect();
    assert_eq!(told, [("Wished", true), ("Sold", true), ("Missed", true), ("Counted", true), ("Printed", false)]);
    assert_eq!(kiosk.unreached, ["Lost"]);
    assert_eq!(kiosk.facts[2].sample, serde_json::json!({ "eventType": "Missed", "shelf": 4, "late": false }));
    assert_eq!(board.contexts[1].unreached, [""; 0]);
}

#[test]
fn every_arrow_is_found_and_always_in_the_same_order() {
    let board = system().board();
    assert_eq!(board, system().board());
    let mut told: Vec<_> = board
        .arrows
        .iter()
        .map(|Link { from, to, means, labels }| format!("{means:?} {from} > {to} {}", labels.join(", ")))
        .collect();
    let says = told.iter().filter(|arrow| arrow.starts_with("Says ")).count();
    told.retain(|arrow| !arrow.starts_with("Says "));
    assert_eq!(says, 9);
    assert_eq!(
        told,
        [
            "Wishes actor:seller > command:kiosk/sale/Sell open /sales",
            "Wishes actor:owner & co > command:kiosk/sale/Count count",
            "Wishes actor:seller > aggregate:kiosk/sale edit /sales", // trying it leads to no command
            "Follows fact:shelf/Filled > policy:kiosk/CountAgain<shelf ",
            "Wants policy:kiosk/CountAgain<shelf > command:kiosk/sale/Count ",
            "Asks aggregate:kiosk/sale > command:shelf/shelf/Take take",
            "Asks aggregate:kiosk/sale > provider:printer print",
            "Wishes actor:owner & co > command:shelf/shelf/Fill fill",
            "Follows fact:kiosk/Missed > policy:shelf/GiveBack<kiosk ",
            "Wants policy:shelf/GiveBack<kiosk > command:shelf/shelf/GiveBack ",
            "Follows fact:kiosk/Wished > view:page/page ",
            "Follows fact:kiosk/Counted > view:page/page ",
            "Follows fact:kiosk/Missed > view:page/page ",
            "Follows fact:shelf/Taken > view:page/page ",
            "Follows fact:shelf/GivenBack > view:page/page ",
        ]
    );
}

#[test]
fn what_does_not_hold_together_is_found_by_probing() {
    let stumbles = |context| Inconsistent::Stumbles { context, of: "sale", command: "Stumble".to_owned() };
    assert_eq!(system().check(), [stumbles("kiosk")]);
    let check = |context: Context| {
        let mut found = of(vec![sale::context(), shelf::context(), context]).check();
        found.retain(|wrong| !matches!(wrong, Inconsistent::Stumbles { .. }));
        found
    };
    let keeps = |name| Context::named(name, Rank::Core, 8003);
    let deaf: fn(&sale::Fact) -> Option<(u64, shelf::Do)> = |fact| match fact {
        sale::Fact::Printed | sale::Fact::Lost => Some((4, shelf::Do::Fill)), // private, and never said
        _ => None,
    };
    let policy = keeps("other").keeps(keep_pool::<shelf::Shelf>().whenever("Deaf", deaf));
    assert_eq!(check(policy), [Inconsistent::NeverWanted { context: "other", policy: "Deaf", publisher: "kiosk" }]);
    let silent = keeps("other").keeps(keep::<sale::Sale>(()).asks::<shelf::Take>());
    assert_eq!(check(silent), [Inconsistent::NotNamed { context: "other", of: "printer", ask: "print" }]);
    let open = keeps("other").keeps(keep_pool::<shelf::Shelf>().door(pool_collection::<shelf::Shelf>("/open").command(
        "fill",
        "",
        || shelf::Do::Fill,
        |_| Ok(()),
    )));
    assert_eq!(check(open), [Inconsistent::NoRole("/open")]);
    let owned = keeps("other")
        .keeps(keep_pool::<shelf::Shelf>().door(pool_collection::<shelf::Shelf>("/owned").owned_by("reader", "reader")));
    assert_eq!(check(owned), [Inconsistent::NoSuchKey { path: "/owned", key: "reader" }]);
    let count: fn(&shelf::Fact) -> Option<sale::Do> = |_| Some(sale::Do::Count);
    let fill: fn(&shelf::Fact) -> Option<(u64, shelf::Do)> = |_| Some((4, shelf::Do::Fill));
    let twice = keeps("other")
        .keeps(keep::<sale::Sale>(()).asks::<shelf::Take>().asks::<sale::Print>().whenever("Both", count))
        .keeps(keep_pool::<shelf::Shelf>().whenever("Both", fill));
    assert_eq!(check(twice), [Inconsistent::Twice("Both in other".to_owned())]);
}

#[test]
fn mermaid_shows_what_contexts_have_to_do_with_each_other() {
    let text = system().board().mermaid();
    for line in [
        r#"  actor_owner___co(["owner &amp; co"]):::actor"#,
        r#"  subgraph in_kiosk["kiosk · core"]"#,
        r#"    command_kiosk_sale_Sell & command_kiosk_sale_Count --- aggregate_kiosk_sale"#,
        r#"    policy_shelf_GiveBack_kiosk --> command_shelf_shelf_GiveBack"#,
        r#"  aggregate_kiosk_sale ==>|"take"| command_shelf_shelf_Take"#,
        r#"  aggregate_kiosk_sale ==>|"print"| provider_printer"#,
        r#"  fact_kiosk_Missed -.-> policy_shelf_GiveBack_kiosk"#,
        r#"  in_shelf -.->|facts| view_page_page"#,
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    for absent in ["Printed", "Lost", "Got"] {
        assert!(!text.contains(absent), "{absent} is nobody else's business:\n{text}");
    }
}

/// The stickers of a picture: left, top, right, bottom.
fn stickers(svg: &str) -> Vec<[i32; 4]> {
    let number = |line: &str, name: &str| -> i32 {
        let rest = line.split_once(&format!(" {name}=\"")).unwrap().1;
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let rects = svg.lines().filter(|line| line.contains("<rect class=\"sticker"));
    let [x, y, width, height] = ["x", "y", "width", "height"];
    rects
        .map(|line| {
            let (left, top) = (number(line, x), number(line, y));
            [left, top, left + number(line, width), top + number(line, height)]
        })
        .collect()
}

#[test]
fn the_picture_has_every_sticker_once_and_none_upon_another() {
    let board = system().board();
    let svg = board.svg();
    for name in
        ["owner &amp; co", "Stumble", "after shelf.take", "when it is time", "changes nothing", "Lost", "never reached", "pool"]
    {
        assert!(svg.contains(&format!(">{name}</text>")), "{name} is not in the picture");
    }
    assert!(svg.contains("<title>may be refused: empty, not-the-shelfs</title>") && !svg.contains("<script"), "{svg}");
    let all = stickers(&svg);
    // 3 actors, 11 commands, 2 aggregates, 9 facts, 2 policies, a view, a provider; and 7 colours of the legend
    assert_eq!(all.len(), 36);
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            let apart = one[2] <= other[0] || other[2] <= one[0] || one[3] <= other[1] || other[3] <= one[1];
            assert!(apart, "{one:?} lies upon {other:?}");
        }
    }
}
