//! A log of the mix that the engine's promises name: started : decided : outcome 1:1:1, 10 connectors, 500 merchants,
//! 5,000 slices.

use std::sync::Arc;
use std::time::Duration;

use apos::domain::model::{Cell, Metrics, Shares, Table, Window};
use apos::domain::settings::Learning;
use apos::domain::{
    Bin, Body, CardType, ConnectorAccount, ConnectorName, Context, Country, Credential, Currency, Decline, DeclineClass, Entry,
    EventKind, Initiator, Issuer, Method, Model, Money, Network, PaymentEvent, PaymentId, Position, ProfileId, Request,
    Settings, Source, Time,
};
use apos::engine::learn::drift;
use apos::engine::snapshot::ModelStatus;
use apos::engine::{State, apply, decide};

const MERCHANTS: u64 = 500;
/// 500 BINs on 10 connectors are the 5,000 slices.
const BINS: u64 = 500;
/// Payments a second of log time.
const RATE: u64 = 1_000;

/// A log of the mix, written while it is folded, so that every decision is a real one.
pub(crate) struct Mix {
    pub(crate) state: State,
    connectors: u64,
    /// Whether everything that there is to know of a payment is.
    all_known: bool,
    payments: u64,
    pub(crate) entries: Vec<Entry>,
    at: Time,
}

impl Mix {
    pub(crate) fn new(connectors: u64) -> Self {
        let at = Time::from_secs(1_750_000_000);
        let mut mix = Self { state: State::new(), connectors, all_known: false, payments: 0, entries: Vec::new(), at };
        mix.push(Body::EngineStarted { version: "bench".to_owned(), epoch: 1 });
        mix.push(Body::Configured(Settings::default().into()));
        mix
    }

    /// The mix with a learnt model in force that tells every kind of payment apart. It knows which BINs fail, so that it
    /// is accepted.
    pub(crate) fn modelled(connectors: u64) -> Self {
        let mut mix = Self::new(connectors);
        let learning = Learning { enabled: true, trial_outcomes: 1_000, ..Learning::default() };
        mix.push(Body::Configured(Settings { learning, ..Settings::default() }.into()));
        (0..1_000).for_each(|_| mix.pay());
        mix.push(Body::ModelPublished(Box::new(mix.model())));
        (0..29_000).for_each(|_| mix.pay());
        let learning = apos::engine::snapshot(&mix.state).learning;
        assert_eq!(learning.champion.map(|row| row.status), Some(ModelStatus::InForce), "{:?}", learning.past);
        mix
    }

    fn model(&self) -> Model {
        let mut rows: Vec<(Cell, i8)> = (0..20 * BINS)
            .map(|n| {
                let request = self.request(n);
                (Cell::of(&request.context, Some(request.amount)), if n.is_multiple_of(10) { -127 } else { 32 })
            })
            .collect();
        rows.sort_unstable();
        rows.dedup();
        let width = usize::try_from(self.connectors).unwrap();
        let table = Table {
            connectors: (0..width).map(|c| ConnectorName::parse(&format!("connector{c}")).unwrap()).collect(),
            cells: rows.iter().map(|(cell, _)| *cell).collect(),
            steps: rows.iter().flat_map(|(_, step)| vec![*step; width]).collect(),
        };
        let (blob, hash) = table.blob().unwrap();
        Model {
            version: 1,
            hash,
            algorithm: "by_hand".into(),
            window: Window::default(),
            features: Vec::new(),
            metrics: Metrics::default(),
            shares: self.shares(),
            blob,
        }
    }

    /// What the mix is made of, as a trainer tells it.
    fn shares(&self) -> Vec<Shares> {
        let request = self.request(0);
        let [method, country, network, _] = drift::values(&Cell::of(&request.context, Some(request.amount)));
        // Amounts are 5 to 100, evenly.
        let bands = [("band 1", 0.12), ("band 2", 0.51), ("band 3", 0.37)].map(|(band, share)| (band.into(), share));
        let [of_method, of_country, of_network, of_amount] = drift::COMPARED;
        let shares = |feature: &str, values| Shares { feature: feature.into(), values };
        let alone = |value| vec![(value, 1.0)];
        vec![
            shares(of_method, alone(method)),
            shares(of_country, alone(country)),
            shares(of_network, alone(network)),
            shares(of_amount, bands.into()),
        ]
    }

    /// The mix after enough payments that every slice has been seen.
    pub(crate) fn warm(connectors: u64) -> Self {
        let mut mix = Self::new(connectors);
        (0..30_000).for_each(|_| mix.pay());
        mix
    }

    /// The same with payments of which everything is known, and counts for the scores.
    pub(crate) fn warm_all_known(connectors: u64) -> Self {
        let mut mix = Self { all_known: true, ..Self::new(connectors) };
        (0..30_000).for_each(|_| mix.pay());
        mix
    }

    fn context(&self, n: u64) -> Context {
        let bin = n * 13 % BINS;
        let context = Context {
            method: Some(Method::Card),
            network: Some(Network::Visa),
            country: Some(Country::parse("DE").unwrap()),
            bin: Some(Bin::parse(&format!("4{bin:05}")).unwrap()),
            ..Context::default()
        };
        if !self.all_known {
            return context;
        }
        Context {
            country: Some(Country::parse("US").unwrap()),
            three_ds: Some(true),
            initiator: Some(Initiator::Merchant),
            credential: Some(Credential::NetworkToken),
            card_type: Some(CardType::Debit),
            issuer: Some(Issuer::parse(&format!("Example Bank {}", bin / 5)).unwrap()),
            ..context
        }
    }

    fn push(&mut self, body: Body) {
        let position = Position { record: self.state.position().record + 1, index: 0 };
        let entry = Entry { position, at: self.at, body };
        apply(&mut self.state, &entry, &mut Vec::new());
        self.entries.push(entry);
    }

    pub(crate) fn request(&self, n: u64) -> Request {
        let merchant = n * 7 % MERCHANTS;
        Request {
            profile: ProfileId::parse(&format!("pro_{merchant}")).unwrap(),
            payment: PaymentId::parse(&format!("pay_{n:016}")).unwrap(),
            attempt: 1,
            amount: Money::new(i64::try_from(500 + n % 9_500).unwrap(), Currency::parse("EUR").unwrap()),
            context: self.context(n),
            eligible: (0..self.connectors)
                .map(|c| ConnectorAccount::parse(&format!("connector{c}:mca_{merchant}")).unwrap())
                .collect(),
        }
    }

    pub(crate) fn pay(&mut self) {
        let n = self.payments;
        self.payments += 1;
        self.at = self.at + Duration::from_micros(1_000_000 / RATE);
        let decision = decide(self.state.view(), &|_| 0, self.request(n), self.at).unwrap();
        let (request, account) = (decision.request.clone(), decision.chosen().account.clone());
        let event = |kind| {
            Box::new(PaymentEvent {
                source: Source::Simulation,
                event_id: None,
                profile: request.profile.clone(),
                payment: request.payment.clone(),
                attempt: Some(1),
                account: Some(account.clone()),
                kind,
                decline: (kind == EventKind::Failed)
                    .then(|| Decline { class: DeclineClass::Mixed, code: "do_not_honor".into() }),
                amount: Some(request.amount),
                context: request.context,
                latency_ms: Some(300),
                attempts_made: Some(1),
                occurred_at: self.at,
            })
        };
        let kind = if n.is_multiple_of(10) { EventKind::Failed } else { EventKind::Captured };
        let (started, ended) = (event(EventKind::Started), event(kind));
        self.push(Body::Decided(Arc::new(decision)));
        self.push(Body::Payment(started));
        self.push(Body::Payment(ended));
        if self.payments.is_multiple_of(RATE) {
            self.push(Body::Ticked);
        }
    }
}
