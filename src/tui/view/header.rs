//! The ten-second summary.
//!
//! ```text
//!  APOS  SIMULATION outage · seed 7 · ×1            autonomy approve · 03:14 +00:00
//!  50 payments/s   rate 71.4 % of 2,981 (1 min), expected 91.2 %   at risk EUR 1,204/min
//!  ◆ 1 action waits for you: w   ■ 1 incident open            rates of 2026-11-22
//! ```
//!
//! What is not as usual in how much the engine routes stands first in the last row.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Scene, trouble};
use crate::domain::settings::Levels;
use crate::domain::{ActionClass, Time};
use crate::engine::snapshot::{ActionStatus, ConnectorRow, Header, Health};
use crate::tui::format;
use crate::tui::ui::{Mode, Pace, Ui};
use crate::tui::widget::text::{fit, put, put_right, width};

/// Rows of the summary.
const ROWS: u16 = 3;

/// Columns of a name that are worth showing: of fewer nothing is recognised.
const NAME_LEAST: usize = 6;

/// An attempt rate this far below its baseline is worth a colour: half of what any operator calls an incident.
const NOTICEABLE: f64 = 0.03;

/// Rows it takes: one more while something is wrong with the engine.
pub(super) fn rows(scene: &Scene<'_>) -> u16 {
    ROWS + trouble::rows(scene)
}

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    banner(frame, area, scene);
    figures(frame, area, scene);
    calls(frame, area, scene);
    trouble::draw(frame, area, area.y + ROWS, scene);
}

fn banner(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let Scene { snapshot, ui, theme } = scene;
    let x = put(frame, area, area.x, area.y, (" APOS ", theme.focus));
    // What follows the mode has a blank before it.
    let room = usize::from(area.right().saturating_sub(x)).saturating_sub(usize::from(trouble::columns(scene)) + 1);
    let (levels, clock) = (snapshot.header.autonomy.as_ref(), clock(scene));
    let mut right = format!("{}{clock}", levels.map_or_else(String::new, autonomy));
    if width(&bare_mode(ui)) + width(&right) > room {
        right = format!("{}{clock}", levels.map_or("", |_| "autonomy: l"));
    }
    let style = match ui.session.mode {
        Mode::Live => theme.live,
        Mode::Simulation { .. } => theme.simulation,
        Mode::Past { .. } => theme.past,
    };
    let x = put(frame, area, x, area.y, (&mode(ui, room.saturating_sub(width(&right))), style));
    put_right(frame, area, area.y, (&right, theme.text));
    trouble::banner(frame, area, x, scene);
}

/// What the screen shows and how fast, in so many columns. Whole parts go where room is short: the seed, then the end of the
/// name, then the name; never the word or the pace, which half of would be another.
fn mode(ui: &Ui, room: usize) -> String {
    let (word, name, seed) = match &ui.session.mode {
        Mode::Live => return bare_mode(ui),
        Mode::Simulation { scenario, seed } => ("SIMULATION", scenario, format!(" · seed {seed}")),
        Mode::Past { source } => ("PAST", source, String::new()),
    };
    let pace = pace(ui.pace);
    let all = format!(" {word} {name}{seed} · {pace} ");
    if width(&all) <= room {
        return all;
    }
    let bare = bare_mode(ui);
    let left = room.saturating_sub(width(&bare) + 1);
    if left < NAME_LEAST.min(width(name)) { bare } else { format!(" {word} {} · {pace} ", fit(name, left)) }
}

/// The mode without any name.
fn bare_mode(ui: &Ui) -> String {
    match ui.session.mode {
        Mode::Live => " LIVE ".to_owned(),
        Mode::Simulation { .. } => format!(" SIMULATION · {} ", pace(ui.pace)),
        Mode::Past { .. } => format!(" PAST · {} ", pace(ui.pace)),
    }
}

/// ` · 03:14 +00:00 `; nothing before anything has happened.
fn clock(scene: &Scene<'_>) -> String {
    let Scene { snapshot, ui, .. } = scene;
    if snapshot.at == Time::ZERO {
        return String::new();
    }
    let (now, zone) = (scene.now(), &ui.session.zone);
    // Where time stands still it may be stepped on, a second at a time.
    let exact = match ui.session.mode {
        Mode::Past { .. } => true,
        Mode::Simulation { .. } => ui.pace.paused,
        Mode::Live => false,
    };
    let clock = if exact { format::second(now, zone) } else { format::minute(now, zone) };
    format!(" · {clock} {} ", format::offset(now, zone))
}

/// `×10`, or that it stands still.
pub(super) fn pace(pace: Pace) -> String {
    if pace.paused { "PAUSED".into() } else { format!("×{}", format::number(pace.speed).trim_end_matches(".0")) }
}

/// One word where every class is at the same level, else each class with its own.
fn autonomy(levels: &Levels) -> String {
    let all = ActionClass::ALL.map(|class| levels.of(class));
    if all.iter().all(|level| *level == all[0]) {
        format!("autonomy {}", all[0])
    } else {
        ActionClass::ALL.map(|class| format!("{}:{}", &class.as_str()[..3], levels.of(class))).join(" ")
    }
}

fn figures(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let Scene { snapshot, theme, .. } = scene;
    let header = &snapshot.header;
    let at_risk = at_risk(header);
    let risk_style = if at_risk.is_some() { theme.bad } else { theme.text };
    let nothing = if is_judged(scene) { "nothing" } else { "not known yet" };
    let figures = |window: &str| {
        [
            (" ".to_owned(), theme.text),
            (format::number(header.payments_per_s), theme.text),
            (" payments/s   rate ".to_owned(), theme.quiet),
            (format::rate(header.attempt_rate), rate_style(header, scene)),
            (format!(" of {}{window}", format::count(header.attempts)), theme.quiet),
            (format!(", expected {}", format::rate(header.baseline_rate)), theme.quiet),
            ("   at risk ".to_owned(), theme.quiet),
            (at_risk.clone().unwrap_or_else(|| nothing.to_owned()), risk_style),
        ]
    };
    let long = figures(" (1 min)");
    let fits = long.iter().map(|(text, _)| width(text)).sum::<usize>() <= usize::from(area.width);
    let mut x = area.x;
    for (text, style) in if fits { long } else { figures("") } {
        x = put(frame, area, x, area.y + 1, (&text, style));
    }
}

/// Whether what is lost can be told: not before it is known what is usual, of everything and of what does badly.
fn is_judged(scene: &Scene<'_>) -> bool {
    let unknown = |row: &ConnectorRow| row.health > Health::Healthy && row.baseline_rate.is_none();
    scene.snapshot.header.baseline_rate.is_some() && !scene.snapshot.connectors.iter().any(unknown)
}

fn rate_style(header: &Header, scene: &Scene<'_>) -> Style {
    match (header.attempt_rate, header.baseline_rate) {
        (Some(rate), Some(expected)) if rate < expected - NOTICEABLE => scene.theme.bad,
        _ => scene.theme.text,
    }
}

/// `EUR 1,204/min`; none where nothing is.
fn at_risk(header: &Header) -> Option<String> {
    let risk = &header.at_risk;
    let text = match risk.total {
        Some(total) if total.minor > 0 => format::money(total),
        None if risk.by_currency.iter().any(|money| money.minor > 0) => format::amounts(&risk.by_currency),
        Some(_) | None => return None,
    };
    Some(format!("{text}/min"))
}

/// Nothing waits; a connector that does badly all the same is named: routing goes round it, healing may follow.
fn put_at_ease(frame: &mut Buffer, area: Rect, (x, y): (u16, u16), scene: &Scene<'_>) -> u16 {
    let unwell: Vec<&str> =
        scene.snapshot.connectors.iter().filter(|row| row.health > Health::Healthy).map(|row| row.name.as_str()).collect();
    match unwell[..] {
        [] if trouble::is_grave(scene) => put(frame, area, x, y, ("■ the engine needs you", scene.theme.bad)),
        [] if scene.snapshot.header.baseline_rate.is_none() => {
            put(frame, area, x, y, ("○ learning what is usual", scene.theme.quiet))
        }
        [] => put(frame, area, x, y, ("● nothing needs you", scene.theme.good)),
        [one] => put(frame, area, x, y, (&format!("▲ {one} does badly; routing goes round it"), scene.theme.warning)),
        [..] => put(frame, area, x, y, (&format!("▲ {} connectors do badly", unwell.len()), scene.theme.warning)),
    }
}

/// What is not as usual in how much the engine routes.
fn put_adoption(frame: &mut Buffer, area: Rect, (x, y): (u16, u16), scene: &Scene<'_>) -> u16 {
    let (theme, adoption) = (scene.theme, &scene.snapshot.adoption);
    if adoption.is_plain() {
        return x;
    }
    let (mark, style) = if adoption.kill_switch.is_some() { ("■", theme.alarm) } else { ("▲", theme.warning) };
    put(frame, area, x, y, (&format!("{mark} {}", adoption.words().join(" · ")), style)) + 3
}

/// What waits for a person: what repairs something first, then whether there is a number of instances to think of.
fn waiting(scene: &Scene<'_>) -> String {
    let pending = || scene.snapshot.actions.iter().filter(|row| row.status == ActionStatus::Pending);
    let all = scene.snapshot.header.pending_actions as usize;
    let scaling = pending().filter(|row| row.class == ActionClass::Scaling).count().min(all);
    let what = match (all - scaling, scaling) {
        (actions, 0) => format::plural(actions, "action"),
        (0, scaling) => format::plural(scaling, "scaling proposal"),
        (actions, scaling) => {
            format!("{} and {}", format::plural(actions, "action"), format::plural(scaling, "scaling proposal"))
        }
    };
    let verb = if all == 1 { "waits" } else { "wait" };
    match scene.ui.session.mode {
        Mode::Past { .. } => format!("◆ {what} waited for a person"),
        Mode::Live | Mode::Simulation { .. } => format!("◆ {what} {verb} for you: w"),
    }
}

/// What calls for a person, and what limits the trust in the figures above.
fn calls(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let Scene { snapshot, ui, theme } = scene;
    let (header, y) = (&snapshot.header, area.y + 2);
    let mut x = put_adoption(frame, area, (area.x + 1, y), scene);
    if header.pending_actions > 0 {
        x = put(frame, area, x, y, (&waiting(scene), theme.accent)) + 3;
    }
    if header.open_incidents > 0 {
        let text = format!("■ {} open", format::plural(header.open_incidents as usize, "incident"));
        x = put(frame, area, x, y, (&text, theme.bad)) + 3;
    }
    if header.pending_actions + header.open_incidents == 0 && snapshot.at != Time::ZERO {
        x = put_at_ease(frame, area, (x, y), scene) + 3;
    }
    if let Some(span) = ui.stale {
        x = put(frame, area, x, y, (&format!("▲ stale: no news for {}", format::age(span)), theme.warning)) + 3;
    }
    if ui.slow_link {
        x = put(frame, area, x, y, ("▲ slow link", theme.warning)) + 3;
    }
    if header.attempts_unseen > 0 {
        let (unseen, seen) = (format::count(header.attempts_unseen), format::percent(header.attempts_coverage));
        x = put(frame, area, x, y, (&format!("{unseen} unseen attempts, {seen} seen"), theme.quiet)) + 3;
    }
    let dated = format!("rates of {} ", header.at_risk.rates_dated);
    let room = Rect { x: x.min(area.right()), width: area.right().saturating_sub(x), ..area };
    if !header.at_risk.rates_dated.is_empty() && usize::from(room.width) >= dated.len() {
        put_right(frame, room, y, (&dated, theme.quiet));
    }
}
