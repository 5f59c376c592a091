//! `/v1/adoption`: how much of the traffic the engine routes; `/v1/kill-switch`: whether it routes at all.

use actix_web::{HttpRequest, HttpResponse, web};
use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize};

use super::actions::{accepted, checked_reason, give};
use super::reply::{self, Arrived};
use super::{Api, ApiError};
use crate::adapters::json::{self, BadField};
use crate::domain::{Command, Order, Position, ProfileId, Role, Time};
use crate::engine::snapshot::{AdoptionView, CommandOutcome};

/// `PUT /v1/adoption`. With a merchant, it has exactly what is given here, and follows all in the rest; in both, only where
/// both are null, for that may be all of its traffic. Without one, what is not given stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdoptionBody {
    profile: Option<ProfileId>,
    /// Percent, 0 to 100.
    #[serde(default)]
    dial: Said<u64>,
    #[serde(default)]
    shadow: Said<bool>,
}

/// What a field says: null is not the same as nothing said.
#[derive(Debug, Default, PartialEq, Eq)]
enum Said<T> {
    #[default]
    Nothing,
    Null,
    Value(T),
}

impl<T> Said<T> {
    fn value(self) -> Option<T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Said<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Null, Self::Value))
    }
}

impl AdoptionBody {
    /// The order, if it is one.
    fn order(self) -> Result<Order, BadField> {
        let Self { profile, dial, shadow } = self;
        let is_reset = profile.is_some() && dial == Said::Null && shadow == Said::Null;
        let (dial, shadow) = (dial.value().map(percent).transpose()?, shadow.value());
        if dial.is_none() && shadow.is_none() && !is_reset {
            let merchants = if profile.is_some() { FOLLOWS } else { "" };
            return Err(BadField::new("dial", format!("missing: give dial, shadow or both{merchants}")));
        }
        Ok(Order::SetAdoption { profile, dial, shadow })
    }
}

/// How what a merchant has of its own is taken away.
const FOLLOWS: &str = "; for the merchant to follow all again, say so: \"dial\": null, \"shadow\": null";

/// What became of it.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    outcome: CommandOutcome,
    /// Whether anything was heard of the merchant before; none where it was all. What is set for one that is not known holds
    /// from its first payment on: its id may be misspelt.
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_known: Option<bool>,
}

/// `PUT /v1/kill-switch`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KillSwitchBody {
    pulled: bool,
    #[serde(default)]
    reason: CompactString,
}

#[derive(Serialize)]
struct View<'a> {
    position: Position,
    at: Time,
    #[serde(flatten)]
    adoption: &'a AdoptionView,
}

/// How much of the traffic the engine routes, and what it would have made of what is in shadow.
pub(super) async fn get(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.may_read(&request)?;
    let snapshot = api.handle.snapshot();
    Ok(reply::ok(&View { position: snapshot.position, at: snapshot.at, adoption: &snapshot.adoption }))
}

/// Sets the dial and the shadow, of all or of one merchant.
pub(super) async fn set(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let operator = api.require(&request, Role::Admin)?;
    let body: AdoptionBody = json::read(&api.body(body)?)?;
    let merchant_known = body.profile.as_ref().map(|profile| api.handle.view().knows(profile));
    let outcome = accepted(&api, Command { operator, order: body.order()? }).await?;
    Ok(reply::ok(&Answer { outcome, merchant_known }))
}

/// Pulls the kill switch, or releases it.
pub(super) async fn set_kill_switch(
    request: HttpRequest,
    body: Arrived,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let operator = api.require(&request, Role::Operator)?;
    let KillSwitchBody { pulled, reason } = json::read(&api.body(body)?)?;
    let reason = checked_reason(&reason)?;
    give(&api, Command { operator, order: Order::SetKillSwitch { pulled, reason } }).await
}

fn percent(dial: u64) -> Result<u8, BadField> {
    let percent = u8::try_from(dial).ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| BadField::new("dial", format!("{dial} is out of range: allowed are 0 to 100")))
}
