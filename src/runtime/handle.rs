//! What the API and the dashboard hold of a running engine: read what is published, ask for decisions, append.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::arriving::Arriving;
use super::clock::Clock;
use super::conditions::Conditions;
use super::intake::{self, AppendError, Receipt};
use super::overlay::Overlay;
use super::protocol::Lease;
use super::replica::Published;
use super::spool::SpoolDoor;
use super::status::{self, DecisionStatus, LogStatus, SharedGauges, Status};
use super::told::Told;
use super::{Durability, TableHolder};
use crate::domain::{Body, Command, Context, Decision, Money, PaymentEvent, PaymentId, Position, ProfileId, Request, Time};
use crate::engine::PaymentKey;
use crate::engine::route::rules::Terms;
use crate::engine::route::{self, NoCandidate, RoutingView, Standing};
use crate::engine::snapshot::{CommandOutcome, Snapshot};
use crate::log::{Appender, Log, LogError};
use crate::store::Tables;

/// How long a command may take to be folded. Folding takes milliseconds; this is for an engine that is catching up.
const FOLD_PATIENCE: Duration = Duration::from_secs(5);

/// How long a question waits, right after the start, for the log to be folded: a checkpoint and what came after it take less.
const START_PATIENCE: Duration = Duration::from_secs(3);

/// Which attempt of its payment a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one it names.
    Told,
    /// Whatever it names, the one decided last; where that has failed, the next.
    Latest,
}

/// What is known of a payment that is asked about, folded and not yet.
struct Known<'v> {
    folded: Standing<'v>,
    /// Its latest decision that is still on its way through the log.
    underway: Option<Arc<Decision>>,
}

impl Known<'_> {
    fn attempt_to_decide(&self) -> u16 {
        let later = self.underway.as_ref().map_or(0, |latest| latest.request.attempt);
        self.folded.attempt_to_decide().max(later)
    }

    /// The recorded decision that answers a request, if there is one. A caller that no longer allows its account asks for
    /// another decision, unless a later attempt was decided since.
    fn recorded(&self, request: &Request) -> Result<Option<Arc<Decision>>, DecideError> {
        let attempt = request.attempt;
        let answers = |recorded: &&Arc<Decision>| {
            recorded.request.attempt == attempt && request.eligible.contains(&recorded.chosen().account)
        };
        let folded = self.folded.decision_of(attempt);
        if let Some(recorded) = self.underway.as_ref().filter(answers).or(folded.filter(answers)) {
            return Ok(Some(recorded.clone()));
        }
        let later = self.underway.as_ref().map_or(0, |latest| latest.request.attempt);
        match self.folded.latest().max(later) {
            latest if latest > attempt => Err(DecideError::Overtaken { attempt, latest }),
            _ => Ok(None),
        }
    }
}

/// Why a decision was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DecideError {
    /// The log is still being folded after the start: rules, switches and what was decided before are not known yet.
    #[error("the log is still being folded after the start")]
    NotReady,
    /// The merchant is unknown, and unknown merchants are not created (`auto_create_merchants = false`).
    #[error("the merchant is not known")]
    UnknownMerchant,
    /// A later attempt of the payment was decided since, and the decision asked for is not held in memory, or its account
    /// is none of those allowed now.
    #[error("attempt {attempt} was decided before or is over; the latest is attempt {latest}")]
    Overtaken {
        /// The attempt asked for.
        attempt: u16,
        /// The one decided last.
        latest: u16,
    },
    /// The request names no connector account.
    #[error(transparent)]
    NoCandidate(#[from] NoCandidate),
    /// Under `durability = "sync"`: it was made but is not in the log, so it must not be answered.
    #[error("the decision could not be recorded")]
    NotRecorded(#[from] LogError),
}

/// A running engine, as the API and the dashboard see it. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// What a [`Handle`] is made of.
pub(super) struct Shared {
    pub(super) published: Arc<Published>,
    pub(super) overlay: Arc<Overlay>,
    pub(super) told: Told,
    pub(super) arriving: Arriving,
    pub(super) log: Log,
    pub(super) appender: Appender,
    /// None where the log is in memory.
    pub(super) spool: Option<SpoolDoor>,
    pub(super) clock: Clock,
    pub(super) conditions: Conditions,
    pub(super) gauges: SharedGauges,
    pub(super) lease: watch::Receiver<Option<Lease>>,
    pub(super) tables: TableHolder,
    pub(super) stream_key: Option<String>,
    /// Whether the switch is asked for hidden attempts.
    pub(super) fetches: bool,
    pub(super) durability: Durability,
    pub(super) archive_dir: PathBuf,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("folded", &self.0.published.folded()).finish_non_exhaustive()
    }
}

impl Handle {
    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// The latest snapshot; at most a tenth of a second older than the view.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.published.snapshot()
    }

    /// The latest routing view.
    #[must_use]
    pub fn view(&self) -> Arc<RoutingView> {
        self.0.published.view()
    }

    /// Log time now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.0.clock.now()
    }

    /// The log, for replay, export and verification.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// Where records go that leave the log.
    pub(super) fn archive_dir(&self) -> &Path {
        &self.0.archive_dir
    }

    /// The tables, once they are connected; none where none are configured.
    #[must_use]
    pub fn tables(&self) -> Option<Tables> {
        self.0.tables.get()
    }

    /// The latest decision of a payment that is still open, those on their way through the log among them.
    #[must_use]
    pub fn decided(&self, profile: &ProfileId, payment: &PaymentId) -> Option<Arc<Decision>> {
        let key = PaymentKey::of(profile, payment);
        self.0.overlay.latest(key).or_else(|| self.view().standing(key).decision().cloned())
    }

    /// The decision of one attempt of a payment that is still open, while it is held in memory.
    #[must_use]
    pub fn decided_for(&self, profile: &ProfileId, payment: &PaymentId, attempt: u16) -> Option<Arc<Decision>> {
        let key = PaymentKey::of(profile, payment);
        let underway = self.0.overlay.latest(key).filter(|latest| latest.request.attempt == attempt);
        underway.or_else(|| self.view().standing(key).decision_of(attempt).cloned())
    }

    /// Whether anything is known of a payment: a decision, though it be still on its way through the log, or an event. None
    /// while the log is folded after the start.
    #[must_use]
    pub fn knows(&self, profile: &ProfileId, payment: &PaymentId) -> Option<bool> {
        self.folded_start().ok()?;
        let key = PaymentKey::of(profile, payment);
        Some(self.0.overlay.latest(key).is_some() || self.view().standing(key).is_known())
    }

    /// Whether what the log held at the start is folded, so that rules, switches and earlier decisions are known; or the fold
    /// has halted, and what is known will have to do.
    ///
    /// # Errors
    /// [`DecideError::NotReady`].
    pub fn folded_start(&self) -> Result<(), DecideError> {
        let ready = self.0.gauges.ready.initialized() || self.0.conditions.has("engine");
        ready.then_some(()).ok_or(DecideError::NotReady)
    }

    /// As [`Handle::folded_start`], once it is so, or three seconds are over.
    ///
    /// # Errors
    /// [`DecideError::NotReady`].
    pub async fn until_folded_start(&self) -> Result<(), DecideError> {
        if self.folded_start().is_ok() {
            return Ok(());
        }
        // Running out of time is told by the second look.
        let _ = tokio::time::timeout(START_PATIENCE, self.0.gauges.ready.wait()).await;
        self.folded_start()
    }

    /// Decides where an attempt goes. Never waits: it is recorded behind the answer, and when the log is down or too
    /// slow it is answered all the same and counted as unrecorded.
    ///
    /// An attempt is decided once: a request for it is answered with its own recorded decision, be that folded or still on
    /// its way through the log, never with another attempt's; one for a later attempt is decided anew. The merchant's active
    /// rule says what may be chosen.
    ///
    /// # Errors
    /// See [`DecideError`].
    pub fn decide(&self, request: Request) -> Result<Arc<Decision>, DecideError> {
        self.decide_behind(request, Which::Told, Terms::default())
    }

    fn decide_behind(&self, request: Request, which: Which, terms: Terms<'_>) -> Result<Arc<Decision>, DecideError> {
        let (decision, fresh) = self.choose(request, which, terms)?;
        if fresh && self.0.appender.append_behind(Body::Decided(decision.clone())).is_err() {
            self.0.gauges.unrecorded.fetch_add(1, Ordering::Relaxed);
        }
        Ok(decision)
    }

    /// As [`Handle::decide`], of the attempt that `which` tells, the merchant's rule judged on `terms` too; under `durability
    /// = "sync"` it returns once the decision is durable in the log.
    ///
    /// # Errors
    /// As [`Handle::decide`], and [`DecideError::NotRecorded`].
    pub async fn decide_recorded(
        &self,
        request: Request,
        which: Which,
        terms: Terms<'_>,
    ) -> Result<Arc<Decision>, DecideError> {
        if self.0.durability == Durability::Behind {
            return self.decide_behind(request, which, terms);
        }
        let (decision, fresh) = self.choose(request, which, terms)?;
        if fresh {
            let recorded = self.0.appender.append(Body::Decided(decision.clone())).await;
            recorded.inspect_err(|_| self.0.overlay.settle(&decision))?;
        }
        Ok(decision)
    }

    /// The decision to answer, and whether it is new. The payment is looked up once, in one view.
    fn choose(&self, mut request: Request, which: Which, terms: Terms<'_>) -> Result<(Arc<Decision>, bool), DecideError> {
        let (view, overlay, gauges) = (self.view(), &self.0.overlay, &self.0.gauges);
        self.folded_start()?;
        if !view.settings().routing.auto_create_merchants && !view.knows(&request.profile) {
            return Err(DecideError::UnknownMerchant);
        }
        gauges.answered.fetch_add(1, Ordering::Relaxed);
        let key = PaymentKey::of(&request.profile, &request.payment);
        let known = Known { folded: view.standing(key), underway: overlay.latest(key) };
        if which == Which::Latest {
            request.attempt = known.attempt_to_decide();
        }
        if let Some(recorded) = known.recorded(&request)? {
            gauges.repeated.fetch_add(1, Ordering::Relaxed);
            return Ok((recorded, false));
        }
        let now = self.now();
        let told = self.0.told.of(key);
        request.context = request.context.or(told).or(known.folded.context());
        let ruling = view.ruling(&request, terms);
        let made = Arc::new(route::decide_under(&view, &|account| overlay.in_flight(account), request, now, ruling.as_ref())?);
        let stands = overlay.insert(key, made.clone(), now);
        let (attempt, latest) = (made.request.attempt, stands.request.attempt);
        if latest > attempt {
            return Err(DecideError::Overtaken { attempt, latest });
        }
        let fresh = Arc::ptr_eq(&made, &stands);
        if fresh {
            tracing::debug!(
                component = "decision_engine",
                payment_id = stands.request.payment.as_str(),
                connector = stands.chosen().account.connector(),
                confidence = stands.confidence,
                "Routing decision made"
            );
        }
        Ok((stands, fresh))
    }

    /// Notes what is told of a payment before it is asked where it goes. Never waits: it goes to the log behind the answer,
    /// and where the log does not take it, this replica alone knows it, for as long as it notes such things.
    pub fn tell(&self, profile: &ProfileId, payment: &PaymentId, (context, amount): (Context, Option<Money>)) {
        let key = PaymentKey::of(profile, payment);
        if self.known_of(key) == context {
            return;
        }
        self.0.told.note(key, context);
        let body = Body::PaymentTold { profile: profile.clone(), payment: payment.clone(), context, amount };
        if self.0.appender.append_behind(body).is_err() {
            self.0.gauges.unrecorded.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was told of a payment so far, from every source, while it is open or among the latest that were told of.
    #[must_use]
    pub fn told(&self, profile: &ProfileId, payment: &PaymentId) -> Context {
        self.known_of(PaymentKey::of(profile, payment))
    }

    fn known_of(&self, key: PaymentKey) -> Context {
        self.0.told.of(key).or(self.view().standing(key).context())
    }

    /// Acknowledges payment events: all that were not seen before are durable when this returns, in the log or, while it
    /// does not take them, in the spool.
    ///
    /// # Errors
    /// When neither took them; none is acknowledged then.
    pub async fn accept(&self, events: Vec<PaymentEvent>) -> Result<Receipt, AppendError> {
        let shared = &self.0;
        intake::accept(&self.view(), &shared.arriving, &shared.appender, shared.spool.as_ref(), events).await
    }

    /// Appends an entry; it is durable when this returns.
    ///
    /// # Errors
    /// When the log did not take it.
    pub async fn append(&self, body: Body) -> Result<Position, AppendError> {
        Ok(self.0.appender.append(body).await?)
    }

    /// Appends entries side by side; the position is the last one's. All are durable when this returns.
    ///
    /// # Errors
    /// When the log did not take them; none counts as appended then.
    ///
    /// # Panics
    /// When there are none.
    pub async fn append_many(&self, bodies: Vec<Body>) -> Result<Position, AppendError> {
        Ok(self.0.appender.append_many(bodies).await?)
    }

    /// Gives a command and tells what became of it.
    ///
    /// # Errors
    /// When the log did not take it, or it was not folded within 5 s.
    pub async fn command(&self, command: Command) -> Result<CommandOutcome, AppendError> {
        let waiting = self.0.published.outcomes().wait();
        let position = self.append(Body::Commanded(command)).await?;
        self.applied(position).await?;
        waiting.take(position).ok_or(AppendError::NotFolded(position))
    }

    /// Waits until the view covers a position.
    ///
    /// # Errors
    /// [`AppendError::NotFolded`] after 5 s.
    pub async fn applied(&self, position: Position) -> Result<(), AppendError> {
        let folded = tokio::time::timeout(FOLD_PATIENCE, self.0.published.folded_to(position)).await;
        folded.map_err(|_| AppendError::NotFolded(position))
    }

    /// The last position that the view covers.
    #[must_use]
    pub fn folded(&self) -> Position {
        self.0.published.folded()
    }

    /// How the runtime does.
    #[must_use]
    pub fn status(&self) -> Status {
        let (shared, gauges) = (&self.0, &self.0.gauges);
        let snapshot = self.snapshot();
        let model = snapshot.learning.alert.as_ref().map(|alert| format!("model: {alert}"));
        Status {
            version: env!("CARGO_PKG_VERSION"),
            now: self.now(),
            uptime_s: shared.clock.uptime().as_secs(),
            ready: gauges.ready.initialized() && !shared.conditions.has("engine") && !shared.conditions.has("apos-engine"),
            degraded: shared.conditions.list().into_iter().chain(model).chain(snapshot.adoption.unwell()).collect(),
            leader: shared.lease.borrow().is_some(),
            epoch: shared.published.agenda().borrow().epoch,
            log: self.log_status(),
            spool: shared.spool.as_ref().map(|spool| spool.status(self.now())),
            decisions: DecisionStatus {
                answered: gauges.answered.load(Ordering::Relaxed),
                repeated: gauges.repeated.load(Ordering::Relaxed),
                in_flight: shared.overlay.len(),
                unrecorded: gauges.unrecorded.load(Ordering::Relaxed) + shared.appender.dropped(),
            },
            tables: shared.tables.kind().map(|kind| gauges.tables(kind)),
            stream: shared.stream_key.as_deref().map(|key| gauges.stream(key)),
            hyperswitch: shared.fetches.then(|| gauges.hyperswitch(self.view().hidden_count(), &snapshot.statistics)),
            clock_ahead_ms: shared.clock.ahead_us() / 1_000,
            statistics: snapshot.statistics.clone(),
        }
    }

    fn log_status(&self) -> LogStatus {
        let shared = &self.0;
        LogStatus {
            kind: shared.log.kind(),
            last_record: shared.gauges.last_record.load(Ordering::Relaxed),
            folded: self.folded(),
            folding_to: (!shared.gauges.ready.initialized()).then(|| shared.gauges.start.load(Ordering::Relaxed)),
            queue_depth: shared.appender.depth(),
            checkpoint: status::read(&shared.gauges.checkpoint),
        }
    }
}
