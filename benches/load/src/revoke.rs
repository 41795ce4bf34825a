//! Logs out many tokens, each signed here, faster than a server would issue them: several requests are on their way on
//! each connection, and it is not measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::head::{Body, Head};

/// Stands in the claims for the id of the token, which is new each time.
const ID: &str = "{jti}";
/// Stands in the request for the token.
const TOKEN: &str = "{token}";
/// Bytes that are read at a time.
const READ: usize = 64 * 1024;

/// What is to be logged out, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The server's.
    pub address: SocketAddr,
    /// How many connections there are.
    pub connections: usize,
    /// How many requests are on their way on each.
    pub depth: u64,
    /// How many tokens are logged out.
    pub tokens: u64,
    /// The key that signs them with HS256.
    pub secret: String,
    /// Their first part, encoded.
    pub head: String,
    /// Their claims as JSON, with `{jti}` in the place of the id.
    pub claims: String,
    /// The request, with `{token}` in the place of the token.
    pub request: String,
    /// The status of each answer.
    pub status: u16,
    /// The body of each answer.
    pub body: String,
    /// Seconds that a single answer may take.
    pub request_limit_s: f64,
}

/// What was done.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Why not all are logged out.
    pub error: Option<String>,
    /// How many are.
    pub tokens: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Job {
    /// A job as JSON.
    ///
    /// # Errors
    /// It cannot be read, or says something that cannot be done.
    pub fn read(source: impl Read) -> Result<Self, String> {
        let job: Self = serde_json::from_reader(source).map_err(|error| format!("the job: {error}"))?;
        if job.connections == 0 || job.depth == 0 {
            return Err("the job: nothing to ask with".into());
        }
        match Duration::try_from_secs_f64(job.request_limit_s) {
            Ok(limit) if !limit.is_zero() => {}
            _ => return Err("the job: a time that is none".into()),
        }
        for (place, text) in [(ID, &job.claims), (TOKEN, &job.request)] {
            if text.matches(place).count() != 1 {
                return Err(format!("the job: not one {place} in {text:?}"));
            }
        }
        Ok(job)
    }
}

/// Logs them out.
#[must_use]
pub fn run(job: &Job) -> Report {
    let began = Instant::now();
    let mut report = Report::default();
    report.error = log_out(job, &mut report.tokens).err();
    report.seconds = began.elapsed().as_secs_f64();
    report
}

fn log_out(job: &Job, done: &mut u64) -> Result<(), String> {
    let signer = Signer::new(job)?;
    let mut lines = (0..job.connections).map(|_| Line::open(job)).collect::<Result<Vec<_>, _>>()?;
    let mut text = String::new();
    while *done < job.tokens {
        let mut left = job.tokens - *done;
        for line in &mut lines {
            line.awaited = job.depth.min(left);
            left -= line.awaited;
            text.clear();
            (0..line.awaited).for_each(|_| signer.request(&mut text));
            line.socket.write_all(text.as_bytes()).map_err(|error| format!("send: {error}"))?;
        }
        for line in &mut lines {
            while line.awaited > 0 {
                line.answer(job)?;
                line.awaited -= 1;
                *done += 1;
            }
        }
    }
    Ok(())
}

/// Writes requests, each with a token of its own.
struct Signer<'a> {
    mac: Hmac<Sha256>,
    head: &'a str,
    claims: (&'a str, &'a str),
    request: (&'a str, &'a str),
}

impl<'a> Signer<'a> {
    fn new(job: &'a Job) -> Result<Self, String> {
        let halves =
            |text: &'a str, place| text.split_once(place).ok_or_else(|| format!("the job: no {place}"));
        Ok(Self {
            mac: Hmac::new_from_slice(job.secret.as_bytes()).map_err(|error| format!("the key: {error}"))?,
            head: &job.head,
            claims: halves(&job.claims, ID)?,
            request: halves(&job.request, TOKEN)?,
        })
    }

    fn request(&self, text: &mut String) {
        let mut id = Uuid::encode_buffer();
        let id = Uuid::new_v4().hyphenated().encode_lower(&mut id);
        let claims = [self.claims.0, id, self.claims.1].concat();
        text.push_str(self.request.0);
        let token = text.len();
        text.push_str(self.head);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, text);
        let mut mac = self.mac.clone();
        mac.update(&text.as_bytes()[token..]);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), text);
        text.push_str(self.request.1);
    }
}

/// A connection, and what has come over it.
struct Line {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been looked at.
    at: usize,
    /// Answers that are still to come.
    awaited: u64,
}

impl Line {
    fn open(job: &Job) -> Result<Self, String> {
        let open = || {
            let socket = TcpStream::connect(job.address)?;
            socket.set_nodelay(true)?;
            let limit = Duration::from_secs_f64(job.request_limit_s);
            socket.set_read_timeout(Some(limit))?;
            socket.set_write_timeout(Some(limit))?;
            Ok(socket)
        };
        let socket = open().map_err(|error: std::io::Error| format!("connect: {error}"))?;
        Ok(Self { socket, buffer: Vec::new(), at: 0, awaited: 0 })
    }

    /// Takes the next answer, which must be as the job says.
    fn answer(&mut self, job: &Job) -> Result<(), String> {
        loop {
            let came = &self.buffer[self.at..];
            if let Some(head) = Head::read(came).map_err(|fault| fault.to_string())? {
                let Body::Sized(length) = head.body else { return Err("a body of unknown length".into()) };
                let length = usize::try_from(length).map_err(|error| error.to_string())?;
                if let Some(body) = came[head.length..].get(..length) {
                    if head.status != job.status || body != job.body.as_bytes() {
                        return Err(format!("status {}: {:?}", head.status, String::from_utf8_lossy(body)));
                    }
                    self.at += head.length + length;
                    return Ok(());
                }
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<(), String> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let old = self.buffer.len();
        self.buffer.resize(old + READ, 0);
        let count = self.socket.read(&mut self.buffer[old..]).map_err(|error| format!("receive: {error}"))?;
        self.buffer.truncate(old + count);
        if count == 0 {
            return Err("closed before the end of the answer".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const KEY: &str = "a key of more than thirty-two bytes";
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nDone";

    fn job(address: SocketAddr, tokens: u64) -> Job {
        let job = serde_json::json!({
            "address": address, "connections": 1, "depth": 2, "tokens": tokens, "secret": KEY, "head": "HEAD",
            "claims": r#"{"jti":"{jti}"}"#, "request": "GET {token}\r\n", "status": 200, "body": "Done",
            "request_limit_s": 5.0,
        });
        Job::read(job.to_string().as_bytes()).unwrap()
    }

    fn answering(texts: &'static [&'static str], tokens: u64) -> Report {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut socket, _) = listener.accept().unwrap();
                let mut buffer = [0; 4096];
                for text in texts {
                    let _ = socket.read(&mut buffer).unwrap();
                    socket.write_all(text.as_bytes()).unwrap();
                }
            });
            run(&job(address, tokens))
        })
    }

    #[test]
    fn each_token_is_signed_and_has_an_id_of_its_own() {
        let job = job("127.0.0.1:1".parse().unwrap(), 1);
        let signer = Signer::new(&job).unwrap();
        let token = || {
            let mut text = String::new();
            signer.request(&mut text);
            let token = text.strip_prefix("GET ").and_then(|rest| rest.strip_suffix("\r\n")).unwrap();
            let (message, signature) = token.rsplit_once('.').unwrap();
            let mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap().chain_update(message);
            mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
            let (head, claims) = message.split_once('.').unwrap();
            assert_eq!(head, "HEAD");
            let claims: serde_json::Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
            Uuid::try_parse(claims["jti"].as_str().unwrap()).unwrap()
        };
        assert_ne!(token(), token());
    }

    #[test]
    fn all_answers_are_counted_however_they_come() {
        let both: &str = Box::leak(ANSWER.repeat(2).into());
        let report = answering(Vec::leak(vec![both, ANSWER]), 3);
        assert_eq!((report.error, report.tokens), (None, 3));
    }

    #[test]
    fn an_answer_that_is_another_ends_it() {
        for (text, reason) in [
            ("HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nDone", "status 401"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nGone", "Gone"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nDo", "closed"),
        ] {
            let report = answering(Vec::leak(vec![text]), 1);
            assert_eq!(report.tokens, 0, "{text}");
            assert!(report.error.clone().is_some_and(|error| error.contains(reason)), "{text}: {report:?}");
        }
    }
}
