//! HTTP/1.1, as much of it as the clients use: bounded requests in, whole or streamed replies out.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

const MAX_HEAD: u64 = 64 << 10;
const MAX_BODY: u64 = 32 << 20;

/// One request, read to its end.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    fn has(&self, name: &str, word: &str) -> bool {
        self.header(name)
            .is_some_and(|value| value.to_ascii_lowercase().contains(word))
    }

    pub(super) fn wants_websocket(&self) -> bool {
        self.has("upgrade", "websocket")
    }

    pub(super) fn closes(&self) -> bool {
        self.has("connection", "close")
    }

    /// Reads the next request of a connection; none when the client has closed it.
    pub(super) fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut head = stream.by_ref().take(MAX_HEAD);
        let Some(line) = read_line(&mut head)? else {
            return Ok(None);
        };
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0")) =
            (words.next(), words.next(), words.next())
        else {
            return Err(bad(format!("not a request line: {line}")));
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..Self::default()
        };
        loop {
            let line = read_line(&mut head)?.ok_or_else(|| bad("the head has no end".into()))?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| bad(format!("not a header: {line}")))?;
            request
                .headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if request.has("expect", "100-continue") {
            stream
                .get_mut()
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.body = if request.has("transfer-encoding", "chunked") {
            read_chunks(stream)?
        } else {
            let length = request.header("content-length").unwrap_or("0");
            let length: u64 = length
                .parse()
                .map_err(|_| bad(format!("length {length}")))?;
            read_exactly(stream, length)?
        };
        Ok(Some(request))
    }
}

fn read_exactly(stream: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    if length > MAX_BODY {
        return Err(bad(format!("a body of {length} bytes")));
    }
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = read_line(stream)?.ok_or_else(|| bad("chunks without an end".into()))?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_| bad(format!("chunk {size}")))?;
        if size == 0 {
            while read_line(stream)?.is_some_and(|trailer| !trailer.is_empty()) {}
            return Ok(body);
        }
        if body.len() as u64 + size > MAX_BODY {
            return Err(bad("too many chunks".into()));
        }
        body.extend(read_exactly(stream, size)?);
        read_line(stream)?;
    }
}

/// A line without its end; none at the end of the stream.
fn read_line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut text = Vec::new();
    stream.take(MAX_HEAD).read_until(b'\n', &mut text)?;
    if text.is_empty() {
        return Ok(None);
    }
    if text.pop() != Some(b'\n') {
        return Err(bad("a line without an end".into()));
    }
    let text = String::from_utf8(text).map_err(|_| bad("a head that is not UTF-8".into()))?;
    Ok(Some(text.trim_end_matches('\r').to_owned()))
}

fn bad(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// What is sent back.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Whole(Vec<u8>),
    /// Sent as chunks.
    Parts(Vec<String>),
}

impl Reply {
    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), "application/json".into())],
            body: Body::Whole(body.to_string().into_bytes()),
        }
    }

    pub(super) fn stream(content_type: &str, parts: Vec<String>) -> Self {
        Self {
            status: 200,
            headers: vec![
                ("content-type".into(), content_type.into()),
                ("cache-control".into(), "no-cache".into()),
            ],
            body: Body::Parts(parts),
        }
    }

    pub(super) fn with(mut self, headers: impl IntoIterator<Item = (String, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The status line and headers.
    pub(super) fn write_head(&self, out: &mut impl Write) -> io::Result<()> {
        let reason = if self.status < 400 { "OK" } else { "Refused" };
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        let length = match &self.body {
            Body::Whole(body) => ("content-length", body.len().to_string()),
            Body::Parts(_) => ("transfer-encoding", "chunked".to_owned()),
        };
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in headers.chain([length]) {
            head.extend([name, ": ", &value, "\r\n"]);
        }
        out.write_all((head + "\r\n").as_bytes())?;
        out.flush()
    }
}

/// One chunk of a stream; an empty one is its end.
pub(super) fn write_chunk(out: &mut impl Write, part: &str) -> io::Result<()> {
    out.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes())?;
    out.flush()
}
