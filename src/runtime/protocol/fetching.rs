//! Asking the switch for attempts that it hides: which payment next, how fast, how often.
//!
//! The fold says which payments wait; the leader alone asks, so that a fleet does not ask twice. Asking changes nothing at
//! the switch, and what it tells has ids made of the attempts, so a question that a crash or a change of leader repeats
//! counts once: no intent is needed, and nothing is lost but the tries so far.

use std::collections::BTreeMap;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::domain::{FetchEnd, PaymentId, Position, ProfileId, Time};
use crate::engine::Hidden;

/// Questions under way at once: at an answer in 200 ms enough for 40 a second.
const ASKING_MAX: usize = 8;

/// Pauses before a payment is asked for again: 1, 2, 4 and 8 s; then it is given up. A switch that restarts is back by then.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const RETRIES: usize = 4;

/// How long a profile whose key is not accepted rests before one question tries it again; twice as long after each that is
/// refused too, up to the longest: a key that is wrong stays so for hours, and one that is put right at the switch is found
/// within that.
const KEY_PAUSE: Duration = Duration::from_mins(1);
const KEY_PAUSE_MAX: Duration = Duration::from_mins(15);

/// How long nobody is asked after the log did not take an answer, which is lost then and must be asked for again; twice as
/// long each time, up to the longest: the switch must not pay for our outage, nor wait long after it.
const LOG_PAUSE: Duration = Duration::from_secs(1);
const LOG_PAUSE_MAX: Duration = Duration::from_mins(1);

/// Longest that the switch is left alone because it asks for it.
const QUIET_MAX: Duration = Duration::from_mins(5);

/// How fast the switch is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Questions a second, on average; at least 1.
    pub per_s: u32,
    /// Questions at once, after a pause; at least 1.
    pub burst: u32,
    /// How long other sources have to tell by themselves.
    pub delay: Duration,
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The attempts.
    Attempts,
    /// The switch knows no such payment.
    NotFound,
    /// It does not accept the profile's key, or there is none: the payment goes on waiting.
    BadKey,
    /// No answer, or that it is in trouble: it may answer later, but not before it says so.
    Later(Option<Duration>),
    /// Something that is not understood.
    Strange,
}

type Whose = (ProfileId, PaymentId);

/// How far a payment has come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A question is under way, or its answer is on its way to the log.
    Asking,
    /// To be asked for again, not before then.
    Again(Duration),
    /// Its end stands in the log there, and is not folded yet.
    Ended(Position),
}

#[derive(Debug, Clone, Copy)]
struct Work {
    stage: Stage,
    retries: usize,
}

/// A pause that doubles as long as what it waits for does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rest {
    until: Duration,
    pause: Duration,
}

impl Rest {
    const fn begun(now: Duration, pause: Duration) -> Self {
        Self { until: now.saturating_add(pause), pause }
    }

    fn doubled(self, now: Duration, longest: Duration) -> Self {
        Self::begun(now, (self.pause * 2).min(longest))
    }
}

/// The machine.
#[derive(Debug, Clone)]
pub struct Fetches {
    pace: Pace,
    works: BTreeMap<Whose, Work>,
    /// Profiles whose key is not accepted, and how long they rest.
    locked: BTreeMap<ProfileId, Rest>,
    /// The log did not take the last answer.
    unrecorded: Option<Rest>,
    /// The switch wants to be left alone until then.
    quiet: Duration,
    /// When the next question would be due at an even pace.
    even: Duration,
}

impl Fetches {
    /// Nothing under way.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        let (works, locked) = (BTreeMap::new(), BTreeMap::new());
        Self { pace, works, locked, unrecorded: None, quiet: Duration::ZERO, even: Duration::ZERO }
    }

    /// The payments whose turn it is to be asked for, of those that wait, in their order. Everything up to `folded` is in what waits.
    pub fn next<'a>(
        &mut self,
        (now, at): (Duration, Time),
        folded: Position,
        waiting: impl Iterator<Item = &'a Hidden>,
    ) -> Vec<Hidden> {
        self.works.retain(|_, work| !matches!(work.stage, Stage::Ended(end) if end <= folded));
        let mut asked = Vec::new();
        let mut under_way = self.works.values().filter(|work| work.stage == Stage::Asking).count();
        for hidden in waiting {
            if under_way >= ASKING_MAX || !self.may_ask(now) {
                break;
            }
            if at.since(hidden.since) >= self.pace.delay && self.is_due(hidden, now) {
                self.take(hidden, now);
                asked.push(hidden.clone());
                under_way += 1;
            }
        }
        asked
    }

    /// What came of a question; the end to be recorded, if that ends it.
    pub fn answered(&mut self, now: Duration, hidden: &Hidden, told: Told) -> Option<FetchEnd> {
        if told != Told::BadKey && !matches!(told, Told::Later(_)) {
            self.locked.remove(&hidden.profile);
        }
        match told {
            Told::Attempts => Some(FetchEnd::Told),
            Told::NotFound => Some(FetchEnd::NotFound),
            Told::Strange => Some(FetchEnd::GivenUp),
            Told::BadKey => {
                let rest = self.locked.get(&hidden.profile).map_or(KEY_PAUSE, |rest| rest.pause);
                self.locked.insert(hidden.profile.clone(), Rest::begun(now, rest));
                self.works.remove(&whose(hidden));
                None
            }
            Told::Later(after) => {
                self.quiet = self.quiet.max(now + after.unwrap_or_default().min(QUIET_MAX));
                self.again(now, hidden)
            }
        }
    }

    /// The end of a payment stands in the log there. Without a place the log did not take it: nobody is asked for a while, and
    /// then the payment again.
    pub fn recorded(&mut self, now: Duration, hidden: &Hidden, end: Option<Position>) {
        self.unrecorded = match (end, self.unrecorded) {
            (Some(_), _) => None,
            (None, None) => Some(Rest::begun(now, LOG_PAUSE)),
            // Answers that were under way together fail together, and are one failure.
            (None, Some(rest)) if now < rest.until => Some(rest),
            (None, Some(rest)) => Some(rest.doubled(now, LOG_PAUSE_MAX)),
        };
        let stage = end.map_or(Stage::Again(now), Stage::Ended);
        self.works.entry(whose(hidden)).and_modify(|work| work.stage = stage);
    }

    /// A profile whose key is not accepted, if there is one.
    #[must_use]
    pub fn locked(&self) -> Option<&ProfileId> {
        self.locked.keys().next()
    }

    fn is_due(&self, hidden: &Hidden, now: Duration) -> bool {
        if self.locked.get(&hidden.profile).is_some_and(|rest| now < rest.until) {
            return false;
        }
        match self.works.get(&whose(hidden)).map(|work| work.stage) {
            None => true,
            Some(Stage::Again(from)) => from <= now,
            Some(Stage::Asking | Stage::Ended(_)) => false,
        }
    }

    fn take(&mut self, hidden: &Hidden, now: Duration) {
        self.even = self.even.max(now) + self.interval();
        let work = self.works.entry(whose(hidden)).or_insert(Work { stage: Stage::Asking, retries: 0 });
        work.stage = Stage::Asking;
        // One question tries a key that was not accepted; the profile's others go on resting.
        self.locked.entry(hidden.profile.clone()).and_modify(|rest| *rest = rest.doubled(now, KEY_PAUSE_MAX));
    }

    fn again(&mut self, now: Duration, hidden: &Hidden) -> Option<FetchEnd> {
        let work = self.works.get_mut(&whose(hidden))?;
        let pauses = ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_times(RETRIES);
        let Some(pause) = pauses.build().nth(work.retries) else { return Some(FetchEnd::GivenUp) };
        work.retries += 1;
        work.stage = Stage::Again(now + pause);
        None
    }

    /// Neither the switch nor the log is in trouble; and a leaky bucket: as many questions ahead of an even pace as the burst
    /// allows.
    fn may_ask(&self, now: Duration) -> bool {
        let rests = now < self.quiet || self.unrecorded.is_some_and(|rest| now < rest.until);
        !rests && self.even.saturating_sub(self.interval() * self.pace.burst.saturating_sub(1)) <= now
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.pace.per_s.max(1)
    }
}

fn whose(hidden: &Hidden) -> Whose {
    (hidden.profile.clone(), hidden.payment.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { per_s: 4, burst: 3, delay: Duration::ZERO };

    fn hidden(number: u32, profile: &str) -> Hidden {
        Hidden {
            profile: ProfileId::parse(profile).unwrap(),
            payment: PaymentId::parse(&format!("pay_{number}")).unwrap(),
            made: 2,
            since: Time::from_secs(100),
        }
    }

    fn at(record: u64) -> Position {
        Position { record, index: 0 }
    }

    /// Looks every 50 ms, answers nothing; when each payment was asked for, in milliseconds.
    fn asked(machine: &mut Fetches, waiting: &[Hidden], for_ms: u64) -> Vec<u64> {
        let looks = (0..for_ms).step_by(50);
        looks
            .flat_map(|ms| {
                let now = Duration::from_millis(ms);
                let due = machine.next((now, Time::from_secs(200)), at(0), waiting.iter());
                for one in &due {
                    machine.recorded(now, one, Some(at(1)));
                }
                vec![ms; due.len()]
            })
            .collect()
    }

    #[test]
    fn the_pace_is_kept_and_the_burst_comes_after_a_pause_alone() {
        let waiting: Vec<Hidden> = (0..40).map(|number| hidden(number, "pro_1")).collect();
        let mut machine = Fetches::new(PACE);
        assert_eq!(asked(&mut machine, &waiting, 1_100), [0, 0, 0, 250, 500, 750, 1_000]);
    }

    #[test]
    fn no_more_are_under_way_than_the_switch_can_be_expected_to_answer() {
        let waiting: Vec<Hidden> = (0..40).map(|number| hidden(number, "pro_1")).collect();
        let mut machine = Fetches::new(Pace { per_s: 1_000, burst: 1_000, ..PACE });
        assert_eq!(machine.next((Duration::ZERO, Time::from_secs(200)), at(0), waiting.iter()).len(), ASKING_MAX);
    }

    #[test]
    fn other_sources_have_their_time_to_tell() {
        let mut machine = Fetches::new(Pace { delay: Duration::from_secs(3), ..PACE });
        let one = [hidden(1, "pro_1")];
        let mut due = |second| machine.next((Duration::from_secs(9), Time::from_secs(second)), at(0), one.iter()).len();
        assert_eq!((due(100), due(102), due(103), due(104)), (0, 0, 1, 0));
    }

    /// Asks as soon as it may and is told that; when it was asked, in seconds, and how that ended.
    fn play(told: Told) -> (Vec<u64>, Option<FetchEnd>) {
        let (mut machine, one) = (Fetches::new(PACE), [hidden(1, "pro_1")]);
        let mut seconds = Vec::new();
        for second in 0..4_000 {
            let now = Duration::from_secs(second);
            for asked in machine.next((now, Time::from_secs(200)), at(0), one.iter()) {
                seconds.push(second);
                if let Some(end) = machine.answered(now, &asked, told) {
                    return (seconds, Some(end));
                }
            }
        }
        (seconds, None)
    }

    #[test]
    fn what_may_come_later_is_asked_for_again_and_then_given_up() {
        assert_eq!(play(Told::Attempts), (vec![0], Some(FetchEnd::Told)));
        assert_eq!(play(Told::NotFound), (vec![0], Some(FetchEnd::NotFound)));
        assert_eq!(play(Told::Strange), (vec![0], Some(FetchEnd::GivenUp)));
        assert_eq!(play(Told::Later(None)), (vec![0, 1, 3, 7, 15], Some(FetchEnd::GivenUp)));
        let wanted = Told::Later(Some(Duration::from_secs(20)));
        assert_eq!(play(wanted), (vec![0, 20, 40, 60, 80], Some(FetchEnd::GivenUp)));
        // Twice as long each time, up to a quarter of an hour.
        assert_eq!(play(Told::BadKey), (vec![0, 60, 180, 420, 900, 1_800, 2_700, 3_600], None));
    }

    #[test]
    fn a_bad_key_holds_up_its_own_profile_alone_and_one_question_tries_it_again() {
        let waiting = [hidden(1, "pro_bad"), hidden(2, "pro_bad"), hidden(3, "pro_good")];
        let mut machine = Fetches::new(Pace { burst: 9, ..PACE });
        let due = |machine: &mut Fetches, second| {
            let due = machine.next((Duration::from_secs(second), Time::from_secs(200)), at(0), waiting.iter());
            due.into_iter().map(|one| one.payment.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(due(&mut machine, 0), ["pay_1", "pay_2", "pay_3"]);
        for one in &waiting[..2] {
            assert_eq!(machine.answered(Duration::ZERO, one, Told::BadKey), None);
        }
        machine.recorded(Duration::ZERO, &waiting[2], None);
        assert_eq!(machine.locked().unwrap().as_str(), "pro_bad");
        assert_eq!(due(&mut machine, 30), ["pay_3"], "the log did not take it");
        assert_eq!(due(&mut machine, 61), ["pay_1"]);
        assert_eq!(machine.answered(Duration::from_secs(61), &waiting[0], Told::NotFound), Some(FetchEnd::NotFound));
        assert_eq!(machine.locked(), None);
        assert_eq!(due(&mut machine, 62), ["pay_2"]);
    }

    #[test]
    fn while_the_log_takes_nothing_the_switch_is_left_alone_for_longer_and_longer() {
        let waiting: Vec<Hidden> = (0..40).map(|number| hidden(number, "pro_1")).collect();
        let mut machine = Fetches::new(Pace { per_s: 1_000, burst: 2, ..PACE });
        let mut seconds = Vec::new();
        let look = |machine: &mut Fetches, second, end| {
            let now = Duration::from_secs(second);
            let due = machine.next((now, Time::from_secs(200)), at(0), waiting.iter());
            for one in &due {
                machine.recorded(now, one, end);
            }
            due.len()
        };
        for second in 0..200 {
            seconds.extend(vec![second; look(&mut machine, second, None)]);
        }
        assert_eq!(seconds, [0, 1, 3, 7, 15, 31, 63, 123, 183].map(|second| [second; 2]).concat());
        assert_eq!((look(&mut machine, 242, Some(at(1))), look(&mut machine, 243, Some(at(1)))), (0, 2));
        assert_eq!((look(&mut machine, 244, None), look(&mut machine, 245, None)), (2, 2), "it starts over");
    }

    #[test]
    fn what_has_ended_is_not_asked_for_again_before_the_fold_knows() {
        let (mut machine, one) = (Fetches::new(PACE), [hidden(1, "pro_1")]);
        let due = |machine: &mut Fetches, folded| {
            machine.next((Duration::from_secs(1), Time::from_secs(200)), at(folded), one.iter()).len()
        };
        assert_eq!(due(&mut machine, 1), 1);
        machine.recorded(Duration::from_secs(1), &one[0], Some(at(5)));
        assert_eq!(due(&mut machine, 4), 0);
        assert_eq!(due(&mut machine, 5), 1, "it waits still: another attempt was made meanwhile");
    }
}
