//! What of a payment the scores depend on, and the prior belief about each such effect.

use serde::{Deserialize, Serialize};

use crate::domain::{Bin, CardType, Context, Country, Credential, Initiator, Issuer, Method, Money, Network};

/// One value of one feature. Effects are kept per value; what is not known of a payment has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Feature {
    Method(Method),
    Country(Country),
    Bin(Bin),
    Network(Network),
    ThreeDs(bool),
    /// Who asks, where it is not the customer, which is the usual.
    Initiator(Initiator),
    Credential(Credential),
    CardType(CardType),
    /// The card was issued where the payment's currency is not at home; being at home is the usual.
    CrossBorder,
    /// The issuer, by a hash of its name.
    Issuer(u64),
    Merchant(u32),
    Amount(u8),
}

/// Prior variance and memory of an effect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prior {
    /// Variance before anything is learnt, in squared logits.
    pub(crate) variance: f64,
    /// Outcomes after which what was learnt has faded to 1/e.
    pub(crate) memory: f64,
}

/// Prior of what a connector is in the long run. All priors were tuned together, on worlds drawn like the routing
/// scenarios' and on their development seeds (`apos backtest routing --suite develop`); those of what no scenario tells of
/// (initiator, credential, card type, border, issuer) are those of their like.
pub(super) const CONNECTOR_BIAS: Prior = Prior { variance: 0.45, memory: 12_000.0 };
/// Prior of how a connector is now, beside that.
pub(super) const CONNECTOR_NOW: Prior = Prior { variance: 0.1, memory: 400.0 };
/// Prior of an account's bias: one merchant's bad credentials must not blame the connector for all.
pub(super) const ACCOUNT_BIAS: Prior = Prior { variance: 0.1, memory: 750.0 };
/// Prior of the bias shared by all connectors.
pub(super) const SHARED_BIAS: Prior = Prior { variance: 1.0, memory: 4_000.0 };

impl Feature {
    /// Prior of the effect that all connectors share: the issuer's or the merchant's part. None: there is no such effect.
    pub(super) const fn shared(self) -> Option<Prior> {
        let (variance, memory) = match self {
            Self::Method(_) | Self::Initiator(_) | Self::CrossBorder => (0.15, 3_000.0),
            Self::Country(_) | Self::ThreeDs(_) | Self::Credential(_) | Self::CardType(_) => (0.1, 3_000.0),
            Self::Issuer(_) => (0.1, 1_500.0),
            Self::Bin(_) => (0.17, 1_500.0),
            Self::Merchant(_) => (0.25, 500.0),
            Self::Amount(_) => (0.1, 6_000.0),
            Self::Network(_) => return None,
        };
        Some(Prior { variance, memory })
    }

    /// Prior of the effect a single connector has. None: there is no such effect.
    pub(super) const fn own(self) -> Option<Prior> {
        let (variance, memory) = match self {
            Self::Method(_) => (0.08, 6_000.0),
            Self::Bin(_) => (0.12, 11_500.0),
            Self::Country(_) => (0.09, 6_000.0),
            Self::Initiator(_) | Self::Credential(_) | Self::CrossBorder => (0.06, 6_000.0),
            Self::Network(_) | Self::ThreeDs(_) | Self::CardType(_) | Self::Issuer(_) => (0.04, 9_000.0),
            Self::Merchant(_) | Self::Amount(_) => return None,
        };
        Some(Prior { variance, memory })
    }

    /// Whether connectors have effects of their own for it.
    pub(crate) const fn is_segment(self) -> bool {
        !matches!(self, Self::Merchant(_) | Self::Amount(_))
    }

    /// Whether a change-point of a single connector is looked for among its payments.
    pub(crate) const fn watched(self) -> bool {
        matches!(self, Self::Method(_) | Self::Country(_) | Self::Bin(_) | Self::Initiator(_) | Self::Credential(_))
    }
}

/// How many features a payment has.
pub(crate) const FEATURES: usize = 12;

/// A payment's features, in a fixed order.
pub(crate) fn features(context: &Context, merchant: Option<u32>, amount: Option<Money>) -> [Option<Feature>; FEATURES] {
    [
        context.method.map(Feature::Method),
        context.country.map(Feature::Country),
        context.bin.map(Feature::Bin),
        context.network.map(Feature::Network),
        context.three_ds.map(Feature::ThreeDs),
        context.initiator.filter(|initiator| *initiator != Initiator::Customer).map(Feature::Initiator),
        context.credential.map(Feature::Credential),
        context.card_type.map(Feature::CardType),
        amount
            .zip(context.country)
            .filter(|(amount, country)| crosses_a_border(*amount, *country))
            .map(|_| Feature::CrossBorder),
        context.issuer.map(|issuer| Feature::Issuer(hash(&issuer))),
        merchant.map(Feature::Merchant),
        amount.map(|amount| Feature::Amount(bucket(amount))),
    ]
}

/// Whether the issuing country is known not to be a home of the payment's currency.
fn crosses_a_border(amount: Money, issued: Country) -> bool {
    amount.currency.is_home(issued) == Some(false)
}

/// FNV-1a of the name: the same on every platform. Two of 50,000 issuers share a hash once in 10¹⁰ times.
fn hash(issuer: &Issuer) -> u64 {
    issuer.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Amount bucket: the binary order of magnitude of the major units; amounts matter by ratio, not by difference.
fn bucket(amount: Money) -> u8 {
    let major = amount.minor.unsigned_abs() / 10_u64.pow(amount.currency.exponent());
    u8::try_from(u64::BITS - major.leading_zeros()).unwrap_or(u8::MAX)
}
