//! Server processes that the tool starts and stops.

#[cfg_attr(not(unix), path = "process/no_process_groups.rs")]
pub(crate) mod process_group;
pub mod server_process;
