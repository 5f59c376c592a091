//! How much of the traffic the engine routes now: what configurations and operators said last.

use compact_str::CompactString;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::RoutingView;
use crate::domain::settings::MerchantAdoption;
use crate::domain::{Command, Order, ProfileId, Settings, Time};

/// Who pulled the kill switch when it was a configuration.
const BY_CONFIGURATION: &str = "the configuration";

/// The kill switch is pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Killed {
    pub(crate) at: Time,
    pub(crate) by: CompactString,
    pub(crate) reason: CompactString,
}

/// Errors are high and wide: the engine routes with care.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cautious {
    pub(crate) since: Time,
    /// What was seen then, in words.
    pub(crate) sentence: String,
    /// Since when it has been well again.
    pub(crate) well_since: Option<Time>,
    /// Since when too little is attempted to tell.
    pub(crate) quiet_since: Option<Time>,
}

/// How much of the traffic the engine routes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Adoption {
    pub(crate) killed: Option<Killed>,
    /// Percent of all payments.
    pub(crate) dial: u8,
    pub(crate) shadow: bool,
    /// Merchants that do not follow all in everything, by number.
    pub(crate) merchants: OrdMap<u32, MerchantAdoption>,
    pub(crate) cautious: Option<Cautious>,
}

impl Default for Adoption {
    fn default() -> Self {
        Self { killed: None, dial: 100, shadow: false, merchants: OrdMap::new(), cautious: None }
    }
}

impl Adoption {
    /// Whether the engine routes everything, and without care: nothing here shapes a decision.
    pub(super) fn is_plain(&self) -> bool {
        self.killed.is_none() && self.cautious.is_none() && self.dial == 100 && !self.shadow && self.merchants.is_empty()
    }

    /// Whether a merchant is in shadow, and the percentage of its payments that the engine routes.
    pub(crate) fn of(&self, merchant: Option<u32>) -> (bool, u8) {
        let own = merchant.and_then(|merchant| self.merchants.get(&merchant)).copied().unwrap_or_default();
        (own.shadow.unwrap_or(self.shadow), own.dial.unwrap_or(self.dial))
    }
}

impl RoutingView {
    /// How much of the traffic the engine routes.
    pub(crate) const fn adoption(&self) -> &Adoption {
        &self.adoption
    }

    /// Why the engine routes with care, if it does.
    pub(crate) const fn cautious_mut(&mut self) -> &mut Option<Cautious> {
        &mut self.adoption.cautious
    }

    /// Takes over what a configuration changes; what stays the same leaves what operators set since, and the first
    /// configuration leaves what they set before it.
    pub(crate) fn configure_adoption(&mut self, before: &Settings, now: &Settings, first: bool) {
        let (was, is) = (&before.adoption, &now.adoption);
        take(&mut self.adoption.dial, was.dial, is.dial, first);
        take(&mut self.adoption.shadow, was.shadow, is.shadow, first);
        let mut killed = self.adoption.killed.is_some();
        take(&mut killed, was.kill_switch, is.kill_switch, first);
        if killed != self.adoption.killed.is_some() {
            self.adoption.killed = killed.then(|| self.killed_by(BY_CONFIGURATION, ""));
        }
        if !is.conservative {
            self.adoption.cautious = None;
        }
        let listed = before.merchants.keys().chain(now.merchants.keys().filter(|one| !before.merchants.contains_key(*one)));
        for profile in listed {
            let of = |settings: &Settings| settings.merchants.get(profile).map(|one| one.adoption).unwrap_or_default();
            let known = self.profiles.get(profile).and_then(|number| self.adoption.merchants.get(&number));
            let mut own = known.copied().unwrap_or_default();
            take(&mut own, of(before), of(now), first);
            self.set_merchant_adoption(profile, own);
        }
    }

    /// Carries out an order about it, if it is one; the sentence that says so.
    pub(crate) fn obey(&mut self, command: &Command) -> Option<String> {
        let who = command.operator.as_str();
        match &command.order {
            Order::SetAdoption { profile: Some(profile), dial, shadow } => {
                let own = MerchantAdoption { dial: dial.map(|percent| percent.min(100)), shadow: *shadow };
                self.set_merchant_adoption(profile, own);
                Some(format!("{}, set by {who}", merchant_sentence(profile, own)))
            }
            Order::SetAdoption { profile: None, dial, shadow } => {
                self.adoption.dial = dial.map_or(self.adoption.dial, |percent| percent.min(100));
                self.adoption.shadow = shadow.unwrap_or(self.adoption.shadow);
                let Adoption { dial, shadow, .. } = self.adoption;
                let shadow = if shadow { "; in shadow" } else { "" };
                Some(format!("the engine routes {dial} % of the payments{shadow}, set by {who}"))
            }
            Order::SetKillSwitch { pulled: true, reason } => {
                // Who was first stays.
                if self.adoption.killed.is_none() {
                    self.adoption.killed = Some(self.killed_by(who, reason));
                }
                let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                Some(format!("the kill switch is pulled by {who}{why}; everything gets the static order"))
            }
            Order::SetKillSwitch { pulled: false, .. } => {
                self.adoption.killed = None;
                Some(format!("the kill switch is released by {who}"))
            }
            _ => None,
        }
    }

    fn killed_by(&self, who: &str, reason: &str) -> Killed {
        Killed { at: self.at, by: who.into(), reason: reason.into() }
    }

    fn set_merchant_adoption(&mut self, profile: &ProfileId, own: MerchantAdoption) {
        if own.follows() {
            if let Some(number) = self.profiles.get(profile) {
                self.adoption.merchants.remove(&number);
            }
        } else if let Some(number) = self.intern_profile(profile) {
            self.adoption.merchants.insert(number, own);
        }
    }
}

/// A value that a configuration changes is taken over, unless it is the first one and an operator was before it.
fn take<T: PartialEq + Copy>(current: &mut T, before: T, now: T, first: bool) {
    let ordered = first && *current != before;
    if before != now && !ordered {
        *current = now;
    }
}

fn merchant_sentence(profile: &ProfileId, own: MerchantAdoption) -> String {
    let dial = own.dial.map(|percent| format!("the engine routes {percent} % of its payments"));
    let shadow = own.shadow.map(|shadow| if shadow { "it is in shadow" } else { "it is in no shadow" }.to_owned());
    let said: Vec<String> = dial.into_iter().chain(shadow).collect();
    if said.is_empty() { format!("{profile} follows all merchants") } else { format!("{profile}: {}", said.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OperatorName;
    use crate::domain::settings::Merchant;

    fn order(view: &mut RoutingView, order: Order) -> String {
        view.obey(&Command { operator: OperatorName::parse("kim").unwrap(), order }).unwrap()
    }

    fn dialled(dial: u8) -> Settings {
        let mut settings = Settings::default();
        settings.adoption.dial = dial;
        settings
    }

    #[test]
    fn a_configuration_overrides_operators_only_in_what_it_changes() {
        let mut view = RoutingView::default();
        order(&mut view, Order::SetAdoption { profile: None, dial: Some(25), shadow: None });
        view.configure_adoption(&Settings::default(), &dialled(50), true);
        assert_eq!(view.adoption.dial, 25, "what was ordered before the first configuration stays");
        view.configure_adoption(&dialled(50), &dialled(50), false);
        assert_eq!(view.adoption.dial, 25);
        view.configure_adoption(&dialled(50), &dialled(60), false);
        assert_eq!(view.adoption.dial, 60);
        let mut killing = dialled(60);
        killing.adoption.kill_switch = true;
        view.configure_adoption(&dialled(60), &killing, false);
        assert_eq!(view.adoption.killed.as_ref().unwrap().by, BY_CONFIGURATION);
        order(&mut view, Order::SetKillSwitch { pulled: false, reason: "".into() });
        view.configure_adoption(&killing, &killing, false);
        assert!(view.adoption.killed.is_none() && !view.adoption.is_plain());
    }

    #[test]
    fn a_merchant_has_what_it_was_given_and_follows_all_in_the_rest() {
        let mut view = RoutingView::default();
        let profile = ProfileId::parse("pro_1").unwrap();
        let own = |dial, shadow| Order::SetAdoption { profile: Some(profile.clone()), dial, shadow };
        assert_eq!(order(&mut view, own(Some(10), None)), "pro_1: the engine routes 10 % of its payments, set by kim");
        order(&mut view, Order::SetAdoption { profile: None, dial: Some(80), shadow: Some(true) });
        let number = view.profiles.get(&profile);
        assert_eq!((view.adoption.of(number), view.adoption.of(None)), ((true, 10), (true, 80)));
        order(&mut view, own(None, Some(false)));
        assert_eq!(view.adoption.of(number), (false, 80));
        assert!(order(&mut view, own(None, None)).contains("follows all"));
        assert_eq!(view.adoption.of(number), (true, 80));
        let adoption = MerchantAdoption { dial: Some(5), shadow: None };
        let settings = Settings { merchants: [(profile, Merchant { adoption, ..Merchant::default() })].into(), ..dialled(100) };
        view.configure_adoption(&Settings::default(), &settings, false);
        assert_eq!(view.adoption.of(number), (true, 5));
    }
}
