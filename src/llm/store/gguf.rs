//! The header of a GGUF file: enough to know what a model is and whether its file is whole.
//! The format: github.com/ggml-org/ggml, docs/gguf.md, versions 2 and 3.

use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::core::text::one_line;

/// What the header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// `llama`, `qwen2`, ...
    pub(super) architecture: String,
    /// Tokens that the model was made for.
    pub(super) context: Option<u64>,
}

/// A header larger than this is not one; real vocabularies take some 10 MB.
const MOST_HEADER: u64 = 256 << 20;
const MOST_STRING: u64 = 16 << 20;

impl Header {
    /// Reads the header and checks that the file is as long as the header says.
    pub(super) fn of(path: &Path) -> Result<Self, String> {
        let read = || {
            let file = fs_err::File::open(path)?;
            let meta = file.metadata()?;
            if !meta.is_file() {
                return Err(invalid("it is not a regular file"));
            }
            let inner = BufReader::new(file);
            Reader { inner, at: 0 }.header(meta.len())
        };
        read().map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => "it ends in the middle of its header".into(),
            _ => super::disk::cause(&e),
        })
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

enum Value {
    Number(u64),
    Text(String),
    Other,
}

struct Reader {
    inner: BufReader<fs_err::File>,
    /// Bytes read so far.
    at: u64,
}

impl Reader {
    fn header(&mut self, file_size: u64) -> io::Result<Header> {
        if &self.bytes()? != b"GGUF" {
            return Err(invalid("it does not begin with GGUF"));
        }
        let version = self.u32()?;
        if !(2..=3).contains(&version) {
            return Err(invalid("it has a version of GGUF other than 2 and 3"));
        }
        let tensors = self.count()?;
        let values = self.count()?;

        let (mut architecture, mut context, mut alignment) = (None, None, 32);
        for _ in 0..values {
            let key = self.string()?;
            let kind = self.u32()?;
            match (key.as_str(), self.value(kind, 0)?) {
                ("general.architecture", Value::Text(text)) => {
                    architecture = Some(one_line(&text, 40));
                }
                ("general.alignment", Value::Number(n)) => alignment = n.clamp(1, 1 << 20),
                (key, Value::Number(n)) if key.ends_with(".context_length") => context = Some(n),
                (_, Value::Number(_) | Value::Text(_) | Value::Other) => {}
            }
        }
        let mut end = 0;
        for _ in 0..tensors {
            end = self.tensor()?.max(end);
        }
        let start = self.at.next_multiple_of(alignment);
        let needed = start.saturating_add(end);
        if needed > file_size {
            let missing = needed - file_size;
            return Err(invalid(&format!(
                "it is cut off: at least {missing} bytes are missing"
            )));
        }
        match architecture {
            Some(architecture) if tensors > 0 => Ok(Header {
                architecture,
                context,
            }),
            Some(_) | None => Err(invalid("it holds no model")),
        }
    }

    /// One tensor's description; returns where its data ends.
    fn tensor(&mut self) -> io::Result<u64> {
        self.string()?;
        let dimensions = self.u32()?;
        if dimensions > 8 {
            return Err(invalid("a tensor has too many dimensions"));
        }
        let mut elements: u64 = 1;
        for _ in 0..dimensions {
            elements = elements.saturating_mul(self.u64()?);
        }
        let kind = self.u32()?;
        let offset = self.u64()?;
        let (block, bytes) = block(kind);
        Ok(offset.saturating_add((elements / block).saturating_mul(bytes)))
    }

    /// A value; whole numbers and strings are returned, the rest is skipped.
    fn value(&mut self, kind: u32, depth: u8) -> io::Result<Value> {
        match kind {
            0 => Ok(Value::Number(u64::from(self.bytes::<1>()?[0]))),
            4 => Ok(Value::Number(u64::from(self.u32()?))),
            10 => Ok(Value::Number(self.u64()?)),
            8 => Ok(Value::Text(self.string()?)),
            9 if depth < 2 => {
                let item = self.u32()?;
                let count = self.count()?;
                if let Some(size) = size_of(item) {
                    self.skip(count.saturating_mul(size))?;
                } else {
                    for _ in 0..count {
                        self.value(item, depth + 1)?;
                    }
                }
                Ok(Value::Other)
            }
            kind => {
                let size = size_of(kind)
                    .ok_or_else(|| invalid("its header holds a value of an unknown kind"))?;
                self.skip(size)?;
                Ok(Value::Other)
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.moved(N as u64)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> io::Result<u32> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> io::Result<u64> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    /// How many of something follow; each takes at least a byte of the header.
    fn count(&mut self) -> io::Result<u64> {
        match self.u64()? {
            n if n <= MOST_HEADER => Ok(n),
            _ => Err(invalid("its header is too large")),
        }
    }

    fn string(&mut self) -> io::Result<String> {
        let length = self.count()?;
        if length > MOST_STRING {
            return Err(invalid("a text in its header is too long"));
        }
        let mut bytes = Vec::new();
        (&mut self.inner).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.moved(length)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        self.moved(length)?;
        self.inner.seek_relative(length.cast_signed())
    }

    fn moved(&mut self, by: u64) -> io::Result<()> {
        self.at = self.at.saturating_add(by);
        if self.at > MOST_HEADER {
            return Err(invalid("its header is too large"));
        }
        Ok(())
    }
}

/// Bytes of a value of fixed size.
fn size_of(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Elements and bytes of one block of a tensor type. An unknown type counts as empty: its length
/// is then not checked, and whether it can be used is for the backend to say.
fn block(kind: u32) -> (u64, u64) {
    match kind {
        0 => (1, 4),
        1 | 30 => (1, 2),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        _ => (1, 0),
    }
}
