//! `GET /config/routing-keys`, `POST /config-sr-dimension`, `GET /config-sr-dimension/{profile}`.
//!
//! The peer keeps a score for each dimension that is configured. Here every dimension counts always, by as much as it has
//! shown to matter, so the setting is kept and given back, and changes nothing.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Deserializer, Serialize};

use super::rule::{Refused, admitted, profile_of, store};
use crate::adapters::json::{self, BadField};
use crate::adapters::peer::keys::RoutingKeys;
use crate::api::reply::{self, Arrived};
use crate::api::{Api, ApiError};
use crate::domain::ProfileId;

/// The name under which the setting is kept.
const KIND: &str = "srDimension";
/// The peer's dimensions.
const DIMENSIONS: [&str; 5] = ["currency", "country", "auth_type", "card_is_in", "card_network"];
/// Most of the peer's user-defined fields: it has ten.
const UDFS_MAX: usize = 10;

#[derive(Debug, Deserialize, Serialize)]
struct Dimension {
    merchant_id: ProfileId,
    #[serde(rename = "paymentInfo")]
    payment_info: Fields,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Fields {
    /// Null is none.
    #[serde(default, deserialize_with = "given")]
    udfs: Vec<i32>,
    fields: Option<Vec<String>>,
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<i32>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Every key that a rule may be about.
pub(in crate::api) async fn routing_keys(request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    match api.is_peer(&request) {
        Ok(()) => reply::ok(&RoutingKeys::all()),
        Err(error) => Refused::from(error).response(),
    }
}

/// Keeps a merchant's dimensions.
pub(in crate::api) async fn set_dimension(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    kept(&request, body, &api).await.unwrap_or_else(Refused::response)
}

/// Gives a merchant's dimensions back.
pub(in crate::api) async fn dimension(path: web::Path<String>, request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    found(&path, &request, &api).unwrap_or_else(Refused::response)
}

async fn kept(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let asked: Dimension = json::read(&api.body(body)?)?;
    admitted(&api.handle.view(), &asked.merchant_id)?;
    let Fields { udfs, fields } = &asked.payment_info;
    if udfs.len() > UDFS_MAX {
        return Err(
            BadField::new("paymentInfo.udfs", format!("it names {}; at most {UDFS_MAX} are allowed", udfs.len())).into()
        );
    }
    let named = fields.iter().flatten().enumerate();
    if let Some((index, _)) = named.clone().find(|(_, name)| !DIMENSIONS.contains(&name.as_str())) {
        let told = format!("it is none of {}", DIMENSIONS.join(", "));
        return Err(BadField::new(format!("paymentInfo.fields[{index}]"), told).into());
    }
    if named.count() > DIMENSIONS.len() {
        return Err(BadField::new("paymentInfo.fields", "a dimension is named twice").into());
    }
    let text = serde_json::to_string(&asked.payment_info).map_err(|error| ApiError::Internal(error.to_string()))?;
    store(api, &asked.merchant_id, KIND, text).await?;
    Ok(reply::ok(&"SR Dimension configuration updated successfully"))
}

fn found(path: &str, request: &HttpRequest, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let merchant_id = profile_of(path)?;
    let view = api.handle.view();
    let payment_info = match view.peer_rule(&merchant_id, KIND) {
        Some(text) => serde_json::from_str(text).map_err(|error| ApiError::Internal(error.to_string()))?,
        None => Fields::default(),
    };
    Ok(reply::ok(&Dimension { merchant_id, payment_info }))
}
