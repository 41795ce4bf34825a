//! Where there are no process groups, nothing is started: what could not be ended would be left behind.

use std::io;
use std::process::{Child, Command};
use std::time::Duration;

pub(super) const SUPPORTED: bool = false;

pub(super) fn start(_: &mut Command, _: Duration) -> io::Result<Child> {
    Err(io::ErrorKind::Unsupported.into())
}
pub(super) fn end(_: u32, _: Duration) -> Vec<u32> {
    Vec::new()
}
pub(super) fn has_ended(_: u32) -> bool {
    true
}
pub(super) fn still_running(_: &[u32]) -> String {
    String::new()
}
pub(super) fn go_on_unless_interrupted() {}
pub(super) fn adopt_orphans() {}
