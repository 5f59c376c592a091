//! Threads that work behind: they yield to the engine and the API.

/// On the scale of `nice`, 19 is the least claim on a processor: about 1 % beside a busy thread, all of it when idle.
const NICENESS: i32 = 19;

/// Lowers the priority of this thread, and of those it starts: for work that must keep up. Without the right to, it runs
/// like the rest.
pub(super) fn yield_to_the_rest(component: &'static str) {
    if let Err(error) = rustix::process::nice(NICENESS) {
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
