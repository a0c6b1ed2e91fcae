//! Plays the steps of one run.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use super::record::Call;
use super::script::{Child, Event, Shape, Step};
use super::{claude, codex, record};

/// The first argument of a child that only goes on for a while.
pub(crate) const CHILD: &str = "--fake-child";
const SESSION: &str = "session";

/// What a child does.
pub(crate) fn go_on(ms: &str, group: &str) -> Result<u8, String> {
    if group == SESSION {
        nix::unistd::setsid().map_err(|e| format!("setsid: {e}"))?;
    }
    std::thread::sleep(Duration::from_millis(
        ms.parse().map_err(|e| format!("{ms}: {e}"))?,
    ));
    Ok(0)
}

/// Nothing a test forgets lasts longer.
const LONGEST: Duration = Duration::from_mins(10);

pub(crate) struct Player<'a> {
    call: &'a Call,
    session: String,
    /// How it ends unless a step says otherwise.
    exit: u8,
    /// Held until the process ends, however it ends.
    locks: Vec<File>,
    tokens: usize,
}

impl<'a> Player<'a> {
    pub(crate) fn new(shape: Shape, call: &'a Call) -> Self {
        let session = match shape {
            Shape::Claude => after(&call.args, &["--session-id", "--resume", "-r"]),
            Shape::Codex => after(&call.args, &["resume"]),
            Shape::Plain => None,
        };
        // Made of the pid: two starts at once have two sessions.
        let fresh = || format!("00000000-0000-4000-8000-{:012}", std::process::id());
        Self {
            call,
            session: session.unwrap_or_else(fresh),
            exit: 0,
            locks: Vec::new(),
            tokens: 0,
        }
    }

    /// The exit code.
    pub(crate) fn play(mut self, steps: &[Step]) -> Result<u8, String> {
        for step in steps {
            if let Some(exit) = self.step(step)? {
                return Ok(exit);
            }
        }
        Ok(self.exit)
    }

    /// The exit code, when the step ends the run.
    fn step(&mut self, step: &Step) -> Result<Option<u8>, String> {
        match step {
            Step::Print(line) => print(format!("{line}\n").as_bytes())?,
            Step::PrintError(line) => {
                writeln!(std::io::stderr(), "{line}").map_err(|e| format!("stderr: {e}"))?;
            }
            Step::Bytes(bytes) => print(bytes)?,
            Step::Garbage(count) => {
                // Every byte value in turn, in steps that never spell a word.
                let bytes: Vec<u8> = (0..*count).map(|n| (n * 167 + 131) as u8).collect();
                print(&bytes)?;
            }
            Step::HugeLine(count) => {
                print(&vec![b'x'; *count])?;
                print(b"\n")?;
            }
            Step::Write { path, text } => {
                folder_of(path)?;
                std::fs::write(path, text).map_err(|e| format!("{path}: {e}"))?;
            }
            Step::Append { path, text } => {
                let old = std::fs::read_to_string(path).unwrap_or_default();
                std::fs::write(path, old + text).map_err(|e| format!("{path}: {e}"))?;
            }
            Step::Delete(path) => {
                std::fs::remove_file(path).map_err(|e| format!("{path}: {e}"))?;
            }
            Step::Shell(command) => shell(command)?,
            Step::WaitMs(ms) => std::thread::sleep(Duration::from_millis(*ms)),
            Step::WaitFor(name) => {
                let path = self.call.in_folder(name);
                wait(&format!("for {name}"), || path.exists())?;
            }
            Step::Signal(name) => {
                std::fs::write(self.call.in_folder(name), "")
                    .map_err(|e| format!("{name}: {e}"))?;
            }
            Step::IgnoreSigterm => {
                // Blocked, not handled: it stays pending for ever. There is only this thread.
                let mut signals = SigSet::empty();
                signals.add(Signal::SIGTERM);
                signals
                    .thread_block()
                    .map_err(|e| format!("sigterm: {e}"))?;
            }
            Step::CloseStdout => {
                // Another file in its place: else the next one opened would become stdout.
                let null = std::fs::File::create("/dev/null").map_err(|e| e.to_string())?;
                nix::unistd::dup2_stdout(null).map_err(|e| e.to_string())?;
            }
            Step::NeverEnd => wait("for ever", || false)?,
            Step::Exit(code) => return Ok(Some(*code)),
            Step::Kill(signal) => {
                let signal = Signal::try_from(*signal).map_err(|e| e.to_string())?;
                kill(Pid::this(), signal).map_err(|e| e.to_string())?;
            }
            Step::Child(child) => spawn(child)?,
            Step::Alone => self.alone()?,
            Step::Token => self.token()?,
            Step::NeedEnv(name) => {
                need(std::env::var_os(name).is_some(), || {
                    format!("{name} is not set")
                })?;
            }
            Step::NeedNoEnv(name) => {
                need(std::env::var_os(name).is_none(), || {
                    format!("{name} is set")
                })?;
            }
            Step::NeedArg(arg) => {
                need(self.call.args.contains(arg), || {
                    format!("no argument `{arg}`")
                })?;
            }
            Step::NeedNoArg(arg) => {
                need(!self.call.args.contains(arg), || {
                    format!("the argument `{arg}`")
                })?;
            }
            Step::NeedPrompt(text) => {
                need(self.call.prompt.contains(text), || {
                    format!("no `{text}` in the prompt")
                })?;
            }
            Step::Claude(event) => self.tell(event, claude::lines(event, &self.session))?,
            Step::Codex(event) => self.tell(event, codex::lines(event, &self.session)?)?,
        }
        Ok(None)
    }

    fn alone(&mut self) -> Result<(), String> {
        let folder = working_folder()?;
        // Beside the folders of all fakes: two of them may be given one bead.
        let path = self.call.in_folder(&format!("../alone-{folder}"));
        let file = File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        need(file.try_lock().is_ok(), || {
            format!("another run is at work on {folder}")
        })?;
        self.locks.push(file);
        Ok(())
    }

    fn token(&mut self) -> Result<(), String> {
        let path = format!("{}.txt", working_folder()?);
        let token = format!(
            "token-{}-{}-{}",
            std::process::id(),
            record::now_ms(),
            self.tokens
        );
        self.tokens += 1;
        // Appended in one call: killed here, it must not lose the line before this one by itself.
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path);
        file.and_then(|mut file| file.write_all(format!("{token}\n").as_bytes()))
            .map_err(|e| format!("{path}: {e}"))?;
        self.call.write("token", &token.as_str().into())
    }

    fn tell(&mut self, event: &Event, lines: Vec<serde_json::Value>) -> Result<(), String> {
        for line in lines {
            print(format!("{line}\n").as_bytes())?;
        }
        if matches!(event, Event::Limit(_) | Event::Error { .. }) {
            self.exit = 1;
        }
        Ok(())
    }
}

/// The argument after the first of these that is there.
fn after(args: &[String], names: &[&str]) -> Option<String> {
    let at = args.iter().position(|arg| names.contains(&arg.as_str()))?;
    args.get(at + 1).cloned()
}

fn print(bytes: &[u8]) -> Result<(), String> {
    let mut out = std::io::stdout();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::BrokenPipe => super::NOBODY_READS.to_owned(),
            _ => format!("stdout: {e}"),
        })
}

fn need(is_so: bool, problem: impl Fn() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(problem()) }
}

fn working_folder() -> Result<String, String> {
    let folder = std::env::current_dir().map_err(|e| format!("the working folder: {e}"))?;
    let name = folder.file_name().unwrap_or_default();
    Ok(name.to_string_lossy().into_owned())
}

fn folder_of(path: &str) -> Result<(), String> {
    match std::path::Path::new(path).parent() {
        Some(folder) => std::fs::create_dir_all(folder).map_err(|e| format!("{path}: {e}")),
        None => Ok(()),
    }
}

fn shell(command: &str) -> Result<(), String> {
    let status = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .status();
    let status = status.map_err(|e| format!("{command}: {e}"))?;
    need(status.success(), || format!("{command}: {status}"))
}

fn spawn(child: &Child) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    let group = if child.session { SESSION } else { "" };
    command
        .args([CHILD, &child.ms.to_string(), group])
        .stdin(Stdio::null());
    if !child.holds_output {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    let started = command.spawn().map_err(|e| format!("a child: {e}"))?;
    if child.session {
        // Until it is a session leader: a test that kills our group must not kill it too.
        let pid = Pid::from_raw(started.id() as i32);
        wait("for the session", || {
            nix::unistd::getsid(Some(pid)) == Ok(pid)
        })?;
    }
    Ok(())
}

fn wait(what: &str, done: impl Fn() -> bool) -> Result<(), String> {
    let end = Instant::now() + LONGEST;
    while !done() {
        need(Instant::now() < end, || format!("waited too long {what}"))?;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Epoch seconds in so long. `FAKE_AGENT_LEAP` names the file that says by how many milliseconds the
/// night of this test is ahead.
pub(crate) fn reset_at(reset_in_s: u64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ahead = std::env::var_os("FAKE_AGENT_LEAP")
        .and_then(|file| std::fs::read_to_string(file).ok())
        .and_then(|text| text.trim().parse::<u128>().ok());
    let now = now.unwrap_or_default().as_millis() + ahead.unwrap_or(0);
    now.div_ceil(1000) as u64 + reset_in_s
}
