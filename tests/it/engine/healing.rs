//! Repairs from outside: what is proposed, held, refused, withdrawn and taken back, and when.

use apos::domain::{ActionClass, Change, PriorityMove};
use apos::engine::snapshot::{ActionRow, IncidentRow};

use super::*;

impl Market {
    fn row(&self, action: ActionId) -> ActionRow {
        snapshot(&self.state).actions.into_iter().find(|row| row.id == action).unwrap()
    }

    fn pending(&self) -> Vec<ActionRow> {
        snapshot(&self.state).actions.into_iter().filter(|row| row.status == ActionStatus::Pending).collect()
    }

    fn incident(&self) -> IncidentRow {
        snapshot(&self.state).incidents.into_iter().next().expect("an incident")
    }

    fn autonomy(&mut self, level: Autonomy) {
        self.order(Order::SetAutonomy { class: None, level });
    }

    fn first_choice(&self, n: u32) -> String {
        self.state.view().priority(&profile(n)).unwrap()[0].connector().to_owned()
    }

    /// What an order was answered.
    fn told(&mut self, order: Order) -> (bool, String) {
        self.order(order);
        let outcome = snapshot(&self.state).outcomes.last().cloned().unwrap();
        (outcome.accepted, outcome.text)
    }

    fn sample(&mut self, cpu_percent: f64, instances: u16) {
        self.push(Body::Sampled(ResourceSample { cpu_percent, memory_percent: 50.0, queue_depth: 50, instances }));
    }
}

/// A repair that was approved and helped, and whose connector then recovered: the way back is proposed.
fn recovered() -> (Market, ActionId) {
    let (mut market, action, version) = outage();
    market.order(Order::Approve { action, version });
    market.run(60);
    assert_eq!(market.row(action).status, ActionStatus::Succeeded, "{:#?}", market.row(action).history);
    market.adyen_down = false;
    for _ in 0..30 {
        market.run(10);
        if market.pending().iter().any(|row| row.sentence.starts_with("Put 3 pinned merchants back")) {
            return (market, action);
        }
    }
    panic!("no way back is proposed: {:#?}", snapshot(&market.state).incidents);
}

#[test]
fn the_way_back_carries_its_evidence_and_is_withdrawn_when_the_connector_fails_again() {
    let (mut market, _) = recovered();
    let back = market.pending().remove(0);
    let evidence = back.evidence.clone().expect("how the target does");
    assert!(evidence.observed > 0.8 && evidence.samples >= 5, "{evidence:?}");
    assert!(market.incident().resolved_at.is_some(), "{:?}", market.incident());
    market.adyen_down = true;
    // Probes alone go there: one payment in fifty at most.
    market.run(120);
    let row = market.row(back.id);
    assert_eq!(row.status, ActionStatus::Expired, "{:#?}", row.history);
    assert!(row.history.last().unwrap().what.starts_with("withdrawn: "), "{:#?}", row.history);
    assert!(!market.pending().iter().any(|row| row.sentence.contains("back to their own order")), "{:#?}", market.pending());
}

#[test]
fn a_way_back_that_was_made_leaves_nothing_of_the_repair_to_undo() {
    let (mut market, repair) = recovered();
    let back = market.pending().remove(0);
    market.order(Order::Approve { action: back.id, version: back.version });
    assert_eq!(market.first_choice(0), "adyen");
    let row = market.row(repair);
    assert!(!row.undoable && row.history.last().unwrap().what.contains("took over"), "{:#?}", row.history);
    let (accepted, text) = market.told(Order::Undo { action: repair, version: row.version });
    assert!(!accepted && text.contains("nothing to undo"), "{text}");
    let back = market.row(back.id);
    market.order(Order::Undo { action: back.id, version: back.version });
    assert_eq!(market.first_choice(0), "stripe");
    market.run(700);
    assert!(market.pending().is_empty(), "a repair that was consumed does not come alive again: {:#?}", market.pending());
}

#[test]
fn at_auto_the_way_back_waits_and_a_repair_does_not() {
    let mut market = Market::new(11);
    market.autonomy(Autonomy::Auto);
    market.run(120);
    market.adyen_down = true;
    market.run(25);
    assert_eq!(market.first_choice(0), "stripe", "the repair is made at once");
    market.adyen_down = false;
    market.run(200);
    let held = market.pending().remove(0);
    assert!(held.sentence.starts_with("Put 3") && held.executes_by_itself && held.why_asked.contains("waits"), "{held:#?}");
    assert_eq!(market.first_choice(0), "stripe", "less than five minutes after it was moved off");
    market.run(130);
    assert_eq!(market.first_choice(0), "adyen", "after five minutes it goes back by itself");
    let made_after = |market: &Market, action: ActionId| {
        let history = market.row(action).history;
        history.iter().find(|line| line.what.starts_with("executed by itself")).unwrap().at
    };
    let first = made_after(&market, held.id);
    // It comes and goes: the second time the way back waits twice as long.
    market.run(60);
    market.adyen_down = true;
    market.run(30);
    let moved_at = market.at;
    assert_eq!(market.first_choice(0), "stripe");
    market.adyen_down = false;
    market.run(400);
    assert_eq!(market.first_choice(0), "stripe", "still away {:?} after {moved_at}, put back first at {first}", market.at);
    market.run(260);
    assert_eq!(market.first_choice(0), "adyen");
}

#[test]
fn at_observe_nothing_is_approved_or_overridden_and_undo_stays() {
    let (mut market, action) = recovered();
    let back = market.pending().remove(0);
    market.autonomy(Autonomy::Observe);
    let held = market.row(back.id);
    assert!(held.history.last().unwrap().what.contains("held: autonomy is `observe`"), "{:#?}", held.history);
    for order in [
        Order::Approve { action: back.id, version: held.version },
        Order::Override { action: back.id, version: held.version, change: back.change.clone() },
    ] {
        let (accepted, text) = market.told(order);
        assert!(!accepted && text.contains("`observe`, nothing is executed"), "{text}");
    }
    let done = market.row(action);
    let (accepted, text) = market.told(Order::Undo { action, version: done.version });
    assert!(accepted, "{text}");
}

#[test]
fn an_override_is_checked_against_the_state() {
    let (mut market, action, version) = outage();
    let orders = |n: u32, after: &[usize]| PriorityMove {
        profile: profile(n),
        before: Vec::new(),
        after: after.iter().map(|connector| account(*connector, n)).collect(),
    };
    let moved = |moves: Vec<PriorityMove>| Change::ReorderPriority { moves };
    let stranger = PriorityMove { after: vec![account(1, 0); 4], ..orders(0, &[]) };
    for (change, says) in [
        (moved(vec![]), "moves no merchant"),
        (moved(vec![orders(4, &[1, 0, 2, 3])]), "not among the merchants"),
        (moved(vec![orders(0, &[])]), "exactly its own accounts"),
        (moved(vec![orders(0, &[1, 2])]), "exactly its own accounts"),
        (moved(vec![stranger]), "exactly its own accounts"),
        (moved(vec![orders(0, &[0, 1, 2, 3])]), "the one it has"),
        (moved(vec![orders(0, &[1, 0, 2, 3]), orders(0, &[2, 0, 1, 3])]), "named twice"),
        (Change::Scale { from: 2, to: 3 }, "of the same kind"),
    ] {
        let (accepted, text) = market.told(Order::Override { action, version, change });
        assert!(!accepted && text.contains(says), "{says}: {text}");
    }
    let change = moved(vec![orders(1, &[2, 1, 3, 0])]);
    let (accepted, text) = market.told(Order::Override { action, version, change });
    assert!(accepted, "{text}");
    assert_eq!((market.first_choice(0), market.first_choice(1)), ("adyen".to_owned(), "checkout".to_owned()));
    let row = market.row(action);
    assert_eq!(row.sentence, "Reorder 1 pinned merchant as kim chose (1 to checkout)");
    assert_eq!((row.blast.merchants.as_slice(), row.before_after.len()), (&[profile(1)][..], 1), "{row:#?}");
    assert!(row.predicted.target.starts_with("checkout") && row.before_after[0].0.contains("adyen"), "{row:#?}");
    let Change::ReorderPriority { moves } = &row.change else { panic!("{row:#?}") };
    assert_eq!(moves[0].before.first(), Some(&account(0, 1)), "what was before is taken from the state");
    market.run(40);
    let row = market.row(action);
    assert_eq!(row.status, ActionStatus::Succeeded, "the one merchant that was moved is measured: {:#?}", row.history);
    market.order(Order::Undo { action, version: row.version });
    assert_eq!(market.first_choice(1), "adyen");
}

#[test]
fn an_override_of_a_scale_starts_from_what_there_is() {
    let mut market = Market::new(2);
    market.sample(90.0, 2);
    market.run(2);
    let row = market.pending().remove(0);
    let scale = |from, to| Order::Override { action: row.id, version: row.version, change: Change::Scale { from, to } };
    let (accepted, text) = market.told(scale(9, 99));
    assert!(!accepted && text.contains("outside the limits"), "{text}");
    let (accepted, text) = market.told(scale(9, 4));
    assert!(accepted, "{text}");
    market.run(1);
    market.sample(50.0, 4);
    market.run(35);
    let row = market.row(row.id);
    assert_eq!((&row.change, row.status), (&Change::Scale { from: 2, to: 4 }, ActionStatus::Succeeded));
    assert_eq!(row.verification.as_deref(), Some("in place: 4 simulated instances"));
    assert!(row.sentence.contains("from 2 to 4") && row.undo.contains("back to 2"), "{row:#?}");
}

#[test]
fn a_list_that_changed_before_execution_refuses_the_change() {
    let (mut market, action, version) = outage();
    let other: Vec<ConnectorAccount> = [3, 0, 1, 2].map(|connector| account(connector, 0)).to_vec();
    // Between the command and the end of its effect somebody configures the merchant anew.
    let number = market.log.len() as u64;
    let at = |after: u64| Position { record: number + after, index: 0 };
    let entry = |position, body| Entry { position, at: market.at, body };
    let order = Order::Approve { action, version };
    let command = Body::Commanded(Command { operator: OperatorName::parse("kim").unwrap(), order });
    let mut effects = Vec::new();
    let (commanded, configured) =
        (entry(at(1), command), entry(at(2), Body::MerchantConfigured { profile: profile(0), priority: other.clone() }));
    apply(&mut market.state, &commanded, &mut effects);
    apply(&mut market.state, &configured, &mut effects);
    let id = effects.iter().find_map(|e| if let Effect::Act { id, .. } = e { Some(*id) } else { None }).unwrap();
    let done = Entry { position: at(3), at: market.at, body: Body::Ended { id, result: EffectResult::Done } };
    apply(&mut market.state, &done, &mut effects);
    let row = market.row(action);
    assert_eq!(row.status, ActionStatus::Failed);
    assert!(row.history.last().unwrap().what.contains("the priority list of Merchant 0 is now worldpay"), "{:#?}", row.history);
    assert_eq!(market.state.view().priority(&profile(0)).unwrap(), other.as_slice());
    assert_eq!(market.first_choice(1), "adyen", "all or nothing");
}

#[test]
fn what_was_turned_down_rests_though_a_merchant_more_joins_it() {
    let (mut market, action, version) = outage();
    market.order(Order::Reject { action, version, reason: "known".into() });
    let priority = (0..4).map(|connector| account(connector, 5)).collect();
    market.push(Body::MerchantConfigured { profile: profile(5), priority });
    market.run(10);
    assert!(market.pending().is_empty(), "{:#?}", market.pending());
}

#[test]
fn at_veto_the_delay_starts_again_when_the_change_becomes_another_one() {
    let mut market = Market::new(11);
    market.autonomy(Autonomy::Veto);
    market.run(120);
    market.adyen_down = true;
    while market.pending().is_empty() {
        market.run(1);
    }
    let shown = market.pending().remove(0);
    market.run(50);
    let priority = (0..4).map(|connector| account(connector, 5)).collect();
    market.push(Body::MerchantConfigured { profile: profile(5), priority });
    market.run(15);
    let row = market.row(shown.id);
    assert_eq!((row.status, row.blast.merchants.len()), (ActionStatus::Pending, 4), "{:#?}", row.history);
    assert!(row.expires_at >= shown.expires_at + Duration::from_secs(45) && row.version > shown.version, "{row:#?}");
    market.run(60);
    assert_eq!(market.first_choice(5), "stripe", "nobody vetoed the change that was shown");
}

#[test]
fn an_action_says_what_speaks_against_undoing_it() {
    let (mut market, action, version) = outage();
    market.order(Order::Approve { action, version });
    market.run(40);
    let row = market.row(action);
    assert!(row.undo.starts_with("the incident is still open: connector adyen "), "{}", row.undo);
    assert!(row.undo.contains("not proposed again for 10 min"), "{}", row.undo);
    market.adyen_down = false;
    market.run(300);
    assert!(!market.row(action).undo.contains("still open"), "{}", market.row(action).undo);
}

#[test]
fn an_incident_ends_by_its_probes_and_remembers_how_bad_it_was() {
    let (mut market, action, version) = outage();
    market.order(Order::Approve { action, version });
    market.run(60);
    let worst = market.incident();
    market.adyen_down = false;
    market.run(180);
    let over = market.incident();
    assert!(over.resolved_at.is_some(), "probes show within three minutes that it works again: {over:#?}");
    assert!(over.evidence.observed < 0.3 && over.evidence.samples >= 50, "{:?}", over.evidence);
    assert!(over.sentence.starts_with("adyen fails: ") && over.sentence.contains("; recovered"), "{}", over.sentence);
    assert!(over.at_risk.is_empty() && !over.at_worst.is_empty() && over.at_worst == worst.at_worst, "{over:#?}");
}

#[test]
fn old_samples_ask_for_no_scale_and_a_proposal_without_a_reason_is_withdrawn() {
    let mut market = Market::new(2);
    market.sample(90.0, 2);
    market.run(2);
    let row = market.pending().remove(0);
    market.run(35);
    assert_eq!(market.row(row.id).status, ActionStatus::Expired, "the sample is older than three intervals");
    assert!(market.row(row.id).history.last().unwrap().what.starts_with("withdrawn"));
    market.run(30);
    assert!(market.pending().is_empty());
}

/// A hundred later actions push out what is over, never what still stands.
#[test]
fn what_is_in_force_is_not_forgotten() {
    let (mut market, action, version) = outage();
    market.order(Order::Approve { action, version });
    market.run(40);
    for n in 0..110_u16 {
        let cpu = if n % 2 == 0 { 90.0 } else { 50.0 };
        market.sample(cpu, 2);
        market.run(1);
    }
    let shown = snapshot(&market.state).actions;
    assert!(shown.iter().any(|row| row.id == action && row.undoable), "{:?}", shown.iter().map(|r| r.id).collect::<Vec<_>>());
}

#[test]
fn what_waits_is_followed_until_it_is_executed() {
    let (mut market, action, version) = outage();
    market.run(30);
    let of = |market: &Market| snapshot(&market.state).hindsights.into_iter().find(|row| row.action == action);
    let seen = of(&market).expect("the proposal is followed");
    let (low, high) = seen.estimate.payments_range;
    assert!(
        seen.estimate.attempts > 100 && low > 0.0 && low < seen.estimate.payments && seen.estimate.payments < high,
        "{seen:?}"
    );
    assert_eq!((seen.since, seen.until), (market.row(action).proposed_at, None));
    assert_eq!(snapshot(&market.state).shadows.rows.len(), 1, "it counts as left undone, for now");
    market.order(Order::Approve { action, version });
    assert_eq!(of(&market), None);
    assert!(snapshot(&market.state).shadows.rows.is_empty(), "what is executed was not left undone");
}

#[test]
fn what_is_turned_down_or_never_proposed_is_booked_into_its_week() {
    let booked = |order: &dyn Fn(&mut Market)| {
        let mut market = Market::new(11);
        market.run(150);
        order(&mut market);
        market.adyen_down = true;
        market.run(60);
        let pending: Vec<ActionRow> = market.pending();
        for row in &pending {
            market.order(Order::Reject { action: row.id, version: row.version, reason: "no".into() });
        }
        market.run(60);
        market.adyen_down = false;
        market.run(420);
        let shadows = snapshot(&market.state).shadows;
        let row = shadows.of(ActionClass::Priority).cloned().unwrap_or_else(|| panic!("{shadows:?}"));
        (pending.len(), row)
    };
    let (proposed, rejected) = booked(&|_| {});
    let (silent, observed) = booked(&|market| market.autonomy(Autonomy::Observe));
    assert_eq!((proposed, silent), (1, 0), "at observe nothing is proposed");
    for row in [&rejected, &observed] {
        assert!(row.saved.repairs >= 1 && row.saved.payments_range.0 > 100.0, "{row:?}");
        assert!(row.sentence().contains("not executed: APOS would have saved EUR "), "{}", row.sentence());
    }
    let apart = (rejected.saved.payments - observed.saved.payments).abs();
    assert!(apart < 0.1 * observed.saved.payments, "the same trouble, followed either way: {rejected:?} {observed:?}");
}

#[test]
fn what_an_override_moved_rests_when_it_is_undone_and_the_others_are_offered_their_move() {
    let (mut market, action, version) = outage();
    let Change::ReorderPriority { moves } = market.row(action).change else { panic!("no reorder") };
    let one = Change::ReorderPriority { moves: vec![moves[0].clone()] };
    market.order(Order::Override { action, version, change: one });
    market.run(5);
    let version = market.row(action).version;
    market.order(Order::Undo { action, version });
    market.run(15);
    assert_eq!(snapshot(&market.state).resting.map(|(count, _)| count), Some(1));
    let [offered] = market.pending().try_into().unwrap();
    let Change::ReorderPriority { moves: offered } = offered.change else { panic!("no reorder") };
    assert_eq!(offered, moves[1..], "all but the one that was taken back");
}

/// A proposal that nobody answered before the trouble went by shows what it was proposed on, not what came after it.
#[test]
fn a_repair_that_lapses_keeps_the_evidence_it_was_proposed_on() {
    let (mut market, action, version) = outage();
    let proposed = market.row(action).evidence.unwrap();
    assert!(proposed.observed < 0.5, "{proposed:?}");
    market.adyen_down = false;
    for _ in 0..60 {
        market.run(10);
        let row = market.row(action);
        if row.status == ActionStatus::Expired {
            let seen = row.evidence.unwrap();
            assert!(seen.observed < 0.6 && seen.probability < 0.001, "{seen:?}");
            assert!(row.against[0].starts_with("it looks better now: "), "{:?}", row.against);
            assert_eq!(row.against.iter().filter(|one| one.starts_with("it looks better")).count(), 1, "{:?}", row.against);
            assert!(row.history.last().unwrap().what.contains("the incident is over"), "{:?}", row.history);
            return;
        }
        assert_eq!((row.status, row.version), (ActionStatus::Pending, version));
    }
    panic!("it waits on: {:#?}", market.row(action));
}

/// What failed is not what was not made: the history says that the change is in force.
#[test]
fn a_repair_that_does_not_help_says_that_its_change_stands() {
    let (mut market, action, version) = outage();
    market.run(60);
    market.order(Order::Approve { action, version });
    market.all_down = true;
    market.run(60);
    let row = market.row(action);
    assert_eq!((row.status, row.undoable), (ActionStatus::Failed, true), "{:#?}", row.history);
    let last = &row.history.last().unwrap().what;
    assert!(last.starts_with("did not help; its change stands until it is put back: attempt rate"), "{last}");
    assert!(row.verification.unwrap().starts_with("did not help: "), "what was seen stays as it was");
    assert_ne!(market.first_choice(0), "adyen");
}

#[test]
fn what_was_rejected_by_mistake_is_reopened_and_proposed_again() {
    let (mut market, action, version) = outage();
    assert!(!market.told(Order::Reopen { action, version }).0, "it waits: nothing of it rests");
    market.order(Order::Reject { action, version, reason: "wrong key".into() });
    market.run(5);
    let row = market.row(action);
    assert!(row.rests_until > Some(market.at) && market.pending().is_empty(), "{row:#?}");
    let (accepted, text) = market.told(Order::Reopen { action, version });
    assert!(!accepted && text.contains("has changed since version"), "{text}");
    let (accepted, text) = market.told(Order::Reopen { action, version: row.version });
    assert!(accepted && text.contains("may be proposed again"), "{text}");
    market.run(2);
    let [again] = market.pending().try_into().unwrap();
    assert!(again.id != action && again.change == row.change && again.incident == row.incident, "{again:#?}");
    let row = market.row(action);
    assert_eq!((row.status, row.rests_until), (ActionStatus::Rejected, None));
    assert_eq!(row.history.last().unwrap().what, "let it be proposed again");
    assert!(!market.told(Order::Reopen { action, version: row.version }).0, "nothing of it rests any more");
}

#[test]
fn what_was_undone_is_reopened_and_proposed_again() {
    let (mut market, action, version) = outage();
    market.order(Order::Approve { action, version });
    market.run(10);
    market.order(Order::Undo { action, version: market.row(action).version });
    market.run(20);
    assert!(market.pending().is_empty() && market.row(action).rests_until.is_some(), "{:#?}", market.row(action));
    market.order(Order::Reopen { action, version: market.row(action).version });
    market.run(20);
    assert_eq!(market.pending().len(), 1, "{:#?}", market.row(action).history);
}
