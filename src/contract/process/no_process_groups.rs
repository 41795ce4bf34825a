//! Systems without process groups: nothing is started, since it could not be ended.

use std::io;
use std::process::{Child, Command};
use std::time::Duration;

pub(crate) const SUPPORTED: bool = false;

pub(crate) fn start(_: &mut Command, _: Duration) -> io::Result<Child> {
    Err(io::ErrorKind::Unsupported.into())
}
pub(crate) fn end(_: u32, _: Duration) -> Vec<u32> {
    Vec::new()
}
pub(crate) fn has_ended(_: u32) -> bool {
    true
}
pub(crate) fn still_running(_: &[u32]) -> String {
    String::new()
}
pub(crate) fn block_if_interrupted() {}
pub(crate) fn become_subreaper() {}
