use super::*;
use crate::domain::RuleId;
use crate::domain::testing::{explained, numbered};

fn decision(candidates: usize, expected: f64, folded: Option<u32>) -> Decision {
    let mut decision = Decision { view: Position { record: 41, index: 7 }, ..explained(candidates) };
    for (number, one) in decision.candidates.iter_mut().rev().enumerate() {
        let excluded = (number > 3).then_some(Exclusion::BreakerOpen);
        *one = Candidate { excluded, expected, folded, ..one.clone() };
    }
    decision
}

/// It is written in this form, and read as it was.
fn check(decision: &Decision, form: &str) {
    let bytes = postcard::to_allocvec(decision).unwrap();
    let forms = |candidates: &Candidates| match candidates {
        Candidates::Short(_) => "short",
        Candidates::Whole(_) => "whole",
        Candidates::Noted(..) => "noted",
        Candidates::Tight(_) => "tight",
        Candidates::Counted(..) => "counted",
    };
    let written = match postcard::from_bytes::<Packed<Request>>(&bytes).unwrap().candidates {
        Candidates::Noted(_, inner) => format!("noted {}", forms(&inner)),
        other => forms(&other).to_owned(),
    };
    assert_eq!(written, form);
    assert_eq!(postcard::from_bytes::<Decision>(&bytes).as_ref(), Ok(decision));
}

fn noted(decision: Decision) -> Decision {
    Decision { notes: vec![Note::Conservative], ..decision }
}

#[test]
fn a_decision_is_read_as_it_was_whatever_its_precision_and_candidates() {
    for (folded, precise, any) in [(None, "short", "whole"), (Some(300), "tight", "counted")] {
        let mut foreign = decision(2, 0.5, folded);
        foreign.candidates[1].account = numbered(9);
        check(&foreign, any);
        check(&decision(10, 0.910_156_25, folded), precise);
        check(&decision(10, 0.91, folded), any);
        check(&decision(1, f64::MIN_POSITIVE, folded), any);
        check(&noted(decision(10, 0.91, folded)), &format!("noted {any}"));
    }
    check(&noted(decision(10, 0.5, None)), "noted short");
    check(&noted(decision(10, 0.5, Some(0))), "tight");
}

#[test]
fn what_is_told_once_for_all_is_told_apart_where_it_differs() {
    let rule = |index| RuleId(Position { record: 9, index });
    let mut ruled = decision(3, 0.5, Some(4));
    (ruled.candidates[1].excluded, ruled.candidates[2].excluded) =
        (Some(Exclusion::Rule(rule(1))), Some(Exclusion::Rule(rule(1))));
    check(&ruled, "tight");
    for named in [1, 2] {
        ruled.notes = vec![Note::Ruling { rule: rule(named), in_order: false, order: vec![2] }];
        check(&ruled, "tight");
    }
    ruled.candidates[2].excluded = Some(Exclusion::Rule(rule(2)));
    check(&ruled, "noted counted");
    let mut partly = decision(3, 0.5, Some(4));
    partly.candidates[1].folded = None;
    check(&partly, "counted");
}

#[test]
fn what_no_decision_is_written_as_is_refused() {
    let packed = |candidates| Packed { candidates, ..Packed::of(&decision(1, 0.5, Some(0))).owned() };
    let tight = || Candidates::of(&decision(1, 0.5, Some(0)));
    let told = |candidates| packed(candidates).decision().unwrap_err();
    assert_eq!(told(Candidates::Noted(Vec::new(), Box::new(tight()))), "a decision's notes are written twice");
    let uncounted = Candidates::Counted(Vec::new(), vec![None]);
    assert_eq!(told(uncounted), "attempts in flight are told of other candidates than there are");
}

impl Packed<&Request> {
    fn owned(self) -> Packed<Request> {
        let Self { request, decided_at, view, chosen, approach, candidates, propensity, confidence } = self;
        Packed { request: request.clone(), decided_at, view, chosen, approach, candidates, propensity, confidence }
    }
}

#[test]
fn ten_candidates_are_explained_in_185_bytes() {
    let decision = decision(10, 0.910_156_25, Some(40));
    let request = postcard::to_allocvec(&decision.request).unwrap();
    let explanation = postcard::to_allocvec(&decision).unwrap().len() - request.len();
    assert!(explanation <= 185, "{explanation} bytes");
}
