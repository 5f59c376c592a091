//! The world of a scenario: merchants, issuers, connectors, and the probability of every payment at every connector.
//!
//! P(success) = (1 − u) · σ(logit) · Π survive: u is what fails by the customer's own fault, wherever it is sent; the
//! logit adds what is the issuer's, the merchant's and the amount's to what is the connector's own.

use std::time::Duration;

use smallvec::SmallVec;

use super::super::case::{Case, Outcome, Payment};
use super::faults::{Fault, Symptom};
use super::{PAYMENTS, Scenario};
use crate::domain::numbers::{len_as_f64, sigmoid};
use crate::domain::{
    Bin, ConnectorAccount, Context, Country, Currency, Decline, DeclineClass, Method, Money, Network, PaymentId, ProfileId,
    Time,
};
use crate::sim::chance::{Family, Stream, log_normal, pick, running_totals, whole};

pub(super) const BINS: usize = 48;
pub(super) const COUNTRIES: usize = 6;
const MERCHANTS: usize = 40;
/// Where the scenarios' clock begins: 2025-06-15, 15:06:40 UTC.
const START_S: i64 = 1_750_000_000;

const COUNTRY_CODES: [&str; COUNTRIES] = ["DE", "FR", "US", "GB", "BR", "IN"];
const CURRENCIES: [&str; COUNTRIES] = ["EUR", "EUR", "USD", "GBP", "BRL", "INR"];
const METHODS: [(Method, f64); 3] = [(Method::Card, 0.7), (Method::Wallet, 0.2), (Method::BankRedirect, 0.1)];
const NETWORKS: [Network; 3] = [Network::Visa, Network::Mastercard, Network::AmericanExpress];
const CONNECTORS: [&str; 8] = ["adyen", "stripe", "checkout", "worldpay", "braintree", "nuvei", "mollie", "payu"];

/// Logit of a usual payment's success at a usual connector, customers' own faults apart: 0.93.
const BASE: f64 = 2.6;
/// Share of payments that fail by the customer's own fault.
const CUSTOMER: f64 = 0.04;
/// Standard deviations of what is not the connector's, in logits.
const ISSUER: f64 = 0.45;
const MERCHANT: f64 = 0.35;
const MARKET: f64 = 0.25;
/// Share of a connector's ordinary failures that are its own technical ones.
const TECHNICAL: f64 = 0.3;
/// How long a time-out takes to show, in seconds.
const TIME_OUT_S: f64 = 60.0;

/// What of a payment matters to its fate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    pub(super) method: Method,
    pub(super) country: usize,
    pub(super) bin: Option<usize>,
    pub(super) merchant: usize,
    pub(super) late_merchant: bool,
    network: usize,
    amount: f64,
}

/// What is drawn once for a scenario and a seed.
#[derive(Debug)]
pub(super) struct World {
    scenario: Scenario,
    seed: u64,
    issuer: Vec<f64>,
    merchant: Vec<f64>,
    country: Vec<f64>,
    connectors: Vec<Connector>,
}

/// A connector: its quality, and what it is for each segment, in logits.
#[derive(Debug)]
struct Connector {
    quality: f64,
    method: Vec<f64>,
    country: Vec<f64>,
    network: Vec<f64>,
    bin: Vec<f64>,
    /// The random walk, at a hundred points of the scenario.
    walk: Vec<f64>,
    /// Phases of the two waves.
    phases: [f64; 2],
}

fn normals(count: usize, deviation: f64, stream: &mut Stream) -> Vec<f64> {
    (0..count).map(|_| deviation * stream.normal()).collect()
}

impl World {
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Self {
        let stream = |label: &str| Stream::new(seed, &format!("{} {label}", scenario.name));
        let family = Family::new(seed, &format!("{} connector", scenario.name));
        Self {
            scenario: *scenario,
            seed,
            issuer: normals(BINS, ISSUER, &mut stream("issuer")),
            merchant: normals(MERCHANTS, MERCHANT, &mut stream("merchant")),
            country: normals(COUNTRIES, MARKET, &mut stream("country")),
            connectors: (0..scenario.connectors).map(|c| Connector::new(scenario, &mut family.stream(u64::from(c)))).collect(),
        }
    }

    /// The connector at a place of the ranking by quality, the best first.
    pub(super) fn ranked(&self, place: usize) -> u16 {
        let mut order: Vec<u16> = (0..self.scenario.connectors).collect();
        order.sort_by(|a, b| self.connectors[usize::from(*b)].quality.total_cmp(&self.connectors[usize::from(*a)].quality));
        order[place]
    }

    pub(super) fn case(&self) -> Case {
        let faults = (self.scenario.faults)(self);
        let name = |index: usize| CONNECTORS.get(index).and_then(|name| ConnectorAccount::parse(name).ok());
        let mut case = Case { connectors: (0..self.connectors.len()).filter_map(name).collect(), ..Case::default() };
        let mut arrivals = Stream::new(self.seed, &format!("{} arrivals", self.scenario.name));
        let payments = Family::new(self.seed, &format!("{} payment", self.scenario.name));
        let (bins, merchants) = (zipf(BINS), zipf(MERCHANTS));
        let duration = len_as_f64(PAYMENTS) / self.scenario.rate;
        let mut clock = 0.0;
        for number in 0..PAYMENTS {
            clock += arrivals.exponential(self.scenario.rate);
            let mut stream = payments.stream(number as u64);
            let at = clock / duration;
            let absent = |traits: &Traits| faults.iter().any(|f| f.absent && f.connector.is_none() && f.hits(0, traits, at));
            let mut traits = Traits::draw(&bins, &merchants, &mut stream);
            while absent(&traits) {
                traits = Traits::draw(&bins, &merchants, &mut stream);
            }
            let connectors = self.present(&faults, &traits, at);
            let Some(payment) = payment(number, clock, &traits, connectors) else { continue };
            case.outcomes.push(self.outcomes(&faults, &traits, (&payment.connectors, at), &mut stream));
            case.payments.push(payment);
        }
        case
    }

    fn present(&self, faults: &[Fault], traits: &Traits, at: f64) -> SmallVec<[u16; 8]> {
        let absent = |c: u16| faults.iter().any(|f| f.absent && f.connector == Some(c) && f.hits(c, traits, at));
        (0..self.scenario.connectors).filter(|c| !absent(*c)).collect()
    }

    fn outcomes(
        &self,
        faults: &[Fault],
        traits: &Traits,
        (connectors, at): (&[u16], f64),
        stream: &mut Stream,
    ) -> SmallVec<[Outcome; 8]> {
        let customer = stream.unit() < CUSTOMER;
        let outcome = |connector: &u16| {
            let hits = faults.iter().filter(|f| !f.absent && f.hits(*connector, traits, at));
            let (survive, symptom) = hits.fold((1.0, None), |(survive, _), f| (survive * f.survive, Some(f.symptom)));
            let sound = sigmoid(self.logit(*connector, traits, at));
            let (ordinary, fault, technical) = (stream.unit() < sound, stream.unit() >= survive, stream.unit() < TECHNICAL);
            let delay_s = log_normal(self.scenario.delay_s, 0.5, stream.normal());
            let failure = match (customer, fault, ordinary) {
                (true, _, _) => Some((DeclineClass::User, "insufficient_funds")),
                (_, true, _) => symptom.map(shown),
                (_, _, true) => None,
                _ if technical => Some((DeclineClass::Gateway, "psp_acquirer_error")),
                _ => Some((DeclineClass::Mixed, "do_not_honor")),
            };
            let timed_out = failure.is_some_and(|(_, code)| code == "transaction_timed_out");
            let delay_s = if timed_out { delay_s.max(TIME_OUT_S) } else { delay_s };
            Outcome {
                connector: *connector,
                success: failure.is_none(),
                p: Some((1.0 - CUSTOMER) * sound * survive),
                latency_ms: Some(whole(log_normal(400.0, 0.4, stream.normal()) + if timed_out { 30_000.0 } else { 0.0 })),
                observed_after: Duration::from_millis(u64::from(whole(delay_s * 1_000.0))),
                decline: failure.map(|(class, code)| Decline { class, code: code.into() }),
                propensity: None,
            }
        };
        connectors.iter().map(outcome).collect()
    }

    fn logit(&self, connector: u16, traits: &Traits, at: f64) -> f64 {
        let own = self.connectors[usize::from(connector)].logit(&self.scenario, traits, at);
        let issuer = traits.bin.map_or(0.0, |bin| self.issuer[bin]);
        BASE + issuer + self.merchant[traits.merchant] + self.country[traits.country] - 0.15 * libm::log(traits.amount / 40.0)
            + own
    }
}

impl Connector {
    fn new(scenario: &Scenario, stream: &mut Stream) -> Self {
        let own = scenario.own;
        let quality = scenario.quality * stream.normal();
        let step = scenario.drift / 10.0;
        let steps = normals(100, step, stream).into_iter();
        let walk = steps
            .scan(0.0, |sum, step| {
                *sum += step;
                Some(*sum)
            })
            .collect();
        Self {
            quality,
            method: normals(METHODS.len(), own, stream),
            country: normals(COUNTRIES, own, stream),
            network: normals(NETWORKS.len(), own / 2.0, stream),
            bin: normals(BINS, own, stream),
            walk,
            phases: [stream.unit(), stream.unit()],
        }
    }

    fn logit(&self, scenario: &Scenario, traits: &Traits, at: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a hundred")]
        let step = ((at * 100.0) as usize).min(self.walk.len() - 1);
        let wave = |cycles: f64, phase: f64| libm::sin(core::f64::consts::TAU * (cycles * at + phase));
        let method = METHODS.iter().position(|(method, _)| *method == traits.method).unwrap_or(0);
        self.quality
            + self.walk[step]
            + scenario.season * (wave(2.0, self.phases[0]) + 0.5 * wave(5.0, self.phases[1]))
            + self.method[method]
            + self.country[traits.country]
            + traits.bin.map_or(0.0, |bin| self.bin[bin] + self.network[traits.network])
    }
}

impl Traits {
    fn draw(bins: &[f64], merchants: &[f64], stream: &mut Stream) -> Self {
        let method = METHODS[pick(&running_totals(METHODS.map(|(_, share)| share)), stream.unit())].0;
        let (bin, merchant) = (pick(bins, stream.unit()), pick(merchants, stream.unit()));
        // An issuer belongs to a country and a network; what is no card has the merchant's country.
        let country = if method == Method::Card { bin % COUNTRIES } else { merchant % COUNTRIES };
        Self {
            method,
            country,
            bin: (method == Method::Card).then_some(bin),
            merchant,
            late_merchant: merchant >= MERCHANTS / 2,
            network: bin / COUNTRIES % NETWORKS.len(),
            amount: log_normal(40.0, 0.8, stream.normal()),
        }
    }
}

fn payment(number: usize, clock: f64, traits: &Traits, connectors: SmallVec<[u16; 8]>) -> Option<Payment> {
    let micros = Duration::from_micros(u64::from(whole(clock * 1e3)) * 1_000);
    let currency = Currency::parse(CURRENCIES[traits.country]).ok()?;
    Some(Payment {
        id: PaymentId::parse(&format!("pay_{number:06}")).ok()?,
        at: Time::from_secs(START_S) + micros,
        merchant: ProfileId::parse(&format!("pro_{:02}", traits.merchant)).ok()?,
        amount: Money::new(i64::from(whole(traits.amount * 100.0)), currency),
        context: Context {
            method: Some(traits.method),
            network: traits.bin.map(|_| NETWORKS[traits.network]),
            country: Country::parse(COUNTRY_CODES[traits.country]).ok(),
            bin: traits.bin.and_then(|bin| Bin::parse(&format!("4{:05}", 10_000 + bin * 97)).ok()),
            ..Context::default()
        },
        connectors,
    })
}

const fn shown(symptom: Symptom) -> (DeclineClass, &'static str) {
    match symptom {
        Symptom::Technical => (DeclineClass::Gateway, "psp_acquirer_error"),
        Symptom::TimeOut => (DeclineClass::Gateway, "transaction_timed_out"),
        Symptom::Refusal => (DeclineClass::Mixed, "do_not_honor"),
    }
}

/// Running totals of weights 1/√rank: the largest of 48 has a tenth of the traffic.
fn zipf(count: usize) -> Vec<f64> {
    running_totals((1..=count).map(|rank| 1.0 / len_as_f64(rank).sqrt()))
}
