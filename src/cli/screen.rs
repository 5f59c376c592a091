//! What every mode with a screen shares: how it looks, its clock, its signals, how it ended.

use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::{Ended, Failure, Setup};
use crate::domain::OperatorName;
use crate::runtime::clock::instant;
use crate::tui::signals::Signals;
use crate::tui::theme::Theme;
use crate::tui::ui::{Mode, Pace, Session};
use crate::tui::{Exit, Options, Wake};

/// How long a lone Esc may be the beginning of an arrow key: longer where packets travel.
const ESCAPE: Duration = Duration::from_millis(50);
const ESCAPE_OVER_SSH: Duration = Duration::from_millis(100);

/// The screen's options, by configuration and flags.
pub(super) fn options(setup: &Setup, mode: Mode, pace: Pace) -> Result<Options, Failure> {
    let session = Session {
        mode,
        role: setup.role(),
        operator: operator(setup)?,
        zone: jiff::tz::TimeZone::system(),
        faults: Vec::new(),
    };
    Ok(Options { session, theme: theme(setup)?, escape_wait: escape_wait(setup), pace })
}

/// Monotonic time since now.
pub(super) fn clock() -> Box<dyn Fn() -> Duration + Send> {
    let origin = instant();
    Box::new(move || instant().duration_since(origin))
}

/// Says so when what plays before the screen ends by a panic: it would show a world that stands still.
pub(super) struct Fall {
    what: &'static str,
    waker: Sender<Wake>,
}

impl Fall {
    pub(super) const fn new(what: &'static str, waker: Sender<Wake>) -> Self {
        Self { what, waker }
    }
}

impl Drop for Fall {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(component = "screen", what = self.what, "ended by a panic");
            // Without a screen there is nobody to tell.
            let text = format!("{} ended by an error of its own; the log files say which", self.what);
            let _ = self.waker.send(Wake::Note(text));
        }
    }
}

/// Listens to signals on a thread of its own, for as long as the process lives: nothing else may delay them.
pub(super) fn forward_signals(waker: Sender<Wake>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    // Before this returns: a signal that comes at once must not meet its default action.
    let signals = {
        let _within = runtime.enter();
        Signals::listen()?
    };
    let forward = move || runtime.block_on(signals.forward(waker));
    std::thread::Builder::new().name("signals".to_owned()).spawn(forward).map(drop)
}

/// How a mode ends that ends with its screen.
pub(super) fn ended(exit: Exit) -> Ended {
    match exit {
        Exit::Terminated("SIGINT") => Ended::Interrupted,
        Exit::Quit | Exit::TerminalLost | Exit::Terminated(_) => Ended::Fine,
    }
}

/// Who sits here, as the audit trail names them.
pub(super) fn operator(setup: &Setup) -> Result<OperatorName, Failure> {
    let configured = Some(setup.config().dashboard.operator.as_str()).filter(|name| !name.is_empty());
    let login = || ["USER", "LOGNAME"].into_iter().find_map(|name| setup.environment.get(name));
    let name = configured.or_else(login).unwrap_or("operator");
    OperatorName::parse(name).map_err(|reason| Failure::usage(format!("dashboard.operator: {reason}")))
}

fn theme(setup: &Setup) -> Result<Theme, Failure> {
    let wanted = setup.config().dashboard.theme.as_str();
    let theme = match wanted {
        _ if setup.no_color() => Theme::monochrome(),
        "calm" => Theme::calm(),
        "monochrome" => Theme::monochrome(),
        file if file.contains('/') || Path::new(file).extension().is_some_and(|extension| extension == "toml") => {
            theme_file(file)?
        }
        unknown => {
            return Err(Failure::usage(format!(
                "there is no theme `{unknown}`: allowed are calm, monochrome, and the path of a theme file"
            )));
        }
    };
    Ok(Theme { ascii: setup.ascii(), ..theme })
}

fn theme_file(file: &str) -> Result<Theme, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Usage(anyhow::Error::from(error).context(format!("the theme {file} cannot be read"))))?;
    Theme::parse(&text).map_err(|reason| Failure::usage(format!("the theme {file}: {reason}")))
}

fn escape_wait(setup: &Setup) -> Duration {
    let over_ssh = || setup.environment.get("SSH_CONNECTION").is_some();
    match setup.config().dashboard.escape_ms {
        0 if over_ssh() => ESCAPE_OVER_SSH,
        0 => ESCAPE,
        configured => Duration::from_millis(configured),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Flags;
    use crate::config::Environment;

    fn setup(pairs: &[(&str, &str)]) -> Setup {
        Setup::read(&Flags::default(), &Environment::from_pairs(pairs.iter().copied())).unwrap()
    }

    #[test]
    fn an_unknown_theme_says_what_is_allowed() {
        let refused = theme(&setup(&[("APOS__DASHBOARD__THEME", "clam")])).unwrap_err().to_string();
        assert!(refused.contains("`clam`") && refused.contains("calm"), "{refused}");
        assert!(theme(&setup(&[("APOS__DASHBOARD__THEME", "/nonexistent/x.toml")])).is_err());
    }

    #[test]
    fn no_color_chooses_the_monochrome_theme() {
        let theme = theme(&setup(&[("NO_COLOR", "1"), ("LANG", "C.UTF-8")])).unwrap();
        assert_eq!(theme, Theme::monochrome());
    }

    #[test]
    fn the_operator_is_the_login_unless_configured() {
        assert_eq!(operator(&setup(&[("USER", "ada")])).unwrap().as_str(), "ada");
        assert_eq!(operator(&setup(&[("USER", "ada"), ("APOS__DASHBOARD__OPERATOR", "grace")])).unwrap().as_str(), "grace");
        assert_eq!(operator(&setup(&[])).unwrap().as_str(), "operator");
    }

    #[test]
    fn escape_waits_longer_over_ssh() {
        assert_eq!(escape_wait(&setup(&[])), ESCAPE);
        assert_eq!(escape_wait(&setup(&[("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")])), ESCAPE_OVER_SSH);
        assert_eq!(escape_wait(&setup(&[("APOS__DASHBOARD__ESCAPE_MS", "70")])), Duration::from_millis(70));
    }
}
