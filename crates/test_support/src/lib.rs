//! Helpers of the integration tests: a server in process, the built program, recordings, snapshots.

pub mod contract;
pub mod exposition;
pub mod forge;
pub mod http_server;
pub mod postgres;
pub mod program;
pub mod server;
pub mod settings_table;
pub mod strategies;
pub mod transcript;

/// Snapshots are named by the test, not by the module, and lie in one folder.
pub fn snapshots() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots");
    settings
}

/// What changes from `left` to `right`, as a unified diff.
pub fn unified_diff(left_name: &str, left: &str, right_name: &str, right: &str) -> String {
    similar::TextDiff::from_lines(left, right).unified_diff().header(left_name, right_name).to_string()
}
