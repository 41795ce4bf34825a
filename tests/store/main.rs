//! Rules of the store, over both stores: in memory, and in PostgreSQL at each isolation level, on both versions.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod families;
mod fixture;
mod limits;
mod lists;
mod logins;
mod races;
mod rows;
mod statements;
mod upkeep;

use fixture::Backend;

/// Runs each rule over a new store, and names the one that fails.
macro_rules! rules {
    ($( $module:ident::$rule:ident, )*) => {
        fn run_all(backend: Backend) {
            $( backend.run(concat!(stringify!($module), "::", stringify!($rule)), $module::$rule); )*
        }
    };
}

rules! {
    families::a_token_is_spent_once_and_the_same_client_may_retry,
    families::a_second_use_ends_the_family_and_no_other,
    families::a_logout_of_a_refresh_token_ends_its_family,
    families::a_user_has_the_32_families_that_were_used_last,
    families::families_that_have_expired_make_room,
    limits::a_burst_is_admitted_and_then_the_wait_is_said,
    limits::each_network_and_operation_has_its_own_bucket,
    limits::a_rejected_request_takes_nothing_from_later_buckets,
    limits::refreshes_do_not_count_overall,
    limits::a_known_network_has_a_reserve,
    limits::each_name_has_its_own_bucket,
    limits::guesses_from_other_networks_do_not_limit_a_returning_user,
    limits::without_limits_every_request_is_admitted,
    lists::a_list_has_the_texts_of_its_rows,
    lists::each_write_changes_the_version_of_the_list,
    logins::a_late_login_is_refused,
    logins::a_password_change_ends_the_tokens_issued_before,
    logins::tokens_of_the_second_of_a_password_change,
    logins::a_full_deny_list_ends_all_tokens_of_the_user,
    logins::a_logged_out_token_is_revoked_and_others_are_not,
    logins::a_revoked_token_of_a_deleted_user_is_revoked,
    logins::tokens_from_before_the_start_are_refused,
    logins::noted_tokens_are_bounded,
    logins::a_network_is_remembered_for_the_present_password,
    logins::a_deleted_user_is_unknown,
    rows::ids_have_no_gaps_and_are_not_given_out_twice,
    rows::a_full_table_takes_nothing_until_a_row_is_removed,
    rows::errors_of_ships_come_in_order,
    rows::errors_of_users_come_in_order,
    rows::a_renamed_user_leaves_the_old_name_free,
    rows::a_change_keeps_the_other_fields,
    rows::texts_are_answered_as_they_were_written,
    rows::ids_that_are_never_given_out_are_not_found,
}

#[test]
fn rules_hold_in_memory() {
    run_all(Backend::Memory);
}

#[test]
fn rules_hold_on_15_at_read_committed() {
    run_all(Backend::READ_COMMITTED_15);
}

#[test]
fn rules_hold_on_15_at_repeatable_read() {
    run_all(Backend::REPEATABLE_READ_15);
}

#[test]
fn rules_hold_on_15_at_serializable() {
    run_all(Backend::SERIALIZABLE_15);
}

#[test]
fn rules_hold_on_18_at_read_committed() {
    run_all(Backend::READ_COMMITTED_18);
}

#[test]
fn rules_hold_on_18_at_repeatable_read() {
    run_all(Backend::REPEATABLE_READ_18);
}

#[test]
fn rules_hold_on_18_at_serializable() {
    run_all(Backend::SERIALIZABLE_18);
}
