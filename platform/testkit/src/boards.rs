//! The board of a system against its code.
use jumun_runtime::{
    System,
    board::{Board, Means},
};
use std::path::Path;

/// Holds a system's board to its code: what exploring finds is all there is, and all of it leads somewhere.
///
/// # Panics
/// Each of its checks does, where the board shows less, more, or something else.
pub struct Boards<'s> {
    system: &'s System,
    board: Board,
}
/// See [`Boards`].
pub fn boards(system: &System) -> Boards<'_> {
    Boards { system, board: system.board() }
}
impl Boards<'_> {
    /// Each context says exactly the facts of its contract; one that is not named here says none.
    pub fn says(&self, facts: &[(&str, &[&str])]) {
        for zone in &self.board.contexts {
            let names: Vec<_> = zone.facts.iter().map(|fact| fact.name).collect();
            let wanted = facts.iter().find(|(context, _)| *context == zone.name).map_or(&[][..], |(_, names)| *names);
            assert_eq!(names, wanted, "{} never says {:?}", zone.name, zone.unreached);
        }
    }
    /// The first aggregate of each of these contexts has exactly these commands, and somebody wishes each of them.
    pub fn wishes(&self, wishes: &[(&str, &[&str])]) {
        for (context, names) in wishes {
            let zone = self.board.contexts.iter().find(|zone| zone.name == *context).expect("it is there");
            let commands = &zone.aggregates[0].commands;
            assert_eq!(commands.iter().map(|command| command.name.as_str()).collect::<Vec<_>>(), *names, "{context}");
            for command in commands {
                let sticker = format!("command:{context}/{}/{}", zone.aggregates[0].name, command.name);
                let sent = command.due || !command.after.is_empty() || self.board.arrows.iter().any(|link| link.to == sticker);
                assert!(sent, "nobody wishes {sticker}");
            }
        }
    }
    /// Every line of every door is a command that leads to a fact, for each role that it is for.
    pub fn lines(&self) {
        let mut lines = 0;
        for link in self.board.links(Means::Wishes) {
            let leads = self.board.links(Means::Says).any(|says| says.from == link.to);
            assert!(leads, "{} of {} leads to {}, and no fact", link.labels.join(", "), link.from, link.to);
            lines += link.labels.len();
        }
        let all = self.system.contexts.iter().flat_map(|context| context.doors()).flat_map(|door| door.lines());
        assert_eq!(lines, all.map(|line| line.roles.len()).sum::<usize>(), "a line per role");
    }
    /// Its picture in that folder is as the code has it.
    pub fn drawn_in(&self, folder: &Path) {
        let file = folder.join(format!("{}.svg", self.system.name));
        let copy = std::fs::read_to_string(&file)
            .unwrap_or_else(|why| panic!("{} can not be read: {why}; `just board` writes it", file.display()));
        assert!(copy == self.board.svg(), "{} shows another board; `just board` writes it", file.display());
    }
}
