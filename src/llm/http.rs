//! HTTP for language models: the one place where clients are built, and calls whose time and
//! size are bounded and whose errors hold no secret.
//!
//! TLS uses bundled roots, so that a machine without certificates works. Proxies are not taken
//! from the environment: a local server must never be reached through one.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

mod refusal;

pub(crate) use self::refusal::error_text;
use super::LlmError;
use crate::core::Clock;
use crate::core::clock::Moment;
use crate::core::redact::Redactor;
use crate::core::text::one_line;

/// Most bytes of one answer, errors and model lists included.
pub(crate) const MAX_ANSWER: usize = 16 << 20;
/// Most characters kept of an error answer.
const MAX_ERROR: usize = 600;
/// A server that does not accept a connection within this time is not there.
const CONNECT: Duration = Duration::from_secs(10);

fn builder() -> ClientBuilder {
    Client::builder()
        .use_rustls_tls()
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .user_agent(concat!("rigs/", env!("CARGO_PKG_VERSION")))
}

/// A client for calls: follows no redirect, so that a key goes to the named server only.
pub(crate) fn call_client() -> Result<Client, LlmError> {
    builder()
        .redirect(redirect::Policy::none())
        .build()
        .map_err(|e| LlmError::Unusable(format!("cannot set up HTTPS: {}", reason(&e))))
}

/// A client for public files: follows redirects (public homes hand out files through other
/// hosts), but never from HTTPS down to HTTP. It carries no key.
pub(crate) fn download_client() -> Result<Client, LlmError> {
    builder()
        .redirect(redirect::Policy::custom(|attempt| {
            let down = attempt.url().scheme() != "https"
                && attempt.previous().iter().any(|u| u.scheme() == "https");
            if down || attempt.previous().len() > 8 {
                attempt.stop()
            } else {
                attempt.follow()
            }
        }))
        .build()
        .map_err(|e| LlmError::Unusable(format!("cannot set up HTTPS: {}", reason(&e))))
}

/// One server, and how it is named in messages.
#[derive(Clone)]
pub(crate) struct Endpoint {
    client: Client,
    base: String,
    host: String,
    key: Option<SecretString>,
    key_header: KeyHeader,
    headers: Vec<(&'static str, &'static str)>,
    redactor: Redactor,
}

/// Where a server looks for the key; never in the address, which gets into logs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyHeader {
    /// `Authorization: Bearer KEY`
    Bearer,
    Named(&'static str),
}

impl Endpoint {
    /// `base` as a person writes it. A key goes over TLS or within the own network only.
    pub(crate) fn new(base: &str, key: Option<SecretString>) -> Result<Self, LlmError> {
        let shown = one_line(base, 80);
        let unusable = |why: &str| LlmError::Unusable(format!("base_url `{shown}`: {why}"));
        let url = Url::parse(base.trim())
            .map_err(|_| unusable("not a URL; write one such as http://127.0.0.1:8080/v1"))?;
        let Some(host) = url
            .host_str()
            .filter(|_| matches!(url.scheme(), "http" | "https"))
        else {
            return Err(unusable("only http and https are supported"));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LlmError::Unusable(
                "base_url holds a user or password; put the key into api_key_env instead".into(),
            ));
        }
        if key.is_some() && url.scheme() == "http" && !is_near(&url) {
            return Err(unusable("the key would travel unencrypted; use https"));
        }
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let mut base = url.clone();
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self {
            client: call_client()?,
            base: base.as_str().trim_end_matches('/').to_owned(),
            host,
            redactor: Redactor::knowing(key.iter().map(|k| k.expose_secret().to_owned())),
            headers: Vec::new(),
            key,
            key_header: KeyHeader::Bearer,
        })
    }

    /// For a server that takes its key elsewhere.
    pub(crate) fn with_key_in(self, key_header: KeyHeader) -> Self {
        Self { key_header, ..self }
    }

    /// Sends these with every call; they replace what is sent otherwise.
    pub(crate) fn with_headers(mut self, headers: &[(&'static str, &'static str)]) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Host and port, as messages name the server.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// A whole JSON answer within `limit`.
    pub(crate) async fn get(
        &self,
        path: &str,
        limit: Duration,
        clock: &Clock,
    ) -> Result<Value, LlmError> {
        let mut answer = self
            .send(path, None, Patience::new(limit, limit, clock))
            .await?;
        let text = answer.text().await?;
        serde_json::from_str(&text).map_err(|_| self.malformed("not JSON"))
    }

    /// Starts a call; an error status is an `Err` with what the server said.
    pub(crate) async fn send(
        &self,
        path: &str,
        body: Option<&Value>,
        patience: Patience,
    ) -> Result<Answer, LlmError> {
        let url = format!("{}{path}", self.base);
        let mut request = match body {
            Some(body) => self.client.post(url).json(body),
            None => self.client.get(url),
        };
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = &self.key {
            request = match self.key_header {
                KeyHeader::Bearer => request.bearer_auth(key.expose_secret()),
                KeyHeader::Named(name) => request.header(name, sensitive(key)?),
            };
        }
        let response = match patience.whole(request.send()).await {
            None => return Err(self.timeout(patience.limit)),
            Some(Err(e)) => return Err(self.unreachable(&e)),
            Some(Ok(response)) => response,
        };
        let status = response.status();
        let headers = kept_headers(response.headers());
        let mut answer = Answer {
            endpoint: self.clone(),
            response,
            headers,
            patience,
            taken: 0,
        };
        if status.is_success() {
            return Ok(answer);
        }
        // What was said before a cut or silence is still the best explanation there is.
        let said = match answer.text().await {
            Ok(said) => said,
            Err(e) => e.to_string(),
        };
        Err(self.status(status.as_u16(), &said, answer.headers))
    }

    pub(crate) fn status(
        &self,
        status: u16,
        body: &str,
        headers: Vec<(String, String)>,
    ) -> LlmError {
        LlmError::Status {
            endpoint: self.host.clone(),
            status,
            body: self.redactor.apply(&error_text(body)),
            headers,
        }
    }

    pub(crate) fn malformed(&self, reason: impl Into<String>) -> LlmError {
        LlmError::Malformed {
            endpoint: self.host.clone(),
            reason: self.redactor.apply(&one_line(&reason.into(), MAX_ERROR)),
        }
    }

    fn timeout(&self, limit: Duration) -> LlmError {
        LlmError::Timeout {
            endpoint: self.host.clone(),
            limit,
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> LlmError {
        LlmError::Unreachable {
            endpoint: self.host.clone(),
            reason: self.redactor.apply(&reason(error)),
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({})", self.base)
    }
}

/// How long a call may take in all, and how long it may be silent once it began to answer.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    clock: Clock,
    end: Moment,
    limit: Duration,
    idle: Duration,
}

impl Patience {
    pub(crate) fn new(limit: Duration, idle: Duration, clock: &Clock) -> Self {
        Self {
            end: clock.moment() + limit,
            clock: clock.clone(),
            limit,
            idle,
        }
    }

    /// Until the end of the whole call: a server may think, or load its model, that long.
    async fn whole<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let left = self.end.since(self.clock.moment());
        self.clock.timeout(left, work).await
    }

    /// Until the next piece is due; the limit that was passed when there was none.
    async fn next<T>(&self, work: impl Future<Output = T>) -> Result<T, Duration> {
        let left = self.end.since(self.clock.moment());
        let passed = if left < self.idle {
            self.limit
        } else {
            self.idle
        };
        self.clock
            .timeout(left.min(self.idle), work)
            .await
            .ok_or(passed)
    }
}

/// An answer that is being read.
pub(crate) struct Answer {
    endpoint: Endpoint,
    response: reqwest::Response,
    /// What is worth keeping of the headers, see [`kept_headers`].
    pub(crate) headers: Vec<(String, String)>,
    patience: Patience,
    taken: usize,
}

impl Answer {
    /// Whether the body says that it is a stream of events or lines.
    pub(crate) fn is_json_document(&self) -> bool {
        self.response
            .headers()
            .get(reqwest::header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.trim_start().starts_with("application/json"))
    }

    /// The next bytes; `None` at the end of a complete body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, LlmError> {
        match self.patience.next(self.response.chunk()).await {
            Err(limit) => Err(self.endpoint.timeout(limit)),
            Ok(Err(e)) => Err(self
                .endpoint
                .malformed(format!("it was cut off: {}", reason(&e)))),
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(bytes))) => {
                self.taken = self.taken.saturating_add(bytes.len());
                if self.taken > MAX_ANSWER {
                    return Err(self
                        .endpoint
                        .malformed(format!("it is longer than {} MiB", MAX_ANSWER >> 20)));
                }
                Ok(Some(bytes.to_vec()))
            }
        }
    }

    pub(crate) async fn text(&mut self) -> Result<String, LlmError> {
        let mut all = Vec::new();
        while let Some(bytes) = self.chunk().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(String::from_utf8_lossy(&all).into_owned())
    }
}

/// Loopback, private and link-local addresses, and names that only a local network resolves.
fn is_near(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => {
            matches!(host.rsplit('.').next(), Some("local" | "localhost")) || !host.contains('.')
        }
    }
}

/// The innermost cause, which is the one that says something; never the URL.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.source().is_none() {
        return "the request could not be made".into();
    }
    one_line(&cause.to_string(), 200)
}

/// A key as the value of a header, which is left out of what the client itself logs.
fn sensitive(key: &SecretString) -> Result<HeaderValue, LlmError> {
    let mut value = HeaderValue::from_str(key.expose_secret())
        .map_err(|_| LlmError::Unusable("the key holds what no header may hold".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The headers that say something about limits or identify the request; bounded.
fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            name.contains("ratelimit")
                || name.starts_with("retry-after")
                || name.starts_with("x-codex-")
                || name.ends_with("request-id")
        })
        .filter_map(|(name, value)| {
            Some((
                name.as_str().to_owned(),
                one_line(value.to_str().ok()?, 200),
            ))
        })
        .take(64)
        .collect()
}

#[cfg(test)]
mod tests;
