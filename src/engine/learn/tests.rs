//! Publication, trial, force and failure of models, as the log tells them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::model::{Metrics, STEPS_PER_LOGIT, Table, Window};
use crate::domain::settings::{Learning as LearningSettings, Merchant, Objective};
use crate::domain::{
    Body, ConnectorAccount, ConnectorName, Context, Decision, Decline, DeclineClass, Entry, EventKind, Method, Money, Note,
    PaymentEvent, Position, Request, Settings, Source, testing,
};
use crate::engine::snapshot::{EventClass, LearningView, ModelStatus};
use crate::engine::{State, apply, decide, snapshot};

/// A log whose payments go to two connectors in turn. What one approves the other does, or not, by the payment's amount:
/// that is what routing cannot know by itself.
struct World {
    state: State,
    at: Time,
    payments: u64,
    /// What the feed told of the engine; it keeps the latest lines only.
    told: BTreeSet<String>,
}

const CONNECTORS: [&str; 2] = ["adyen", "stripe"];

impl World {
    fn new(learning: LearningSettings) -> Self {
        let mut world = Self { state: State::new(), at: Time::from_secs(1_750_000_000), payments: 0, told: BTreeSet::new() };
        world.push(Body::Configured(Settings { learning, ..Settings::default() }.into()));
        world
    }

    fn push(&mut self, body: Body) {
        let position = Position { record: self.state.position().record + 1, index: 0 };
        let is_outcome = matches!(body, Body::Payment(_));
        apply(&mut self.state, &Entry { position, at: self.at, body }, &mut Vec::new());
        if !is_outcome {
            self.listen();
        }
    }

    /// Payments of a large and a small amount, at each connector; of a hundred such, so many are approved.
    fn pay(&mut self, rounds: u64, approved: impl Fn(usize, bool) -> u64) {
        for _ in 0..rounds {
            for (connector, large) in [(0, true), (1, true), (0, false), (1, false)] {
                let n = self.payments;
                self.payments += 1;
                self.at = self.at + Duration::from_secs(1);
                let success = n / 4 * 37 % 100 < approved(connector, large);
                self.push(Body::Payment(Box::new(outcome(n, connector, large, success, self.at))));
            }
            self.listen();
        }
    }

    fn publish(&mut self, version: u32, step: i8) {
        self.push(Body::ModelPublished(Box::new(model(version, step))));
    }

    fn view(&self) -> LearningView {
        snapshot(&self.state).learning
    }

    fn listen(&mut self) {
        let rows = self.state.feed.rows(self.state.view()).into_iter();
        self.told.extend(rows.filter(|row| row.class == EventClass::Engine).map(|row| row.text));
    }

    fn told(&self, words: &str) -> bool {
        self.told.iter().any(|line| line.contains(words))
    }

    fn decide(&self, large: bool) -> Decision {
        decide(self.state.view(), &|_| 0, request(large), self.at).unwrap()
    }
}

fn amount(large: bool) -> Money {
    testing::eur(if large { 50_000 } else { 1_000 })
}

fn context() -> Context {
    Context { method: Some(Method::Card), ..Context::default() }
}

fn account(connector: usize) -> ConnectorAccount {
    testing::account(&format!("{}:mca_1", CONNECTORS[connector]))
}

fn request(large: bool) -> Request {
    let eligible = vec![account(0), account(1)];
    Request {
        payment: testing::payment("pay_asked"),
        amount: amount(large),
        context: context(),
        eligible,
        ..testing::request(&[])
    }
}

fn outcome(n: u64, connector: usize, large: bool, success: bool, at: Time) -> PaymentEvent {
    PaymentEvent {
        source: Source::Feedback,
        payment: testing::payment(&format!("pay_{n}")),
        attempt: Some(1),
        account: Some(account(connector)),
        decline: (!success).then(|| Decline { class: DeclineClass::Mixed, code: "do_not_honor".into() }),
        amount: Some(amount(large)),
        context: context(),
        occurred_at: at,
        ..testing::event(if success { EventKind::Captured } else { EventKind::Failed })
    }
}

/// A model that says of large amounts that adyen is so much better, and of small ones that stripe is.
fn model(version: u32, step: i8) -> Model {
    let mut rows: Vec<(Cell, [i8; 2])> = [true, false]
        .map(|large| (Cell::of(&context(), Some(amount(large))), if large { [step, -step] } else { [-step, step] }))
        .into();
    rows.sort_unstable();
    let table = Table {
        connectors: CONNECTORS.map(|name| ConnectorName::parse(name).unwrap()).to_vec(),
        cells: rows.iter().map(|(cell, _)| *cell).collect(),
        steps: rows.iter().flat_map(|(_, steps)| *steps).collect(),
    };
    let (blob, hash) = table.blob().unwrap();
    let (metrics, features, shares) = (Metrics::default(), vec!["amount".into()], Vec::new());
    let window = Window { outcomes: 5_000, ..Window::default() };
    Model { version, hash, algorithm: "random_forest".into(), window, features, metrics, shares, blob }
}

fn short() -> LearningSettings {
    LearningSettings {
        min_outcomes: 500,
        trial_outcomes: 800,
        interval_s: 3_600,
        retry_s: 600,
        enabled: true,
        ..LearningSettings::default()
    }
}

/// What is there to know: adyen takes large amounts well and small ones badly, stripe the other way round.
const fn by_amount(connector: usize, large: bool) -> u64 {
    if (connector == 0) == large { 95 } else { 75 }
}

#[test]
fn a_model_that_knows_more_comes_into_force_and_a_decision_says_so_and_can_be_computed_again() {
    let mut world = World::new(short());
    world.pay(150, by_amount);
    assert!(world.decide(true).notes.is_empty());
    world.publish(1, 50);
    assert_eq!(world.view().challenger.unwrap().status, ModelStatus::OnTrial);
    assert!(world.decide(true).notes.is_empty(), "on trial it counts for nothing");
    world.pay(250, by_amount);
    let champion = world.view().champion.unwrap();
    assert_eq!((champion.status, champion.weight > 0.5), (ModelStatus::InForce, true), "{champion:#?}");
    assert!(world.told("model 1 is in force"));
    for large in [true, false] {
        let decision = world.decide(large);
        let [Note::Model { version: 1, weight, steps }] = &decision.notes[..] else { panic!("{:?}", decision.notes) };
        assert_eq!(steps[usize::from(decision.chosen)], 50, "the one it speaks for is chosen");
        assert_eq!(decision.chosen().account, account(usize::from(!large)));
        let restored = State::restore(&world.state.checkpoint()).unwrap();
        assert_eq!(decide(restored.view(), &|_| 0, request(large), world.at).unwrap(), decision);
        // The note tells what the model added: without it the other one would be as good.
        let added = f64::from(*weight) * 50.0 / STEPS_PER_LOGIT;
        assert!(added > 0.3, "{added}");
    }
}

#[test]
fn under_an_objective_the_model_has_its_part_too_and_its_note_is_the_last() {
    let mut world = World::new(short());
    world.pay(150, by_amount);
    world.publish(1, 50);
    world.pay(250, by_amount);
    let objective = Objective { margin_percent: 20.0, cost_weight: 1.0, latency_percent_per_s: 0.0 };
    let merchants = [(request(true).profile, Merchant { objective, ..Merchant::default() })].into();
    world.push(Body::Configured(Settings { learning: short(), merchants, ..Settings::default() }.into()));
    for large in [true, false] {
        let decision = world.decide(large);
        let [Note::Objective(_), Note::Model { version: 1, steps, .. }] = &decision.notes[..] else {
            panic!("{:?}", decision.notes)
        };
        assert_eq!(steps[usize::from(decision.chosen)], 50, "the one it speaks for is worth most");
        assert_eq!(decision.chosen().account, account(usize::from(!large)));
    }
}

#[test]
fn a_model_that_knows_nothing_more_is_turned_down() {
    let mut world = World::new(short());
    world.pay(150, |_, _| 85);
    world.publish(1, 30);
    world.pay(250, |_, _| 85);
    let view = world.view();
    assert!(view.champion.is_none() && view.challenger.is_none());
    assert!(view.past[0].verdict.as_ref().unwrap().contains("turned down"), "{:?}", view.past);
    assert!(world.state.view().offsets.is_none());
    assert_eq!(view.alert, None);
}

#[test]
fn a_challenger_has_to_beat_the_champion_not_only_routing_alone() {
    let mut world = World::new(short());
    world.pay(150, by_amount);
    world.publish(1, 50);
    world.pay(250, by_amount);
    world.publish(2, 50);
    world.pay(250, by_amount);
    assert_eq!(world.view().champion.unwrap().version, 1, "the same knowledge again is not better");
    assert!(world.told("model 2 is turned down"));
    world.publish(2, 60);
    assert!(world.told("model 2 is not tried"), "a version is published once");
}

#[test]
fn where_the_world_turns_the_model_is_taken_out_told_of_and_trained_again_and_routing_is_as_if_it_had_never_been() {
    let mut world = World::new(short());
    let mut alone = World::new(LearningSettings { enabled: false, ..short() });
    for world in [&mut world, &mut alone] {
        world.pay(150, by_amount);
        world.publish(1, 50);
        world.pay(400, by_amount);
    }
    assert!(world.view().champion.is_some_and(|row| row.status == ModelStatus::InForce));
    for world in [&mut world, &mut alone] {
        world.pay(400, |connector, large| by_amount(1 - connector, large));
    }
    let view = world.view();
    let champion = view.champion.unwrap();
    assert_eq!(champion.status, ModelStatus::OutOfForce);
    let published_at = champion.published_at;
    assert!(view.alert.is_some_and(|alert| alert.contains("model 1 is out of force")));
    assert!(world.told("model 1 is out of force"));
    assert!(world.state.view().offsets.is_none());
    let (due, version) = world.state.training().unwrap();
    assert!(due <= world.at, "before its time: it was published {} s ago", world.at.since(published_at).as_secs());
    assert_eq!(version, 2);
    assert_eq!(world.decide(true), alone.decide(true), "exactly what routing decides by itself");
}

#[test]
fn training_is_due_when_there_is_enough_and_again_after_its_interval() {
    let mut world = World::new(short());
    world.pay(124, by_amount);
    assert_eq!(world.state.training(), None, "496 outcomes");
    world.pay(1, by_amount);
    assert_eq!(world.state.training(), Some((Time::ZERO, 1)));
    world.publish(1, 50);
    assert_eq!(world.state.training(), Some((world.at + Duration::from_hours(1), 2)));
}

#[test]
fn lessons_are_bounded_and_customers_faults_are_none() {
    let mut world = World::new(LearningSettings { window: 1_000, ..short() });
    world.pay(300, by_amount);
    assert_eq!(world.state.lessons().len(), 1_000);
    let before = world.state.lessons();
    let mut declined = outcome(9_999, 0, true, false, world.at);
    declined.decline = Some(Decline { class: DeclineClass::User, code: "insufficient_funds".into() });
    world.push(Body::Payment(Box::new(declined)));
    assert_eq!(world.state.lessons(), before);
}

#[test]
fn a_damaged_or_unwanted_model_changes_nothing_but_the_feed() {
    let mut world = World::new(short());
    world.pay(150, by_amount);
    let mut damaged = model(1, 50);
    damaged.blob[5] ^= 1;
    world.push(Body::ModelPublished(Box::new(damaged)));
    assert!(world.told("model 1 is not tried: its bytes are not those of its hash"));
    let off = Settings { learning: LearningSettings { enabled: false, ..short() }, ..Settings::default() };
    world.push(Body::Configured(Arc::new(off).into()));
    world.publish(1, 50);
    assert!(world.told("model 1 is not tried: learning is off"));
    assert!(world.view().challenger.is_none() && world.state.training().is_none());
}

#[test]
fn learning_that_is_switched_off_takes_the_model_out_at_once() {
    let mut world = World::new(short());
    world.pay(150, by_amount);
    world.publish(1, 50);
    world.pay(250, by_amount);
    assert!(world.state.view().offsets.is_some());
    let off = Settings { learning: LearningSettings { enabled: false, ..short() }, ..Settings::default() };
    world.push(Body::Configured(off.into()));
    assert!(world.state.view().offsets.is_none() && world.state.lessons().is_empty());
    assert!(world.told("learning was switched off"));
    world.pay(1, by_amount);
    assert!(world.state.lessons().is_empty(), "nothing is kept for it any more");
}
