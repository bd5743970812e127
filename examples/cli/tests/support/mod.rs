//! What the tests of the program share.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod account;
#[path = "../../../../tests/common/mod.rs"]
pub mod common;
pub mod mood;
pub mod program;
pub mod secret;
