//! The fetcher's shell: does what [`Fetches`] says, against the switch and the log.
//!
//! What the switch tells goes through the same intake as a webhook; the note that it was asked follows, so that a crash
//! between the two asks once more, and loses nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use super::clock::Clock;
use super::conditions::Conditions;
use super::handle::Handle;
use super::protocol::Lease;
use super::protocol::fetching::{Fetches, Pace, Told};
use super::status::SharedGauges;
use super::supervisor::{Phase, Stop};
use crate::adapters::decline::DeclineTables;
use crate::adapters::hyperswitch::{AskError, Switch, attempts};
use crate::domain::variables::{HYPERSWITCH_KEY, HYPERSWITCH_KEY_OF};
use crate::domain::{Body, FetchEnd, PaymentEvent, Position};
use crate::engine::{Hidden, RoutingView};

/// How often it is looked for payments to ask for: well below what other sources are waited for, and next to nothing where
/// none waits.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The two conditions: a key that is not accepted, and a switch that does not tell.
const KEY: &str = "hyperswitch-key";
const SWITCH: &str = "hyperswitch";

/// The switch, and how it is asked.
#[derive(Debug, Clone)]
pub struct FetchConfig {
    /// Its API.
    pub switch: Switch,
    /// How fast it is asked.
    pub pace: Pace,
    /// What decline codes mean.
    pub declines: Arc<DeclineTables>,
}

/// The fetcher's shell.
#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) config: FetchConfig,
    pub(super) handle: Handle,
    pub(super) clock: Clock,
    /// Whether this process leads.
    pub(super) lease: watch::Receiver<Option<Lease>>,
    pub(super) gauges: SharedGauges,
    pub(super) conditions: Conditions,
}

/// The attempts of a payment, or why they were not told.
type Answer = Result<Vec<PaymentEvent>, AskError>;

/// Questions under way, and which payment each is about.
#[derive(Debug, Default)]
struct Calls {
    tasks: JoinSet<Answer>,
    about: HashMap<Id, Hidden>,
}

impl Calls {
    /// The next answer; never, while no question is under way. One that ends by a panic is answered all the same.
    async fn next(&mut self) -> Option<(Hidden, Answer)> {
        let (task, answer) = match self.tasks.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok((task, answer))) => (task, answer),
            Some(Err(error)) => {
                tracing::error!(component = "fetcher", %error, "a question ended by a panic");
                (error.id(), Err(AskError::Strange("reading it ended by a panic, which is a defect".to_owned())))
            }
        };
        self.about.remove(&task).map(|hidden| (hidden, answer))
    }
}

impl Fetcher {
    /// Runs until the runtime is quiet. Questions under way then are dropped: they are asked again after the next start.
    pub(super) async fn run(self, stop: Stop) {
        let mut machine = Fetches::new(self.config.pace);
        let mut calls = Calls::default();
        loop {
            // Before all that the log holds is folded, what waits may have been told long ago.
            if self.lease.borrow().is_some() && self.gauges.ready.initialized() {
                self.ask(&mut machine, &mut calls);
            }
            tokio::select! {
                () = stop.at(Phase::Quiet) => return,
                Some((hidden, answer)) = calls.next() => self.take(&mut machine, &hidden, answer).await,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Begins the questions that are due.
    fn ask(&self, machine: &mut Fetches, calls: &mut Calls) {
        let (view, now) = (self.handle.view(), (self.clock.uptime(), self.clock.now()));
        for hidden in machine.next(now, view.position(), view.hidden()) {
            self.gauges.asked.fetch_add(1, Ordering::Relaxed);
            let (switch, declines) = (self.config.switch.clone(), self.config.declines.clone());
            let about = hidden.clone();
            let task = calls.tasks.spawn(async move { ask(&switch, &declines, &about).await });
            calls.about.insert(task.id(), hidden);
        }
    }

    /// Takes an answer in.
    async fn take(&self, machine: &mut Fetches, hidden: &Hidden, answer: Answer) {
        let (told, events, problem) = match answer {
            Ok(events) => (Told::Attempts, events, None),
            Err(error) => (told(&error), Vec::new(), Some(error)),
        };
        let end = machine.answered(self.clock.uptime(), hidden, told);
        self.tell(machine, hidden, end, problem.as_ref());
        if let Some(end) = end {
            let recorded = self.record(hidden, events, end).await;
            machine.recorded(self.clock.uptime(), hidden, recorded);
        }
    }

    /// The events first, then that it was asked; none where the log did not take both.
    async fn record(&self, hidden: &Hidden, mut events: Vec<PaymentEvent>, end: FetchEnd) -> Option<Position> {
        let view = self.handle.view();
        for event in &mut events {
            name_account(&view, event);
        }
        if !events.is_empty()
            && let Err(error) = self.handle.accept(events).await
        {
            tracing::warn!(component = "fetcher", %error, "fetched attempts were not recorded: they are asked for again");
            return None;
        }
        let (profile, payment) = (hidden.profile.clone(), hidden.payment.clone());
        let fetched = Body::AttemptsFetched { profile, payment, made: hidden.made, end };
        let appended = self.handle.append(fetched).await;
        appended
            .inspect_err(|error| tracing::warn!(component = "fetcher", %error, "an end was not recorded: its payment is asked for again"))
            .ok()
    }

    /// Says what is wrong, or no longer.
    fn tell(&self, machine: &Fetches, hidden: &Hidden, end: Option<FetchEnd>, problem: Option<&AskError>) {
        match machine.locked() {
            Some(profile) => self.conditions.set(
                KEY,
                format!(
                    "Hyperswitch does not accept the key for {profile}, or there is none: set {HYPERSWITCH_KEY_OF}{profile}, or \
                     {HYPERSWITCH_KEY} for all profiles, to the merchant's api-key, and restart; \
                     meanwhile one payment tries it again, after a minute and then ever later, up to a quarter of an hour, \
                     and the others wait"
                ),
            ),
            None => self.conditions.clear(KEY),
        }
        match (end, problem) {
            (Some(FetchEnd::Told | FetchEnd::NotFound), _) => self.conditions.clear(SWITCH),
            (Some(FetchEnd::GivenUp), Some(problem)) => {
                tracing::warn!(component = "fetcher", payment_id = hidden.payment.as_str(), %problem, "attempts stay hidden");
                self.conditions.set(SWITCH, format!("attempts stay hidden: asked for them, {problem}"));
            }
            _ => {}
        }
    }
}

async fn ask(switch: &Switch, declines: &DeclineTables, hidden: &Hidden) -> Answer {
    let body = switch.payment(&hidden.profile, &hidden.payment).await?;
    // The field alone: its problem may repeat a value.
    attempts::parse((&hidden.profile, &hidden.payment), &body, declines).map_err(|refused| {
        let field = if refused.field.is_empty() { "the body".to_owned() } else { refused.field };
        AskError::Strange(field)
    })
}

fn told(error: &AskError) -> Told {
    match error {
        AskError::NoKey | AskError::BadKey(_) => Told::BadKey,
        AskError::NotFound => Told::NotFound,
        AskError::Busy { after, .. } => Told::Later(*after),
        AskError::Silent(_) => Told::Later(None),
        AskError::Strange(_) => Told::Strange,
    }
}

/// The switch lists attempts by their connectors' names: where one account alone can be meant, it is that one.
fn name_account(view: &RoutingView, event: &mut PaymentEvent) {
    let bare = event.account.as_ref().filter(|account| account.reference().is_empty());
    let Some(connector) = bare.map(|account| account.connector().to_owned()) else { return };
    let meant = view.account_meant((&event.profile, &event.payment), event.attempt, &connector);
    event.account = meant.or_else(|| event.account.take());
}
