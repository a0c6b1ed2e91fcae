//! One answer: prompt in, tokens out, until an end.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};
use serde_json::Value;
use tokio::sync::mpsc;

use super::chat::{Utf8, Vocabulary};
use super::grammar::Grammars;
use super::threads::compute;
use super::weights::{self, Weights};
use crate::llm::Message;
use crate::llm::stream::Thinking;

/// Tokens of the prompt that are read at once: between two chunks a stop is noticed. candle keeps
/// a mask for each shape of a chunk, so the rest of a prompt is read in powers of two.
const CHUNK: usize = 64;
/// Below this many parameters a model repeats itself when nothing keeps it from it.
const SMALL: usize = 1_000_000_000;
const PENALTY: f32 = 1.1;
/// So many of the last tokens are penalised.
const MEMORY: usize = 64;
/// Makes answers at a temperature above zero repeatable.
const SEED: u64 = 7;

/// What to answer.
pub(super) struct Job {
    pub(super) messages: Vec<Message>,
    pub(super) schema: Option<Value>,
    pub(super) max_tokens: usize,
    pub(super) temperature: f64,
    pub(super) pieces: Option<mpsc::Sender<String>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) text: String,
    /// Tokens of the prompt.
    pub(super) read: usize,
    /// Tokens of the answer, with its end.
    pub(super) written: usize,
    pub(super) truncated: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    TooLong {
        tokens: u64,
        window: u64,
    },
    /// Nobody waits for the answer any more.
    GaveUp,
    Broken(String),
}

impl From<candle_core::Error> for Failed {
    fn from(error: candle_core::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self::Broken(reason)
    }
}

/// A loaded model.
pub(super) struct Engine {
    weights: Weights,
    vocabulary: Vocabulary,
    /// Made for the first schema; takes a tenth of a second.
    grammars: Option<Grammars>,
    window: usize,
    penalty: f32,
}

impl Engine {
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let loaded = compute(|| weights::load(path))?;
        Ok(Self {
            vocabulary: Vocabulary::of(&loaded.metadata)?,
            weights: loaded.weights,
            grammars: None,
            window: loaded.window,
            penalty: if loaded.parameters < SMALL {
                PENALTY
            } else {
                1.0
            },
        })
    }

    /// Computes the answer; blocks.
    pub(super) fn answer(&mut self, job: &Job, stop: &AtomicBool) -> Result<Answer, Failed> {
        if self.weights.may_run_inside_the_pool() {
            compute(|| self.write(job, stop))
        } else {
            self.write(job, stop)
        }
    }

    fn write(&mut self, job: &Job, stop: &AtomicBool) -> Result<Answer, Failed> {
        let prompt = self.vocabulary.prompt(&job.messages)?;
        if prompt.len() >= self.window {
            return Err(Failed::TooLong {
                tokens: prompt.len() as u64,
                window: self.window as u64,
            });
        }
        let mut grammar = match &job.schema {
            None => None,
            Some(schema) => {
                if self.grammars.is_none() {
                    self.grammars = Some(Grammars::of(&self.vocabulary)?);
                }
                let grammars = self.grammars.as_ref();
                grammars.map(|g| g.of_schema(schema)).transpose()?
            }
        };
        let mut sampler = (job.temperature > 0.0).then(|| {
            let temperature = job.temperature;
            LogitsProcessor::from_sampling(
                SEED,
                Sampling::TopP {
                    p: 0.95,
                    temperature,
                },
            )
        });
        let mut output = Output::new(job.pieces.as_ref());

        self.weights.reset();
        let mut logits = self.read(&prompt, stop)?;
        let most = job.max_tokens.min(self.window - prompt.len());
        let mut written = Vec::new();
        let truncated = loop {
            if written.len() == most {
                break true;
            }
            if stop.load(Ordering::Relaxed) {
                return Err(Failed::GaveUp);
            }
            penalise(&mut logits, &written, self.penalty);
            if let Some(grammar) = &mut grammar {
                grammar.constrain(&mut logits)?;
            }
            let token = choose(&logits, sampler.as_mut())?;
            written.push(token);
            if self.vocabulary.is_end(token) {
                break false;
            }
            if let Some(Some(bytes)) = self.vocabulary.bytes().get(token as usize) {
                output.push(bytes);
            }
            let over = grammar.as_mut().map_or(Ok(false), |g| g.take(token))?;
            if over {
                break false;
            }
            logits = self
                .weights
                .forward(&[token], prompt.len() + written.len() - 1)?;
        };
        Ok(Answer {
            text: output.finish(),
            read: prompt.len(),
            written: written.len(),
            truncated,
        })
    }

    /// Reads the prompt; returns what may follow it.
    fn read(&mut self, prompt: &[u32], stop: &AtomicBool) -> Result<Vec<f32>, Failed> {
        let mut at = 0;
        let mut logits = Vec::new();
        while at < prompt.len() {
            if stop.load(Ordering::Relaxed) {
                return Err(Failed::GaveUp);
            }
            let left = prompt.len() - at;
            let size = if left >= CHUNK {
                CHUNK
            } else {
                1 << left.ilog2()
            };
            logits = self.weights.forward(&prompt[at..at + size], at)?;
            at += size;
        }
        Ok(logits)
    }
}

/// Text that comes out byte by byte.
struct Output<'a> {
    pieces: Option<&'a mpsc::Sender<String>>,
    utf8: Utf8,
    thinking: Thinking,
    text: String,
}

impl<'a> Output<'a> {
    fn new(pieces: Option<&'a mpsc::Sender<String>>) -> Self {
        Self {
            pieces,
            utf8: Utf8::default(),
            thinking: Thinking::default(),
            text: String::new(),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let text = self.utf8.push(bytes);
        let piece = self.thinking.push(&text);
        self.show(&piece);
    }

    fn finish(mut self) -> String {
        let rest = std::mem::take(&mut self.utf8).finish();
        let mut piece = self.thinking.push(&rest);
        piece.push_str(&std::mem::take(&mut self.thinking).finish());
        self.show(&piece);
        self.text
    }

    fn show(&mut self, piece: &str) {
        self.text.push_str(piece);
        crate::llm::offer(self.pieces, piece);
    }
}

/// Makes tokens that were written lately less likely.
fn penalise(logits: &mut [f32], written: &[u32], penalty: f32) {
    let mut lately = written[written.len().saturating_sub(MEMORY)..].to_vec();
    lately.sort_unstable();
    lately.dedup();
    for token in lately {
        if let Some(logit) = logits.get_mut(token as usize) {
            if *logit > 0.0 {
                *logit /= penalty;
            } else {
                *logit *= penalty;
            }
        }
    }
}

/// The likeliest token, or with a sampler one of the likely ones.
fn choose(logits: &[f32], sampler: Option<&mut LogitsProcessor>) -> Result<u32, Failed> {
    let best = logits
        .iter()
        .enumerate()
        .filter(|(_, logit)| logit.is_finite())
        .max_by(|(_, a), (_, b)| a.total_cmp(b));
    let Some((best, _)) = best else {
        return Err(Failed::Broken("it finds no token that may follow".into()));
    };
    match sampler {
        None => Ok(best as u32),
        Some(sampler) => Ok(sampler.sample(&Tensor::new(logits, &Device::Cpu)?)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_lately_gets_less_likely() {
        let mut logits = [2.2, -1.0, 3.0];
        penalise(&mut logits, &[0, 1, 0, 9], 1.1);
        assert_eq!(logits, [2.0, -1.1, 3.0]);
        assert_eq!(choose(&logits, None), Ok(2));
    }

    #[test]
    fn numbers_that_are_none_are_never_chosen() {
        assert_eq!(choose(&[f32::NAN, 1.0, f32::NEG_INFINITY], None), Ok(1));
        let none = choose(&[f32::NAN, f32::NEG_INFINITY], None);
        assert_eq!(
            none,
            Err(Failed::Broken("it finds no token that may follow".into()))
        );
    }
}
