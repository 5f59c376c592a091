//! Reads the Redis Stream of payment events, as one consumer of a consumer group.
//!
//! An entry is acknowledged (XACK) only once the log has it. What stays unacknowledged, be it by a crash of this
//! process, of another consumer or of Redis, is delivered again and recognised by its id. Malformed entries go to
//! `<key>:dead` with the reason. Redis being down stops nothing else: the consumer comes back by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError, RedisResult};

use super::clock;
use super::conditions::Conditions;
use super::handle::Handle;
use super::intake::AppendError;
use super::status::SharedGauges;
use super::supervisor::{Phase, Stop};
use crate::adapters::decline::DeclineTables;
use crate::adapters::stream::{self, FIELD, Malformed};
use crate::domain::personal::is_card_number;
use crate::domain::{PaymentEvent, PaymentId, wording};

/// Pauses between attempts to reach Redis: short enough that a restart of Redis costs no more than a second, long
/// enough that one that stays down is not hammered.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long Redis may take to answer, beyond what it was told to wait.
const ANSWER: Duration = Duration::from_secs(5);

/// Dead letters kept; the oldest go first. They are for a person to look at.
const DEAD_MAX: usize = 10_000;

/// The stream and this consumer's place in its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// `redis://host:port/db`.
    pub url: String,
    /// The stream's key.
    pub key: String,
    /// The consumer group; created if it is missing, to read the stream from its start.
    pub group: String,
    /// This consumer's name, the same after a restart, different for every process.
    pub consumer: String,
    /// Entries that another consumer has left unacknowledged for so long are taken over.
    pub claim_idle: Duration,
    /// What decline codes mean.
    pub declines: Arc<DeclineTables>,
}

/// Why a session with Redis ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("the stream's Redis failed")]
    Redis(#[from] RedisError),
    #[error("events could not be recorded")]
    Append(#[from] AppendError),
}

/// An entry as Redis gives it: its id and its fields; no fields when it was deleted after it had been delivered. Names
/// are bytes like values: a sender may write anything there, and one entry must not end the reading of the others.
type Delivered = (String, Option<Vec<(Vec<u8>, Vec<u8>)>>);

/// Entries sorted by what is to be done with them.
#[derive(Debug, Default, PartialEq)]
struct Sorted {
    /// To be recorded.
    events: Vec<PaymentEvent>,
    /// To be put aside: the fields of the dead letter.
    dead: Vec<Vec<(&'static str, String)>>,
    /// To be acknowledged once all that is done: every one.
    ids: Vec<String>,
}

/// Sorts delivered entries. Deleted ones and old rows of updates are only acknowledged.
fn sort(delivered: Vec<Delivered>, declines: &DeclineTables) -> Sorted {
    let mut sorted = Sorted::default();
    for (id, fields) in delivered {
        if let Some(fields) = fields {
            let event = fields.iter().find(|(name, _)| name == FIELD.as_bytes()).map(|(_, value)| value.as_slice());
            match event.ok_or(Malformed::NoEvent).and_then(|event| stream::parse(&id, event, declines)) {
                Ok(event) => sorted.events.extend(event),
                Err(reason) => sorted.dead.push(dead_letter(&id, &fields, event, &reason)),
            }
        }
        sorted.ids.push(id);
    }
    sorted
}

/// What is kept of a malformed entry: why, where it was, the names of its fields, and the ids it names where they read
/// as such. Nothing else of its content: it could be personal data.
fn dead_letter(
    id: &str,
    fields: &[(Vec<u8>, Vec<u8>)],
    event: Option<&[u8]>,
    reason: &Malformed,
) -> Vec<(&'static str, String)> {
    let names: Vec<&str> = fields.iter().take(NAMES_MAX).map(|(name, _)| shown(str::from_utf8(name).ok())).collect();
    let mut letter = vec![("reason", reason.to_string()), ("id", id.to_owned()), ("fields", names.join(","))];
    let event = event.filter(|event| event.len() <= stream::EVENT_MAX).and_then(|e| serde_json::from_slice(e).ok());
    let event: serde_json::Value = event.unwrap_or_default();
    let id_in = |keys: [&str; 2]| keys.into_iter().find_map(|key| event.get(key)?.as_str());
    if let Some(profile) = id_in(["profile", "profile_id"]) {
        letter.push(("profile", shown(Some(profile)).to_owned()));
    }
    if let Some(payment) = id_in(["payment", "payment_id"]) {
        letter.push(("payment", shown_id(payment).to_owned()));
    }
    letter
}

/// Most names of fields kept of one entry.
const NAMES_MAX: usize = 32;
/// Longest name or id kept, in characters: Hyperswitch's ids have at most 64.
const WORD_MAX: usize = 64;
/// What stands for a name or an id that may be more than that.
const MASKED: &str = "[masked]";
/// From so many digits in a row on, whatever separates them, a name may be a card's or a telephone's number.
const DIGITS_MAX: usize = 10;

/// A text as it may be kept: a word of letters, digits, `_` and `-`, as the names of fields and the ids of payments are.
/// Everything else, an address or a telephone number among it, is masked.
fn shown(text: Option<&str>) -> &str {
    let word = |text: &&str| {
        (1..=WORD_MAX).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
            && text
                .split(|c: char| c.is_ascii_alphabetic())
                .all(|part| part.chars().filter(char::is_ascii_digit).count() < DIGITS_MAX)
    };
    text.filter(word).unwrap_or(MASKED)
}

/// A payment's id as it may be kept: whatever would have been taken as one, for an operator must find the payment again, but
/// for what has a card number in it beside letters.
fn shown_id(id: &str) -> &str {
    let word = id.len() <= WORD_MAX && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'));
    let card = || id.split(|c: char| c.is_ascii_alphabetic()).any(|part| is_card_number(part.trim_matches('_')));
    if word && PaymentId::parse(id).is_ok() && !card() { id } else { MASKED }
}

/// The consumer's shell.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) config: StreamConfig,
    pub(super) handle: Handle,
    pub(super) gauges: SharedGauges,
    pub(super) conditions: Conditions,
}

impl Consumer {
    /// Runs until the runtime is quiet.
    pub(super) async fn run(self, stop: Stop) {
        let mut pause = FIRST_PAUSE;
        loop {
            let ended = tokio::select! {
                // What is being recorded when this stops stays unacknowledged, and is recognised when it comes again.
                () = stop.at(Phase::Quiet) => return,
                ended = self.session(&mut pause) => ended,
            };
            self.gauges.stream.connected.store(false, Ordering::Relaxed);
            if let Err(error) = ended {
                self.conditions.set("stream", wording::chain(&error));
            }
            if !stop.sleep(pause, Phase::Quiet).await {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Connects, takes up what this consumer had left, then reads on until something fails.
    async fn session(&self, pause: &mut Duration) -> Result<(), SessionError> {
        let mut redis = self.connect().await?;
        self.gauges.stream.connected.store(true, Ordering::Relaxed);
        self.take_up(&mut redis).await?;
        self.conditions.clear("stream");
        *pause = FIRST_PAUSE;
        let mut claimed_at: Option<Instant> = None;
        loop {
            let monitor = self.handle.view().settings().event_monitor.clone();
            if !monitor.enabled {
                tokio::time::sleep(Duration::from_millis(monitor.poll_interval_ms)).await;
                continue;
            }
            if claimed_at.is_none_or(|at| at.elapsed() >= self.config.claim_idle / 2) {
                self.claim(&mut redis, monitor.batch_size).await?;
                claimed_at = Some(clock::instant());
            }
            let delivered = self.read(&mut redis, ">", monitor.batch_size, Some(monitor.poll_interval_ms)).await?;
            self.take(&mut redis, delivered).await?;
        }
    }

    /// A connection of its own, since reading blocks it, and the consumer group.
    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let longest_wait = Duration::from_millis(self.handle.view().settings().event_monitor.poll_interval_ms) + ANSWER;
        let timeouts =
            AsyncConnectionConfig::new().set_connection_timeout(Some(ANSWER)).set_response_timeout(Some(longest_wait));
        let client = redis::Client::open(self.config.url.as_str())?;
        let mut redis = client.get_multiplexed_async_connection_with_config(&timeouts).await?;
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&self.config.key).arg(&self.config.group).arg("0").arg("MKSTREAM");
        match create.query_async::<()>(&mut redis).await {
            Err(error) if error.code() != Some("BUSYGROUP") => Err(error),
            _ => Ok(redis),
        }
    }

    /// Entries that were delivered to this consumer and not acknowledged, before it or Redis went away.
    async fn take_up(&self, redis: &mut MultiplexedConnection) -> Result<(), SessionError> {
        let batch = self.handle.view().settings().event_monitor.batch_size;
        loop {
            // They leave this list by being acknowledged.
            let left = self.read(redis, "0", batch, None).await?;
            if left.is_empty() {
                return Ok(());
            }
            self.take(redis, left).await?;
        }
    }

    /// Takes over what other consumers have left unacknowledged for too long.
    async fn claim(&self, redis: &mut MultiplexedConnection, batch: u64) -> Result<(), SessionError> {
        let mut from = "0-0".to_owned();
        loop {
            let mut command = redis::cmd("XAUTOCLAIM");
            let idle = u64::try_from(self.config.claim_idle.as_millis()).unwrap_or(u64::MAX);
            command.arg(&self.config.key).arg(&self.config.group).arg(&self.config.consumer).arg(idle);
            command.arg(&from).arg("COUNT").arg(batch);
            let (next, claimed, _deleted): (String, Vec<Delivered>, Vec<String>) = command.query_async(redis).await?;
            self.gauges.stream.claimed.fetch_add(claimed.len() as u64, Ordering::Relaxed);
            if !claimed.is_empty() {
                tracing::info!(component = "stream", entries = claimed.len(), "claimed from another consumer");
            }
            self.take(redis, claimed).await?;
            if next == "0-0" {
                return Ok(());
            }
            from = next;
        }
    }

    async fn read(
        &self,
        redis: &mut MultiplexedConnection,
        from: &str,
        batch: u64,
        wait_ms: Option<u64>,
    ) -> RedisResult<Vec<Delivered>> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(&self.config.group).arg(&self.config.consumer).arg("COUNT").arg(batch);
        if let Some(wait_ms) = wait_ms {
            command.arg("BLOCK").arg(wait_ms);
        }
        command.arg("STREAMS").arg(&self.config.key).arg(from);
        let streams: Option<Vec<(String, Vec<Delivered>)>> = command.query_async(redis).await?;
        Ok(streams.into_iter().flatten().flat_map(|(_, entries)| entries).collect())
    }

    /// Records what can be recorded, puts the rest aside, and only then acknowledges.
    async fn take(&self, redis: &mut MultiplexedConnection, delivered: Vec<Delivered>) -> Result<(), SessionError> {
        if delivered.is_empty() {
            return Ok(());
        }
        let Sorted { events, dead, ids } = sort(delivered, &self.config.declines);
        let (recorded, put_aside) = (events.len() as u64, dead.len() as u64);
        if !events.is_empty() {
            self.handle.accept(events).await?;
        }
        let mut settle = redis::pipe();
        settle.atomic();
        for letter in &dead {
            settle.cmd("XADD").arg(format!("{}:dead", self.config.key)).arg("MAXLEN").arg("~").arg(DEAD_MAX).arg("*");
            settle.arg(letter).ignore();
        }
        settle.cmd("XACK").arg(&self.config.key).arg(&self.config.group).arg(&ids).ignore();
        settle.query_async::<()>(redis).await?;
        self.gauges.stream.recorded.fetch_add(recorded, Ordering::Relaxed);
        self.gauges.stream.dead.fetch_add(put_aside, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(delivered: Vec<Delivered>) -> Sorted {
        super::sort(delivered, &DeclineTables::default())
    }

    fn delivered(id: &str, name: impl AsRef<[u8]>, value: &str) -> Delivered {
        (id.to_owned(), Some(vec![(name.as_ref().to_vec(), value.as_bytes().to_vec())]))
    }

    #[test]
    fn every_entry_is_acknowledged_and_the_malformed_ones_say_why() {
        let sorted = sort(vec![
            delivered("1-0", "event", r#"{"profile":"pro_1","payment":"pay_1","kind":"started"}"#),
            delivered("2-0", "event", r#"{"profile":"pro_1","payment":"pay_2","kind":"SECRET","email":"ada@example.org"}"#),
            delivered("3-0", "email", "ada@example.org"),
            ("4-0".to_owned(), None),
        ]);
        assert_eq!(sorted.ids, ["1-0", "2-0", "3-0", "4-0"]);
        assert_eq!(sorted.events.len(), 1);
        let text = format!("{:?}", sorted.dead);
        assert!(!text.contains("SECRET") && !text.contains("ada@"), "{text}");
        let letter = &sorted.dead[0];
        assert!(letter[0].1.contains("`kind` must be"), "{letter:?}");
        assert!(letter.contains(&("id", "2-0".to_owned())) && letter.contains(&("payment", "pay_2".to_owned())));
        assert_eq!(sorted.dead[1][2], ("fields", "email".to_owned()));
    }

    #[test]
    fn names_and_ids_that_look_personal_are_masked() {
        let personal = r#"{"profile":"pro_1","payment":"john.doe@example.org","kind":"x"}"#;
        let sorted = sort(vec![
            delivered("1-0", b"\xff\xfe", "v"),
            delivered("2-0", "jane@leak.example.org", "v"),
            delivered("3-0", "event", personal),
        ]);
        let [bytes, name, payment] = &sorted.dead[..] else { panic!("{:?}", sorted.dead) };
        assert!(bytes[0].1.contains("no field `event`"), "{bytes:?}");
        assert_eq!((&bytes[2].1, &name[2].1), (&MASKED.to_owned(), &MASKED.to_owned()));
        assert_eq!(payment[3..], [("profile", "pro_1".to_owned()), ("payment", MASKED.to_owned())]);
    }

    #[test]
    fn an_ordinary_payment_id_is_kept_so_that_the_payment_is_found_again() {
        for id in ["pay_LOrSTDvs2fs1rntR8Bv7", "100000000012", "2026-11-27.0042", "550e8400-e29b-41d4-a716-446655440000"] {
            assert_eq!(shown_id(id), id);
        }
        for other in ["", "4111111111111111", "pay_4111-1111-1111-1111", "ada@example.org", "Ada Lovelace", "tel+4917612345678"]
        {
            assert_eq!(shown_id(other), MASKED, "{other}");
        }
    }

    #[test]
    fn only_words_are_shown() {
        for word in ["event", "card_number", "pay_LOrSTDvs2fs1rntR8Bv7", "x-request-id"] {
            assert_eq!(shown(Some(word)), word);
        }
        for other in [
            "",
            "ada@example.org",
            "Ada Lovelace",
            "4111111111111111",
            "pay_4111-1111-1111-1111",
            "tel+4917612345678",
            "münchen",
        ] {
            assert_eq!(shown(Some(other)), MASKED, "{other}");
        }
    }
}
