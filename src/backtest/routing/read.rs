//! Reads a case from two files of JSON lines; the first thing that is wrong is refused with its line and a remedy.
//!
//! ```json
//! {"id":"pay_1","t":12.5,"merchant":"pro_1","amount":65.4,"currency":"EUR","country":"DE","method":"card",
//!  "network":"Visa","bin":"411111","connectors":["adyen","stripe"]}
//! {"id":"pay_1","outcomes":{"adyen":{"success":true,"p":0.91,"latency_ms":412,"observed_after_s":1.5},
//!  "stripe":{"success":false,"p":0.84,"observed_after_s":2,"error":"do_not_honor"}}}
//! ```
//!
//! `t` is in seconds, of any origin: payments are taken in its order, those of one time in the file's. `amount` in major units. Country, method, network and BIN may be missing: then
//! they are unknown; a word in the place of a BIN is one of its own. A payment names 1 to 100 connectors. An outcome line
//! names all of them (a simulation; what it names beyond counts for nothing) or the one that was chosen
//! (a log), then with the `propensity` of that choice where it is known, above 0 and at most 1. Another key is refused: a
//! misspelt one would be taken for one that is missing.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use smallvec::SmallVec;

use super::case::{Case, Outcome, Payment};
use super::words::Words;
use crate::adapters::decline::{Codes, DeclineTables, Decliner, Refusal};
use crate::domain::decision::ELIGIBLE_MAX;
use crate::domain::{ConnectorAccount, Context, Country, Currency, Decline, DeclineClass, Money, PaymentId, ProfileId, Time};

/// Something in a file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}, line {line}, field `{field}`: {problem}")]
pub struct Refused {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The field.
    pub field: &'static str,
    /// What is wrong with it, and what to do.
    pub problem: String,
}

/// What was taken otherwise than it stands in the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    /// Words that the vocabularies lack, and how many payments have them: they count as `other`, all as one.
    pub unnamed: BTreeMap<String, usize>,
    /// Words in the place of a BIN, and how many payments have them: each word is a BIN of its own.
    pub labels: (usize, usize),
    /// Payments that stand after a later one: they were put in the order of their times.
    pub out_of_order: usize,
    /// Outcomes for connectors that their payment does not list, beside one for each that it does: they count for nothing.
    pub unlisted: usize,
    /// Lines of outcomes for payments that are not there: they count for nothing.
    pub without_payment: usize,
}

/// A field that is wrong, and why.
pub(super) type Wrong = (&'static str, String);

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct PaymentLine {
    id: Value,
    t: Value,
    merchant: Value,
    amount: Value,
    currency: Value,
    country: Value,
    method: Value,
    network: Value,
    bin: Value,
    connectors: Value,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct OutcomeLine {
    id: Value,
    outcomes: BTreeMap<String, OutcomeValue>,
    propensity: Value,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct OutcomeValue {
    success: Value,
    p: Value,
    latency_ms: Value,
    observed_after_s: Value,
    error: Value,
    propensity: Value,
}

/// Reads the payments and their outcomes, each from its file (named for errors), in any order.
///
/// # Errors
/// [`Refused`]: the first line that cannot be read or used.
pub fn read(
    (payments_file, payments): (&str, impl BufRead),
    (outcomes_file, outcomes): (&str, impl BufRead),
    progress: &mut dyn FnMut(usize),
) -> Result<(Case, Remarks), Refused> {
    let mut reader = Reader { tables: DeclineTables::built_in().map_err(no_tables)?, ..Reader::default() };
    let mut lines = 0;
    for (file, what, input) in [
        (payments_file, What::Payments, &mut { payments } as &mut dyn BufRead),
        (outcomes_file, What::Outcomes, &mut { outcomes } as &mut dyn BufRead),
    ] {
        let mut text = String::new();
        for line in 1.. {
            let refused = |(field, problem): Wrong| Refused { file: file.to_owned(), line, field, problem };
            text.clear();
            let end = input.read_line(&mut text).map_err(|error| refused(("(line)", format!("it cannot be read: {error}"))))?;
            if end == 0 {
                break;
            }
            lines += 1;
            if lines % 10_000 == 0 {
                progress(lines);
            }
            // Some editors begin a file with a mark of its encoding.
            let text = text.trim_start_matches('\u{feff}');
            if !text.trim().is_empty() {
                reader.take(what, text, line).map_err(refused)?;
            }
        }
    }
    let refused =
        |(line, (field, problem)): (usize, Wrong), file: &str| Refused { file: file.to_owned(), line, field, problem };
    reader.lacking_outcomes().map_or(Ok(()), |wrong| Err(refused(wrong, payments_file)))?;
    reader.some_but_not_all().map_or(Ok(()), |wrong| Err(refused(wrong, outcomes_file)))?;
    Ok(reader.finish())
}

/// The decline tables are part of the program, so this is no file of the user's.
fn no_tables(refusal: Refusal) -> Refused {
    let (line, problem) = (refusal.line, refusal.reason);
    Refused { file: "the built-in decline tables".to_owned(), line, field: "table", problem }
}

#[derive(Debug, Clone, Copy)]
enum What {
    Payments,
    Outcomes,
}

/// What has been read so far.
#[derive(Debug, Default)]
struct Reader {
    tables: DeclineTables,
    connectors: Vec<ConnectorAccount>,
    numbers: BTreeMap<String, u16>,
    payments: Vec<(usize, Payment)>,
    by_id: BTreeMap<PaymentId, usize>,
    /// By payment: the line they were on, and they.
    outcomes: Vec<Option<(usize, SmallVec<[Outcome; 8]>)>>,
    /// The latest time of a payment.
    latest: Time,
    words: Words,
    remarks: Remarks,
}

impl Reader {
    fn take(&mut self, what: What, text: &str, line: usize) -> Result<(), Wrong> {
        let json = |error: serde_json::Error| {
            ("(line)", format!("it is not an object of this form: {error}; see apos backtest routing --help"))
        };
        match what {
            What::Payments => self.payment(&serde_json::from_str(text).map_err(json)?, line),
            What::Outcomes => self.outcome(&serde_json::from_str(text).map_err(json)?, line),
        }
    }

    fn payment(&mut self, line: &PaymentLine, number: usize) -> Result<(), Wrong> {
        let id = PaymentId::parse(&text("id", &line.id)?).map_err(|problem| ("id", problem))?;
        if self.by_id.contains_key(&id) {
            return Err(("id", format!("{id} was read before: give every payment its own")));
        }
        let currency = Currency::parse(&text("currency", &line.currency)?).map_err(|problem| ("currency", problem))?;
        let payment = Payment {
            at: time(&line.t)?,
            merchant: ProfileId::parse(&text("merchant", &line.merchant)?).map_err(|problem| ("merchant", problem))?,
            amount: amount(&line.amount, currency)?,
            context: self.context(line)?,
            connectors: self.eligible(&line.connectors)?,
            id: id.clone(),
        };
        self.remarks.out_of_order += usize::from(payment.at < self.latest);
        self.latest = self.latest.max(payment.at);
        self.by_id.insert(id, self.payments.len());
        self.payments.push((number, payment));
        self.outcomes.push(None);
        Ok(())
    }

    fn context(&mut self, line: &PaymentLine) -> Result<Context, Wrong> {
        let country = optional("country", &line.country)?.map(|text| Country::parse(&text));
        Ok(Context {
            method: optional("method", &line.method)?.map(|word| self.words.method(&word)),
            network: optional("network", &line.network)?.map(|word| self.words.network(&word)),
            country: country.transpose().map_err(|problem| ("country", problem))?,
            bin: optional("bin", &line.bin)?.map(|word| self.words.bin(word)).transpose()?.flatten(),
            ..Context::default()
        })
    }

    fn eligible(&mut self, value: &Value) -> Result<SmallVec<[u16; 8]>, Wrong> {
        const FIELD: &str = "connectors";
        let names = value.as_array().filter(|names| !names.is_empty());
        let names = names.ok_or((FIELD, "a list of at least one connector's name is wanted".to_owned()))?;
        if names.len() > ELIGIBLE_MAX {
            let problem = format!("{} are named, more than a payment may go to: name {ELIGIBLE_MAX} at most", names.len());
            return Err((FIELD, problem));
        }
        let mut numbers = SmallVec::new();
        for name in names {
            let number = self.connector(&text(FIELD, name)?)?;
            if numbers.contains(&number) {
                return Err((FIELD, format!("{name} is named twice: name each connector once")));
            }
            numbers.push(number);
        }
        Ok(numbers)
    }

    fn connector(&mut self, name: &str) -> Result<u16, Wrong> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let account = ConnectorAccount::parse(name).map_err(|problem| {
            let joined = name.split_whitespace().collect::<Vec<_>>().join("_");
            let remedy = ConnectorAccount::parse(&joined).map_or(String::new(), |name| format!(": write {name} in both files"));
            ("connectors", problem + &remedy)
        })?;
        let number =
            u16::try_from(self.connectors.len()).map_err(|_| ("connectors", "there are more than 65,536 names".to_owned()))?;
        self.connectors.push(account);
        self.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    fn outcome(&mut self, line: &OutcomeLine, number: usize) -> Result<(), Wrong> {
        let id = text("id", &line.id)?;
        let Some(place) = self.by_id.get(id.as_str()).copied() else {
            self.remarks.without_payment += 1;
            return Ok(());
        };
        if self.outcomes[place].is_some() {
            return Err(("id", format!("{id} has outcomes already: give each payment one line")));
        }
        if line.outcomes.is_empty() {
            return Err(("outcomes", "an outcome for at least one connector is wanted".to_owned()));
        }
        let payment = &self.payments[place].1;
        let mut outcomes = SmallVec::new();
        let mut unlisted = Vec::new();
        for (name, value) in &line.outcomes {
            let Some(connector) = self.numbers.get(name).copied().filter(|c| payment.connectors.contains(c)) else {
                unlisted.push(name.as_str());
                continue;
            };
            let decliner = Decliner::of(Some(self.connectors[usize::from(connector)].connector()), &payment.context);
            let told = |code: &str| decline(code, &decliner, &self.tables);
            outcomes.push(outcome(connector, value, &line.propensity, told)?);
        }
        // Beside one for each that is listed they are of no use; in the place of one they are a mistake.
        if !unlisted.is_empty() && outcomes.len() < payment.connectors.len() {
            let names = unlisted.join(", ");
            let problem = format!("{names} is not among the connectors of payment {id}: list it there or remove it here");
            return Err(("outcomes", problem));
        }
        self.remarks.unlisted += unlisted.len();
        self.outcomes[place] = Some((number, outcomes));
        Ok(())
    }

    /// The first payment without an outcome.
    fn lacking_outcomes(&self) -> Option<(usize, Wrong)> {
        let lacking = self.payments.iter().zip(&self.outcomes).find(|(_, outcomes)| outcomes.is_none());
        let ((line, payment), _) = lacking?;
        Some((*line, ("id", format!("{} has no line among the outcomes: add one or remove the payment", payment.id))))
    }

    /// The first line with some but not all outcomes, or with all of them in a log.
    fn some_but_not_all(&self) -> Option<(usize, Wrong)> {
        let counts =
            || self.payments.iter().zip(&self.outcomes).filter_map(|((_, p), o)| Some((p.connectors.len(), o.as_ref()?)));
        let logged = counts().find(|(connectors, (_, outcomes))| outcomes.len() == 1 && *connectors > 1);
        let odd = |(connectors, (_, outcomes)): &(usize, &(usize, SmallVec<[Outcome; 8]>))| {
            outcomes.len() > 1 && (logged.is_some() || outcomes.len() < *connectors)
        };
        let (connectors, (line, outcomes)) = counts().find(odd)?;
        let one = logged.map_or_else(String::new, |(_, (line, _))| format!(", and on line {line} one has"));
        let problem = format!(
            "{} of {connectors} connectors have an outcome{one}: give all of them on every line (a simulation) or one on every \
             line (a log)",
            outcomes.len()
        );
        Some((*line, ("outcomes", problem)))
    }

    fn finish(self) -> (Case, Remarks) {
        let outcomes = self.outcomes.into_iter().map(|outcomes| outcomes.map(|(_, outcomes)| outcomes).unwrap_or_default());
        let mut rows: Vec<_> = self.payments.into_iter().map(|(_, payment)| payment).zip(outcomes).collect();
        // Stable: payments of one time stay in the file's order.
        rows.sort_by_key(|(payment, _)| payment.at);
        let (payments, outcomes) = rows.into_iter().unzip();
        let Words { unnamed, labels, labelled } = self.words;
        let remarks = Remarks { unnamed, labels: (labels.len(), labelled), ..self.remarks };
        (Case { connectors: self.connectors, payments, outcomes }, remarks)
    }
}

fn outcome(
    connector: u16,
    value: &OutcomeValue,
    of_line: &Value,
    declined: impl Fn(&str) -> Decline,
) -> Result<Outcome, Wrong> {
    let success =
        value.success.as_bool().ok_or_else(|| ("success", format!("true or false is wanted, not {}", value.success)))?;
    let propensity = if value.propensity.is_null() { of_line } else { &value.propensity };
    let error = optional("error", &value.error)?.filter(|_| !success);
    let latency_ms = number("latency_ms", &value.latency_ms, f64::from(u32::MAX))?;
    Ok(Outcome {
        connector,
        success,
        p: number("p", &value.p, 1.0)?,
        latency_ms: latency_ms.map(crate::sim::chance::whole),
        observed_after: Duration::from_secs_f64(number("observed_after_s", &value.observed_after_s, 1e9)?.unwrap_or(0.0)),
        decline: error.map(|code| declined(&code)),
        propensity: chosen_with(propensity)?,
    })
}

/// A propensity, where there is one. What was chosen cannot have had none: 0 would weigh it infinitely.
fn chosen_with(value: &Value) -> Result<Option<f64>, Wrong> {
    const FIELD: &str = "propensity";
    let propensity = number(FIELD, value, 1.0)?;
    if propensity == Some(0.0) {
        return Err((FIELD, "a number above 0 is wanted, for it was chosen; leave it out where it is not known".to_owned()));
    }
    Ok(propensity)
}

/// A code in any of the known vocabularies, or the class itself.
fn decline(code: &str, decliner: &Decliner<'_>, tables: &DeclineTables) -> Decline {
    let codes = Codes { standardised: Some(code), issuer: Some(code), unified: Some(code), connector: Some(code) };
    let told = tables.decline(&codes, decliner);
    let word = code.to_ascii_lowercase().replace(['-', ' '], "_");
    let class = match DeclineClass::parse(&word) {
        Some(class) => class,
        None if told.class == DeclineClass::Unclassified && (word.contains("timeout") || word.contains("time_out")) => {
            DeclineClass::Gateway
        }
        None => told.class,
    };
    Decline { class, code: told.code }
}

/// A text, or a whole number as one.
fn text(field: &'static str, value: &Value) -> Result<String, Wrong> {
    optional(field, value)?.ok_or_else(|| (field, "it is missing: a text is wanted".to_owned()))
}

fn optional(field: &'static str, value: &Value) -> Result<Option<String>, Wrong> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
        other => Err((field, format!("a text is wanted, not {other}"))),
    }
}

/// A number from 0 to a most, where there is one.
fn number(field: &'static str, value: &Value, most: f64) -> Result<Option<f64>, Wrong> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_f64().filter(|number| (0.0..=most).contains(number));
    number.map(Some).ok_or_else(|| (field, format!("a number from 0 to {most} is wanted, not {value}")))
}

fn time(value: &Value) -> Result<Time, Wrong> {
    let seconds = number("t", value, 1e11)?.ok_or_else(|| ("t", "it is missing: a time in seconds is wanted".to_owned()))?;
    #[expect(clippy::cast_possible_truncation, reason = "at most 10^17 microseconds")]
    let micros = libm::round(seconds * 1e6) as i64;
    Ok(Time::from_micros(micros))
}

fn amount(value: &Value, currency: Currency) -> Result<Money, Wrong> {
    let missing = || ("amount", "it is missing: an amount in major units is wanted, such as 65.40".to_owned());
    let major = number("amount", value, 1e12)?.ok_or_else(missing)?;
    #[expect(clippy::cast_possible_truncation, reason = "at most 10^16 minor units")]
    let minor = libm::round(major * f64::from(10_u32.pow(currency.exponent()))) as i64;
    Ok(Money::new(minor, currency))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Method, Network};

    const PAYMENT: &str = r#"{"id":"p1","t":3.25,"merchant":"m","amount":65.4,"currency":"EUR","country":"DE","method":"card","network":"visa","bin":411111,"connectors":["a","b"]}"#;
    const BOTH: &str =
        r#"{"id":"p1","outcomes":{"a":{"success":true,"p":0.9,"observed_after_s":1.5},"b":{"success":false,"error":"91"}}}"#;

    fn tried(payments: &str, outcomes: &str) -> Result<(Case, Remarks), Refused> {
        read(("P.jsonl", payments.as_bytes()), ("O.jsonl", outcomes.as_bytes()), &mut |_| {})
    }

    #[test]
    fn a_case_is_read_and_written_and_read_again() {
        let (case, remarks) = tried(PAYMENT, BOTH).unwrap();
        assert!(remarks == Remarks::default() && case.is_complete());
        let payment = &case.payments[0];
        assert_eq!((payment.at.millis(), payment.amount.to_string().as_str()), (3_250, "EUR 65.40"));
        assert_eq!(payment.context.network, Some(Network::Visa));
        let failed = case.outcome(0, 1).unwrap();
        assert_eq!(failed.decline.as_ref().map(|decline| decline.class), Some(DeclineClass::Gateway));
        assert_eq!(case.outcome(0, 0).unwrap().observed_after, Duration::from_millis(1_500));

        let (case, _) = tried(PAYMENT, &BOTH.replace("91", "do_not_honor")).unwrap();
        let (mut payments, mut outcomes) = (Vec::new(), Vec::new());
        super::super::write(&case, &mut payments, &mut outcomes).unwrap();
        let again = tried(str::from_utf8(&payments).unwrap(), str::from_utf8(&outcomes).unwrap()).unwrap().0;
        assert_eq!(again, case);
    }

    #[test]
    fn what_is_malformed_is_refused_with_file_line_field_and_remedy() {
        let check = |payments: &str, outcomes: &str, says: &[&str]| {
            let refused = tried(payments, outcomes).unwrap_err().to_string();
            assert!(says.iter().all(|word| refused.contains(word)), "{refused}");
        };
        let payment = |from: &str, to: &str| PAYMENT.replace(from, to);
        let outcome = |from: &str, to: &str| BOTH.replace(from, to);
        check(&payment("3.25", "\"soon\""), BOTH, &["P.jsonl, line 1, field `t`", "a number from 0"]);
        check(&payment("\"EUR\"", "\"EURO\""), BOTH, &["field `currency`", "EURO", "such as EUR"]);
        check(&payment("411111", "4111111111111111"), BOTH, &["field `bin`", "six to eight digits", "cut it"]);
        check(&payment("[\"a\",\"b\"]", "[]"), BOTH, &["field `connectors`", "at least one"]);
        check(&payment("\"a\"", "\"Adyen UK\""), BOTH, &["field `connectors`", "white space", "write Adyen_UK in both files"]);
        let named =
            |count: usize| payment("\"a\",\"b\"", &(0..count).map(|n| format!("\"c{n}\"")).collect::<Vec<_>>().join(","));
        check(&named(101), BOTH, &["P.jsonl, line 1, field `connectors`", "101 are named", "100 at most"]);
        check(&named(100), BOTH, &["O.jsonl, line 1, field `outcomes`", "a, b is not among"]);
        check(&format!("{PAYMENT}\n\n{{\"id\":"), BOTH, &["P.jsonl, line 3", "--help"]);
        check(&format!("{PAYMENT}\n{PAYMENT}"), BOTH, &["P.jsonl, line 2, field `id`", "its own"]);
        check(PAYMENT, &outcome("p1", "p2"), &["P.jsonl, line 1, field `id`", "p1 has no line among the outcomes"]);
        check(PAYMENT, &outcome("true", "1"), &["field `success`", "true or false"]);
        check(PAYMENT, &outcome("0.9", "1.9"), &["field `p`", "0 to 1"]);
        check(PAYMENT, &outcome("\"b\"", "\"c\""), &["field `outcomes`", "c is not among the connectors"]);
        check(PAYMENT, "", &["P.jsonl, line 1, field `id`", "no line among the outcomes"]);
        check(&payment("\"bin\"", "\"iin\""), BOTH, &["P.jsonl, line 1", "unknown field `iin`"]);
        check(PAYMENT, &outcome("observed_after_s", "observed_after"), &["O.jsonl, line 1", "unknown field `observed_after`"]);
        check(PAYMENT, &outcome("\"outcomes\"", "\"t\":1,\"outcomes\""), &["O.jsonl, line 1", "unknown field `t`"]);
        for propensity in ["0", "0.0", "-0.0", "1.01"] {
            let with = outcome("\"p\":0.9", &format!("\"propensity\":{propensity}"));
            check(PAYMENT, &with, &["O.jsonl, line 1, field `propensity`", "wanted"]);
        }
        let three = payment("\"b\"]", "\"b\",\"c\"]");
        check(&three, BOTH, &["O.jsonl, line 1, field `outcomes`", "2 of 3 connectors"]);
    }

    #[test]
    fn payments_are_taken_in_the_order_of_their_times_and_how_many_stood_otherwise_is_told() {
        let (mut payments, mut outcomes) = (String::new(), String::new());
        for (id, t) in [("p1", "5"), ("p2", "3"), ("p3", "5"), ("p4", "4"), ("p5", "6")] {
            payments += &(PAYMENT.replace("p1", id).replace("3.25", t) + "\n");
            outcomes += &(BOTH.replace("p1", id) + "\n");
        }
        let (case, remarks) = tried(&payments, &outcomes).unwrap();
        assert_eq!(case.payments.iter().map(|payment| payment.id.as_str()).collect::<Vec<_>>(), ["p2", "p4", "p1", "p3", "p5"]);
        assert_eq!(remarks.out_of_order, 2);
    }

    #[test]
    fn words_without_a_name_are_told() {
        let (case, remarks) = tried(&PAYMENT.replace("card", "pigeon"), BOTH).unwrap();
        assert_eq!(case.payments[0].context.method, Some(Method::Other));
        assert_eq!(remarks.unnamed.into_iter().collect::<Vec<_>>(), [("method pigeon".to_owned(), 1)]);
        let (case, remarks) = tried(&PAYMENT.replace("411111", "\"bin_3\""), BOTH).unwrap();
        assert!(case.payments[0].context.bin.is_some() && remarks.labels == (1, 1), "{remarks:?}");
    }

    #[test]
    fn what_is_beyond_the_payments_and_their_connectors_counts_for_nothing_and_is_told() {
        let (plain, _) = tried(PAYMENT, BOTH).unwrap();
        let more = BOTH.replace("{\"a\"", "{\"z\":{\"success\":true},\"a\"");
        let further = format!("\u{feff}{more}\n{}", BOTH.replace("p1", "p2"));
        let (case, remarks) = tried(&format!("\u{feff}{PAYMENT}"), &further).unwrap();
        assert_eq!(case, plain);
        assert_eq!(remarks, Remarks { unlisted: 1, without_payment: 1, ..Remarks::default() });
    }
}
