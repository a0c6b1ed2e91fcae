//! opencode, the agent CLI (`opencode`, 1.18 and near it): how it is run, what its JSON lines and
//! its log on stderr mean, how its endings are classed. Measured with the real program against a
//! loopback upstream; the recordings are in `transcripts/opencode/`.

mod command;
mod reader;
mod table;

pub(super) use command::command;
pub(crate) use reader::Reader;
