//! Streams taken apart: lines out of bytes, server-sent events out of lines, and the model's
//! thinking out of its answer. Pure, and bounded whatever a server sends.

/// Most bytes of one line or one event.
const MAX_LINE: usize = 4 << 20;

/// A line or event beyond [`MAX_LINE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than {} MiB", MAX_LINE >> 20)]
pub(crate) struct TooLong;

/// Bytes in, lines out. A line ends with LF, CRLF or CR, however the pieces are cut.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// The last byte was CR: a LF that follows belongs to it.
    after_cr: bool,
}

impl Lines {
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut lines = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => lines.push(self.take()),
                _ if self.buffer.len() == MAX_LINE => return Err(TooLong),
                _ => self.buffer.push(byte),
            }
        }
        Ok(lines)
    }

    /// What stands after the last line end.
    pub(crate) fn take(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.buffer).into_owned();
        self.buffer.clear();
        line
    }
}

/// The data of server-sent events (WHATWG HTML, section 9.2.6): lines in, one text per event
/// out. Comments and the other fields are skipped; nothing here needs them.
#[derive(Debug, Default)]
pub(crate) struct Events {
    lines: Lines,
    data: Option<String>,
    /// At the very start a byte order mark is allowed.
    started: bool,
}

impl Events {
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut events = Vec::new();
        for line in self.lines.push(bytes)? {
            let first = !std::mem::replace(&mut self.started, true);
            let line = if first {
                line.trim_start_matches('\u{feff}')
            } else {
                &line
            };
            if line.is_empty() {
                events.extend(self.data.take());
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            if field != "data" {
                continue;
            }
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                None => self.data = Some(value.to_owned()),
                Some(data) if data.len() + value.len() >= MAX_LINE => return Err(TooLong),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            }
        }
        Ok(events)
    }

    /// Events that came without the blank line after them: some servers leave the last one out.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        if let Ok(events) = self.push(b"\n\n") {
            rest = events;
        }
        rest.extend(self.data.take());
        rest
    }
}

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Takes a leading `<think>…</think>` out of an answer that comes in pieces. Text further on is
/// the answer itself, whatever tags it holds.
#[derive(Debug, Default)]
pub(crate) struct Thinking {
    state: State,
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Undecided,
    Inside,
    /// Between the thinking and the answer: blank lines are dropped.
    After,
    Answer,
}

impl Thinking {
    /// The part of the answer that is certain now.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        if self.state == State::Answer {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        if self.state == State::Undecided {
            let start = self.held.trim_start();
            if start.starts_with(OPEN) {
                self.state = State::Inside;
            } else if OPEN.starts_with(start) {
                return String::new();
            } else {
                self.state = State::Answer;
                return std::mem::take(&mut self.held);
            }
        }
        if self.state == State::Inside {
            if let Some(at) = self.held.find(CLOSE) {
                self.held.drain(..at + CLOSE.len());
                self.state = State::After;
            } else {
                // Only a beginning of the closing tag matters; thinking may be long.
                let keep = self.held.len().saturating_sub(CLOSE.len());
                self.held.drain(..self.held.floor_char_boundary(keep));
                return String::new();
            }
        }
        let answer = self.held.trim_start().to_owned();
        self.held.clear();
        if !answer.is_empty() {
            self.state = State::Answer;
        }
        answer
    }

    /// What was held back and turned out to be the answer.
    pub(crate) fn finish(self) -> String {
        match self.state {
            State::Undecided => self.held,
            State::Inside | State::After | State::Answer => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(bytes: &[u8]) -> Vec<String> {
        let mut parser = Events::default();
        let mut all = parser.push(bytes).unwrap();
        all.extend(parser.finish());
        all
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        for (text, want) in [
            ("data: a\n\ndata: b\n\n", vec!["a", "b"]),
            ("data: a\r\n\r\ndata:b\r\n\r\n", vec!["a", "b"]),
            ("data: a\r\rdata: b\r\r", vec!["a", "b"]),
            (": keep-alive\n\n\n: x\ndata: a\n\n", vec!["a"]),
            (
                "event: x\nid: 1\ndata: one\ndata:  two\nretry: 3\n\n",
                vec!["one\n two"],
            ),
            ("\u{feff}data: a\n\n", vec!["a"]),
            ("data\n\n", vec![""]),
            ("data: no blank line after", vec!["no blank line after"]),
            ("data: no blank line after\n", vec!["no blank line after"]),
        ] {
            assert_eq!(events(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn a_line_and_an_event_without_end_are_refused() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(&vec![b'x'; MAX_LINE]), Ok(vec![]));
        assert_eq!(lines.push(b"x"), Err(TooLong));
        let mut parser = Events::default();
        let part = format!("data: {}\n", "x".repeat(1 << 20));
        let results: Vec<_> = (0..5).map(|_| parser.push(part.as_bytes())).collect();
        assert_eq!(results[4], Err(TooLong));
    }

    fn answer(pieces: &[&str]) -> String {
        let mut thinking = Thinking::default();
        let mut text: String = pieces.iter().map(|p| thinking.push(p)).collect();
        text.push_str(&thinking.finish());
        text
    }

    #[test]
    fn leading_thinking_is_taken_out_and_nothing_else() {
        for (pieces, want) in [
            (&["plain"][..], "plain"),
            (&["<think>hm</think>\n\nyes"], "yes"),
            (
                &["\n<th", "ink>h", "m</th", "ink>", "\n\n", "ye", "s"],
                "yes",
            ),
            (&["<", "b>bold"], "<b>bold"),
            (&["<thi"], "<thi"),
            (&["say <think>x</think>"], "say <think>x</think>"),
            (&["<think>never ends"], ""),
            (&["<think>a</think>b<think>c</think>"], "b<think>c</think>"),
            (&["  indented"], "  indented"),
        ] {
            assert_eq!(answer(pieces), want, "{pieces:?}");
        }
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_makes_no_difference(
            text in "(data: [a-zé]{0,6}|:c|\r\n|\n|\r|<think>|</think>| ){0,12}",
            cuts in proptest::collection::vec(0_usize..60, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c <= text.len()).collect();
            cuts.sort_unstable();
            let mut parser = Events::default();
            let (mut at, mut got) = (0, Vec::new());
            for cut in cuts.iter().copied().chain([text.len()]) {
                got.extend(parser.push(&text.as_bytes()[at..cut]).unwrap());
                at = cut;
            }
            got.extend(parser.finish());
            prop_assert_eq!(got, events(text.as_bytes()));

            let mut pieces = Vec::new();
            let mut at = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                let cut = text.ceil_char_boundary(cut).max(at);
                pieces.push(&text[at..cut]);
                at = cut;
            }
            prop_assert_eq!(answer(&pieces), answer(&[&text]));
        }
    }
}
