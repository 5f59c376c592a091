//! A trial: one scenario under one seed and one policy, scored against what else could have been done.
//!
//! The same seed gives every policy the same customers, cards and luck, so that what differs is the policy's doing.

mod judge;
mod report;

use std::time::Duration;

use serde::Serialize;

use report::share;
pub use report::{Acted, Held, Noticed, Report, Verdict};

use super::baseline::Baseline;
use super::driver::Driver;
use super::driver::operator::Deciding;
use super::driver::split::Clock;
use super::driver::verdict;
use super::scenario::Scenario;
use super::world::World;
use crate::domain::settings::Learning;
use crate::domain::{Record, Settings, Time};
use crate::engine::learn::{Train, Trainer};
use crate::engine::snapshot::{IncidentRow, LearningView};

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
    /// Measures where the time goes.
    pub clock: Option<Clock>,
    /// Whether to play the same seed under the other policies, and without each action.
    pub compared: bool,
    /// Trains models while it is played; none: routing goes by its own beliefs alone.
    pub trainer: Option<Train>,
}

/// What can be seen of a trial while it runs.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'t> {
    /// A record of its log.
    Record(&'t Record),
    /// So much simulated time has gone by since its start.
    Progress(Duration),
}

impl Trial {
    /// Plays it. `settings` are the engine's but for what belongs to the world; `see` sees every record before it is
    /// folded, and now and then how much simulated time has gone by.
    #[must_use]
    pub fn play(&self, settings: &dyn Fn(&World) -> Settings, see: &mut dyn FnMut(Seen<'_>)) -> Report {
        let mut report = self.blank();
        match self.policy {
            Policy::Priority => self.play_baseline(Baseline::Priority, &mut report),
            Policy::Oracle => self.play_baseline(Baseline::Oracle, &mut report),
            Policy::Bandit | Policy::Healing => self.play_engine(settings, see, &mut report),
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

    fn driver(&self, settings: &dyn Fn(&World) -> Settings, deciding: Deciding, see: &mut dyn FnMut(Seen<'_>)) -> Driver {
        let world = self.world();
        let usual = settings(&world);
        // Whoever brings a trainer wants to see what models do, whether or not they are switched on.
        let learning = Learning { enabled: usual.learning.enabled || self.trainer.is_some(), ..usual.learning };
        let settings = Settings { autonomy: deciding.levels(&usual.autonomy), learning, ..usual };
        Driver::start(world, settings, &mut |record| see(Seen::Record(record))).decided_by(deciding)
    }

    /// Without an engine nothing is detected, and nothing can be expected of it; the other baseline goes beside where the
    /// run is compared.
    fn play_baseline(&self, baseline: Baseline, report: &mut Report) {
        report.take(baseline.play(self.world(), self.end()));
        let own = report.success_rate;
        let rate = |other: Baseline| {
            if other == baseline { own } else { self.compared.then(|| share(other.play(self.world(), self.end()))).flatten() }
        };
        report.priority_success_rate = rate(Baseline::Priority);
        report.oracle_success_rate = rate(Baseline::Oracle);
        report.expectations = self.not_judged(if baseline == Baseline::Priority { "fixed priority" } else { "the oracle" });
    }

    fn play_engine(&self, settings: &dyn Fn(&World) -> Settings, see: &mut dyn FnMut(Seen<'_>), report: &mut Report) {
        // The priority and the oracle need no engine, the bandit is another run: both go beside the main one.
        let bandit = self.compared.then(|| self.driver(settings, Deciding::Observe, &mut |_| {}));
        let mut entries = 0;
        let mut see = |seen: Seen<'_>| {
            if let Seen::Record(record) = seen {
                entries += record.bodies.len() as u64;
            }
            see(seen);
        };
        let mut driver = self.driver(settings, self.deciding(), &mut see);
        if self.compared && self.policy == Policy::Healing {
            driver = driver.forking();
        }
        if let Some(clock) = self.clock {
            driver = driver.timed_by(clock);
        }
        if let Some(train) = self.trainer {
            driver = driver.trained_by(Trainer::new(train));
        }
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
                driver.run_until(now, &mut |record| see(Seen::Record(record)));
                see(Seen::Progress(now.since(self.scenario.start)));
            }
            others.and_then(|others| others.join().ok())
        });
        report.entries = entries;
        report.split = self.clock.map(|_| driver.split());
        report.take(driver.world().tally());
        report.score(&driver);
        if let Some((alone, priority, oracle)) = others {
            report.bandit_success_rate = share(alone.unwrap_or_else(|| driver.world().tally()));
            report.priority_success_rate = share(priority);
            report.oracle_success_rate = share(oracle);
        }
        // While the world warms up nothing is usual yet.
        let since_start = |row: &&IncidentRow| row.detected_at >= self.scenario.start;
        report.incidents = driver.ledger().incidents.values().filter(since_start).map(|row| self.noticed(row)).collect();
        report.false_incidents = report.incidents.iter().filter(|incident| !incident.expected).count();
        report.missed = self.missed(&driver);
        report.actions = acted(&driver, self.end());
        report.expectations = self.judge(report, &driver);
        if self.trainer.is_some() {
            let LearningView { champion, challenger, past, .. } = driver.snapshot().learning;
            report.models = past.into_iter().chain(champion).chain(challenger).collect();
        }
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
            savable: None,
            saved_share: None,
            savable_at_fault: None,
            saved_share_at_fault: None,
            incidents: Vec::new(),
            missed: Vec::new(),
            false_incidents: 0,
            actions: Vec::new(),
            expectations: Vec::new(),
            entries: 0,
            unrouted: 0,
            tables_behind_s: 0.0,
            models: Vec::new(),
            fingerprint: None,
            wall_s: 0.0,
            split: None,
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
}

/// How often progress is told, simulated.
const PROGRESS_EVERY: Duration = Duration::from_mins(1);

fn acted(driver: &Driver, end: Time) -> Vec<Acted> {
    let forks = driver.forks().map(super::driver::forks::Forks::all).unwrap_or_default();
    let expected = driver.score().expected;
    let worse = |action| forks.iter().find(|fork| fork.action == action).map(|fork| fork.made_worse(end, expected));
    let start = driver.world().scenario().start;
    let rows = driver.ledger().actions.values().filter(|row| row.proposed_at >= start);
    rows.map(|row| Acted {
        kind: row.change.name(),
        target: row.sentence.clone(),
        at: row.proposed_at,
        outcome: row.status,
        made_worse: worse(row.id),
    })
    .collect()
}
