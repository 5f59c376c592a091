//! What an action would have brought, had it been approved when it was proposed.
//!
//! ```text
//! Put stripe first for 3 pinned merchants
//! approved  at 03:05:12 +02:00, when it was proposed, 12 min ago; followed until now
//! would     have saved EUR 4,120 (3,500 to 4,740), 61 payments
//! interval  95 %; 52 to 70 payments; EUR 3,000 + USD 1,210
//! ▲ stripe took fewer than 30 attempts meanwhile: the figure rests on the model alone
//! from      74 attempts it would have turned: what their decisions expected …
//! ```

use ratatui::text::Line;

use super::Scene;
use crate::domain::Change;
use crate::engine::snapshot::{ActionRow, ActionStatus, Hindsight};
use crate::tui::format;
use crate::tui::widget::sheet::{Sheet, field, paragraph};
use crate::tui::widget::text::wrap_most;

/// The sheet of an action in hindsight.
pub(super) fn sheet(row: &ActionRow, columns: usize, scene: &Scene<'_>) -> Sheet {
    let theme = scene.theme;
    let mut fixed: Vec<Line<'static>> =
        wrap_most(&row.sentence, columns, 2).into_iter().map(|line| Line::styled(line, theme.focus)).collect();
    // The latest, where it was followed more than once.
    match scene.snapshot.hindsights.iter().rfind(|hindsight| hindsight.action == row.id) {
        Some(hindsight) => fixed.extend(told(hindsight, columns, scene)),
        None => fixed.extend(paragraph(why_not(row), theme.text, columns)),
    }
    Sheet {
        title: format!("Had {} been approved at once?", row.id),
        tag: row.status.as_str().into(),
        fixed,
        ..Sheet::default()
    }
}

fn told(hindsight: &Hindsight, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let (theme, zone) = (scene.theme, &scene.ui.session.zone);
    let clock = |at| format!("{} {}", format::second(at, zone), format::offset(at, zone));
    let until = hindsight.until.map_or_else(|| "now".to_owned(), |at| format!("{}, when its trouble was over", clock(at)));
    let age = format::ago(scene.since(hindsight.since));
    let when = format!("at {}, when it was proposed, {age}; followed until {until}", clock(hindsight.since));
    let estimate = &hindsight.estimate;
    let mut lines = field("approved", &when, theme.text, (columns, 2), theme);
    if estimate.attempts == 0 {
        lines.extend(field(
            "would",
            "have turned no attempt so far: there is nothing to tell yet",
            theme.text,
            (columns, 2),
            theme,
        ));
        return lines;
    }
    let (verb, style) = if estimate.payments >= 0.0 { ("saved", theme.good) } else { ("harmed", theme.bad) };
    lines.extend(field("would", &format!("have {verb} {}", estimate.worth()), style, (columns, 2), theme));
    let (low, high) = estimate.payments_range;
    let mut interval = format!("95 %: {low:.0} to {high:.0} payments more");
    if estimate.amount.len() > 1 {
        interval = format!("{interval}; {}", format::amounts(&estimate.amount));
    }
    lines.extend(field("interval", &interval, theme.text, (columns, 2), theme));
    if let Some(warning) = &estimate.warning {
        lines.extend(field("▲ beware", warning, theme.warning, (columns, 3), theme));
    }
    lines.extend(field("from", &estimate.basis, theme.quiet, (columns, 4), theme));
    lines
}

/// Why nothing can be told.
const fn why_not(row: &ActionRow) -> &'static str {
    match (&row.change, row.status) {
        (Change::Scale { .. }, _) => {
            "Instances carry payments and do not route them: recorded decisions cannot tell what more of them would have brought."
        }
        (Change::SetArm { .. }, _) => "An arm of an experiment has its control beside it: `e` tells what the two came to.",
        (Change::RestoreAccount { .. }, _) => {
            "The decisions made without the account do not tell which payments it would have got back: what it would have brought is not known."
        }
        (_, ActionStatus::Pending | ActionStatus::Rejected | ActionStatus::Expired) => {
            "It is over for so long that it is no longer followed; the sums of its week are under `l`."
        }
        _ => "It was executed: what it brought is in its verification. Only what was not executed is followed.",
    }
}
