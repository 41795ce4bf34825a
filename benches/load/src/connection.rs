//! One connection to the server.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::answer::Answer;

/// A connection, and the request that is on its way.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
    connected: bool,
    /// The server has closed it.
    ended: bool,
    /// Answers that have come over it.
    answered: u64,
    /// Bytes of the request that have gone out.
    sent: usize,
    pub(crate) in_flight: bool,
    /// Position of the request in the job.
    pub(crate) request: usize,
    pub(crate) began: Instant,
    pub(crate) answer: Answer,
}

/// What one read has brought.
pub(crate) enum Got {
    Bytes(usize),
    Nothing,
    End,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            socket,
            connected: false,
            ended: false,
            answered: 0,
            sent: 0,
            in_flight: false,
            request: 0,
            began: Instant::now(),
            answer: Answer::default(),
        })
    }

    /// Whether it can be asked once more.
    pub(crate) fn is_usable(&self) -> bool {
        !self.ended && (self.answered == 0 || self.answer.keeps_alive())
    }

    /// The server may close a connection between two answers. What was sent meanwhile it has not looked at.
    pub(crate) fn was_closed_between_answers(&self) -> bool {
        self.answered > 0 && self.answer.is_untouched()
    }

    pub(crate) fn begin(&mut self, request: usize, began: Instant) {
        self.request = request;
        self.began = began;
        self.sent = 0;
        self.in_flight = true;
        self.answer = Answer::default();
    }

    pub(crate) fn finish(&mut self) {
        self.in_flight = false;
        self.answered += 1;
    }

    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Sends what can be sent of the request. An error that the server's end of the connection has caused is seen when
    /// it is read.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.connected && !self.connect()? {
            return Ok(());
        }
        while self.sent < bytes.len() {
            match self.socket.write(&bytes[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock || is_end(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn connect(&mut self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => {
                self.socket.set_nodelay(true)?;
                self.connected = true;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        if !self.connected {
            return Ok(Got::Nothing);
        }
        loop {
            return match self.socket.read(buffer) {
                Ok(0) => Ok(Got::End),
                Ok(count) => Ok(Got::Bytes(count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Got::Nothing),
                Err(error) if is_end(&error) => Ok(Got::End),
                Err(error) => Err(error),
            };
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}
