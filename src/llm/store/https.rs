//! A public file over HTTPS into a `.part` file, going on where an earlier try stopped.

use std::io;
use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, RANGE};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::{OnProgress, Progress, disk};
use crate::core::Clock;
use crate::llm::http;

/// Longest silence of the server.
const IDLE: Duration = Duration::from_secs(30);
/// Tries that may end without a single new byte.
const MOST_EMPTY: u32 = 2;

/// Why the file is not here.
#[derive(Debug)]
pub(super) enum Failed {
    /// This source does not work; another may.
    Source(String),
    /// The disk or a stop: no source can help.
    Here(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Here(error)
    }
}

/// Fetches `url` until `part` has `size` bytes. What they are is for the caller to check.
pub(super) async fn fetch(
    url: &str,
    part: &Path,
    size: u64,
    on: OnProgress<'_>,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<(), Failed> {
    let client = http::download_client().map_err(|e| Failed::Source(e.to_string()))?;
    let mut empty = 0;
    loop {
        let before = disk::size(part).unwrap_or(0);
        if before == size {
            return Ok(());
        }
        let attempt = Attempt {
            client: &client,
            url,
            part,
            size,
            on,
            clock,
            stop,
        };
        let went = attempt.go(before).await;
        match went {
            Ok(()) => return Ok(()),
            // A connection that breaks after it brought something is worth another one.
            Err(Failed::Source(_)) if disk::size(part).unwrap_or(0) > before => empty = 0,
            Err(Failed::Source(reason)) => {
                empty += 1;
                if empty > MOST_EMPTY || before == 0 {
                    return Err(Failed::Source(reason));
                }
            }
            Err(here) => return Err(here),
        }
    }
}

struct Attempt<'a> {
    client: &'a reqwest::Client,
    url: &'a str,
    part: &'a Path,
    size: u64,
    on: OnProgress<'a>,
    clock: &'a Clock,
    stop: &'a CancellationToken,
}

impl Attempt<'_> {
    /// One request; appends to `part` from byte `from` on.
    async fn go(&self, from: u64) -> Result<(), Failed> {
        let source = |reason: String| Failed::Source(reason);
        let mut request = self.client.get(self.url);
        if from > 0 && from < self.size {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let mut response = self
            .soon(request.send())
            .await?
            .map_err(|e| source(http::reason(&e)))?;
        let goes_on = response
            .headers()
            .get(CONTENT_RANGE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| {
                v.starts_with(&format!("bytes {from}-")) && v.ends_with(&format!("/{}", self.size))
            });
        let mut done = match response.status() {
            StatusCode::PARTIAL_CONTENT if goes_on => from,
            // Without ranges, or with a part that the server cannot continue: from the start.
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                disk::remove(self.part)?;
                return Err(source(
                    "the server cannot go on with the part that is here".into(),
                ));
            }
            status => return Err(source(format!("it answered {}", status.as_u16()))),
        };
        let mut options = fs_err::tokio::OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(done == 0)
            .mode(0o600);
        let mut file = options.open(self.part).await?;
        tokio::io::AsyncSeekExt::seek(&mut file, io::SeekFrom::Start(done)).await?;

        let result = loop {
            (self.on)(Progress::Bytes {
                done,
                total: self.size,
            });
            let chunk = match self.soon(response.chunk()).await {
                Err(over) => break Err(over),
                Ok(Err(e)) => break Err(source(format!("it was cut off ({})", http::reason(&e)))),
                Ok(Ok(None)) if done == self.size => break Ok(()),
                Ok(Ok(None)) => break Err(source("it was cut off".into())),
                Ok(Ok(Some(chunk))) => chunk,
            };
            done += chunk.len() as u64;
            if done > self.size {
                disk::remove(self.part)?;
                return Err(source("it is larger than the file that is meant".into()));
            }
            file.write_all(&chunk).await?;
        };
        // Tokio writes behind our back; only a flush tells of a full disk.
        file.flush().await?;
        result
    }

    /// What the server does next, unless it does nothing or everything stops.
    async fn soon<T>(&self, work: impl Future<Output = T>) -> Result<T, Failed> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Failed::Here(disk::stopped())),
            done = self.clock.timeout(IDLE, work) => done.ok_or_else(|| {
                Failed::Source(format!("it was silent for {}s", IDLE.as_secs()))
            }),
        }
    }
}
