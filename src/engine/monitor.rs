//! The event monitor: rolling windows over slices of the traffic, and their baselines.
//!
//! A slice is all traffic, a connector, an account, a BIN on a connector, or a merchant. Each has a window of one
//! minute in buckets of a second, and a baseline that learns from what has left the judged part of the window, so that
//! a fault cannot teach the baseline before it is noticed.

mod baseline;
mod window;

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

pub(crate) use baseline::Baseline;
pub(crate) use window::{Sums, Window};

use crate::domain::{Bin, Currency, DeclineClass, Method, Money, Time};

/// Most slices kept. At about 1.2 KB each, 24 MB; connectors, accounts and merchants come first, BINs until it is full.
const MAX_SLICES: usize = 20_000;

/// What a window is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Slice {
    /// All traffic.
    All,
    /// A connector, by number.
    Connector(u32),
    /// An account of a connector, by numbers.
    Account(u32, u32),
    /// A BIN on a connector.
    Bin(u32, Bin),
    /// A merchant, by number.
    Merchant(u32),
}

/// How an attempt ended, as windows count it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// When it happened.
    pub(crate) at: Time,
    /// The class of its failure; none: approved.
    pub(crate) failure: Option<DeclineClass>,
    /// Its latency as windows sum it, where known and not late.
    pub(crate) log_latency: Option<f32>,
    /// Its amount, where known.
    pub(crate) amount: Option<Money>,
    /// Its method, where known.
    pub(crate) method: Option<Method>,
}

/// A latency as windows sum it: the logarithm of its milliseconds, of one at least.
#[expect(clippy::cast_possible_truncation, reason = "the logarithm of a u32 fits an f32")]
pub(crate) fn log_latency(ms: u32) -> f32 {
    libm::log(f64::from(ms.max(1))) as f32
}

/// One slice's window and baseline.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Watched {
    pub(crate) window: Window,
    pub(crate) baseline: Baseline,
    /// Mean tickets, by currency: sum of minor units and count, halved now and then so that they follow.
    tickets: Vec<(Currency, i64, u32)>,
    /// Methods seen, a bit each.
    methods: u32,
}

/// All windows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Monitor {
    slices: OrdMap<Slice, Arc<Watched>>,
    /// Slices with news since the last tick.
    touched: Vec<Slice>,
}

impl Monitor {
    /// The slice, if it is watched.
    pub(crate) fn get(&self, slice: Slice) -> Option<&Watched> {
        self.slices.get(&slice).map(|watched| &**watched)
    }

    /// Every slice in a range, in order.
    pub(crate) fn range(&self, range: core::ops::RangeInclusive<Slice>) -> impl Iterator<Item = (Slice, &Watched)> {
        self.slices.range(range).map(|(slice, watched)| (*slice, &**watched))
    }

    /// A payment started on these slices.
    pub(crate) fn started(&mut self, slices: &[Slice], at: Time) {
        for &slice in slices {
            self.touch(slice, |watched| {
                watched.window.at(at, &mut watched.baseline, |bucket| bucket.started = bucket.started.saturating_add(1));
            });
        }
    }

    /// An attempt ended on these slices.
    pub(crate) fn ended(&mut self, slices: &[Slice], outcome: &Outcome) {
        for &slice in slices {
            self.touch(slice, |watched| {
                watched.window.at(outcome.at, &mut watched.baseline, |bucket| bucket.count(outcome));
                if let Some(amount) = outcome.amount {
                    watched.ticket(amount);
                }
                watched.methods |= outcome.method.map_or(0, |method| 1 << method as u32);
            });
        }
    }

    /// The slices with news since this was asked last, each once, in order.
    pub(crate) fn take_touched(&mut self) -> Vec<Slice> {
        let mut touched = core::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Moves a slice's window on to a time, so that seconds without news count as such.
    pub(crate) fn advance(&mut self, slice: Slice, at: Time) {
        if let Some(watched) = self.slices.get_mut(&slice) {
            let watched = Arc::make_mut(watched);
            watched.window.advance(at, &mut watched.baseline);
        }
    }

    /// Freezes a slice's baseline while an incident is open on it, or lets it learn again.
    pub(crate) fn freeze(&mut self, slice: Slice, frozen: bool) {
        if let Some(watched) = self.slices.get_mut(&slice) {
            Arc::make_mut(watched).baseline.frozen = frozen;
        }
    }

    /// Changes a slice that has news, if it is watched or there is room for it.
    fn touch(&mut self, slice: Slice, change: impl FnOnce(&mut Watched)) {
        let full = self.slices.len() >= MAX_SLICES;
        let known = self.slices.get_mut(&slice).map(Arc::make_mut);
        if known.is_none() && full {
            return;
        }
        let mut new = None;
        let watched = known.unwrap_or_else(|| new.insert(Watched::default()));
        change(watched);
        if !core::mem::replace(&mut watched.window.touched, true) {
            self.touched.push(slice);
        }
        if let Some(new) = new {
            self.slices.insert(slice, Arc::new(new));
        }
    }

    /// Marks a slice as judged, so that its next news is noted again.
    pub(crate) fn judged(&mut self, slice: Slice) {
        if let Some(watched) = self.slices.get_mut(&slice) {
            Arc::make_mut(watched).window.touched = false;
        }
    }
}

impl Watched {
    /// Currencies of the slice with their share of tickets (0 to 1) and mean ticket.
    pub(crate) fn tickets(&self) -> impl Iterator<Item = (f64, Money)> + '_ {
        let total: u32 = self.tickets.iter().map(|(_, _, count)| *count).sum();
        self.tickets.iter().filter(|(_, _, count)| *count > 0).map(move |(currency, sum, count)| {
            (f64::from(*count) / f64::from(total.max(1)), Money::new(sum / i64::from(*count), *currency))
        })
    }

    /// Methods seen on the slice.
    pub(crate) fn methods(&self) -> impl Iterator<Item = Method> + '_ {
        Method::ALL.iter().copied().filter(|method| self.methods & (1 << *method as u32) != 0)
    }

    /// Counts a ticket. Halving at 1,000 makes the mean follow the last thousand or so.
    fn ticket(&mut self, amount: Money) {
        let index = self.tickets.iter().position(|(currency, ..)| *currency == amount.currency).unwrap_or_else(|| {
            self.tickets.push((amount.currency, 0, 0));
            self.tickets.len() - 1
        });
        let (_, sum, count) = &mut self.tickets[index];
        *sum = sum.saturating_add(amount.minor);
        *count += 1;
        if *count >= 1_000 {
            for (_, sum, count) in &mut self.tickets {
                *sum /= 2;
                *count /= 2;
            }
        }
    }
}
