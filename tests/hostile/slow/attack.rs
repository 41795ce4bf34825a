//! Many slow clients in one thread.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use test_support::http_server::{GOOD, LIMIT};

/// The part of the exchange in which a client is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// The head arrives byte by byte.
    Head,
    /// Half of the head arrives.
    HalfAHead,
    /// The body arrives byte by byte.
    Body,
    /// A chunked body arrives slowly.
    Chunks,
    /// Nothing arrives.
    Silence,
    /// The second request never arrives.
    Idle,
    /// The response is read byte by byte.
    Reader,
}

/// The observations of a client.
#[derive(Debug)]
pub struct Seen {
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// The time from the beginning to the end of the connection.
    pub took: Duration,
    /// The time from the first response to the end, if there was a response before.
    pub idled: Duration,
}

/// Attacks with `count` connections at a time, until the last one ends.
pub fn attack(address: SocketAddr, count: usize, kind: Attack) -> Vec<Seen> {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clients: Vec<_> = (0..count).map(|_| tokio::spawn(client(address, kind))).collect();
        let mut seen = Vec::new();
        for client in clients {
            seen.push(client.await.expect("the client ends well"));
        }
        seen
    })
}

async fn client(address: SocketAddr, kind: Attack) -> Seen {
    // Measured from before the server's clock starts: no connection may close before its deadline.
    let start = Instant::now();
    let socket = TcpSocket::new_v4().unwrap();
    if kind == Attack::Reader {
        socket.set_recv_buffer_size(4 * 1024).unwrap();
    }
    let mut stream = socket.connect(address).await.expect("the server listens");
    let first: &[u8] = match kind {
        Attack::Silence => b"",
        Attack::Head | Attack::HalfAHead => b"GET /api/ships/2 HTTP/1.1\r\nHost: a\r\n",
        Attack::Body => b"POST /api/ships HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n",
        Attack::Chunks => b"POST /api/ships HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        Attack::Idle => GOOD.as_bytes(),
        Attack::Reader => b"GET /static/big HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    stream.write_all(first).await.unwrap();
    let drip: &[u8] = match kind {
        Attack::Head => b"x",
        Attack::Body => b"y",
        Attack::Chunks => b"1\r\nz\r\n",
        _ => b"",
    };
    let mut received = Vec::new();
    let mut answered = start;
    let ended = timeout(LIMIT * 2, async {
        loop {
            let most = if kind == Attack::Reader { 1 } else { 16 * 1024 };
            match timeout(Duration::from_millis(100), read(&mut stream, &mut received, most)).await {
                Ok(true) if kind == Attack::Reader => sleep(Duration::from_millis(100)).await,
                Ok(true) if kind == Attack::Idle => answered = Instant::now(),
                Ok(true) => {}
                Ok(false) => break,
                // Once the server has closed, writes fail, and the end is read.
                Err(_) if drip.is_empty() => {}
                Err(_) => drop(stream.write_all(drip).await),
            }
        }
    });
    ended.await.expect("an end");
    let (took, idled) = (start.elapsed(), answered.elapsed());
    let line = String::from_utf8_lossy(&received).into_owned();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    Seen { status, took, idled }
}

/// Reads some bytes; `false` at the end of the connection.
async fn read(stream: &mut TcpStream, received: &mut Vec<u8>, most: usize) -> bool {
    let mut buffer = vec![0; most];
    // Data from before a reset can still be read.
    if stream.take_error().is_ok_and(|error| error.is_some()) {
        return false;
    }
    match stream.read(&mut buffer).await {
        Ok(0) | Err(_) => false,
        Ok(count) => {
            received.extend_from_slice(&buffer[..count]);
            true
        }
    }
}
