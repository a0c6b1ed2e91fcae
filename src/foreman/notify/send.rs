//! The ways to a person: the desktop and a server. Each try is limited in time, and there are
//! few of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use super::super::Context;
use super::message::Message;
use super::sign::hmac_sha256;
use crate::config::settings::{NotifySettings, Occasion};
use crate::config::{Env, ProviderSettings};
use crate::core::Clock;
use crate::core::redact::redact;
use crate::core::text::one_line;
use crate::core::time::Span;
use crate::process::{self, Limits, Spec, Stdin};
use crate::provider;

/// For one try, connecting included.
const TIME: Duration = Duration::from_secs(10);
/// Pauses between the tries.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// What a program needs to find the person's desktop.
const DESKTOP: &[&str] = &[
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "DBUS_SESSION_BUS_ADDRESS",
    "XAUTHORITY",
];

/// A message that did not reach anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// `desktop` or `webhook`
    pub(crate) channel: &'static str,
    pub(crate) reason: String,
    /// The title of the message.
    pub(crate) text: String,
}

/// Where messages go.
pub(crate) struct Channels {
    env: Env,
    settings: NotifySettings,
}

impl Channels {
    /// `None` when nobody is to be told.
    pub(crate) fn new(ctx: &Context) -> Option<Self> {
        let settings = ctx.settings.notify.clone();
        let is_on = settings.desktop || settings.webhook_url.is_some();
        is_on.then(|| Self {
            env: (*ctx.env).clone(),
            settings,
        })
    }

    /// The channels that are configured.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let desktop = self.settings.desktop.then_some("desktop");
        let webhook = self.settings.webhook_url.as_ref().map(|_| "webhook");
        desktop.into_iter().chain(webhook).collect()
    }

    /// Sends to every channel; what failed comes back.
    pub(crate) async fn tell(&self, message: &Message, clock: &Clock) -> Vec<Failed> {
        let failed = |channel, reason: String| Failed {
            channel,
            reason: redact(&one_line(&reason, 200)),
            text: message.title.clone(),
        };
        let mut all = Vec::new();
        if self.settings.desktop
            && let Err(reason) = self.desktop(message, clock).await
        {
            all.push(failed("desktop", reason));
        }
        if let Some(url) = &self.settings.webhook_url
            && let Err(reason) = self.webhook(url, message, clock).await
        {
            all.push(failed("webhook", reason));
        }
        all
    }

    async fn desktop(&self, message: &Message, clock: &Clock) -> Result<(), String> {
        let (program, args) = self.program(message)?;
        let mut env = self.env.child();
        let passed = DESKTOP.iter().filter_map(|name| {
            let value = self.env.os(name)?;
            Some(((*name).to_owned(), value.to_owned()))
        });
        env.extend(passed.collect::<BTreeMap<String, OsString>>());
        let spec = Spec {
            program,
            args,
            env,
            cwd: "/".into(),
            stdin: Stdin::Null,
        };
        let limits = Limits {
            time: TIME,
            output: 4 * 1024,
        };
        match process::run(&spec, limits, clock, &CancellationToken::new()).await {
            Ok(output) if output.timed_out => Err("its program did not end in time".into()),
            Ok(output) if output.exit.success() => Ok(()),
            Ok(output) => Err(format!(
                "exit status {}: {}",
                output.exit.code(),
                output.stderr
            )),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The words are arguments of their own behind `--`: no shell and no script reads them.
    fn program(&self, message: &Message) -> Result<(PathBuf, Vec<OsString>), String> {
        if let Some(program) = self.env.find_program("notify-send") {
            // Its text is markup.
            let text = message
                .text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            let args = ["--app-name=rigs", "--", &message.title, &text];
            return Ok((program, args.map(OsString::from).to_vec()));
        }
        if let Some(program) = self.env.find_program("osascript") {
            let args = [
                "-e",
                "on run argv",
                "-e",
                "display notification (item 2 of argv) with title (item 1 of argv)",
                "-e",
                "end run",
                "--",
                &message.title,
                &message.text,
            ];
            return Ok((program, args.map(OsString::from).to_vec()));
        }
        Err("neither notify-send nor osascript is in PATH".into())
    }

    async fn webhook(&self, url: &str, message: &Message, clock: &Clock) -> Result<(), String> {
        let body = serde_json::to_vec(message).map_err(|e| e.to_string())?;
        let signature = self.signature(&body, clock).await?;
        let client = crate::llm::http::call_client().map_err(|e| e.to_string())?;
        let mut pauses = PAUSES.iter();
        loop {
            let mut request = client
                .post(url)
                .header("content-type", "application/json")
                .header(
                    "x-rigs-event",
                    message.occasion.map_or("test", Occasion::as_str),
                )
                .header("x-rigs-delivery", &message.id)
                .body(body.clone());
            if let Some(signature) = &signature {
                request = request.header("x-rigs-signature-256", format!("sha256={signature}"));
            }
            let (reason, may_pass) = match clock.timeout(TIME, request.send()).await {
                None => (
                    format!("the server said nothing within {}", Span(TIME)),
                    true,
                ),
                Some(Ok(answer)) if answer.status().is_success() => return Ok(()),
                Some(Ok(answer)) => {
                    let status = answer.status();
                    let busy = status.is_server_error() || status.as_u16() == 429;
                    (format!("the server answers {status}"), busy)
                }
                // Its address may be a secret.
                Some(Err(error)) => (chain(&error.without_url()), true),
            };
            match pauses.next() {
                Some(pause) if may_pass => clock.sleep(*pause).await,
                _ => return Err(reason),
            }
        }
    }

    /// Fetched as the key of a provider is.
    async fn signature(&self, body: &[u8], clock: &Clock) -> Result<Option<String>, String> {
        let entry = ProviderSettings {
            api_key_env: self.settings.webhook_secret_env.clone(),
            api_key_file: self.settings.webhook_secret_file.clone(),
            api_key_command: self.settings.webhook_secret_command.clone(),
            ..ProviderSettings::default()
        };
        let stop = CancellationToken::new();
        let secrets = provider::secrets(&entry, &self.env, clock, &stop)
            .await
            .map_err(|e| e.to_string())?;
        let sign = |secret: &SecretString| hmac_sha256(secret.expose_secret().as_bytes(), body);
        Ok(secrets.key.as_ref().map(sign))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::core::Ids;
    use crate::core::clock::FakeClock;

    /// What a message to this port leads to, and how long it took.
    async fn told(port: u16) -> (Vec<Failed>, Duration) {
        let (time, clock) = FakeClock::at("2026-11-20T08:00:00Z");
        let message = Message::test(&Ids::seeded(clock.clone(), 1), clock.now());
        let channels = Channels {
            env: Env::new([], "/".into()),
            settings: NotifySettings {
                webhook_url: Some(format!("http://127.0.0.1:{port}/s3cret?key=s3cret")),
                ..NotifySettings::default()
            },
        };
        let begun = clock.moment();
        let mut telling = std::pin::pin!(channels.tell(&message, &clock));
        let failed = loop {
            tokio::select! {
                biased;
                failed = &mut telling => break failed,
                () = tokio::task::yield_now() => time.advance(Duration::from_millis(1)),
            }
        };
        (failed, clock.moment().since(begun))
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_left_after_three_tries() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (failed, took) = told(listener.local_addr().unwrap().port()).await;
        let want = Failed {
            channel: "webhook",
            reason: "the server said nothing within 10s".into(),
            text: "rigs can reach you".into(),
        };
        assert_eq!(failed, [want]);
        assert_eq!(took, TIME * 3 + PAUSES[0] + PAUSES[1]);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_left_too_and_its_address_is_not_told() {
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let (failed, _) = told(port).await;
        let [one] = &failed[..] else {
            panic!("{failed:?}");
        };
        assert!(one.reason.contains("refused"), "{one:?}");
        assert!(!format!("{one:?}").contains("s3cret"), "{one:?}");
    }
}
