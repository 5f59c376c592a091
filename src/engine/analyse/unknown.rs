//! Decline codes that no table knows, by connector: what an operator may want to give a class.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::domain::Time;
use crate::engine::snapshot::UnknownCode;

/// Most codes held, over all connectors: connectors have a few unknown ones each. A sender that puts a new text there
/// with every payment fills no memory, and pushes out only what is as rare.
const MAX_CODES: usize = 256;

/// How often a code was seen, and when last.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    attempts: u64,
    last: Time,
}

/// The codes of the day.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct UnknownCodes {
    by_code: BTreeMap<(u32, CompactString), Seen>,
    /// Attempts with codes that were pushed out.
    others: u64,
}

impl UnknownCodes {
    /// One attempt failed with a code. Where there is no room, the rarest code goes, of those the one seen longest ago.
    pub(super) fn count(&mut self, connector: u32, code: &str, at: Time) {
        let key = (connector, CompactString::from(code));
        if !self.by_code.contains_key(&key) && self.by_code.len() >= MAX_CODES {
            let rarest = self.by_code.iter().min_by_key(|(_, seen)| (seen.attempts, seen.last)).map(|(key, _)| key.clone());
            let gone = rarest.and_then(|key| self.by_code.remove(&key));
            self.others += gone.map_or(0, |seen| seen.attempts);
        }
        let seen = self.by_code.entry(key).or_insert(Seen { attempts: 0, last: at });
        seen.attempts += 1;
        seen.last = seen.last.max(at);
    }

    /// The codes held, those seen most first.
    pub(super) fn rows(&self, name: &impl Fn(u32) -> String) -> Vec<UnknownCode> {
        let mut rows: Vec<UnknownCode> = self
            .by_code
            .iter()
            .map(|((connector, code), seen)| UnknownCode {
                connector: name(*connector),
                code: code.clone(),
                attempts: seen.attempts,
                last: seen.last,
            })
            .collect();
        // Stable: equals stay by connector and code.
        rows.sort_by_key(|row| core::cmp::Reverse(row.attempts));
        rows
    }

    /// Attempts with codes that are no longer held.
    pub(super) const fn others(&self) -> u64 {
        self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_frequent_stays_and_nothing_is_lost_from_the_count() {
        let mut codes = UnknownCodes::default();
        (0..3).for_each(|second| codes.count(7, "E42", Time::from_secs(second)));
        let flood = MAX_CODES as u64 * 4;
        for n in 0..flood {
            codes.count(1, &format!("ref-{n}"), Time::from_secs(10));
        }
        let rows = codes.rows(&|connector| connector.to_string());
        assert_eq!(rows.len(), MAX_CODES);
        assert_eq!((rows[0].connector.as_str(), rows[0].code.as_str(), rows[0].attempts), ("7", "E42", 3));
        assert_eq!(rows[0].last, Time::from_secs(2));
        assert_eq!(rows.iter().map(|row| row.attempts).sum::<u64>() + codes.others(), flood + 3);
    }
}
