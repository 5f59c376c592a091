//! The log's alphabet: every fact the engine can learn, in the past tense, and every effect it can ask for.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::rule::{RuleId, RuleText};
use super::settings::Recorded;
use super::{
    ActionId, Change, Command, ConnectorAccount, Context, Decision, Model, Money, PaymentEvent, PaymentId, ProfileId, Purpose,
    Time,
};

/// Where an entry stands in the one total order: the record, and the entry's index within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The record's number, from 1; 0 is "before the log".
    pub record: u64,
    /// The entry's index within its record, from 0.
    pub index: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.record, self.index)
    }
}

impl core::str::FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once('.')
            .and_then(|(record, index)| Some(Self { record: record.parse().ok()?, index: index.parse().ok()? }))
            .ok_or_else(|| format!("`{text}` is not a position such as 1042.3"))
    }
}

impl Serialize for Position {
    /// `1042.3` to people and peers; the two numbers in our own encoding.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { (self.record, self.index).serialize(to) }
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            CompactString::deserialize(from)?.parse().map_err(serde::de::Error::custom)
        } else {
            <(u64, u32)>::deserialize(from).map(|(record, index)| Self { record, index })
        }
    }
}

/// One row of the log: the batch of one group commit, stamped once.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its number, from 1, without gaps.
    pub number: u64,
    /// The log's time: never before the record's predecessor.
    pub at: Time,
    /// The fencing epoch of its writer; 0 where the writer held no lease.
    pub epoch: u64,
    /// The version of the encoding it was written in: an archive and its chain keep it as it was.
    pub encoding: u8,
    /// What happened, in order.
    pub bodies: Vec<Body>,
}

/// The encoding entries are written in now. Raised when the shape of an entry changes; older ones stay readable.
///
/// 2: a decision tells when it was made, in half the bytes; a context tells initiator, credential, card type and issuer.
/// 3: settings are written by name, and a decision may carry notes.
pub const ENCODING: u8 = 3;

impl Record {
    /// The record's entries, each with its position and time.
    pub fn entries(self) -> impl Iterator<Item = Entry> {
        let (record, at) = (self.number, self.at);
        self.bodies.into_iter().zip(0_u32..).map(move |(body, index)| Entry { position: Position { record, index }, at, body })
    }
}

/// One fact, at its place and time.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// The log's time.
    pub at: Time,
    /// What happened.
    pub body: Body,
}

/// What happened. A closed set; variants are only ever added, at the end, so that old logs decode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// A leader took over: what follows is its.
    EngineStarted {
        /// The program's version.
        version: String,
        /// The leader's fencing epoch.
        epoch: u64,
    },
    /// A configuration came into force. Everything `apply` and `decide` read of it is in here.
    Configured(Recorded),
    /// A payment event arrived.
    Payment(Box<PaymentEvent>),
    /// A routing decision was answered.
    Decided(Arc<Decision>),
    /// An operator gave a command.
    Commanded(Command),
    /// The leader is about to act. Only acts with an intent in the log are executed.
    Intended {
        /// Which effect.
        id: EffectId,
        /// Its full content.
        act: Act,
    },
    /// An effect ended.
    Ended {
        /// Which effect.
        id: EffectId,
        /// How.
        result: EffectResult,
    },
    /// Resources were measured.
    Sampled(ResourceSample),
    /// Time passed without anything else to say so.
    Ticked,
    /// The switch (by the peer's API) or an operator gave a merchant its routing: a priority list, or none.
    MerchantConfigured {
        /// The merchant.
        profile: ProfileId,
        /// The fixed order, first choice first; empty: the bandit chooses.
        priority: Vec<ConnectorAccount>,
    },
    /// The switch stored a rule of the peer's kind (`successRate`, `elimination`) for a merchant.
    PeerRuleStored {
        /// The merchant.
        profile: ProfileId,
        /// The rule's kind.
        kind: String,
        /// The rule, in the peer's JSON.
        rule: String,
    },
    /// The switch deleted a merchant's account: its priority list and its rules are gone. What was learnt stays, and a
    /// payment of its makes it known again.
    MerchantDeleted {
        /// The merchant.
        profile: ProfileId,
    },
    /// A merchant created a routing rule; its id is this entry's position.
    RuleCreated {
        /// The merchant.
        profile: ProfileId,
        /// What it routes.
        purpose: Purpose,
        /// What was written.
        text: Box<RuleText>,
    },
    /// A merchant changed a rule that was not active.
    RuleUpdated {
        /// The merchant.
        profile: ProfileId,
        /// The rule.
        id: RuleId,
        /// What was written.
        text: Box<RuleText>,
    },
    /// A merchant's rule came into force, in the place of the one that was, or went out of it.
    RuleActivated {
        /// The merchant.
        profile: ProfileId,
        /// The rule.
        id: RuleId,
        /// Whether it is active from now on.
        active: bool,
    },
    /// A merchant deleted a rule that was not active.
    RuleDeleted {
        /// The merchant.
        profile: ProfileId,
        /// The rule.
        id: RuleId,
    },
    /// The switch told of a payment, before it asked where to send it, what that question leaves out.
    PaymentTold {
        /// The merchant.
        profile: ProfileId,
        /// The payment.
        payment: PaymentId,
        /// What it told.
        context: Context,
        /// The amount, where it was told.
        amount: Option<Money>,
    },
    /// The switch asked to forget how a merchant's own accounts did.
    ScoresReset {
        /// The merchant.
        profile: ProfileId,
    },
    /// The switch was asked for the attempts of a payment that no event had told of; what it told stands before this.
    AttemptsFetched {
        /// The merchant.
        profile: ProfileId,
        /// The payment.
        payment: PaymentId,
        /// Attempts that were known to have been made when it was asked.
        made: u16,
        /// What came of it.
        end: FetchEnd,
    },
    /// The leader trained a model, and proposes it: what becomes of it is the fold's to decide.
    ModelPublished(Box<Model>),
}

/// How asking the switch for the attempts of a payment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchEnd {
    /// It told them.
    Told,
    /// It knows no such payment: it is not asked again.
    NotFound,
    /// It was asked as often as it is, or what it answers cannot be read: it is not asked again.
    GivenUp,
}

/// An effect's identity: the position of the entry that asked for it, and a running number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId {
    /// The entry that asked.
    pub position: Position,
    /// Which of its effects.
    pub number: u16,
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.position, self.number)
    }
}

/// Which way an action's change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Make the change.
    Execute,
    /// Take it back.
    RollBack,
}

/// What the engine asks of the world. Imperative; set-state, so that repeating it is safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The action it belongs to.
    pub action: ActionId,
    /// Forth or back.
    pub step: Step,
    /// The change to make, complete (for a roll-back: the inverse, already turned round).
    pub change: Change,
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EffectResult {
    /// The target is as the effect wanted it.
    Done,
    /// The target refused, or could not be reached within the allowed retries.
    Refused {
        /// Why, for the operator.
        reason: String,
    },
    /// It was sent, or may have been, and the target does not tell what became of it: a person has to look.
    Unknown {
        /// Why it is not known.
        reason: String,
    },
}

/// One measurement of the resources the switch runs on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ResourceSample {
    /// CPU in use, percent of what there is, 0 to 100.
    pub cpu_percent: f64,
    /// Memory in use, percent, 0 to 100.
    pub memory_percent: f64,
    /// Requests waiting.
    pub queue_depth: u32,
    /// Instances running.
    pub instances: u16,
}
