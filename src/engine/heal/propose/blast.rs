//! Whom a change touches, by what started in the last minute.

use super::Site;
use super::traffic::MEASURED_S;
use crate::domain::ProfileId;
use crate::domain::numbers::as_f64;
use crate::engine::detect::scaled;
use crate::engine::heal::verify::add;
use crate::engine::monitor::{Slice, Watched};
use crate::engine::snapshot::BlastRadius;

/// What is touched by a change that is about a share, 0 to 1, of these merchants' payments.
pub(super) fn of_merchants(merchants: Vec<ProfileId>, share: f64, site: &Site<'_>) -> BlastRadius {
    let numbers = merchants.iter().filter_map(|profile| site.view.profiles.get(profile));
    let touched = of(numbers.map(Slice::Merchant), share, site);
    BlastRadius { merchants, ..touched }
}

/// What is touched by a change of what an experiment does with a share, 0 to 1, of the payments in its scope: of these
/// merchants' payments, or of all where it names none.
pub(crate) fn in_scope(merchants: &[ProfileId], share: f64, site: &Site<'_>) -> BlastRadius {
    if merchants.is_empty() { of([Slice::All], share, site) } else { of_merchants(merchants.to_vec(), share, site) }
}

fn of(slices: impl IntoIterator<Item = Slice>, share: f64, site: &Site<'_>) -> BlastRadius {
    let started = |watched: &Watched| as_f64(watched.window.sums(site.view.at, MEASURED_S).started);
    let mut blast = BlastRadius::default();
    for watched in slices.into_iter().filter_map(|slice| site.monitor.get(slice)) {
        let touched = share * started(watched);
        blast.payments_per_min += touched;
        watched.tickets().for_each(|(part, ticket)| add(&mut blast.amount_per_min, scaled(ticket, part * touched)));
        blast.methods.extend(watched.methods());
    }
    blast.methods.sort_unstable();
    blast.methods.dedup();
    blast.share = blast.payments_per_min / site.monitor.get(Slice::All).map_or(0.0, started).max(1.0);
    blast
}
