//! The closed vocabularies of the field: methods, networks, event kinds, decline classes, autonomy.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rule::same_word;

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $(#[doc = concat!("`", $text, "`. ")] $(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every word of the vocabulary, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// What a sender may write, for a refusal: one of `...` `...`.
            pub const WORDS: &'static str = concat!("one of", $(" `", $text, "`"),+);

            /// The word as Hyperswitch and this product write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The word's value; case does not matter. `None` for a word the vocabulary lacks.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str().eq_ignore_ascii_case(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

vocabulary! {
    /// Payment methods, by Hyperswitch's names.
    Method {
        Card = "card", CardRedirect = "card_redirect", PayLater = "pay_later", Wallet = "wallet",
        BankRedirect = "bank_redirect", BankTransfer = "bank_transfer", Crypto = "crypto", BankDebit = "bank_debit",
        Reward = "reward", RealTimePayment = "real_time_payment", Upi = "upi", Voucher = "voucher",
        GiftCard = "gift_card", OpenBanking = "open_banking", MobilePayment = "mobile_payment",
        /// A method this version has no name for.
        Other = "other",
    }
}

vocabulary! {
    /// Card networks, by Hyperswitch's names.
    Network {
        Visa = "Visa", Mastercard = "Mastercard", AmericanExpress = "AmericanExpress", Jcb = "JCB",
        DinersClub = "DinersClub", Discover = "Discover", CartesBancaires = "CartesBancaires", UnionPay = "UnionPay",
        Interac = "Interac", RuPay = "RuPay", Maestro = "Maestro", Star = "Star", Pulse = "Pulse", Accel = "Accel",
        Nyce = "Nyce",
        /// A network this version has no name for.
        Other = "other",
    }
}

vocabulary! {
    /// What a payment event says happened, per attempt.
    EventKind {
        /// The attempt was sent to the connector.
        Started = "started",
        /// Waiting for the customer (3DS, redirect) or the merchant.
        ActionRequired = "action_required",
        /// Sent, its outcome not known yet.
        Processing = "processing",
        /// Approved, not captured yet: a success of the attempt.
        Authorised = "authorised",
        /// Money taken: a success of the attempt.
        Captured = "captured",
        /// Declined or failed, with a decline class.
        Failed = "failed",
        /// Cancelled or expired before an answer: neither success nor failure.
        Cancelled = "cancelled",
        /// An authorisation given back: the attempt itself had succeeded.
        Voided = "voided",
        /// Money returned to the customer.
        Refunded = "refunded",
        /// A dispute or chargeback was opened.
        Disputed = "disputed",
        /// Timed out: neither success nor failure until synced.
        Unknown = "unknown",
        /// A step of 3DS: the attempt goes on only when its customer is authenticated.
        AuthenticationRequired = "authentication_required",
        /// A step of 3DS: the customer is before the issuer's challenge.
        AuthenticationStarted = "authentication_started",
        /// A step of 3DS: the customer is authenticated, the attempt goes on.
        AuthenticationSucceeded = "authentication_succeeded",
        /// A step of 3DS: the issuer did not believe the customer; the attempt's own failure follows.
        AuthenticationFailed = "authentication_failed",
        /// A step of 3DS: the customer went away before it was over; the attempt's own end follows.
        AuthenticationAbandoned = "authentication_abandoned",
    }
}

vocabulary! {
    /// Who asks for a payment.
    Initiator {
        /// The customer is there (CIT).
        Customer = "customer",
        /// The merchant, by the customer's earlier consent (MIT): a subscription, a no-show fee.
        Merchant = "merchant",
    }
}

vocabulary! {
    /// What stands for the card.
    Credential {
        /// The number, typed in.
        Pan = "pan",
        /// The number, out of a vault.
        StoredCard = "stored_card",
        /// A token of the card network for this merchant.
        NetworkToken = "network_token",
        /// A token of a device: a wallet on a telephone.
        DeviceToken = "device_token",
        /// The network's own checkout.
        ClickToPay = "click_to_pay",
    }
}

vocabulary! {
    /// How a card is paid for.
    CardType {
        Credit = "credit", Debit = "debit", Prepaid = "prepaid", Charge = "charge",
    }
}

vocabulary! {
    /// Whose fault a failed attempt is.
    DeclineClass {
        /// The connector, acquirer or network failed technically: time-out, 5xx, PSP error. Counts fully.
        Gateway = "gateway",
        /// Do not honour, suspected fraud, limits: issuers judge acquirers differently.
        Mixed = "mixed",
        /// The customer's: insufficient funds, wrong CVV, expired card. No blame for the connector.
        User = "user",
        /// The issuer wants strong customer authentication: step up to 3DS on the same connector.
        ScaRequired = "sca_required",
        /// The request itself was wrong.
        DataError = "data_error",
        /// Not known: learnt as mixed; a breaker opens where a run of them is too unlikely.
        Unclassified = "unclassified",
    }
}

vocabulary! {
    /// What a merchant's routing rule routes, by the peer's names.
    Purpose {
        /// Payments: decisions obey it.
        Payment = "payment",
        /// Payouts.
        Payout = "payout",
        /// The choice of a 3DS provider.
        ThreeDsAuthentication = "three_ds_authentication",
    }
}

vocabulary! {
    /// How a routing rule compares.
    Comparison {
        Equal = "equal", NotEqual = "not_equal", LessThan = "less_than", LessThanEqual = "less_than_equal",
        GreaterThan = "greater_than", GreaterThanEqual = "greater_than_equal",
    }
}

vocabulary! {
    /// Where an event came from.
    Source {
        Webhook = "webhook", Stream = "stream", Feedback = "feedback", Simulation = "simulation",
        /// The switch, asked for the attempts of a payment.
        Fetch = "fetch",
    }
}

vocabulary! {
    /// The autonomy ladder, lowest first.
    Autonomy {
        /// Watches; proposes nothing.
        Observe = "observe",
        /// Proposes; nobody can approve with one key, a person acts by hand.
        Suggest = "suggest",
        /// Proposes; acts when a person approves.
        Approve = "approve",
        /// Acts after a delay unless a person vetoes.
        Veto = "veto",
        /// Acts at once; a person may undo.
        Auto = "auto",
    }
}

impl Comparison {
    /// Whether a number compares so with another.
    #[must_use]
    pub const fn holds(self, number: u64, with: u64) -> bool {
        match self {
            Self::Equal => number == with,
            Self::NotEqual => number != with,
            Self::LessThan => number < with,
            Self::LessThanEqual => number <= with,
            Self::GreaterThan => number > with,
            Self::GreaterThanEqual => number >= with,
        }
    }
}

impl Network {
    /// The network of a word in any of the spellings that wallets, networks and switches use: `visaCard`, `MASTER_CARD`.
    #[must_use]
    pub fn spelt(word: &str) -> Option<Self> {
        let known = |word: &str| Self::ALL.iter().copied().find(|network| same_word(network.as_str(), word));
        let network = known(word).or_else(|| known(word.strip_suffix("Card")?));
        network.or_else(|| same_word(word, "amex").then_some(Self::AmericanExpress)).filter(|network| *network != Self::Other)
    }
}

impl EventKind {
    /// Whether the attempt was approved (`Some(true)`), declined or failed (`Some(false)`), or is not decided.
    #[must_use]
    pub const fn success(self) -> Option<bool> {
        match self {
            Self::Authorised | Self::Captured | Self::Voided | Self::Refunded | Self::Disputed => Some(true),
            Self::Failed => Some(false),
            Self::Started
            | Self::ActionRequired
            | Self::Processing
            | Self::Cancelled
            | Self::Unknown
            | Self::AuthenticationRequired
            | Self::AuthenticationStarted
            | Self::AuthenticationSucceeded
            | Self::AuthenticationFailed
            | Self::AuthenticationAbandoned => None,
        }
    }

    /// Whether it is a step of 3DS: it moves no attempt to its end, that comes in an event of its own.
    #[must_use]
    pub const fn is_authentication(self) -> bool {
        matches!(
            self,
            Self::AuthenticationRequired
                | Self::AuthenticationStarted
                | Self::AuthenticationSucceeded
                | Self::AuthenticationFailed
                | Self::AuthenticationAbandoned
        )
    }

    /// Whether the attempt is over without an answer: it is no longer in flight and teaches nothing.
    #[must_use]
    pub const fn abandoned(self) -> bool {
        matches!(self, Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_in_any_case() {
        for word in Method::ALL {
            assert_eq!(Method::parse(&word.as_str().to_uppercase()), Some(*word));
        }
        assert_eq!(Network::parse("visa"), Some(Network::Visa));
        assert_eq!(Network::parse("nobody"), None);
        assert!(Autonomy::Observe < Autonomy::Auto);
    }
}
