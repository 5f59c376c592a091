//! The resource manager: one step up or down, by the rule of the original design, never more often than its cool-down allows.

use core::time::Duration;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::snapshot::{HistoryRow, ScalingView};
use crate::domain::settings::Scaling;
use crate::domain::{Change, ResourceSample, Time};

/// A sample older than this says nothing about now: three intervals of the sampler.
const FRESH: Duration = Duration::from_secs(30);
/// Changes of scale kept for the screen.
const KEPT: usize = 20;

/// What is known of the resources.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Scaler {
    sample: Option<(Time, ResourceSample)>,
    scaled_at: Option<Time>,
    history: VecDeque<HistoryRow>,
}

/// What the rule wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// One instance more.
    Up,
    /// One instance fewer.
    Down,
    /// As it is.
    Hold,
}

/// The rule: up when any is above its limit, down when all are below theirs, within the limits of instances.
pub(crate) fn solve(sample: &ResourceSample, rule: &Scaling) -> Plan {
    let queue = u64::from(sample.queue_depth);
    let instances = u64::from(sample.instances);
    let strained =
        sample.cpu_percent > rule.cpu_up_percent || sample.memory_percent > rule.memory_up_percent || queue > rule.queue_up;
    let idle = sample.cpu_percent < rule.cpu_down_percent
        && sample.memory_percent < rule.memory_down_percent
        && queue < rule.queue_down;
    if strained && instances < rule.max_instances {
        Plan::Up
    } else if idle && instances > rule.min_instances {
        Plan::Down
    } else {
        Plan::Hold
    }
}

impl Scaler {
    /// A sample was taken.
    pub(crate) fn sampled(&mut self, sample: ResourceSample, at: Time) {
        self.sample = Some((at, sample));
    }

    /// The number of instances was changed.
    pub(crate) fn scaled(&mut self, from: u16, to: u16, at: Time) {
        self.scaled_at = Some(at);
        if let Some((_, sample)) = &mut self.sample {
            sample.instances = to;
        }
        self.history.push_back(HistoryRow { at, who: "apos".to_owned(), what: format!("{from} → {to} simulated instances") });
        while self.history.len() > KEPT {
            self.history.pop_front();
        }
    }

    /// Instances, as far as is known.
    pub(crate) fn instances(&self) -> Option<u16> {
        self.sample.map(|(_, sample)| sample.instances)
    }

    /// Instances by a sample that was taken after a time.
    pub(crate) fn instances_since(&self, since: Time) -> Option<u16> {
        self.sample.filter(|(taken, _)| *taken > since).map(|(_, sample)| sample.instances)
    }

    /// The change the rule wants now, if the cool-down has passed.
    pub(crate) fn wanted(&self, rule: &Scaling, at: Time) -> Option<(Change, ResourceSample)> {
        let (_, sample) = self.sample.filter(|(taken, _)| rule.enabled && at.since(*taken) <= FRESH)?;
        if self.cooldown_until(rule).is_some_and(|until| at < until) {
            return None;
        }
        let from = sample.instances;
        let to = match solve(&sample, rule) {
            Plan::Up => from.saturating_add(1),
            Plan::Down => from.saturating_sub(1),
            Plan::Hold => return None,
        };
        Some((Change::Scale { from, to }, sample))
    }

    fn cooldown_until(&self, rule: &Scaling) -> Option<Time> {
        self.scaled_at.map(|at| at + Duration::from_secs(rule.cooldown_s))
    }

    /// What the screen shows.
    pub(crate) fn view(&self, rule: &Scaling, at: Time) -> ScalingView {
        let limit = |n: u64| u16::try_from(n).unwrap_or(u16::MAX);
        ScalingView {
            sample: self.sample.map(|(_, sample)| sample),
            sampled_at: self.sample.map(|(at, _)| at),
            simulated: true,
            limits: (limit(rule.min_instances), limit(rule.max_instances)),
            cooldown_until: self.cooldown_until(rule).filter(|until| at < *until),
            verdict: self.verdict(rule, at),
            history: self.history.iter().cloned().collect(),
        }
    }

    fn verdict(&self, rule: &Scaling, at: Time) -> String {
        if !rule.enabled {
            return "off".to_owned();
        }
        let Some((taken, sample)) = self.sample else { return "no sample yet".to_owned() };
        let age = at.since(taken);
        if age > FRESH {
            return format!("unknown: the last sample is {} s old", age.as_secs());
        }
        let cooling = self.cooldown_until(rule).is_some_and(|until| at < until);
        match solve(&sample, rule) {
            Plan::Hold => "hold: within limits".to_owned(),
            plan => {
                let way = if plan == Plan::Up { "up" } else { "down" };
                if cooling { format!("scale {way} after the cool-down") } else { format!("scale {way}") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_rule_within_its_limits() {
        let rule = Scaling::default();
        let check = |cpu: f64, memory: f64, queue: u32, instances: u16, plan: Plan| {
            let sample = ResourceSample { cpu_percent: cpu, memory_percent: memory, queue_depth: queue, instances };
            assert_eq!(solve(&sample, &rule), plan, "{sample:?}");
        };
        check(76.0, 10.0, 0, 3, Plan::Up);
        check(10.0, 81.0, 0, 3, Plan::Up);
        check(10.0, 10.0, 101, 3, Plan::Up);
        check(75.0, 80.0, 100, 3, Plan::Hold);
        check(29.0, 39.0, 9, 3, Plan::Down);
        check(29.0, 39.0, 10, 3, Plan::Hold);
        check(99.0, 99.0, 999, 10, Plan::Hold);
        check(1.0, 1.0, 0, 2, Plan::Hold);
    }

    #[test]
    fn one_step_and_then_a_pause() {
        let rule = Scaling::default();
        let mut scaler = Scaler::default();
        let (start, later) = (Time::from_secs(1_000), Time::from_secs(1_299));
        scaler.sampled(ResourceSample { cpu_percent: 99.0, memory_percent: 10.0, queue_depth: 0, instances: 2 }, start);
        assert!(matches!(scaler.wanted(&rule, start), Some((Change::Scale { from: 2, to: 3 }, _))));
        scaler.scaled(2, 3, start);
        let again = ResourceSample { cpu_percent: 99.0, memory_percent: 10.0, queue_depth: 0, instances: 3 };
        scaler.sampled(again, later);
        assert!(scaler.wanted(&rule, later).is_none());
        assert!(scaler.wanted(&rule, Time::from_secs(1_300)).is_some());
    }

    #[test]
    fn an_old_sample_asks_for_nothing() {
        let (rule, mut scaler) = (Scaling::default(), Scaler::default());
        let strained = ResourceSample { cpu_percent: 99.0, memory_percent: 10.0, queue_depth: 0, instances: 2 };
        scaler.sampled(strained, Time::from_secs(1_000));
        assert!(scaler.wanted(&rule, Time::from_secs(1_030)).is_some());
        assert!(scaler.wanted(&rule, Time::from_secs(1_031)).is_none());
        assert_eq!(scaler.view(&rule, Time::from_secs(1_031)).verdict, "unknown: the last sample is 31 s old");
    }
}
