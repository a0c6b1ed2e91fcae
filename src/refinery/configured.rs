//! The tanks that the configuration names.

use super::tank::TankSettings;
use crate::config::{ProviderSettings, Settings};
use crate::core::ProviderName;

/// One per enabled provider of a kind that this version knows.
pub(crate) fn tanks(settings: &Settings) -> Vec<TankSettings> {
    let enabled = settings.providers.iter().filter(|(_, entry)| entry.enabled);
    let mut tanks: Vec<TankSettings> = enabled
        .filter(|(_, entry)| entry.kind.is_some())
        .map(|(name, entry)| TankSettings::of(name, entry))
        .collect();
    if let Some((name, entry)) = github(settings) {
        let mut tank = TankSettings::of(&name, &entry);
        // No bead runs there.
        tank.limits.clear();
        tanks.push(tank);
        tanks.sort_by(|a, b| a.provider.cmp(&b.provider));
    }
    tanks
}

/// The tank of a service that is no provider, where it is wanted: its name, and how it is asked.
pub(crate) fn github(settings: &Settings) -> Option<(ProviderName, ProviderSettings)> {
    let sources = &settings.sources;
    let entry = ProviderSettings {
        base_url: Some(sources.github_url.clone()),
        api_key_env: sources.github_token_env.clone(),
        ..ProviderSettings::default()
    };
    let name = "github".parse().ok()?;
    sources.github.then_some((name, entry))
}
