//! Connectors: how each one does, now and over the last minute; where there is room, their accounts.
//!
//! ```text
//! ── 1 Connectors, last 60 s ───────────────────────────────────────────────────
//!   connector   health       rate  exp. attempts share latency circuit   last min
//! ▸ adyen       ■ down       12 %  91 %      412  17 %   2.8 s open 1/3  ▇▇▇▆▂▁▁▁
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
use crate::tui::widget::spark::{self, Run};
use crate::tui::widget::text::{Cell, figures, put, put_row, width, words};

/// Longest sparkline: a column a second.
const SPARK_MOST: u16 = 60;
/// From this width on names have more room and the volume has a sparkline too.
const AMPLE: u16 = 118;
/// A bucket so far below the baseline is drawn in the colour of trouble. Buckets hold few attempts: less would flicker.
const LOW_BY: f64 = 0.2;

/// Rows it would like: title, headings, one a connector.
pub(super) fn rows(scene: &Scene<'_>) -> u16 {
    2 + u16::try_from(scene.snapshot.connectors.len().max(1)).unwrap_or(u16::MAX - 2)
}

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let Scene { snapshot, ui, theme } = scene;
    let total = snapshot.connectors.len();
    let shown = usize::from(area.height.saturating_sub(2));
    let hint = match ui.connectors.unplaced() {
        0 if shown < total => format!("{shown} of {total} in sight"),
        0 => String::new(),
        new => format!("{new} new: g"),
    };
    let (focused, calls) = (scene.focused(Panel::Connectors), ui.connectors.unplaced() > 0);
    // Incidents name their own windows, which are others: a connector may be well here and have just failed there.
    let title = Title { panel: Some(Panel::Connectors), name: "Connectors, last 60 s", hint: &hint, focused, calls };
    let inside = titled(frame, area, &title, theme);
    let columns = Columns::of(area.width);
    headings(frame, inside, &columns, theme);
    let rows = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside };
    let first = first_row(ui.connectors.place(), rows.height);
    let ids = ui.connectors.order().iter().skip(first);
    for (y, name) in (rows.y..rows.bottom()).zip(ids) {
        let Some(row) = snapshot.connectors.iter().find(|row| row.name == *name) else { continue };
        let here = focused && ui.connectors.cursor() == Some(name);
        draw_row(frame, Rect { y, height: 1, ..rows }, row, here, (&columns, scene));
    }
    let used = u16::try_from(total).unwrap_or(u16::MAX).saturating_add(1).min(rows.height);
    accounts(frame, Rect { y: rows.y + used, height: rows.height - used, ..rows }, scene);
}

/// The widths that depend on the room.
struct Columns {
    name: u16,
    rate: u16,
    volume: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let name = if width >= AMPLE { 16 } else { 11 };
        // The marker, seven cells and a gap after each, besides the name's.
        let room = width.saturating_sub(2 + name + 1 + 57);
        let volume = if width >= AMPLE { (room / 3).min(SPARK_MOST) } else { 0 };
        Self { name, rate: room.saturating_sub(volume + u16::from(volume > 0)).min(SPARK_MOST), volume }
    }
}

fn headings(frame: &mut Buffer, area: Rect, columns: &Columns, theme: &Theme) {
    let style = theme.heading;
    let row = [
        words("connector", columns.name, style),
        words("health", 10, style),
        figures("rate", 5, style),
        figures("exp.", 5, style),
        figures("attempts", 8, style),
        figures("share", 5, style),
        figures("latency", 7, style),
        words("circuit", 9, style),
        words(if columns.rate < 20 { "last min" } else { "attempt rate, last minute" }, columns.rate, style),
        words("attempts/s", columns.volume, style),
    ];
    put_row(frame, area, area.x + 2, area.y, &row);
}

fn draw_row(frame: &mut Buffer, area: Rect, row: &ConnectorRow, here: bool, (columns, scene): (&Columns, &Scene<'_>)) {
    let (theme, at) = (scene.theme, scene.snapshot.at);
    let (word, style) = health(row.health, theme);
    let (circuit, circuit_style) = circuit(&row.accounts, theme);
    if here {
        put(frame, area, area.x, area.y, ("▸", theme.focus));
    }
    let mut cells = vec![
        words(row.name.as_str(), columns.name, if here { theme.selection } else { theme.text }),
        words(word, 10, style),
        figures(format::percent(row.attempt_rate), 5, if row.health > Health::Healthy { style } else { theme.text }),
        figures(format::percent(row.baseline_rate), 5, theme.quiet),
        figures(format::count(row.attempts), 8, theme.text),
        figures(format::percent(Some(row.share)), 5, theme.text),
        figures(format::latency(row.latency_ms), 7, theme.text),
        words(circuit, 9, circuit_style),
    ];
    let runs = spark::rates(&row.rate_spark, usize::from(columns.rate), at, floor(row.baseline_rate));
    let (last, before) = runs.split_last().map_or((None, &[][..]), |(last, before)| (Some(last), before));
    cells.extend(before.iter().map(|run| run_cell(run, theme).joined()));
    cells.extend(last.map(|run| run_cell(run, theme)));
    cells.push(words(spark::volumes(&row.volume_spark, usize::from(columns.volume), at), columns.volume, theme.quiet));
    put_row(frame, area, area.x + 2, area.y, &cells);
}

fn run_cell<'a>(run: &'a Run, theme: &Theme) -> Cell<'a> {
    let columns = u16::try_from(width(&run.blocks)).unwrap_or(u16::MAX);
    words(&run.blocks, columns, if run.low { theme.bad } else { theme.quiet })
}

/// Below this rate a bucket is low.
#[expect(clippy::cast_possible_truncation, reason = "a rate: f32 is what the series holds")]
pub(super) fn floor(baseline: Option<f64>) -> f32 {
    baseline.map_or(0.0, |expected| (expected - LOW_BY) as f32)
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

/// `closed`, or how many accounts of how many take probes only: by their breaker (`open`), or excluded (`out`); or are in
/// planned maintenance.
fn circuit(accounts: &[AccountRow], theme: &Theme) -> (String, Style) {
    let total = accounts.len();
    let excluded = accounts.iter().filter(|account| account.excluded).count();
    let open = accounts.iter().filter(|account| account.breaker == BreakerState::Open).count();
    let maintained = accounts.iter().filter(|account| account.maintenance_until.is_some()).count();
    match (excluded, maintained, open) {
        (0, 0, 0) => ("closed".into(), theme.quiet),
        (0, 0, open) => (format!("open {open}/{total}"), theme.bad),
        (0, maintained, _) => (format!("maint {maintained}/{total}"), theme.warning),
        (excluded, _, _) => (format!("out {excluded}/{total}"), theme.warning),
    }
}

/// The accounts, those that take probes only, or nothing, first.
fn accounts(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    if area.height < 2 {
        return;
    }
    let theme = scene.theme;
    let heads = [
        words("account", 27, theme.heading),
        words("circuit", 40, theme.heading),
        figures("approved", 10, theme.heading),
        figures("of attempts today", 18, theme.heading),
    ];
    put_row(frame, area, area.x + 2, area.y, &heads);
    let mut rows: Vec<&AccountRow> = scene.snapshot.connectors.iter().flat_map(|row| &row.accounts).collect();
    let out = |row: &AccountRow| row.excluded || row.maintenance_until.is_some() || row.breaker == BreakerState::Open;
    rows.sort_by_key(|account| !out(account));
    for (y, account) in (area.y + 1..area.bottom()).zip(rows) {
        let (state, style) = account_state(account, scene);
        let cells = [
            words(account.account.as_str(), 27, theme.text),
            words(state, 40, style),
            figures(format::count(account.approved), 10, theme.text),
            figures(format::count(account.attempts), 18, theme.quiet),
        ];
        put_row(frame, area, area.x + 2, y, &cells);
    }
}

/// What an account's circuit does, and why.
pub(super) fn account_state(account: &AccountRow, scene: &Scene<'_>) -> (String, Style) {
    let (theme, zone) = (scene.theme, &scene.ui.session.zone);
    if let Some(until) = account.maintenance_until {
        let until = format!("{} {}", format::minute(until, zone), format::offset(until, zone));
        return (format!("in planned maintenance until {until}"), theme.warning);
    }
    match (account.excluded, account.breaker, &account.breaker_reason) {
        (true, _, _) => ("excluded: probes only".into(), theme.warning),
        (false, BreakerState::Closed, _) => ("closed".into(), theme.quiet),
        (false, BreakerState::Open, Some(reason)) => (format!("open: {reason}"), theme.bad),
        (false, BreakerState::Open, None) => ("open".into(), theme.bad),
    }
}
