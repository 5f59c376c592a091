//! Conservative routing: when errors are high and wide, nothing that is learnt now can be trusted to tell where to go.
//!
//! High: the attempt rate of all traffic is far below what is usual. Wide: so is that of at least half of the connectors, and
//! of two at least; what a single connector does is the breaker's and the bandit's. It is entered at the whole drop and left
//! when the rate has been above half of it for a while, so that it does not flutter.

use core::time::Duration;

use super::detect::rate_of;
use super::monitor::{Monitor, Slice, Watched};
use super::route::{Cautious, RoutingView};
use crate::domain::numbers::as_f64;

/// Standard deviations below its usual rate from which a connector fails: a handful of attempts on one that does little must
/// not make a single outage a wide one.
const STANDARD_DEVIATIONS: f64 = 3.0;

/// So long after the last window that could be judged routing is as usual again. Few payments are risked by that, and a
/// window that can be judged and is as bad enters it again.
const QUIET: Duration = Duration::from_mins(10);

/// How much fails, and how widely.
struct Breadth {
    rate: f64,
    usual: f64,
    attempts: u64,
    failing: usize,
    judged: usize,
}

/// Judges the latest window; a sentence where routing becomes conservative, or no longer is.
pub(crate) fn judge(monitor: &Monitor, view: &mut RoutingView) -> Option<String> {
    if !view.settings().adoption.conservative {
        return None;
    }
    let (breadth, is_cautious) = (breadth(monitor, view), view.adoption().cautious.is_some());
    match breadth {
        Some(breadth) if is_cautious => leave(&breadth, view),
        Some(breadth) => enter(&breadth, view),
        None => leave_quiet(view),
    }
}

fn enter(breadth: &Breadth, view: &mut RoutingView) -> Option<String> {
    let wide = breadth.failing >= 2 && 2 * breadth.failing >= breadth.judged;
    if breadth.drop() < view.settings().adoption.conservative_drop || !wide {
        return None;
    }
    let sentence = breadth.sentence(view.settings().detection.window_s);
    let told = format!("routing is conservative: {sentence}; nothing is explored, only rules and proven connectors are used");
    let since = view.at();
    *view.cautious_mut() = Some(Cautious { since, sentence, well_since: None, quiet_since: None });
    Some(told)
}

/// Leaves it where the rate has been back for a while.
fn leave(breadth: &Breadth, view: &mut RoutingView) -> Option<String> {
    let (at, adoption) = (view.at(), &view.settings().adoption);
    let (calm, well) = (Duration::from_secs(adoption.conservative_calm_s), adoption.conservative_drop / 2.0);
    let cautious = view.cautious_mut().as_mut()?;
    cautious.quiet_since = None;
    if breadth.drop() > well {
        cautious.well_since = None;
        return None;
    }
    let well_since = *cautious.well_since.get_or_insert(at);
    (at.since(well_since) >= calm).then(|| end(view, &format!("attempt rate {:.0} %", 100.0 * breadth.rate))).flatten()
}

/// Leaves it where too little has been attempted for long.
fn leave_quiet(view: &mut RoutingView) -> Option<String> {
    let at = view.at();
    let cautious = view.cautious_mut().as_mut()?;
    let quiet_since = *cautious.quiet_since.get_or_insert(at);
    let told = || format!("too little was attempted for {} min to tell how it is", QUIET.as_secs() / 60);
    (at.since(quiet_since) >= QUIET).then(|| end(view, &told())).flatten()
}

fn end(view: &mut RoutingView, why: &str) -> Option<String> {
    let at = view.at();
    let cautious = view.cautious_mut().take()?;
    Some(format!("routing is as usual again after {} min: {why}", at.since(cautious.since).as_secs() / 60))
}

/// None where too little is known, of now or of what is usual.
fn breadth(monitor: &Monitor, view: &RoutingView) -> Option<Breadth> {
    let detection = &view.settings().detection;
    let measured = |watched: &Watched| {
        let sums = watched.window.sums(view.at(), detection.window_s);
        let rate = rate_of(&sums).filter(|_| sums.judged() >= detection.min_attempts)?;
        Some((rate, watched.baseline.rate()?, sums.judged()))
    };
    let (rate, usual, attempts) = measured(monitor.get(Slice::All)?)?;
    let connectors = monitor.range(Slice::Connector(0)..=Slice::Connector(u32::MAX));
    let (mut failing, mut judged) = (0, 0);
    for (rate, usual, attempts) in connectors.filter_map(|(_, watched)| measured(watched)) {
        judged += 1;
        failing += usize::from(usual - rate >= detection.min_drop.max(by_chance(usual, attempts)));
    }
    Some(Breadth { rate, usual, attempts, failing, judged })
}

/// The drop of a rate over so many attempts that chance alone brings once in a thousand windows.
fn by_chance(usual: f64, attempts: u64) -> f64 {
    STANDARD_DEVIATIONS * (usual * (1.0 - usual) / as_f64(attempts.max(1))).sqrt()
}

impl Breadth {
    /// How far the rate is below what is usual.
    fn drop(&self) -> f64 {
        self.usual - self.rate
    }

    fn sentence(&self, window_s: u64) -> String {
        let Self { rate, usual, attempts, failing, judged } = self;
        format!(
            "{:.0} % of {attempts} attempts approved in {window_s} s, usual {:.0} %, {failing} of {judged} connectors fail",
            100.0 * rate,
            100.0 * usual
        )
    }
}
