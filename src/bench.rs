//! What `benches/` may reach of the inside: ready-made work to be timed and counted. Only with
//! the feature `bench`, never in a release.

mod decide;
pub mod walls;

pub use decide::{Herd, Pure, Store};
