//! The sheet of what the engine may do: which row is chosen, and what `y` would set it to.

use crate::domain::{ActionClass, Autonomy, Order, Role};
use crate::engine::Snapshot;

/// Steps of the dial: the first ones are small, for that is where somebody begins who does not know us.
pub const DIAL: [u8; 8] = [0, 1, 5, 10, 25, 50, 75, 100];

/// A row of the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// The autonomy of a class; of all where there is none.
    Class(Option<ActionClass>),
    /// The share of payments that the engine routes.
    Dial,
    /// Whether all merchants are in shadow.
    Shadow,
    /// The kill switch.
    KillSwitch,
}

/// What is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    place: usize,
    /// The level that `y` would set.
    pub level: Autonomy,
    /// The dial that `y` would set, percent.
    pub dial: u8,
    /// The shadow that `y` would set.
    pub shadow: bool,
    /// The kill switch that `y` would set.
    pub pulled: bool,
}

impl Levels {
    /// As things are; none while the engine has not told its own.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Option<Self> {
        let level = snapshot.header.autonomy.as_ref()?.priority;
        let adoption = &snapshot.adoption;
        Some(Self { place: 0, level, dial: adoption.dial, shadow: adoption.shadow, pulled: adoption.kill_switch.is_some() })
    }

    /// Every row, in order.
    pub fn rows() -> impl Iterator<Item = Row> {
        let classes = ActionClass::ALL.into_iter().map(|class| Row::Class(Some(class)));
        core::iter::once(Row::Class(None)).chain(classes).chain([Row::Dial, Row::Shadow, Row::KillSwitch])
    }

    /// The row chosen.
    #[must_use]
    pub fn row(&self) -> Row {
        Self::rows().nth(self.place).unwrap_or(Row::Class(None))
    }

    /// The row above.
    pub const fn up(&mut self) {
        self.place = self.place.saturating_sub(1);
    }

    /// The row below.
    pub fn down(&mut self) {
        self.place = (self.place + 1).min(Self::rows().count() - 1);
    }

    /// The value below (-1) or above (1).
    pub fn shift(&mut self, by: isize) {
        match self.row() {
            Row::Class(_) => self.level = neighbour(Autonomy::ALL, |level| *level >= self.level, by),
            Row::Dial => self.dial = neighbour(&DIAL, |percent| *percent >= self.dial, by),
            Row::Shadow => self.shadow = by > 0,
            Row::KillSwitch => self.pulled = by > 0,
        }
    }

    /// The order that sets it.
    #[must_use]
    pub fn order(&self) -> Order {
        match self.row() {
            Row::Class(class) => Order::SetAutonomy { class, level: self.level },
            Row::Dial => Order::SetAdoption { profile: None, dial: Some(self.dial), shadow: None },
            Row::Shadow => Order::SetAdoption { profile: None, dial: None, shadow: Some(self.shadow) },
            Row::KillSwitch => Order::SetKillSwitch { pulled: self.pulled, reason: "".into() },
        }
    }

    /// The least role that may set it.
    #[must_use]
    pub fn role(&self) -> Role {
        if self.row() == Row::KillSwitch { Role::Operator } else { Role::Admin }
    }
}

/// The value beside the first one that is at least what is now.
fn neighbour<T: Copy>(values: &[T], at_least: impl Fn(&T) -> bool, by: isize) -> T {
    let last = values.len() - 1;
    let place = values.iter().position(at_least).unwrap_or(last);
    values[place.saturating_add_signed(by).min(last)]
}
