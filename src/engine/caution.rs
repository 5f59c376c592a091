//! Conservative routing: when errors are high and wide, nothing that is learnt now can be trusted to tell where to go.
//!
//! High: the attempt rate of all traffic is far below what is usual. Wide: so is that of at least half of the connectors, and
//! of two at least; what a single connector does is the breaker's and the bandit's. It is entered at the whole drop and left
//! when the rate has been above half of it for a while, so that it does not flutter.

use core::time::Duration;

use super::detect::{as_f64, rate_of};
use super::monitor::{Monitor, Slice, Watched};
use super::route::{Cautious, RoutingView};

/// Standard deviations below its usual rate from which a connector fails: a handful of attempts on one that does little must
/// not make a single outage a wide one.
const STANDARD_DEVIATIONS: f64 = 3.0;

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
    let settings = view.settings().adoption.clone();
    if !settings.conservative {
        return None;
    }
    let breadth = breadth(monitor, view)?;
    let (at, drop) = (view.at(), breadth.usual - breadth.rate);
    let Some(cautious) = view.cautious_mut() else {
        let wide = breadth.failing >= 2 && 2 * breadth.failing >= breadth.judged;
        if drop < settings.conservative_drop || !wide {
            return None;
        }
        let sentence = breadth.sentence(view.settings().detection.window_s);
        let told =
            format!("routing is conservative: {sentence}; nothing is explored, only rules and proven connectors are used");
        *view.cautious_mut() = Some(Cautious { since: at, sentence, well_since: None });
        return Some(told);
    };
    if drop > settings.conservative_drop / 2.0 {
        cautious.well_since = None;
        return None;
    }
    let well_since = *cautious.well_since.get_or_insert(at);
    if at.since(well_since) < Duration::from_secs(settings.conservative_calm_s) {
        return None;
    }
    let lasted = at.since(cautious.since).as_secs() / 60;
    *view.cautious_mut() = None;
    Some(format!("routing is as usual again after {lasted} min: attempt rate {:.0} %", 100.0 * breadth.rate))
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
    fn sentence(&self, window_s: u64) -> String {
        let Self { rate, usual, attempts, failing, judged } = self;
        format!(
            "{:.0} % of {attempts} attempts approved in {window_s} s, usual {:.0} %, {failing} of {judged} connectors fail",
            100.0 * rate,
            100.0 * usual
        )
    }
}
