//! Whether this machine has room for one more agent: memory that is available, load per core and
//! space on the disk, as the kernel tells them, against the limits of `[foreman]`. Elsewhere than
//! on Linux only the disk is known, and only for want of space something is held back.

use std::path::Path;
use std::time::Duration;

use super::drive::Foreman;
use crate::config::settings::ForemanSettings;
use crate::depot::Ready;
use crate::depot::files::shared;

/// How often a machine without room is looked at again.
const CROWDED: Duration = Duration::from_secs(5);

/// What the kernel tells; `None` where it does not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    /// Megabytes that programs can get without swapping.
    pub(crate) available_mb: Option<u64>,
    /// Mean of the last minute.
    pub(crate) load_per_core: Option<f64>,
    /// Megabytes that this user can still write where the store is.
    pub(crate) free_disk_mb: Option<u64>,
}

/// Reads `meminfo` and `loadavg` in `proc`, and asks about the disk that `home` is on.
pub(crate) fn read(proc: &Path, home: &Path) -> Reading {
    let text = |name: &str| std::fs::read_to_string(proc.join(name)).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Reading {
        available_mb: available_mb(&text("meminfo")),
        load_per_core: load(&text("loadavg")).map(|load| load / cores as f64),
        free_disk_mb: free_disk_mb(home),
    }
}

/// `MemAvailable` of proc_meminfo(5), which is in kibibytes whatever it says.
fn available_mb(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}

/// Blocks for those who are not root, in statvfs(3)'s units of fragments.
fn free_disk_mb(dir: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(dir).ok()?;
    let bytes = u128::from(disk.blocks_available()) * u128::from(disk.fragment_size());
    u64::try_from(bytes >> 20).ok()
}

/// The first number of proc_loadavg(5).
fn load(loadavg: &str) -> Option<f64> {
    let load: f64 = loadavg.split_whitespace().next()?.parse().ok()?;
    (load.is_finite() && load >= 0.0).then_some(load)
}

/// Why nothing more is started now; `None` when there is room.
pub(crate) fn crowded(reading: Reading, limits: &ForemanSettings) -> Option<String> {
    if let Some(mb) = reading.available_mb
        && mb < limits.min_free_memory
    {
        return Some(format!(
            "{mb} MB of memory are available, and foreman.min_free_memory is {} MB",
            limits.min_free_memory
        ));
    }
    if let Some(mb) = reading.free_disk_mb
        && mb < limits.min_free_disk
    {
        return Some(format!(
            "{mb} MB are free on the disk, and foreman.min_free_disk is {} MB",
            limits.min_free_disk
        ));
    }
    let (load, most) = (reading.load_per_core?, limits.max_load_per_core?);
    (load > most).then(|| {
        format!("the load is {load:.1} per core, and foreman.max_load_per_core is {most:.1}")
    })
}

/// The same for this machine as it is now.
pub(crate) fn crowded_now(limits: &ForemanSettings, home: &Path) -> Option<String> {
    crowded(read(Path::new("/proc"), home), limits)
}

impl Foreman {
    /// Whether what runs must end first.
    pub(super) fn is_in_the_way(&self, bead: &Ready, is_resolving: bool) -> bool {
        // Its last attempt was taken away from it and is being ended: one at a time.
        self.active.contains_key(&bead.id)
            || self.convoy_is_full(bead)
            || self.touches_the_same(bead)
            || (is_resolving && self.resolves_already(bead.convoy_id.as_ref()))
    }

    /// Whether a bead of its convoy that runs is expected to touch a file of its own.
    fn touches_the_same(&self, bead: &Ready) -> bool {
        bead.has_repo()
            && self.active.values().map(|a| &a.job.bead).any(|other| {
                other.convoy_id == bead.convoy_id && shared(&bead.files, &other.files).is_some()
            })
    }

    /// Whether as many beads of its convoy run as may.
    fn convoy_is_full(&self, bead: &Ready) -> bool {
        let Some(most) = bead.convoy_max_parallel else {
            return false;
        };
        let running = self
            .active
            .values()
            .filter(|a| a.job.bead.convoy_id == bead.convoy_id)
            .count();
        i64::try_from(running).unwrap_or(i64::MAX) >= most.max(1)
    }

    /// Whether this machine has room for what is ready.
    pub(super) fn has_room(&mut self, is_wanted: bool) -> bool {
        let crowded = is_wanted
            .then(|| crowded_now(&self.ctx.settings.foreman, self.ctx.paths.home()))
            .flatten();
        if let (Some(why), None) = (&crowded, &self.crowded) {
            tracing::info!("nothing more is started for now: {why}");
        }
        let again = self.ctx.clock.moment() + CROWDED;
        self.crowded = crowded.map(|why| (why, again));
        self.crowded.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read_and_what_it_does_not_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("nowhere");
        let nothing = Reading {
            available_mb: None,
            load_per_core: None,
            free_disk_mb: None,
        };
        assert_eq!(read(dir.path(), &nowhere), nothing);
        assert!(read(dir.path(), dir.path()).free_disk_mb.is_some());
        let meminfo = "MemTotal:       16314480 kB\nMemFree:          202112 kB\n\
                       MemAvailable:    2097152 kB\n";
        std::fs::write(dir.path().join("meminfo"), meminfo).unwrap();
        std::fs::write(dir.path().join("loadavg"), "4.00 2.00 1.00 3/602 12345\n").unwrap();
        let cores = std::thread::available_parallelism().unwrap().get() as f64;
        let want = Reading {
            available_mb: Some(2048),
            load_per_core: Some(4.0 / cores),
            free_disk_mb: None,
        };
        assert_eq!(read(dir.path(), &nowhere), want);
        for odd in ["", "MemAvailable: many kB", "MemAvailable:"] {
            assert_eq!(available_mb(odd), None, "{odd:?}");
        }
        for odd in ["", "NaN 1 1", "-1 1 1", "inf"] {
            assert_eq!(load(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn an_agent_more_is_started_within_the_limits_only() {
        let limits = |memory, load| ForemanSettings {
            min_free_memory: memory,
            max_load_per_core: load,
            ..ForemanSettings::default()
        };
        let now = |mb, load| Reading {
            available_mb: mb,
            load_per_core: load,
            free_disk_mb: None,
        };
        let held = |reading, limits| crowded(reading, &limits).is_some();
        let cases = [
            (now(Some(512), Some(9.0)), limits(256, None), false),
            (now(Some(256), None), limits(256, Some(1.0)), false),
            (now(Some(255), None), limits(256, None), true),
            (now(Some(255), None), limits(0, None), false),
            (now(None, Some(2.0)), limits(256, Some(2.0)), false),
            (now(None, Some(2.1)), limits(256, Some(2.0)), true),
            (now(None, None), limits(u64::MAX, Some(0.0)), false),
        ];
        for (reading, limits, want) in cases {
            assert_eq!(
                held(reading, limits.clone()),
                want,
                "{reading:?} {limits:?}"
            );
        }
        let disk = |mb| Reading {
            free_disk_mb: Some(mb),
            ..now(None, None)
        };
        let limits = ForemanSettings {
            min_free_disk: 100,
            ..ForemanSettings::default()
        };
        assert_eq!(crowded(disk(100), &limits), None);
        assert_eq!(
            crowded(disk(99), &limits).as_deref(),
            Some("99 MB are free on the disk, and foreman.min_free_disk is 100 MB")
        );
    }
}
