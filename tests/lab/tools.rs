//! From what a step wants done to the tool call that does it, by the tools a request offers.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::dialect::{Answer, Call, Conversation};
use super::script::Act;

/// Shell tools of the agents, in order of preference.
const SHELLS: [&str; 7] = [
    "Bash",
    "bash",
    "exec_command",
    "shell_command",
    "shell",
    "local_shell",
    "run_shell_command",
];

/// The answer that does what a step says, and whether the step is done with it: a file is read
/// by one call and written by the next. The error says what the request lacks.
pub(super) fn choose(act: &Act, said: &Conversation, id: &str) -> Result<(Answer, bool), String> {
    let call = |name: &str, input: Value| {
        Answer::Call(Call {
            id: id.to_owned(),
            name: name.to_owned(),
            input,
        })
    };
    match act {
        Act::Text(text) => Ok((Answer::Text(text.clone()), true)),
        Act::Shell(command) => {
            let (name, input) = shell(said, command)?;
            Ok((call(name, input), true))
        }
        Act::Call { name, input } => Ok((call(name, input.clone()), true)),
        Act::Write { path, text } => match file_tool(said, "Write", path)? {
            FileTool::Ready(path) => Ok((
                call("Write", json!({"file_path": path, "content": text})),
                true,
            )),
            FileTool::ReadFirst(path) => Ok((call("Read", json!({"file_path": path})), false)),
            FileTool::Absent => {
                let (name, input) = shell(said, &write_command(path, text))?;
                Ok((call(name, input), true))
            }
        },
        Act::Edit { path, old, new } => match file_tool(said, "Edit", path)? {
            FileTool::Ready(path) => {
                let input = json!({"file_path": path, "old_string": old, "new_string": new});
                Ok((call("Edit", input), true))
            }
            FileTool::ReadFirst(path) => Ok((call("Read", json!({"file_path": path})), false)),
            FileTool::Absent => {
                let (name, input) = shell(said, &edit_command(path, old, new))?;
                Ok((call(name, input), true))
            }
        },
        Act::Limit { .. } | Act::Fail(_) | Act::Break(_) => {
            unreachable!("answered before a tool is looked for")
        }
    }
}

enum FileTool {
    Ready(String),
    ReadFirst(String),
    Absent,
}

/// Such tools want absolute paths, and refuse a file that they have not read.
fn file_tool(said: &Conversation, name: &str, path: &str) -> Result<FileTool, String> {
    if !said.tools.iter().any(|tool| tool == name) {
        return Ok(FileTool::Absent);
    }
    let cwd = said
        .cwd
        .as_deref()
        .ok_or("the request does not tell the working folder")?;
    let path = format!("{}/{path}", cwd.trim_end_matches('/'));
    let read = said
        .calls
        .iter()
        .any(|call| call.name == "Read" && call.input["file_path"] == path.as_str());
    Ok(if read {
        FileTool::Ready(path)
    } else {
        FileTool::ReadFirst(path)
    })
}

fn shell<'a>(said: &Conversation, command: &str) -> Result<(&'a str, Value), String> {
    let offered = |name: &&&str| said.tools.iter().any(|tool| tool == **name);
    let name = *SHELLS.iter().find(offered).ok_or_else(|| {
        format!(
            "no shell among the tools on offer: {}",
            said.tools.join(", ")
        )
    })?;
    let input = match name {
        "exec_command" => json!({"cmd": command}),
        "shell" | "local_shell" => json!({"command": ["bash", "-lc", command]}),
        _ => json!({"command": command, "description": "a step of the script"}),
    };
    Ok((name, input))
}

fn write_command(path: &str, text: &str) -> String {
    let folder = path.rsplit_once('/').map(|(folder, _)| folder);
    let folder = folder
        .map(|f| format!("mkdir -p {} && ", quoted(f)))
        .unwrap_or_default();
    format!("{folder}printf %s {} > {}", quoted(text), quoted(path))
}

/// By GNU sed, over the whole file at once so that a text may span lines.
fn edit_command(path: &str, old: &str, new: &str) -> String {
    let escaped = |text: &str, special: &str| {
        let escape = |c: char| match c {
            '\n' => "\\n".to_owned(),
            c if special.contains(c) => format!("\\{c}"),
            c => c.to_string(),
        };
        text.chars().map(escape).collect::<String>()
    };
    let program = format!("s/{}/{}/", escaped(old, "\\/.[]*^$"), escaped(new, "\\/&"));
    format!("sed -z -i {} {}", quoted(&program), quoted(path))
}

/// One word of a shell command.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The folder an agent works in, as its system prompt or first message tells.
pub(super) fn working_folder(text: &str) -> Option<String> {
    static FOLDER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)(?:working directory:\s*|<cwd>)(/[^\n<]*)").expect("a constant pattern")
    });
    FOLDER
        .captures(text)
        .map(|found| found[1].trim().to_owned())
}
