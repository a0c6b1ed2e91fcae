//! A child's three standard streams: bytes in, lines or a bounded text out. Nothing here grows
//! with what the child prints, and every read and write may be cancelled without loss.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;

use crate::core::text;

/// Longest line that is kept, in bytes.
pub(crate) const MAX_LINE: usize = 1 << 20;

/// How much is read at once; as much as a pipe holds.
const CHUNK: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// One line of output, lossy UTF-8 without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) stream: Stream,
    pub(crate) text: String,
    /// Longer than [`MAX_LINE`]; the rest was dropped.
    pub(crate) cut: bool,
}

/// What happens to the bytes of a stream.
#[derive(Debug)]
pub(super) enum Sink {
    Lines(Splitter),
    Whole(HeadTail),
}

impl Sink {
    pub(super) fn lines(stream: Stream) -> Self {
        Self::Lines(Splitter {
            stream,
            line: Vec::new(),
            cut: false,
        })
    }

    pub(super) fn whole(limit: usize) -> Self {
        Self::Whole(HeadTail {
            head: Vec::new(),
            tail: VecDeque::new(),
            limit,
            left_out: 0,
        })
    }

    fn push(&mut self, bytes: &[u8], lines: &mut VecDeque<Line>) {
        match self {
            Self::Lines(splitter) => splitter.push(bytes, lines),
            Self::Whole(kept) => kept.push(bytes),
        }
    }

    fn finish(&mut self, lines: &mut VecDeque<Line>) {
        match self {
            Self::Lines(splitter) if !splitter.line.is_empty() => lines.push_back(splitter.take()),
            Self::Lines(_) | Self::Whole(_) => {}
        }
    }
}

/// Cuts a stream into lines.
#[derive(Debug)]
pub(super) struct Splitter {
    stream: Stream,
    line: Vec<u8>,
    cut: bool,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8], lines: &mut VecDeque<Line>) {
        // Nothing more of an endless line is kept, and it is not even looked at twice.
        if self.line.len() == MAX_LINE && !bytes.contains(&b'\n') {
            self.cut = true;
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (piece, ends) = match piece.strip_suffix(b"\n") {
                Some(piece) => (piece, true),
                None => (piece, false),
            };
            let room = MAX_LINE - self.line.len();
            self.cut |= piece.len() > room;
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            if ends {
                lines.push_back(self.take());
            }
        }
    }

    fn take(&mut self) -> Line {
        let line = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.cut);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        Line {
            stream: self.stream,
            text: String::from_utf8_lossy(line).into_owned(),
            cut,
        }
    }
}

/// The first and the last bytes of a stream, at most `limit` together.
#[derive(Debug)]
pub(super) struct HeadTail {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    limit: usize,
    left_out: usize,
}

impl HeadTail {
    fn push(&mut self, bytes: &[u8]) {
        let room = (self.limit / 2).saturating_sub(self.head.len());
        let (head, rest) = bytes.split_at(bytes.len().min(room));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(self.limit - self.limit / 2);
        self.tail.drain(..over);
        self.left_out += over;
    }

    /// The text, and whether something is missing in its middle.
    fn text(&self) -> (String, bool) {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        if self.left_out == 0 {
            let whole = [self.head.as_slice(), &tail].concat();
            return (String::from_utf8_lossy(&whole).into_owned(), false);
        }
        let (head, tail) = (
            String::from_utf8_lossy(&self.head),
            String::from_utf8_lossy(&tail),
        );
        let missing = text::thousands(self.left_out as u64);
        (
            format!("{head}\n… {missing} bytes left out …\n{tail}"),
            true,
        )
    }
}

/// One of the child's output streams and what becomes of it.
#[derive(Debug)]
pub(super) struct Pipe<R> {
    from: Option<R>,
    chunk: Vec<u8>,
    sink: Sink,
    read: u64,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    pub(super) fn new(from: Option<R>, sink: Sink) -> Self {
        Self {
            from,
            chunk: vec![0; CHUNK],
            sink,
            read: 0,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.from.is_some()
    }

    /// Bytes read so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Waits for bytes or the end, and puts what they amount to into `lines` or the text.
    pub(super) async fn pump(&mut self, lines: &mut VecDeque<Line>) {
        let Some(from) = &mut self.from else { return };
        match from.read(&mut self.chunk).await {
            // A stream that cannot be read any more has ended.
            Ok(0) | Err(_) => self.close(lines),
            Ok(n) => {
                self.read += n as u64;
                self.sink.push(&self.chunk[..n], lines);
            }
        }
    }

    /// Ends reading; what came after the last end of line is a line too.
    pub(super) fn close(&mut self, lines: &mut VecDeque<Line>) {
        if self.from.take().is_some() {
            self.sink.finish(lines);
        }
    }

    /// The text of a stream that was kept whole.
    pub(super) fn text(&self) -> (String, bool) {
        match &self.sink {
            Sink::Whole(kept) => kept.text(),
            Sink::Lines(_) => (String::new(), false),
        }
    }
}

/// What the child still has to read.
#[derive(Debug)]
pub(super) struct Feed {
    to: Option<ChildStdin>,
    bytes: Vec<u8>,
    at: usize,
    /// Not closed after the last piece.
    stays_open: bool,
}

impl Feed {
    /// With nothing to write the pipe is closed at once, unless it is to stay open.
    pub(super) fn new(to: Option<ChildStdin>, bytes: Vec<u8>, stays_open: bool) -> Self {
        Self {
            to: to.filter(|_| stays_open || !bytes.is_empty()),
            bytes,
            at: 0,
            stays_open,
        }
    }

    pub(super) fn has_more(&self) -> bool {
        self.to.is_some() && self.at < self.bytes.len()
    }

    /// Writes a piece, and does what is to be done after the last one. A child that closed its
    /// end, or ended, has read all it wants.
    pub(super) async fn pump(&mut self) {
        let Some(to) = &mut self.to else { return };
        match to.write(&self.bytes[self.at..]).await {
            Ok(n) if n > 0 => self.at += n,
            Ok(_) | Err(_) => self.close(),
        }
        if self.at == self.bytes.len() && !self.stays_open {
            self.close();
        }
    }

    pub(super) fn close(&mut self) {
        self.to = None;
        self.bytes = Vec::new();
        self.at = 0;
    }
}
