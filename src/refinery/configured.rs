//! The tanks that the configuration names.

use super::tank::TankSettings;
use crate::config::Settings;

/// One per enabled provider of a kind that this version knows.
pub(crate) fn tanks(settings: &Settings) -> Vec<TankSettings> {
    let enabled = settings.providers.iter().filter(|(_, entry)| entry.enabled);
    enabled
        .filter(|(_, entry)| entry.kind.is_some())
        .map(|(name, entry)| TankSettings::of(name, entry))
        .collect()
}
