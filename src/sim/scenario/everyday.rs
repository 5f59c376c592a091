//! What a scenario is like where its file says nothing: a mid-sized European switch on an ordinary Tuesday.
//!
//! The card ranges are those test cards of the connectors' public documentation, or unassigned neighbours of them:
//! nobody's card is in a simulation.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;

use super::{Aftermath, Capacity, CardRange, ConnectorProfile, Outcomes, Scenario, Ticket};
use crate::domain::{Bin, CardType, ConnectorName, Country, Currency, Issuer, Method, ProfileId, Time};

/// Cards lead, wallets follow, as in any European web shop.
const METHODS: [(Method, f64); 4] =
    [(Method::Card, 0.8), (Method::Wallet, 0.13), (Method::BankRedirect, 0.05), (Method::PayLater, 0.02)];

const COUNTRIES: [(&str, f64); 8] =
    [("DE", 0.25), ("GB", 0.2), ("US", 0.2), ("FR", 0.12), ("NL", 0.08), ("ES", 0.06), ("SE", 0.05), ("PL", 0.04)];

const CURRENCIES: [(&str, f64); 3] = [("EUR", 0.6), ("GBP", 0.2), ("USD", 0.2)];

/// Two or three ranges a country, so that one BIN's failure is about a tenth of a connector's traffic at most. The banks
/// are invented.
const CARD_RANGES: [(&str, &str, f64, CardType, &str); 18] = [
    ("400000", "DE", 2.0, CardType::Debit, "Rheinbank"),
    ("520082", "DE", 1.5, CardType::Credit, "Rheinbank"),
    ("545721", "DE", 1.0, CardType::Credit, "Alpenkasse"),
    ("424242", "GB", 2.0, CardType::Debit, "Thames Bank"),
    ("510510", "GB", 1.0, CardType::Credit, "Thames Bank"),
    ("411111", "US", 2.0, CardType::Credit, "Liberty Bank"),
    ("555555", "US", 1.5, CardType::Debit, "Liberty Bank"),
    ("378282", "US", 1.0, CardType::Charge, "Harbor Card"),
    ("497010", "FR", 2.0, CardType::Debit, "Banque du Lac"),
    ("513100", "FR", 1.0, CardType::Credit, "Banque du Lac"),
    ("401200", "NL", 1.0, CardType::Debit, "Polderbank"),
    ("222300", "NL", 1.0, CardType::Prepaid, "Polderbank"),
    ("454881", "ES", 1.5, CardType::Debit, "Caja del Sol"),
    ("510008", "ES", 1.0, CardType::Credit, "Caja del Sol"),
    ("400056", "SE", 1.0, CardType::Debit, "Norrbanken"),
    ("530125", "SE", 1.0, CardType::Credit, "Norrbanken"),
    ("402400", "PL", 1.0, CardType::Debit, "Bank Wislany"),
    ("516950", "PL", 1.0, CardType::Credit, "Bank Wislany"),
];

/// Short words, so that `braintree:mca_…_br` fits into an inline string of 24 bytes.
const MERCHANTS: [(&str, &str); 24] = [
    ("lumen", "Lumen Books"),
    ("alder", "Alder Outdoor"),
    ("vela", "Vela Travel"),
    ("fjord", "Fjord Coffee"),
    ("mira", "Mira Fashion"),
    ("pixel", "Pixel Games"),
    ("onda", "Onda Mobility"),
    ("sable", "Sable Furniture"),
    ("quill", "Quill Stationery"),
    ("terra", "Terra Garden"),
    ("nimbus", "Nimbus Cloud"),
    ("harbor", "Harbor Foods"),
    ("zephyr", "Zephyr Sports"),
    ("opal", "Opal Jewellery"),
    ("cedar", "Cedar Pharmacy"),
    ("comet", "Comet Electronics"),
    ("wren", "Wren Tickets"),
    ("basil", "Basil Delivery"),
    ("atlas", "Atlas Hotels"),
    ("ember", "Ember Cosmetics"),
    ("ravel", "Ravel Music"),
    ("dune", "Dune Insurance"),
    ("tern", "Tern Airlines"),
    ("kiosk", "Kiosk Media"),
];

impl Default for Ticket {
    /// A median of 45 with a σ of 0.8 gives a mean of 62: an ordinary web shop's basket.
    fn default() -> Self {
        Self { median: 45.0, sigma: 0.8 }
    }
}

impl Default for Outcomes {
    /// All come, and at once: what is special about a scenario is said in it.
    fn default() -> Self {
        let (late_by, fetched_after) = (Duration::from_mins(5), Duration::from_secs(2));
        Self { late: 0.0, late_by, lost: 0.0, fetches_per_s: 0.0, fetched_after }
    }
}

impl Default for Aftermath {
    /// None: captures, refunds and chargebacks teach routing nothing, and a scenario of minutes sees few of them.
    fn default() -> Self {
        Self {
            captures: 0.0,
            capture_after: Duration::from_hours(2),
            refunds: 0.0,
            refund_after: Duration::from_hours(72),
            chargebacks: 0.0,
            chargeback_after: Duration::from_hours(24 * 21),
        }
    }
}

impl Default for Capacity {
    /// Three instances that the demo's 50 payments/s fill to a half: no reason to scale while nothing happens.
    fn default() -> Self {
        Self { instances: 3, payments_per_s: 33.0 }
    }
}

impl Default for ConnectorProfile {
    /// An ordinary European acquirer: published blended prices are near 1.4 % + 0.25.
    fn default() -> Self {
        Self {
            success: 0.92,
            fee_minor: 25,
            fee_percent: 1.4,
            latency_ms: 350.0,
            latency_ms_p95: 900.0,
            limit_per_s: 0.0,
            methods: Vec::new(),
            currencies: Vec::new(),
        }
    }
}

impl Default for Scenario {
    /// The demo's world on a calm Tuesday morning; at 09:00 UTC the season is at its mean.
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            seed: 1,
            payments_per_s: 50.0,
            start: Time::from_secs(1_772_528_400),
            warm_up: Duration::from_mins(3),
            duration: Duration::from_mins(30),
            season: 0.3,
            weekend: 1.0,
            dispersion: 0.0,
            merchants: 12,
            pinned: unwritten(5),
            pinned_first: None,
            merchant_skew: 0.6,
            customer_declines: 0.03,
            technical: 0.3,
            abandoned: 0.005,
            three_ds: 0.25,
            merchant_initiated: 0.0,
            customer_retries: 0.0,
            auto_retry: false,
            slice_deviation: 0.25,
            methods: unwritten(METHODS.into()),
            countries: unwritten(weights(&COUNTRIES, Country::parse)),
            currencies: unwritten(weights(&CURRENCIES, Currency::parse)),
            ticket: Ticket::default(),
            bins: card_ranges(),
            outcomes: Outcomes::default(),
            aftermath: Aftermath::default(),
            switch: Capacity::default(),
            connectors: connectors(),
            listed: Vec::new(),
            experiments: std::collections::BTreeMap::new(),
            faults: Vec::new(),
            expectations: Vec::new(),
        }
    }
}

/// The profile and the name of the merchant of a rank, from 0, among those that no file lists.
pub(super) fn merchant(rank: usize) -> Option<(ProfileId, String)> {
    let (word, name) = match MERCHANTS.get(rank) {
        Some((word, name)) => ((*word).to_owned(), (*name).to_owned()),
        None => (format!("m{}", rank + 1), format!("Merchant {}", rank + 1)),
    };
    Some((ProfileId::parse(&format!("pro_{word}")).ok()?, name))
}

/// A default value: no line of any file gave it.
fn unwritten<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

fn weights<K: Ord>(table: &[(&str, f64)], parse: fn(&str) -> Result<K, String>) -> BTreeMap<K, f64> {
    table.iter().filter_map(|(code, weight)| Some((parse(code).ok()?, *weight))).collect()
}

fn card_ranges() -> Vec<CardRange> {
    let range = |(bin, country, weight, card_type, issuer): (&str, &str, f64, CardType, &str)| {
        let (bin, country) = (Bin::parse(bin).ok()?, Country::parse(country).ok()?);
        Some(CardRange { bin, country, weight, card_type, issuer: Issuer::parse(issuer).ok() })
    };
    CARD_RANGES.into_iter().filter_map(range).collect()
}

/// Five connectors close enough to each other that slices decide which is best, far enough that it matters.
fn connectors() -> BTreeMap<ConnectorName, Spanned<ConnectorProfile>> {
    use Method::{BankRedirect, Card, PayLater, Wallet};
    let ordinary = ConnectorProfile::default;
    let table = [
        ("stripe", ConnectorProfile { success: 0.93, latency_ms: 320.0, latency_ms_p95: 850.0, ..ordinary() }),
        ("adyen", ConnectorProfile { success: 0.935, fee_minor: 11, fee_percent: 1.2, ..ordinary() }),
        (
            "checkout",
            ConnectorProfile { success: 0.92, fee_minor: 20, fee_percent: 1.1, methods: vec![Card, Wallet], ..ordinary() },
        ),
        (
            "worldpay",
            ConnectorProfile {
                success: 0.9,
                fee_percent: 0.9,
                latency_ms: 480.0,
                latency_ms_p95: 1_300.0,
                methods: vec![Card, BankRedirect],
                ..ordinary()
            },
        ),
        (
            "braintree",
            ConnectorProfile { success: 0.905, fee_percent: 1.9, methods: vec![Card, Wallet, PayLater], ..ordinary() },
        ),
    ];
    table.into_iter().filter_map(|(name, profile)| Some((ConnectorName::parse(name).ok()?, unwritten(profile)))).collect()
}
