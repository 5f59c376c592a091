//! Colours by role. A theme is a TOML file; the monochrome one is our own and needs no colour at all.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

/// The theme built in.
const CALM: &str = include_str!("../../themes/calm.toml");

/// A style for each role, and the set of characters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Theme {
    /// What is read.
    pub text: Style,
    /// Labels, units, what may be skipped.
    pub quiet: Style,
    /// Titles of panels.
    pub title: Style,
    /// The title of the panel the keys go to.
    pub focus: Style,
    /// Lines between panels.
    pub rule: Style,
    /// Column headings.
    pub heading: Style,
    /// The row the keys go to.
    pub selection: Style,
    /// The one thing that needs a person.
    pub accent: Style,
    /// As it should be.
    pub good: Style,
    /// Not as it should be.
    pub warning: Style,
    /// Broken.
    pub bad: Style,
    /// The banner of a simulated world.
    pub simulation: Style,
    /// The banner of the real one.
    pub live: Style,
    /// The banner of the past.
    pub past: Style,
    /// An armed panic, a refused command.
    pub alarm: Style,
    /// The keys named in the footer.
    pub key: Style,
    /// Whether only ASCII characters may be drawn.
    pub ascii: bool,
}

/// A role's style, as a theme file writes it.
#[expect(clippy::struct_excessive_bools, reason = "one key of the file each, as users write it")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Role {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    reverse: bool,
    underline: bool,
}

impl Theme {
    /// The theme built in, `themes/calm.toml`.
    ///
    /// # Panics
    /// Never: a test parses the embedded file.
    #[must_use]
    pub fn calm() -> Self {
        Self::parse(CALM).unwrap_or_else(|error| panic!("themes/calm.toml: {error}"))
    }

    /// No colour at all: the terminal's own foreground and background, bold, dim and reverse.
    #[must_use]
    pub fn monochrome() -> Self {
        let plain = Style::new().fg(Color::Reset).bg(Color::Reset);
        let (bold, dim, reverse) =
            (plain.add_modifier(Modifier::BOLD), plain.add_modifier(Modifier::DIM), plain.add_modifier(Modifier::REVERSED));
        let loud = reverse.add_modifier(Modifier::BOLD);
        Self {
            text: plain,
            quiet: dim,
            title: plain,
            focus: bold.add_modifier(Modifier::UNDERLINED),
            rule: dim,
            heading: dim,
            selection: reverse,
            accent: loud,
            good: plain,
            warning: bold,
            bad: bold,
            simulation: loud,
            live: loud,
            past: loud,
            alarm: loud,
            key: bold,
            ascii: false,
        }
    }

    /// Reads a theme; a role the file does not name is drawn plainly.
    ///
    /// # Errors
    /// A sentence that names what the file has wrong: its TOML, an unknown role, field or colour.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut theme = Self::default();
        for (name, role) in toml::from_str::<BTreeMap<String, Role>>(text).map_err(|e| e.to_string())? {
            let style = role.style().map_err(|colour| format!("[{name}]: `{colour}` is not a colour"))?;
            *theme.role(&name).ok_or_else(|| format!("[{name}] is not a role of a theme"))? = style;
        }
        Ok(theme)
    }

    fn role(&mut self, name: &str) -> Option<&mut Style> {
        Some(match name {
            "text" => &mut self.text,
            "quiet" => &mut self.quiet,
            "title" => &mut self.title,
            "focus" => &mut self.focus,
            "rule" => &mut self.rule,
            "heading" => &mut self.heading,
            "selection" => &mut self.selection,
            "accent" => &mut self.accent,
            "good" => &mut self.good,
            "warning" => &mut self.warning,
            "bad" => &mut self.bad,
            "simulation" => &mut self.simulation,
            "live" => &mut self.live,
            "past" => &mut self.past,
            "alarm" => &mut self.alarm,
            "key" => &mut self.key,
            _ => return None,
        })
    }
}

impl Role {
    fn style(self) -> Result<Style, String> {
        let colour = |text: Option<String>| text.map(|t| t.parse::<Color>().map_err(|_| t)).transpose();
        let (fg, bg) = (colour(self.fg)?, colour(self.bg)?);
        let modifiers = [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.reverse, Modifier::REVERSED),
            (self.underline, Modifier::UNDERLINED),
        ];
        let on = modifiers.into_iter().filter(|(on, _)| *on).fold(Modifier::empty(), |all, (_, one)| all | one);
        Ok(Style { fg, bg, add_modifier: on, ..Style::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_theme_reads_and_stays_within_sixteen_colours() {
        let theme = Theme::calm();
        for style in [theme.text, theme.quiet, theme.accent, theme.bad, theme.simulation, theme.alarm] {
            for colour in [style.fg, style.bg].into_iter().flatten() {
                assert!(!matches!(colour, Color::Rgb(..) | Color::Indexed(_) | Color::Blue), "{colour:?}");
            }
        }
    }

    #[test]
    fn a_bad_theme_is_refused_by_name() {
        assert!(Theme::parse("[nonsense]\nfg = 'red'").unwrap_err().contains("[nonsense]"));
        assert!(Theme::parse("[text]\nfg = 'reddish'").unwrap_err().contains("`reddish`"));
        assert!(Theme::parse("[text]\nblink = true").unwrap_err().contains("blink"));
    }

    #[test]
    fn monochrome_uses_no_colour() {
        let theme = Theme::monochrome();
        for style in [theme.accent, theme.bad, theme.selection, theme.quiet, theme.simulation] {
            assert_eq!((style.fg, style.bg), (Some(Color::Reset), Some(Color::Reset)));
        }
    }
}
