//! What `benches/` may reach of the inside: ready-made work to be timed and counted. Only with
//! the feature `bench`, never in a release.

mod decide;
mod depot;
pub mod load;
pub mod replay;
pub mod schedule;
pub mod walls;

pub use decide::{Herd, Pure, Store};
pub use depot::Depot;
