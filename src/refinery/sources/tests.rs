//! Sources end to end: real programs of a shell and a server on loopback, a real store.

mod asking;
mod taking;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::config::{ProviderSettings, Settings};
use crate::core::ProviderKind;
use crate::llm::loopback::{Reply as Bytes, Server};
use crate::provider::{Observation, WindowStatus};
use crate::refinery::configured::tanks;
use crate::refinery::store::{SetOrder, load, load_one, observe, set};
use crate::refinery::window::Confidence;
use crate::testing::TestDb;

/// Speaks codex's protocol, and goes when its input ends.
const CODEX: &str = r#"
while read -r line; do
    case "$line" in
    *account/rateLimits/read*)
        echo '{"method":"configWarning","params":{}}'
        echo '{"id":2,"result":{"rateLimits":{"limitId":"codex","planType":"plus",
            "primary":{"usedPercent":42,"windowDurationMins":300,"resetsAt":1795168800},"secondary":null}}}' | tr -d '\n'
        echo;;
    esac
done
exit 3
"#;

struct Stage {
    t: TestDb,
    dir: TempDir,
    settings: Settings,
    stop: CancellationToken,
    vars: Vec<(String, String)>,
}

impl Stage {
    async fn new() -> Self {
        Self {
            t: TestDb::new().await,
            dir: tempfile::tempdir().unwrap(),
            settings: Settings::default(),
            stop: CancellationToken::new(),
            vars: Vec::new(),
        }
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn provider(&mut self, name: &str, entry: ProviderSettings) {
        let kind = entry.kind.or(name.parse().ok());
        let entry = ProviderSettings { kind, ..entry };
        self.settings.providers.insert(name.parse().unwrap(), entry);
    }

    fn env(&self) -> Env {
        let path = format!("{}:/usr/bin:/bin", self.dir.path().display());
        let home = self.dir.path().display().to_string();
        let vars = [("PATH".to_owned(), path), ("HOME".to_owned(), home)];
        let all = vars.into_iter().chain(self.vars.clone());
        Env::new(all.map(|(k, v)| (k.into(), v.into())), PathBuf::from("/"))
    }

    async fn refresh(&self, asker: Asker) -> Vec<String> {
        let env = self.env();
        let tools = Tools {
            clock: &self.t.clock,
            env: &env,
            cwd: self.dir.path(),
            stop: &self.stop,
        };
        let targets = targets(&self.settings, &env);
        let tanks = tanks(&self.settings);
        let told = refresh(&self.t.db, &self.t.ids, tools, (&targets, &tanks), asker).await;
        told.unwrap()
            .into_iter()
            .map(|one| self.words(one))
            .collect()
    }

    fn words(&self, one: Told) -> String {
        let heard = match one.heard {
            Heard::Answered { taken, said } => {
                let words: Vec<String> = taken.windows.into_iter().chain(said).collect();
                words.join("; ")
            }
            Heard::Failed {
                reason,
                blocked_until,
            } => match blocked_until {
                None => reason,
                Some(at) => format!("{reason}, {:?}", at.since(self.t.clock.now())),
            },
            Heard::Waits {
                until,
                can_be_forced,
                ..
            } => format!(
                "waits {:?} {can_be_forced}",
                until.since(self.t.clock.now())
            ),
        };
        format!("{} {}: {heard}", one.provider, one.source)
    }

    /// `id percent source confidence` of every window but the slots.
    async fn windows(&self, provider: &str) -> Vec<String> {
        let mut conn = self.t.db.read().await.unwrap();
        let tanks = load(&mut conn, &tanks(&self.settings), self.t.clock.now()).await;
        let tank = tanks
            .unwrap()
            .into_iter()
            .find(|t| t.provider.as_str() == provider);
        let view = tank.unwrap().view(self.t.clock.now());
        let told = view.windows.iter().filter(|w| w.id != "parallel").map(|w| {
            let percent = w.percent.map_or("?".into(), |p| p.to_string());
            format!("{} {percent} {} {}", w.id, w.source, w.confidence)
        });
        told.collect()
    }

    async fn events(&self, kind: EventType) -> Vec<serde_json::Value> {
        let mut conn = self.t.db.read().await.unwrap();
        let all = events::list(&mut conn, &events::EventFilter::default(), 1000).await;
        let of_kind = all.unwrap().into_iter().filter(|e| e.kind == kind);
        of_kind.map(|e| e.payload).collect()
    }
}

fn json_reply(status: &str, headers: &str, body: &str) -> Bytes {
    Bytes::Bytes(
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}
