use proptest::prelude::*;

use super::super::{Candidate, Cost, LatencyStep};
use super::*;
use crate::domain::{Bin, Country, Currency};

fn account(number: usize) -> ConnectorAccount {
    ConnectorAccount::parse(&format!("connector{number}:mca_{number}")).unwrap()
}

/// A decision over so many accounts, its candidates in the order opposite to the request's.
fn decision(candidates: usize) -> Decision {
    let eligible: Vec<ConnectorAccount> = (0..candidates).map(account).collect();
    let candidate = |number: usize| Candidate {
        account: account(number),
        excluded: None,
        expected: 0.910_156_25,
        spread: 0.25,
        bonus: 0.125,
        pending: 3,
        evidence: 812.5,
    };
    Decision {
        request: Request {
            profile: ProfileId::parse("pro_1").unwrap(),
            payment: PaymentId::parse("pay_1").unwrap(),
            attempt: 1,
            amount: Money::new(6_540, Currency::parse("EUR").unwrap()),
            context: Context {
                method: Some(Method::Card),
                network: Some(Network::Visa),
                country: Country::parse("DE").ok(),
                bin: Bin::parse("424242").ok(),
                ..Context::default()
            },
            eligible,
        },
        decided_at: Some(Time::from_secs(1_786_652_670)),
        view: Position { record: 1_000_000_000, index: 7 },
        chosen: 0,
        approach: Approach::Bandit,
        candidates: (0..candidates).rev().map(candidate).collect(),
        propensity: 0.99,
        confidence: 0.875,
        notes: Vec::new(),
    }
}

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
    let mut decision = decision(3);
    decision.candidates[2].excluded = Some(Exclusion::Network);
    let text = Explanation::of(&decision).text();
    let expected = "Attempt 1 of pay_1 (merchant pro_1, EUR 65.40, card, Visa, DE, BIN 424242) goes to connector2:mca_2: it scores \
                    highest by what is expected of it and what is worth finding out. Considered: connector2:mca_2, 91.0 % \
                    expected (86.1 % to 94.3 % on evidence worth 812 outcomes), bonus 0.125, 3 pending; connector1:mca_1, 91.0 % expected \
                    (86.1 % to 94.3 % on evidence worth 812 outcomes), bonus 0.125, 3 pending. Excluded: connector0:mca_0, does not support \
                    Visa: 91.0 % expected (86.1 % to 94.3 % on evidence worth 812 outcomes), bonus 0.125, 3 pending. It is the best one with \
                    a probability of 87.5 %; such a payment goes there in 99.0 % of cases. Decided at \
                    2026-08-13T20:24:30.000Z on position 1000000000.7 of the log by the scores alone.";
    assert_eq!(text, expected);
}

#[test]
fn little_evidence_is_told_as_little_and_one_outcome_as_one() {
    let told = |evidence| {
        let mut decision = decision(1);
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
    }
}

#[test]
fn what_else_shaped_it_is_told_in_one_sentence() {
    let mut decision = decision(1);
    decision.notes = vec![Note::Dial { percent: 25, engine: true }, Note::KillSwitch];
    let text = Explanation::of(&decision).text();
    let told = " Besides: one of the 25 % of payments that the engine routes; the kill switch is pulled: the static order was answered. It";
    assert!(text.contains(told), "{text}");
}

#[test]
fn an_objective_tells_what_it_costs_and_saves_in_money() {
    let mut decision = decision(2);
    decision.candidates[1].expected = 0.95;
    decision.notes = vec![weighed(2, 1)];
    let explanation = Explanation::of(&decision);
    let objective = explanation.objective.unwrap();
    assert_eq!(*objective.by_success, account(0));
    // 0.95 × EUR 2 instead of 0.91 × EUR 1; 4 points of a worth of EUR 13.08.
    assert!((objective.fees_saved_minor - (190.0 - 91.015_625)).abs() < 1e-3, "{objective:?}");
    assert!((objective.worth_given_up_minor - 0.039_843_75 * 1_308.0).abs() < 1e-3, "{objective:?}");
    let text = explanation.text();
    let told = "Success alone would have chosen connector0:mca_0: this choice gives up 3.98 points of success (worth EUR 0.5212), \
                saves EUR 0.9898 of fees and saves 5 ms.";
    assert!(text.contains(told) && text.contains("fee EUR 1.0000, 3 ms, worth EUR 10.99"), "{text}");
    decision.notes = vec![weighed(2, 0)];
    assert!(Explanation::of(&decision).text().contains("Success alone would have chosen the same."));
}

#[test]
fn a_learnt_model_is_named_and_what_it_had_to_do_with_it_is_told() {
    let mut decision = decision(2);
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
fn ten_candidates_are_explained_in_300_bytes_with_an_objective_too() {
    let mut decision = decision(10);
    let request = postcard::to_allocvec(&decision.request).unwrap();
    let bytes = |decision: &Decision| postcard::to_allocvec(decision).unwrap().len() - request.len();
    let plain = bytes(&decision);
    decision.notes = vec![weighed(10, 9)];
    decision.candidates.iter_mut().skip(7).for_each(|one| one.excluded = Some(Exclusion::Maintenance));
    let noted = bytes(&decision);
    assert!(plain <= 230 && noted <= 300, "{plain} and {noted} bytes");
}

fn exclusion() -> impl Strategy<Value = Option<Exclusion>> {
    let rule = RuleId(Position { record: 42, index: 1 });
    prop::option::of(prop::sample::select(vec![
        Exclusion::Method,
        Exclusion::Currency,
        Exclusion::BreakerOpen,
        Exclusion::Operator,
        Exclusion::Rule(rule),
        Exclusion::StepUp,
        Exclusion::Network,
        Exclusion::Country,
        Exclusion::Amount,
        Exclusion::ThreeDs,
        Exclusion::Maintenance,
    ]))
}

fn approach() -> impl Strategy<Value = Approach> {
    prop::sample::select(vec![
        Approach::Single,
        Approach::Priority,
        Approach::Bandit,
        Approach::Uniform,
        Approach::Probe,
        Approach::LeastBad,
        Approach::Rule(RuleId(Position { record: 7, index: 0 })),
        Approach::StepUp,
    ])
}

/// Any decision: what a candidate is told to be is of single precision, as `decide` rounds it, or of double.
fn any_decision() -> impl Strategy<Value = Decision> {
    let candidate = (exclusion(), 0.0..=1.0_f64, 0.0..3.0_f64, any::<u16>(), any::<bool>(), -9.0..99.0_f64);
    let candidates = prop::collection::vec(candidate, 1..12);
    let rest = (approach(), any::<bool>(), 0.0..=1.0_f64, 0.0..=1.0_f64, any::<u16>(), prop::option::of(any::<i64>()));
    (candidates, rest).prop_map(|(candidates, (approach, noted, propensity, confidence, chosen, at))| {
        let mut decision = decision(candidates.len());
        for (one, (excluded, expected, spread, pending, single, number)) in decision.candidates.iter_mut().zip(&candidates) {
            #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
            let told = |number: f64| if *single { f64::from(number as f32) } else { number };
            (one.excluded, one.pending) = (*excluded, *pending);
            (one.expected, one.spread) = (told(*expected), told(*spread));
            (one.bonus, one.evidence) = (told(*number), told(number.abs()));
        }
        let count = u16::try_from(candidates.len()).unwrap();
        decision.chosen = chosen % count;
        (decision.approach, decision.propensity, decision.confidence) = (approach, propensity, confidence);
        decision.decided_at = at.map(|micros| Time::from_micros(micros / 4_000));
        decision.request.context.three_ds = Some(noted).filter(|_| chosen % 3 > 0);
        decision.notes = noted.then(|| weighed(u8::try_from(count).unwrap(), chosen % count)).into_iter().collect();
        decision
    })
}

proptest! {
    #[test]
    fn what_is_explained_of_the_decoded_bytes_is_what_was_explained(decision in any_decision()) {
        let read: Decision = postcard::from_bytes(&postcard::to_allocvec(&decision).unwrap()).unwrap();
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
