//! Lines on their way to standard error.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How long a line waits for others.
const PAUSE: Duration = Duration::from_millis(20);
/// So many bytes go at once. Whoever writes faster than they are taken waits, as for a plain file.
const FULL: usize = 64 * 1024;

/// Gathers lines and writes them together: a write for every RPC would have calls wait for the reader and for each other,
/// and would cost more than much of the call. A warning or an error goes at once, after all that were before it.
#[derive(Debug)]
pub(super) struct Gather<W>(Arc<Inner<W>>);

#[derive(Debug)]
struct Inner<W> {
    lines: Mutex<Vec<u8>>,
    begun: Condvar,
    /// Locked before `lines`, so that they keep their order.
    out: Mutex<W>,
}

impl<W: Write + Send + 'static> Gather<W> {
    /// Writes to this, from a thread that ends with the process.
    pub(super) fn start(out: W) -> io::Result<Self> {
        let (lines, begun, out) = (Mutex::default(), Condvar::new(), Mutex::new(out));
        let inner = Arc::new(Inner { lines, begun, out });
        let of_thread = inner.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || of_thread.follow())?;
        Ok(Self(inner))
    }

    /// Takes one line.
    pub(super) fn line(&self, line: &str, is_urgent: bool) {
        self.0.add(line.as_bytes(), is_urgent);
    }

    /// Writes what has been gathered.
    pub(super) fn flush(&self) {
        self.0.flush();
    }
}

impl<W: Write> Inner<W> {
    fn follow(&self) {
        loop {
            drop(self.begun.wait_while(self.lines(), |lines| lines.is_empty()));
            thread::sleep(PAUSE);
            self.flush();
        }
    }

    fn add(&self, bytes: &[u8], is_urgent: bool) {
        let mut lines = self.lines();
        let is_first = lines.is_empty();
        lines.extend_from_slice(bytes);
        let is_full = lines.len() >= FULL;
        drop(lines);
        if is_urgent || is_full {
            self.flush();
        } else if is_first {
            self.begun.notify_one();
        }
    }

    fn flush(&self) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = mem::take(&mut *self.lines());
        // There is nobody to tell: this is where one would.
        let _ = out.write_all(&lines);
    }

    fn lines(&self) -> MutexGuard<'_, Vec<u8>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> Clone for Gather<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Keeps what is written.
#[cfg(test)]
#[derive(Clone, Default)]
pub(super) struct Written(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Written {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Says what was written, write by write.
    struct Told(Sender<String>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gather() -> (Gather<Told>, Receiver<String>) {
        let (told, writes) = channel();
        (Gather::start(Told(told)).unwrap(), writes)
    }

    #[test]
    fn lines_are_written_together_and_soon() {
        let (gather, writes) = gather();
        gather.0.add(b"one\n", false);
        gather.0.add(b"two\n", false);
        let mut told = String::new();
        while told != "one\ntwo\n" {
            told += &writes.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        gather.0.add(b"three\n", false);
        assert_eq!(writes.recv_timeout(Duration::from_secs(10)).unwrap(), "three\n");
    }

    #[test]
    fn an_urgent_line_is_written_before_its_writer_goes_on() {
        let (gather, writes) = gather();
        gather.0.add(b"one\n", false);
        gather.0.add(b"woe\n", true);
        assert_eq!(writes.try_iter().collect::<String>(), "one\nwoe\n");
    }

    #[test]
    fn what_is_gathered_has_a_bound() {
        let (gather, writes) = gather();
        let reader_is_slow = gather.0.out.lock().unwrap();
        let busy = gather.clone();
        let writer = thread::spawn(move || (0..3).for_each(|_| busy.0.add(&[b'x'; FULL - 1], false)));
        while gather.0.lines().len() < FULL {
            thread::yield_now();
        }
        assert!(gather.0.lines().len() < 2 * FULL && !writer.is_finished(), "the writer waits");
        drop(reader_is_slow);
        writer.join().unwrap();
        gather.flush();
        assert_eq!(writes.try_iter().map(|written| written.len()).sum::<usize>(), 3 * (FULL - 1));
    }
}
