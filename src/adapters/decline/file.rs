//! A file of decline tables: `config/declines.toml`, and an operator's own of the same form.
//!
//! A refusal names the line, the key and what is allowed, as the configuration's do.

use core::ops::Range;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use compact_str::CompactString;
use serde::Deserialize;
use toml::Spanned;

use super::table::{IssuerRule, Layer, Meaning, Meanings, issuer_code};
use crate::domain::{ConnectorName, Country, DeclineClass, Network, wording};

/// Why a file of decline tables was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}\n  | {text}")]
pub struct Refusal {
    /// Counted from one.
    pub line: usize,
    /// Counted from one, in characters.
    pub column: usize,
    /// What is wrong, and what is allowed.
    pub reason: String,
    /// The line.
    pub text: String,
}

/// Countries by the name of their region.
pub(super) type Regions = BTreeMap<String, Vec<Country>>;

/// Reads a file that stands by itself: its tables, and the regions it names.
///
/// # Errors
/// [`Refusal`]: the first thing that is wrong.
pub(super) fn parse(text: &str) -> Result<(Layer, Regions), Refusal> {
    parse_with(text, Regions::new())
}

/// As [`parse`]; the file may use these regions too, and say anew what one is.
pub(super) fn parse_with(text: &str, regions: Regions) -> Result<(Layer, Regions), Refusal> {
    let located = |wrong: Wrong| wrong.located(text);
    let file: File = toml::from_str(text).map_err(|error| located(Wrong::of_toml(&error)))?;
    let mut reading = Reading { layer: Layer::default(), regions };
    for (name, countries) in &file.regions {
        let countries = countries.iter().map(country).collect::<Result<_, _>>().map_err(located)?;
        reading.regions.insert(name.clone(), countries);
    }
    for table in &file.table {
        reading.table(table).map_err(located)?;
    }
    Ok((reading.layer, reading.regions))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    regions: BTreeMap<String, Vec<Word>>,
    #[serde(default)]
    table: Vec<Spanned<Table>>,
}

type Word = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    vocabulary: Vocabulary,
    #[serde(default)]
    connectors: Vec<Word>,
    #[serde(default)]
    networks: Vec<Word>,
    #[serde(default)]
    regions: Vec<Word>,
    dated: Spanned<toml::value::Datetime>,
    source: Word,
    #[serde(default)]
    gateway: Vec<Word>,
    #[serde(default)]
    mixed: Vec<Word>,
    #[serde(default)]
    user: Vec<Word>,
    #[serde(default)]
    sca_required: Vec<Word>,
    #[serde(default)]
    data_error: Vec<Word>,
    #[serde(default)]
    says_nothing: Vec<Word>,
    #[serde(default)]
    unverified: Vec<Word>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Vocabulary {
    Standardised,
    Issuer,
    Connector,
    Unified,
}

impl Table {
    /// Its codes, each with what it means.
    fn codes(&self) -> impl Iterator<Item = (&Word, Meaning)> {
        let lists = [
            (&self.gateway, Meaning::Class(DeclineClass::Gateway)),
            (&self.mixed, Meaning::Class(DeclineClass::Mixed)),
            (&self.user, Meaning::Class(DeclineClass::User)),
            (&self.sca_required, Meaning::Class(DeclineClass::ScaRequired)),
            (&self.data_error, Meaning::Class(DeclineClass::DataError)),
            (&self.says_nothing, Meaning::Nothing),
        ];
        lists.into_iter().flat_map(|(codes, meaning)| codes.iter().map(move |code| (code, meaning)))
    }

    /// What no single value can break.
    fn check(&self, span: Range<usize>) -> Result<(), Wrong> {
        let only = |words: &[Word], key: &str, wanted: Vocabulary, goes_with: &str| match words.first() {
            Some(word) if self.vocabulary != wanted => {
                Err(Wrong::at(word, format!("`{key}` goes with vocabulary = \"{goes_with}\" alone")))
            }
            _ => Ok(()),
        };
        only(&self.connectors, "connectors", Vocabulary::Connector, "connector")?;
        only(&self.networks, "networks", Vocabulary::Issuer, "issuer")?;
        only(&self.regions, "regions", Vocabulary::Issuer, "issuer")?;
        if self.vocabulary == Vocabulary::Connector && self.connectors.is_empty() {
            return Err(Wrong { span, reason: "`connectors` is missing: whose codes these are".to_owned() });
        }
        let dated = self.dated.get_ref();
        if dated.date.is_none() || dated.time.is_some() {
            return Err(Wrong::at(&self.dated, "`dated` must be a day such as 2026-08-20".to_owned()));
        }
        if self.source.get_ref().trim().is_empty() {
            return Err(Wrong::at(&self.source, "`source` must name where the codes were learnt from".to_owned()));
        }
        let unlisted = self.unverified.iter().find(|word| !self.codes().any(|(code, _)| code.get_ref() == word.get_ref()));
        unlisted.map_or(Ok(()), |word| {
            Err(Wrong::at(word, format!("`unverified` lists `{}`, to which this table gives no class", word.get_ref())))
        })
    }
}

/// A file being read.
struct Reading {
    layer: Layer,
    regions: Regions,
}

impl Reading {
    fn table(&mut self, table: &Spanned<Table>) -> Result<(), Wrong> {
        let (span, table) = (table.span(), table.get_ref());
        table.check(span)?;
        match table.vocabulary {
            Vocabulary::Standardised => fill(&mut self.layer.standardised, table, str::to_ascii_lowercase),
            Vocabulary::Unified => fill(&mut self.layer.unified, table, str::to_ascii_uppercase),
            Vocabulary::Connector => table.connectors.iter().try_for_each(|connector| {
                let name = ConnectorName::parse(connector.get_ref()).map_err(|problem| Wrong::at(connector, problem))?;
                let codes = self.layer.connectors.entry(CompactString::from(name.as_str())).or_default();
                fill(codes, table, str::to_owned)
            }),
            Vocabulary::Issuer => self.issuer(table),
        }
    }

    fn issuer(&mut self, table: &Table) -> Result<(), Wrong> {
        let named = table.networks.iter().map(|word| network(word).map(Some)).collect::<Result<Vec<_>, _>>()?;
        let networks = if named.is_empty() { vec![None] } else { named };
        let countries = self.countries(&table.regions)?;
        for (code, meaning) in table.codes() {
            let rules = self.layer.issuer.entry(issuer_code(checked(code)?)).or_default();
            for network in &networks {
                let rule = IssuerRule { network: *network, countries: countries.clone(), meaning };
                if rules.iter().any(|other| other.contends(&rule)) {
                    return Err(twice(code));
                }
                rules.push(rule);
            }
        }
        Ok(())
    }

    /// The countries of these regions; each is a name from `[regions]` or a country itself. None: everywhere.
    fn countries(&self, words: &[Word]) -> Result<Option<Arc<[Country]>>, Wrong> {
        let mut countries = Vec::new();
        for word in words {
            match self.regions.get(word.get_ref()) {
                Some(region) => countries.extend(region),
                None => countries.push(country(word).map_err(|_| Wrong::at(word, self.no_region(word.get_ref())))?),
            }
        }
        Ok((!words.is_empty()).then(|| countries.into()))
    }

    fn no_region(&self, word: &str) -> String {
        let names: Vec<&str> = self.regions.keys().map(String::as_str).collect();
        format!(
            "`{word}` is no region: allowed are {}, names from [regions], and two-letter country codes (GB, not UK)",
            names.join(", ")
        )
    }
}

/// Puts a table's codes among those of its vocabulary.
fn fill(meanings: &mut Meanings, table: &Table, written: impl Fn(&str) -> String) -> Result<(), Wrong> {
    for (code, meaning) in table.codes() {
        match meanings.entry(CompactString::from(written(checked(code)?))) {
            Entry::Vacant(place) => _ = place.insert(meaning),
            Entry::Occupied(_) => return Err(twice(code)),
        }
    }
    Ok(())
}

fn twice(code: &Word) -> Wrong {
    Wrong::at(code, format!("`{}` has a class already: a code stands once for the same vocabulary and issuers", code.get_ref()))
}

fn checked(code: &Word) -> Result<&str, Wrong> {
    let text = code.get_ref().as_str();
    if super::fit(text) {
        return Ok(text);
    }
    Err(Wrong::at(code, format!("`{text}` is no code: allowed are 1 to {} visible ASCII characters", super::CODE_MAX)))
}

/// Two letters that people write and that no issuer's country has: they would cover nothing, silently.
const NO_COUNTRIES: [&str; 2] = ["EU", "UK"];

fn country(word: &Word) -> Result<Country, Wrong> {
    if NO_COUNTRIES.contains(&word.get_ref().to_ascii_uppercase().as_str()) {
        let reason = format!("`{}` is no country of ISO 3166-1: the United Kingdom is GB", word.get_ref());
        return Err(Wrong::at(word, reason));
    }
    Country::parse(word.get_ref()).map_err(|problem| Wrong::at(word, problem))
}

fn network(word: &Word) -> Result<Network, Wrong> {
    Network::parse(word.get_ref()).ok_or_else(|| {
        Wrong::at(word, format!("`{}` is no network: a name such as Visa, Mastercard, AmericanExpress is", word.get_ref()))
    })
}

/// What is wrong, and where in the text.
struct Wrong {
    span: Range<usize>,
    reason: String,
}

impl Wrong {
    fn at<T>(value: &Spanned<T>, reason: String) -> Self {
        Self { span: value.span(), reason }
    }

    fn of_toml(error: &toml::de::Error) -> Self {
        let reason = wording::plain(error.message().trim_end(), "a table of keys");
        Self { span: error.span().unwrap_or_default(), reason }
    }

    fn located(self, text: &str) -> Refusal {
        let before = text.get(..self.span.start.min(text.len())).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Refusal {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason: self.reason,
            text: text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Codes, DeclineTables, Decliner};
    use super::*;

    const HEAD: &str = "[[table]]\nvocabulary = \"issuer\"\ndated = 2026-11-22\nsource = \"a page\"\n";

    #[test]
    fn the_built_in_tables_are_dated_and_no_code_stands_twice() {
        let text = include_str!("../../../config/declines.toml");
        let (layer, regions) = parse(text).unwrap();
        assert_eq!(layer.standardised.len(), 45, "Hyperswitch has 45 standardised codes");
        assert_eq!(regions["EEA"].len(), 30, "27 of the Union, and IS, LI, NO");
        let connectors: Vec<&str> = layer.connectors.keys().map(CompactString::as_str).collect();
        assert_eq!(connectors, ["adyen", "checkout", "paypal", "stripe", "worldpay", "worldpayxml"]);
    }

    #[test]
    fn a_refusal_names_the_line_and_what_is_allowed() {
        let check = |text: &str, line: usize, told: &[&str]| {
            let refusal = parse(text).map(drop).expect_err(text);
            assert_eq!(refusal.line, line, "{refusal}");
            assert!(told.iter().all(|word| refusal.to_string().contains(word)), "{told:?}: {refusal}");
        };
        check(&format!("{HEAD}mixed = [\"05\"]\nuser = [\"05\"]"), 6, &["`05`", "already"]);
        check(&format!("{HEAD}mixed = [\"05\"]\n{HEAD}user = [\"5\"]"), 10, &["`5`", "already"]);
        check(&format!("{HEAD}fraud = [\"59\"]"), 5, &["`fraud`", "`sca_required`"]);
        check(&format!("{HEAD}regions = [\"EU\"]"), 5, &["`EU`", "two-letter"]);
        check("[regions]\nISLES = [\"IE\", \"UK\"]", 2, &["`UK`", "GB"]);
        check(&format!("{HEAD}networks = [\"Visum\"]"), 5, &["`Visum`", "Mastercard"]);
        check(&format!("{HEAD}connectors = [\"stripe\"]"), 5, &["`connectors`", "vocabulary = \"connector\""]);
        check(&format!("{HEAD}user = [\"not a code\"]"), 5, &["`not a code`", "40"]);
        check(&format!("{HEAD}unverified = [\"05\"]"), 5, &["`unverified`", "`05`"]);
        check(&HEAD.replace("2026-11-22", "\"today\""), 3, &["today"]);
        check(&HEAD.replace("2026-11-22", "10:00:00"), 3, &["`dated`", "2026-08-20"]);
        check(&HEAD.replace("dated = 2026-11-22\n", ""), 1, &["`dated`"]);
        check(&HEAD.replace("a page", " "), 4, &["`source`"]);
        check(&HEAD.replace("issuer", "bank"), 2, &["`bank`", "`issuer`"]);
        check(&HEAD.replace("issuer", "connector"), 1, &["`connectors`"]);
    }

    #[test]
    fn an_operators_table_stands_before_the_built_in_ones() {
        let own = "networks = [\"Mastercard\"]\nregions = [\"EEA\"]\nuser = [\"65\"]\nsays_nothing = [\"05\"]";
        let tables = DeclineTables::overridden_by(&format!("{HEAD}{own}")).unwrap();
        let class = |code, country| {
            let codes = Codes { issuer: Some(code), ..Codes::default() };
            let country = Country::parse(country).ok();
            tables.decline(&codes, &Decliner { connector: None, network: Some(Network::Mastercard), country }).class
        };
        assert_eq!(class("65", "DE"), DeclineClass::User);
        assert_eq!(class("65", "GB"), DeclineClass::ScaRequired, "the built-in table still speaks for the United Kingdom");
        assert_eq!(class("05", "DE"), DeclineClass::Unclassified);
        assert_eq!(class("05", "US"), DeclineClass::Mixed);
    }
}
