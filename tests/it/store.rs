//! One suite for the tables on SQLite and on PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use apos::domain::{ActionClass, ActionId, Change, IncidentId, PaymentId, Position, Time};
use apos::engine::snapshot::{
    ActionRow, ActionStatus, AnomalyType, BlastRadius, Evidence, HistoryRow, IncidentRow, Prediction, Severity,
};
use apos::store::{Counts, Row, StoreError, Tables};
use tempfile::TempDir;

use crate::support::entries::{at, decision, payment, profile};
use crate::support::plain::account;
use crate::support::postgres::database;

/// Tables of the test's own, and where they are.
struct Home {
    tables: Tables,
    url: String,
    _folder: Option<TempDir>,
}

impl Home {
    async fn sqlite() -> Result<Self> {
        let folder = TempDir::with_prefix("apos-tables-")?;
        let file = folder.path().join("tables.db");
        let url = file.display().to_string();
        Self { tables: Tables::sqlite(&file).await?, url, _folder: Some(folder) }.migrated().await
    }

    async fn postgres() -> Result<Self> {
        let url = tokio::task::spawn_blocking(database).await??;
        Self { tables: Tables::postgres(&url).await?, url, _folder: None }.migrated().await
    }

    async fn migrated(self) -> Result<Self> {
        self.tables.migrate().await?;
        Ok(self)
    }

    /// Another handle, as another process would have.
    async fn again(&self) -> Result<Tables, StoreError> {
        match &self.tables {
            Tables::Sqlite(_) => Tables::sqlite(self.url.as_ref()).await,
            Tables::Postgres(_) => Tables::postgres(&self.url).await,
        }
    }
}

macro_rules! on_every_database {
    ($($check:ident),+ $(,)?) => {
        on_every_database!(@ sqlite $($check),+);
        on_every_database!(@ postgres $($check),+);
    };
    (@ $home:ident $($check:ident),+) => {
        mod $home {
            $(#[tokio::test]
            async fn $check() -> anyhow::Result<()> {
                super::$check(super::Home::$home().await?).await
            })+
        }
    };
}

on_every_database! {
    migrating_again_changes_nothing,
    every_row_comes_back_as_it_was_written,
    writing_again_changes_nothing,
    rows_behind_the_cursor_change_nothing,
    an_older_row_never_replaces_a_newer_one,
    an_open_incident_is_followed,
    a_failed_write_leaves_nothing,
    a_large_batch_is_written_whole,
    pruning_keeps_the_audit,
    two_projectors_count_once,
    an_event_has_one_row_however_often_it_is_in_the_log,
}

/// A time with microseconds, so that rounding shows.
fn second(number: i64) -> Time {
    Time::from_micros(1_786_652_670_000_123 + number * 1_000_000)
}

fn event(position: Position) -> Row {
    Row::Payment { position, at: second(1), event: Box::new(payment(position.record)) }
}

fn routed(position: Position, number: u64) -> Row {
    Row::Decision { position, at: second(1), decision: Arc::new(decision(number)) }
}

fn evidence() -> Evidence {
    Evidence {
        metric: "attempt rate".to_owned(),
        observed: 0.12,
        baseline: 0.91,
        samples: 83,
        window_s: 30,
        probability: 1e-12,
        at: second(4),
        series: vec![Some(0.5), None],
    }
}

fn incident(position: Position, resolved_at: Option<Time>) -> Row {
    let row = IncidentRow {
        id: IncidentId(1),
        kind: AnomalyType::HighFailureRate,
        slice: "connector adyen".to_owned(),
        sentence: "adyen fails: 12 % of 83 judged attempts approved in 30 s, expected 91 %".to_owned(),
        severity: Severity::Critical,
        detected_at: second(4),
        resolved_at,
        evidence: evidence(),
        at_risk: Vec::new(),
        at_worst: Vec::new(),
        at_risk_total: None,
        actions: vec![ActionId(1), ActionId(2)],
    };
    Row::Incident { position, row: Box::new(row) }
}

fn line(number: i64, who: &str, what: &str) -> HistoryRow {
    HistoryRow { at: second(number), who: who.to_owned(), what: what.to_owned() }
}

fn action(position: Position, status: ActionStatus, version: u32, history: Vec<HistoryRow>) -> Row {
    let row = ActionRow {
        id: ActionId(1),
        version,
        status,
        class: ActionClass::Exclusion,
        change: Change::ExcludeAccount { account: account("adyen:mca_2") },
        sentence: "Exclude adyen:mca_2".to_owned(),
        before_after: Vec::new(),
        incident: Some(IncidentId(1)),
        evidence: Some(evidence()),
        confidence: 0.875,
        confidence_basis: "83 attempts".to_owned(),
        against: Vec::new(),
        alternatives: vec!["do nothing".to_owned()],
        blast: BlastRadius::default(),
        predicted: Prediction::default(),
        undo: "restore it".to_owned(),
        why_asked: "autonomy is at approve".to_owned(),
        proposed_at: second(5),
        expires_at: second(605),
        executes_by_itself: false,
        undoable: false,
        rests_until: None,
        history,
        verification: None,
        recovery_time_ms: (status == ActionStatus::Succeeded).then_some(7_000),
    };
    Row::Action { position, row: Box::new(row) }
}

fn some_rows() -> Vec<Row> {
    let approved = vec![line(5, "apos", "proposed"), line(9, "maria", "approved"), line(12, "apos", "verified")];
    vec![
        incident(at(1, 0), None),
        action(at(1, 1), ActionStatus::Pending, 1, vec![line(5, "apos", "proposed")]),
        event(at(2, 0)),
        routed(at(2, 1), 1),
        action(at(3, 0), ActionStatus::Succeeded, 3, approved),
    ]
}

async fn counts(tables: &Tables) -> Result<[i64; 5], StoreError> {
    let Counts { autonomous_decisions, anomaly_records, healing_actions, routing_decisions, payment_events } =
        tables.counts().await?;
    Ok([autonomous_decisions, anomaly_records, healing_actions, routing_decisions, payment_events])
}

async fn migrating_again_changes_nothing(home: Home) -> Result<()> {
    home.tables.write(&some_rows(), at(3, 0)).await?;
    let before = counts(&home.tables).await?;
    home.tables.migrate().await?;
    home.again().await?.migrate().await?;
    assert_eq!(counts(&home.tables).await?, before);
    Ok(())
}

async fn every_row_comes_back_as_it_was_written(home: Home) -> Result<()> {
    let tables = &home.tables;
    assert_eq!(tables.cursor().await?, Position::default());
    tables.write(&some_rows(), at(3, 7)).await?;
    assert_eq!(tables.cursor().await?, at(3, 7));

    let anomaly = tables.recent_anomalies(10).await?.pop().context("one anomaly")?;
    assert_eq!((anomaly.anomaly_type.as_str(), anomaly.status.as_str()), ("HighFailureRate", "open"));
    assert_eq!((anomaly.detected_at, anomaly.resolved_at), (second(4), None));
    assert!((anomaly.score - 12.0).abs() < 1e-9, "{}", anomaly.score);
    assert_eq!(anomaly.resolution_actions.0, serde_json::json!(["act-1", "act-2"]));
    assert_eq!(anomaly.evidence.0["samples"], 83);

    let healing = tables.recent_actions(10).await?.pop().context("one action")?;
    assert_eq!((healing.action_type.as_str(), healing.target_entity.as_str()), ("exclude_account", "adyen:mca_2"));
    assert_eq!((healing.status.as_str(), healing.version, healing.position), ("succeeded", 3, at(3, 0)));
    assert_eq!((healing.recovery_time_ms, healing.decided_by.as_deref()), (Some(7_000), Some("maria")));
    assert_eq!(healing.detail.0["blast"]["share"], 0.0);

    let decided = tables.recent_decisions(10).await?.pop().context("the action")?;
    assert_eq!((decided.decision_type.as_str(), decided.executed), ("exclusion.exclude_account", true));
    assert_eq!((decided.at, decided.subject.as_str()), (second(5), "adyen:mca_2"));

    let history = tables.payment(&profile(), &PaymentId::parse("pay_2").map_err(anyhow::Error::msg)?).await?;
    let (event, sent) = (payment(2), history.events.first().context("one event")?);
    assert_eq!((sent.position, sent.at, sent.occurred_at), (at(2, 0), second(1), event.occurred_at));
    assert_eq!((sent.decline_code.as_deref(), sent.amount_minor, sent.attempt), (Some("timeout"), Some(6540), Some(2)));
    assert_eq!((sent.bin.as_deref(), sent.country.as_deref(), sent.latency_ms), (Some("424242"), Some("DE"), Some(412)));
    let history = tables.payment(&profile(), &PaymentId::parse("pay_1").map_err(anyhow::Error::msg)?).await?;
    let routed = history.decisions.first().context("one decision")?;
    assert_eq!((routed.chosen.as_str(), routed.approach.as_str(), routed.position), ("stripe:mca_1", "bandit", at(2, 1)));
    assert_eq!(routed.detail.0["candidates"][1], serde_json::json!(["adyen:mca_2", 0.91, "its circuit breaker is open"]));
    Ok(())
}

async fn writing_again_changes_nothing(home: Home) -> Result<()> {
    let tables = &home.tables;
    // Without a cursor first, so that not it alone stops the repeat.
    tables.write(&some_rows(), Position::default()).await?;
    let all = || async {
        let decisions = tables.recent_decisions(100).await?;
        let anomalies = tables.recent_anomalies(100).await?;
        let actions = tables.recent_actions(100).await?;
        Ok::<_, StoreError>((decisions, anomalies, actions, counts(tables).await?))
    };
    let before = all().await?;
    for cursor in [Position::default(), at(3, 0), at(3, 0)] {
        tables.write(&some_rows(), cursor).await?;
        assert_eq!(all().await?, before);
    }
    assert_eq!(before.3, [1, 1, 1, 1, 1]);
    Ok(())
}

async fn rows_behind_the_cursor_change_nothing(home: Home) -> Result<()> {
    home.tables.write(&[], at(50, 0)).await?;
    home.tables.write(&[event(at(49, 9)), event(at(50, 0)), incident(at(50, 0), None)], at(10, 0)).await?;
    assert_eq!(counts(&home.tables).await?, [0; 5]);
    assert_eq!(home.tables.cursor().await?, at(50, 0), "the cursor never moves back");
    home.tables.write(&[event(at(50, 1))], at(50, 1)).await?;
    assert_eq!(counts(&home.tables).await?, [0, 0, 0, 0, 1]);
    Ok(())
}

async fn an_older_row_never_replaces_a_newer_one(home: Home) -> Result<()> {
    let tables = &home.tables;
    let resolved = second(40);
    // The newest first within a batch; and a batch that is late, with a cursor that lets it in.
    tables.write(&[incident(at(9, 1), Some(resolved)), incident(at(9, 0), None)], at(1, 0)).await?;
    tables.write(&[incident(at(8, 5), None)], at(2, 0)).await?;
    let anomaly = tables.recent_anomalies(10).await?;
    assert_eq!(anomaly.len(), 1);
    assert_eq!((anomaly[0].position, anomaly[0].resolved_at), (at(9, 1), Some(resolved)));
    tables.write(&[incident(at(10, 0), None)], at(3, 0)).await?;
    assert_eq!(tables.recent_anomalies(10).await?[0].position, at(10, 0));
    Ok(())
}

async fn an_open_incident_is_followed(home: Home) -> Result<()> {
    let warned = |position| match incident(position, None) {
        Row::Incident { position, mut row } => {
            row.severity = Severity::Warning;
            "adyen degraded: 88 % of 387 judged attempts approved in 60 s, expected 96 %".clone_into(&mut row.sentence);
            Row::Incident { position, row }
        }
        other => other,
    };
    let tables = &home.tables;
    tables.write(&[warned(at(1, 0))], at(1, 0)).await?;
    // Each is written twice, as after a crash before the cursor was known.
    for _ in 0..2 {
        tables.write(&[warned(at(1, 0)), incident(at(2, 0), None)], at(1, 0)).await?;
        let row = tables.recent_anomalies(10).await?.pop().context("one anomaly")?;
        assert_eq!((row.severity.as_str(), row.status.as_str(), row.position), ("critical", "open", at(2, 0)));
        assert!(row.sentence.starts_with("adyen fails: 12 %"), "{}", row.sentence);
    }
    Ok(())
}

async fn a_failed_write_leaves_nothing(home: Home) -> Result<()> {
    // The last table of a batch refuses it, after the others took theirs.
    let refuse = "ALTER TABLE healing_actions RENAME TO moved_away";
    match &home.tables {
        Tables::Postgres(pool) => sqlx::query(refuse).execute(pool).await.map(drop)?,
        Tables::Sqlite(_) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&home.url);
            let mut file = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await?;
            sqlx::query(refuse).execute(&mut file).await.map(drop)?;
        }
    }
    assert!(home.tables.write(&some_rows(), at(3, 0)).await.is_err());
    assert!(home.tables.recent_anomalies(10).await?.is_empty());
    assert_eq!(home.tables.cursor().await?, Position::default());
    Ok(())
}

async fn a_large_batch_is_written_whole(home: Home) -> Result<()> {
    let payments = 1_000;
    let rows: Vec<Row> = (1..=payments).flat_map(|n| [event(at(n, 0)), routed(at(n, 1), n)]).collect();
    home.tables.write(&rows, at(payments, 1)).await?;
    let [sampled, _, _, decisions, events] = counts(&home.tables).await?;
    assert_eq!((decisions, events), (1_000, 1_000));
    assert!((1..=30).contains(&sampled), "about one in a hundred: {sampled}");
    let sample = home.tables.recent_decisions(1).await?.pop().context("a sampled decision")?;
    assert_eq!(sample.decision_type, "routing.bandit");
    assert_eq!(sample.detail.0["request"]["payment"], sample.subject);
    Ok(())
}

async fn pruning_keeps_the_audit(home: Home) -> Result<()> {
    let tables = &home.tables;
    let mut rows: Vec<Row> = (10..500).flat_map(|n| [event(at(n, 0)), routed(at(n, 1), n)]).collect();
    let late = Row::Payment { position: at(500, 0), at: second(1) + Duration::from_micros(1), event: Box::new(payment(500)) };
    rows.extend(some_rows().into_iter().chain([late]));
    tables.write(&rows, at(500, 0)).await?;
    let [before, ..] = counts(tables).await?;
    let pruned = tables.prune(second(1) + Duration::from_micros(1)).await?;
    let sampled = before - 1;
    assert_eq!(i64::try_from(pruned)?, 491 + 491 + sampled);
    assert!(sampled > 0, "the sample is pruned too");
    assert_eq!(counts(tables).await?, [1, 1, 1, 0, 1]);
    assert_eq!(tables.prune(second(1)).await?, 0);
    Ok(())
}

async fn two_projectors_count_once(home: Home) -> Result<()> {
    let other = home.again().await?;
    let rows: Vec<Row> = (1..=200).map(|n| event(at(n, 0))).collect();
    let (one, two) = tokio::join!(home.tables.write(&rows, at(200, 0)), other.write(&rows, at(200, 0)));
    one?;
    two?;
    assert_eq!(counts(&other).await?, [0, 0, 0, 0, 200]);
    Ok(())
}

async fn an_event_has_one_row_however_often_it_is_in_the_log(home: Home) -> Result<()> {
    let again = |position: Position| match event(at(7, 0)) {
        Row::Payment { at, event, .. } => Row::Payment { position, at, event },
        other => other,
    };
    let tables = &home.tables;
    // In one batch, in a later one, and of another replica whose records are numbered on.
    tables.write(&[again(at(7, 0)), again(at(7, 1)), event(at(8, 0))], at(8, 0)).await?;
    tables.write(&[again(at(9, 0))], at(9, 0)).await?;
    assert_eq!(counts(tables).await?, [0, 0, 0, 0, 2]);
    let Row::Payment { event, .. } = again(at(7, 0)) else { anyhow::bail!("a payment") };
    let history = tables.payment(&event.profile, &event.payment).await?;
    assert_eq!(history.events.iter().map(|row| row.position).collect::<Vec<_>>(), [at(7, 0)], "the first");
    Ok(())
}
