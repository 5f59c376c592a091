//! Analytics: aggregates per connector, method and merchant, and the decline codes that no table knows, since the start
//! of the log's day.

mod unknown;

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::route::RoutingView;
use super::snapshot::{AggregateRow, Analytics};
use crate::domain::numbers::as_f64;
use crate::domain::{Currency, Decline, DeclineClass, Method, Money, Time};
use unknown::UnknownCodes;

/// Merchants shown; all are counted.
const SHOWN_MERCHANTS: usize = 100;
/// Seconds of a day, UTC.
const DAY_S: i64 = 86_400;

/// Counts of one slice.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Aggregate {
    approved: u64,
    declined: u64,
    technical: u64,
    timed: u64,
    latency_ms: u64,
    amount: BTreeMap<Currency, i64>,
}

/// All aggregates of the day.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Analyst {
    day: i64,
    connectors: BTreeMap<u32, Aggregate>,
    methods: BTreeMap<Option<Method>, Aggregate>,
    merchants: BTreeMap<u32, Aggregate>,
    accounts: BTreeMap<u32, (u64, u64)>,
    unknown: UnknownCodes,
}

/// One attempt's end, as analytics count it.
pub(crate) struct Counted<'e> {
    pub(crate) at: Time,
    pub(crate) connector: u32,
    pub(crate) account: u32,
    pub(crate) merchant: u32,
    pub(crate) method: Option<Method>,
    pub(crate) failure: Option<DeclineClass>,
    /// The code it failed with, where one was told.
    pub(crate) code: Option<&'e CompactString>,
    pub(crate) latency_ms: Option<u32>,
    pub(crate) amount: Option<Money>,
}

impl Analyst {
    /// Counts an attempt's end; a new day begins empty.
    pub(crate) fn count(&mut self, counted: &Counted<'_>) {
        let day = counted.at.secs().div_euclid(DAY_S);
        if day > self.day {
            *self = Self { day, ..Self::default() };
        }
        self.connectors.entry(counted.connector).or_default().count(counted);
        self.methods.entry(counted.method).or_default().count(counted);
        self.merchants.entry(counted.merchant).or_default().count(counted);
        let (attempts, approved) = self.accounts.entry(counted.account).or_default();
        *attempts += 1;
        *approved += u64::from(counted.failure.is_none());
        // What was sent without a code has none that anybody could give a class.
        let code = counted.code.filter(|code| counted.failure == Some(DeclineClass::Unclassified) && *code != Decline::NO_CODE);
        if let Some(code) = code {
            self.unknown.count(counted.connector, code, counted.at);
        }
    }

    /// Attempts and approvals of an account today.
    pub(crate) fn account(&self, account: u32) -> (u64, u64) {
        self.accounts.get(&account).copied().unwrap_or_default()
    }

    /// What the screen and the API show.
    pub(crate) fn view(&self, view: &RoutingView) -> Analytics {
        let name = |n: u32| view.connectors.name(n).map_or_else(|| "?".to_owned(), ToString::to_string);
        let profile = |n: u32| view.profiles.name(n).map_or_else(|| "?".to_owned(), ToString::to_string);
        let mut merchants: Vec<_> = self.merchants.iter().collect();
        merchants.sort_by_key(|(number, aggregate)| (core::cmp::Reverse(aggregate.attempts()), **number));
        let mut currencies: Vec<Currency> = self.connectors.values().flat_map(|a| a.amount.keys().copied()).collect();
        currencies.sort_unstable();
        currencies.dedup();
        Analytics {
            since: Time::from_secs(self.day * DAY_S),
            connectors: self.connectors.iter().map(|(n, a)| a.row(name(*n))).collect(),
            methods: self.methods.iter().map(|(m, a)| a.row(m.map_or("unknown", Method::as_str).to_owned())).collect(),
            merchants: merchants.into_iter().take(SHOWN_MERCHANTS).map(|(n, a)| a.row(profile(*n))).collect(),
            currencies,
            unknown_codes: self.unknown.rows(&name),
            unknown_others: self.unknown.others(),
        }
    }
}

impl Aggregate {
    fn count(&mut self, counted: &Counted<'_>) {
        match counted.failure {
            None => {
                self.approved += 1;
                if let Some(money) = counted.amount {
                    let sum = self.amount.entry(money.currency).or_default();
                    *sum = sum.saturating_add(money.minor);
                }
            }
            Some(DeclineClass::Gateway) => self.technical += 1,
            Some(_) => self.declined += 1,
        }
        if let Some(latency) = counted.latency_ms {
            self.timed += 1;
            self.latency_ms += u64::from(latency);
        }
    }

    const fn attempts(&self) -> u64 {
        self.approved + self.declined + self.technical
    }

    fn row(&self, key: String) -> AggregateRow {
        AggregateRow {
            key,
            attempts: self.attempts(),
            approved: self.approved,
            declined: self.declined,
            technical: self.technical,
            latency_ms: (self.timed > 0).then(|| as_f64(self.latency_ms) / as_f64(self.timed)),
            amount: self.amount.iter().map(|(currency, minor)| Money::new(*minor, *currency)).collect(),
        }
    }
}
