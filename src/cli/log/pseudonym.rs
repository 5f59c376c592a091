//! Pseudonyms for what names a merchant, an account, a payment or a person: keyed, and the same for the same name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::rule::{Algorithm, RuleText};
use crate::domain::settings::{Merchant, Settings};
use crate::domain::{
    Act, Body, Change, Command, ConnectorAccount, Decision, EffectResult, EventId, OperatorName, Order, PaymentEvent,
    PaymentId, PriorityMove, ProfileId, Record, Request,
};

/// Hexadecimal digits of a pseudonym: 64 bits; among 10^7 payments two share one with a probability of 10^-5.
const DIGITS: usize = 16;

/// What stands for a text that a person wrote.
const LEFT_OUT: &str = "(left out)";

/// A key's pseudonyms.
pub(super) struct Pseudonyms {
    key: [u8; 32],
}

impl Pseudonyms {
    pub(super) fn new(key: &[u8]) -> Self {
        Self { key: blake3::derive_key("apos 2026 pseudonyms of an exported log", key) }
    }

    /// The record under pseudonyms; everything that is counted, decided or detected stays as it was.
    pub(super) fn record(&self, record: Record) -> Record {
        Record { bodies: record.bodies.into_iter().map(|body| self.body(body)).collect(), ..record }
    }

    fn body(&self, body: Body) -> Body {
        match body {
            Body::Configured(settings) => Body::Configured(self.settings(&settings).into()),
            Body::Payment(event) => Body::Payment(Box::new(self.event(*event))),
            Body::Decided(decision) => Body::Decided(Arc::new(self.decision(&decision))),
            Body::Commanded(command) => Body::Commanded(self.command(command)),
            Body::Intended { id, act } => Body::Intended { id, act: Act { change: self.change(act.change), ..act } },
            Body::Ended { id, result: EffectResult::Refused { .. } } => {
                Body::Ended { id, result: EffectResult::Refused { reason: LEFT_OUT.to_owned() } }
            }
            Body::MerchantConfigured { profile, priority } => {
                Body::MerchantConfigured { profile: self.profile(&profile), priority: self.accounts(&priority) }
            }
            // The rule's own text may name accounts; what decides is not read from it.
            Body::PeerRuleStored { profile, kind, .. } => {
                Body::PeerRuleStored { profile: self.profile(&profile), kind, rule: "{}".to_owned() }
            }
            Body::MerchantDeleted { profile } => Body::MerchantDeleted { profile: self.profile(&profile) },
            Body::RuleCreated { profile, purpose, text } => {
                Body::RuleCreated { profile: self.profile(&profile), purpose, text: Box::new(self.rule(*text)) }
            }
            Body::RuleUpdated { profile, id, text } => {
                Body::RuleUpdated { profile: self.profile(&profile), id, text: Box::new(self.rule(*text)) }
            }
            Body::RuleActivated { profile, id, active } => Body::RuleActivated { profile: self.profile(&profile), id, active },
            Body::RuleDeleted { profile, id } => Body::RuleDeleted { profile: self.profile(&profile), id },
            Body::PaymentTold { profile, payment, context, amount } => {
                Body::PaymentTold { profile: self.profile(&profile), payment: self.payment(&payment), context, amount }
            }
            Body::ScoresReset { profile } => Body::ScoresReset { profile: self.profile(&profile) },
            Body::AttemptsFetched { profile, payment, made, end } => {
                Body::AttemptsFetched { profile: self.profile(&profile), payment: self.payment(&payment), made, end }
            }
            // A model tells of connectors and kinds of payment, of no merchant.
            body @ (Body::EngineStarted { .. }
            | Body::Ended { .. }
            | Body::Sampled(_)
            | Body::Ticked
            | Body::ModelPublished(_)) => body,
        }
    }

    /// A rule under pseudonyms: its accounts, and every text that the merchant chose. Decisions are recorded beside it, so
    /// that nothing is lost where a condition no longer compares.
    fn rule(&self, mut text: RuleText) -> RuleText {
        LEFT_OUT.clone_into(&mut text.name);
        LEFT_OUT.clone_into(&mut text.description);
        text.algorithm.accounts_mut().into_iter().for_each(|account| *account = self.account(account));
        if let Algorithm::Advanced(program) = &mut text.algorithm {
            program.notes.clear();
            program.globals.clear();
            for case in &mut program.cases {
                case.name = LEFT_OUT.into();
                case.statements.clear();
            }
        }
        text
    }

    fn settings(&self, settings: &Settings) -> Settings {
        let merchant = |(profile, merchant): (&ProfileId, &Merchant)| {
            let pseudonym = self.profile(profile);
            let name = if merchant.name.is_empty() { String::new() } else { pseudonym.to_string() };
            (pseudonym, Merchant { name, priority: self.accounts(&merchant.priority), ..merchant.clone() })
        };
        let merchants: BTreeMap<ProfileId, Merchant> = settings.merchants.iter().map(merchant).collect();
        let mut settings = Settings { merchants, ..settings.clone() };
        for (name, connector) in &mut settings.connectors {
            for reference in connector.maintenance.iter_mut().flat_map(|window| &mut window.accounts) {
                if let Ok(account) = ConnectorAccount::of(name.as_str(), Some(reference)) {
                    *reference = self.account(&account).reference().into();
                }
            }
        }
        for experiment in settings.experiments.values_mut() {
            experiment.merchants.iter_mut().for_each(|merchant| *merchant = self.profile(merchant));
        }
        settings
    }

    fn event(&self, event: PaymentEvent) -> PaymentEvent {
        PaymentEvent {
            event_id: event
                .event_id
                .as_ref()
                .map(|id| EventId::parse(&self.name("evt", id.as_str())).unwrap_or_else(|_| id.clone())),
            profile: self.profile(&event.profile),
            payment: self.payment(&event.payment),
            account: event.account.as_ref().map(|account| self.account(account)),
            ..event
        }
    }

    fn decision(&self, decision: &Decision) -> Decision {
        let mut decision = decision.clone();
        for candidate in &mut decision.candidates {
            candidate.account = self.account(&candidate.account);
        }
        let request = decision.request;
        let (profile, payment) = (self.profile(&request.profile), self.payment(&request.payment));
        let eligible = self.accounts(&request.eligible);
        Decision { request: Request { profile, payment, eligible, ..request }, ..decision }
    }

    fn command(&self, command: Command) -> Command {
        let order = match command.order {
            Order::Skip { position, .. } => Order::Skip { position, reason: LEFT_OUT.into() },
            Order::SetAdoption { profile, dial, shadow } => {
                Order::SetAdoption { profile: profile.map(|profile| self.profile(&profile)), dial, shadow }
            }
            Order::SetKillSwitch { pulled, reason } if !reason.is_empty() => {
                Order::SetKillSwitch { pulled, reason: LEFT_OUT.into() }
            }
            Order::Reject { action, version, reason } if !reason.is_empty() => {
                Order::Reject { action, version, reason: LEFT_OUT.into() }
            }
            Order::Override { action, version, change } => Order::Override { action, version, change: self.change(change) },
            order => order,
        };
        let name = self.name("operator", command.operator.as_str());
        Command { operator: OperatorName::parse(&name).unwrap_or(command.operator), order }
    }

    fn change(&self, change: Change) -> Change {
        let moved = |m: &PriorityMove| PriorityMove {
            profile: self.profile(&m.profile),
            before: self.accounts(&m.before),
            after: self.accounts(&m.after),
        };
        match change {
            Change::ReorderPriority { moves } => Change::ReorderPriority { moves: moves.iter().map(moved).collect() },
            Change::ExcludeAccount { account } => Change::ExcludeAccount { account: self.account(&account) },
            Change::RestoreAccount { account } => Change::RestoreAccount { account: self.account(&account) },
            change @ (Change::Scale { .. } | Change::SetArm { .. }) => change,
        }
    }

    fn profile(&self, profile: &ProfileId) -> ProfileId {
        ProfileId::parse(&self.name("merchant", profile.as_str())).unwrap_or_else(|_| profile.clone())
    }

    fn payment(&self, payment: &PaymentId) -> PaymentId {
        PaymentId::parse(&self.name("pay", payment.as_str())).unwrap_or_else(|_| payment.clone())
    }

    fn accounts(&self, accounts: &[ConnectorAccount]) -> Vec<ConnectorAccount> {
        accounts.iter().map(|account| self.account(account)).collect()
    }

    /// The connector stays: it is a public company. What tells whose account it is does not.
    fn account(&self, account: &ConnectorAccount) -> ConnectorAccount {
        let connector = account.connector();
        let Some(own) = account.as_str().strip_prefix(connector).and_then(|rest| rest.strip_prefix(':')) else {
            return account.clone();
        };
        ConnectorAccount::parse(&format!("{connector}:{}", self.name("mca", own))).unwrap_or_else(|_| account.clone())
    }

    fn name(&self, kind: &str, name: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(kind.as_bytes()).update(&[0]).update(name.as_bytes());
        format!("{kind}_{}", &hasher.finalize().to_hex()[..DIGITS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::ENCODING;
    use crate::domain::rule::{Case, Condition, Output, Program, Statement, Value};
    use crate::domain::{Comparison, Purpose};

    #[test]
    fn of_a_rule_only_what_it_does_with_connectors_stays() {
        let account = |name: &str| ConnectorAccount::parse(name).unwrap();
        let value = Value::Text("secret_label".into());
        let condition =
            Condition { key: "business_label".into(), comparison: Comparison::Equal, value, notes: "secret_note".to_owned() };
        let case = Case {
            name: "secret_case".into(),
            output: Output::Priority(vec![account("stripe:secret_1"), account("adyen:secret_2")]),
            statements: vec![Statement { conditions: vec![condition], nested: Vec::new() }],
        };
        let program = Program {
            globals: vec![("secret_set".into(), Vec::new())],
            default: Output::Single(account("checkout:secret_3")),
            cases: vec![case],
            notes: "secret_notes".to_owned(),
        };
        let text = RuleText {
            name: "secret_name".to_owned(),
            description: "secret_words".to_owned(),
            algorithm: Algorithm::Advanced(program),
            bytes: 9,
        };
        let profile = ProfileId::parse("secret_merchant").unwrap();
        let body = Body::RuleCreated { profile, purpose: Purpose::Payment, text: Box::new(text) };
        let record = Record { number: 1, at: crate::domain::Time::ZERO, epoch: 1, encoding: ENCODING, bodies: vec![body] };
        let shown = format!("{:?}", Pseudonyms::new(b"key").record(record));
        assert!(!shown.contains("secret"), "{shown}");
        for connector in ["stripe:mca_", "adyen:mca_", "checkout:mca_"] {
            assert!(shown.contains(connector), "{connector}: {shown}");
        }
    }
}
