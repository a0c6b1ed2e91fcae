//! Claude Code, the agent CLI (`claude`, 2.1.197 and later): how it is run, what its stream-json
//! output means, how its endings are classed. Measured with the real program against a loopback
//! upstream; the recordings are in `transcripts/claude/`.

mod command;
pub(super) mod limits;
mod reader;
mod table;

use std::time::Duration;

use super::Observation;
use super::windows::DefaultWindow;
use crate::config::ProviderSettings;
use crate::core::Timestamp;

pub(super) use command::command;
pub(super) use limits::scope;
pub(crate) use reader::Reader;

/// A subscription has a window of five hours and one of seven days; an API key has neither, and
/// its limits are not reported by the program.
pub(super) fn default_windows(entry: &ProviderSettings) -> Vec<DefaultWindow> {
    let has_key = entry.api_key_env.is_some()
        || entry.api_key_file.is_some()
        || entry.api_key_command.is_some();
    if has_key {
        return Vec::new();
    }
    ["five_hour", "seven_day"]
        .into_iter()
        .filter_map(|id| Some(DefaultWindow::percent(id, duration(id)?)))
        .collect()
}

/// The length of a window, which its name says.
pub(super) fn duration(limit_id: &str) -> Option<Duration> {
    if limit_id == "five_hour" {
        Some(Duration::from_hours(5))
    } else if limit_id.starts_with("seven_day") {
        Some(Duration::from_hours(7 * 24))
    } else {
        None
    }
}

/// The windows that the body of a `rate_limit_event` tells of, whatever model runs.
pub(super) fn windows(info: &serde_json::Value, now: Timestamp) -> Vec<Observation> {
    limits::windows(info, None, now).into_values().collect()
}
