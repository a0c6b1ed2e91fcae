//! A GGUF file as candle reads it, except that tensors of types for which candle has only slow
//! code are given out as `Q8_0`. One tensor at a time is converted, while it is read: the file is
//! never twice in memory.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, TensorInfo};
use candle_core::quantized::{GgmlDType, QTensor};

/// Reads like a file in which the tensors stand one after the other in their new types.
pub(super) struct Requantised {
    file: BufReader<fs_err::File>,
    /// Where the tensors' data begins in the file.
    data_offset: u64,
    /// By where the new data begins.
    tensors: BTreeMap<u64, Tensor>,
    end: u64,
    at: u64,
    /// The tensor that was read last.
    current: Option<(u64, Vec<u8>)>,
}

struct Tensor {
    original: TensorInfo,
    convert: bool,
}

/// The types without fast code in candle 0.11 on x86 and ARM, see its `k_quants.rs`.
fn is_slow(kind: GgmlDType) -> bool {
    use GgmlDType::{Q4_1, Q5_0, Q5_1, Q8_1};
    matches!(kind, Q4_1 | Q5_0 | Q5_1 | Q8_1)
}

fn bytes(kind: GgmlDType, elements: usize) -> u64 {
    (elements / kind.block_size() * kind.type_size()) as u64
}

impl Requantised {
    /// The description of the new tensors, and what reads them.
    pub(super) fn of(content: Content, file: fs_err::File) -> (Content, Self) {
        let mut tensors = BTreeMap::new();
        let mut infos = HashMap::new();
        let mut end = 0;
        for (name, original) in content.tensor_infos {
            let blocks = GgmlDType::Q8_0.block_size();
            let last = original.shape.dims().last().copied().unwrap_or(0);
            let convert = is_slow(original.ggml_dtype) && last.is_multiple_of(blocks);
            let kind = if convert {
                GgmlDType::Q8_0
            } else {
                original.ggml_dtype
            };
            let info = TensorInfo {
                ggml_dtype: kind,
                shape: original.shape.clone(),
                offset: end,
            };
            // Reading finds a tensor by its beginning, so none may be empty.
            let length = bytes(kind, original.shape.elem_count()).max(1);
            tensors.insert(end, Tensor { original, convert });
            end = end.saturating_add(length);
            infos.insert(name, info);
        }
        let reader = Self {
            file: BufReader::new(file),
            data_offset: content.tensor_data_offset,
            tensors,
            end,
            at: 0,
            current: None,
        };
        let content = Content {
            magic: content.magic,
            metadata: content.metadata,
            tensor_infos: infos,
            tensor_data_offset: 0,
        };
        (content, reader)
    }

    fn load(&mut self, tensor: u64) -> io::Result<Vec<u8>> {
        let Some(Tensor { original, convert }) = self.tensors.get(&tensor) else {
            return Ok(Vec::new());
        };
        let read = original
            .read(&mut self.file, self.data_offset, &Device::Cpu)
            .and_then(|data| {
                if *convert {
                    let plain = data.dequantize(&Device::Cpu)?;
                    QTensor::quantize(&plain, GgmlDType::Q8_0)
                } else {
                    Ok(data)
                }
            })
            .and_then(|data| Ok(data.data()?.into_owned()));
        read.map_err(io::Error::other)
    }
}

impl Read for Requantised {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((&start, _)) = self.tensors.range(..=self.at).next_back() else {
            return Ok(0);
        };
        if self.current.as_ref().is_none_or(|(at, _)| *at != start) {
            // The last one goes before the next one comes.
            self.current = None;
            self.current = Some((start, self.load(start)?));
        }
        let data = self.current.as_ref().map_or(&[][..], |(_, data)| data);
        let from = usize::try_from(self.at - start).unwrap_or(usize::MAX);
        let rest = data.get(from..).unwrap_or(&[]);
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Requantised {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
