//! The peer's API, Juspay's decision-engine, as Hyperswitch calls it: what is asked and what is answered.
//!
//! Names, spellings and shapes are the peer's, so that changing one URL in Hyperswitch's configuration is the whole
//! migration. What this product knows beyond them stands under `apos`, which the peer's clients do not read.
//!
//! Hyperswitch takes no notice of `decided_gateway`: it sorts its own list by `gateway_priority_map`, highest first.
//! So the map must rank the accounts as they were decided; see [`scores`].

pub mod algorithm;
pub mod evaluate;
pub mod keys;
pub mod routing;
pub mod rule;
pub mod score;

use compact_str::CompactString;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::json::BadField;
use crate::domain::decision::{Pursued, single, told};
use crate::domain::{
    Approach, Bin, Candidate, ConnectorAccount, Context, Country, Currency, Decision, Exclusion, Method, Money, Network,
    PaymentId, ProfileId, Request, RuleId, personal,
};

/// `POST /decide-gateway`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecideRequest {
    /// The payment.
    pub payment_info: PaymentInfo,
    /// The profile.
    pub merchant_id: ProfileId,
    /// The accounts Hyperswitch allows; null where it asks for debit networks only.
    pub eligible_gateway_list: Option<Vec<ConnectorAccount>>,
    /// How to rank; success rates when absent.
    #[serde(default)]
    pub ranking_algorithm: Option<RankingAlgorithm>,
}

/// The peer's ways to rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum RankingAlgorithm {
    /// By success rates.
    #[default]
    #[serde(rename = "SR_BASED_ROUTING")]
    SuccessRates,
    /// By the merchant's priority list.
    #[serde(rename = "PL_BASED_ROUTING")]
    PriorityList,
    /// By the fees of co-badged debit networks.
    #[serde(rename = "NTW_BASED_ROUTING")]
    DebitNetworks,
    /// By both.
    #[serde(rename = "NTW_SR_HYBRID_ROUTING")]
    DebitNetworksAndSuccessRates,
}

/// The payment, as `/decide-gateway` tells it. Hyperswitch sends neither network, country nor BIN on this call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentInfo {
    /// The payment.
    pub payment_id: PaymentId,
    /// The amount, in minor units.
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
    /// `ORDER_PAYMENT`.
    #[serde(default, deserialize_with = "repeated")]
    pub payment_type: Option<CompactString>,
    /// Always "UPI" from Hyperswitch, whatever the payment is.
    #[serde(default, deserialize_with = "repeated")]
    pub payment_method_type: Option<CompactString>,
    /// `card`; other clients of the peer send a network (`VISA`) here.
    #[serde(default, deserialize_with = "repeated")]
    pub payment_method: Option<CompactString>,
    /// The BIN.
    pub card_isin: Option<CompactString>,
    /// `THREE_DS`, `NO_THREE_DS`.
    pub auth_type: Option<CompactString>,
    /// The card's network, from other clients of the peer.
    pub card_switch_provider: Option<CompactString>,
    /// The country, by its two letters, from other clients of the peer.
    pub country: Option<CompactString>,
}

/// A word that the answer repeats, as the peer's does: nothing of a person's.
fn repeated<'de, D: Deserializer<'de>>(from: D) -> Result<Option<CompactString>, D::Error> {
    let word = Option::<CompactString>::deserialize(from)?;
    match word.as_deref().and_then(personal::within) {
        None => Ok(word),
        Some(data) => Err(serde::de::Error::custom(format!("it holds {data}, which has no place here"))),
    }
}

impl PaymentInfo {
    /// What is known of the payment; a word that is none of ours stays unknown.
    #[must_use]
    pub fn context(&self) -> Context {
        let (named, kind) = (self.payment_method.as_deref(), self.payment_method_type.as_deref());
        let network = self.card_switch_provider.as_deref().and_then(Network::parse).or_else(|| named.and_then(Network::parse));
        Context {
            method: named.and_then(Method::parse).or_else(|| kind.and_then(Method::parse)),
            network: network.filter(|network| *network != Network::Other),
            country: self.country.as_deref().and_then(|code| Country::parse(code).ok()),
            bin: self.card_isin.as_deref().and_then(|digits| Bin::parse(digits).ok()),
            three_ds: self.auth_type.as_deref().and_then(three_ds),
            ..Context::default()
        }
    }

    /// The peer's name for the slice its scores are kept in; here it only tells what was sent.
    fn dimension(&self) -> String {
        let parts = [&self.payment_type, &self.payment_method_type, &self.payment_method];
        let [kind, sort, method] = parts.map(|part| part.as_deref().unwrap_or_default());
        format!("{kind}, {sort}, {method}")
    }
}

/// Whether 3DS is asked for: told in capitals or, as the switch writes it elsewhere, without.
fn three_ds(word: &str) -> Option<bool> {
    match word {
        "THREE_DS" => Some(true),
        "NO_THREE_DS" => Some(false),
        word => super::card::three_ds(word),
    }
}

impl DecideRequest {
    /// The request as the engine takes it: which attempt it is about, the peer's callers do not tell.
    ///
    /// # Errors
    /// The amount, where no payment has such a one; the list, where it is longer than [`ELIGIBLE_MAX`].
    ///
    /// [`ELIGIBLE_MAX`]: crate::domain::decision::ELIGIBLE_MAX
    pub fn request(&self, eligible: Vec<ConnectorAccount>) -> Result<Request, BadField> {
        let PaymentInfo { amount, currency, .. } = self.payment_info;
        let amount = Money::of_payment(amount, currency).map_err(|problem| BadField::new("paymentInfo.amount", problem))?;
        let eligible = Request::distinct(eligible).map_err(|problem| BadField::new("eligibleGatewayList", problem))?;
        Ok(Request {
            profile: self.merchant_id.clone(),
            payment: self.payment_info.payment_id.clone(),
            attempt: 1,
            amount,
            context: self.payment_info.context(),
            eligible,
        })
    }
}

/// The answer to `/decide-gateway`: every field of the peer's, in its order, and `apos` after them.
#[derive(Debug, Serialize)]
pub struct DecideResponse<'a> {
    decided_gateway: &'a ConnectorAccount,
    fallback_gateways: Accounts<'a>,
    gateway_priority_map: Scores<'a>,
    filter_wise_gateways: Option<()>,
    priority_logic_tag: Option<()>,
    routing_approach: &'static str,
    gateway_before_evaluation: &'a ConnectorAccount,
    priority_logic_output: PriorityLogic<'a>,
    debit_routing_output: Option<()>,
    reset_approach: &'static str,
    routing_dimension: String,
    routing_dimension_level: &'static str,
    is_scheduled_outage: bool,
    is_dynamic_mga_enabled: bool,
    gateway_mga_id_map: Option<()>,
    is_rust_based_decider: bool,
    /// Whole milliseconds, as the peer's clients read them.
    latency: u64,
    multi_objective_info: Option<()>,
    apos: Reasons<'a>,
}

/// What the peer's fields have no room for.
#[derive(Debug, Serialize)]
struct Reasons<'a> {
    /// How it was really chosen.
    approach: Approach,
    attempt: u16,
    /// How long it took.
    latency_us: u64,
    confidence: f64,
    propensity: f64,
    view: crate::domain::Position,
    /// The merchant's routing rule, where it made a difference.
    rule: Option<RuleId>,
    /// What counted besides success, where anything did. The peer says so by another approach, for which Hyperswitch sends no
    /// feedback.
    #[serde(skip_serializing_if = "Option::is_none")]
    objective: Option<Pursued<'a>>,
    #[serde(serialize_with = "told::candidates")]
    candidates: &'a [Candidate],
}

impl<'a> DecideResponse<'a> {
    /// The answer for a decision that took `latency_us`.
    #[must_use]
    pub fn new(asked: &DecideRequest, decision: &'a Decision, latency_us: u64) -> Self {
        let algorithm = asked.ranking_algorithm.unwrap_or_default();
        let best = decision.candidates.first().unwrap_or_else(|| decision.chosen());
        Self {
            decided_gateway: &decision.chosen().account,
            fallback_gateways: Accounts(decision),
            gateway_priority_map: Scores(decision),
            filter_wise_gateways: None,
            priority_logic_tag: None,
            routing_approach: approach(decision, algorithm),
            gateway_before_evaluation: &best.account,
            priority_logic_output: PriorityLogic::of(decision, algorithm),
            debit_routing_output: None,
            reset_approach: "NO_RESET",
            routing_dimension: asked.payment_info.dimension(),
            routing_dimension_level: "PM_LEVEL",
            is_scheduled_outage: decision.candidates.iter().any(|one| one.excluded == Some(Exclusion::Maintenance)),
            is_dynamic_mga_enabled: false,
            gateway_mga_id_map: None,
            is_rust_based_decider: true,
            latency: latency_us / 1_000,
            multi_objective_info: None,
            apos: Reasons {
                approach: decision.approach,
                attempt: decision.request.attempt,
                latency_us,
                confidence: decision.confidence,
                propensity: decision.propensity,
                view: decision.view,
                rule: decision.rule(),
                objective: decision.weighed().and_then(|weighed| Pursued::of(weighed, decision)),
                candidates: &decision.candidates,
            },
        }
    }
}

/// The peer's word for how it was decided. Hyperswitch sends feedback for these only: after any other word, the
/// peer's `SR_V3_DOWNTIME_ROUTING` among them, it is silent, and nothing would be learnt just when it matters.
fn approach(decision: &Decision, algorithm: RankingAlgorithm) -> &'static str {
    match (algorithm, decision.approach) {
        (RankingAlgorithm::PriorityList, _) => "PRIORITY_LOGIC",
        // There was nothing to choose. Where only one was left, the others were weighed and found wanting.
        (_, Approach::Single) if decision.request.eligible.len() == 1 => "DEFAULT",
        (_, Approach::Uniform | Approach::Probe) => "SR_V3_HEDGING",
        (
            _,
            Approach::Single
            | Approach::Priority
            | Approach::Bandit
            | Approach::LeastBad
            | Approach::Rule(_)
            | Approach::StepUp
            | Approach::Static,
        ) => "SR_SELECTION_V3_ROUTING",
    }
}

/// All but the chosen, in the order of preference; without those that are excluded.
#[derive(Debug)]
struct Accounts<'a>(&'a Decision);

impl Serialize for Accounts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let others = self.0.candidates.iter().enumerate().filter(|(index, _)| *index != usize::from(self.0.chosen));
        to.collect_seq(others.filter(|(_, one)| one.excluded.is_none()).map(|(_, one)| &one.account))
    }
}

/// `gateway_priority_map`.
#[derive(Debug)]
struct Scores<'a>(&'a Decision);

impl Serialize for Scores<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.candidates.len()))?;
        for (account, score) in scores(self.0) {
            map.serialize_entry(account, &Single(score))?;
        }
        map.end()
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Single(#[serde(serialize_with = "single")] f64);

/// Two scores nearer than this would read as one after rounding in a log or on a screen.
const SCORE_STEP: f64 = 1e-6;

/// Each account's expected success, raised just so far that a sort by it, highest first, gives the order decided: the
/// chosen one first, then the others by preference. An excluded account that was not chosen scores 0, as Hyperswitch
/// scores an account it is not told of. The estimates themselves, unchanged, are in `apos.candidates`.
pub fn scores(decision: &Decision) -> impl Iterator<Item = (&ConnectorAccount, f64)> {
    let chosen = usize::from(decision.chosen);
    let others = decision.candidates.iter().enumerate().rev().filter(move |(index, _)| *index != chosen).map(|(_, one)| one);
    let mut below = 0.0_f64;
    others.map(|one| (one, one.excluded.is_none())).chain(core::iter::once((decision.chosen(), true))).map(
        move |(one, included)| {
            if included {
                below = one.expected.max(below + SCORE_STEP);
            }
            (&one.account, if included { below } else { 0.0 })
        },
    )
}

/// `priority_logic_output`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PriorityLogic<'a> {
    is_enforcement: bool,
    gws: &'a [ConnectorAccount],
    priority_logic_tag: Option<()>,
    gateway_reference_ids: Empty,
    primary_logic: Option<Logic>,
    fallback_logic: Option<()>,
}

/// `{}`.
#[derive(Debug, Serialize)]
struct Empty {}

#[derive(Debug, Serialize)]
struct Logic {
    name: Option<&'static str>,
    status: &'static str,
    failure_reason: Option<&'static str>,
}

impl<'a> PriorityLogic<'a> {
    /// Where a priority list was asked for, whether the merchant has one; without one the logic names no gateway.
    fn of(decision: &'a Decision, algorithm: RankingAlgorithm) -> Self {
        let primary_logic = match (algorithm, decision.approach) {
            (RankingAlgorithm::PriorityList, Approach::Priority | Approach::Static) => {
                Some(Logic { name: Some("priority"), status: "SUCCESS", failure_reason: None })
            }
            (RankingAlgorithm::PriorityList, Approach::StepUp) => {
                Some(Logic { name: Some("step_up"), status: "SUCCESS", failure_reason: None })
            }
            (RankingAlgorithm::PriorityList, _) if decision.rule().is_some() => {
                Some(Logic { name: Some("rule"), status: "SUCCESS", failure_reason: None })
            }
            (RankingAlgorithm::PriorityList, _) => {
                Some(Logic { name: None, status: "FAILURE", failure_reason: Some("NO_PRIORITY_LIST") })
            }
            _ => None,
        };
        let failed = primary_logic.as_ref().is_some_and(|logic| logic.name.is_none());
        Self {
            is_enforcement: false,
            gws: match decision.approach {
                _ if failed => &[],
                // No other may be tried.
                Approach::StepUp => core::slice::from_ref(&decision.chosen().account),
                _ => &decision.request.eligible,
            },
            priority_logic_tag: None,
            gateway_reference_ids: Empty {},
            primary_logic,
            fallback_logic: None,
        }
    }
}

/// How `/decide-gateway` and `/update-gateway-score` refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The list of eligible accounts is empty, or was not sent and none is known.
    NoGateway,
    /// All of them are excluded, and the configuration is to refuse then: why each is.
    NoneLeft(String),
    /// The merchant is unknown and is not to be created.
    NoMerchant,
    /// Debit networks are asked for, which this product does not rank.
    NoDebitRouting(ProfileId),
    /// The body was not understood.
    Unreadable(BadField),
    /// Not allowed, or not possible now: the code, and a sentence.
    Other(&'static str, String),
}

impl Refusal {
    /// The peer's error body.
    #[must_use]
    pub fn body(&self) -> Value {
        let invalid = ("Invalid Request", "invalid_request_error");
        match self {
            Self::NoGateway => no_gateway(invalid, NO_GATEWAY),
            Self::NoneLeft(reasons) => no_gateway(invalid, reasons),
            Self::NoMerchant => {
                error(invalid, "Merchant not found", "MERCHANT_NOT_FOUND", "Merchant not found", "Merchant not found")
            }
            Self::NoDebitRouting(profile) => error(
                ("Forbidden", "debit_routing_not_enabled"),
                &format!("Debit routing is not enabled for merchant: {profile}"),
                "TE_05",
                "Debit routing is not enabled for this merchant",
                &format!("Merchant {profile} does not have debit routing enabled. This engine does not rank debit networks."),
            ),
            Self::Unreadable(bad) => {
                let told = bad.to_string();
                error(invalid, &told, "INVALID_REQUEST", "The request could not be read", &told)
            }
            Self::Other(code, told) => error(("Refused", code), told, code, told, told),
        }
    }
}

/// What the peer's users are told where no gateway can take a payment.
const NO_GATEWAY: &str = "Gateway not found to process the transaction request.";

/// The peer's answer where no gateway is left; `why` is for who develops against it.
fn no_gateway(head: (&str, &str), why: &str) -> Value {
    let message = "Can't find a suitable gateway to process the transaction";
    let mut body = error(head, message, "GATEWAY_NOT_FOUND", NO_GATEWAY, why);
    body["routing_approach"] = json!("NONE");
    body["priority_logic_output"] = json!({
        "isEnforcement": false, "gws": [], "priorityLogicTag": null, "gatewayReferenceIds": {},
        "primaryLogic": null, "fallbackLogic": null,
    });
    body
}

fn error((status, code): (&str, &str), message: &str, info: &str, user: &str, developer: &str) -> Value {
    json!({
        "status": status,
        "error_code": code,
        "error_message": message,
        "priority_logic_tag": null,
        "routing_approach": null,
        "filter_wise_gateways": null,
        "error_info": { "code": info, "user_message": user, "developer_message": developer },
        "priority_logic_output": null,
        "is_dynamic_mga_enabled": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing;

    fn decision(expected: &[(f64, Option<Exclusion>)], chosen: u16) -> Decision {
        let candidate = |(index, (expected, excluded)): (usize, &(f64, Option<Exclusion>))| Candidate {
            excluded: *excluded,
            ..testing::candidate(&format!("psp{index}:mca_{index}"), *expected)
        };
        Decision { chosen, ..testing::decision(expected.iter().enumerate().map(candidate).collect()) }
    }

    /// As Hyperswitch orders its list: by score, highest first.
    fn order(decision: &Decision) -> Vec<String> {
        let mut scored: Vec<_> = scores(decision).collect();
        scored.sort_by(|a, b| b.1.total_cmp(&a.1));
        scored.into_iter().map(|(account, _)| account.connector().to_owned()).collect()
    }

    #[test]
    fn sorting_by_the_scores_gives_the_decided_order() {
        let check = |expected: &[(f64, Option<Exclusion>)], chosen, order_wanted: &[&str]| {
            assert_eq!(order(&decision(expected, chosen)), order_wanted);
        };
        check(&[(0.9, None), (0.8, None), (0.7, None)], 0, &["psp0", "psp1", "psp2"]);
        check(&[(0.9, None), (0.8, None), (0.7, None)], 2, &["psp2", "psp0", "psp1"]);
        check(&[(0.5, None), (0.9, None), (0.9, None)], 0, &["psp0", "psp1", "psp2"]);
        let open = Some(Exclusion::BreakerOpen);
        check(&[(0.5, None), (0.4, None), (0.9, open)], 0, &["psp0", "psp1", "psp2"]);
        check(&[(0.5, None), (0.4, None), (0.1, open)], 2, &["psp2", "psp0", "psp1"]);
    }

    #[test]
    fn scores_are_the_estimates_where_these_rank_as_decided() {
        let decision = decision(&[(0.9, None), (0.8, None), (0.7, Some(Exclusion::Operator))], 0);
        let found: Vec<f64> = scores(&decision).map(|(_, score)| score).collect();
        assert_eq!(found, [0.0, 0.8, 0.9]);
    }

    #[test]
    fn hyperswitch_goes_on_sending_feedback_whatever_was_decided() {
        let single = decision(&[(0.9, None)], 0);
        let of_one = Decision { approach: Approach::Single, ..single };
        assert_eq!(approach(&of_one, RankingAlgorithm::SuccessRates), "DEFAULT");
        let several = decision(&[(0.9, None), (0.8, Some(Exclusion::BreakerOpen))], 0);
        for (found, word) in [
            (Approach::Single, "SR_SELECTION_V3_ROUTING"),
            (Approach::Priority, "SR_SELECTION_V3_ROUTING"),
            (Approach::Bandit, "SR_SELECTION_V3_ROUTING"),
            (Approach::LeastBad, "SR_SELECTION_V3_ROUTING"),
            (Approach::StepUp, "SR_SELECTION_V3_ROUTING"),
            (Approach::Static, "SR_SELECTION_V3_ROUTING"),
            (Approach::Uniform, "SR_V3_HEDGING"),
            (Approach::Probe, "SR_V3_HEDGING"),
        ] {
            let decided = Decision { approach: found, ..several.clone() };
            assert_eq!(approach(&decided, RankingAlgorithm::SuccessRates), word);
        }
    }
}
