//! The keys: one table, from which presses are looked up, `?` is written and the footer is drawn.
//!
//! No binding on what a split escape sequence may leave behind (`[`, `O`, A–D, F, H), on what tmux, screen and
//! flow control take (ctrl-a, -b, -q, -s); ctrl-z does what it does everywhere. What confirms is neither Enter nor the
//! key that opened the dialog, but for ctrl-c: pressed again it leaves, as in every program that asks.

use super::escape::Key;
use super::ui::timeline::{Marked, Travel};
use super::ui::{Mode, Panel};
use crate::domain::Role;

/// Where a key applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The panels, no dialog open.
    Panels,
    /// A dialog that is only read.
    Reading,
    /// A pending action, open for approval.
    Review,
    /// The question whether to take an action back.
    Undo,
    /// The levels of autonomy.
    Levels,
    /// The menu of faults.
    Faults,
    /// The question whether to leave.
    Leaving,
}

impl Scope {
    /// Every scope a key may belong to, in the order `?` lists them.
    pub const ALL: [Self; 7] =
        [Self::Panels, Self::Review, Self::Undo, Self::Levels, Self::Faults, Self::Reading, Self::Leaving];

    /// The least role that can be in it: who may not act is not told of keys for it.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Review | Self::Undo => Role::Operator,
            Self::Panels | Self::Levels | Self::Faults | Self::Reading | Self::Leaving => Role::Viewer,
        }
    }

    /// What `?` calls it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Panels => "Panels",
            Self::Reading => "Details and help",
            Self::Review => "Approval of an action",
            Self::Undo => "Undo of an action",
            Self::Levels => "Autonomy",
            Self::Faults => "Faults",
            Self::Leaving => "Quit",
        }
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// The next panel.
    Next,
    /// The panel before.
    Previous,
    /// That panel.
    Jump(Panel),
    /// A row up.
    Up,
    /// A row down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// The first row.
    First,
    /// The last row.
    Last,
    /// Opens the row's details.
    Open,
    /// Closes the dialog and changes nothing.
    Close,
    /// Goes to what waits for a person.
    Waiting,
    /// Takes the newest order of the list, follows the stream again.
    Fresh,
    /// Asks whether to take the action back.
    AskUndo,
    /// Lets what an action proposed be proposed again.
    Reopen,
    /// Opens the levels of autonomy.
    Levels,
    /// Opens the experiments.
    Experiments,
    /// Opens the learnt model.
    Model,
    /// Arms the panic bar.
    ArmPanic,
    /// Every class to observe, if the bar is armed.
    FirePanic,
    /// Everything gets the static order, if the bar is armed.
    Kill,
    /// Opens the keys.
    Help,
    /// Asks whether to leave.
    AskQuit,
    /// Stops and continues simulated or replayed time.
    Pause,
    /// One step on, where simulated time stands still.
    Step,
    /// Opens the menu of faults.
    AskFault,
    /// Lets the fault chosen happen.
    LetHappen,
    /// It runs faster.
    Faster,
    /// It runs slower.
    Slower,
    /// Goes elsewhere in the past.
    Travel(Travel),
    /// Asks for the time to go to.
    AskTime,
    /// Draws the whole screen again.
    Redraw,
    /// Stops the program, until the shell continues it.
    Suspend,
    /// Approves the action shown.
    Approve,
    /// Rejects the action shown.
    Reject,
    /// Asks for a reason, then rejects.
    RejectBecause,
    /// Shows what the action would have brought, had it been approved when it was proposed.
    Hindsight,
    /// Takes the action back.
    Undo,
    /// The level below.
    Lower,
    /// The level above.
    Higher,
    /// Sets the level chosen.
    SetLevel,
    /// Leaves.
    Quit,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// The keys, any of them.
    pub keys: &'static [Key],
    /// What the help calls the keys.
    pub name: &'static str,
    /// What they do, in a few words.
    pub label: &'static str,
    /// Where.
    pub scopes: &'static [Scope],
    /// What.
    pub does: Does,
    /// The least role for which the key exists.
    pub role: Role,
    /// Whether the footer names it.
    pub footer: bool,
}

const fn bind(name: &'static str, keys: &'static [Key], label: &'static str, scopes: &'static [Scope], does: Does) -> Binding {
    Binding { keys, name, label, scopes, does, role: Role::Viewer, footer: false }
}

impl Binding {
    const fn shown(self) -> Self {
        Self { footer: true, ..self }
    }

    const fn needs(self, role: Role) -> Self {
        Self { role, ..self }
    }
}

const PANELS: &[Scope] = &[Scope::Panels];
const REVIEW: &[Scope] = &[Scope::Review];
const UNDO: &[Scope] = &[Scope::Undo];
const LEVELS: &[Scope] = &[Scope::Levels];
const FAULTS: &[Scope] = &[Scope::Faults];
const LEAVING: &[Scope] = &[Scope::Leaving];
const PAGED: &[Scope] = &[Scope::Review, Scope::Undo, Scope::Reading];
const ANYWHERE: &[Scope] =
    &[Scope::Panels, Scope::Reading, Scope::Review, Scope::Undo, Scope::Levels, Scope::Faults, Scope::Leaving];

/// Every key there is. Within a scope no key stands twice: a test says so.
pub const BINDINGS: &[Binding] = &[
    bind("Enter", &[Key::Enter], "open", PANELS, Does::Open).shown(),
    bind("Tab", &[Key::Tab, Key::Right], "panel", PANELS, Does::Next).shown(),
    bind("t", &[Key::Char('t')], "time", PANELS, Does::AskTime).shown(),
    bind("n", &[Key::Char('n')], "anomaly", PANELS, Does::Travel(Travel::Next(Marked::Incident))).shown(),
    bind("x", &[Key::Char('x')], "action", PANELS, Does::Travel(Travel::Next(Marked::Action))).shown(),
    bind("d", &[Key::Char('d')], "next decision", PANELS, Does::Travel(Travel::NextDecision)),
    bind("N", &[Key::Char('N')], "anomaly before", PANELS, Does::Travel(Travel::Previous(Marked::Incident))),
    bind("X", &[Key::Char('X')], "action before", PANELS, Does::Travel(Travel::Previous(Marked::Action))),
    bind(",", &[Key::Char(',')], "a minute back", PANELS, Does::Travel(Travel::By(-60))),
    bind(".", &[Key::Char('.')], "a minute on", PANELS, Does::Travel(Travel::By(60))),
    bind("<", &[Key::Char('<')], "ten minutes back", PANELS, Does::Travel(Travel::By(-600))),
    bind(">", &[Key::Char('>')], "ten minutes on", PANELS, Does::Travel(Travel::By(600))),
    bind("0", &[Key::Char('0')], "beginning", PANELS, Does::Travel(Travel::Begin)),
    bind("$", &[Key::Char('$')], "end", PANELS, Does::Travel(Travel::End)),
    bind("w", &[Key::Char('w')], "waits", PANELS, Does::Waiting).shown(),
    bind("u", &[Key::Char('u')], "undo", &[Scope::Panels, Scope::Reading], Does::AskUndo).needs(Role::Operator).shown(),
    bind("l", &[Key::Char('l')], "autonomy", PANELS, Does::Levels).shown(),
    bind("e", &[Key::Char('e')], "experiments", PANELS, Does::Experiments),
    bind("m", &[Key::Char('m')], "model", PANELS, Does::Model),
    bind("!", &[Key::Char('!')], "panic", ANYWHERE, Does::ArmPanic).needs(Role::Operator).shown(),
    bind("p", &[Key::Char('p')], "fire the armed panic", ANYWHERE, Does::FirePanic).needs(Role::Operator),
    bind("K", &[Key::Char('K')], "pull the armed kill switch", ANYWHERE, Does::Kill).needs(Role::Operator),
    bind("?", &[Key::Char('?')], "help", PANELS, Does::Help).shown(),
    bind("q", &[Key::Char('q'), Key::Ctrl('c')], "quit", PANELS, Does::AskQuit).shown(),
    bind("Space", &[Key::Char(' ')], "pause", PANELS, Does::Pause).shown(),
    bind("s", &[Key::Char('s')], "one step, while paused", PANELS, Does::Step),
    bind("f", &[Key::Char('f')], "break something", PANELS, Does::AskFault),
    bind("+", &[Key::Char('+'), Key::Char('=')], "faster", PANELS, Does::Faster),
    bind("-", &[Key::Char('-')], "slower", PANELS, Does::Slower),
    bind("Shift-Tab", &[Key::BackTab, Key::Left], "panel before", PANELS, Does::Previous),
    bind("1", &[Key::Char('1')], "connectors", PANELS, Does::Jump(Panel::Connectors)),
    bind("2", &[Key::Char('2')], "incidents", PANELS, Does::Jump(Panel::Incidents)),
    bind("3", &[Key::Char('3')], "healing queue", PANELS, Does::Jump(Panel::Actions)),
    bind("4", &[Key::Char('4')], "scaling", PANELS, Does::Jump(Panel::Scaling)),
    bind("5", &[Key::Char('5')], "events", PANELS, Does::Jump(Panel::Events)),
    bind("Up k", &[Key::Up, Key::Char('k')], "row up", PANELS, Does::Up),
    bind("Down j", &[Key::Down, Key::Char('j')], "row down", PANELS, Does::Down),
    bind("PgUp", &[Key::PageUp], "ten rows up", PANELS, Does::PageUp),
    bind("PgDn", &[Key::PageDown], "ten rows down", PANELS, Does::PageDown),
    bind("Home", &[Key::Home], "first row", PANELS, Does::First),
    bind("End", &[Key::End], "last row", PANELS, Does::Last),
    bind("g", &[Key::Char('g')], "newest order, follow", PANELS, Does::Fresh),
    bind("Ctrl-L", &[Key::Ctrl('l')], "draw the screen again", ANYWHERE, Does::Redraw),
    bind("Ctrl-Z", &[Key::Ctrl('z')], "suspend", ANYWHERE, Does::Suspend),
    bind(
        "Enter",
        &[Key::Enter],
        "cancel",
        &[Scope::Review, Scope::Undo, Scope::Levels, Scope::Faults, Scope::Leaving],
        Does::Close,
    )
    .shown(),
    bind("y", &[Key::Char('y')], "approve", REVIEW, Does::Approve).needs(Role::Operator).shown(),
    bind("r", &[Key::Char('r')], "reject", REVIEW, Does::Reject).needs(Role::Operator).shown(),
    bind("R", &[Key::Char('R')], "reject with a reason", REVIEW, Does::RejectBecause).needs(Role::Operator).shown(),
    bind("h", &[Key::Char('h')], "what if", &[Scope::Review, Scope::Reading], Does::Hindsight).shown(),
    bind("a", &[Key::Char('a')], "propose again", &[Scope::Reading], Does::Reopen).needs(Role::Operator).shown(),
    bind("y", &[Key::Char('y')], "take it back", UNDO, Does::Undo).needs(Role::Operator).shown(),
    bind("Up k", &[Key::Up, Key::Char('k')], "row above", LEVELS, Does::Up),
    bind("Down j", &[Key::Down, Key::Char('j')], "row", LEVELS, Does::Down).shown(),
    bind("Left", &[Key::Left], "lower", LEVELS, Does::Lower).needs(Role::Operator).shown(),
    bind("Right", &[Key::Right], "higher", LEVELS, Does::Higher).needs(Role::Operator).shown(),
    bind("y", &[Key::Char('y')], "set", LEVELS, Does::SetLevel).needs(Role::Operator).shown(),
    bind("Up k", &[Key::Up, Key::Char('k')], "fault above", FAULTS, Does::Up),
    bind("Down j", &[Key::Down, Key::Char('j')], "fault", FAULTS, Does::Down).shown(),
    bind("y", &[Key::Char('y')], "let it happen", FAULTS, Does::LetHappen).shown(),
    bind("y", &[Key::Char('y'), Key::Ctrl('c')], "quit", LEAVING, Does::Quit).shown(),
    bind("Enter", &[Key::Enter], "close", &[Scope::Reading], Does::Close).shown(),
    bind("Esc", &[Key::Esc], "close, disarm", ANYWHERE, Does::Close),
    bind("PgDn", &[Key::PageDown, Key::Down, Key::Char('j'), Key::Char(' ')], "more", PAGED, Does::PageDown).shown(),
    bind("PgUp", &[Key::PageUp, Key::Up, Key::Char('k')], "page before", PAGED, Does::PageUp),
    bind("q", &[Key::Char('q')], "close", &[Scope::Reading], Does::Close),
];

impl Binding {
    /// Whether it works in every scope.
    #[must_use]
    pub fn everywhere(&self) -> bool {
        self.scopes.len() == Scope::ALL.len()
    }

    /// Whether the key exists at all for this role and mode: to a viewer no action does, in the past none does for
    /// anybody, and only a simulation and the past have a pace.
    #[must_use]
    pub fn exists(&self, role: Role, mode: &Mode) -> bool {
        let moves = matches!(self.does, Does::Travel(_) | Does::AskTime);
        let paced = matches!(self.does, Does::Pause | Does::Faster | Does::Slower);
        let breaks = matches!(self.does, Does::Step | Does::AskFault | Does::LetHappen);
        match mode {
            Mode::Live => role >= self.role && !paced && !breaks && !moves,
            Mode::Simulation { .. } => role >= self.role && !moves,
            // Nothing of the past waits for anybody.
            Mode::Past { .. } => self.role == Role::Viewer && !breaks && self.does != Does::Waiting,
        }
    }
}

/// The bindings that exist in a scope, in the table's order.
pub fn within(scope: Scope, role: Role, mode: &Mode) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |b| b.scopes.contains(&scope) && b.exists(role, mode))
}

/// What a key does in a scope.
#[must_use]
pub fn find(key: &Key, scope: Scope, role: Role, mode: &Mode) -> Option<Does> {
    within(scope, role, mode).find(|b| b.keys.contains(key)).map(|b| b.does)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_twice_in_a_scope() {
        for scope in Scope::ALL {
            let mut seen: Vec<&Key> = Vec::new();
            for binding in BINDINGS.iter().filter(|b| b.scopes.contains(&scope)) {
                for key in binding.keys {
                    assert!(!seen.contains(&key), "{key:?} twice in {scope:?}");
                    seen.push(key);
                }
            }
        }
    }

    #[test]
    fn no_key_is_the_rest_of_a_split_escape_or_taken_by_tmux() {
        let forbidden = "[OABCDFH".chars().map(Key::Char).chain("abqs".chars().map(Key::Ctrl));
        for key in forbidden {
            assert!(BINDINGS.iter().all(|b| !b.keys.contains(&key)), "{key:?} is bound");
        }
    }

    #[test]
    fn what_confirms_is_neither_enter_nor_the_key_that_opened() {
        let keys = |does: Does| BINDINGS.iter().filter(move |b| b.does == does).flat_map(|b| b.keys.iter());
        let openers = [Does::Open, Does::AskUndo, Does::Levels, Does::AskQuit, Does::ArmPanic];
        for confirming in
            [Does::Approve, Does::Reject, Does::Undo, Does::Reopen, Does::SetLevel, Does::Quit, Does::FirePanic, Does::Kill]
        {
            for key in keys(confirming) {
                assert!(
                    *key == Key::Ctrl('c') && confirming == Does::Quit
                        || *key != Key::Enter && openers.iter().all(|o| keys(*o).all(|k| k != key)),
                    "{key:?} confirms {confirming:?}"
                );
            }
        }
    }

    #[test]
    fn a_viewer_has_no_key_that_changes_the_world() {
        let (demo, past) = (Mode::Simulation { scenario: "outage".into(), seed: 1 }, Mode::Past { source: "log.db".into() });
        for scope in Scope::ALL {
            // In the past there is none for an admin either.
            for binding in within(scope, Role::Viewer, &demo).chain(within(scope, Role::Admin, &past)) {
                let acts = matches!(
                    binding.does,
                    Does::Approve
                        | Does::Reject
                        | Does::RejectBecause
                        | Does::Undo
                        | Does::AskUndo
                        | Does::Reopen
                        | Does::SetLevel
                        | Does::ArmPanic
                        | Does::FirePanic
                        | Does::Kill
                );
                assert!(!acts, "{binding:?}");
            }
        }
        assert_eq!(find(&Key::Char(' '), Scope::Panels, Role::Admin, &Mode::Live), None);
    }
}
