//! Eligibility: why an account cannot be chosen for a payment, if so.
//!
//! First what the connector handles, then what the merchant's rule allows, then whether it is in use. The first reason found
//! is told. What is not known of a payment keeps no account from it.

use super::rules::Ruling;
use super::view::Account;
use crate::domain::settings::{Connector, ThreeDs};
use crate::domain::{ConnectorAccount, Exclusion, Request, RuleId, Time};

/// Why the account cannot be chosen, if so. Where it cannot do the payment or a rule keeps it out, no probe goes there either.
pub(super) fn exclusion(
    told: Option<&Connector>,
    request: &Request,
    (account, state): (&ConnectorAccount, Option<&Account>),
    ruling: Option<&Ruling<'_>>,
    at: Time,
) -> Option<Exclusion> {
    told.and_then(|connector| misfit(connector, request))
        .or_else(|| kept_out(ruling, account).map(Exclusion::Rule))
        .or_else(|| told?.maintained_until(account, at).map(|_| Exclusion::Maintenance))
        .or_else(|| state.and_then(out_of_use))
}

/// What of the payment the connector does not handle, if so.
fn misfit(connector: &Connector, request: &Request) -> Option<Exclusion> {
    let (context, amount) = (&request.context, request.amount);
    if lacks(&connector.methods, context.method) {
        return Some(Exclusion::Method);
    }
    if lacks(&connector.currencies, Some(amount.currency)) {
        return Some(Exclusion::Currency);
    }
    if lacks(&connector.networks, context.network) {
        return Some(Exclusion::Network);
    }
    if lacks(&connector.countries, context.country) {
        return Some(Exclusion::Country);
    }
    if connector.amounts.get(&amount.currency).is_some_and(|range| !(range.min..=range.max).contains(&amount.minor)) {
        return Some(Exclusion::Amount);
    }
    let refused = match connector.three_ds {
        ThreeDs::Both => None,
        ThreeDs::Only => Some(false),
        ThreeDs::Never => Some(true),
    };
    (refused.is_some() && refused == context.three_ds).then_some(Exclusion::ThreeDs)
}

/// Whether a list that is not empty lacks what is known.
fn lacks<T: PartialEq>(list: &[T], known: Option<T>) -> bool {
    !list.is_empty() && known.is_some_and(|known| !list.contains(&known))
}

/// The rule that does not send the payment to the account, if one does not.
fn kept_out(ruling: Option<&Ruling<'_>>, account: &ConnectorAccount) -> Option<RuleId> {
    ruling.filter(|ruling| ruling.rank(account).is_none()).map(|ruling| ruling.rule)
}

/// Why the account is out of use, if so.
fn out_of_use(state: &Account) -> Option<Exclusion> {
    match state {
        Account { excluded: Some(_), .. } => Some(Exclusion::Operator),
        Account { breaker, .. } if breaker.open.is_some() => Some(Exclusion::BreakerOpen),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{account, request};
    use crate::domain::{Context, Country, Currency, Network};

    fn excluded(connector: &str, change: impl Fn(&mut Request)) -> Option<Exclusion> {
        let account = account("stripe:mca_1");
        let context = Context {
            network: Some(Network::Visa),
            country: Country::parse("DE").ok(),
            three_ds: Some(true),
            ..Context::default()
        };
        let mut request = Request { context, ..request(&[account.as_str()]) };
        change(&mut request);
        let connector: Connector = toml::from_str(connector).unwrap();
        exclusion(Some(&connector), &request, (&account, None), None, Time::from_secs(1_000))
    }

    #[test]
    fn each_reason_names_what_does_not_fit_and_what_is_unknown_never_excludes() {
        let check = |connector: &str, unknown: fn(&mut Request), expected: Exclusion| {
            assert_eq!(excluded(connector, |_| {}), Some(expected), "{connector}");
            assert_eq!(excluded(connector, unknown), None, "{connector}");
        };
        check("networks = [\"mastercard\"]", |r| r.context.network = None, Exclusion::Network);
        check("countries = [\"US\"]", |r| r.context.country = None, Exclusion::Country);
        check("three_ds = \"never\"", |r| r.context.three_ds = None, Exclusion::ThreeDs);
        check("amounts = { EUR = { max = 6539 } }", |r| r.amount.minor = 6_539, Exclusion::Amount);
        check("amounts = { EUR = { min = 6541 } }", |r| r.amount.currency = Currency::parse("USD").unwrap(), Exclusion::Amount);
        assert_eq!(excluded("three_ds = \"only\"", |r| r.context.three_ds = Some(false)), Some(Exclusion::ThreeDs));
        assert_eq!(excluded("three_ds = \"only\"\nnetworks = [\"visa\"]\ncountries = [\"EEA\"]", |_| {}), None);
    }

    #[test]
    fn maintenance_ends_by_itself() {
        let window = |start: &str, end: &str, accounts: &str| {
            format!("maintenance = [{{ start = \"1970-01-01T{start}Z\", end = \"1970-01-01T{end}Z\", accounts = {accounts} }}]")
        };
        // The time asked about is 00:16:40.
        assert_eq!(excluded(&window("00:10:00", "00:17:00", "[]"), |_| {}), Some(Exclusion::Maintenance));
        assert_eq!(excluded(&window("00:10:00", "00:17:00", "[\"mca_1\"]"), |_| {}), Some(Exclusion::Maintenance));
        assert_eq!(excluded(&window("00:10:00", "00:17:00", "[\"mca_2\"]"), |_| {}), None);
        assert_eq!(excluded(&window("00:10:00", "00:16:40", "[]"), |_| {}), None);
        assert_eq!(excluded(&window("00:16:41", "00:17:00", "[]"), |_| {}), None);
    }
}
