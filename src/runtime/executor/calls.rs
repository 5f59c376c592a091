//! The calls to targets that are under way. Each is answered, even one that ends in a panic.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinSet};

use crate::domain::EffectId;
use crate::runtime::protocol::Refusal;

/// What a call came to.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Read(Result<bool, Refusal>),
    Set(Result<(), Refusal>),
}

/// Whose call it is: the epoch it was made under, and the effect.
type Whose = (u64, EffectId);

/// Calls under way. Those that are left when it is dropped are cancelled.
#[derive(Debug, Default)]
pub(super) struct Calls {
    tasks: JoinSet<Answer>,
    /// Whose each call is, and what answers for it if it panics.
    whose: HashMap<Id, (Whose, Answer)>,
}

impl Calls {
    /// Starts a call that takes `within` at most; `answer` says of which kind it is.
    pub(super) fn start<T: Send + 'static>(
        &mut self,
        whose: Whose,
        within: Duration,
        call: impl Future<Output = Result<T, Refusal>> + Send + 'static,
        answer: fn(Result<T, Refusal>) -> Answer,
    ) {
        let task = self.tasks.spawn(async move {
            let called = tokio::time::timeout(within, call).await;
            answer(called.unwrap_or_else(|_| Err(silent(within))))
        });
        // As of a target that did not answer: what it was asked may have been done.
        let panicked =
            answer(Err(Refusal::Unreachable("the call ended by a panic, which is a defect: see the log files".into())));
        self.whose.insert(task.id(), (whose, panicked));
    }

    /// The next call that ends; never, while none is under way.
    pub(super) async fn next(&mut self) -> Option<(u64, EffectId, Answer)> {
        let (task, answer) = match self.tasks.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok((task, answer))) => (task, Some(answer)),
            Some(Err(error)) => {
                tracing::error!(component = "executor", %error, "a call ended by a panic");
                (error.id(), None)
            }
        };
        let ((epoch, effect), panicked) = self.whose.remove(&task)?;
        Some((epoch, effect, answer.unwrap_or(panicked)))
    }
}

fn silent(within: Duration) -> Refusal {
    Refusal::Unreachable(format!("no answer within {:.1} s", within.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Position;

    const WITHIN: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_call_is_answered_whether_it_answers_is_silent_or_panics() {
        let effect = |number| EffectId { position: Position { record: 1, index: 0 }, number };
        let mut calls = Calls::default();
        calls.start((4, effect(0)), WITHIN, async { Ok(true) }, Answer::Read);
        assert_eq!(calls.next().await, Some((4, effect(0), Answer::Read(Ok(true)))));
        calls.start((4, effect(1)), WITHIN, std::future::pending(), Answer::Set);
        assert_eq!(calls.next().await, Some((4, effect(1), Answer::Set(Err(silent(WITHIN))))));
        calls.start((5, effect(2)), WITHIN, async { panic!("planted") }, Answer::Set);
        let Some((5, id, Answer::Set(Err(Refusal::Unreachable(why))))) = calls.next().await else { panic!("not answered") };
        assert_eq!(id, effect(2));
        assert!(why.contains("panic"), "{why}");
    }
}
