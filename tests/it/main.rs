//! Program tests: what a person sees. One binary, one module per topic; each test has a
//! [`harness::TestEnv`] of its own, and [`lab`] stands in for the providers' servers.

#![cfg(test)] // Says to clippy that helpers are test code too.

mod architecture;
mod archive;
mod beads;
mod calibration;
mod capacity;
mod chaos;
mod clock;
mod commands;
mod conflict;
mod conformance;
mod daemon;
mod dependencies;
mod disk;
mod docs;
mod doctor;
#[cfg(feature = "e2e")]
mod e2e;
mod events;
mod fake_agent;
mod flow;
mod forecast;
mod gate;
mod goal;
mod going_on;
mod harness;
mod hostile;
mod injection;
mod kill;
#[path = "../lab/lab.rs"]
mod lab;
mod lab_upstream;
mod learning;
mod models;
mod night;
mod nonsense;
mod notify;
mod plan;
mod points;
mod polecats;
mod policy;
mod providers;
mod repositories;
mod settings;
mod shells;
mod simulated;
mod sources;
mod steering;
mod tampered;
mod transfer;
mod trust;
mod two;
mod wall;
mod watchdogs;
