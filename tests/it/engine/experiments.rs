//! Experiments from outside: arms by bucket, figures once, the guardrail, promotion with undo, a split that is not as promised.

use apos::domain::change::ArmState;
use apos::domain::{ActionClass, Change};
use apos::engine::snapshot::{ActionRow, ExperimentRow, ExperimentState};

use super::adoption::many;
use super::*;

/// A market with an experiment on the three merchants that are not pinned.
fn experimenting(seed: u64, arms: &str) -> Market {
    let mut market = Market::new(seed);
    let mut settings = Settings::clone(market.state.view().settings());
    let text = format!("[experiments.x]\narms = [{arms}]\nmerchants = [\"pro_3\", \"pro_4\", \"pro_5\"]\n");
    settings.experiments = toml::from_str::<Settings>(&text).unwrap().experiments;
    market.push(Body::Configured(settings.into()));
    market
}

impl Market {
    fn experiment(&self) -> ExperimentRow {
        snapshot(&self.state).experiments.remove(0)
    }

    fn arm_action(&self, to: ArmState) -> Option<ActionRow> {
        let is = |row: &ActionRow| matches!(&row.change, Change::SetArm { to: wanted, .. } if *wanted == to);
        snapshot(&self.state).actions.into_iter().find(|row| is(row) && row.status == ActionStatus::Pending)
    }
}

fn arm_of(decision: &Decision) -> Option<(&str, u16)> {
    decision.notes.iter().find_map(|note| match note {
        Note::Experiment { arm, bucket, .. } => Some((arm.as_str(), *bucket)),
        _ => None,
    })
}

const TWO: &str =
    "{ name = \"control\", share = 30 }, { name = \"greedy\", share = 30, exploration = 0.0, uniform_share = 0.0 }";

#[test]
fn decisions_in_an_experiment_are_computed_again_exactly_and_a_bucket_says_the_arm() {
    let mut market = experimenting(31, TWO);
    market.adopt(None, Some(80), None);
    market.run(40);
    let decisions = market.decisions();
    let mut counted = [0_u32; 3];
    for decision in &decisions {
        let in_scope = (3..6).any(|n| decision.request.profile == profile(n));
        match arm_of(decision) {
            Some(("control", bucket)) => {
                assert!(bucket < 3_000 && in_scope, "{decision:?}");
                counted[0] += 1;
            }
            Some((arm, bucket)) => {
                assert!(arm == "greedy" && (3_000..6_000).contains(&bucket) && in_scope, "{decision:?}");
                assert!(decision.candidates.iter().all(|one| one.bonus.abs() < f64::EPSILON), "it does not explore");
                counted[1] += 1;
            }
            None => counted[2] += 1,
        }
    }
    // Half of the payments are in scope, the dial lets four fifths in, each arm has three tenths of those.
    assert!(counted[0] > 60 && counted[1] > 60 && counted[2] > 500, "{counted:?}");
    let row = market.experiment();
    assert_eq!((row.arms[0].assigned, row.arms[1].assigned), (u64::from(counted[0]), u64::from(counted[1])));
    assert_eq!((row.arms[0].answered, row.arms[1].answered), (u64::from(counted[0]), u64::from(counted[1])));
    assert_eq!(recomputed(&market.log).0.len(), decisions.len());
}

/// Whatever mixture of arms chose, an account is chosen as often as the propensities promise.
#[test]
fn propensities_in_an_experiment_are_how_often_it_is_chosen() {
    let arms = "{ name = \"control\", share = 40 }, { name = \"order\", share = 25, policy = \"static\" }";
    let mut market = experimenting(32, arms);
    market.run(20);
    let drawn = propensity::check(market.state.view(), market.at, &|payment| many(&payment));
    assert!(drawn.share(&account(3, 5)) > 0.24, "the order's first has its quarter: {drawn:?}");
}

#[test]
fn a_losing_arm_is_stopped_by_itself_where_autonomy_lets_it_and_undo_resumes_it() {
    let arms = "{ name = \"control\" }, { name = \"order\", policy = \"static\" }";
    let mut market = experimenting(33, arms);
    market.order(Order::SetAutonomy { class: Some(ActionClass::Experiments), level: Autonomy::Auto });
    market.run(60);
    // The order begins with adyen, which fails now; the control leaves it.
    market.adyen_down = true;
    market.run(60);
    let row = market.experiment();
    assert_eq!((row.state, row.arms[1].state), (ExperimentState::Stopped, ArmState::Stopped), "{row:#?}");
    let before = market.decisions().len();
    market.run(5);
    assert!(market.decisions()[before..].iter().all(|decision| arm_of(decision).is_none()), "nothing is in it any more");
    let actions = snapshot(&market.state).actions;
    let stop = actions.iter().find(|action| action.class == ActionClass::Experiments).unwrap();
    assert!(stop.sentence.starts_with("Stop arm order of experiment x: it loses ") && stop.undoable, "{stop:#?}");
    assert!(stop.predicted.rate_after > stop.predicted.rate_now);
    market.order(Order::SetAutonomy { class: Some(ActionClass::Experiments), level: Autonomy::Approve });
    let version = market.action_version(stop.id);
    market.order(Order::Undo { action: stop.id, version });
    assert_eq!(market.experiment().arms[1].state, ArmState::Running);
    recomputed(&market.log);
}

impl Market {
    fn action_version(&self, id: ActionId) -> u32 {
        snapshot(&self.state).actions.iter().find(|row| row.id == id).unwrap().version
    }
}

#[test]
fn a_winning_arm_is_proposed_for_promotion_and_the_promotion_can_be_undone() {
    let arms = "{ name = \"order\", policy = \"static\" }, { name = \"engine\" }";
    let mut market = experimenting(34, arms);
    market.run(60);
    market.adyen_down = true;
    market.run(60);
    assert!(market.arm_action(ArmState::Stopped).is_none(), "the control is not stopped, the other is promoted");
    let action = market.arm_action(ArmState::Promoted).expect("the winner is proposed");
    assert!(action.sentence.starts_with("Promote arm engine of experiment x: it gains "), "{}", action.sentence);
    // Three merchants of six.
    let blast = &action.blast;
    assert!((blast.share - 0.5).abs() < 0.05 && blast.payments_per_min > 100.0, "{blast:?}");
    assert!(!blast.amount_per_min.is_empty() && blast.merchants.len() == 3, "{blast:?}");
    market.order(Order::Approve { action: action.id, version: action.version });
    let row = market.experiment();
    assert_eq!((row.state, row.arms[1].state), (ExperimentState::Promoted, ArmState::Promoted));
    let before = market.decisions().len();
    market.run(3);
    for decision in &market.decisions()[before..] {
        let promoted = decision.notes.iter().any(|note| matches!(note, Note::Promoted { arm, .. } if arm == "engine"));
        assert_eq!(promoted, (3..6).any(|n| decision.request.profile == profile(n)), "{decision:?}");
    }
    let version = market.action_version(action.id);
    market.order(Order::Undo { action: action.id, version });
    assert_eq!(market.experiment().state, ExperimentState::Running);
    recomputed(&market.log);
}

/// Of one arm most outcomes are never told: then a difference may be that, and no winner is believed.
#[test]
fn an_experiment_whose_split_is_not_as_promised_is_flagged_and_not_promoted() {
    let arms = "{ name = \"order\", policy = \"static\" }, { name = \"engine\" }";
    let mut market = experimenting(35, arms);
    market.mute = Some("engine");
    market.adyen_down = true;
    market.run(180);
    let row = market.experiment();
    assert!(row.arms[1].difference.unwrap() > 0.0 && row.arms[1].p.unwrap() < 0.05, "it would win: {row:#?}");
    assert!(row.mismatched && row.split_probability.unwrap() < 1e-4, "{row:#?}");
    assert!(market.arm_action(ArmState::Promoted).is_none());
}

/// An arm that is stopped gets no more payments, and an arm that runs again gets its share: neither is a mismatch.
#[test]
fn an_arm_that_was_stopped_leaves_the_split_as_promised() {
    let arms = "{ name = \"control\", share = 34 }, { name = \"same\", share = 33 }, \
        { name = \"order\", share = 33, policy = \"static\" }";
    let mut market = experimenting(38, arms);
    market.order(Order::SetAutonomy { class: Some(ActionClass::Experiments), level: Autonomy::Auto });
    market.adyen_down = true;
    market.run(120);
    let stopped = market.experiment();
    assert_eq!((stopped.state, stopped.arms[2].state), (ExperimentState::Running, ArmState::Stopped), "{stopped:#?}");
    market.adyen_down = false;
    market.run(240);
    let row = market.experiment();
    assert!(row.arms[0].assigned > 3 * row.arms[2].assigned, "{row:#?}");
    assert!(!row.mismatched && row.split_probability.unwrap() > 0.01, "{row:#?}");
    market.order(Order::SetAutonomy { class: Some(ActionClass::Experiments), level: Autonomy::Approve });
    let stop = snapshot(&market.state).actions.into_iter().find(|action| action.class == ActionClass::Experiments).unwrap();
    market.order(Order::Undo { action: stop.id, version: stop.version });
    market.run(60);
    let again = market.experiment();
    assert!(again.arms[2].assigned > row.arms[2].assigned, "{again:#?}");
    assert!(!again.mismatched && again.split_probability.unwrap() > 0.01, "{again:#?}");
}

#[test]
fn an_outcome_counts_once_and_only_of_a_first_attempt() {
    let mut market = experimenting(36, "{ name = \"control\" }, { name = \"same\" }");
    market.run(5);
    let answered = |market: &Market| market.experiment().arms.iter().map(|arm| arm.answered).sum::<u64>();
    let before = answered(&market);
    let events: Vec<PaymentEvent> =
        market.log.iter().filter_map(|e| if let Body::Payment(p) = &e.body { Some((**p).clone()) } else { None }).collect();
    for event in events.iter().filter(|event| event.kind != EventKind::Started) {
        market.push(Body::Payment(Box::new(PaymentEvent { source: Source::Feedback, attempt: None, ..event.clone() })));
    }
    assert_eq!(answered(&market), before, "repeats");
    let failed = events.iter().find(|e| e.kind == EventKind::Failed && (3..6).any(|n| e.profile == profile(n))).unwrap();
    let n = (3..6).find(|n| failed.profile == profile(*n)).unwrap();
    let request = Request {
        profile: failed.profile.clone(),
        payment: failed.payment.clone(),
        attempt: 2,
        amount: failed.amount.unwrap(),
        context: failed.context,
        eligible: accounts(n),
    };
    let first = market.decisions().into_iter().find(|d| d.request.payment == failed.payment).unwrap();
    let second = decide(market.state.view(), &|_| 0, request, market.at).unwrap();
    assert_eq!(arm_of(&second), arm_of(&first), "a retry is in the same arm");
    let event = PaymentEvent { attempt: Some(2), account: Some(second.chosen().account.clone()), ..failed.clone() };
    market.push(Body::Decided(Arc::new(second)));
    market.push(Body::Payment(Box::new(event)));
    assert_eq!(answered(&market), before, "a second attempt");
}

/// The customer may be at the second attempt before anything is heard of the first.
#[test]
fn a_first_attempts_outcome_counts_however_late_it_is() {
    let mut market = experimenting(38, "{ name = \"control\" }, { name = \"same\" }");
    market.run(5);
    let answered = |market: &Market| market.experiment().arms.iter().map(|arm| arm.answered).sum::<u64>();
    let request = |payment: u32, attempt: u16, connector: usize| Request {
        attempt,
        ..plain::request(profile(3), &format!("late_{payment}"), vec![account(connector, 3)])
    };
    let told = |payment: u32, attempt: u16, connector: usize| PaymentEvent {
        attempt: Some(attempt),
        attempts_made: Some(attempt),
        ..plain::event(profile(3), &format!("late_{payment}"), account(connector, 3), EventKind::Failed)
    };
    for (payment, second) in [(1, 1), (2, 2)] {
        let before = answered(&market);
        for (attempt, connector) in [(1, 1), (2, second)] {
            let decision = decide(market.state.view(), &|_| 0, request(payment, attempt, connector), market.at).unwrap();
            assert!(arm_of(&decision).is_some());
            market.push(Body::Decided(Arc::new(decision)));
        }
        market.push(Body::Payment(Box::new(told(payment, 2, second))));
        assert_eq!(answered(&market), before, "of a second attempt");
        market.push(Body::Payment(Box::new(told(payment, 1, 1))));
        assert_eq!(answered(&market), before + 1, "of the first, on connector 1 and then on {second}");
    }
}

#[test]
fn another_definition_begins_afresh_and_the_kill_switch_pauses_it() {
    let mut market = experimenting(37, "{ name = \"control\" }, { name = \"same\" }");
    market.run(5);
    assert!(market.experiment().arms[0].assigned > 0);
    market.order(Order::SetKillSwitch { pulled: true, reason: "".into() });
    assert_eq!(market.experiment().state, ExperimentState::Paused);
    let before = market.decisions().len();
    market.run(2);
    assert!(market.decisions()[before..].iter().all(|decision| arm_of(decision).is_none()));
    let mut settings = Settings::clone(market.state.view().settings());
    settings.experiments.get_mut("x").unwrap().end = Some(market.at);
    market.push(Body::Configured(settings.clone().into()));
    assert!(market.experiment().arms[0].assigned > 0, "another end is no other experiment");
    assert_eq!(market.experiment().state, ExperimentState::Ended);
    settings.experiments.get_mut("x").unwrap().arms[1].exploration = Some(0.5);
    market.push(Body::Configured(settings.clone().into()));
    assert_eq!(market.experiment().arms[0].assigned, 0);
    settings.experiments.clear();
    market.push(Body::Configured(settings.into()));
    assert!(snapshot(&market.state).experiments.is_empty());
}

/// The whole way, many times: arms that are the same are hardly ever told apart, and never more often than alpha allows.
#[test]
fn arms_that_are_the_same_are_not_told_apart() {
    let (mut rejected, mut stopped) = (0, 0);
    for seed in 100..130 {
        let mut market = experimenting(seed, "{ name = \"control\" }, { name = \"same\" }");
        market.run(80);
        let row = market.experiment();
        let p = row.arms[1].p.expect("each has its 200 outcomes");
        rejected += u32::from(p <= row.alpha);
        stopped += u32::from(market.arm_action(ArmState::Stopped).is_some());
        assert!(!row.mismatched, "seed {seed}: {row:#?}");
    }
    assert!(rejected <= 3 && stopped <= 3, "of 30 runs {rejected} are told apart, {stopped} stopped");
}
