//! Writes a case as the two files that [`read`](super::read()) reads, so that others can check what was judged.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Map;

use super::case::{Case, Outcome, Payment};

#[derive(Serialize)]
struct PaymentLine<'a> {
    id: &'a str,
    t: f64,
    merchant: &'a str,
    amount: f64,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bin: Option<String>,
    connectors: Vec<&'a str>,
}

#[derive(Serialize)]
struct OutcomeLine<'a> {
    id: &'a str,
    outcomes: Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct OutcomeValue<'a> {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u32>,
    observed_after_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    propensity: Option<f64>,
}

/// Writes the payments and the outcomes, a line each.
///
/// # Errors
/// When one of the two cannot be written.
pub fn write(case: &Case, payments: &mut impl Write, outcomes: &mut impl Write) -> io::Result<()> {
    for (payment, results) in case.payments.iter().zip(&case.outcomes) {
        line(payments, &payment_line(case, payment))?;
        let of = |outcome: &Outcome| {
            let value = serde_json::to_value(OutcomeValue {
                success: outcome.success,
                p: outcome.p,
                latency_ms: outcome.latency_ms,
                observed_after_s: outcome.observed_after.as_secs_f64(),
                error: outcome.decline.as_ref().map(|decline| decline.code.as_str()),
                propensity: outcome.propensity,
            });
            Ok((name(case, outcome.connector).to_owned(), value?))
        };
        let values: Result<_, serde_json::Error> = results.iter().map(of).collect();
        line(outcomes, &OutcomeLine { id: payment.id.as_str(), outcomes: values? })?;
    }
    payments.flush()?;
    outcomes.flush()
}

fn payment_line<'a>(case: &'a Case, payment: &'a Payment) -> PaymentLine<'a> {
    #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 fit a float's 53 bits until 2255")]
    let t = payment.at.micros() as f64 / 1e6;
    PaymentLine {
        id: payment.id.as_str(),
        t,
        merchant: payment.merchant.as_str(),
        amount: payment.amount.major(),
        currency: payment.amount.currency.code(),
        country: payment.context.country.map(|country| country.to_string()),
        method: payment.context.method.map(crate::domain::Method::as_str),
        network: payment.context.network.map(crate::domain::Network::as_str),
        bin: payment.context.bin.map(|bin| bin.to_string()),
        connectors: payment.connectors.iter().map(|c| name(case, *c)).collect(),
    }
}

fn name(case: &Case, connector: u16) -> &str {
    case.connectors[usize::from(connector)].as_str()
}

fn line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}
