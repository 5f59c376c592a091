//! A configuration in a simulated world: what of it counts there, and what does not.

use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;

use crate::config::Config;
use crate::domain::Settings;
use crate::domain::settings::{EXPERIMENTS_MAX, Experiment};
use crate::sim::{Scenario, World};

/// Sections that a simulated world has no use for: its traffic, its switch and its log are its own.
const NOT_USED: [&str; 11] =
    ["seed", "log", "tables", "data", "stream", "hyperswitch", "declines", "api", "webhooks", "connectors", "merchants"];

/// The user's configuration in this world, whose merchants, connectors and seed are its own, and whose switch may be asked or
/// not. Experiments are the world's own and the user's.
pub(in crate::cli) fn within(world: &World, settings: Settings) -> Settings {
    let own = world.settings();
    Settings {
        seed: own.seed,
        fetching: own.fetching,
        connectors: own.connectors,
        merchants: own.merchants,
        experiments: together(own.experiments, &settings.experiments),
        ..settings
    }
}

/// The scenario's experiments, which it is judged by, and as many of the user's as there is room for beside them.
fn together(
    mut own: BTreeMap<CompactString, Experiment>,
    users: &BTreeMap<CompactString, Experiment>,
) -> BTreeMap<CompactString, Experiment> {
    for (name, experiment) in users {
        if own.len() < EXPERIMENTS_MAX && !own.contains_key(name) {
            own.insert(name.clone(), experiment.clone());
        }
    }
    own
}

/// Operator timers run in wall time: at ×10 a proposal must not lapse ten times as fast under somebody reading it.
pub(super) fn in_wall_time(active: Settings, configured: &Settings, speed: f64) -> Settings {
    let stretched = |seconds: u64| Duration::from_secs(seconds).mul_f64(speed.max(1.0)).as_secs();
    let mut settings = active;
    settings.healing.expiry_s = stretched(configured.healing.expiry_s);
    settings.healing.reject_quiet_s = stretched(configured.healing.reject_quiet_s);
    settings.autonomy.veto_delay_s = stretched(configured.autonomy.veto_delay_s);
    settings
}

/// One sentence on what was configured and does not count in this scenario; none where all of it does.
pub(super) fn not_used(config: &Config, scenario: &Scenario) -> Option<String> {
    // Plain data: it always has a TOML form.
    let table = |config: &Config| toml::Table::try_from(config).unwrap_or_default();
    let (configured, usual) = (table(config), table(&Config::default()));
    let differs = |key: &&&str| configured.get(**key) != usual.get(**key);
    let mut keys: Vec<String> = NOT_USED.iter().filter(differs).map(|key| (*key).to_owned()).collect();
    let experiments = together(scenario.experiments.clone(), &config.experiments);
    let left_out = config.experiments.iter().filter(|(name, users)| experiments.get(*name) != Some(*users));
    keys.extend(left_out.map(|(name, _)| format!("experiments.{name}")));
    (!keys.is_empty()).then(|| format!("not used by a simulated world: {}", keys.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    const MINE: &str = "arms = [{ name = \"control\" }, { name = \"less\", exploration = 0.3 }]\n";

    #[test]
    fn experiments_of_the_configuration_run_beside_those_of_the_scenario() {
        let world = World::new(Scenario::named("experiment-guardrail").unwrap(), 1);
        let config = config(&format!("[experiments.mine]\n{MINE}[experiments.how-curious]\n{MINE}"));
        let settings = within(&world, config.settings());
        let names: Vec<&str> = settings.experiments.keys().map(CompactString::as_str).collect();
        assert_eq!(names, ["how-curious", "mine"]);
        assert_eq!(settings.experiments["how-curious"].arms.len(), 3, "the scenario's stands");
        assert_eq!(settings.merchants, world.settings().merchants);
        let told = not_used(&config, world.scenario()).unwrap();
        assert!(told.ends_with(": experiments.how-curious"), "{told}");
    }

    #[test]
    fn there_are_never_more_experiments_than_the_engine_takes() {
        let experiment = config(&format!("[experiments.x]\n{MINE}")).experiments["x"].clone();
        let many = |letter: &str| (10..26).map(|n| (format!("{letter}{n}").into(), experiment.clone())).collect();
        let own: BTreeMap<_, _> = many("own");
        assert_eq!(together(own.clone(), &many("a")), own);
    }

    #[test]
    fn what_a_simulated_world_does_not_use_is_named() {
        let scenario = Scenario::named("calm").unwrap();
        let check = |text: &str, expected: Option<&str>| {
            let told = not_used(&config(text), &scenario);
            let named = told.as_deref().and_then(|told| told.split_once(": ")).map(|(_, keys)| keys);
            assert_eq!(named, expected, "{text}");
        };
        check("", None);
        check("[routing]\nexploration = 0.5\n[learning]\nenabled = true\n[dashboard]\nrole = \"viewer\"\n", None);
        check("seed = 3\n[merchants.pro_1]\n[api]\nworkers = 3\n", Some("seed, api, merchants"));
    }
}
