//! Lines on their way to standard error. A thread that logs never waits: not for a reader that is slow, stalls or
//! goes away. What there is no room for is lost, and how much that was is said when there is room again.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Format;
use crate::auth::clock;

/// How many bytes may wait to be written. As many may be in the writer's hands.
const ROOM: usize = 1024 * 1024;

/// The lines that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Lines {
    waiting: Mutex<Waiting>,
    came: Condvar,
    gone: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    text: Vec<u8>,
    /// How many lines there was no room for since the writer came last.
    lost: u64,
    /// Whether the writer has some in its hands.
    writing: bool,
}

impl Lines {
    /// Begins to write, in a thread of its own.
    pub(super) fn start(format: Format) -> io::Result<&'static Self> {
        let mut output = standard_error()?;
        // As long as the process lives something can be logged.
        let lines: &'static Self = Box::leak(Box::default());
        let write = move || lines.write_on(&mut output, format);
        std::thread::Builder::new().name("log".to_owned()).spawn(write)?;
        Ok(lines)
    }

    /// A panic of somebody who logs leaves whole lines.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if waiting.text.len() + line.len() > ROOM {
            waiting.lost += 1;
            return;
        }
        waiting.text.extend_from_slice(line);
        if !waiting.writing {
            self.came.notify_one();
        }
    }

    /// Waits for lines and writes them. If that fails they are lost.
    fn write_on(&self, output: &mut impl Write, format: Format) {
        let mut text = Vec::new();
        let mut unsaid = 0;
        loop {
            unsaid += self.take(&mut text);
            let lines = text.iter().filter(|&&byte| byte == b'\n').count() as u64;
            if unsaid > 0 {
                text.extend_from_slice(notice(unsaid, format).as_bytes());
            }
            match output.write_all(&text) {
                Ok(()) => unsaid = 0,
                Err(_) => unsaid += lines,
            }
        }
    }

    /// Takes what waits, once something does, in exchange for an empty text; and how many were lost meanwhile.
    fn take(&self, text: &mut Vec<u8>) -> u64 {
        text.clear();
        let mut waiting = self.waiting();
        while waiting.text.is_empty() {
            waiting.writing = false;
            self.gone.notify_all();
            waiting = self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.writing = true;
        std::mem::swap(&mut waiting.text, text);
        std::mem::take(&mut waiting.lost)
    }

    /// Waits until all is written, or `limit` is over.
    pub(super) fn wait(&self, limit: Duration) {
        let unwritten = |waiting: &mut Waiting| waiting.writing || !waiting.text.is_empty();
        // Whether it was in time makes no difference.
        let _ = self.gone.wait_timeout_while(self.waiting(), limit, unwritten);
    }
}

/// A line that says how many are missing.
fn notice(lines: u64, format: Format) -> String {
    const WHAT: &str = "lines of the log were lost: they were not read in time";
    let time = clock::stamp();
    match format {
        Format::Text => format!("{time} ERROR {WHAT} lines={lines}\n"),
        Format::Json => {
            format!(
                "{{\"timestamp\":\"{time}\",\"level\":\"ERROR\",\"message\":\"{WHAT}\",\"lines\":{lines}}}\n"
            )
        }
    }
}

/// Standard error, under a descriptor of its own: the standard library's would be locked while a reader stalls,
/// and with it all other threads that log.
fn standard_error() -> io::Result<File> {
    #[cfg(unix)]
    let stream = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned()?;
    #[cfg(windows)]
    let stream = std::os::windows::io::AsHandle::as_handle(&io::stderr()).try_clone_to_owned()?;
    Ok(stream.into())
}

impl Write for &'static Lines {
    /// One call is one line, or more.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{channel, Receiver, Sender};

    use super::*;

    /// An output that takes a text only when it is told to, and then succeeds or fails.
    struct Gate {
        taken: Sender<Vec<u8>>,
        told: Receiver<bool>,
    }

    impl Write for Gate {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let succeed = self.told.recv().map_err(io::Error::other)?;
            self.taken.send(text.to_vec()).map_err(io::Error::other)?;
            if succeed {
                Ok(text.len())
            } else {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Lines that are written when `true` is sent, and lost when `false` is; and what came to be written.
    fn gated() -> (&'static Lines, Sender<bool>, Receiver<String>) {
        let (tell, told) = channel();
        let (taken, texts) = channel();
        let lines: &'static Lines = Box::leak(Box::default());
        std::thread::spawn(move || lines.write_on(&mut Gate { taken, told }, Format::Text));
        let (sent, received) = channel();
        std::thread::spawn(move || {
            for text in texts {
                if sent.send(String::from_utf8(text).expect("UTF-8")).is_err() {
                    return;
                }
            }
        });
        (lines, tell, received)
    }

    fn until_taken(lines: &Lines) {
        while !lines.waiting().text.is_empty() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_reader_that_stalls_costs_lines_and_learns_how_many() {
        let (lines, tell, texts) = gated();
        lines.push(b"first\n");
        until_taken(lines);
        // The writer is stuck with it now; there is room for so many.
        let line = [b'x'; 1024];
        for _ in 0..ROOM / line.len() + 7 {
            lines.push(&line);
        }
        assert_eq!(lines.waiting().text.len(), ROOM);
        lines.wait(Duration::from_millis(1));
        tell.send(true).expect("a writer");
        tell.send(true).expect("a writer");
        assert_eq!(texts.recv().expect("a text"), "first\n");
        let second = texts.recv().expect("a text");
        assert!(second.ends_with(" ERROR lines of the log were lost: they were not read in time lines=7\n"));
        lines.wait(Duration::from_secs(10));
        assert!(!lines.waiting().writing);
    }

    #[test]
    fn what_cannot_be_written_is_counted_until_something_can_be() {
        let (lines, tell, texts) = gated();
        for succeeds in [false, false, true] {
            lines.push(b"a\nb\n");
            tell.send(succeeds).expect("a writer");
            lines.wait(Duration::from_secs(10));
        }
        let texts: Vec<String> = texts.iter().take(3).collect();
        let counts: Vec<Option<&str>> =
            texts.iter().map(|text| text.trim_end().split("lines=").nth(1)).collect();
        assert_eq!(counts, [None, Some("2"), Some("4")]);
    }
}
