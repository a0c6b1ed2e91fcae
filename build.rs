//! How the programs are linked.

#![expect(
    clippy::disallowed_methods,
    reason = "a build script is told by variables"
)]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=migrations");
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    let is_static = target("FEATURE").split(',').any(|f| f == "crt-static");
    // A program that may lie anywhere in memory has every address in its tables corrected at each
    // start: 53,000 of them, which takes as long as a short command. Heap, stack and libraries
    // still lie elsewhere each time.
    if target("OS") == "linux" && target("ENV") == "gnu" && !is_static {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
