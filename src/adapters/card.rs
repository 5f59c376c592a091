//! What Hyperswitch says of a card besides its digits: who asks, what stands for it, how it is paid for,
//! whether 3DS is asked for.

use crate::domain::{CardType, Credential, Initiator};

/// Who asks: a payment without the customer in session, or of a category of such payments, is the merchant's.
pub(super) fn initiator(off_session: Option<bool>, mit_category: Option<&str>) -> Option<Initiator> {
    match (off_session, mit_category) {
        (Some(true), _) | (None, Some(_)) => Some(Initiator::Merchant),
        (Some(false), _) => Some(Initiator::Customer),
        (None, None) => None,
    }
}

/// What stands for the card: `card_discovery` of a card; a telephone's wallet has a token of its own. Whether the vault
/// sends a stored card's number or its network token, the switch does not tell.
pub(super) fn credential(card_discovery: Option<&str>, method_type: Option<&str>) -> Option<Credential> {
    match (card_discovery, method_type) {
        (_, Some("apple_pay" | "google_pay" | "samsung_pay")) => Some(Credential::DeviceToken),
        (Some("manual"), _) => Some(Credential::Pan),
        (Some("saved_card"), _) => Some(Credential::StoredCard),
        (Some("click_to_pay"), _) => Some(Credential::ClickToPay),
        _ => None,
    }
}

/// `card_type` of the card's data, else what the method's type says (`credit`, `debit`).
pub(super) fn card_type(told: Option<&str>, method_type: Option<&str>) -> Option<CardType> {
    told.and_then(CardType::parse).or_else(|| method_type.and_then(CardType::parse))
}

/// Whether 3DS is asked for, by `authentication_type`.
pub(super) fn three_ds(authentication_type: &str) -> Option<bool> {
    match authentication_type {
        "three_ds" => Some(true),
        "no_three_ds" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_switch_does_not_tell_stays_unknown() {
        assert_eq!((initiator(None, None), credential(None, None), card_type(None, Some("klarna"))), (None, None, None));
        assert_eq!(card_type(Some("DEBIT"), Some("credit")), Some(CardType::Debit));
        assert_eq!(credential(Some("manual"), Some("google_pay")), Some(Credential::DeviceToken));
    }
}
