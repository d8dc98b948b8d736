//! The process and its runtime, as they are when somebody asks. Linux tells in `/proc`; elsewhere only the runtime does.

use std::{fs, sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter},
};
use tokio::runtime::{Handle, RuntimeMetrics};

use super::definitions::{self as define, Definition};

/// Ticks in a second. The kernel has told 100 to programs for decades, whatever it counts in itself.
const TICKS: f64 = 100.0;

/// None where the system does not tell.
type Number = fn() -> Option<f64>;

/// Has this process observed, the runtime that it is called in, and those of the workers that serve calls.
pub fn observe(meter: &Meter, workers: Vec<RuntimeMetrics>) {
    let numbers: [(&Definition, Number); 7] = [
        (&define::PROCESS_CPU, || Some((stat(13)? + stat(14)?) / TICKS)),
        (&define::PROCESS_RESIDENT, || status("VmRSS:").map(kibibytes)),
        (&define::PROCESS_VIRTUAL, || status("VmSize:").map(kibibytes)),
        (&define::PROCESS_FDS, open_fds),
        (&define::PROCESS_MAX_FDS, max_fds),
        (&define::PROCESS_THREADS, || status("Threads:")),
        (&define::PROCESS_START, started),
    ];
    for (definition, number) in numbers {
        definition.observe(meter, move |gauge| {
            if let Some(number) = number() {
                gauge.observe(number, &[]);
            }
        });
    }
    let runtimes: Arc<[_]> = [vec![Handle::current().metrics()], workers].concat().into();
    of_runtimes(&define::TOKIO_WORKERS, meter, &runtimes, |runtime| runtime.num_workers());
    of_runtimes(&define::TOKIO_TASKS, meter, &runtimes, |runtime| runtime.num_alive_tasks());
    of_runtimes(&define::TOKIO_QUEUE, meter, &runtimes, |runtime| runtime.global_queue_depth());
    of_threads(&define::TOKIO_BUSY, meter, &runtimes, |runtime, worker| {
        runtime.worker_total_busy_duration(worker).as_secs_f64()
    });
    of_threads(&define::TOKIO_PARKS, meter, &runtimes, |runtime, worker| {
        whole(runtime.worker_park_count(worker))
    });
}

/// A number of all runtimes together.
fn of_runtimes(
    definition: &Definition,
    meter: &Meter,
    runtimes: &Arc<[RuntimeMetrics]>,
    number: fn(&RuntimeMetrics) -> usize,
) {
    let runtimes = runtimes.clone();
    definition.observe(meter, move |gauge| {
        let all: usize = runtimes.iter().map(number).sum();
        gauge.observe(whole(all as u64), &[]);
    });
}

/// A number of each thread: those of the runtime that comes first, then the workers.
fn of_threads(
    definition: &Definition,
    meter: &Meter,
    runtimes: &Arc<[RuntimeMetrics]>,
    number: fn(&RuntimeMetrics, usize) -> f64,
) {
    let runtimes = runtimes.clone();
    definition.observe(meter, move |counter: &dyn AsyncInstrument<f64>| {
        let threads =
            runtimes.iter().flat_map(|runtime| (0..runtime.num_workers()).map(move |i| (runtime, i)));
        for (thread, (runtime, index)) in threads.enumerate() {
            counter.observe(number(runtime, index), &[KeyValue::new("worker", thread.to_string())]);
        }
    });
}

/// Metrics are floating point numbers, exact up to 2^53.
#[allow(clippy::cast_precision_loss, reason = "no count here gets there")]
pub fn whole(number: u64) -> f64 {
    number as f64
}

fn kibibytes(number: f64) -> f64 {
    number * 1024.0
}

/// A field of `/proc/self/stat`, by its number in proc(5) less one. The second one is a name in parentheses, which
/// may contain anything.
fn stat(index: usize) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = stat.rsplit_once(") ")?.1;
    after_name.split(' ').nth(index - 2)?.parse().ok()
}

/// A line of `/proc/self/status`.
fn status(key: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

fn open_fds() -> Option<f64> {
    // Reading the directory opens one more.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(whole(open as u64))
}

fn max_fds() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The kernel tells it in ticks since the machine started.
fn started() -> Option<f64> {
    let stat_of_machine = fs::read_to_string("/proc/stat").ok()?;
    let booted: u64 = stat_of_machine.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()?;
    let ticks = Duration::from_secs_f64(stat(21)? / TICKS);
    Some((Duration::from_secs(booted) + ticks).as_secs_f64())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_described_as_it_is() {
        // Linux tells the processor time in ticks.
        let begin = std::time::SystemTime::now();
        while begin.elapsed().unwrap() < Duration::from_millis(50) {}
        let cpu = (stat(13).unwrap() + stat(14).unwrap()) / TICKS;
        assert!((0.01..3600.0).contains(&cpu), "{cpu}");
        let now = begin.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let started = started().unwrap();
        assert!(started > now - 3600.0 && started < now + 1.0, "{started}, and it is {now}");
        let (resident, size) = (status("VmRSS:").unwrap(), status("VmSize:").unwrap());
        assert!(resident > 0.0 && resident < size, "{resident} of {size}");
        assert!(status("Threads:").unwrap() >= 1.0);
        assert!(open_fds().unwrap() >= 3.0 && max_fds().unwrap() > open_fds().unwrap());
    }
}
