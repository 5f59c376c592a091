//! What has been learnt: a drifting Bayesian logistic model of an attempt's success.
//!
//! logit P(success | connector c, payment x) = m₀ + Σ shared effects(x) + Σ own effects of c(x) + bias of the account.
//! Shared effects absorb what is the issuer's or the merchant's fault, so that no connector is blamed for it. What the
//! customer gets wrong teaches none of them: its share is taken off what is expected. Every effect is a
//! [belief](super::belief) that fades towards its prior, and is corrected by each outcome in proportion to its variance.
//!
//! Here is what is kept, and what is forgotten of it; [`reading`] tells what is believed of a payment, and [`learning`] corrects
//! that by its outcome.

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::belief::Weight;
use super::calibration::Calibration;
use super::customers::Customers;
use super::features::{self, FEATURES, Feature};
use super::pages::Pages;
use super::slots::{Place, Slots};

mod learning;
mod reading;

pub(crate) use learning::Observation;

/// The effects of one connector.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Own {
    /// What it is in the long run.
    bias: Weight,
    /// That as it was when there was no evidence of a change.
    sound: Weight,
    /// How it is now, beside that.
    now: Weight,
    by_segment: Pages,
}

impl Own {
    fn fresh() -> Self {
        let bias = Weight::fresh(features::CONNECTOR_BIAS);
        Self { bias, sound: bias, now: Weight::fresh(features::CONNECTOR_NOW), by_segment: Pages::default() }
    }

    /// How much of it was known before there was evidence of a change, 0 to 1. A connector that failed from its first
    /// payment on has not changed.
    fn known(&self, clock: u64) -> f64 {
        let unknown = self.sound.now(features::CONNECTOR_BIAS, clock).variance / features::CONNECTOR_BIAS.variance;
        let unknown = unknown * unknown;
        (1.0 - unknown * unknown).max(0.0)
    }
}

/// Feature values and the effect that all connectors share of each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Shared {
    slots: Slots,
    weights: Vector<Weight>,
}

/// Everything learnt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Weights {
    clock: u64,
    bias: Weight,
    /// Values that connectors have effects of their own for.
    segments: Shared,
    /// Values that they have not.
    common: Shared,
    connectors: Vector<Own>,
    accounts: Vector<Weight>,
    customers: Customers,
    calibration: Calibration,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            clock: 0,
            bias: Weight::fresh(features::SHARED_BIAS),
            segments: Shared::default(),
            common: Shared::default(),
            connectors: Vector::new(),
            accounts: Vector::new(),
            customers: Customers::default(),
            calibration: Calibration::default(),
        }
    }
}

/// Whom an outcome is about.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// The connector's number.
    pub(crate) connector: u32,
    /// The account's number.
    pub(crate) account: u32,
}

/// A payment's features, each with its place; a value never seen has none, so its prior holds.
pub(crate) type Seen = [Option<(Option<Place>, Feature)>; FEATURES];

impl Weights {
    /// How many outcomes have been learnt: what beliefs fade by.
    pub(crate) const fn learnt(&self) -> u64 {
        self.clock
    }

    /// A connector's account has recovered: how it was of late no longer says how it is now.
    pub(crate) fn renew(&mut self, subject: Subject) {
        if let Some(weight) = self.accounts.get_mut(subject.account as usize) {
            *weight = Weight::fresh(features::ACCOUNT_BIAS);
        }
        if let Some(own) = self.connectors.get_mut(subject.connector as usize) {
            own.now = Weight::fresh(features::CONNECTOR_NOW);
        }
    }

    /// How many beliefs are held of a merchant and of accounts.
    pub(crate) fn held(&self, merchant: Option<u32>, accounts: &[u32]) -> usize {
        let merchant = merchant.and_then(|merchant| self.common.slots.get(Feature::Merchant(merchant)));
        usize::from(merchant.is_some()) + accounts.iter().filter(|account| (**account as usize) < self.accounts.len()).count()
    }

    /// Forgets what was learnt of a merchant and of accounts, back to their priors. Returns how many beliefs that were.
    pub(crate) fn forget(&mut self, merchant: Option<u32>, accounts: &[u32]) -> usize {
        let mut forgotten = 0;
        for account in accounts {
            if let Some(weight) = self.accounts.get_mut(*account as usize) {
                *weight = Weight::fresh(features::ACCOUNT_BIAS);
                forgotten += 1;
            }
        }
        let feature = merchant.map(Feature::Merchant);
        let place = feature.and_then(|feature| self.common.slots.get(feature));
        if let Some(prior) = feature.and_then(Feature::shared)
            && let Some(weight) = place.and_then(|place| self.common.weights.get_mut(place.slot as usize))
        {
            *weight = Weight::fresh(prior);
            forgotten += 1;
        }
        forgotten
    }

    const fn table(&self, feature: Feature) -> &Shared {
        if feature.is_segment() { &self.segments } else { &self.common }
    }
}

/// The features that a payment has, by their places among all.
fn known(seen: &Seen) -> impl Iterator<Item = (usize, (Option<Place>, Feature))> {
    seen.iter().enumerate().filter_map(|(index, feature)| Some((index, (*feature)?)))
}

#[cfg(test)]
mod tests;
