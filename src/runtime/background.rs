//! Threads that work behind: they yield to the engine and the API.

/// On the scale of `nice`, 19 is the least claim on a processor: about 1 % beside a busy thread, all of it when idle.
const NICENESS: i32 = 19;

/// A third of the claim of those that answer: where all want the processors at once, these get to run every few
/// milliseconds, in time for an outcome to be seen within ten.
const BEHIND: i32 = 5;

/// Lets those that answer go first: for the fold, and the log's reading and writing, which gather what comes meanwhile.
pub fn let_answers_go_first() {
    lower(BEHIND, "engine");
}

/// Lowers the priority of this thread, and of those it starts: for work that must keep up. Without the right to, it runs
/// like the rest.
pub(super) fn yield_to_the_rest(component: &'static str) {
    lower(NICENESS, component);
}

fn lower(niceness: i32, component: &'static str) {
    if let Err(error) = rustix::process::nice(niceness) {
        tracing::warn!(component, %error, "runs at the priority of the rest");
    }
}

/// Lets this thread, and those it starts, run only where a processor has nothing else to do: for work that nobody waits
/// for. A thread that is merely nice keeps the processor it is on for milliseconds, while those that were just woken queue
/// for the other one; this one counts as none. Where the system knows no such threads, it is nice.
pub(super) fn run_when_idle(component: &'static str) {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let this = thread_priority::thread_native_id();
        if thread_priority::set_thread_priority_and_policy(this, ThreadPriority::Min, idle).is_ok() {
            return;
        }
    }
    yield_to_the_rest(component);
}
