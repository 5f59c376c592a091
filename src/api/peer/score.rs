//! `POST /gateway-score/reset`: forgets how a merchant's own accounts did.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::rule::Refused;
use crate::adapters::json;
use crate::api::Api;
use crate::api::reply::{self, Arrived};
use crate::domain::{Body, ProfileId};

#[derive(Deserialize)]
struct Asked {
    /// The peer's other calls write it as one word; both are understood.
    #[serde(alias = "merchantId")]
    merchant_id: ProfileId,
}

/// The answer. Overrides are the peer's own tuning, of which there is none here.
#[derive(Serialize)]
struct Reset<'a> {
    merchant_id: &'a ProfileId,
    deleted_keys: usize,
    removed_overrides: usize,
}

/// What was learnt of the merchant and of the accounts that its rules and its list name goes back to what is expected of
/// any; their breakers close. What a connector is for all merchants stays.
pub(in crate::api) async fn reset(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    done(&request, body, &api).await.unwrap_or_else(Refused::response)
}

async fn done(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let Asked { merchant_id } = json::read(&api.body(body)?)?;
    let view = api.handle.view();
    if !view.knows(&merchant_id) {
        return Err(Refused::Missing("Merchant account not found"));
    }
    let deleted_keys = view.scores_of(&merchant_id);
    api.append(Body::ScoresReset { profile: merchant_id.clone() }).await?;
    Ok(reply::ok(&Reset { merchant_id: &merchant_id, deleted_keys, removed_overrides: 0 }))
}
