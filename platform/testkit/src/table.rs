//! The table on the wall, held to the rule and to the types.
use crate::{Rule, given};
use jumun_model::{Event, Refusal};
use std::collections::BTreeSet;

/// What stands for an empty decision.
const NOTHING: &str = "∅";
/// What stands for one that is empty because it can not come to that.
const NEVER: &str = "–";

/// A table that was found right.
#[derive(Debug)]
#[must_use = "say with `statuses` and `commands` of what it has to have a row and a column"]
pub struct Table<R: Rule> {
    rows: Vec<(String, R)>,
    columns: Vec<(String, R::Command)>,
}

/// Holds a rule to its table: every cell is what `decide` says to the command of its column in the state of its row, in case 7.
///
/// The table is written as in Markdown, with a name for each row and column. A cell holds the names of the facts, `∅` for none,
/// `–` for none as well where it can not come to that, or `!code` for a refusal. Each row and column that is written has to be
/// given, and each that is given has to be written.
///
/// # Panics
/// If anything differs: with everything that does, and the table that would be right.
#[track_caller]
pub fn check_table<R: Rule>(table: &str, states: Vec<(&str, R)>, commands: Vec<(&str, R::Command)>) -> Table<R> {
    let (right, wrong) = compare(table, &states, &commands);
    assert!(wrong.is_empty(), "\nThe table and the rule differ:\n  {}\nThis one would be right:\n{right}", wrong.join("\n  "));
    let rows = states.into_iter().map(|(name, state)| (name.to_owned(), state)).collect();
    Table { rows, columns: commands.into_iter().map(|(name, command)| (name.to_owned(), command)).collect() }
}

impl<R: Rule> Table<R> {
    /// Every status has a row, and every row begins with the status that its state is in.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn statuses(self, variants: &[&str], status: impl Fn(&R) -> &'static str) -> Self {
        covers(self.rows.iter().map(|(name, _)| name), variants);
        for (name, state) in &self.rows {
            assert_eq!(word(name), status(state), "the row {name:?} is given the state {state:?}");
        }
        self
    }
    /// Every command has a column, and every column begins with the name of its command.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn commands(self, variants: &[&str])
    where
        for<'c> &'c R::Command: Into<&'static str>,
    {
        covers(self.columns.iter().map(|(name, _)| name), variants);
        for (name, command) in &self.columns {
            assert_eq!(word(name), Into::<&'static str>::into(command), "the column {name:?} is given the command {command:?}");
        }
    }
}

/// Every variant begins at least one of the names, and every name begins with one of the variants.
///
/// # Panics
/// If not: with all that are missing.
#[track_caller]
pub fn covers(names: impl IntoIterator<Item = impl AsRef<str>>, variants: &[&str]) {
    let words: BTreeSet<String> = names.into_iter().map(|name| word(name.as_ref()).to_owned()).collect();
    let without: Vec<_> = variants.iter().filter(|variant| !words.contains(**variant)).collect();
    let unknown: Vec<_> = words.iter().filter(|word| !variants.contains(&word.as_str())).collect();
    assert!(without.is_empty() && unknown.is_empty(), "nothing for the variants {without:?}; no variants are {unknown:?}");
}

/// `Ordered` of `Ordered (shipped)`.
fn word(name: &str) -> &str {
    name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or(name)
}

/// The table that would be right, and what differs from it.
fn compare<R: Rule>(table: &str, states: &[(&str, R)], commands: &[(&str, R::Command)]) -> (String, Vec<String>) {
    let mut wrong = Vec::new();
    let mut lines = table.lines().map(cells).filter(|line| !line.is_empty());
    let header = lines.next().unwrap_or_default();
    let written: Vec<_> = lines.collect();
    let rows: Vec<&str> = written.iter().map(|line| line[0].as_str()).collect();
    let columns: Vec<&str> = header.iter().skip(1).map(String::as_str).collect();

    same("row", &rows, &states.iter().map(|(name, _)| *name).collect::<Vec<_>>(), &mut wrong);
    same("column", &columns, &commands.iter().map(|(name, _)| *name).collect::<Vec<_>>(), &mut wrong);
    for line in written.iter().filter(|line| line.len() > header.len()) {
        wrong.push(format!("row {} has more cells than there are columns", line[0]));
    }

    let mut right = vec![vec![header.first().cloned().unwrap_or_default()]];
    right[0].extend(in_order(&columns, commands).map(|(name, _)| (*name).to_owned()));
    for (row, state) in in_order(&rows, states) {
        let mut line = vec![(*row).to_owned()];
        for (column, command) in in_order(&columns, commands) {
            let decided = decide(state, command.clone());
            let fits = |cell: &str| cell == decided || (cell == NEVER && decided == NOTHING);
            // a row or column that is not written at all was named above
            let at = columns.iter().position(|name| name == column).map(|index| index + 1);
            let cell =
                written.iter().find(|line| line[0] == *row).zip(at).map(|(line, at)| line.get(at).map_or("", String::as_str));
            match cell {
                Some(cell) if fits(cell) => line.push(cell.to_owned()),
                _ => {
                    let cell = cell.map(|cell| if cell.is_empty() { "nothing" } else { cell });
                    wrong.extend(cell.map(|cell| format!("{row} × {column}: {cell} is written, the rule says {decided}")));
                    line.push(decided);
                }
            }
        }
        right.push(line);
    }
    (layout(&right), wrong)
}

/// The cells of a line; none if nothing, or only a rule, is on it.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim();
    if line.chars().all(|c| "|-: ".contains(c)) {
        return Vec::new();
    }
    let line = line.strip_prefix('|').unwrap_or(line);
    let line = line.strip_suffix('|').unwrap_or(line);
    line.split('|').map(|cell| cell.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn same(what: &str, written: &[&str], given: &[&str], wrong: &mut Vec<String>) {
    for (index, name) in written.iter().enumerate() {
        if written[..index].contains(name) {
            wrong.push(format!("{what} {name} is written twice"));
        } else if !given.contains(name) {
            wrong.push(format!("{what} {name} is written, but not given"));
        }
    }
    for (index, name) in given.iter().enumerate() {
        if given[..index].contains(name) {
            wrong.push(format!("{what} {name} is given twice"));
        } else if !written.contains(name) {
            wrong.push(format!("{what} {name} is given, but not written"));
        }
    }
}

/// What is given, in the order in which it is written, and what is not written after that.
fn in_order<'g, T>(written: &[&str], given: &'g [(&'g str, T)]) -> impl Iterator<Item = &'g (&'g str, T)> + use<'g, T> {
    let place = |name: &str| written.iter().position(|written| *written == name).unwrap_or(written.len());
    let mut places: Vec<_> = given.iter().map(|one| (place(one.0), one)).collect();
    places.sort_by_key(|(place, _)| *place);
    places.into_iter().map(|(_, one)| one)
}

fn decide<R: Rule>(state: &R, command: R::Command) -> String {
    match given(state.clone()).when(command).into_got() {
        Ok(facts) if facts.is_empty() => NOTHING.to_owned(),
        Ok(facts) => facts.iter().map(Event::name).collect::<Vec<_>>().join(" "),
        Err(no) => format!("!{}", no.code()),
    }
}

fn layout(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let wide =
        |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let wide: Vec<usize> = (0..columns).map(wide).collect();
    let line = |line: &Vec<String>| {
        let cells = line.iter().zip(&wide).map(|(cell, &wide)| format!(" {cell:wide$} "));
        format!("|{}|\n", cells.collect::<Vec<_>>().join("|"))
    };
    let mut table: Vec<String> = lines.iter().map(line).collect();
    table.insert(1, format!("|{}|\n", wide.iter().map(|wide| "-".repeat(wide + 2)).collect::<Vec<_>>().join("|")));
    table.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Pooled,
        toys::{Bell, Chest, Do, Take, failure},
    };
    use strum::VariantNames;

    const BELL: &str = "
        | Bell                | Hang   | Ring         | Ring (twice) |
        |---------------------|--------|--------------|--------------|
        | Absent              | `Hung` | !not-there   | !not-there   |
        | Hung                | ∅      | Rung         | Rung         |
        | Hung (and rung)     | –      | Rung         | Rung         |
    ";
    fn states() -> Vec<(&'static str, Bell)> {
        let hung = Bell { hung: true, rung: 0 };
        vec![("Absent", Bell::default()), ("Hung", hung.clone()), ("Hung (and rung)", Bell { rung: 3, ..hung })]
    }
    fn commands() -> Vec<(&'static str, Do)> {
        vec![("Hang", Do::Hang), ("Ring", Do::Ring(1)), ("Ring (twice)", Do::Ring(2))]
    }
    fn wrong(table: &str) -> Vec<String> {
        compare(table, &states(), &commands()).1
    }

    #[test]
    fn a_table_that_is_right_is_silent() {
        check_table(BELL, states(), commands()).statuses(&["Absent", "Hung"], Bell::status).commands(Do::VARIANTS);
        // also in another order than the given one
        let (mut states, mut commands) = (states(), commands());
        states.reverse();
        commands.reverse();
        check_table(BELL, states, commands).commands(Do::VARIANTS);
    }

    #[test]
    fn every_cell_that_differs_is_told_at_once_with_the_table_that_would_be_right() {
        let told = failure(|| {
            let table = "
                | Bell            | Hang | Ring       | Ring (twice) |
                | Absent          | –    | !not-there | !worn        |
                | Hung            | ∅    |            | ∅            |
                | Hung (and rung) | –    | Rung Rung  |
            ";
            check_table(table, states(), commands()).commands(Do::VARIANTS);
        });
        let expected = "
The table and the rule differ:
  Absent × Hang: – is written, the rule says Hung
  Absent × Ring (twice): !worn is written, the rule says !not-there
  Hung × Ring: nothing is written, the rule says Rung
  Hung × Ring (twice): ∅ is written, the rule says Rung
  Hung (and rung) × Ring: Rung Rung is written, the rule says Rung
  Hung (and rung) × Ring (twice): nothing is written, the rule says Rung
This one would be right:
| Bell            | Hang | Ring       | Ring (twice) |
|-----------------|------|------------|--------------|
| Absent          | Hung | !not-there | !not-there   |
| Hung            | ∅    | Rung       | Rung         |
| Hung (and rung) | –    | Rung       | Rung         |
";
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_written_is_given_and_what_is_given_is_written() {
        assert_eq!(
            wrong(&BELL.replace("| Hung  ", "| Rusty ")),
            ["row Rusty is written, but not given", "row Hung is given, but not written"]
        );
        assert_eq!(wrong(&BELL.replace("Hung (and rung)", "Absent")).first().unwrap(), "row Absent is written twice");
        assert_eq!(
            wrong(&BELL.replace("| Ring (twice) ", "| Knock ")),
            ["column Knock is written, but not given", "column Ring (twice) is given, but not written"]
        );
        assert_eq!(wrong(&BELL.replace("∅ ", "∅ | ∅")).first().unwrap(), "row Hung has more cells than there are columns");
        let (right, wrong) = compare("", &states(), &[("Hang", Do::Hang), ("Hang", Do::Hang)]);
        assert_eq!(wrong.last().unwrap(), "column Hang is given twice");
        assert!(right.contains("| Hung (and rung) | ∅ "), "{right}");
    }

    #[test]
    fn a_variant_without_a_row_or_column_fails_and_a_name_without_a_variant_too() {
        covers(["Ordered", "Ordered (shipped)", "Canceled"], &["Canceled", "Ordered"]);
        assert_eq!(
            failure(|| covers(["A (b)", "Ab"], &["A", "B"])),
            "nothing for the variants [\"B\"]; no variants are [\"Ab\"]"
        );
        let table = || check_table(BELL, states(), commands());
        assert!(failure(|| table().statuses(&["Absent", "Hung", "Lost"], Bell::status)).contains("[\"Lost\"]"));
        assert!(failure(|| table().commands(&["Hang", "Ring", "Melt"])).contains("[\"Melt\"]"));
    }

    #[test]
    fn a_row_or_column_called_as_another_fails() {
        const TABLE: &str = "
            | Bell   | Ring       |
            | Absent | !not-there |
            | Hung   | !not-there |
        ";
        let states = || vec![("Absent", Bell::default()), ("Hung", Bell::default())];
        let as_another = || check_table(TABLE, states(), vec![("Ring", Do::Ring(1))]).statuses(&["Absent", "Hung"], Bell::status);
        assert!(failure(as_another).contains("the row \"Hung\" is given the state"));
        let as_another =
            || check_table(&TABLE.replace("Ring ", "Hang "), states(), vec![("Hang", Do::Ring(1))]).commands(&["Hang"]);
        assert!(failure(as_another).contains("the column \"Hang\" is given the command"));
    }

    #[test]
    fn a_pool_has_a_table_too() {
        let table = "
            | Chest              | One   | Refill   |
            | Absent             | Taken | Refilled |
            | Taken              | ∅     | Refilled |
            | Absent (none left) | !worn | Refilled |
        ";
        let with = |left, entry| Pooled { root: Chest { left }, entry };
        let states = vec![("Absent", with(1, false)), ("Taken", with(0, true)), ("Absent (none left)", with(0, false))];
        check_table(table, states, vec![("One", Take::One), ("Refill", Take::Refill)])
            .statuses(&["Absent", "Taken"], |pool| if pool.entry { "Taken" } else { "Absent" })
            .commands(Take::VARIANTS);
    }
}
