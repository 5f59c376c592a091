//! Why a payment went where it went: its decision's explanation, the same paragraph that the API tells.
//!
//! ```text
//! ┌ Decision: pay_8f2, attempt 1 ───────────────────────── bandit ┐
//! │ Attempt 1 of pay_8f2 (merchant pro_1, EUR 65.40, card) goes … │
//! │ Enter close                                                   │
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::Scene;
use crate::domain::Decision;
use crate::domain::decision::Explanation;
use crate::tui::widget::sheet::{Sheet, paragraph};

/// The sheet of a decision.
pub(super) fn sheet(decision: &Decision, columns: usize, scene: &Scene<'_>) -> Sheet {
    let explanation = Explanation::of(decision);
    Sheet {
        title: format!("Decision: {}, attempt {}", explanation.payment, explanation.attempt),
        tag: explanation.chosen.to_string(),
        paged: paragraph(&explanation.text(), scene.theme.text, columns),
        ..Sheet::default()
    }
}
