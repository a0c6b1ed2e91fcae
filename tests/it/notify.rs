//! A person is told outside of rigs: by a server on loopback, and on a desktop that is a script.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::flow::{Flow, always, bead, write};

/// One request: its head in lower case, its body.
struct Heard {
    head: String,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let line = self
            .head
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in\n{}", self.head))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a message is JSON")
    }
}

/// A server that answers with these statuses in turn, the last one for ever. Gives its address.
fn server(statuses: &'static [u16]) -> (String, Receiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (send, heard) = channel();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().flatten().enumerate() {
            let status = statuses[n.min(statuses.len() - 1)];
            let Some(request) = answer(stream, status) else {
                continue;
            };
            if send.send(request).is_err() {
                return;
            }
        }
    });
    (address, heard)
}

fn answer(mut stream: TcpStream, status: u16) -> Option<Heard> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let n = stream.read(&mut part).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&part[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "))?;
        if body.len() < length.parse().ok()? {
            continue;
        }
        let reply =
            format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(reply.as_bytes()).ok()?;
        return Some(Heard {
            head,
            body: body.to_owned(),
        });
    }
}

/// RFC 2104 for a secret shorter than a block, written a second time.
fn signature(secret: &[u8], body: &[u8]) -> String {
    let mut key = secret.to_vec();
    key.resize(64, 0);
    let pad = |byte: u8| key.iter().map(|k| k ^ byte).collect::<Vec<u8>>();
    let inner = Sha256::digest([pad(0x36), body.to_vec()].concat());
    let outer = Sha256::digest([pad(0x5c), inner.to_vec()].concat());
    let hex: Vec<String> = outer.iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256={}", hex.concat())
}

fn done() -> Value {
    always(&[write("made.txt", "1\n"), json!({"print": "done"})])
}

const SOON: Duration = Duration::from_mins(1);

#[test]
fn a_server_hears_of_the_end_of_a_goal_signed_and_again_after_an_error() {
    let (url, heard) = server(&[503, 200]);
    let flow = Flow::new(&format!(
        "[gate]\ncommands = []\n[notify]\nwebhook_url = \"{url}\"\nwebhook_secret_env = \"HOOK\""
    ));
    flow.provider("fake", "command", &[done()]);
    flow.env.var("HOOK", "s3cret");
    let _done = flow.execute(&[bead("one", &[])]).run().success();
    let first = heard.recv_timeout(SOON).expect("a request");
    let again = heard.recv_timeout(SOON).expect("another try");
    assert_eq!(first.body, again.body);
    assert_eq!(
        first.header("x-rigs-delivery"),
        again.header("x-rigs-delivery")
    );
    assert_eq!(again.header("x-rigs-event"), "finished");
    assert_eq!(
        again.header("x-rigs-signature-256"),
        signature(b"s3cret", again.body.as_bytes())
    );
    let message = again.json();
    assert_eq!(message["convoy_id"], flow.convoy());
    assert_eq!(message["title"], format!("{} is done", flow.convoy()));
    assert_eq!(message["text"], "the whole goal");
    assert_eq!(flow.events("notify.failed"), 0);
    flow.is_done(1);
}

#[test]
fn what_cannot_be_told_is_an_event_and_stops_nothing() {
    let (url, _heard) = server(&[404]);
    let flow = Flow::new(&format!(
        "[gate]\ncommands = []\n[notify]\nwebhook_url = \"{url}\"\non = [\"finished\"]"
    ));
    flow.provider("fake", "command", &[done()]);
    let _done = flow.execute(&[bead("one", &[])]).run().success();
    let told = flow
        .env
        .query("SELECT payload FROM events WHERE type = 'notify.failed'");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("404") && !told[0].contains("/hook"),
        "{told:?}"
    );
    flow.is_done(1);
}

#[test]
fn a_server_that_never_answers_holds_up_nothing_and_gets_one_message_at_a_time() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let flow = Flow::new(&format!(
        "[gate]\ncommands = []\n[notify]\nwebhook_url = \"{url}\"\non = [\"finished\"]"
    ));
    flow.provider("fake", "command", &[done()]);
    let mut foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
    for n in 1..=3 {
        let goal = flow.execute(&[bead("one", &[])]).args(["--detach"]);
        let _stored = goal.run().success();
        assert!(
            crate::harness::wait_until(SOON, || flow.events("bead.complete") == n),
            "{:?}",
            flow.statuses()
        );
    }
    let (_first, _) = listener.accept().expect("a request");
    listener.set_nonblocking(true).expect("a socket");
    let second = listener.accept().map(|_| ());
    let kind = second.expect_err("one at a time").kind();
    assert_eq!(kind, std::io::ErrorKind::WouldBlock);
    // Who cannot wait for the rest to be told says so by a second signal.
    foreman.signal(Signal::SIGTERM);
    foreman.wait_for("stopping", SOON);
    foreman.signal(Signal::SIGINT);
    let _stopped = foreman.wait(SOON).exits(143);
}

#[test]
fn the_address_of_a_webhook_is_not_shown() {
    let url = "https://hooks.example.org/services/s3cret";
    let flow = Flow::new(&format!("[notify]\nwebhook_url = \"{url}\""));
    for args in [
        &["config", "show"][..],
        &["config", "show", "--json"],
        &["doctor", "--json"],
    ] {
        let shown = flow.rigs([]).args(args).run();
        assert!(!shown.to_string().contains("s3cret"), "{shown}");
    }
    let key = ["config", "show", "notify.webhook_url", "--json"];
    let shown = flow.rigs(key).run().success().json();
    assert_eq!(shown[0]["value"], "https://hooks.example.org/[redacted]");
}

#[test]
fn the_desktop_hears_of_it_by_arguments_of_their_own() {
    let flow = Flow::new("[gate]\ncommands = []\n[notify]\ndesktop = true");
    flow.env.program(
        "notify-send",
        "for arg in \"$@\"; do printf '%s\\n' \"$arg\"; done > \"$HOME/told\"",
    );
    let ok = flow.rigs(["notify", "test"]).run().success();
    assert!(ok.stdout.contains("ok   desktop"), "{ok}");
    let told = std::fs::read_to_string(flow.env.home().join("told")).expect("it was called");
    assert_eq!(
        told,
        "--app-name=rigs\n--\nrigs can reach you\nthis message was asked for by `rigs notify test`\n"
    );
    flow.env
        .program("notify-send", "echo no display >&2; exit 1");
    let failed = flow.rigs(["notify", "test", "--json"]).run().exits(1);
    assert_eq!(
        failed.json()["channels"],
        json!([{"name": "desktop", "ok": false, "reason": "exit status 1: no display"}])
    );
}

#[test]
fn without_anybody_to_tell_a_test_says_what_to_set() {
    let flow = Flow::new("");
    let output = flow.rigs(["notify", "test"]).run().exits(4);
    assert!(output.stderr.contains("webhook_url"), "{output}");
}

#[test]
fn a_machine_without_memory_starts_nothing_and_says_so() {
    let flow = Flow::new("[gate]\ncommands = []\n[foreman]\nmin_free_memory = 1000000000");
    let fake = flow.provider("fake", "command", &[done()]);
    let _stored = flow
        .execute(&[bead("one", &[])])
        .args(["--detach"])
        .run()
        .success();
    let _started = flow.rigs(["foreman", "start"]).run().success();
    assert!(
        crate::harness::wait_until(SOON, || flow.statuses() == ["queued"]),
        "it is taken in"
    );
    let status = flow.rigs(["foreman", "status"]).run().success();
    assert!(
        status
            .stdout
            .contains("foreman.min_free_memory is 1000000000 MB"),
        "{status}"
    );
    let why = flow
        .rigs(["why"])
        .args([flow.bead_id("one")])
        .run()
        .success();
    assert!(why.stdout.contains("min_free_memory"), "{why}");
    let _stopped = flow.rigs(["foreman", "stop"]).run().success();
    assert_eq!(fake.calls().len(), 0);
}
