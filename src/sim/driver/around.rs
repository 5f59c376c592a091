//! What stands around the engine, as a simulated world has it: the log that may be down, the leader that may be gone, the
//! tables that may be slow. Nothing here reaches the engine; it is what its screen says of the parts beside it.

use std::time::Duration;

use crate::domain::Time;

/// Rows so far behind the log are told of: at full load they are less.
const TOLD_BEHIND: Duration = Duration::from_secs(5);

/// The tables: how far their rows are behind the log. The projector writes what there was when a write began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tables {
    /// Rows are complete up to here.
    written: Time,
    /// The write on its way: up to where, and when it ends.
    writing: Option<(Time, Time)>,
    longest: Duration,
}

impl Tables {
    /// Time has come to `now`; a write that begins takes so long.
    pub(super) fn advance(&mut self, now: Time, takes: Duration) {
        if let Some((upto, _)) = self.writing.take_if(|(_, ends)| *ends <= now) {
            self.written = upto;
        }
        if takes.is_zero() && self.writing.is_none() {
            self.written = now;
        } else {
            self.writing.get_or_insert((now, now + takes));
        }
        self.longest = self.longest.max(now.since(self.written));
    }

    /// How far the rows were behind at most.
    pub(super) const fn longest(&self) -> Duration {
        self.longest
    }

    fn condition(&self, now: Time) -> Option<String> {
        let behind = now.since(self.written);
        (behind > TOLD_BEHIND)
            .then(|| format!("tables: rows are {} s behind: the database is slow (simulated)", behind.as_secs()))
    }
}

/// One sentence for each part that is degraded, as live: `part: reason`.
pub(super) fn conditions(now: Time, spooled: Option<usize>, led: bool, tables: &Tables) -> Vec<String> {
    let spool = spooled.map(|waits| format!("log: it takes nothing (simulated); {waits} entries wait for it"));
    let lease = (!led).then(|| "lease: nobody leads (simulated)".to_owned());
    spool.into_iter().chain(lease).chain(tables.condition(now)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_tables_fall_behind_by_two_writes_at_most_and_catch_up() {
        let (mut tables, takes) = (Tables::default(), Duration::from_secs(30));
        for second in 0..600 {
            tables.advance(Time::from_secs(second), if second < 300 { takes } else { Duration::ZERO });
        }
        assert!((takes..=2 * takes).contains(&tables.longest()), "{:?}", tables.longest());
        assert_eq!(conditions(Time::from_secs(600), None, true, &tables), Vec::<String>::new());
        let late = conditions(Time::from_secs(700), Some(3), false, &tables);
        let parts: Vec<&str> = late.iter().filter_map(|sentence| sentence.split(':').next()).collect();
        assert_eq!(parts, ["log", "lease", "tables"]);
    }
}
