//! What no single field can see: that names refer to something, and that every payment has somewhere to go.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;

use super::{Expectation, Expected, Fault, Scenario, field};
use crate::domain::{Bin, ConnectorAccount, ConnectorName, ProfileId};

/// The largest share of attempts that can succeed, whatever a file says: no connector approves everything, and the
/// logit of a rate of 1 is infinite.
const SUCCESS_MAX: f64 = 0.995;

/// Longest profile id (Hyperswitch's own limit) and connector name; an account, made of both, then fits its own limit.
const PROFILE_MAX: usize = 64;
const NAME_MAX: usize = 48;

/// Where in the file, and what is wrong.
type Refusal = (Range<usize>, String);

impl Scenario {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.name.is_empty() {
            return Err((0..0, "the scenario has no name: give it one, such as name = \"mine\"".to_owned()));
        }
        self.check_weights()?;
        self.check_connectors()?;
        self.check_merchants()?;
        for fault in &self.faults {
            let checked = self.check_fault(fault.get_ref()).and_then(|()| self.check_begins(fault.get_ref()));
            checked.map_err(|message| (fault.span(), message))?;
        }
        for expectation in &self.expectations {
            self.check_expectation(expectation.get_ref()).map_err(|message| (expectation.span(), message))?;
        }
        Ok(())
    }

    fn check_arm(&self, expected: &Expected) -> Result<(), String> {
        let Expected::ArmStopped(arm) = expected else { return Ok(()) };
        let mut arms = self.experiments.values().flat_map(|experiment| &experiment.arms);
        if arms.any(|one| one.name == *arm) {
            Ok(())
        } else {
            Err(format!("no experiment of this scenario has an arm `{arm}`"))
        }
    }

    /// A fault that never comes is no part of the scenario.
    fn check_begins(&self, fault: &Fault) -> Result<(), String> {
        if fault.at < self.duration {
            return Ok(());
        }
        let (at, duration) = (fault.at.as_secs_f64(), self.duration.as_secs_f64());
        Err(format!(
            "`at` is {at} s after the start, and the scenario ends after {duration} s: let it begin before that, or set \
             duration"
        ))
    }

    fn check_expectation(&self, expectation: &Expectation) -> Result<(), String> {
        self.check_arm(&expectation.expected(self.faults.len())?)?;
        match &expectation.slice {
            // What waits for a later part may name slices that there are none of yet.
            Some(slice) if expectation.needs.is_none() => {
                self.check_slice(slice).map_err(|message| format!("slice: {message}"))
            }
            _ => Ok(()),
        }
    }

    /// A slice as incidents name it, of what the scenario has: any other would never be met.
    fn check_slice(&self, slice: &str) -> Result<(), String> {
        let connector = |name: &str| self.known_connector(&ConnectorName::parse(name)?);
        if slice == "all traffic" {
            Ok(())
        } else if let Some(name) = slice.strip_prefix("connector ") {
            connector(name)
        } else if let Some(account) = slice.strip_prefix("account ") {
            let account = ConnectorAccount::parse(account)?;
            connector(account.connector())
        } else if let Some(profile) = slice.strip_prefix("merchant ") {
            self.known_merchant(&ProfileId::parse(profile)?)
        } else if let Some((name, bin)) = slice.split_once(" × BIN ") {
            connector(name)?;
            self.known_bin(Bin::parse(bin)?)
        } else {
            Err(format!(
                "no slice is called `{slice}`: write `connector adyen`, `account adyen:mca_7`, `adyen × BIN 424242`, `merchant \
                 pro_lumen` or `all traffic`"
            ))
        }
    }

    fn check_weights(&self) -> Result<(), Refusal> {
        field::check_weights("methods", &self.methods)?;
        field::check_weights("countries", &self.countries)?;
        field::check_weights("currencies", &self.currencies)
    }

    fn check_connectors(&self) -> Result<(), Refusal> {
        for (name, spanned) in &self.connectors {
            let connector = spanned.get_ref();
            let refuse = |message: String| Err((spanned.span(), format!("connector {name}: {message}")));
            if name.as_str().len() > NAME_MAX {
                return refuse(format!("the name is too long: allowed are up to {NAME_MAX} characters"));
            }
            if connector.latency_ms_p95 < connector.latency_ms {
                return refuse(format!("latency_ms_p95 must not be below latency_ms, {}", connector.latency_ms));
            }
            let most = (1.0 - self.customer_declines) * SUCCESS_MAX;
            if !(0.01..=most).contains(&connector.success) {
                return refuse(format!(
                    "success {} is out of range: allowed are 0.01 to {most:.3}, as customer_declines is {}",
                    connector.success, self.customer_declines
                ));
            }
        }
        self.check_coverage()
    }

    /// Every payment must have somewhere to go.
    fn check_coverage(&self) -> Result<(), Refusal> {
        let handled =
            |method, currency| self.connectors.values().any(|connector| connector.get_ref().handles(method, currency));
        let written = self.connectors.values().map(Spanned::span).find(|span| !span.is_empty());
        for &method in self.methods.get_ref().keys() {
            if let Some(currency) = self.currencies.get_ref().keys().find(|currency| !handled(method, **currency)) {
                let message = format!("no connector handles {method} in {currency}: add both to one, or take the method out");
                return Err((written.unwrap_or_else(|| self.methods.span()), message));
            }
        }
        Ok(())
    }

    fn check_merchants(&self) -> Result<(), Refusal> {
        if *self.pinned.get_ref() > self.merchants {
            return Err((
                self.pinned.span(),
                format!("pinned is out of range: allowed are 0 to {} (merchants)", self.merchants),
            ));
        }
        if self.merchants + self.listed.len() == 0 {
            return Err((self.pinned.span(), "there are no merchants: set merchants to 1 or more".to_owned()));
        }
        self.check_profiles()?;
        if let Some(first) = &self.pinned_first {
            self.known_connector(first.get_ref()).map_err(|message| (first.span(), message))?;
        }
        for merchant in &self.listed {
            for name in &merchant.get_ref().priority {
                self.known_connector(name).map_err(|message| (merchant.span(), format!("priority: {message}")))?;
            }
        }
        Ok(())
    }

    fn check_profiles(&self) -> Result<(), Refusal> {
        let mut seen = BTreeSet::new();
        for merchant in &self.listed {
            let profile = &merchant.get_ref().profile;
            if profile.as_str().len() > PROFILE_MAX {
                return Err((
                    merchant.span(),
                    format!("the profile id is too long: allowed are up to {PROFILE_MAX} characters"),
                ));
            }
            if !seen.insert(profile) {
                return Err((merchant.span(), format!("the profile {profile} is listed twice: give each merchant its own")));
            }
        }
        Ok(())
    }

    pub(in crate::sim) fn check_fault(&self, fault: &Fault) -> Result<(), String> {
        fault.check()?;
        if let Some(name) = &fault.connector {
            self.known_connector(name)?;
        }
        if let Some(profile) = &fault.merchant {
            self.known_merchant(profile)?;
        }
        if let Some(currency) = fault.currency
            && !self.currencies.get_ref().contains_key(&currency)
        {
            let known: Vec<String> = self.currencies.get_ref().keys().map(ToString::to_string).collect();
            return Err(format!("no currency {currency} is sold in in this scenario: there are {}", known.join(", ")));
        }
        if let Some(bin) = fault.bin {
            self.known_bin(bin)?;
        }
        if let Some(issuer) = fault.issuer
            && !self.bins.iter().any(|range| range.issuer == Some(issuer))
        {
            let known: BTreeSet<String> =
                self.bins.iter().filter_map(|range| range.issuer).map(|issuer| issuer.to_string()).collect();
            let known: Vec<String> = known.into_iter().collect();
            return Err(format!("no issuer {issuer} has a card in this scenario: there are {}", known.join(", ")));
        }
        Ok(())
    }

    fn known_merchant(&self, profile: &ProfileId) -> Result<(), String> {
        let all = self.all_merchants();
        if all.iter().any(|merchant| merchant.profile == *profile) {
            return Ok(());
        }
        let known: Vec<&str> = all.iter().take(30).map(|merchant| merchant.profile.as_str()).collect();
        Err(format!("no merchant is called `{profile}`: there are {}", known.join(", ")))
    }

    fn known_bin(&self, bin: Bin) -> Result<(), String> {
        if self.bins.iter().any(|range| range.bin == bin) {
            return Ok(());
        }
        let known: Vec<String> = self.bins.iter().map(|range| range.bin.to_string()).collect();
        Err(format!("no bin {bin} is met in this scenario: there are {}", known.join(", ")))
    }

    fn known_connector(&self, name: &ConnectorName) -> Result<(), String> {
        if self.connectors.contains_key(name) {
            return Ok(());
        }
        let known: Vec<&str> = self.connectors.keys().map(ConnectorName::as_str).collect();
        Err(format!("no connector is called `{name}`: there are {}", known.join(", ")))
    }
}
