//! What the kernel knows of another process.

use std::{fs, io, time::Duration};

/// The unit of times in /proc, on every Linux: 1/100 s.
const TICK: Duration = Duration::from_millis(10);

/// CPU time so far, user and system, of all threads.
pub fn cpu(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in parentheses, may hold blanks; utime and stime are the 12th and 13th field behind it.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok());
    Ok(TICK * ticks.sum::<u32>())
}
