//! Texts of the statements. Each is described in its file.

/// Defines a constant for the text of each statement, and the list of all for tests.
macro_rules! statements {
    ($( $name:ident = $file:literal, )*) => {
        $( pub(super) const $name: &str = include_str!(concat!("statements/", $file, ".sql")); )*

        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$( ($file, $name), )*];
    };
}

statements! {
    ADMIT_REFRESH = "admit_refresh",
    ADMIT_UNLIMITED = "admit_unlimited",
    ADMIT_WRITE = "admit_write",
    ALL_SHIPS = "all_ships",
    ALL_USERS = "all_users",
    BEGIN_LOGIN = "begin_login",
    BEGIN_LOGIN_UNLIMITED = "begin_login_unlimited",
    CHECK_ACCESS = "check_access",
    CHECK_REFRESH = "check_refresh",
    COMPLETE_LOGIN = "complete_login",
    CREATE_SHIP = "create_ship",
    CREATE_USER = "create_user",
    DELETE_SHIP = "delete_ship",
    DELETE_USER = "delete_user",
    HASH_KEY = "hash_key",
    INSERT_COUNTER = "insert_counter",
    INSERT_SHIP = "insert_ship",
    INSERT_USER = "insert_user",
    LOG_OUT = "log_out",
    PRUNE_LOGINS = "prune_logins",
    PRUNE_LOGOUTS = "prune_logouts",
    PRUNE_MARK = "prune_mark",
    REFRESH = "refresh",
    REPLACE_SHIP = "replace_ship",
    ROTATE = "rotate",
    SHIP = "ship",
    UPDATE_SHIP = "update_ship",
    UPDATE_USER = "update_user",
    USER = "user",
    WHOLE_SHIPS = "whole_ships",
    WHOLE_USERS = "whole_users",
}

#[cfg(test)]
mod tests;
