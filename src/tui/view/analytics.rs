//! Analytics of the day: by connector, by method, by merchant.
//!
//! ```text
//! ── Today ─────────────────────────────────────────────── since 00:00 +00:00 ──
//!   method            tries  approved   rate  latency            amount approved
//!   card              8,102     7,391   91 %   230 ms                EUR 612,038
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use crate::engine::snapshot::AggregateRow;
use crate::tui::format;
use crate::tui::theme::Theme;
use crate::tui::widget::panel::{Title, titled};
use crate::tui::widget::text::{figures, put_row, words};

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let (analytics, theme, zone) = (&scene.snapshot.analytics, scene.theme, &scene.ui.session.zone);
    let since = format!("since {} {}", format::minute(analytics.since, zone), format::offset(analytics.since, zone));
    let inside = titled(frame, area, &Title { name: "Today", hint: &since, ..Title::default() }, theme);
    let groups = [("connector", &analytics.connectors), ("method", &analytics.methods), ("merchant", &analytics.merchants)];
    let mut rest = inside;
    for (i, (name, rows)) in groups.into_iter().enumerate() {
        // Each group has an even part of what is left; the merchants, most of all, take the end.
        let most = (usize::from(rest.height) / (3 - i)).saturating_sub(1);
        let used = group(frame, rest, name, &rows[..rows.len().min(most)], theme);
        rest = Rect { y: rest.y + used, height: rest.height - used, ..rest };
    }
}

fn group(frame: &mut Buffer, area: Rect, name: &str, rows: &[AggregateRow], theme: &Theme) -> u16 {
    if area.height == 0 || rows.is_empty() {
        return 0;
    }
    let amount = area.width.saturating_sub(2 + 19 + 9 + 9 + 6 + 9);
    let quiet = theme.heading;
    let heads = [
        words(name, 18, quiet),
        figures("tries", 8, quiet),
        figures("technical", 9, quiet),
        figures("rate", 5, quiet),
        figures("latency", 8, quiet),
        figures("approved amount", amount.saturating_sub(2), quiet),
    ];
    put_row(frame, area, area.x + 2, area.y, &heads);
    for (y, row) in (area.y + 1..area.bottom()).zip(rows) {
        let cells = [
            words(&row.key, 18, theme.text),
            figures(format::count(row.attempts), 8, theme.text),
            figures(format::count(row.technical), 9, theme.quiet),
            figures(format::percent(rate(row)), 5, theme.text),
            figures(format::latency(row.latency_ms), 8, theme.text),
            figures(format::amounts(&row.amount), amount.saturating_sub(2), theme.quiet),
        ];
        put_row(frame, area, area.x + 2, y, &cells);
    }
    u16::try_from(rows.len() + 1).unwrap_or(u16::MAX).min(area.height)
}

/// Approved of all attempts with an answer; none without attempts.
#[expect(clippy::cast_precision_loss, reason = "attempts of one day: far below 2^53")]
pub(super) fn rate(row: &AggregateRow) -> Option<f64> {
    (row.attempts > 0).then(|| row.approved as f64 / row.attempts as f64)
}
