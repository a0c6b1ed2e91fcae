//! A server on loopback for tests: one canned reply per connection, every request kept.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

/// What one connection gets.
pub(crate) enum Reply {
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes, then silence until the client gives up.
    Hang(Vec<u8>),
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(crate) struct Server {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Received>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn new(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let (sender, requests) = mpsc::unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let ended = stop.clone();
        let thread = std::thread::spawn(move || {
            for reply in replies {
                let Ok((mut stream, _)) = listener.accept() else {
                    return;
                };
                // A client that stopped reading keeps its socket until its runtime ends, which
                // is after this server: neither reading nor writing may wait for it.
                let tick = Some(Duration::from_millis(20));
                let bounded = stream
                    .set_read_timeout(tick)
                    .and(stream.set_write_timeout(tick));
                bounded.expect("a socket");
                let Some(received) = receive(&mut stream, &ended) else {
                    return;
                };
                // A client that is gone already is part of some tests.
                let (bytes, hang) = match reply {
                    Reply::Bytes(bytes) => (bytes, false),
                    Reply::Hang(bytes) => (bytes, true),
                };
                let sent = write(&mut stream, &bytes, &ended);
                if sender.send(received).is_err() {
                    return;
                }
                while hang && sent.is_some() && read(&mut stream, &mut [0; 64], &ended).is_some() {}
            }
        });
        Self {
            address,
            requests,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn request(&mut self) -> Received {
        self.requests.recv().await.expect("a request")
    }
}

/// A server whose replies were not all asked for is ended by a connection without a request.
impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server's thread");
        }
    }
}

/// The next bytes; `None` when the client or the test is gone.
fn read<'a>(stream: &mut TcpStream, buffer: &'a mut [u8], stop: &AtomicBool) -> Option<&'a [u8]> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return None,
            Ok(n) => return Some(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock && !stop.load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
    }
}

/// `None` when the client or the test is gone.
fn write(stream: &mut TcpStream, mut bytes: &[u8], stop: &AtomicBool) -> Option<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(e) if e.kind() == ErrorKind::WouldBlock && !stop.load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
    }
    Some(())
}

fn receive(stream: &mut TcpStream, stop: &AtomicBool) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        bytes.extend_from_slice(read(stream, &mut buffer, stop)?);
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut received = Received {
        head,
        body: String::new(),
    };
    let length: usize = received
        .header("content-length")
        .map_or(0, |v| v.parse().expect("a length"));
    while bytes.len() < end + length {
        bytes.extend_from_slice(read(stream, &mut buffer, stop)?);
    }
    received.body = String::from_utf8_lossy(&bytes[end..]).into_owned();
    Some(received)
}

/// A whole answer with a length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Reply {
    Reply::Bytes(
        format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

/// The head and the first pieces of a chunked answer that does not end yet.
pub(crate) fn chunks(content_type: &str, pieces: &[&str]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    for piece in pieces {
        bytes.extend_from_slice(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes());
    }
    bytes
}

/// A whole chunked answer.
pub(crate) fn chunked(content_type: &str, pieces: &[&str]) -> Reply {
    let mut bytes = chunks(content_type, pieces);
    bytes.extend_from_slice(b"0\r\n\r\n");
    Reply::Bytes(bytes)
}
