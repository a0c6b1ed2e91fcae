//! The server: its handle, its threads, and the sending of replies.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::http::{Body, Request, write_chunk};
use super::limits::{Limits, Wall, Window, reset_at};
use super::route::{self, End, Plan};
use super::script::{Rule, Script};
use super::state::{Counts, Record, State};

/// Connections at once; further ones are closed at once.
const MAX_CONNECTIONS: usize = 256;
/// How often a waiting answer looks whether its client is still there.
const LOOK: Duration = Duration::from_millis(20);

/// A running lab. Dropped, it ends: its connections closed, its threads joined.
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upstream {
    /// Starts on a free port of 127.0.0.1.
    pub(crate) fn start(script: Script) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of loopback");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let state = Mutex::new(State::new(script));
        let shared = Arc::new(Shared {
            state,
            changed: Condvar::new(),
        });
        let acceptor = spawn(address, {
            let shared = Arc::clone(&shared);
            move || accept(&shared, &listener, address)
        });
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// The base URL of a tag; clients add `/v1/messages` and so on.
    pub(crate) fn url(&self, tag: &str) -> String {
        format!("http://{}/__m/{tag}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Plays another script from its beginning. Counts and walls stay.
    pub(crate) fn play(&self, script: Script) {
        self.shared.state().play(script);
    }

    /// Adds a rule behind those that are there.
    pub(crate) fn add(&self, rule: Rule) {
        self.shared.state().add_rule(rule);
    }

    /// What every answer to this tag says about limits from now on.
    pub(crate) fn set_limits(&self, tag: &str, limits: Limits) {
        self.shared.state().tag(tag).limits = limits;
    }

    /// Refuses every call of this tag until the reset; its epoch second.
    pub(crate) fn raise_wall(&self, tag: &str, window: Window, reset_in: Duration) -> u64 {
        let until = reset_at(reset_in);
        self.shared.state().tag(tag).wall = Some(Wall { window, until });
        until
    }

    /// The windows of this tag last so long, and not five hours or seven days.
    #[cfg(feature = "e2e")]
    pub(crate) fn set_window(&self, tag: &str, length: Duration) {
        self.shared.state().tag(tag).window_s = Some(length.as_secs());
    }

    /// The epoch second at which the wall before this tag falls, if one stands.
    pub(crate) fn wall(&self, tag: &str) -> Option<u64> {
        self.shared.state().wall(tag).map(|wall| wall.until)
    }

    /// Every request of this tag must come with this key.
    pub(crate) fn expect_credential(&self, tag: &str, credential: &str) {
        self.shared.state().tag(tag).credential = Some(credential.to_owned());
    }

    /// No request may contain this text, in its address or body.
    pub(crate) fn forbid(&self, text: &str) {
        self.shared.state().forbidden.push(text.to_owned());
    }

    /// The models that Ollama's protocol has.
    pub(crate) fn set_models(&self, names: &[&str]) {
        self.shared.state().models = names.iter().map(|name| (*name).to_owned()).collect();
    }

    /// Lets the answers go that wait for this name, now and later.
    pub(crate) fn release(&self, name: &str) {
        self.shared.state().released.insert(name.to_owned());
        self.shared.changed.notify_all();
    }

    pub(crate) fn counts(&self, tag: &str) -> Counts {
        self.shared.state().tag(tag).counts.clone()
    }

    /// Waits until the counts of a tag are as wanted; false when the time is over first.
    #[must_use]
    pub(crate) fn wait(
        &self,
        tag: &str,
        timeout: Duration,
        wanted: impl Fn(&Counts) -> bool,
    ) -> bool {
        let state = self.shared.state();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, timeout, |state| !wanted(&state.tag(tag).counts));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// The requests of a tag, oldest first.
    pub(crate) fn requests(&self, tag: &str) -> Vec<Record> {
        self.requests_since(tag, 0)
    }

    /// The requests of a tag after the one with this serial.
    pub(crate) fn requests_since(&self, tag: &str, serial: u64) -> Vec<Record> {
        let state = self.shared.state();
        let wanted = |record: &&Record| record.tag == tag && record.serial > serial;
        state.records.iter().filter(wanted).cloned().collect()
    }

    /// The serial of the latest request of any tag; to ask for those since.
    pub(crate) fn latest(&self) -> u64 {
        self.shared.state().serial
    }

    /// What clients sent that a real server would refuse, or that must never be sent.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.shared.state().violations.clone()
    }

    /// What of the script was not played.
    pub(crate) fn unplayed(&self) -> Vec<String> {
        self.shared.state().unplayed()
    }

    /// Every request was in order, and the script was played to its end.
    #[track_caller]
    pub(crate) fn assert_in_order(&self) {
        assert_eq!(self.violations(), Vec::<String>::new());
        assert_eq!(self.unplayed(), Vec::<String>::new());
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.stopping = true;
            for socket in state.sockets.values() {
                // A client that has gone is as good as shut off.
                drop(socket.shutdown(Shutdown::Both));
            }
        }
        self.shared.changed.notify_all();
        // Wakes the acceptor, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            let ended = acceptor.join();
            if !std::thread::panicking() {
                ended.expect("the lab does not panic");
            }
        }
    }
}

/// The threads of a lab bear its port in their names.
fn spawn(address: SocketAddr, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let name = format!("lab-{}", address.port());
    Builder::new().name(name).spawn(work).expect("a thread")
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener, address: SocketAddr) {
    let mut workers: Vec<JoinHandle<()>> = Vec::new();
    for (n, stream) in (0_u64..).zip(listener.incoming()) {
        let Ok(stream) = stream else { continue };
        let (over, live): (Vec<_>, Vec<_>) = workers.into_iter().partition(JoinHandle::is_finished);
        workers = live;
        over.into_iter().for_each(finish);
        {
            let mut state = shared.state();
            if state.stopping {
                break;
            }
            let Ok(socket) = stream.try_clone() else {
                continue;
            };
            if state.sockets.len() >= MAX_CONNECTIONS {
                state.violation(format!("more than {MAX_CONNECTIONS} connections"));
                continue;
            }
            state.sockets.insert(n, socket);
        }
        let shared = Arc::clone(shared);
        workers.push(spawn(address, move || {
            // An error is a client that has gone: what it did not get is in the counts.
            drop(serve(&shared, stream));
            shared.state().sockets.remove(&n);
        }));
    }
    workers.into_iter().for_each(finish);
}

fn finish(worker: JoinHandle<()>) {
    worker.join().expect("a connection does not panic");
}

fn serve(shared: &Shared, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    loop {
        let request = match Request::read(&mut reader) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(e) => {
                if e.kind() == io::ErrorKind::InvalidData {
                    shared.state().violation(format!("not a request: {e}"));
                    out.write_all(b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n")?;
                }
                return Err(e);
            }
        };
        let plan = route::plan(&mut shared.state(), &request);
        shared.changed.notify_all();
        let sent = send(shared, &mut out, &plan, request.method == "HEAD");
        settle(shared, &plan, sent.as_ref().is_ok_and(|whole| *whole));
        if !sent? || request.closes() {
            return out.shutdown(Shutdown::Both);
        }
    }
}

/// Sends a reply as planned; true when it was sent to its end.
fn send(shared: &Shared, out: &mut TcpStream, plan: &Plan, is_head: bool) -> io::Result<bool> {
    if let Some(name) = &plan.hold {
        wait(shared, out, None, |state| state.released.contains(name))?;
    }
    if plan.end == End::Never {
        wait(shared, out, None, |_| false)?;
    }
    plan.reply.write_head(out)?;
    if is_head {
        return Ok(true);
    }
    let breaks = plan.end != End::Whole;
    match &plan.reply.body {
        Body::Whole(body) => {
            let sent = if breaks {
                &body[..body.len() / 2]
            } else {
                body
            };
            out.write_all(sent)?;
            out.flush()?;
        }
        Body::Parts(parts) => {
            let count = if breaks {
                // Something is left unsaid, however short the answer.
                parts.len().saturating_sub(1).min(3)
            } else {
                parts.len()
            };
            for (n, part) in parts[..count].iter().enumerate() {
                if n > 0 && plan.pace_ms > 0 {
                    let end = Instant::now() + Duration::from_millis(plan.pace_ms);
                    wait(shared, out, Some(end), |_| false)?;
                }
                write_chunk(out, part)?;
            }
            if matches!(plan.end, End::Whole | End::TooEarly) {
                write_chunk(out, "")?;
            }
        }
    }
    match plan.end {
        End::Whole => Ok(true),
        End::HangsInside => wait(shared, out, None, |_| false).map(|()| false),
        End::Never | End::TooEarly | End::Cut => Ok(false),
    }
}

/// Waits until it is so or the time has come; an error when the client has gone or the lab ends.
fn wait(
    shared: &Shared,
    out: &TcpStream,
    end: Option<Instant>,
    done: impl Fn(&State) -> bool,
) -> io::Result<()> {
    let mut state = shared.state();
    loop {
        if state.stopping {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if done(&state) || left == Some(Duration::ZERO) {
            return Ok(());
        }
        let pause = left.map_or(LOOK, |left| left.min(LOOK));
        state = shared
            .changed
            .wait_timeout(state, pause)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        if has_gone(out) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
    }
}

fn has_gone(stream: &TcpStream) -> bool {
    let look = || {
        stream.set_nonblocking(true)?;
        let seen = stream.peek(&mut [0]);
        stream.set_nonblocking(false)?;
        seen
    };
    match look() {
        Ok(bytes) => bytes == 0,
        Err(e) => e.kind() != io::ErrorKind::WouldBlock,
    }
}

/// Writes down what became of a request.
fn settle(shared: &Shared, plan: &Plan, whole: bool) {
    let mut state = shared.state();
    let now = state.now_ms();
    if let Some(record) = state.recorded(plan.serial) {
        record.done_ms = Some(now);
        record.status = plan.reply.status;
        record.how = plan.how;
    }
    if plan.is_model_call {
        let counts = &mut state.tag(&plan.tag).counts;
        if whole {
            *counts.statuses.entry(plan.reply.status).or_default() += 1;
        } else {
            counts.broken += 1;
        }
        if let (true, Some(usage)) = (whole, plan.usage) {
            counts.answered += 1;
            counts.usage += usage;
        }
    }
    drop(state);
    shared.changed.notify_all();
}
