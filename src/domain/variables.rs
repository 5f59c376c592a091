//! Names of the environment variables that hold secrets: read by the configuration, told by whoever finds one missing.

/// The key of one profile's webhooks (Hyperswitch's `payment_response_hash_key`): ends with the profile's id.
pub const WEBHOOK_KEY: &str = "APOS_WEBHOOK_KEY__";

/// The api-key with which Hyperswitch is asked about payments; of one profile alone, the variable ends with `__` and the
/// profile's id.
pub const HYPERSWITCH_KEY: &str = "APOS_HYPERSWITCH_KEY";

/// What those begin with.
pub const HYPERSWITCH_KEY_OF: &str = "APOS_HYPERSWITCH_KEY__";

/// An API key: ends with its role, `VIEWER`, `OPERATOR` or `ADMIN`.
pub const API_KEY: &str = "APOS_API_KEY__";

/// The secret that the switch sends with every call (Hyperswitch's `[open_router] admin_secret`).
pub const PEER_SECRET: &str = "APOS_PEER_SECRET";

/// Set to 1, opens the switch's calls to whoever reaches the listener.
pub const PEER_OPEN: &str = "APOS_PEER_OPEN";
