//! The keys, from the live table: what does not exist for this role and mode is not in it.

use ratatui::text::{Line, Span};

use super::Scene;
use crate::tui::keys::{self, Scope};
use crate::tui::widget::sheet::Sheet;

/// The sheet of the keys.
pub(super) fn sheet(scene: &Scene<'_>) -> Sheet {
    let (session, theme) = (&scene.ui.session, scene.theme);
    let mut lines = Vec::new();
    for scope in Scope::ALL.into_iter().filter(|scope| session.role >= scope.role()) {
        // What works everywhere is told once, with the panels.
        let told = |binding: &&&keys::Binding| scope == Scope::Panels || !binding.everywhere();
        let bindings: Vec<_> = keys::within(scope, session.role, &session.mode).filter(|b| told(&b)).collect();
        lines.push(Line::styled(scope.title(), theme.focus));
        for pair in bindings.chunks(2) {
            let cells = pair.iter().flat_map(|binding| {
                let name = Span::styled(format!("  {:<10}", binding.name), theme.key);
                [name, Span::styled(format!("{:<24}", label(binding)), theme.text)]
            });
            lines.push(Line::from(cells.collect::<Vec<_>>()));
        }
    }
    Sheet {
        title: "Keys".into(),
        tag: format!("{} · {}", session.operator, session.role.as_str()),
        paged: lines,
        ..Sheet::default()
    }
}

/// The label, short enough for two columns at 80.
fn label(binding: &keys::Binding) -> String {
    crate::tui::widget::text::fit(binding.label, 24)
}
