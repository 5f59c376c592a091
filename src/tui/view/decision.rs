//! Why a payment went where it went: its decision's explanation, the same paragraph that the API tells.
//!
//! ```text
//! ┌ Decision: pay_8f2, attempt 1 ───────────────────────── bandit ┐
//! │ Attempt 1 of pay_8f2 (merchant pro_1, EUR 65.40, card) goes … │
//! │ Enter close                                                   │
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::Scene;
use crate::domain::Position;
use crate::domain::decision::Explanation;
use crate::tui::widget::sheet::{Sheet, paragraph};

/// The sheet of the decision behind an event of the stream; none where there is none, or no longer.
pub(super) fn sheet(event: Position, columns: usize, scene: &Scene<'_>) -> Option<Sheet> {
    let decision = scene.ui.decision_behind(event)?;
    let explanation = Explanation::of(decision);
    Some(Sheet {
        title: format!("Decision: {}, attempt {}", explanation.payment, explanation.attempt),
        tag: explanation.chosen.to_string(),
        paged: paragraph(&explanation.text(), scene.theme.text, columns),
        ..Sheet::default()
    })
}
