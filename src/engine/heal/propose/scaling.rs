//! Scale: one instance up or down, as the resource manager's rule wants it.

use super::{Draft, Site};
use crate::domain::{Change, ResourceSample, Time};
use crate::engine::heal::{Healer, Phase, Subject};
use crate::engine::snapshot::{ActionRow, BlastRadius, Prediction, ScalingView};

/// The change of scale that is wanted, unless one is being made.
pub(super) fn draft(healer: &Healer, site: &Site<'_>) -> Option<Draft> {
    let under_way = |action: &super::super::Action| {
        matches!(action.row.change, Change::Scale { .. }) && !matches!(action.phase, Phase::Over | Phase::Waiting)
    };
    if healer.iter().any(under_way) {
        return None;
    }
    let (change, sample) = site.scaler.wanted(&site.view.settings.scaling, site.view.at)?;
    let Change::Scale { from, to } = change else { return None };
    let basis = format!("the rule is met: {}", describe(&sample));
    Some(Draft {
        sentence: sentence(from, to),
        alternatives: vec!["Do nothing: the rule is looked at again at the next sample".to_owned()],
        ..scaled((from, to), (1.0, basis), describe(&sample), site.view.at)
    })
}

/// The number an operator chose instead, in words and figures.
pub(in crate::engine::heal) fn chosen(row: &ActionRow, (from, to): (u16, u16), who: &str, site: &Site<'_>) -> Draft {
    let basis = format!("of what was proposed: {}", row.confidence_basis);
    Draft {
        sentence: format!("{}, as {who} chose", sentence(from, to)),
        alternatives: vec![format!("What was proposed: {}", row.sentence)],
        ..scaled((from, to), (row.confidence, basis), row.predicted.target.clone(), site.view.at)
    }
}

fn sentence(from: u16, to: u16) -> String {
    let way = if to > from { "up" } else { "down" };
    format!("Scale {way} from {from} to {to} simulated instances")
}

/// What every change of scale has in common.
fn scaled((from, to): (u16, u16), (confidence, confidence_basis): (f64, String), target: String, at: Time) -> Draft {
    let price = if to > from { "an instance more costs money" } else { "less headroom if traffic rises again" };
    Draft {
        change: Change::Scale { from, to },
        subject: Subject::Scale { up: to > from },
        sentence: String::new(),
        incident: None,
        evidence: None,
        confidence,
        confidence_basis,
        against: vec![ScalingView::SIMULATED.to_owned(), format!("were they real: {price}")],
        alternatives: Vec::new(),
        blast: BlastRadius::default(),
        predicted: Prediction { target, ..Prediction::default() },
        undo: format!("u sets the number back to {from}"),
        noticed_at: at,
    }
}

fn describe(sample: &ResourceSample) -> String {
    format!("cpu {:.0} %, memory {:.0} %, queue {}", sample.cpu_percent, sample.memory_percent, sample.queue_depth)
}
