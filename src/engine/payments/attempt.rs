//! One attempt of a payment: where it stands, and what an event changes of that.

use serde::{Deserialize, Serialize};

use crate::domain::{DeclineClass, EventKind, PaymentEvent, Time};

/// Where an attempt stands: a lattice, pending below every terminal status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// In flight.
    Pending,
    /// In flight for so long that it is no longer waited for; a late outcome still counts.
    Unknown,
    /// Approved.
    Approved,
    /// Declined or failed.
    Failed,
    /// Failed, because the issuer wants the customer authenticated. A status of its own: it takes no more room than the
    /// others, so it is known as long as they are.
    ScaRequired,
    /// Over without an answer.
    Abandoned,
}

impl Status {
    /// What an event says of the attempt it is about.
    pub(super) fn told(event: &PaymentEvent) -> Self {
        let class = event.decline.as_ref().map(|decline| decline.class);
        match (event.kind.success(), event.kind.abandoned()) {
            (Some(true), _) => Self::Approved,
            (Some(false), _) if class == Some(DeclineClass::ScaRequired) => Self::ScaRequired,
            (Some(false), _) => Self::Failed,
            (None, true) => Self::Abandoned,
            (None, false) => Self::Pending,
        }
    }

    /// Whether it is over, and how is known.
    pub(super) const fn is_over(self) -> bool {
        matches!(self, Self::Approved | Self::Failed | Self::ScaRequired | Self::Abandoned)
    }

    /// Whether it is over without success, for whatever reason.
    pub(super) const fn failed(self) -> bool {
        matches!(self, Self::Failed | Self::ScaRequired)
    }
}

/// One attempt of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Its number, where known.
    pub(crate) number: Option<u16>,
    /// Whether the switch told that number; else it is ours, given with the decision, and may turn out to be another.
    pub(super) told: bool,
    /// Whether any event told of it; else it was only decided.
    pub(super) heard: bool,
    /// Its connector account's number, where a source told it.
    pub(crate) account: Option<u32>,
    /// Where it stands.
    pub(crate) status: Status,
    /// What its lack of an answer was taken for.
    pub(crate) silence: Silent,
    /// What was decided of it, while the payment is open; none where it went elsewhere, or nobody asked.
    pub(crate) asked: Option<Asked>,
}

/// An attempt as it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The number it was asked for by, whatever number the switch gave it since.
    pub(crate) number: u16,
    /// When that was; none where it reached us so late that its answer's delay tells nothing.
    pub(crate) at: Option<Time>,
}

impl Attempt {
    /// One that was decided, and is in flight.
    pub(super) const fn decided(asked: Asked, account: Option<u32>) -> Self {
        let (number, status, silence) = (Some(asked.number), Status::Pending, Silent::No);
        Self { number, told: false, heard: false, account, status, silence, asked: Some(asked) }
    }

    /// One that an event is the first to tell of, and what that means.
    pub(super) fn first_told(event: &PaymentEvent, account: Option<u32>) -> (Self, Merge) {
        let (number, status) = (event.attempt, Status::told(event));
        let attempt = Self { number, told: number.is_some(), heard: true, account, status, silence: Silent::No, asked: None };
        (attempt, first_sight(status))
    }

    /// Decided after an event had told of it: it went where it was decided to go, or the decision is not its own.
    pub(super) fn decided_late(&mut self, number: u16, account: Option<u32>) {
        if self.account.is_none() || self.account == account {
            self.asked.get_or_insert(Asked { number, at: None });
        }
    }

    /// Takes what an event tells of it.
    pub(super) fn told_again(&mut self, event: &PaymentEvent, account: Option<u32>) -> Merge {
        self.heard = true;
        self.told |= event.attempt.is_some();
        self.number = event.attempt.or(self.number);
        self.account = self.account.or(account);
        if event.kind.is_authentication() { Merge::Step } else { advance(self, Status::told(event), event.kind) }
    }

    /// An answer has come: what its lack was taken for until then.
    pub(crate) fn answered(&mut self) -> Silent {
        core::mem::take(&mut self.silence)
    }
}

/// What the lack of an answer was taken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Silent {
    /// It was answered in time, or it is not yet time.
    #[default]
    No,
    /// It was noticed.
    Noticed,
    /// The attempt was presumed to have failed, and taught so.
    Presumed,
}

/// What an event meant for the attempt it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// A new attempt, in flight.
    Started,
    /// About a payment's later life (refund, dispute), and its attempt is not remembered: counts for nothing here.
    Afterwards,
    /// A first outcome: counts. `in_flight`: the attempt was pending before.
    Outcome { approved: bool, in_flight: bool },
    /// Over without an answer. `in_flight` as above.
    Abandoned { in_flight: bool },
    /// A step of 3DS on the way to an outcome.
    Step,
    /// Said nothing new.
    Repeat,
    /// Contradicts the outcome counted first, which stands.
    Contradiction,
}

fn first_sight(target: Status) -> Merge {
    match target {
        Status::Approved => Merge::Outcome { approved: true, in_flight: false },
        Status::Failed | Status::ScaRequired => Merge::Outcome { approved: false, in_flight: false },
        Status::Abandoned => Merge::Abandoned { in_flight: false },
        Status::Pending | Status::Unknown => Merge::Started,
    }
}

fn advance(attempt: &mut Attempt, target: Status, kind: EventKind) -> Merge {
    let in_flight = attempt.status == Status::Pending;
    match (attempt.status, target) {
        (Status::Pending | Status::Unknown, Status::Approved | Status::Failed | Status::ScaRequired) => {
            attempt.status = target;
            Merge::Outcome { approved: target == Status::Approved, in_flight }
        }
        (Status::Pending | Status::Unknown, Status::Abandoned) => {
            attempt.status = target;
            Merge::Abandoned { in_flight }
        }
        // Feedback may have been first, which tells no code: what the issuer wants counts whenever it is told.
        (Status::Failed, Status::ScaRequired) => {
            attempt.status = target;
            Merge::Repeat
        }
        // An authorisation that is voided or a capture after an authorisation says nothing new about the attempt.
        (Status::Approved, Status::Approved) | (_, Status::Pending | Status::Unknown) => Merge::Repeat,
        (Status::Approved, Status::Abandoned) if kind.abandoned() => Merge::Repeat,
        (known, told) if known == told || (known.failed() && told.failed()) => Merge::Repeat,
        _ => Merge::Contradiction,
    }
}
