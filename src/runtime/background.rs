//! Threads that work behind: they yield to the engine and the API.

/// On the scale of `nice`, 19 is the least claim on a processor: about 1 % beside a busy thread, all of it when idle.
const NICENESS: i32 = 19;

/// Lowers the priority of this thread, and of those it starts. Without the right to, it runs like the rest.
pub(super) fn yield_to_the_rest(component: &'static str) {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(component, %error, "runs at the priority of the rest");
    }
}
