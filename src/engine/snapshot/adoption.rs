//! How much of the traffic the engine routes, and what it would have made of the rest.

use serde::Serialize;

use super::Estimate;
use crate::domain::{ProfileId, Time};

/// How much of the traffic the engine routes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AdoptionView {
    /// Share of payments that it routes, percent; the rest get the static order.
    pub dial: u8,
    /// Whether every payment gets the static order, and the engine's choice is recorded beside it.
    pub shadow: bool,
    /// Since when, by whom and why everything gets the static order.
    pub kill_switch: Option<KillSwitch>,
    /// Since when, and why, the engine routes with care.
    pub conservative: Option<Conservative>,
    /// Merchants that do not follow all in everything, by profile id; at most 100.
    pub merchants: Vec<MerchantAdoptionRow>,
    /// How many of those there are.
    pub merchants_apart: usize,
    /// What the engine would have made of payments in shadow: of all of them, then of each merchant.
    pub reports: Vec<ShadowReport>,
}

impl Default for AdoptionView {
    fn default() -> Self {
        Self {
            dial: 100,
            shadow: false,
            kill_switch: None,
            conservative: None,
            merchants: Vec::new(),
            merchants_apart: 0,
            reports: Vec::new(),
        }
    }
}

/// The kill switch is pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KillSwitch {
    /// Since when.
    pub since: Time,
    /// By whom.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

/// Errors are high and wide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conservative {
    /// Since when.
    pub since: Time,
    /// What was seen then.
    pub sentence: String,
}

/// What one merchant has apart from all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MerchantAdoptionRow {
    /// The merchant.
    pub profile: ProfileId,
    /// Its own dial, percent; none: that of all.
    pub dial: Option<u8>,
    /// Whether it is in shadow; none: as all.
    pub shadow: Option<bool>,
}

/// What the engine would have made of payments that got the static order in shadow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShadowReport {
    /// The merchant; none: all in shadow.
    pub merchant: Option<ProfileId>,
    /// Since when.
    pub since: Time,
    /// Until when, if it is over.
    pub until: Option<Time>,
    /// Attempts with an outcome.
    pub attempts: u64,
    /// What the engine would have added to the attempt rate, in points of a hundred.
    pub points: f64,
    /// The same, its 95 % interval.
    pub points_range: (f64, f64),
    /// Of the attempts that the engine would have sent elsewhere.
    pub estimate: Estimate,
}

impl AdoptionView {
    /// Whether the engine routes everything as usual: there is nothing to tell.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.words().is_empty()
    }

    /// What is not as usual, a few words each, the gravest first.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let killed = self.kill_switch.iter().map(|_| "kill switch: static order".to_owned());
        let conservative = self.conservative.iter().map(|_| "conservative".to_owned());
        let shadow = self.shadow.then(|| "shadow".to_owned());
        let dial = (self.dial < 100 && !self.shadow).then(|| format!("engine routes {} %", self.dial));
        let apart = match self.merchants_apart {
            0 => None,
            1 => Some("1 merchant apart".to_owned()),
            several => Some(format!("{several} merchants apart")),
        };
        killed.chain(conservative).chain(shadow).chain(dial).chain(apart).collect()
    }

    /// That the kill switch is pulled, as anybody may know it: who pulled it and why follows it elsewhere.
    pub const KILLED: &str = "routing: the kill switch is pulled";

    /// What keeps the engine from routing as it was set up to, a sentence each, of the part `routing`: the kill switch and
    /// conservative routing. Shadow and dial are how it was set up.
    #[must_use]
    pub fn unwell(&self) -> Vec<String> {
        let killed = self.kill_switch.iter().map(|KillSwitch { by, reason, .. }| match reason.as_str() {
            "" => format!("{} by {by}", Self::KILLED),
            reason => format!("{} by {by}: {reason}", Self::KILLED),
        });
        let conservative =
            self.conservative.iter().map(|Conservative { sentence, .. }| format!("routing: conservative: {sentence}"));
        killed.chain(conservative).collect()
    }
}

impl ShadowReport {
    /// "+1.8 points (0.4 to 3.2) of 4,120 attempts, 912 elsewhere: EUR 3,100 (900 to 5,300), 74 payments".
    #[must_use]
    pub fn sentence(&self) -> String {
        let (low, high) = self.points_range;
        format!(
            "{:+.1} points ({low:.1} to {high:.1}) of {} attempts, {} elsewhere: {}{}",
            self.points,
            self.attempts,
            self.estimate.attempts,
            if self.points < 0.0 { "lost " } else { "" },
            self.estimate.worth()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_usual_is_not_told() {
        assert!(AdoptionView::default().is_plain());
        let kill_switch = Some(KillSwitch { since: Time::ZERO, by: "kim".to_owned(), reason: String::new() });
        let view = AdoptionView { dial: 25, kill_switch, merchants_apart: 2, ..AdoptionView::default() };
        assert_eq!(view.words(), ["kill switch: static order", "engine routes 25 %", "2 merchants apart"]);
        let shadow = AdoptionView { dial: 25, shadow: true, ..AdoptionView::default() };
        assert_eq!(shadow.words(), ["shadow"], "in shadow nothing is routed, whatever the dial says");
        assert!(shadow.unwell().is_empty(), "it was set up so");
    }

    #[test]
    fn what_keeps_it_from_routing_as_set_up_is_told_with_its_reason() {
        let killed = |reason: &str| KillSwitch { since: Time::ZERO, by: "kim".to_owned(), reason: reason.to_owned() };
        let conservative = Some(Conservative { since: Time::ZERO, sentence: "3 of 4 connectors fail".to_owned() });
        let view = AdoptionView { kill_switch: Some(killed("wrong figures")), conservative, ..AdoptionView::default() };
        let told =
            ["routing: the kill switch is pulled by kim: wrong figures", "routing: conservative: 3 of 4 connectors fail"];
        assert_eq!(view.unwell(), told);
        let view = AdoptionView { kill_switch: Some(killed("")), ..AdoptionView::default() };
        assert_eq!(view.unwell(), ["routing: the kill switch is pulled by kim"]);
    }
}
