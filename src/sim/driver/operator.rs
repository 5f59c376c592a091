//! Who decides in a simulation: nobody, an operator who answers after a while, or the engine by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::domain::settings::Levels;
use crate::domain::{ActionId, Autonomy, Command, OperatorName, Order, Time};
use crate::engine::snapshot::{ActionRow, ActionStatus};
use crate::sim::scenario::parse_duration;

/// How long an operator takes who is not said to take another time: to wake up, read and press a key.
const USUAL_ANSWER: Duration = Duration::from_mins(1);

/// How long a veto is waited for where no other time is said.
const USUAL_VETO: Duration = Duration::from_secs(30);

/// Shortest and longest time that a veto is waited for, as the configuration has it.
const VETO: (Duration, Duration) = (Duration::from_secs(5), Duration::from_hours(1));

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deciding {
    /// Nothing is proposed.
    Observe,
    /// Actions are proposed, and nobody carries them out.
    Suggest,
    /// An operator approves every proposal after a while.
    Approve(Duration),
    /// Actions are executed after a while, and nobody vetoes them.
    Veto(Duration),
    /// Actions are executed at once.
    Auto,
}

impl Default for Deciding {
    fn default() -> Self {
        Self::Approve(USUAL_ANSWER)
    }
}

impl FromStr for Deciding {
    type Err = String;

    /// Reads `observe`, `suggest`, `approve`, `approve:60s`, `veto`, `veto:30s`, `auto`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (level, after) = text.split_once(':').map_or((text, None), |(level, after)| (level, Some(after)));
        let after = after.map(parse_duration).transpose()?;
        match (level, after) {
            ("observe", None) => Ok(Self::Observe),
            ("suggest", None) => Ok(Self::Suggest),
            ("approve", after) => Ok(Self::Approve(after.unwrap_or(USUAL_ANSWER))),
            ("veto", after) => {
                let after = after.unwrap_or(USUAL_VETO);
                if (VETO.0..=VETO.1).contains(&after) {
                    Ok(Self::Veto(after))
                } else {
                    Err(format!("`{text}`: a veto is waited for 5s to 1h"))
                }
            }
            ("auto", None) => Ok(Self::Auto),
            _ => Err(format!("`{text}` is not one of observe, suggest, approve:60s, veto:30s, auto")),
        }
    }
}

impl fmt::Display for Deciding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observe => f.write_str("observe"),
            Self::Suggest => f.write_str("suggest"),
            Self::Approve(after) => write!(f, "approve:{}s", after.as_secs()),
            Self::Veto(after) => write!(f, "veto:{}s", after.as_secs()),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl Deciding {
    /// The ladder's levels that let it be so.
    #[must_use]
    pub fn levels(self, usual: &Levels) -> Levels {
        let level = match self {
            Self::Observe => Autonomy::Observe,
            Self::Suggest => Autonomy::Suggest,
            Self::Approve(_) => Autonomy::Approve,
            Self::Veto(_) => Autonomy::Veto,
            Self::Auto => Autonomy::Auto,
        };
        let veto_delay_s = if let Self::Veto(after) = self { after.as_secs() } else { usual.veto_delay_s };
        Levels { priority: level, exclusion: level, scaling: level, experiments: level, veto_delay_s }
    }
}

/// The simulated operator: sees proposals, and approves each after a while.
#[derive(Debug, Clone, Default)]
pub(in crate::sim) struct Operator {
    after: Option<Duration>,
    /// When each pending proposal is approved, and the version that is on the screen.
    due: BTreeMap<(Time, ActionId), u32>,
}

impl Operator {
    pub(in crate::sim) fn new(deciding: Option<Deciding>) -> Self {
        let after = if let Some(Deciding::Approve(after)) = deciding { Some(after) } else { None };
        Self { after, due: BTreeMap::new() }
    }

    /// Sees an action as it is now.
    pub(in crate::sim) fn see(&mut self, row: &ActionRow) {
        let Some(after) = self.after else { return };
        let key = (row.proposed_at + after, row.id);
        if row.status == ActionStatus::Pending && !row.executes_by_itself {
            self.due.insert(key, row.version);
        } else {
            self.due.remove(&key);
        }
    }

    /// When the next key is pressed.
    pub(in crate::sim) fn next_at(&self) -> Option<Time> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// The approval due at or before a time.
    pub(in crate::sim) fn press(&mut self, at: Time) -> Option<Command> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= at)?;
        let ((_, action), version) = entry.remove_entry();
        let operator = OperatorName::parse("simulated").ok()?;
        Some(Command { operator, order: Order::Approve { action, version } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deciding_reads_what_it_writes() {
        for text in ["observe", "suggest", "approve:60s", "approve:5s", "veto:30s", "auto"] {
            assert_eq!(text.parse::<Deciding>().unwrap().to_string(), text);
        }
        assert_eq!("approve".parse(), Ok(Deciding::default()));
        for wrong in ["", "auto:5s", "veto:1s", "approve:x", "yes"] {
            assert!(wrong.parse::<Deciding>().is_err(), "{wrong}");
        }
    }
}
