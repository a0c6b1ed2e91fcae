//! The newest words on limits in Codex's rollout files: of the account's last run, with or
//! without rigs. Files may be many and large: the newest ones are looked at, and their ends.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::codex;
use super::{Answer, Asking, ProbeError};
use crate::core::Timestamp;
use crate::core::text::count;

/// Days of sessions that are looked through, newest first.
const DAYS: usize = 14;
/// Files of those days that are considered; more are left out by name.
const FILES: usize = 400;
/// Of these, the last changed that are opened.
const OPENED: usize = 12;
/// Bytes from the end of each: every response is followed by its limits.
const TAIL: u64 = 512 << 10;

/// `$CODEX_HOME/sessions` of the entry.
pub(super) fn folder(asking: &Asking<'_>) -> Option<PathBuf> {
    let home = match (
        &asking.entry.config_home,
        asking.entry.env.get("CODEX_HOME"),
    ) {
        (_, Some(home)) => PathBuf::from(home),
        (Some(home), None) => home.clone(),
        (None, None) => PathBuf::from(asking.env.os("HOME")?).join(".codex"),
    };
    Some(home.join("sessions"))
}

/// Blocking: it reads files.
pub(super) fn read(folder: &Path, now: Timestamp) -> Result<Answer, ProbeError> {
    let mut files = newest(folder);
    let seen = files.len();
    files.truncate(OPENED);
    for (_, file) in files {
        let Ok(tail) = tail(&file) else {
            continue;
        };
        let observations = codex::windows_of_log(&tail, now);
        if !observations.is_empty() {
            return Ok(Answer {
                observations,
                ..Answer::default()
            });
        }
    }
    Err(ProbeError::Nothing(match seen {
        0 => "codex has no sessions of the last days".into(),
        n => format!("no limits in {}", count(n, "session", "sessions")),
    }))
}

/// Rollouts by the time of their last change, newest first. A thread that is resumed goes on in
/// the file of the day it began.
fn newest(folder: &Path) -> Vec<(SystemTime, PathBuf)> {
    let days = entries(folder)
        .into_iter()
        .flat_map(|year| entries(&year))
        .flat_map(|month| entries(&month))
        .take(DAYS);
    let mut files: Vec<(SystemTime, PathBuf)> = days
        .flat_map(|day| entries(&day))
        .filter(|file| {
            let name = file.file_name().and_then(|n| n.to_str()).unwrap_or("");
            name.starts_with("rollout-") && file.extension().is_some_and(|e| e == "jsonl")
        })
        .take(FILES)
        .filter_map(|file| Some((fs::metadata(&file).ok()?.modified().ok()?, file)))
        .collect();
    files.sort_by(|a, b| b.cmp(a));
    files
}

/// Names in a folder, the last one first: they are years, months, days and times.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .take(10_000)
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found
}

/// Whole lines from the end of a file.
fn tail(file: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(file)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(match (from, text.split_once('\n')) {
        (1.., Some((_, whole))) => whole.to_owned(),
        (0, _) | (_, None) => text.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(used: u8, at: &str) -> String {
        format!(
            r#"{{"timestamp":"{at}","type":"event_msg","payload":{{"type":"token_count","rate_limits":{{"limit_id":"codex","primary":{{"used_percent":{used},"window_minutes":300,"resets_at":1795161600}},"secondary":null}}}}}}"#
        ) + "\n"
    }

    #[test]
    fn the_newest_words_are_found_at_the_end_of_a_large_file() {
        let now: Timestamp = "2026-11-20T06:00:00Z".parse().unwrap();
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, text: String| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        };
        assert_eq!(
            read(home.path(), now).unwrap_err().to_string(),
            "there is nothing to read: codex has no sessions of the last days"
        );
        write("2026/11/20/rollout-b.jsonl", "{}\nnot JSON\n".into());
        write("2026/11/20/notes.jsonl", line(99, "2026-11-20T05:00:00Z"));
        assert_eq!(
            read(home.path(), now).unwrap_err().to_string(),
            "there is nothing to read: no limits in 1 session"
        );
        // An early word, much talk, the last word; cut off in the middle of a line.
        let mut large = line(7, "2026-11-20T04:00:00Z");
        large.extend(["{\"text\":\"", &"y".repeat(600_000), "\"}\n"]);
        large.push_str(&line(42, "2026-11-20T05:30:00Z"));
        write("2026/11/19/rollout-a.jsonl", large);
        let answer = read(home.path(), now).unwrap();
        let seen: Vec<_> = answer
            .observations
            .iter()
            .map(|o| (o.used_fraction, o.observed_at.to_string()))
            .collect();
        assert_eq!(seen, [(Some(0.42), "2026-11-20T05:30:00.000Z".into())]);
    }
}
