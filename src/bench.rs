//! What `benches/` reaches of the inside; compiled with the feature `bench` only.

pub mod walls;
