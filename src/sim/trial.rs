//! A trial: one scenario under one seed and one policy, scored against what else could have been done.
//!
//! The same seed gives every policy the same customers, cards and luck, so that what differs is the policy's doing.

use std::time::Duration;

use serde::Serialize;

use super::baseline::Baseline;
use super::driver::Driver;
use super::operator::Deciding;
use super::scenario::{Expected, Need, Scenario};
use super::verdict;
use super::world::{Tally, World};
use crate::domain::{Settings, Time};
use crate::engine::snapshot::{ActionStatus, IncidentRow};

/// Below so many savable payments a share of them says more about chance than about us.
const SAVABLE_ENOUGH: f64 = 200.0;

/// Who routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Fixed priority: each merchant's list, whatever happens.
    Priority,
    /// The bandit alone: nothing is proposed or executed.
    Bandit,
    /// The bandit, and healing as the autonomy lets it.
    Healing,
    /// Somebody who knows every probability.
    Oracle,
}

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The world.
    pub scenario: Scenario,
    /// Its seed.
    pub seed: u64,
    /// How long it runs after its start.
    pub span: Duration,
    /// Who routes.
    pub policy: Policy,
    /// Who decides on what healing proposes.
    pub deciding: Deciding,
    /// Whether to play the same seed under the other policies, and without each action.
    pub compared: bool,
}

/// What a trial came to. The same trial gives the same report, but for `wall_s`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Who routed.
    pub policy: Policy,
    /// Who decided.
    pub autonomy: String,
    /// This program's version.
    pub version: &'static str,
    /// The simulated start.
    pub from: Time,
    /// The simulated end.
    pub to: Time,
    /// Payments that arrived.
    pub payments: u64,
    /// Those that succeeded, at their first attempt or at a later one.
    pub succeeded: u64,
    /// Their share.
    pub success_rate: Option<f64>,
    /// The share to be expected of the choices made, for each first and further attempt, luck apart.
    pub expected_success_rate: Option<f64>,
    /// The share that choosing the best account every time comes to, under the same luck.
    pub oracle_success_rate: Option<f64>,
    /// Attempts lost of a thousand, in expectation, against the best account every time.
    pub regret_per_1000: Option<f64>,
    /// The share under fixed priority.
    pub priority_success_rate: Option<f64>,
    /// The share of the bandit alone.
    pub bandit_success_rate: Option<f64>,
    /// Payments that a perfect reaction at the faults' detection saves, against fixed priority, in expectation.
    pub savable: f64,
    /// The share of them that was saved; none where there are fewer than 200.
    pub saved_share: Option<f64>,
    /// The same against a perfect reaction at the faults' start.
    pub savable_at_fault: f64,
    /// Its share.
    pub saved_share_at_fault: Option<f64>,
    /// What was noticed.
    pub incidents: Vec<Noticed>,
    /// Faults that harm payments and that nobody noticed, by number in the file.
    pub missed: Vec<usize>,
    /// Incidents that no fault explains.
    pub false_incidents: usize,
    /// What was proposed, and what became of it.
    pub actions: Vec<Acted>,
    /// What was expected of the engine, and whether it held.
    pub expectations: Vec<Held>,
    /// Log entries.
    pub entries: u64,
    /// Payments that no account was left for.
    pub unrouted: u64,
    /// Hash of the engine's complete state; none without an engine.
    pub fingerprint: Option<String>,
    /// How long it took, seconds, the comparisons included.
    pub wall_s: f64,
}

/// An incident, beside the fault that explains it.
#[derive(Debug, Clone, Serialize)]
pub struct Noticed {
    /// Its kind.
    pub kind: &'static str,
    /// Its slice.
    pub slice: String,
    /// When the fault began that explains it; without one, when it was noticed.
    pub started_at: Time,
    /// How long after the fault's start it was noticed, seconds; none without a fault.
    pub detected_after_s: Option<f64>,
    /// The fault that explains it, by number in the file, from 1.
    pub fault: Option<usize>,
    /// Whether a fault explains it.
    pub expected: bool,
    /// Whether its slice is exactly what the fault hits.
    pub correct_slice: bool,
    /// Its sentence.
    pub sentence: String,
}

/// An action and its outcome.
#[derive(Debug, Clone, Serialize)]
pub struct Acted {
    /// The kind of its change.
    pub kind: &'static str,
    /// What it was to change, in a sentence.
    pub target: String,
    /// When it was proposed.
    pub at: Time,
    /// Its state at the end.
    pub outcome: ActionStatus,
    /// Whether the run came out worse than without it; none when it was never executed, moves no traffic, or was not
    /// compared.
    pub made_worse: Option<bool>,
}

/// An expectation and whether it held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// What was expected, in words.
    pub expectation: String,
    /// Whether it held.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
}

/// Whether an expectation held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It held.
    Met,
    /// It did not.
    Failed,
    /// It waits for a later part of the product.
    NotYet,
}

impl Trial {
    /// Plays it. `settings` are the engine's but for what belongs to the world; `on_entries` hears now and then how
    /// much simulated time has gone by.
    #[must_use]
    pub fn play(&self, settings: &dyn Fn(&World) -> Settings, on_progress: &(dyn Fn(Duration) + Sync)) -> Report {
        let mut report = self.blank();
        match self.policy {
            Policy::Priority => report.take(Baseline::Priority.play(self.world(), self.end())),
            Policy::Oracle => report.take(Baseline::Oracle.play(self.world(), self.end())),
            Policy::Bandit | Policy::Healing => self.play_engine(settings, on_progress, &mut report),
        }
        report
    }

    fn world(&self) -> World {
        World::new(self.scenario.clone(), self.seed)
    }

    fn end(&self) -> Time {
        self.scenario.start + self.span
    }

    /// Who decides: with the bandit alone, nobody.
    const fn deciding(&self) -> Deciding {
        match self.policy {
            Policy::Healing => self.deciding,
            _ => Deciding::Observe,
        }
    }

    fn driver(&self, settings: &dyn Fn(&World) -> Settings, deciding: Deciding) -> Driver {
        let world = self.world();
        let usual = settings(&world);
        let settings = Settings { autonomy: deciding.levels(&usual.autonomy), ..usual };
        Driver::start(world, settings, &mut |_| {}).decided_by(deciding)
    }

    fn play_engine(&self, settings: &dyn Fn(&World) -> Settings, on_progress: &(dyn Fn(Duration) + Sync), report: &mut Report) {
        // The priority and the oracle need no engine, the bandit is another run: both go beside the main one.
        let bandit = self.compared.then(|| self.driver(settings, Deciding::Observe));
        let mut driver = self.driver(settings, self.deciding());
        if self.compared && self.policy == Policy::Healing {
            driver = driver.forking();
        }
        let mut entries = 0;
        let others = std::thread::scope(|scope| {
            let others = bandit.map(|mut bandit| {
                scope.spawn(move || {
                    let alone = (self.policy == Policy::Healing).then(|| {
                        bandit.run_until(self.end(), &mut |_| {});
                        bandit.world().tally()
                    });
                    let priority = Baseline::Priority.play(self.world(), self.end());
                    (alone, priority, Baseline::Oracle.play(self.world(), self.end()))
                })
            });
            let mut now = driver.now();
            while now < self.end() {
                now = self.end().min(now + PROGRESS_EVERY);
                driver.run_until(now, &mut |record| entries += record.bodies.len() as u64);
                on_progress(now.since(self.scenario.start));
            }
            others.and_then(|others| others.join().ok())
        });
        report.entries = entries;
        report.take(driver.world().tally());
        report.score(&driver);
        if let Some((alone, priority, oracle)) = others {
            report.bandit_success_rate = share(alone.unwrap_or_else(|| driver.world().tally()));
            report.priority_success_rate = share(priority);
            report.oracle_success_rate = share(oracle);
        }
        report.incidents = driver.ledger().incidents.values().map(|row| self.noticed(row)).collect();
        report.false_incidents = report.incidents.iter().filter(|incident| !incident.expected).count();
        report.missed = self.missed(&driver);
        report.actions = acted(&driver, self.end());
        report.expectations = self.judge(report, &driver);
        report.fingerprint = Some(driver.state().fingerprint().to_hex().to_string());
    }

    fn blank(&self) -> Report {
        Report {
            scenario: self.scenario.name.clone(),
            seed: self.seed,
            policy: self.policy,
            autonomy: self.deciding().to_string(),
            version: env!("CARGO_PKG_VERSION"),
            from: self.scenario.start,
            to: self.end(),
            payments: 0,
            succeeded: 0,
            success_rate: None,
            expected_success_rate: None,
            oracle_success_rate: None,
            regret_per_1000: None,
            priority_success_rate: None,
            bandit_success_rate: None,
            savable: 0.0,
            saved_share: None,
            savable_at_fault: 0.0,
            saved_share_at_fault: None,
            incidents: Vec::new(),
            missed: Vec::new(),
            false_incidents: 0,
            actions: Vec::new(),
            expectations: Vec::new(),
            entries: 0,
            unrouted: 0,
            fingerprint: None,
            wall_s: 0.0,
        }
    }

    fn noticed(&self, row: &IncidentRow) -> Noticed {
        let fault = verdict::explains(&self.scenario, row);
        let started = fault.map(|fault| self.scenario.start + self.scenario.faults[fault].get_ref().at);
        Noticed {
            kind: row.kind.as_str(),
            slice: row.slice.clone(),
            started_at: started.unwrap_or(row.detected_at),
            detected_after_s: started.map(|started| row.detected_at.since(started).as_secs_f64()),
            fault: fault.map(|fault| fault + 1),
            expected: fault.is_some(),
            correct_slice: fault.is_some_and(|fault| verdict::is_exact(&self.scenario, fault, &row.slice)),
            sentence: row.sentence.clone(),
        }
    }

    /// Faults that had begun by the end, harm payments, and were not noticed.
    fn missed(&self, driver: &Driver) -> Vec<usize> {
        let faults = self.scenario.faults.iter().map(toml::Spanned::get_ref).enumerate();
        let calling = faults.filter(|(_, fault)| verdict::calls_for_attention(fault) && fault.at < self.span);
        calling.filter(|(number, _)| driver.savings().detected_at(*number).is_none()).map(|(number, _)| number + 1).collect()
    }

    fn judge(&self, report: &Report, driver: &Driver) -> Vec<Held> {
        let count = self.scenario.faults.len();
        let expectations = self.scenario.expectations.iter().map(toml::Spanned::get_ref);
        let judged = expectations.filter_map(|expectation| {
            // A scenario that was read holds no other.
            let expected = expectation.expected(count).ok()?;
            Some(self.hold(&expected, expectation.needs, report, driver))
        });
        judged.collect()
    }

    fn hold(&self, expected: &Expected, needs: Option<Need>, report: &Report, driver: &Driver) -> Held {
        let (expectation, met, seen) = match expected {
            Expected::Detected { fault, within, slice } => self.hold_detected(*fault, *within, slice.as_deref(), report),
            Expected::Proposed { fault, change } => self.hold_proposed(*fault, change, driver),
            Expected::SavedShare(least) => {
                let seen = report.saved_share.map_or("too little to save".to_owned(), |share| format!("{share:.3}"));
                let met = report.saved_share.is_some_and(|share| share >= *least);
                (format!("a saved share of at least {least}"), met, seen)
            }
            Expected::SuccessRate(least) => {
                let rate = report.success_rate.unwrap_or(0.0);
                (format!("a success rate of at least {least}"), rate >= *least, format!("{rate:.4}"))
            }
            Expected::FalseIncidents(most) => {
                let unexplained = report.incidents.iter().filter(|incident| !incident.expected);
                let slices: Vec<String> =
                    unexplained.map(|incident| format!("{} on {}", incident.kind, incident.slice)).collect();
                let seen = if slices.is_empty() { "none".to_owned() } else { slices.join(", ") };
                (format!("at most {most} false incidents"), slices.len() <= *most, seen)
            }
        };
        let verdict = match (needs, met) {
            (Some(_), _) => Verdict::NotYet,
            (None, true) => Verdict::Met,
            (None, false) => Verdict::Failed,
        };
        let waits = needs.map(|need| if need == Need::Eyes { " (needs eyes)" } else { " (needs hands)" });
        Held { expectation: expectation + waits.unwrap_or_default(), verdict, seen }
    }

    fn hold_detected(&self, fault: usize, within: Duration, slice: Option<&str>, report: &Report) -> (String, bool, String) {
        let on = slice.map(|slice| format!(" on {slice}")).unwrap_or_default();
        let expectation = format!("fault {} is detected within {} s{on}", fault + 1, within.as_secs());
        let of_it = report.incidents.iter().filter(|incident| incident.fault == Some(fault + 1));
        let fitting = of_it.filter(|incident| slice.is_none_or(|slice| incident.slice == slice));
        let first = fitting.filter_map(|incident| incident.detected_after_s).min_by(f64::total_cmp);
        let met = first.is_some_and(|after| after <= within.as_secs_f64());
        (expectation, met, first.map_or("never".to_owned(), |after| format!("after {after:.1} s")))
    }

    fn hold_proposed(&self, fault: usize, change: &str, driver: &Driver) -> (String, bool, String) {
        let (from, until) = self.scenario.faults.get(fault).map_or((self.end(), self.end()), |fault| {
            let from = self.scenario.start + fault.get_ref().at;
            (from, from + fault.get_ref().lasts)
        });
        let during = driver.ledger().actions.values().filter(|row| from <= row.proposed_at && row.proposed_at <= until);
        let proposed: Vec<&str> = during.map(|row| row.change.name()).collect();
        let seen = if proposed.is_empty() { "nothing".to_owned() } else { proposed.join(", ") };
        (format!("{change} is proposed during fault {}", fault + 1), proposed.contains(&change), seen)
    }
}

/// How often progress is told, simulated.
const PROGRESS_EVERY: Duration = Duration::from_mins(1);

impl Report {
    fn take(&mut self, tally: Tally) {
        (self.payments, self.succeeded, self.success_rate) = (tally.payments, tally.succeeded, share(tally));
    }

    fn score(&mut self, driver: &Driver) {
        let (score, savings) = (driver.score(), driver.savings());
        self.unrouted = score.unrouted;
        self.regret_per_1000 = score.lost_per_thousand();
        self.expected_success_rate = score.expected_rate();
        let (detection, start) = (savings.from_detection(), savings.from_start());
        (self.savable, self.saved_share) = (detection.savable, detection.share(SAVABLE_ENOUGH));
        (self.savable_at_fault, self.saved_share_at_fault) = (start.savable, start.share(SAVABLE_ENOUGH));
    }

    /// Whether no expectation failed.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.expectations.iter().all(|held| held.verdict != Verdict::Failed)
    }
}

fn acted(driver: &Driver, end: Time) -> Vec<Acted> {
    let forks = driver.forks().map(super::forks::Forks::all).unwrap_or_default();
    let expected = driver.score().expected;
    let worse = |action| forks.iter().find(|fork| fork.action == action).map(|fork| fork.made_worse(end, expected));
    let rows = driver.ledger().actions.values();
    rows.map(|row| Acted {
        kind: row.change.name(),
        target: row.sentence.clone(),
        at: row.proposed_at,
        outcome: row.status,
        made_worse: worse(row.id),
    })
    .collect()
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 payments")]
fn share(tally: Tally) -> Option<f64> {
    (tally.payments > 0).then(|| tally.succeeded as f64 / tally.payments as f64)
}
