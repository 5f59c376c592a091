//! The market: merchants, connectors, and how likely each attempt is to succeed while nothing is wrong.
//!
//! P(success) = (1 − customers' declines) · σ(connector + shared(x) + own(x) + account), x being method, country and
//! BIN. Shared effects are the issuers' (they move all connectors alike), own effects are the connector's, and the
//! account's are one merchant's contract. The connector's constant is solved so that its rate over the scenario's
//! traffic is the one the scenario states.

use std::collections::BTreeMap;

use super::chance::{Family, Stream, pick, running_totals};
use super::scenario::{ConnectorProfile, MerchantProfile, Scenario};
use crate::domain::numbers::sigmoid;
use crate::domain::settings::{Connector, Merchant, Rates};
use crate::domain::{
    Bin, CardType, ConnectorAccount, ConnectorName, Context, Country, Credential, Currency, Initiator, Issuer, Method, Network,
    ProfileId, Request,
};

/// Accounts of one connector differ less than slices do: contracts differ, the machine behind them does not.
const ACCOUNT_PART: f64 = 0.4;

/// How much merchants' median tickets differ: σ of the logarithm; 0.5 puts most within a factor of 2.7 of each other.
const TICKET_DEVIATION: f64 = 0.5;

/// The 95th percentile of the standard normal distribution: σ = ln(p95 ÷ median) ÷ 1.645 for a log-normal latency.
const Z_P95: f64 = 1.644_853_626_951_472_2;

/// Steps of bisection: 2⁻⁶⁰ of the interval searched is below any float's precision there.
const BISECTIONS: u32 = 60;

/// Golden ratio's fraction: multiples of it, modulo 1, spread merchants evenly over the currencies' weights.
const GOLDEN: f64 = 0.618_033_988_749_894_8;

/// Who pays whom through whom.
#[derive(Debug, Clone)]
pub struct Market {
    /// Merchants, the largest first.
    pub(super) shops: Vec<Shop>,
    /// Connectors, by name.
    pub(super) acquirers: Vec<Acquirer>,
    /// Kinds of payment that are met.
    pub(super) cells: Vec<Cell>,
    /// Running totals of how often each is met.
    cell_totals: Vec<f64>,
    shop_of: BTreeMap<ProfileId, usize>,
    cell_of: BTreeMap<(Method, Country, Option<Bin>), usize>,
    customer_declines: f64,
    three_ds: f64,
    payers: Family,
}

/// One merchant.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    pub profile: ProfileId,
    name: String,
    pub currency: Currency,
    /// Minor units of a median ticket.
    pub ticket_minor: f64,
    /// Minor units of one euro.
    pub euro_minor: f64,
    /// Its account at each acquirer, and what the account adds, in logits.
    pub accounts: Vec<ConnectorAccount>,
    biases: Vec<f64>,
    /// Its fixed priority list, where it is pinned to one.
    pub priority: Vec<ConnectorAccount>,
    /// The order in which the switch would try its accounts if nobody told it better.
    pub usual: Vec<ConnectorAccount>,
    /// Its share of traffic, as a weight.
    pub weight: f64,
}

/// One connector.
#[derive(Debug, Clone)]
pub(super) struct Acquirer {
    pub name: ConnectorName,
    pub profile: ConnectorProfile,
    /// σ of the logarithm of its latency.
    pub latency_sigma: f64,
    /// The logit of success for each cell.
    logits: Vec<f64>,
}

/// One kind of payment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub method: Method,
    pub country: Country,
    pub bin: Option<Bin>,
    card_type: Option<CardType>,
    issuer: Option<Issuer>,
    weight: f64,
}

/// A request, by its indices in the market. What the market does not know is None.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub shop: Option<usize>,
    pub acquirer: Option<usize>,
    cell: Option<usize>,
}

impl Market {
    /// The market of a scenario under a seed.
    #[must_use]
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        let cells = cells(scenario);
        let acquirers: Vec<Acquirer> = scenario
            .connectors
            .iter()
            .map(|(name, profile)| acquirer(scenario, seed, &cells, name, profile.get_ref()))
            .collect();
        let shops = shops(scenario, seed, &acquirers);
        Self {
            cell_totals: running_totals(cells.iter().map(|cell| cell.weight)),
            shop_of: shops.iter().enumerate().map(|(index, shop)| (shop.profile.clone(), index)).collect(),
            cell_of: cells.iter().enumerate().map(|(index, cell)| ((cell.method, cell.country, cell.bin), index)).collect(),
            customer_declines: scenario.customer_declines,
            three_ds: scenario.three_ds,
            payers: Family::new(seed, "payers"),
            shops,
            acquirers,
            cells,
        }
    }

    /// What the engine is told of the connectors.
    pub(super) fn connector_settings(&self) -> BTreeMap<ConnectorName, Connector> {
        let told = |acquirer: &Acquirer| Connector {
            methods: acquirer.profile.methods.clone(),
            currencies: acquirer.profile.currencies.clone(),
            fee_minor: acquirer.profile.fee_minor,
            fee_percent: acquirer.profile.fee_percent,
            ..Connector::default()
        };
        self.acquirers.iter().map(|acquirer| (acquirer.name.clone(), told(acquirer))).collect()
    }

    /// What the engine is told of the merchants.
    pub(super) fn merchant_settings(&self) -> BTreeMap<ProfileId, Merchant> {
        let told = |shop: &Shop| Merchant { name: shop.name.clone(), priority: shop.priority.clone(), ..Merchant::default() };
        self.shops.iter().map(|shop| (shop.profile.clone(), told(shop))).collect()
    }

    /// A merchant's priority list, with an acquirer moved to its head.
    pub(super) fn priority_with_first(&self, shop: usize, acquirer: usize) -> Vec<ConnectorAccount> {
        let shop = &self.shops[shop];
        let first = self.acquirers[acquirer].name.as_str();
        let (head, tail): (Vec<_>, Vec<_>) = shop.usual.iter().cloned().partition(|account| account.connector() == first);
        head.into_iter().chain(tail).collect()
    }

    /// The merchant of a request.
    pub(super) fn shop(&self, request: &Request) -> Option<&Shop> {
        self.shop_of.get(&request.profile).map(|shop| &self.shops[*shop])
    }

    /// The account that fixed priority takes: the first in the shop's usual order that can handle the payment, but for
    /// an acquirer that a rule puts first.
    pub(super) fn usual(&self, request: &Request, first: Option<usize>) -> Option<&ConnectorAccount> {
        let able = |account: &&ConnectorAccount| self.handles(request, self.place(request, account));
        let usual = &self.shop(request)?.usual;
        let ruled = first.map(|acquirer| self.acquirers[acquirer].name.as_str());
        let put_first = usual.iter().filter(|account| Some(account.connector()) == ruled).find(able);
        put_first.or_else(|| usual.iter().find(able))
    }

    /// The stream of everything a payment's customer brings along.
    pub(super) fn payer(&self, number: u64) -> Stream {
        self.payers.stream(number)
    }

    /// Draws the kind of a payment.
    pub(super) fn context(&self, payer: &mut Stream) -> Context {
        let cell = self.cells[pick(&self.cell_totals, payer.unit())];
        let asked = payer.unit() < self.three_ds;
        cell.context(asked)
    }

    /// The commonest card range of the scenario, where cards are met at all.
    pub(super) fn commonest_bin(&self) -> Option<Bin> {
        self.cells.iter().filter(|cell| cell.bin.is_some()).max_by(|a, b| a.weight.total_cmp(&b.weight))?.bin
    }

    /// Where a request stands when an account is used for it.
    pub(super) fn place(&self, request: &Request, account: &ConnectorAccount) -> Place {
        let context = &request.context;
        let kind = context.method.zip(context.country).map(|(method, country)| (method, country, context.bin));
        let connector = account.connector();
        Place {
            shop: self.shop_of.get(&request.profile).copied(),
            acquirer: self.acquirers.iter().position(|acquirer| acquirer.name.as_str() == connector),
            cell: kind.and_then(|kind| self.cell_of.get(&kind).copied()),
        }
    }

    /// Whether the connector can handle the payment at all.
    pub(super) fn handles(&self, request: &Request, place: Place) -> bool {
        let Some(acquirer) = place.acquirer else { return false };
        let method = request.context.method.unwrap_or(Method::Card);
        self.acquirers[acquirer].profile.handles(method, request.amount.currency)
    }

    /// Probability that the customer has the money and types the right digits.
    pub(super) const fn customer_passes(&self) -> f64 {
        1.0 - self.customer_declines
    }

    /// Probability that connector and issuer approve while nothing is wrong, the customer's part apart.
    pub(super) fn approves(&self, place: Place) -> f64 {
        let Some(acquirer) = place.acquirer.map(|index| &self.acquirers[index]) else { return 0.0 };
        let account = place.shop.zip(place.acquirer).map_or(0.0, |(shop, acquirer)| self.shops[shop].biases[acquirer]);
        // A kind of payment this world never makes is judged as its commonest, the first.
        let logit = acquirer.logits.get(place.cell.unwrap_or(0)).copied().unwrap_or(0.0);
        sigmoid(logit + account)
    }
}

impl Cell {
    pub(super) fn context(&self, three_ds: bool) -> Context {
        Context {
            method: Some(self.method),
            network: self.bin.map(network),
            country: Some(self.country),
            bin: self.bin,
            three_ds: (self.method == Method::Card).then_some(three_ds),
            initiator: Some(Initiator::Customer),
            credential: match self.method {
                Method::Card => Some(Credential::Pan),
                Method::Wallet => Some(Credential::DeviceToken),
                _ => None,
            },
            card_type: self.card_type,
            issuer: self.issuer,
        }
    }
}

/// The network whose cards begin with these digits, by ISO/IEC 7812 and the networks' own tables.
fn network(bin: Bin) -> Network {
    let (mut leading, mut first) = (bin.number(), bin.number());
    while first >= 10 {
        (leading, first) = (first, first / 10);
    }
    match (first, leading) {
        (4, _) => Network::Visa,
        (2 | 5, _) => Network::Mastercard,
        (3, 34 | 37) => Network::AmericanExpress,
        (3, 35) => Network::Jcb,
        (3, _) => Network::DinersClub,
        (6, 62) => Network::UnionPay,
        (6, _) => Network::Discover,
        _ => Network::Other,
    }
}

/// Every kind of payment the scenario can make, with how often it is met.
fn cells(scenario: &Scenario) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (&method, &method_weight) in scenario.methods.get_ref() {
        for (&country, &country_weight) in scenario.countries.get_ref() {
            let weight = method_weight * country_weight;
            let ranges = || scenario.bins.iter().filter(|range| method == Method::Card && range.country == country);
            let total: f64 = ranges().map(|range| range.weight).sum();
            if total == 0.0 {
                cells.push(Cell { method, country, bin: None, card_type: None, issuer: None, weight });
            }
            cells.extend(ranges().map(|range| Cell {
                method,
                country,
                bin: Some(range.bin),
                card_type: Some(range.card_type),
                issuer: range.issuer,
                weight: weight * range.weight / total,
            }));
        }
    }
    cells
}

/// A normal effect in logits. Its stream is labelled by what it belongs to: a further country moves no other's.
fn effect(seed: u64, deviation: f64, label: &str) -> f64 {
    deviation * Stream::new(seed, label).normal()
}

fn acquirer(scenario: &Scenario, seed: u64, cells: &[Cell], name: &ConnectorName, profile: &ConnectorProfile) -> Acquirer {
    let slice = |owner: &str, cell: &Cell| {
        let bin = cell.bin.map_or(0.0, |bin| effect(seed, scenario.slice_deviation, &format!("{owner}/bin/{bin}")));
        let method = effect(seed, scenario.slice_deviation, &format!("{owner}/method/{}", cell.method));
        bin + method + effect(seed, scenario.slice_deviation, &format!("{owner}/country/{}", cell.country))
    };
    let effects: Vec<f64> =
        cells.iter().map(|cell| slice("issuers", cell) + slice(&format!("connector {name}"), cell)).collect();
    let wanted = profile.success / (1.0 - scenario.customer_declines);
    let weight =
        |cell: &Cell| if profile.methods.is_empty() || profile.methods.contains(&cell.method) { cell.weight } else { 0.0 };
    let weighted: Vec<(f64, f64)> = cells.iter().map(weight).zip(effects.iter().copied()).collect();
    let constant = constant_for(wanted, &weighted);
    Acquirer {
        name: name.clone(),
        profile: profile.clone(),
        latency_sigma: libm::log(profile.latency_ms_p95 / profile.latency_ms) / Z_P95,
        logits: effects.into_iter().map(|effect| constant + effect).collect(),
    }
}

/// The constant c for which Σ w σ(c + e) ÷ Σ w is the wanted rate, by bisection: the sum rises with c.
fn constant_for(wanted: f64, weighted_effects: &[(f64, f64)]) -> f64 {
    let total: f64 = weighted_effects.iter().map(|(weight, _)| weight).sum();
    let rate = |constant: f64| weighted_effects.iter().map(|(w, e)| w * sigmoid(constant + e)).sum::<f64>() / total;
    // ±20 logits are rates of 2·10⁻⁹ and its complement, beyond all that a scenario may want.
    let (mut low, mut high) = (-20.0, 20.0);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        if rate(middle) < wanted { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

fn shops(scenario: &Scenario, seed: u64, acquirers: &[Acquirer]) -> Vec<Shop> {
    let (currencies, weights): (Vec<Currency>, Vec<f64>) = scenario.currencies.get_ref().iter().map(|(c, w)| (*c, *w)).unzip();
    let totals = running_totals(weights);
    let favourite = favourite_order(scenario, acquirers);
    let listed = scenario.listed.len();
    let shop = |(rank, merchant): (u32, MerchantProfile)| {
        let currency = merchant.currency.unwrap_or(currencies[pick(&totals, libm::fmod(f64::from(rank) * GOLDEN, 1.0))]);
        let pinned_as_others = (rank as usize) >= listed && is_pinned(scenario, rank as usize - listed);
        let order = if pinned_as_others { favourite.clone() } else { merchant.priority.clone() };
        let weight = 1.0 / libm::pow(f64::from(rank + 1), scenario.merchant_skew);
        let usual = if order.is_empty() { favourite.clone() } else { order.clone() };
        equip(scenario, seed, acquirers, Order { merchant, currency, order, usual, weight })
    };
    (0_u32..).zip(scenario.all_merchants()).map(shop).collect()
}

/// What a merchant is equipped from.
struct Order {
    merchant: MerchantProfile,
    currency: Currency,
    order: Vec<ConnectorName>,
    usual: Vec<ConnectorName>,
    weight: f64,
}

fn equip(scenario: &Scenario, seed: u64, acquirers: &[Acquirer], from: Order) -> Shop {
    let Order { merchant, currency, order, usual, weight } = from;
    let profile = merchant.profile;
    let accounts: Vec<ConnectorAccount> = acquirers.iter().filter_map(|acquirer| account(&profile, &acquirer.name)).collect();
    let biases = acquirers.iter().map(|acquirer| {
        effect(seed, scenario.slice_deviation * ACCOUNT_PART, &format!("account {} of {profile}", acquirer.name))
    });
    let rate = Rates::default().per_reference.get(&currency).copied().unwrap_or(1.0);
    let euro_minor = rate * f64::from(10_u32.pow(currency.exponent()));
    let size = libm::exp(effect(seed, TICKET_DEVIATION, &format!("tickets of {profile}")));
    Shop {
        name: merchant.name,
        currency,
        ticket_minor: scenario.ticket.median * size * euro_minor,
        euro_minor,
        biases: biases.collect(),
        priority: order.iter().filter_map(|name| account(&profile, name)).collect(),
        usual: usual.iter().filter_map(|name| account(&profile, name)).collect(),
        accounts,
        profile,
        weight,
    }
}

/// Merchants pinned by number are spread over the ranks: the k-th of every `merchants ÷ pinned`.
fn is_pinned(scenario: &Scenario, rank: usize) -> bool {
    let (pinned, all) = (*scenario.pinned.get_ref(), scenario.merchants);
    (rank + 1) * pinned / all != rank * pinned / all
}

/// The priority list of merchants pinned by number: the scenario's first choice, or the cheapest on a median ticket;
/// then the others, the best first.
fn favourite_order(scenario: &Scenario, acquirers: &[Acquirer]) -> Vec<ConnectorName> {
    let fee = |profile: &ConnectorProfile| {
        #[expect(clippy::cast_precision_loss, reason = "a fee is far below 2^53 minor units")]
        let fixed = profile.fee_minor as f64 / 100.0;
        fixed + scenario.ticket.median * profile.fee_percent / 100.0
    };
    let cheapest = || acquirers.iter().min_by(|a, b| fee(&a.profile).total_cmp(&fee(&b.profile))).map(|a| a.name.clone());
    let first = scenario.pinned_first.as_ref().map(|name| name.get_ref().clone()).or_else(cheapest);
    let mut order: Vec<&Acquirer> = acquirers.iter().collect();
    let key = |acquirer: &Acquirer| if Some(&acquirer.name) == first.as_ref() { 2.0 } else { acquirer.profile.success };
    order.sort_by(|a, b| key(b).total_cmp(&key(a)));
    order.into_iter().map(|acquirer| acquirer.name.clone()).collect()
}

/// A merchant's account at a connector: `adyen:mca_lumen_ad` for `pro_lumen`. None where that would be too long an id.
fn account(profile: &ProfileId, connector: &ConnectorName) -> Option<ConnectorAccount> {
    let word = profile.as_str().trim_start_matches("pro_");
    let tag: String = connector.as_str().chars().take(2).collect();
    ConnectorAccount::of(connector.as_str(), Some(&format!("mca_{word}_{tag}"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connectors_mean_over_the_traffic_is_what_the_scenario_states() {
        let scenario = Scenario::named("calm").unwrap();
        for seed in 0..5 {
            let market = Market::new(&scenario, seed);
            for acquirer in &market.acquirers {
                let handled = |cell: &&(usize, &Cell)| acquirer.profile.handles(cell.1.method, market.shops[0].currency);
                let cells: Vec<_> = market.cells.iter().enumerate().collect();
                let total: f64 = cells.iter().filter(handled).map(|(_, cell)| cell.weight).sum();
                let sum: f64 = cells.iter().filter(handled).map(|(i, cell)| cell.weight * sigmoid(acquirer.logits[*i])).sum();
                let rate = market.customer_passes() * sum / total;
                assert!((rate - acquirer.profile.success).abs() < 1e-9, "{}: {rate}", acquirer.name);
            }
        }
    }

    #[test]
    fn networks_are_known_by_their_first_digits() {
        let check = |bin: &str, expected: Network| assert_eq!(network(Bin::parse(bin).unwrap()), expected, "{bin}");
        check("424242", Network::Visa);
        check("52008200", Network::Mastercard);
        check("222300", Network::Mastercard);
        check("378282", Network::AmericanExpress);
        check("353011", Network::Jcb);
        check("601111", Network::Discover);
        check("620000", Network::UnionPay);
    }

    #[test]
    fn as_many_merchants_are_pinned_as_the_scenario_says() {
        let market = Market::new(&Scenario::named("outage").unwrap(), 3);
        let pinned: Vec<&Shop> = market.shops.iter().filter(|shop| !shop.priority.is_empty()).collect();
        assert_eq!((market.shops.len(), pinned.len()), (12, 5));
        assert!(pinned.iter().all(|shop| shop.priority[0].connector() == "adyen" && shop.priority.len() == 5));
        assert_eq!(market.shops[2].priority[0].as_str(), "adyen:mca_vela_ad");
    }
}
