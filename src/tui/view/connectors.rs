//! Connectors: how each one does, now and over the last minute.
//!
//! ```text
//! ── 1 Connectors ──────────────────────────────────────────────────────────────
//!   connector   health       rate   exp.  tries share  latency circuit  last min
//! ▸ adyen       ■ down       12 %   91 %    412  17 %   812 ms open 1/3 ▇▇▇▆▂▁▁▁
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Scene, first_row};
use crate::engine::snapshot::{AccountRow, BreakerState, ConnectorRow, Health};
use crate::tui::format;
use crate::tui::theme::Theme;
use crate::tui::ui::Panel;
use crate::tui::widget::panel::{Title, titled};
use crate::tui::widget::spark;
use crate::tui::widget::text::{figures, put, put_row, words};

/// Columns of the marker and the table, each cell with the gap that follows: the sparkline has the rest.
const TABLE: u16 = 70;
/// Longest sparkline: a column a second.
const SPARK_MOST: u16 = 60;
/// From this width on the volume has a sparkline too.
const VOLUME_FROM: u16 = 118;

/// Rows it would like: title, headings, one a connector.
pub(super) fn rows(scene: &Scene<'_>) -> u16 {
    2 + u16::try_from(scene.snapshot.connectors.len().max(1)).unwrap_or(u16::MAX - 2)
}

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let Scene { snapshot, ui, theme } = scene;
    let total = snapshot.connectors.len();
    let shown = usize::from(area.height.saturating_sub(2));
    let hint = if shown < total { format!("{shown} of {total} in sight") } else { String::new() };
    let title = Title {
        panel: Some(Panel::Connectors),
        name: "Connectors",
        hint: &hint,
        focused: scene.focused(Panel::Connectors),
        calls: false,
    };
    let inside = titled(frame, area, &title, theme);
    headings(frame, inside, theme);
    let rows = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside };
    let first = first_row(ui.connectors.place(), rows.height);
    let ids = ui.connectors.order().iter().skip(first);
    for (y, name) in (rows.y..rows.bottom()).zip(ids) {
        let Some(row) = snapshot.connectors.iter().find(|row| row.name == *name) else { continue };
        let here = scene.focused(Panel::Connectors) && ui.connectors.cursor() == Some(name);
        draw_row(frame, Rect { y, height: 1, ..rows }, row, here, scene);
    }
}

/// The columns of the two sparklines: rate, volume.
fn spark_columns(width: u16) -> (u16, u16) {
    let room = width.saturating_sub(TABLE);
    if width >= VOLUME_FROM {
        let volume = room / 3;
        ((room - volume - 1).min(SPARK_MOST), volume.min(SPARK_MOST))
    } else {
        (room.min(SPARK_MOST), 0)
    }
}

fn headings(frame: &mut Buffer, area: Rect, theme: &Theme) {
    let style = theme.heading;
    let (rate, volume) = spark_columns(area.width);
    let row = [
        words("connector", 11, style),
        words("health", 10, style),
        figures("rate", 5, style),
        figures("exp.", 5, style),
        figures("tries", 6, style),
        figures("share", 5, style),
        figures("latency", 8, style),
        words("circuit", 9, style),
        words(if rate < 20 { "last min" } else { "attempt rate, last minute" }, rate, style),
        words("attempts/s", volume, style),
    ];
    put_row(frame, area, area.x + 2, area.y, &row);
}

fn draw_row(frame: &mut Buffer, area: Rect, row: &ConnectorRow, here: bool, scene: &Scene<'_>) {
    let theme = scene.theme;
    let (word, style) = health(row.health, theme);
    let name_style = if here { theme.selection } else { theme.text };
    let (circuit, circuit_style) = circuit(&row.accounts, theme);
    let (rate_columns, volume_columns) = spark_columns(area.width);
    let rates = spark::rates(&row.rate_spark, usize::from(rate_columns), scene.snapshot.at);
    let volumes = spark::volumes(&row.volume_spark, usize::from(volume_columns), scene.snapshot.at);
    if here {
        put(frame, area, area.x, area.y, ("▸", theme.focus));
    }
    let cells = [
        words(row.name.as_str(), 11, name_style),
        words(word, 10, style),
        figures(format::percent(row.attempt_rate), 5, if row.health > Health::Healthy { style } else { theme.text }),
        figures(format::percent(row.baseline_rate), 5, theme.quiet),
        figures(format::count(row.attempts), 6, theme.text),
        figures(format::percent(Some(row.share)), 5, theme.text),
        figures(format::latency(row.latency_ms), 8, theme.text),
        words(&circuit, 9, circuit_style),
        words(&rates, rate_columns, style),
        words(&volumes, volume_columns, theme.quiet),
    ];
    put_row(frame, area, area.x + 2, area.y, &cells);
}

/// The symbol with the word: colour only repeats them.
pub(super) const fn health(health: Health, theme: &Theme) -> (&'static str, Style) {
    match health {
        Health::Quiet => ("○ quiet", theme.quiet),
        Health::Healthy => ("● healthy", theme.good),
        Health::Degraded => ("▲ degraded", theme.warning),
        Health::Down => ("■ down", theme.bad),
    }
}

/// `closed`, or how many accounts of how many take probes only: by their breaker (`open`), or excluded (`out`).
fn circuit(accounts: &[AccountRow], theme: &Theme) -> (String, Style) {
    let total = accounts.len();
    let excluded = accounts.iter().filter(|account| account.excluded).count();
    let open = accounts.iter().filter(|account| account.breaker == BreakerState::Open).count();
    match (excluded, open) {
        (0, 0) => ("closed".into(), theme.quiet),
        (0, open) => (format!("open {open}/{total}"), theme.bad),
        (excluded, _) => (format!("out {excluded}/{total}"), theme.warning),
    }
}
