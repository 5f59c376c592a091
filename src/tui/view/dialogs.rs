//! Which sheet stands over the panels, and the keys in its last row.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Scene, approval, decision, details, experiments, faults, help, hindsight, levels, model, scaling};
use crate::domain::{ActionId, IncidentId, Role};
use crate::engine::snapshot::{ActionRow, ActionStatus};
use crate::tui::format;
use crate::tui::keys::{self, Does};
use crate::tui::ui::Mode;
use crate::tui::ui::dialog::{Dialog, Kind, Shown};
use crate::tui::when;
use crate::tui::widget::sheet::{Sheet, columns, field, labelled, paragraph};

/// Draws what is open; returns its pages.
pub(super) fn draw(frame: &mut Buffer, space: Rect, scene: &Scene<'_>) -> u16 {
    let Some(dialog) = &scene.ui.dialog else { return 1 };
    let mut sheet = sheet(dialog, columns(space), scene);
    sheet.keys = key_line(dialog, scene);
    sheet.draw(frame, space, dialog.page, scene.theme)
}

fn sheet(dialog: &Dialog, columns: usize, scene: &Scene<'_>) -> Sheet {
    match &dialog.kind {
        Kind::Action(shown) => action(shown, columns, scene),
        Kind::Reason(shown, text) => reason(shown, text, columns, scene),
        Kind::Undo(shown) => undo(shown, columns, scene),
        Kind::Hindsight(shown) => in_hindsight(shown, columns, scene),
        Kind::Incident(id) => incident(*id, columns, scene),
        Kind::Connector(name) => connector(name.as_str(), columns, scene),
        Kind::Decision(event) => {
            let behind = scene.ui.decision_behind(*event);
            behind.map_or_else(|| gone("the decision", columns, scene), |behind| decision::sheet(behind, columns, scene))
        }
        Kind::Decided => {
            let decided = scene.ui.decided();
            decided.map_or_else(|| gone("the decision", columns, scene), |decided| decision::sheet(decided, columns, scene))
        }
        Kind::Resources => resources(columns, scene),
        Kind::Model => model::sheet(columns, scene),
        Kind::Keys => help::sheet(scene),
        Kind::Time(text) => time(text, columns, scene),
        Kind::Levels(chosen) => levels::sheet(chosen, columns, scene),
        Kind::Experiments => experiments::sheet(columns, scene),
        Kind::Faults(row) => faults::sheet(*row, scene),
        Kind::Quit => quit(columns, scene),
    }
}

/// `Enter cancel   y approve   r reject`: the default first, what does not work now told with its reason.
fn key_line(dialog: &Dialog, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme;
    let typed = match dialog.kind {
        Kind::Reason(..) => Some(" reject with this reason   "),
        Kind::Time(_) => Some(" go there   "),
        _ => None,
    };
    if let Some(enters) = typed {
        return Line::from(vec![
            Span::styled("Enter", theme.key),
            Span::styled(enters, theme.text),
            Span::styled("Esc", theme.key),
            Span::styled(" back", theme.text),
        ]);
    }
    let session = &scene.ui.session;
    let mut spans = Vec::new();
    for binding in keys::within(dialog.scope(scene.snapshot), session.role, &session.mode).filter(|b| b.footer) {
        // Panic has its own bar, and the rule above the pages names its key.
        if matches!(binding.does, Does::ArmPanic | Does::PageDown) {
            continue;
        }
        let refused = scene.ui.refusal(binding.does, scene.snapshot);
        if refused.is_some() && matches!(binding.does, Does::AskUndo | Does::Hindsight | Does::Reopen) {
            continue;
        }
        let style = if refused.is_some() { theme.quiet } else { theme.key };
        spans.push(Span::styled(binding.name, style));
        let label = refused.map_or_else(|| format!(" {}   ", binding.label), |why| format!(" ({why})   "));
        spans.push(Span::styled(label, if style == theme.quiet { theme.quiet } else { theme.text }));
    }
    Line::from(spans)
}

fn find<'a>(scene: &Scene<'a>, id: ActionId) -> Option<&'a ActionRow> {
    scene.snapshot.actions.iter().find(|row| row.id == id)
}

fn gone(what: &str, columns: usize, scene: &Scene<'_>) -> Sheet {
    let text = format!("{what} is no longer among what the engine shows; its record is in the audit.");
    Sheet { title: what.to_owned(), fixed: paragraph(&text, scene.theme.text, columns), ..Sheet::default() }
}

fn changed(shown: &Shown, scene: &Scene<'_>) -> Option<Line<'static>> {
    shown.changed.then(|| Line::styled("▲ changed since you opened this: read it again", scene.theme.alarm))
}

fn action(shown: &Shown, columns: usize, scene: &Scene<'_>) -> Sheet {
    let Some(row) = find(scene, shown.id) else { return gone(&shown.id.to_string(), columns, scene) };
    let past = matches!(scene.ui.session.mode, Mode::Past { .. });
    let title = match row.status {
        ActionStatus::Pending if !past && scene.ui.session.role >= Role::Operator => format!("Approve {}?", row.id),
        ActionStatus::Pending => format!("Proposal {}", row.id),
        _ => format!("Action {}", row.id),
    };
    let mut fixed: Vec<Line<'static>> = changed(shown, scene).into_iter().collect();
    fixed.extend(approval::fixed(row, columns, scene));
    Sheet { title, tag: tag(row), fixed, paged: approval::paged(row, columns, scene), ..Sheet::default() }
}

fn tag(row: &ActionRow) -> String {
    format!("{} · {} · version {}", row.class.as_str(), row.status.as_str(), row.version)
}

fn reason(shown: &Shown, text: &str, columns: usize, scene: &Scene<'_>) -> Sheet {
    let theme = scene.theme;
    let Some(row) = find(scene, shown.id) else { return gone(&shown.id.to_string(), columns, scene) };
    let mut fixed: Vec<Line<'static>> = changed(shown, scene).into_iter().collect();
    fixed.extend(paragraph(&row.sentence, theme.focus, columns));
    fixed.extend(field("reason", &format!("{text}_"), theme.text, (columns, 4), theme));
    Sheet { title: format!("Reject {}: why?", row.id), tag: tag(row), fixed, ..Sheet::default() }
}

fn undo(shown: &Shown, columns: usize, scene: &Scene<'_>) -> Sheet {
    let Some(row) = find(scene, shown.id) else { return gone(&shown.id.to_string(), columns, scene) };
    let mut fixed: Vec<Line<'static>> = changed(shown, scene).into_iter().collect();
    let (question, paged) = approval::undo_question(row, columns, scene);
    fixed.extend(question);
    Sheet { title: format!("Undo {}?", row.id), tag: tag(row), fixed, paged, ..Sheet::default() }
}

fn in_hindsight(shown: &Shown, columns: usize, scene: &Scene<'_>) -> Sheet {
    let Some(row) = find(scene, shown.id) else { return gone(&shown.id.to_string(), columns, scene) };
    hindsight::sheet(row, columns, scene)
}

fn incident(id: IncidentId, columns: usize, scene: &Scene<'_>) -> Sheet {
    let Some(row) = scene.snapshot.incidents.iter().find(|row| row.id == id) else {
        return gone(&id.to_string(), columns, scene);
    };
    Sheet { title: format!("Incident {id}"), paged: details::incident(row, columns, scene), ..Sheet::default() }
}

fn connector(name: &str, columns: usize, scene: &Scene<'_>) -> Sheet {
    let Some(row) = scene.snapshot.connectors.iter().find(|row| row.name.as_str() == name) else {
        return gone(name, columns, scene);
    };
    Sheet {
        title: format!("Connector {name}"),
        fixed: details::connector(row, columns, scene),
        paged: details::accounts(row, columns, scene),
        ..Sheet::default()
    }
}

/// Where to go: what may be typed, and between which times.
fn time(text: &str, columns: usize, scene: &Scene<'_>) -> Sheet {
    let (theme, zone) = (scene.theme, &scene.ui.session.zone);
    let mut fixed = field("time", &format!("{text}_"), theme.focus, (columns, 2), theme);
    if let Some(timeline) = &scene.ui.timeline {
        let whole = |at| format!("{} {} {}", format::date(at, zone), format::second(at, zone), format::offset(at, zone));
        fixed.push(labelled("from", whole(timeline.from), theme.text, theme));
        fixed.push(labelled("to", whole(timeline.to), theme.text, theme));
    }
    fixed.extend(field("write", when::FORMS, theme.quiet, (columns, 2), theme));
    Sheet { title: "Go to which time?".into(), fixed, ..Sheet::default() }
}

fn resources(columns: usize, scene: &Scene<'_>) -> Sheet {
    let (view, theme, zone) = (&scene.snapshot.scaling, scene.theme, &scene.ui.session.zone);
    let mut fixed = Vec::new();
    if let Some(sample) = view.sample {
        fixed.push(labelled("instances", scaling::instances(view, &sample), theme.text, theme));
        fixed.push(labelled("load", scaling::load(&sample), theme.text, theme));
    }
    fixed.extend(field("rule", &view.verdict, theme.text, (columns, 3), theme));
    fixed.extend(
        scaling::simulated(view).into_iter().flat_map(|note| field("worth", &note, theme.warning, (columns, 2), theme)),
    );
    fixed.extend(scaling::cooldown(view, scene).map(|wait| labelled("", wait, theme.quiet, theme)));
    let history = view.history.iter().rev().map(|row| {
        let at = format!("{} {}", format::second(row.at, zone), format::offset(row.at, zone));
        Line::styled(format!("{at}  {}: {}", row.who, row.what), theme.text)
    });
    Sheet { title: "Scaling".into(), fixed, paged: history.collect(), ..Sheet::default() }
}

fn quit(columns: usize, scene: &Scene<'_>) -> Sheet {
    let (title, text) = match scene.ui.session.mode {
        Mode::Live => (
            "Quit?",
            "The engine runs in this process and stops with it: until it is started again, webhooks and decisions are \
             refused and nothing is repaired. `apos serve` runs it without a screen.",
        ),
        Mode::Past { .. } => ("Leave the past?", "The replay ends; the log stays as it is, and nothing was touched."),
        Mode::Simulation { .. } => ("Leave the simulation?", "The simulated world ends; nothing real is touched."),
    };
    Sheet { title: title.into(), fixed: paragraph(text, scene.theme.text, columns), ..Sheet::default() }
}
