//! What is known of one incident: found in the log, and followed from a little before it to its end.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::cli::Failure;
use crate::cli::bar::Bar;
use crate::domain::{ActionId, Body, Currency, Entry, IncidentId, Money, Order, Time};
use crate::engine::snapshot::{ActionRow, Hindsight, HistoryRow, IncidentRow};
use crate::engine::{Effect, State};
use crate::runtime::past::{Player, Progress};

/// What led to an incident is within so much before it was noticed.
const BEFORE: Duration = Duration::from_mins(5);
/// And what came of it within so much after its end.
const AFTER: Duration = Duration::from_mins(2);
/// Entries between two looks at the progress.
const LOOK_EVERY: u64 = 4_096;

/// An incident with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Incident {
    /// As it was told last.
    pub(super) incident: IncidentRow,
    /// The stretch that was looked at: what `apos replay` shows again.
    pub(super) from: Time,
    pub(super) to: Time,
    /// What it cost, by currency: what was at risk a minute, summed over every second it was open.
    pub(super) cost: Vec<Money>,
    /// Where the record begins after the incident was noticed: the cost is from here on alone, and so are the orders.
    pub(super) known_from: Option<Time>,
    /// The actions that answer it.
    pub(super) actions: Vec<ActionRow>,
    /// What those of them that were not executed would have brought.
    pub(super) hindsights: Vec<Hindsight>,
    /// What happened, in order: the incident, its actions, operators' orders.
    pub(super) timeline: Vec<HistoryRow>,
    /// The stretch as a file, where it was exported.
    pub(super) export: Option<String>,
}

/// Finds an incident and follows it.
pub(super) fn gather(player: &mut Player, id: IncidentId) -> Result<Incident, Failure> {
    let found = find(player, id)?;
    let span = player.span();
    let from = (found.detected_at - BEFORE).max(span.from);
    let to = found.resolved_at.map_or(span.to, |over| (over + AFTER).min(span.to));
    let mut followed = Followed::new(id);
    let mut bar = Bar::new("going to the incident");
    player
        .seek(from - Duration::from_micros(1), &mut |progress| bar.see(progress.percent()))
        .context("it cannot be reached")?;
    drop(bar);
    let (mut bar, begun, mut seen) = (Bar::new("following it"), player.state().position().record, 0_u64);
    while let Some((entry, _)) = player.step(to).context("its stretch cannot be folded")? {
        followed.see(&entry, player.state());
        seen += 1;
        if seen.is_multiple_of(LOOK_EVERY) {
            let done = entry.position.record.saturating_sub(begun);
            bar.see(Progress { done, of: span.last.saturating_sub(begun) }.percent());
        }
    }
    drop(bar);
    let snapshot = player.snapshot();
    let incident = snapshot.incidents.iter().find(|row| row.id == id).cloned().unwrap_or(found);
    let of_it = |action: ActionId| incident.actions.contains(&action);
    let mut actions: Vec<ActionRow> = snapshot.actions.into_iter().filter(|row| of_it(row.id)).collect();
    actions.sort_by_key(|row| row.id);
    let hindsights = snapshot.hindsights.into_iter().filter(|row| of_it(row.action)).collect();
    let (cost, orders) = (followed.cost(), followed.orders);
    let timeline = timeline(&incident, &actions, orders);
    let known_from = (incident.detected_at < span.from).then_some(span.from);
    Ok(Incident { incident, from, to, cost, known_from, actions, hindsights, timeline, export: None })
}

/// The incident, in the state at the end or, where that has forgotten it, by a fold of everything.
fn find(player: &mut Player, id: IncidentId) -> Result<IncidentRow, Failure> {
    let mut bar = Bar::new("looking for it");
    let span = player.span();
    player.seek_record(span.last, &mut |progress| bar.see(progress.percent())).context("the log cannot be folded")?;
    drop(bar);
    if let Some(row) = player.state().incident(id) {
        return Ok(row.clone());
    }
    player.seek_record(span.first - 1, &mut |_| true).context("the log's beginning cannot be reached")?;
    let (mut found, mut bar, mut seen) = (None, Bar::new("looking for it in all of the log"), 0_u64);
    while let Some((entry, asked)) = player.step(span.to).context("the log cannot be folded")? {
        for effect in asked {
            if let Effect::Incident(row) = effect
                && row.id == id
            {
                found = Some(*row);
            }
        }
        if found.as_ref().is_some_and(|row: &IncidentRow| row.resolved_at.is_some()) {
            break;
        }
        seen += 1;
        if seen.is_multiple_of(LOOK_EVERY) {
            bar.see(Progress { done: entry.position.record, of: span.last }.percent());
        }
    }
    drop(bar);
    found.ok_or_else(|| {
        Failure::usage(format!(
            "there is no incident {id} from {} to {}: the dashboard and GET /anomalies name them",
            span.from, span.to
        ))
    })
}

/// What is summed while the stretch is folded.
struct Followed {
    id: IncidentId,
    looked_at: Option<Time>,
    cost: BTreeMap<Currency, f64>,
    orders: Vec<HistoryRow>,
}

impl Followed {
    const fn new(id: IncidentId) -> Self {
        Self { id, looked_at: None, cost: BTreeMap::new(), orders: Vec::new() }
    }

    fn see(&mut self, entry: &Entry, state: &State) {
        match &entry.body {
            Body::Ticked => self.look(entry.at, state),
            Body::Commanded(command) => {
                if let Order::SetAutonomy { class, level } = &command.order {
                    let class = class.map_or("everything", crate::domain::ActionClass::as_str);
                    let what = format!("set autonomy for {class} to `{level}`");
                    self.orders.push(HistoryRow { at: entry.at, who: command.operator.as_str().to_owned(), what });
                }
            }
            _ => {}
        }
    }

    /// Sums what was at risk since the last look.
    fn look(&mut self, at: Time, state: &State) {
        let since = self.looked_at.replace(at).map_or(0.0, |last| at.since(last).as_secs_f64());
        let Some(row) = state.incident(self.id).filter(|row| row.resolved_at.is_none()) else { return };
        for money in &row.at_risk {
            *self.cost.entry(money.currency).or_default() += money.major() * since / 60.0;
        }
    }

    fn cost(&self) -> Vec<Money> {
        let money = |(currency, major): (&Currency, &f64)| {
            #[expect(clippy::cast_possible_truncation, reason = "an estimate; saturates")]
            let minor = (major * f64::from(10_u32.pow(currency.exponent()))).round() as i64;
            Money::new(minor, *currency)
        };
        self.cost.iter().map(money).filter(|money| money.minor != 0).collect()
    }
}

/// All of it, in order.
fn timeline(incident: &IncidentRow, actions: &[ActionRow], orders: Vec<HistoryRow>) -> Vec<HistoryRow> {
    let row = |at, what: String| HistoryRow { at, who: "apos".to_owned(), what };
    let mut all = vec![row(incident.detected_at, format!("noticed: {} on {}", incident.kind.as_str(), incident.slice))];
    all.extend(incident.resolved_at.map(|at| row(at, "over".to_owned())));
    for action in actions {
        let told = |entry: &HistoryRow| HistoryRow { what: format!("{}: {}", action.id, entry.what), ..entry.clone() };
        all.extend(action.history.iter().map(told));
    }
    all.extend(orders);
    all.sort_by_key(|row| row.at);
    all
}
