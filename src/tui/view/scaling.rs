//! The resource manager: what is measured, what its rule says.
//!
//! ```text
//! ── 4 Scaling ─────────────────────────────────── 2 simulated instances of 1–8 ──
//!   cpu 41 %  memory 52 %  queue 3   hold: cpu 41 % (up > 75, down < 30)
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use crate::domain::ResourceSample;
use crate::engine::snapshot::ScalingView;
use crate::tui::format;
use crate::tui::ui::Panel;
use crate::tui::widget::panel::{Title, titled};
use crate::tui::widget::text::put;

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let (view, theme) = (&scene.snapshot.scaling, scene.theme);
    let hint = view.sample.map_or_else(String::new, |sample| instances(view, &sample));
    let title = Title {
        panel: Some(Panel::Scaling),
        name: "Scaling",
        hint: &hint,
        focused: scene.focused(Panel::Scaling),
        calls: false,
    };
    let inside = titled(frame, area, &title, theme);
    let Some(sample) = view.sample else {
        put(frame, inside, inside.x + 2, inside.y, ("no resource sample yet", theme.quiet));
        return;
    };
    let load = load(&sample);
    let x = put(frame, inside, inside.x + 2, inside.y, (&load, theme.text));
    if inside.height == 1 {
        put(frame, inside, x + 3, inside.y, (&view.verdict, theme.quiet));
        return;
    }
    put(frame, inside, inside.x + 2, inside.y + 1, (&view.verdict, theme.quiet));
    if let Some(third) = cooldown(view, scene).or_else(|| simulated(view)) {
        put(frame, inside, inside.x + 2, inside.y + 2, (&third, theme.quiet));
    }
    let zone = &scene.ui.session.zone;
    for (y, row) in (inside.y + 3..inside.bottom()).zip(view.history.iter().rev()) {
        let line = format!("{} {}  {}", format::minute(row.at, zone), row.who, row.what);
        put(frame, inside, inside.x + 2, y, (&line, theme.quiet));
    }
}

/// `2 simulated instances of 1–8`.
pub(super) fn instances(view: &ScalingView, sample: &ResourceSample) -> String {
    let one = if view.simulated { "simulated instance" } else { "instance" };
    format!("{} of {}–{}", format::plural(usize::from(sample.instances), one), view.limits.0, view.limits.1)
}

/// What a number of instances that are only counted is worth.
pub(super) fn simulated(view: &ScalingView) -> Option<String> {
    view.simulated.then(|| ScalingView::SIMULATED.to_owned())
}

/// `cpu 41 %  memory 52 %  queue 3`.
pub(super) fn load(sample: &ResourceSample) -> String {
    format!("cpu {:.0} %  memory {:.0} %  queue {}", sample.cpu_percent, sample.memory_percent, sample.queue_depth)
}

/// Until when no change of scale is made, if one was made lately.
pub(super) fn cooldown(view: &ScalingView, scene: &Scene<'_>) -> Option<String> {
    let left = scene.until(view.cooldown_until?);
    (!left.is_zero()).then(|| format!("no change for {}: cooling down", format::left(left)))
}
