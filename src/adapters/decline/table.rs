//! What codes mean: the tables in force, and how one is looked up.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use super::file::{self, Refusal};
use crate::domain::{Country, DeclineClass, Network};

/// The tables this version is built with.
const BUILT_IN: &str = include_str!("../../../config/declines.toml");

/// What a table says of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Whose fault it is.
    Class(DeclineClass),
    /// Known to say nothing: the next vocabulary is asked.
    Nothing,
}

/// Codes and their meanings in one vocabulary.
pub(super) type Meanings = BTreeMap<CompactString, Meaning>;

/// The tables of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Layer {
    pub(super) standardised: Meanings,
    pub(super) unified: Meanings,
    /// By the connector's name.
    pub(super) connectors: BTreeMap<CompactString, Meanings>,
    /// By code.
    pub(super) issuer: BTreeMap<CompactString, Vec<IssuerRule>>,
}

/// What an issuer's code means, for some networks and countries or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IssuerRule {
    /// None: every network.
    pub(super) network: Option<Network>,
    /// None: everywhere, and where the country is not known.
    pub(super) countries: Option<Arc<[Country]>>,
    pub(super) meaning: Meaning,
}

impl IssuerRule {
    fn covers(&self, network: Option<Network>, country: Option<Country>) -> bool {
        let here = |countries: &Arc<[Country]>| country.is_some_and(|country| countries.contains(&country));
        (self.network.is_none() || self.network == network) && self.countries.as_ref().is_none_or(here)
    }

    /// The network tells more than the region.
    const fn specificity(&self) -> (bool, bool) {
        (self.network.is_some(), self.countries.is_some())
    }

    /// Whether one payment could be meant by both, and neither rule is the more specific one.
    pub(super) fn contends(&self, other: &Self) -> bool {
        let shared = match (&self.countries, &other.countries) {
            (Some(mine), Some(theirs)) => mine.iter().any(|country| theirs.contains(country)),
            _ => true,
        };
        self.specificity() == other.specificity() && self.network == other.network && shared
    }
}

/// The tables in force: an operator's, if there is a file, and behind them those the program is built with. The default
/// knows no code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeclineTables {
    /// The first that knows a code decides.
    layers: Vec<Layer>,
}

impl DeclineTables {
    /// Those the program is built with.
    ///
    /// # Errors
    /// What is wrong with `config/declines.toml`; a test sees to it that nothing is.
    pub fn built_in() -> Result<Self, Refusal> {
        Ok(Self { layers: vec![file::parse(BUILT_IN)?.0] })
    }

    /// The built-in ones under an operator's: what these say of a code stands.
    ///
    /// # Errors
    /// The first thing in either file that is refused; see [`Refusal`].
    pub fn overridden_by(text: &str) -> Result<Self, Refusal> {
        let (built_in, regions) = file::parse(BUILT_IN)?;
        let (own, _) = file::parse_with(text, regions)?;
        Ok(Self { layers: vec![own, built_in] })
    }

    /// Hyperswitch's standardised codes; its documents write them in capitals, its events do not.
    pub(super) fn standardised(&self, code: &str) -> Option<Meaning> {
        let code = code.to_ascii_lowercase();
        self.layers.iter().find_map(|layer| layer.standardised.get(code.as_str()).copied())
    }

    /// Hyperswitch's unified codes.
    pub(super) fn unified(&self, code: &str) -> Option<Meaning> {
        let code = code.to_ascii_uppercase();
        self.layers.iter().find_map(|layer| layer.unified.get(code.as_str()).copied())
    }

    /// A connector's own codes.
    pub(super) fn connector(&self, connector: &str, code: &str) -> Option<Meaning> {
        self.layers.iter().find_map(|layer| layer.connectors.get(connector)?.get(code).copied())
    }

    /// An issuer's answer.
    pub(super) fn issuer(&self, code: &str, network: Option<Network>, country: Option<Country>) -> Option<Meaning> {
        let code = issuer_code(code);
        let in_layer = |layer: &Layer| {
            let rules = layer.issuer.get(&code)?.iter().filter(|rule| rule.covers(network, country));
            rules.max_by_key(|rule| rule.specificity()).map(|rule| rule.meaning)
        };
        self.layers.iter().find_map(in_layer)
    }
}

/// An issuer's code as tables hold it: in capitals, two characters at least (some acquirers drop the leading zero).
pub(super) fn issuer_code(code: &str) -> CompactString {
    let code = code.to_ascii_uppercase();
    if code.len() == 1 { compact_str::format_compact!("0{code}") } else { CompactString::from(code) }
}
