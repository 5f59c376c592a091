//! Snapshots built by hand, as the engine gives them: what a night looks like.

use std::sync::Arc;
use std::time::Duration;

use apos::domain::change::ArmState;
use apos::domain::decision::{Cost, LatencyStep, Note, Weighed};
use apos::domain::model::{Metrics, Window};
use apos::domain::settings::{ArmPolicy, Levels};
use apos::domain::{
    ActionClass, ActionId, Approach, Candidate, Change, ConnectorName, Context, Country, Currency, Decision, Exclusion,
    IncidentId, Method, Money, Network, PaymentId, Position, PriorityMove, Request, ResourceSample, Time,
};
use apos::engine::Snapshot;
use apos::engine::snapshot::{
    AccountRow, Accuracy, ActionRow, ActionStatus, AdoptionView, AggregateRow, Analytics, AnomalyType, ArmRow, AtRisk,
    BlastRadius, BreakerState, CalibrationRow, ConnectorRow, Conservative, Estimate, EventClass, EventRow, Evidence,
    ExperimentRow, ExperimentState, Header, Health, Hindsight, HistoryRow, IncidentRow, KillSwitch, LearningView,
    MerchantAdoptionRow, MerchantRow, ModelRow, ModelStatus, Prediction, SPARK_BUCKETS, ScalingView, Severity, ShadowReport,
    ShadowRow, ShadowSum, Shadows, UnknownCode,
};

use crate::support::plain::{account, eur, profile};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn now() -> Time {
    Time::parse_rfc3339("2026-08-13T03:14:07Z").unwrap()
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::parse("USD").unwrap())
}

pub(crate) fn action_id() -> ActionId {
    ActionId(12)
}

fn incident_id() -> IncidentId {
    IncidentId(7)
}

/// The buckets of a sparkline.
fn seconds() -> impl Iterator<Item = u16> {
    0..u16::try_from(SPARK_BUCKETS).unwrap()
}

/// A series that wavers around a rate without any entropy.
fn wavering(rate: f32, seed: u16) -> Vec<Option<f32>> {
    seconds()
        .map(|i| {
            let wave = f32::from((i * 7 + seed * 13) % 11) / 11.0 - 0.5;
            Some((rate + wave * 0.16).clamp(0.0, 1.0))
        })
        .collect()
}

/// A series that falls at its 30th second.
fn falling(rate: f32, to: f32) -> Vec<Option<f32>> {
    let mut series = wavering(rate, 3);
    for (i, value) in seconds().zip(&mut series).skip(30) {
        *value = Some((to + f32::from((i * 5) % 7) / 90.0).min(rate));
    }
    series
}

struct Does {
    name: &'static str,
    health: Health,
    rate: f32,
    attempts: u64,
    share: f64,
    latency_ms: f64,
}

fn connector(does: &Does, seed: u16) -> ConnectorRow {
    let accounts = (1..=3).map(|i| AccountRow {
        account: account(&format!("{}:mca_{i}", does.name)),
        breaker: if does.health == Health::Down && i == 1 { BreakerState::Open } else { BreakerState::Closed },
        breaker_reason: (does.health == Health::Down && i == 1).then(|| "5 gateway failures in a row".into()),
        excluded: false,
        maintenance_until: None,
        consecutive_failures: if does.health == Health::Down { 5 } else { 0 },
        probe_successes: 0,
        attempts: does.attempts * 20,
        approved: does.attempts * 18,
    });
    let per_second = u32::try_from(does.attempts / 60).unwrap();
    ConnectorRow {
        name: ConnectorName::parse(does.name).unwrap(),
        health: does.health,
        attempt_rate: (does.attempts > 0).then_some(f64::from(does.rate)),
        attempts: does.attempts,
        baseline_rate: Some(0.91),
        latency_ms: (does.attempts > 0).then_some(does.latency_ms),
        share: does.share,
        pending: per_second,
        rate_spark: if does.attempts == 0 {
            vec![None; SPARK_BUCKETS]
        } else if does.health == Health::Down {
            falling(0.92, 0.08)
        } else {
            wavering(does.rate, seed)
        },
        volume_spark: seconds().map(|i| per_second * u32::from(4 + (i * 3 + seed) % 5) / 6).collect(),
        accounts: accounts.collect(),
        maintenance: vec![],
    }
}

fn aggregate(key: &str, attempts: u64, latency_ms: f64) -> AggregateRow {
    AggregateRow {
        key: key.into(),
        attempts,
        approved: attempts * 91 / 100,
        declined: attempts * 7 / 100,
        technical: attempts * 2 / 100,
        latency_ms: Some(latency_ms),
        amount: vec![eur(i64::try_from(attempts).unwrap() * 5_210), usd(i64::try_from(attempts).unwrap() * 1_870)],
    }
}

/// A decision by expected value: adyen would succeed more often, checkout is cheaper.
pub(super) fn decision(payment: &str, at: Time) -> Decision {
    let names = ["checkout:mca_1", "adyen:mca_1", "stripe:mca_1", "worldpay:mca_1"];
    let expected = [0.906, 0.914, 0.881, 0.842];
    let reasons = [None, None, Some(Exclusion::Maintenance), Some(Exclusion::Network)];
    let candidate = |((name, expected), excluded)| Candidate {
        account: account(name),
        excluded,
        expected,
        spread: 0.21,
        bonus: 0.094,
        pending: 2,
        evidence: 1_240.0,
        folded: None,
    };
    let cost = |fee, log_ms| Cost { fee, latency: LatencyStep::of_log_ms(log_ms) };
    let weighed = Weighed {
        margin_percent: 20.0,
        cost_weight: 1.0,
        latency_percent_per_s: 0.05,
        by_success: 1,
        costs: vec![cost(42.0, 5.3), cost(98.0, 5.5), cost(116.0, 5.4), cost(120.0, 6.4)],
    };
    Decision {
        request: Request {
            profile: profile("pro_northwind"),
            payment: PaymentId::parse(payment).unwrap(),
            attempt: 1,
            amount: eur(6_540),
            context: Context {
                method: Some(Method::Card),
                network: Some(Network::Visa),
                country: Country::parse("DE").ok(),
                ..Context::default()
            },
            eligible: names.iter().map(|name| account(name)).collect(),
        },
        decided_at: Some(at),
        view: Position { record: 1_999, index: 4 },
        chosen: 0,
        approach: Approach::Bandit,
        candidates: names.into_iter().zip(expected).zip(reasons).map(candidate).collect(),
        propensity: 0.995,
        confidence: 0.71,
        notes: vec![Note::Objective(weighed)],
    }
}

fn events() -> Vec<EventRow> {
    let lines = [
        (EventClass::Approved, "pay_01J8 stripe EUR 65.40 card"),
        (EventClass::Declined, "pay_01J9 checkout EUR 18.00 card insufficient_funds"),
        (EventClass::Technical, "pay_01JA adyen USD 240.00 card gateway time-out"),
        (EventClass::Payment, "pay_01JB stripe EUR 12.99 wallet started"),
        (EventClass::Approved, "pay_01JC checkout EUR 310.00 card"),
    ];
    (0..60_u32)
        .map(|i| {
            let (class, text) = lines[(i as usize * 3) % lines.len()];
            let at = now() - s(u64::from(60 - i) / 3);
            let position = Position { record: u64::from(2_000 + i), index: 0 };
            let payment = text.split(' ').next().unwrap();
            EventRow { position, at, class, text: text.into(), decision: Some(Arc::new(decision(payment, at))) }
        })
        .collect()
}

fn model(version: u32, status: ModelStatus) -> ModelRow {
    ModelRow {
        version,
        status,
        hash: "6f0b9d2c41aa".into(),
        algorithm: "random_forest".into(),
        published_at: now() - s(4_000),
        accepted_at: (status != ModelStatus::OnTrial).then(|| now() - s(3_120)),
        ended_at: None,
        verdict: None,
        window: Window { from: now() - s(90_000), to: now() - s(4_020), outcomes: 50_000 },
        features: vec!["connector".into(), "connector × amount".into()],
        metrics: Metrics { tested: 10_000, brier: 0.0791, brier_without: 0.0803, changed: 0.0004 },
        cells: 412,
        connectors: 4,
        bytes: 6_180,
        weight: if status == ModelStatus::OutOfForce { 0.0 } else { 0.84 },
        outcomes: 12_400,
        told: 11_800,
        brier: Some(0.0791),
        brier_without: Some(0.0803),
        brier_in_place: Some(0.0797),
        brier_drift: Some(-0.0009),
        psi: Some((0.04, "country".into())),
    }
}

/// A model is in force, the next one is on trial.
pub(crate) fn modelled() -> Snapshot {
    let bin = |from: f64, outcomes, approved| CalibrationRow { from, outcomes, shown: from + 0.05, approved };
    let learning = LearningView {
        enabled: true,
        alert: None,
        outcomes: 50_000,
        next_training: Some(now() + s(11_520)),
        champion: Some(model(3, ModelStatus::InForce)),
        challenger: Some(ModelRow { outcomes: 812, ..model(4, ModelStatus::OnTrial) }),
        past: vec![
            ModelRow {
                verdict: Some("turned down: Brier 0.08020 against 0.08010 in place".into()),
                ..model(1, ModelStatus::Over)
            },
            ModelRow { verdict: Some("model 3 is better".into()), ..model(2, ModelStatus::Over) },
        ],
        calibration: vec![bin(0.5, 120, 0.525), bin(0.7, 1_810, 0.744), bin(0.8, 6_400, 0.857), bin(0.9, 9_100, 0.946)],
        calibration_error: Some(0.0062),
        accuracy: Accuracy { counts: Accuracy::COUNTS, no_better: 310, better: 530, untried: 8_520, share: Some(0.369) },
        confidence: [0, 3, 12, 80, 210, 640, 1_020, 1_800, 3_100, 6_240],
    };
    Snapshot { learning, ..calm() }
}

/// The model in force has failed.
pub(crate) fn model_failed() -> Snapshot {
    let learning = LearningView {
        alert: Some("model 3 is out of force: expectations are worse with it than without it".into()),
        champion: Some(model(3, ModelStatus::OutOfForce)),
        challenger: None,
        next_training: Some(now() + s(540)),
        ..modelled().learning
    };
    Snapshot { learning, ..calm() }
}

/// Nothing is wrong.
pub(crate) fn calm() -> Snapshot {
    let does = |name, health, rate, attempts, share, latency_ms| Does { name, health, rate, attempts, share, latency_ms };
    let connectors = [
        does("adyen", Health::Healthy, 0.92, 861, 0.29, 241.0),
        does("checkout", Health::Healthy, 0.90, 640, 0.21, 198.0),
        does("cybersource", Health::Quiet, 0.0, 0, 0.0, 0.0),
        does("stripe", Health::Healthy, 0.93, 1_480, 0.50, 212.0),
    ];
    Snapshot {
        position: Position { record: 1_302, index: 7 },
        at: now(),
        epoch: 1,
        header: Header {
            payments_per_s: 50.2,
            attempt_rate: Some(0.918),
            attempts: 2_981,
            baseline_rate: Some(0.912),
            at_risk: AtRisk { total: Some(eur(0)), rates_dated: "2026-08-12".into(), by_currency: vec![] },
            autonomy: Some(Levels::default()),
            ..Header::default()
        },
        connectors: connectors.iter().zip(0..).map(|(does, seed)| connector(does, seed)).collect(),
        scaling: ScalingView {
            sample: Some(ResourceSample { cpu_percent: 41.2, memory_percent: 52.0, queue_depth: 3, instances: 2 }),
            sampled_at: Some(now()),
            simulated: true,
            limits: (1, 8),
            cooldown_until: None,
            verdict: "hold: cpu 41 % (up > 75, down < 30)".into(),
            history: vec![HistoryRow { at: now() - s(5_400), who: "alice".into(), what: "1 → 2 simulated instances".into() }],
        },
        events: events(),
        analytics: Analytics {
            since: Time::parse_rfc3339("2026-08-13T00:00:00Z").unwrap(),
            connectors: ["adyen", "checkout", "stripe"].iter().zip(1..).map(|(k, i)| aggregate(k, 21_480 / i, 220.0)).collect(),
            methods: ["card", "wallet", "bank_redirect"]
                .iter()
                .zip(1..)
                .map(|(k, i)| aggregate(k, 40_112 / i / i, 230.0))
                .collect(),
            merchants: (1..=12).map(|i| aggregate(&format!("pro_merchant_{i:02}"), 9_000 / i, 225.0)).collect(),
            currencies: vec![],
            unknown_codes: [("adyen", "47", 31), ("stripe", "no_such_code", 4)]
                .map(|(connector, code, attempts)| UnknownCode {
                    connector: connector.into(),
                    code: code.into(),
                    attempts,
                    last: now() - s(95),
                })
                .to_vec(),
            unknown_others: 0,
        },
        merchants: vec![MerchantRow {
            profile: profile("pro_northwind"),
            name: "Northwind".into(),
            priority: vec![account("adyen:mca_1")],
        }],
        ..Snapshot::default()
    }
}

/// Adyen is down: one incident, one proposal that waits, one older action that worked.
pub(crate) fn outage() -> Snapshot {
    let mut snapshot = calm();
    snapshot.connectors[0] = connector(
        &Does { name: "adyen", health: Health::Down, rate: 0.12, attempts: 412, share: 0.17, latency_ms: 2_840.0 },
        0,
    );
    snapshot.header.attempt_rate = Some(0.714);
    snapshot.header.at_risk.total = Some(eur(120_400));
    snapshot.header.open_incidents = 1;
    snapshot.header.pending_actions = 1;
    snapshot.incidents = vec![incident(), resolved()];
    snapshot.actions = vec![pending(), done()];
    snapshot.events.push(EventRow {
        position: Position { record: 2_100, index: 0 },
        at: now(),
        class: EventClass::Engine,
        text: "proposed act-12: put stripe first for 3 pinned merchants".into(),
        decision: None,
    });
    snapshot
}

/// The same after someone approved: the proposal runs.
pub(crate) fn approved() -> Snapshot {
    let mut snapshot = outage();
    snapshot.header.pending_actions = 0;
    let row = &mut snapshot.actions[0];
    (row.status, row.version, row.undoable) = (ActionStatus::InProgress, 2, true);
    row.history.push(HistoryRow { at: now(), who: "bob".into(), what: "approved".into() });
    snapshot
}

/// The outage, with what leaving the repair undone has cost so far.
pub(crate) fn hindsight() -> Snapshot {
    let mut snapshot = outage();
    let estimate = Estimate {
        attempts: 74,
        payments: 61.4,
        payments_range: (52.0, 70.6),
        amount: vec![eur(300_000), usd(121_000)],
        total: Some(eur(412_000)),
        total_range: Some((eur(350_000), eur(474_000))),
        basis: "74 attempts it would have turned: what their decisions expected of the other account, corrected by what went \
                there meanwhile: stripe (25 outcomes)"
            .into(),
        warning: Some("stripe took fewer than 30 attempts meanwhile: the figure rests on the model alone".into()),
    };
    let sum = |repairs, minor: i64| ShadowSum {
        repairs,
        payments: 612.0,
        payments_range: (520.0, 704.0),
        amount: vec![eur(minor)],
        total: Some(eur(minor)),
        total_range: Some((eur(minor / 20 * 17), eur(minor / 20 * 23))),
    };
    let week = Time::parse_rfc3339("2026-08-10T00:00:00Z").unwrap();
    let row = |class, saved, harmed| ShadowRow { week, class, saved, harmed };
    snapshot.hindsights =
        vec![Hindsight { action: action_id(), since: now() - Duration::from_mins(12), until: None, estimate }];
    snapshot.shadows = Shadows {
        week,
        rows: vec![
            row(ActionClass::Priority, sum(3, 4_120_000), sum(1, 30_000)),
            row(ActionClass::Exclusion, sum(1, 90_000), ShadowSum::default()),
        ],
    };
    snapshot
}

/// A merchant tries us in shadow, and another one with a tenth of its payments.
pub(crate) fn adopting() -> Snapshot {
    let mut snapshot = calm();
    let estimate = Estimate {
        attempts: 912,
        payments: 74.2,
        payments_range: (21.0, 127.4),
        total: Some(eur(310_000)),
        total_range: Some((eur(90_000), eur(530_000))),
        ..Estimate::default()
    };
    let report = |merchant: Option<&str>| ShadowReport {
        merchant: merchant.map(profile),
        since: now() - s(86_400),
        until: None,
        attempts: 4_120,
        points: 1.8,
        points_range: (0.5, 3.1),
        estimate: estimate.clone(),
    };
    let apart = |name, dial, shadow| MerchantAdoptionRow { profile: profile(name), dial, shadow };
    snapshot.adoption = AdoptionView {
        dial: 50,
        merchants: vec![apart("pro_lumen", Some(10), None), apart("pro_northwind", None, Some(true))],
        merchants_apart: 2,
        reports: vec![report(None), report(Some("pro_northwind"))],
        ..AdoptionView::default()
    };
    snapshot
}

/// Two experiments: one goes on, of the other an arm was stopped and the split is not as promised.
pub(crate) fn experimenting() -> Snapshot {
    let arm = |name: &str, state, (answered, approved): (u64, u64)| ArmRow {
        name: name.into(),
        policy: ArmPolicy::Engine,
        share: 50.0,
        state,
        assigned: answered + 3,
        answered,
        approved,
        rate: Some(f64::from(u32::try_from(approved).unwrap()) / f64::from(u32::try_from(answered).unwrap())),
        difference: None,
        difference_range: None,
        p: None,
    };
    let judged = |row: ArmRow, difference, range, p| ArmRow {
        difference: Some(difference),
        difference_range: Some(range),
        p: Some(p),
        ..row
    };
    let row = |name: &str, state, arms| ExperimentRow {
        name: name.into(),
        state,
        since: now() - s(90_000),
        start: None,
        end: None,
        merchants: Vec::new(),
        methods: Vec::new(),
        alpha: 0.05,
        split_probability: Some(0.41),
        mismatched: false,
        arms,
    };
    let (running, stopped) = (ArmState::Running, ArmState::Stopped);
    let control = |counts| arm("control", running, counts);
    let less = judged(arm("less", running, (4_098, 3_766)), 0.007, (-0.006, 0.020), 0.412);
    let order = judged(arm("order", stopped, (1_204, 1_011)), -0.062, (-0.091, -0.033), 0.001);
    let less = row("less-exploration", ExperimentState::Running, vec![control((4_120, 3_757)), less]);
    let order = row("order-or-engine", ExperimentState::Stopped, vec![control((1_711, 1_548)), order]);
    Snapshot {
        experiments: vec![
            ExperimentRow { end: Some(now() + s(3 * 86_400)), methods: vec![Method::Card], ..less },
            ExperimentRow { mismatched: true, merchants: vec![profile("pro_lumen")], ..order },
        ],
        ..calm()
    }
}

/// Errors are high and wide, and somebody pulled the kill switch.
pub(crate) fn killed() -> Snapshot {
    let mut snapshot = outage();
    let kill_switch = KillSwitch { since: now() - s(40), by: "kim".into(), reason: "wrong figures".into() };
    let conservative = Conservative { since: now() - s(90), sentence: "52 % of 812 attempts approved".into() };
    snapshot.adoption.kill_switch = Some(kill_switch);
    snapshot.adoption.conservative = Some(conservative);
    snapshot
}

fn evidence() -> Evidence {
    Evidence {
        metric: "attempt rate".into(),
        observed: 0.12,
        baseline: 0.91,
        samples: 83,
        window_s: 30,
        probability: 1e-52,
        at: now() - s(4),
        series: falling(0.92, 0.08),
    }
}

fn incident() -> IncidentRow {
    IncidentRow {
        id: incident_id(),
        kind: AnomalyType::HighFailureRate,
        slice: "connector adyen".into(),
        sentence: "adyen fails: 12 % of 83 judged attempts approved in 30 s, expected 91 %".into(),
        severity: Severity::Critical,
        detected_at: now() - s(130),
        resolved_at: None,
        evidence: evidence(),
        at_risk: vec![eur(98_000), usd(24_600)],
        at_worst: vec![eur(98_000), usd(24_600)],
        at_risk_total: Some(eur(120_778)),
        actions: vec![action_id()],
    }
}

fn resolved() -> IncidentRow {
    IncidentRow {
        id: IncidentId(6),
        kind: AnomalyType::UnusualPattern,
        slice: "connector checkout".into(),
        sentence: "checkout is slow: 1.9 s mean over 210 attempts, expected 198 ms".into(),
        severity: Severity::Warning,
        detected_at: now() - s(4_000),
        resolved_at: Some(now() - s(3_700)),
        evidence: Evidence { metric: "mean latency (ms)".into(), observed: 1_900.0, baseline: 198.0, ..evidence() },
        at_risk: vec![],
        at_worst: vec![],
        at_risk_total: None,
        actions: vec![],
    }
}

fn moves() -> Vec<PriorityMove> {
    ["pro_northwind", "pro_contoso", "pro_fabrikam"]
        .iter()
        .map(|p| PriorityMove {
            profile: profile(p),
            before: vec![account("adyen:mca_1"), account("stripe:mca_1")],
            after: vec![account("stripe:mca_1"), account("adyen:mca_1")],
        })
        .collect()
}

fn pending() -> ActionRow {
    ActionRow {
        id: action_id(),
        version: 1,
        status: ActionStatus::Pending,
        class: ActionClass::Priority,
        change: Change::ReorderPriority { moves: moves() },
        sentence: "Put stripe before adyen in the priority lists of 3 pinned merchants".into(),
        before_after: ["Northwind", "Contoso", "Fabrikam"]
            .iter()
            .map(|m| (format!("{m}: adyen › stripe › checkout"), "stripe › checkout › adyen".into()))
            .collect(),
        incident: Some(incident_id()),
        evidence: Some(evidence()),
        confidence: 0.97,
        confidence_basis:
            "probability that stripe does better than adyen for this traffic, from 1,480 outcomes of the last minute".into(),
        against: vec![
            "stripe costs 0.3 % more a payment than adyen: EUR 3.60 a minute on this traffic".into(),
            "stripe would carry 67 % of all traffic; its highest share so far was 58 %".into(),
        ],
        alternatives: vec![
            "do nothing: the bandit's merchants have moved already; pinned ones go on failing, EUR 1,204 a minute".into(),
            "put checkout first: expected 90 %, 640 outcomes".into(),
            "exclude adyen:mca_1 for everyone".into(),
        ],
        blast: BlastRadius {
            payments_per_min: 412.0,
            amount_per_min: vec![eur(120_400)],
            merchants: moves().into_iter().map(|m| m.profile).collect(),
            methods: vec![Method::Card, Method::Wallet],
            share: 0.14,
        },
        predicted: Prediction {
            rate_now: Some(0.12),
            rate_after: Some(0.93),
            rate_after_range: Some((0.90, 0.95)),
            saved_per_min: vec![eur(97_300)],
            fees_per_min: vec![eur(360)],
            target: "stripe is healthy at 93 % and 212 ms".into(),
        },
        undo: "u puts the three lists back as they were; it never reverts by itself".into(),
        why_asked: "autonomy of priority is approve: a person decides".into(),
        proposed_at: now() - s(28),
        expires_at: now() + s(572),
        executes_by_itself: false,
        undoable: false,
        rests_until: None,
        history: vec![HistoryRow { at: now() - s(28), who: "apos".into(), what: "proposed".into() }],
        verification: None,
        recovery_time_ms: None,
    }
}

fn done() -> ActionRow {
    ActionRow {
        id: ActionId(11),
        version: 3,
        status: ActionStatus::Succeeded,
        class: ActionClass::Exclusion,
        change: Change::ExcludeAccount { account: account("checkout:mca_2") },
        sentence: "Exclude checkout:mca_2 from routing".into(),
        before_after: vec![("checkout:mca_2 takes traffic".into(), "checkout:mca_2 takes probes only".into())],
        incident: None,
        undoable: true,
        rests_until: None,
        proposed_at: now() - s(3_900),
        history: vec![
            HistoryRow { at: now() - s(3_900), who: "apos".into(), what: "proposed".into() },
            HistoryRow { at: now() - s(3_860), who: "alice".into(), what: "approved".into() },
            HistoryRow { at: now() - s(3_800), who: "apos".into(), what: "verified: latency back to 201 ms".into() },
        ],
        verification: Some("mean latency of checkout within 30 s: 201 ms, expected 198 ms".into()),
        ..pending()
    }
}
