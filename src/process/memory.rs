//! The memory of this process itself.

/// Hands what was freed back to the system. glibc keeps freed memory that lies below anything
/// still in use, which of a large table in small pieces is nearly all; other C libraries have
/// no such call and need none.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "malloc_trim has no safe form in our dependencies"
)]
pub(crate) fn give_memory_back() {
    // SAFETY: takes the allocator's own locks and moves nothing that is in use.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_memory_back() {}

/// All threads take memory from one place. In a place of its own, which glibc gives to each, a
/// thread asks the kernel for every page alone: a command that lives for milliseconds has one that
/// works beside its first, and is a few hundred microseconds faster without.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "mallopt has no safe form in our dependencies")]
pub(crate) fn share_memory() {
    // SAFETY: sets a number of the allocator, before any other thread is there.
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, 1);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn share_memory() {}
