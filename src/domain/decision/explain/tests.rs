use proptest::prelude::*;

use super::super::{Cost, LatencyStep, roughly};
use super::*;
use crate::domain::testing::{explained, numbered};
use crate::domain::{CardType, Credential, Initiator, Issuer};

/// Fees of 1 EUR for the first candidate, 2 for the second and so on; a fifth of the amount is the margin.
fn weighed(candidates: u8, by_success: u16) -> Note {
    let cost = |number: u8| Cost { fee: 100.0 * f32::from(number), latency: LatencyStep::of_log_ms(f64::from(number)) };
    Note::Objective(Weighed {
        margin_percent: 20.0,
        cost_weight: 1.0,
        latency_percent_per_s: 0.5,
        by_success,
        costs: (1..=candidates).map(cost).collect(),
    })
}

#[test]
fn the_paragraph_tells_all_of_it_in_order() {
    let mut decision = explained(3);
    decision.candidates[2].excluded = Some(Exclusion::Network);
    let text = Explanation::of(&decision).text();
    let expected = "Attempt 1 of pay_1 (merchant pro_1, EUR 65.40, card, Visa, DE, BIN 424242) goes to connector2:mca_2: it scores \
                    highest by what is expected of it and what is worth finding out. Considered: connector2:mca_2, 91.0 % \
                    expected (86.1 % to 94.3 % on evidence worth 812 outcomes), bonus 0.125, 43 pending; connector1:mca_1, 91.0 % expected \
                    (86.1 % to 94.3 % on evidence worth 812 outcomes), bonus 0.125, 43 pending. Excluded: connector0:mca_0, does not support \
                    Visa: 91.0 % expected (86.1 % to 94.3 % on evidence worth 812 outcomes), bonus 0.125, 43 pending. It is the best one with \
                    a probability of 87.5 %; such a payment goes there in 99.0 % of cases. Decided at \
                    2026-08-13T20:24:30.000Z on position 1000000000.7 of the log by the scores alone.";
    assert_eq!(text, expected);
}

#[test]
fn little_evidence_is_told_as_little_and_one_outcome_as_one() {
    let told = |evidence| {
        let mut decision = explained(1);
        decision.candidates[0].evidence = evidence;
        Explanation::of(&decision).text()
    };
    for (evidence, words) in [
        (0.0, "on less than one outcome's worth of evidence)"),
        (0.99, "on less than one outcome's worth of evidence)"),
        (1.2, "on evidence worth 1 outcome)"),
        (1.6, "on evidence worth 2 outcomes)"),
    ] {
        assert!(told(evidence).contains(words), "{}", told(evidence));
        let why = " Where evidence is worth less than one outcome, nothing was learnt yet, or what was learnt has faded or was \
                   put in doubt by a sign of change. It is the best";
        assert_eq!(told(evidence).contains(why), evidence < 1.0, "{}", told(evidence));
    }
}

#[test]
fn why_evidence_is_little_is_told_once() {
    let mut decision = explained(3);
    decision.candidates[0].evidence = 0.0;
    decision.candidates[2].evidence = 0.0;
    decision.candidates[2].excluded = Some(Exclusion::BreakerOpen);
    let text = Explanation::of(&decision).text();
    assert_eq!(text.matches("Where evidence is worth less").count(), 1, "{text}");
}

#[test]
fn what_else_shaped_it_is_told_in_one_sentence() {
    let mut decision = explained(1);
    decision.notes = vec![Note::Dial { percent: 25, engine: true }, Note::KillSwitch];
    let text = Explanation::of(&decision).text();
    let told = " Besides: one of the 25 % of payments that the engine routes; the kill switch is pulled: the static order was answered. It";
    assert!(text.contains(told), "{text}");
}

#[test]
fn an_objective_tells_what_it_costs_and_saves_in_money() {
    let mut decision = explained(2);
    decision.candidates[1].expected = 0.95;
    decision.notes = vec![weighed(2, 1)];
    let explanation = Explanation::of(&decision);
    let objective = explanation.objective.unwrap();
    assert_eq!(*objective.by_success, numbered(0));
    // 0.95 × EUR 2 instead of 0.91 × EUR 1; 4 points of a worth of EUR 13.08.
    assert!((objective.fees_saved_minor - (190.0 - 91.015_625)).abs() < 1e-3, "{objective:?}");
    assert!((objective.worth_given_up_minor - 0.039_843_75 * 1_308.0).abs() < 1e-3, "{objective:?}");
    let text = explanation.text();
    let told = "Success alone would have chosen connector0:mca_0: this choice gives up 3.98 points of success (worth EUR 0.5212), \
                saves EUR 0.9898 of fees and saves 5 ms.";
    assert!(text.contains(told) && text.contains("fee EUR 1.0000, 3 ms, worth EUR 10.99"), "{text}");
    decision.notes = vec![weighed(2, 0)];
    assert!(Explanation::of(&decision).text().contains("Success alone would have chosen the same."));
    let Some(Note::Objective(weighed)) = decision.notes.first_mut() else { panic!("{decision:?}") };
    (weighed.cost_weight, weighed.latency_percent_per_s) = (0.0, 0.0);
    let explanation = Explanation::of(&decision);
    let text = explanation.text();
    assert!(explanation.objective.is_none() && text.contains("fee EUR 1.0000, 3 ms; "), "costs are told, not weighed: {text}");
}

#[test]
fn a_learnt_model_is_named_and_what_it_had_to_do_with_it_is_told() {
    let mut decision = explained(2);
    let model = |steps: &[i8]| vec![Note::Model { version: 3, weight: 0.75, steps: steps.iter().copied().collect() }];
    decision.notes = model(&[12, -12]);
    let explanation = Explanation::of(&decision);
    assert_eq!((&*explanation.model, decision.model()), ("3", Some(3)));
    assert_eq!(explanation.besides, ["the learnt model 3 had its part in the scores, at a weight of 0.75"]);
    assert!(explanation.text().ends_with("of the log by the model 3."), "{}", explanation.text());
    decision.notes = model(&[]);
    let silent = ["the learnt model 3 was in force, and says nothing of such a payment"];
    assert_eq!(Explanation::of(&decision).besides, silent);
    decision.notes.clear();
    assert_eq!(Explanation::of(&decision).model, "online");
}

#[test]
fn what_is_pending_is_what_damped_the_bonus_as_far_as_it_is_told() {
    for (folded, pending) in [(Some(40), 43), (Some(0), 3), (None, 3), (Some(u32::MAX), u32::MAX)] {
        let mut decision = explained(1);
        decision.candidates[0].folded = folded;
        let explanation = Explanation::of(&decision);
        assert_eq!(explanation.candidates[0].pending, pending);
        assert!(explanation.text().contains(&format!(", {pending} pending. ")), "{}", explanation.text());
    }
}

#[test]
fn all_that_is_scored_of_the_payment_is_told() {
    let told = |change: &dyn Fn(&mut Context)| {
        let mut decision = explained(1);
        change(&mut decision.request.context);
        let text = Explanation::of(&decision).text();
        text[..text.find(") goes to").unwrap()].rsplit_once("EUR 65.40, ").unwrap().1.to_owned()
    };
    assert_eq!(told(&|_| ()), "card, Visa, DE, BIN 424242");
    let whole = |context: &mut Context| {
        context.three_ds = Some(false);
        context.initiator = Some(Initiator::Merchant);
        context.credential = Some(Credential::NetworkToken);
        context.card_type = Some(CardType::Debit);
        context.issuer = Issuer::parse("N26").ok();
    };
    let words = "card, Visa, debit card, DE, BIN 424242, issued by N26, by a network token, no 3DS, asked for by the merchant";
    assert_eq!(told(&whole), words);
}

/// All the notes that one decision can have, with a rule that keeps out all it can: an experiment's names are of 23 bytes
/// together; each byte more is one more.
#[test]
fn ten_candidates_are_explained_in_300_bytes_whatever_is_noted() {
    let rule = RuleId(Position { record: 900_000_000, index: 3 });
    let mut decision = explained(10);
    let request = postcard::to_allocvec(&decision.request).unwrap().len();
    decision.candidates.iter_mut().skip(1).for_each(|one| one.excluded = Some(Exclusion::Rule(rule)));
    let can_be_together = |note: &Note| match note {
        Note::KillSwitch | Note::Shadow { .. } | Note::Conservative | Note::Promoted { .. } => false,
        Note::Dial { .. } | Note::Ruling { .. } | Note::Experiment { .. } | Note::Objective(_) | Note::Model { .. } => true,
    };
    let notes = every_note(10, 9, rule).into_iter();
    let (together, apart): (Vec<Note>, Vec<Note>) = notes.partition(can_be_together);
    decision.notes = together;
    let bytes = |decision: &Decision| postcard::to_allocvec(decision).unwrap().len() - request;
    assert!(bytes(&decision) <= 300, "{} bytes", bytes(&decision));
    // Of the others each comes instead of the dial, the experiment or both.
    decision.notes.retain(|note| !matches!(note, Note::Dial { .. } | Note::Experiment { .. }));
    for note in apart {
        decision.notes.insert(0, note);
        assert!(bytes(&decision) <= 300, "{} bytes: {:?}", bytes(&decision), decision.notes);
        decision.notes.remove(0);
    }
}

/// All of a kind, each after the one before it: a new one has no place here until it is given one.
fn all<T>(after: impl Fn(Option<&T>) -> Option<T>) -> Vec<T> {
    let mut all = Vec::new();
    while let Some(next) = after(all.last()) {
        all.push(next);
    }
    all
}

fn every_exclusion(rule: RuleId) -> Vec<Exclusion> {
    all(|last| match last {
        None => Some(Exclusion::Method),
        Some(Exclusion::Method) => Some(Exclusion::Currency),
        Some(Exclusion::Currency) => Some(Exclusion::BreakerOpen),
        Some(Exclusion::BreakerOpen) => Some(Exclusion::Operator),
        Some(Exclusion::Operator) => Some(Exclusion::Rule(rule)),
        Some(Exclusion::Rule(_)) => Some(Exclusion::StepUp),
        Some(Exclusion::StepUp) => Some(Exclusion::Network),
        Some(Exclusion::Network) => Some(Exclusion::Country),
        Some(Exclusion::Country) => Some(Exclusion::Amount),
        Some(Exclusion::Amount) => Some(Exclusion::ThreeDs),
        Some(Exclusion::ThreeDs) => Some(Exclusion::Maintenance),
        Some(Exclusion::Maintenance) => Some(Exclusion::Unproven),
        Some(Exclusion::Unproven) => None,
    })
}

fn every_approach(rule: RuleId) -> Vec<Approach> {
    all(|last| match last {
        None => Some(Approach::Single),
        Some(Approach::Single) => Some(Approach::Priority),
        Some(Approach::Priority) => Some(Approach::Bandit),
        Some(Approach::Bandit) => Some(Approach::Uniform),
        Some(Approach::Uniform) => Some(Approach::Probe),
        Some(Approach::Probe) => Some(Approach::LeastBad),
        Some(Approach::LeastBad) => Some(Approach::Rule(rule)),
        Some(Approach::Rule(_)) => Some(Approach::StepUp),
        Some(Approach::StepUp) => Some(Approach::Static),
        Some(Approach::Static) => None,
    })
}

/// Every note there can be of so many candidates; `one` is the index of one of them.
fn every_note(candidates: u8, one: u16, rule: RuleId) -> Vec<Note> {
    let named = || ("checkout-2026".into(), "fewer-fees".into());
    all(|last| match last {
        None => Some(Note::KillSwitch),
        Some(Note::KillSwitch) => Some(Note::Shadow { engine: one }),
        Some(Note::Shadow { .. }) => Some(Note::Dial { percent: 25, engine: true }),
        Some(Note::Dial { .. }) => Some(Note::Conservative),
        Some(Note::Conservative) => Some(Note::Ruling { rule, in_order: true, order: (0..candidates).collect() }),
        Some(Note::Ruling { .. }) => {
            let (experiment, arm) = named();
            Some(Note::Experiment { experiment, arm, bucket: 9_999 })
        }
        Some(Note::Experiment { .. }) => {
            let (experiment, arm) = named();
            Some(Note::Promoted { experiment, arm })
        }
        Some(Note::Promoted { .. }) => Some(weighed(candidates, one)),
        Some(Note::Objective(_)) => {
            Some(Note::Model { version: 99, weight: 0.75, steps: (0..candidates).map(|step| 9 - step.cast_signed()).collect() })
        }
        Some(Note::Model { .. }) => None,
    })
}

/// Any decision: what a candidate is told to be is rounded as `decide` rounds it, or not; what the view counted is told, as
/// this version does, or not. Every reason, approach and note is among them.
fn any_decision() -> impl Strategy<Value = Decision> {
    let rule = prop::sample::select(vec![7, 42]).prop_map(|record| RuleId(Position { record, index: 1 }));
    let excluded = prop::option::of((rule.clone(), any::<prop::sample::Index>()));
    let candidate = (excluded, 0.0..=1.0_f64, 0.0..3.0_f64, any::<u16>(), any::<bool>(), -9.0..99.0_f64);
    let candidates = prop::collection::vec(candidate, 1..12);
    let folded = prop::option::of(any::<u32>());
    let chosen = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let rest = (rule, chosen, any::<u16>(), 0.0..=1.0_f64, 0.0..=1.0_f64, prop::option::of(any::<i64>()), folded);
    (candidates, rest).prop_map(|(candidates, (rule, (approach, chosen), noted, propensity, confidence, at, folded))| {
        let mut decision = explained(candidates.len());
        for (one, (excluded, expected, spread, pending, rounded, number)) in decision.candidates.iter_mut().zip(&candidates) {
            #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
            let single = |number: f64| if *rounded { f64::from(number as f32) } else { number };
            let told = |number: f64| if *rounded { roughly(number) } else { number };
            one.excluded = excluded.as_ref().map(|(rule, index)| *index.get(&every_exclusion(*rule)));
            (one.expected, one.spread) = (single(*expected), told(*spread));
            (one.bonus, one.evidence) = (told(*number), told(number.abs()));
            (one.pending, one.folded) = (*pending, folded);
        }
        let (count, places) = (candidates.len(), u8::try_from(candidates.len()).unwrap());
        decision.chosen = u16::try_from(chosen.index(count)).unwrap();
        decision.approach = *approach.get(&every_approach(rule));
        (decision.propensity, decision.confidence) = (propensity, confidence);
        decision.decided_at = at.map(|micros| Time::from_micros(micros / 4_000));
        decision.request.context.three_ds = Some(noted % 2 > 0).filter(|_| noted % 3 > 0);
        let notes = every_note(places, decision.chosen, rule).into_iter().zip(0..);
        decision.notes = notes.filter(|(_, bit)| noted >> bit & 1 > 0).map(|(note, _)| note).collect();
        decision
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_explained_of_the_decoded_bytes_is_what_was_explained(decision in any_decision()) {
        let bytes = postcard::to_allocvec(&decision).unwrap();
        let read: Decision = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &decision);
        prop_assert_eq!(postcard::to_allocvec(&read).unwrap(), bytes, "an archive's chain goes over its bytes");
        let (before, after) = (Explanation::of(&decision), Explanation::of(&read));
        prop_assert_eq!(before.text(), after.text());
        prop_assert_eq!(serde_json::to_string(&before).unwrap(), serde_json::to_string(&after).unwrap());
        for one in &before.candidates {
            let [low, high] = one.interval;
            prop_assert!(low <= one.expected + 1e-9 && one.expected <= high + 1e-9, "{:?}", one);
            prop_assert_eq!(one.excluded.is_some(), one.reason.is_some());
        }
    }
}
