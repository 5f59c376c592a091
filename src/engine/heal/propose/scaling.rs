//! Scale: one instance up or down, as the resource manager's rule wants it.

use super::{Draft, Site};
use crate::domain::{Change, ResourceSample};
use crate::engine::heal::{Healer, Phase};
use crate::engine::snapshot::{BlastRadius, Prediction};

/// The change of scale that is wanted, unless one is open already.
pub(super) fn draft(healer: &Healer, site: &Site<'_>) -> Option<Draft> {
    let open = |action: &super::super::Action| matches!(action.row.change, Change::Scale { .. }) && action.phase != Phase::Over;
    if healer.iter().any(open) {
        return None;
    }
    let (change, sample) = site.scaler.wanted(&site.view.settings.scaling, site.view.at)?;
    let Change::Scale { from, to } = change else { return None };
    let way = if to > from { "up" } else { "down" };
    let against = if to > from { "an instance more costs money" } else { "less headroom if traffic rises again" };
    Some(Draft {
        sentence: format!("Scale {way} from {from} to {to} instances"),
        change,
        incident: None,
        evidence: None,
        confidence: 1.0,
        confidence_basis: format!("the rule is met: {}", describe(&sample)),
        against: vec![against.to_owned()],
        alternatives: vec!["Do nothing: the rule is looked at again at the next sample".to_owned()],
        blast: BlastRadius::default(),
        predicted: Prediction { target: describe(&sample), ..Prediction::default() },
        undo: format!("u scales back to {from}"),
        noticed_at: site.view.at,
    })
}

fn describe(sample: &ResourceSample) -> String {
    format!("cpu {:.0} %, memory {:.0} %, queue {}", sample.cpu_percent, sample.memory_percent, sample.queue_depth)
}
