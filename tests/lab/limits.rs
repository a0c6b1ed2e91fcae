//! What the providers' servers say about limits in their headers, and the walls.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};

/// The windows of a subscription: Anthropic's `five_hour` and `seven_day`, OpenAI's `primary` and
/// `secondary`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Window {
    FiveHour,
    SevenDay,
}

/// How full a window is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Share {
    /// 0 to 1.
    pub(crate) used: f64,
    /// Epoch seconds.
    pub(crate) resets_at: u64,
}

impl Share {
    pub(crate) fn new(used: f64, reset_in: Duration) -> Self {
        Self {
            used,
            resets_at: reset_at(reset_in),
        }
    }
}

/// A limit of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quota {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    pub(crate) reset_in_s: u64,
}

/// What is said with every answer to a tag; nothing unless set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) five_hour: Option<Share>,
    pub(crate) seven_day: Option<Share>,
    pub(crate) requests: Option<Quota>,
    pub(crate) tokens: Option<Quota>,
}

/// Everything is refused until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wall {
    pub(super) window: Window,
    /// Epoch seconds: the wall falls in the very second that the answers state.
    pub(super) until: u64,
}

/// How far from a reset warnings begin.
const WARN_FROM: f64 = 0.9;

impl Limits {
    /// The same with the window of the wall full.
    pub(super) fn behind(mut self, wall: Wall) -> Self {
        let full = Some(Share {
            used: 1.0,
            resets_at: wall.until,
        });
        match wall.window {
            Window::FiveHour => self.five_hour = full,
            Window::SevenDay => self.seven_day = full,
        }
        self
    }

    /// `anthropic-ratelimit-*`.
    pub(super) fn anthropic(&self, wall: Option<Wall>) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        let mut add = |name: &str, value: String| {
            headers.push((format!("anthropic-ratelimit-{name}"), value));
        };
        for (name, quota) in [("requests", self.requests), ("tokens", self.tokens)] {
            if let Some(quota) = quota {
                add(&format!("{name}-limit"), quota.limit.to_string());
                add(&format!("{name}-remaining"), quota.remaining.to_string());
                let reset = reset_at(Duration::from_secs(quota.reset_in_s));
                add(&format!("{name}-reset"), rfc3339(reset));
            }
        }
        let mut worst: Option<(&str, &str, Share)> = None;
        for (short, claim, window, share) in [
            ("5h", "five_hour", Window::FiveHour, self.five_hour),
            ("7d", "seven_day", Window::SevenDay, self.seven_day),
        ] {
            let Some(share) = share else { continue };
            let status = match wall {
                Some(wall) if wall.window == window => "rejected",
                _ if share.used >= WARN_FROM => "allowed_warning",
                _ => "allowed",
            };
            add(&format!("unified-{short}-status"), status.into());
            add(
                &format!("unified-{short}-reset"),
                share.resets_at.to_string(),
            );
            add(
                &format!("unified-{short}-utilization"),
                share.used.to_string(),
            );
            if status == "allowed_warning" {
                add(
                    &format!("unified-{short}-surpassed-threshold"),
                    WARN_FROM.to_string(),
                );
            }
            if worst.is_none_or(|(.., other)| share.used > other.used) {
                worst = Some((claim, status, share));
            }
        }
        if let Some((claim, status, share)) = worst {
            add("unified-status", status.into());
            add("unified-reset", share.resets_at.to_string());
            add("unified-representative-claim", claim.into());
            add("unified-overage-status", "rejected".into());
            add(
                "unified-overage-disabled-reason",
                "org_level_disabled".into(),
            );
        }
        headers
    }

    /// `x-ratelimit-*` and `x-codex-*`.
    pub(super) fn openai(&self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        let mut add = |name: String, value: String| headers.push((name, value));
        for (name, quota) in [("requests", self.requests), ("tokens", self.tokens)] {
            if let Some(quota) = quota {
                add(format!("x-ratelimit-limit-{name}"), quota.limit.to_string());
                add(
                    format!("x-ratelimit-remaining-{name}"),
                    quota.remaining.to_string(),
                );
                add(
                    format!("x-ratelimit-reset-{name}"),
                    format!("{}s", quota.reset_in_s),
                );
            }
        }
        for (name, minutes, share) in [
            ("primary", 300, self.five_hour),
            ("secondary", 10_080, self.seven_day),
        ] {
            let Some(share) = share else { continue };
            let left = share.resets_at.saturating_sub(now_s());
            add(
                format!("x-codex-{name}-used-percent"),
                (share.used * 100.0).to_string(),
            );
            add(
                format!("x-codex-{name}-window-minutes"),
                minutes.to_string(),
            );
            add(
                format!("x-codex-{name}-reset-at"),
                share.resets_at.to_string(),
            );
            add(
                format!("x-codex-{name}-reset-after-seconds"),
                left.to_string(),
            );
        }
        if self.five_hour.is_some() || self.seven_day.is_some() {
            add("x-codex-plan-type".into(), "plus".into());
            add("x-codex-active-limit".into(), "codex".into());
        }
        headers
    }

    /// The body of ChatGPT's usage page, which `codex app-server` reads.
    pub(super) fn wham(&self, walled: bool) -> Value {
        let window = |share: Option<Share>, seconds: u64| {
            share.map(|share| {
                json!({
                    "used_percent": (share.used * 100.0) as u64,
                    "limit_window_seconds": seconds,
                    "reset_after_seconds": share.resets_at.saturating_sub(now_s()),
                    "reset_at": share.resets_at,
                })
            })
        };
        json!({
            "plan_type": "plus",
            "rate_limit": {
                "allowed": !walled,
                "limit_reached": walled,
                "primary_window": window(self.five_hour, 18_000),
                "secondary_window": window(self.seven_day, 604_800),
            },
            "credits": null,
        })
    }
}

/// Epoch seconds in so long, rounded up: what is stated is never too early.
pub(super) fn reset_at(reset_in: Duration) -> u64 {
    (now() + reset_in).as_millis().div_ceil(1000) as u64
}

pub(super) fn now_s() -> u64 {
    now().as_secs()
}

/// The same to the millisecond.
pub(super) fn epoch_s() -> f64 {
    now().as_millis() as f64 / 1000.0
}

/// Since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a server states real times, and keeps to them"
)]
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
}

fn rfc3339(epoch_s: u64) -> String {
    chrono::DateTime::from_timestamp(epoch_s as i64, 0)
        .expect("a time in range")
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
