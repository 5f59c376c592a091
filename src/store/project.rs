//! What each row of the tables says of an entry, an incident or an action.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Row;
use super::table::{ANOMALY_RECORDS, AUTONOMOUS_DECISIONS, HEALING_ACTIONS, PAYMENT_EVENTS, ROUTING_DECISIONS, Table};
use super::value::{Named, Value, clipped, int, json, maybe_int, maybe_text, maybe_time, owned, text, time, unsigned, uuid};
use crate::domain::{Approach, Change, Country, Decision, Exclusion, Method, Network, PaymentEvent, PaymentId, Position, Time};
use crate::engine::snapshot::{ActionRow, ActionStatus, IncidentRow, Severity};

/// One routing decision in so many is an autonomous decision too: enough to see what goes on, at 1 % of the space.
const SAMPLED: u64 = 100;

/// What decides routes: the model State learns by itself. A published model will bring its own version.
const ONLINE_MODEL: &str = "online";

/// What proposes actions.
const RULES: &str = "rules";

/// A table, and the rows that go into it.
pub(super) type Rows<'a> = (&'static Table, Vec<Vec<Value<'a>>>);

/// Rows for each table. Of several about one incident or action the newest stands for all.
pub(super) fn tables<'a>(rows: impl Iterator<Item = &'a Row>) -> [Rows<'a>; 5] {
    let (mut events, mut routes, mut autonomous) = (Vec::new(), Vec::new(), Vec::new());
    let (mut incidents, mut actions) = (BTreeMap::new(), BTreeMap::new());
    for row in rows {
        match row {
            Row::Payment { position, at, event } => events.push(payment_event(*position, *at, event)),
            Row::Decision { position, at, decision } => {
                routes.push(routing_decision(*position, *at, decision));
                if is_sampled(&decision.request.payment) {
                    autonomous.push(sampled_decision(*position, *at, decision));
                }
            }
            Row::Incident { position, row } => newest(&mut incidents, row.id, *position, row.as_ref()),
            Row::Action { position, row } => newest(&mut actions, row.id, *position, row.as_ref()),
        }
    }
    autonomous.extend(actions.values().map(|(position, row)| autonomous_action(*position, row)));
    let anomalies = incidents.values().map(|(position, row)| anomaly_record(*position, row)).collect();
    let healing = actions.values().map(|(position, row)| healing_action(*position, row)).collect();
    [
        (&PAYMENT_EVENTS, events),
        (&ROUTING_DECISIONS, routes),
        (&AUTONOMOUS_DECISIONS, autonomous),
        (&ANOMALY_RECORDS, anomalies),
        (&HEALING_ACTIONS, healing),
    ]
}

fn newest<'a, I: Ord, R>(held: &mut BTreeMap<I, (Position, &'a R)>, id: I, position: Position, row: &'a R) {
    let known = held.entry(id).or_insert((position, row));
    if position >= known.0 {
        *known = (position, row);
    }
}

fn payment_event(position: Position, at: Time, event: &PaymentEvent) -> Vec<Value<'_>> {
    let PaymentEvent { context, decline, amount, .. } = event;
    vec![
        unsigned(position.record),
        int(position.index),
        time(at),
        time(event.occurred_at),
        text(event.source.as_str()),
        maybe_text(event.event_id.as_ref().map(AsRef::as_ref)),
        text(event.profile.as_str()),
        text(event.payment.as_str()),
        maybe_int(event.attempt),
        maybe_text(event.account.as_ref().map(AsRef::as_ref)),
        text(event.kind.as_str()),
        maybe_text(decline.as_ref().map(|decline| decline.class.as_str())),
        maybe_text(decline.as_ref().map(|decline| decline.code.as_str())),
        maybe_int(amount.map(|amount| amount.minor)),
        maybe_text(amount.as_ref().map(|amount| amount.currency.code())),
        maybe_text(context.method.map(Method::as_str)),
        maybe_text(context.network.map(Network::as_str)),
        maybe_text(context.country.as_ref().map(Country::code)),
        Value::Text(context.bin.map(|bin| bin.to_string().into())),
        maybe_int(event.latency_ms),
    ]
}

fn routing_decision(position: Position, at: Time, decision: &Decision) -> Vec<Value<'_>> {
    let (request, chosen) = (&decision.request, decision.chosen());
    vec![
        unsigned(position.record),
        int(position.index),
        time(at),
        text(request.profile.as_str()),
        text(request.payment.as_str()),
        int(request.attempt),
        text(chosen.account.as_str()),
        text(approach(decision.approach)),
        Value::Real(chosen.expected),
        Value::Real(decision.confidence),
        Value::Real(decision.propensity),
        json(&Alternatives::of(decision)),
    ]
}

/// What the compact row keeps of a decision's candidates; the log keeps all.
#[derive(Serialize)]
struct Alternatives<'a> {
    view: String,
    candidates: Vec<(&'a str, f64, Option<&'static str>)>,
}

impl<'a> Alternatives<'a> {
    fn of(decision: &'a Decision) -> Self {
        let candidates = decision
            .candidates
            .iter()
            // Four digits tell any two accounts apart that differ by more than noise.
            .map(|one| (one.account.as_str(), (one.expected * 1e4).round() / 1e4, one.excluded.map(Exclusion::as_str)))
            .collect();
        Self { view: decision.view.to_string(), candidates }
    }
}

fn is_sampled(payment: &PaymentId) -> bool {
    let [a, b, c, d, ..] = *blake3::hash(payment.as_str().as_bytes()).as_bytes();
    u64::from(u32::from_le_bytes([a, b, c, d])).is_multiple_of(SAMPLED)
}

fn sampled_decision(position: Position, at: Time, decision: &Decision) -> Vec<Value<'_>> {
    vec![
        uuid(Named::Decision(position)),
        owned(format!("routing.{}", approach(decision.approach))),
        Value::Real(decision.confidence),
        Value::Bool(true),
        text(ONLINE_MODEL),
        text(decision.request.payment.as_str()),
        time(at),
        json(decision),
        unsigned(position.record),
        int(position.index),
    ]
}

fn autonomous_action(position: Position, row: &ActionRow) -> Vec<Value<'static>> {
    vec![
        uuid(Named::Action(row.id.0)),
        owned(format!("{}.{}", row.class.as_str(), row.change.name())),
        Value::Real(row.confidence),
        Value::Bool(was_set_in_motion(row.status)),
        text(RULES),
        clipped(&target(&row.change), 128),
        time(row.proposed_at),
        json(row),
        unsigned(position.record),
        int(position.index),
    ]
}

fn anomaly_record(position: Position, row: &IncidentRow) -> Vec<Value<'_>> {
    vec![
        uuid(Named::Incident(row.id.0)),
        text(row.kind.as_str()),
        Value::Real(surprise(row.evidence.probability)),
        text(if row.resolved_at.is_some() { "resolved" } else { "open" }),
        Value::Texts(row.actions.iter().map(ToString::to_string).collect()),
        text(&row.slice),
        text(severity(row.severity)),
        time(row.detected_at),
        maybe_time(row.resolved_at),
        text(&row.sentence),
        json(&row.evidence),
        unsigned(position.record),
        int(position.index),
    ]
}

fn healing_action(position: Position, row: &ActionRow) -> Vec<Value<'_>> {
    vec![
        uuid(Named::Action(row.id.0)),
        text(row.change.name()),
        clipped(&target(&row.change), 128),
        text(row.status.as_str()),
        Value::Int(row.recovery_time_ms.and_then(|span| i64::try_from(span).ok())),
        time(row.proposed_at),
        maybe_text(decided_by(row)),
        int(row.version),
        json(row),
        unsigned(position.record),
        int(position.index),
    ]
}

/// How surprising an observation is: −log₁₀ of its probability, 0 to 300 (where doubles end).
fn surprise(probability: f64) -> f64 {
    -libm::log10(probability.clamp(1e-300, 1.0))
}

/// The first person in its history; `apos` where it went on without one.
fn decided_by(row: &ActionRow) -> Option<&str> {
    let person = row.history.iter().map(|line| line.who.as_str()).find(|who| *who != "apos");
    person.or_else(|| was_set_in_motion(row.status).then_some("apos"))
}

const fn was_set_in_motion(status: ActionStatus) -> bool {
    match status {
        ActionStatus::InProgress | ActionStatus::Succeeded | ActionStatus::Failed | ActionStatus::RolledBack => true,
        ActionStatus::Pending | ActionStatus::Rejected | ActionStatus::Expired => false,
    }
}

fn target(change: &Change) -> String {
    match change {
        Change::ReorderPriority { moves } => match &moves[..] {
            [only] => only.profile.to_string(),
            several => format!("{} merchants", several.len()),
        },
        Change::ExcludeAccount { account } | Change::RestoreAccount { account } => account.to_string(),
        Change::Scale { .. } => "instances".to_owned(),
        Change::SetArm { experiment, arm, .. } => format!("{experiment}/{arm}"),
    }
}

const fn approach(approach: Approach) -> &'static str {
    match approach {
        Approach::Single => "single",
        Approach::Priority => "priority",
        Approach::Bandit => "bandit",
        Approach::Uniform => "uniform",
        Approach::Probe => "probe",
        Approach::LeastBad => "least_bad",
        Approach::Rule(_) => "rule",
        Approach::StepUp => "step_up",
        Approach::Static => "static",
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}
