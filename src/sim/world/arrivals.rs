//! Who comes, when, and with what: traffic with its season, weekends and restlessness, and bursts of payments that are not
//! ordinary.

use std::fmt::Write;
use std::time::Duration;

use compact_str::CompactString;

use super::World;
use crate::domain::{Context, Credential, Initiator, Method, Money, PaymentId, Request, Time};
use crate::sim::chance::{log_normal, pick, running_totals, whole};
use crate::sim::scenario::FaultKind;
use crate::sim::trouble::Burst;

/// The hour (UTC) at which the season crosses its mean upwards; the peak is six hours later.
const SEASON_MEAN_HOUR: f64 = 9.0;

/// The season is held constant for so long, microseconds: within a minute it moves by less than half a percent.
const SEASON_STEP_MICROS: i64 = 60_000_000;

/// How much dearer somebody buys on a stolen account.
const TAKEOVER_TICKET: f64 = 6.0;

/// Amounts of card testing, major units of the euro: from one to five, below what anybody looks at.
const TESTING_AMOUNT: (f64, f64) = (1.0, 5.0);

/// Arrival rates, constant until a season's step or a trouble's edge.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic {
    until: Time,
    /// Payments a second by shop, then by burst, as running totals.
    totals: Vec<f64>,
    bursts: Vec<Burst>,
}

impl World {
    /// A customer comes to a shop, with a method, a card and a basket. The traffic is that of the arrival's time.
    pub(super) fn arrive(&mut self, at: Time) -> Request {
        self.payments += 1;
        self.tally.payments += u64::from(at >= self.scenario.start);
        let number = self.payments;
        let mut payer = self.market.payer(number);
        let chosen = pick(&self.traffic.totals, payer.unit());
        let mut context = self.market.context(&mut payer);
        let (size, z) = (payer.unit(), payer.normal());
        if context.method == Some(Method::Card) && payer.unit() < self.scenario.merchant_initiated {
            context = of_the_merchant(context);
        }
        let burst = chosen.checked_sub(self.market.shops.len()).map(|burst| self.traffic.bursts[burst]);
        let shop = &self.market.shops[burst.map_or(chosen, |burst| burst.shop)];
        let mut minor = log_normal(shop.ticket_minor, self.scenario.ticket.sigma, z);
        if let Some(burst) = burst {
            self.special.insert(number, burst.kind);
            context = self.of_a_burst(burst, context);
            minor = match burst.kind {
                FaultKind::FraudBurst | FaultKind::BinAttack => {
                    (TESTING_AMOUNT.0 + size * (TESTING_AMOUNT.1 - TESTING_AMOUNT.0)) * shop.euro_minor
                }
                FaultKind::AccountTakeover => minor * TAKEOVER_TICKET,
                _ => shop.ticket_minor,
            };
        }
        Request {
            profile: shop.profile.clone(),
            payment: payment_id(number),
            attempt: 1,
            amount: Money::new(i64::from(whole(minor).max(1)), shop.currency),
            context,
            eligible: shop.accounts.clone(),
        }
    }

    /// The payments of a burst are of one BIN, where it has one. Nobody is there to authenticate: neither at a billing run
    /// nor at a tester's machine.
    fn of_a_burst(&self, burst: Burst, context: Context) -> Context {
        let cell = self.market.cells.iter().find(|cell| cell.bin.is_some() && cell.bin == burst.bin);
        let mut context = cell.map_or(context, |cell| cell.context(false));
        context.three_ds = context.three_ds.map(|asked| asked && burst.kind == FaultKind::AccountTakeover);
        if burst.kind == FaultKind::BillingRun { of_the_merchant(context) } else { context }
    }

    /// The next arrival after `from`: exponential gaps, drawn anew at every change of the rate (they have no memory).
    pub(super) fn arrival_after(&mut self, mut from: Time) -> Time {
        loop {
            if from >= self.traffic.until {
                self.traffic = self.traffic_at(from);
            }
            let rate = self.traffic.totals.last().copied().unwrap_or(0.0);
            let gap = self.arrivals.exponential(rate);
            let at = if gap < 1e9 { from + Duration::from_secs_f64(gap) } else { self.traffic.until };
            if at < self.traffic.until {
                return at;
            }
            from = self.traffic.until;
        }
    }

    pub(super) fn traffic_at(&self, at: Time) -> Traffic {
        let step = at.micros().div_euclid(SEASON_STEP_MICROS) + 1;
        let season_until = Time::from_micros(step * SEASON_STEP_MICROS);
        let until = self.troubles.next_edge(at).map_or(season_until, |edge| edge.min(season_until));
        let weights: f64 = self.market.shops.iter().map(|shop| shop.weight).sum();
        let unit = self.scenario.payments_per_s * self.mood(at) / weights;
        let ordinary =
            self.market.shops.iter().enumerate().map(|(index, shop)| unit * shop.weight * self.troubles.crowd(index, at));
        let bursts: Vec<Burst> = self.troubles.bursts(at).collect();
        let burst_rates = bursts.iter().map(|burst| unit * self.market.shops[burst.shop].weight * burst.strength);
        Traffic { until, totals: running_totals(ordinary.chain(burst_rates)), bursts }
    }

    /// What the hour, the day of the week and the minute make of traffic; its mean is 1 over the hours of a weekday.
    fn mood(&self, at: Time) -> f64 {
        // 1970-01-01 was a Thursday: days 2 and 3 after it are a Saturday and a Sunday.
        let weekend = matches!(at.secs().div_euclid(86_400).rem_euclid(7), 2 | 3);
        let minute = at.micros().div_euclid(SEASON_STEP_MICROS);
        let restless = self.minutes.stream(minute.cast_unsigned()).gamma(self.scenario.dispersion);
        season(self.scenario.season, at) * restless * if weekend { self.scenario.weekend } else { 1.0 }
    }
}

/// The season's factor: 1 + a · sin(2π (h − 9) ÷ 24), its mean 1 over a day.
fn season(amplitude: f64, at: Time) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a second of the day is far below 2^53")]
    let hour = at.secs().rem_euclid(86_400) as f64 / 3_600.0;
    1.0 + amplitude * libm::sin(core::f64::consts::TAU * (hour - SEASON_MEAN_HOUR) / 24.0)
}

/// The same payment, asked for by the merchant: with the card it keeps, and nobody there to authenticate.
fn of_the_merchant(context: Context) -> Context {
    Context {
        initiator: Some(Initiator::Merchant),
        credential: Some(Credential::StoredCard),
        three_ds: context.three_ds.map(|_| false),
        ..context
    }
}

/// `pay_0000000042`: inline in a short string, in the order of arrival.
fn payment_id(number: u64) -> PaymentId {
    let mut text = CompactString::const_new("");
    // Writing to a string cannot fail, and what is written is never empty, long or blank.
    let _ = write!(text, "pay_{number:010}");
    PaymentId::parse(&text).unwrap_or_else(|refused| unreachable!("{refused}"))
}
