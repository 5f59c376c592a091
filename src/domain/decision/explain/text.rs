//! The explanation as one paragraph, for people: in the order of the questions that are asked of a decision.

use std::fmt::{self, Write};

use super::{Approach, Considered, Costs, Explanation, ONLINE_MODEL, Pursued};
use crate::domain::{Context, Credential, Currency};

/// Evidence below this, in outcomes, is hardly any: an interval on it is as wide as before anything was learnt, or wider.
const LITTLE: f64 = 1.0;

/// How it was chosen, in words that go on from "goes to …: ".
pub(super) const fn because(approach: Approach) -> &'static str {
    match approach {
        Approach::Single => "only it was left",
        Approach::Priority => "it is the first of the merchant's list that is left",
        Approach::Bandit => "it scores highest by what is expected of it and what is worth finding out",
        Approach::Uniform => "a fair draw among those close to the best, which keeps the estimates honest",
        Approach::Probe => "a probe, for evidence whether it works",
        Approach::LeastBad => "none was left, and it is the least bad",
        Approach::Rule(_) => "it is the first in the order of the merchant's rule",
        Approach::Static => "it is the first of the static order that is left",
        Approach::StepUp => "the issuer wants the customer authenticated where the payment is",
    }
}

impl Explanation<'_> {
    /// The explanation as one paragraph.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(256 + 128 * self.candidates.len());
        match self.write(&mut text) {
            Ok(()) => text,
            Err(fmt::Error) => unreachable!("a string takes whatever is written to it"),
        }
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        let Self { profile, payment, attempt, amount, chosen, because, .. } = self;
        write!(text, "Attempt {attempt} of {payment} (merchant {profile}, {amount}")?;
        context(text, self.context)?;
        write!(text, ") goes to {chosen}: {because}.")?;
        self.considered(text)?;
        self.excluded(text)?;
        self.little(text)?;
        if let Some(rule) = self.rule {
            write!(text, " The merchant's rule {rule} applied.")?;
        }
        if let Some(objective) = &self.objective {
            self.weighed(text, objective)?;
        }
        if !self.besides.is_empty() {
            write!(text, " Besides: {}.", self.besides.join("; "))?;
        }
        let Self { confidence, propensity, model, view, .. } = self;
        write!(text, " It is the best one with a probability of {}", percent(*confidence))?;
        write!(text, "; such a payment goes there in {} of cases.", percent(*propensity))?;
        write!(text, " Decided")?;
        if let Some(at) = self.decided_at {
            write!(text, " at {at}")?;
        }
        write!(text, " on position {view} of the log by ")?;
        if model == ONLINE_MODEL { text.write_str("the scores alone.") } else { write!(text, "the model {model}.") }
    }

    /// Those that could be chosen, each with what was expected of it.
    fn considered(&self, text: &mut String) -> fmt::Result {
        let mut open = self.candidates.iter().filter(|one| one.excluded.is_none()).peekable();
        if open.peek().is_some() {
            text.push_str(" Considered: ");
        }
        while let Some(one) = open.next() {
            write!(text, "{}, ", one.account)?;
            self.expected(text, one)?;
            text.push_str(if open.peek().is_some() { "; " } else { "." });
        }
        Ok(())
    }

    /// Those that could not, each with why.
    fn excluded(&self, text: &mut String) -> fmt::Result {
        let mut excluded = self.candidates.iter().filter_map(|one| Some((one, one.reason.as_ref()?))).peekable();
        if excluded.peek().is_some() {
            text.push_str(" Excluded: ");
        }
        while let Some((one, reason)) = excluded.next() {
            write!(text, "{}, {reason}: ", one.account)?;
            self.expected(text, one)?;
            text.push_str(if excluded.peek().is_some() { "; " } else { "." });
        }
        Ok(())
    }

    /// Why there may be hardly any evidence of an account that has been in use all day. Which of these it was is not recorded.
    fn little(&self, text: &mut String) -> fmt::Result {
        if self.candidates.iter().all(|one| one.evidence >= LITTLE) {
            return Ok(());
        }
        text.write_str(" Where evidence is worth less than one outcome, nothing was learnt yet, or what was learnt has faded")?;
        text.write_str(" or was put in doubt by a sign of change.")
    }

    fn expected(&self, text: &mut String, one: &Considered<'_>) -> fmt::Result {
        let Considered { expected, interval: [low, high], evidence, bonus, pending, cost, .. } = one;
        write!(text, "{} expected ({} to {} on {})", percent(*expected), percent(*low), percent(*high), worth(*evidence))?;
        write!(text, ", bonus {bonus:.3}, {pending} pending")?;
        let Some(Costs { fee_minor, latency_ms, value_minor }) = cost else { return Ok(()) };
        let currency = self.amount.currency;
        write!(text, ", fee {}, {latency_ms:.0} ms", money(currency, *fee_minor))?;
        value_minor.map_or(Ok(()), |value| write!(text, ", worth {}", money(currency, value)))
    }

    /// What counted besides success, whom success alone would have chosen, and what the choice costs and saves.
    fn weighed(&self, text: &mut String, objective: &Pursued<'_>) -> fmt::Result {
        let Pursued { margin_percent, cost_weight, latency_percent_per_s, by_success, .. } = objective;
        write!(text, " An approved payment is worth {margin_percent} % of its amount to this merchant, fees count ")?;
        write!(text, "{cost_weight}-fold, a second of waiting costs {latency_percent_per_s} % of the amount.")?;
        if *by_success == self.chosen {
            return write!(text, " Success alone would have chosen the same.");
        }
        let currency = self.amount.currency;
        let Pursued { success_given_up, worth_given_up_minor, fees_saved_minor, waiting_saved_ms, .. } = objective;
        write!(text, " Success alone would have chosen {by_success}: this choice ")?;
        write!(
            text,
            "{} {:.2} points of success",
            either(*success_given_up, "gives up", "gains"),
            success_given_up.abs() * 100.0
        )?;
        write!(text, " (worth {})", money(currency, worth_given_up_minor.abs()))?;
        write!(text, ", {} {} of fees", either(*fees_saved_minor, "saves", "costs"), money(currency, fees_saved_minor.abs()))?;
        write!(text, " and {} {:.0} ms.", either(*waiting_saved_ms, "saves", "costs"), waiting_saved_ms.abs())
    }
}

/// What is known of the payment, each after a comma.
fn context(text: &mut String, context: &Context) -> fmt::Result {
    let Context { method, network, country, bin, three_ds, initiator, credential, card_type, issuer } = context;
    let known = |text: &mut String, what: Option<&dyn fmt::Display>| what.map_or(Ok(()), |what| write!(text, ", {what}"));
    known(text, method.as_ref().map(|word| word as _))?;
    known(text, network.as_ref().map(|word| word as _))?;
    known(text, card_type.map(|kind| format!("{kind} card")).as_ref().map(|word| word as _))?;
    known(text, country.as_ref().map(|word| word as _))?;
    known(text, bin.map(|bin| format!("BIN {bin}")).as_ref().map(|word| word as _))?;
    known(text, issuer.map(|bank| format!("issued by {bank}")).as_ref().map(|word| word as _))?;
    known(text, credential.map(stands).as_ref().map(|word| word as _))?;
    known(text, three_ds.map(|asked| if asked { "3DS" } else { "no 3DS" }).as_ref().map(|word| word as _))?;
    known(text, initiator.map(|who| format!("asked for by the {who}")).as_ref().map(|word| word as _))
}

/// What stands for the card, in words.
const fn stands(credential: Credential) -> &'static str {
    match credential {
        Credential::Pan => "by its number",
        Credential::StoredCard => "by its stored number",
        Credential::NetworkToken => "by a network token",
        Credential::DeviceToken => "by a device token",
        Credential::ClickToPay => "by click to pay",
    }
}

/// How much evidence there is: outcomes fade as they age, so it is seldom a whole number of them.
fn worth(evidence: f64) -> String {
    if evidence < LITTLE {
        return "less than one outcome's worth of evidence".to_owned();
    }
    let outcomes = format!("{evidence:.0}");
    let noun = if outcomes == "1" { "outcome" } else { "outcomes" };
    format!("evidence worth {outcomes} {noun}")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// An expected amount, with two digits more than the currency has: a fee's difference is often less than a cent.
fn money(currency: Currency, minor: f64) -> String {
    let digits = currency.exponent();
    let major = minor / f64::from(10_u32.pow(digits));
    format!("{currency} {major:.*}", digits as usize + 2)
}

const fn either(number: f64, positive: &'static str, negative: &'static str) -> &'static str {
    if number >= 0.0 { positive } else { negative }
}
