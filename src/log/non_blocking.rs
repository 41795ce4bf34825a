//! Non-blocking writer for the log: a thread that logs never waits for a reader of standard error that is slow, has stalled
//! or has gone. Lines for which the buffer has no room are dropped, and counted in a line once there is room again.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Format;
use crate::auth::clock;

/// The size of the buffer, in bytes. The writer's thread may hold as many again.
const MAX_BUFFERED_BYTES: usize = 1024 * 1024;

/// A buffer, and the thread that writes it to standard error.
#[derive(Debug, Default)]
pub(super) struct NonBlockingWriter {
    buffer: Mutex<Buffer>,
    not_empty: Condvar,
    drained: Condvar,
}

#[derive(Debug, Default)]
struct Buffer {
    text: Vec<u8>,
    /// The lines dropped since the writer last took the text.
    dropped: u64,
    /// Whether the writer is writing a text that it took.
    is_writing: bool,
}

impl NonBlockingWriter {
    /// Starts the thread.
    pub(super) fn start(format: Format) -> io::Result<&'static Self> {
        let mut output = standard_error()?;
        // Something can be logged for as long as the process lives.
        let writer: &'static Self = Box::leak(Box::default());
        let run = move || writer.run(&mut output, format);
        std::thread::Builder::new().name("log".to_owned()).spawn(run)?;
        Ok(writer)
    }

    /// A thread that panics while it logs leaves whole lines, so a poisoned buffer is valid.
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut buffer = self.buffer();
        if buffer.text.len() + line.len() > MAX_BUFFERED_BYTES {
            buffer.dropped += 1;
            return;
        }
        buffer.text.extend_from_slice(line);
        if !buffer.is_writing {
            self.not_empty.notify_one();
        }
    }

    /// Writes lines as they come. Lines that cannot be written are dropped.
    fn run(&self, output: &mut impl Write, format: Format) {
        let mut text = Vec::new();
        let mut unreported = 0;
        loop {
            unreported += self.take(&mut text);
            let lines = text.iter().filter(|&&byte| byte == b'\n').count() as u64;
            if unreported > 0 {
                text.extend_from_slice(notice(unreported, format).as_bytes());
            }
            match output.write_all(&text) {
                Ok(()) => unreported = 0,
                Err(_) => unreported += lines,
            }
        }
    }

    /// Waits for lines, and takes them in exchange for an empty text. Gives the number of dropped lines.
    fn take(&self, text: &mut Vec<u8>) -> u64 {
        text.clear();
        let mut buffer = self.buffer();
        while buffer.text.is_empty() {
            buffer.is_writing = false;
            self.drained.notify_all();
            buffer = self.not_empty.wait(buffer).unwrap_or_else(PoisonError::into_inner);
        }
        buffer.is_writing = true;
        std::mem::swap(&mut buffer.text, text);
        std::mem::take(&mut buffer.dropped)
    }

    /// Waits until all lines are written, at most for `limit`.
    pub(super) fn flush_within(&self, limit: Duration) {
        let is_unwritten = |buffer: &mut Buffer| buffer.is_writing || !buffer.text.is_empty();
        // The process ends either way.
        let _ = self.drained.wait_timeout_while(self.buffer(), limit, is_unwritten);
    }
}

/// A line with the number of dropped lines.
fn notice(lines: u64, format: Format) -> String {
    const MESSAGE: &str = "log lines dropped: they were not read in time";
    let time = clock::stamp();
    match format {
        Format::Text => format!("{time} ERROR {MESSAGE} lines={lines}\n"),
        Format::Json => {
            format!(
                "{{\"timestamp\":\"{time}\",\"level\":\"ERROR\",\"message\":\"{MESSAGE}\",\"lines\":{lines}}}\n"
            )
        }
    }
}

/// Standard error, under a descriptor of its own. The standard library's handle is locked while a write to it blocks, and
/// every other thread that logs would wait for the lock.
fn standard_error() -> io::Result<File> {
    #[cfg(unix)]
    let stream = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned()?;
    #[cfg(windows)]
    let stream = std::os::windows::io::AsHandle::as_handle(&io::stderr()).try_clone_to_owned()?;
    Ok(stream.into())
}

impl Write for &'static NonBlockingWriter {
    /// Takes one line, or several.
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

    /// An output that blocks each write until it is told to succeed or to fail.
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

    /// A writer that writes when `true` is sent and fails when `false` is, and the texts that it got.
    fn gated() -> (&'static NonBlockingWriter, Sender<bool>, Receiver<String>) {
        let (tell, told) = channel();
        let (taken, texts) = channel();
        let writer: &'static NonBlockingWriter = Box::leak(Box::default());
        std::thread::spawn(move || writer.run(&mut Gate { taken, told }, Format::Text));
        let (sent, received) = channel();
        std::thread::spawn(move || {
            for text in texts {
                if sent.send(String::from_utf8(text).expect("UTF-8")).is_err() {
                    return;
                }
            }
        });
        (writer, tell, received)
    }

    fn until_taken(writer: &NonBlockingWriter) {
        while !writer.buffer().text.is_empty() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_stalled_reader_loses_lines_and_gets_their_number() {
        let (writer, tell, texts) = gated();
        writer.push(b"first\n");
        until_taken(writer);
        // The writer is blocked on it now; the buffer has room for so many.
        let line = [b'x'; 1024];
        for _ in 0..MAX_BUFFERED_BYTES / line.len() + 7 {
            writer.push(&line);
        }
        assert_eq!(writer.buffer().text.len(), MAX_BUFFERED_BYTES);
        writer.flush_within(Duration::from_millis(1));
        tell.send(true).expect("a writer");
        tell.send(true).expect("a writer");
        assert_eq!(texts.recv().expect("a text"), "first\n");
        let second = texts.recv().expect("a text");
        assert!(second.ends_with(" ERROR log lines dropped: they were not read in time lines=7\n"));
        writer.flush_within(Duration::from_secs(10));
        assert!(!writer.buffer().is_writing);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let (writer, tell, texts) = gated();
        for succeeds in [false, false, true] {
            writer.push(b"a\nb\n");
            tell.send(succeeds).expect("a writer");
            writer.flush_within(Duration::from_secs(10));
        }
        let texts: Vec<String> = texts.iter().take(3).collect();
        let counts: Vec<Option<&str>> =
            texts.iter().map(|text| text.trim_end().split("lines=").nth(1)).collect();
        assert_eq!(counts, [None, Some("2"), Some("4")]);
    }
}
