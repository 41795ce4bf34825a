//! `shipyard serve`: startup, and serving until a signal to stop.

mod banner;
mod node;
mod watch;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rocket::{Build, Rocket};
use shipyard::api::routes::index::HasExampleUsers;
use shipyard::auth::clock::{Clock, TokenIds};
use shipyard::auth::keys::file::KeyFile;
use shipyard::auth::keys::{development, KeySet};
use shipyard::auth::secret::Secret;
use shipyard::auth::token::Tokens;
use shipyard::config::Settings;
use shipyard::http::admin::{self, Admin, AdminAddress, AskStore, Readiness};
use shipyard::http::fault_injection::FaultSettings;
use shipyard::http::listen::Address;
use shipyard::http::{reload, rlimit, shutdown, HttpLimits, Shutdown, Signals};
use shipyard::internal_error::chain;
use shipyard::json::Style;
use shipyard::log::{self, Log};
use shipyard::metrics::Metrics;
use shipyard::store::memory::initial_data::InitialData;
use shipyard::store::seed::{Data, Source, DEFAULT_FILE};
use shipyard::store::sql::monitor::Monitor;
use shipyard::store::{Store, StoreLimits};
use shipyard::{http, AppConfig};
use tokio::runtime::{Builder, Runtime};

use self::banner::{AdminListener, Banner};
use self::watch::{Stamp, Watch};
use super::error::{failed, failed_at, CliError};
use super::setting_flags::SettingFlags;
use super::{print, settings, warn};

/// Whether a command line with that first argument starts a server. Signals end other commands at once, as usual.
pub(super) fn starts_server(first: Option<OsString>) -> bool {
    first.is_none_or(|first| first == "serve" || first.as_encoded_bytes().starts_with(b"-"))
}

/// Runtime and signal handlers, which a server needs first.
pub(super) struct Starting {
    runtime: Runtime,
    signals: Signals,
}

impl Starting {
    pub(super) fn begin() -> io::Result<Self> {
        // It accepts connections; the workers that serve them have their own threads.
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _entered = runtime.enter();
            Signals::listen()?
        };
        Ok(Self { runtime, signals })
    }
}

/// Serves until a signal to stop.
pub(super) fn run(flags: SettingFlags, starting: Option<io::Result<Starting>>) -> Result<(), CliError> {
    let Starting { runtime, signals } = starting.unwrap_or_else(Starting::begin).map_err(failed)?;
    let served = runtime.block_on(start_and_serve(flags, signals));
    // Does not wait for threads that still read a file or hash a password.
    runtime.shutdown_background();
    served
}

async fn start_and_serve(flags: SettingFlags, mut signals: Signals) -> Result<(), CliError> {
    let SettingFlags(flags) = flags;
    let Some(settings) = unless_ended(&mut signals, move || settings(flags)).await? else {
        return Ok(());
    };
    let shutdown = settings.rocket.shutdown.clone();
    signals.configure(&shutdown, ends_at_hangup(&settings)).map_err(failed)?;
    // This hashes passwords, which takes time and memory. The allocator returns the memory when the idle thread ends.
    let Some(ready) = unless_ended(&mut signals, move || prepare(settings)).await? else { return Ok(()) };
    listen_and_serve(ready, signals).await
}

/// Runs blocking work, unless a signal stops startup.
async fn unless_ended<T: Send + 'static>(
    signals: &mut Signals,
    work: impl FnOnce() -> Result<T, CliError> + Send + 'static,
) -> Result<Option<T>, CliError> {
    tokio::select! {
        biased;
        _ = signals.ended() => Ok(None),
        done = tokio::task::spawn_blocking(work) => done.map_err(failed)?.map(Some),
    }
}

/// Whether SIGHUP stops the server. Without a key file to read again, a server that is started at a terminal stops when the
/// terminal is closed, as usual.
fn ends_at_hangup(settings: &Settings) -> bool {
    let has_file = settings.jwt_secret.is_none() && settings.jwt_secret_file.is_some();
    !has_file && io::stdin().is_terminal()
}

/// Where the users and ships are.
enum Kept {
    /// In memory, from there.
    Memory(Source),
    /// In a database: where, and its name.
    Database(String),
}

/// A server that can begin to listen.
struct Ready {
    rocket: Rocket<Build>,
    address: Address,
    limits: HttpLimits,
    kept: Kept,
    keys: KeySource,
    example_users: bool,
    config: rocket::Config,
    json: Style,
    faults: FaultSettings,
    admin: Option<AdminAddress>,
    /// With the stamp of the file from before it was read.
    watch: Option<(Watch, Stamp)>,
    shutdown_delay: Duration,
    log_settings: log::Settings,
    /// Writes the log until it is dropped.
    log: Log,
}

fn prepare(settings: Settings) -> Result<Ready, CliError> {
    if let Some(database) = settings.database.clone() {
        return node::prepare(settings, &database);
    }
    // Taken first: a later change is noticed.
    let stamp = Stamp::of(settings.data.as_deref().unwrap_or(Path::new(DEFAULT_FILE)));
    let (data, source) = Data::find(settings.data.as_deref()).map_err(failed)?;
    if settings.watch && source == Source::BuiltIn {
        return Err(failed("there is no data file to watch: name one with --data"));
    }
    data.check_limits(&source, settings.store_limits).map_err(failed)?;
    let (set, keys) = keys(&settings)?;
    rlimit::raise_nofile_limit();
    warn_of_public_logins(settings.address, &data);
    let (json, faults, log_settings) = (settings.json, settings.faults, settings.log);
    let (admin, watches, store_limits) = (settings.admin_address, settings.watch, settings.store_limits);
    let shutdown_delay = settings.shutdown_delay;
    let log = log::start(log_settings).map_err(failed)?;
    let (config, address, limits) = (settings.rocket.clone(), settings.address, settings.limits.clone());
    let parts = AppConfig { settings, data, keys: set, clock: Clock::System, token_ids: TokenIds::Random };
    let rocket = shipyard::build(parts)?;
    let example_users = rocket.state().is_some_and(HasExampleUsers::get);
    let watch =
        watch(&rocket, &source, store_limits, address).filter(|_| watches).map(|watch| (watch, stamp));
    Ok(Ready {
        rocket,
        address,
        limits,
        kept: Kept::Memory(source),
        keys,
        example_users,
        config,
        json,
        faults,
        admin,
        watch,
        shutdown_delay,
        log_settings,
        log,
    })
}

/// The watch over the data file, if there is one.
fn watch(rocket: &Rocket<Build>, source: &Source, limits: StoreLimits, address: Address) -> Option<Watch> {
    let Source::File(file) = source else { return None };
    let (initial_data, has_example_users) =
        (rocket.state::<InitialData>()?, rocket.state::<HasExampleUsers>()?);
    Some(Watch {
        file: file.clone(),
        limits,
        address,
        initial_data: initial_data.clone(),
        has_example_users: has_example_users.clone(),
    })
}

/// The passwords of the example are for this machine only.
fn warn_of_public_logins(address: Address, data: &Data) {
    let names = data.public_logins();
    if !address.first().is_loopback() && !names.is_empty() {
        let names = names.join(" or ");
        warn(&format!(
            "any client that reaches {address} can log in as {names}, since the passwords of the example are public; \
             start with other users (--data)"
        ));
    }
}

/// Source of the keys.
enum KeySource {
    Setting,
    File(KeyFile),
    Development(KeyFile),
    ThisRun,
}

fn keys(settings: &Settings) -> Result<(KeySet, KeySource), CliError> {
    if let Some(secret) = &settings.jwt_secret {
        return Ok((secret.into(), KeySource::Setting));
    }
    if let Some(path) = &settings.jwt_secret_file {
        let file = KeyFile::at(path.clone());
        return Ok((read(&file)?, KeySource::File(file)));
    }
    // A key on disk is for development only, not for a server that other machines reach.
    if settings.address.first().is_loopback() {
        match development::find_or_make(Path::new("")) {
            Ok(file) => return Ok((read(&file)?, KeySource::Development(file))),
            Err(error) => warn(&format!("no file for a development key: {}", chain(&error))),
        }
    }
    Ok((Secret::random()?.into(), KeySource::ThisRun))
}

fn read(file: &KeyFile) -> Result<KeySet, CliError> {
    let found = file.read().map_err(failed)?;
    if let Some(exposed) = found.exposed {
        warn(&exposed.to_string());
    }
    Ok(found.keys)
}

async fn listen_and_serve(ready: Ready, mut signals: Signals) -> Result<(), CliError> {
    let Ready {
        rocket,
        address,
        limits,
        kept,
        keys,
        example_users,
        config,
        json,
        faults,
        admin,
        watch,
        shutdown_delay,
        log_settings,
        log: _log,
    } = ready;
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let (shutdown_handle, shutdown) =
        Shutdown::new(seconds(config.shutdown.grace), seconds(config.shutdown.mercy));
    let shutdown = shutdown.with_delay(shutdown_delay);
    let port = config.port;
    let listeners = address.listen(port).map_err(|error| not_listening(error, address, port))?;
    if let Some(tokens) = rocket.state::<Tokens>() {
        let file = if let KeySource::File(file) = &keys { Some(file.clone()) } else { None };
        if !reload::reload_keys_on_sighup(&mut signals, tokens.clone(), file).await {
            return Ok(());
        }
    }
    shutdown::on_signals(shutdown_handle, signals);
    if let (Some(monitor), Some(tokens)) = (rocket.state::<Monitor>(), rocket.state::<Tokens>().cloned()) {
        tokio::spawn(monitor.clone().run(move || tokens.key_checks()));
    }
    let watches = watch.is_some();
    if let Some((watch, stamp)) = watch {
        tokio::spawn(watch.run(stamp));
    }
    let admin = match (admin, rocket.state::<Arc<Metrics>>()) {
        (Some(address), Some(metrics)) => {
            let initial_data = rocket.state::<InitialData>().filter(|_| address.is_loopback()).cloned();
            let (mut readiness, metrics) = (Readiness::new(shutdown.stage()), Arc::clone(metrics));
            if let Some(store) = rocket.state::<Store>().cloned() {
                let monitor = rocket.state::<Monitor>().cloned();
                readiness = readiness.with_store(ask_store(store, monitor));
            }
            let has_reset = initial_data.is_some();
            serve_admin(address, Admin { initial_data, style: json, readiness, metrics })?
                .map(|bound| AdminListener { bound, has_reset })
        }
        _ => None,
    };
    let bound = listeners.first().and_then(|listener| listener.local_addr().ok());
    // If standard output is closed, the server serves all the same.
    let banner = Banner {
        bound,
        kept: &kept,
        keys: &keys,
        example_users,
        log: log_settings,
        json,
        faults,
        watch: watches,
        admin,
    };
    let _ = print(&banner.to_string());
    http::serve(rocket, listeners, limits, shutdown).await.map_err(failed)
}

/// Starts the admin listener. Returns its address.
fn serve_admin(address: AdminAddress, admin: Admin) -> Result<Option<SocketAddr>, CliError> {
    let listeners = address
        .listen()
        .map_err(|error| failed_at(format!("cannot listen on {address} (see --admin-address)"), error))?;
    let bound = listeners.first().and_then(|listener| listener.local_addr().ok());
    admin::serve(listeners, admin);
    Ok(bound)
}

/// What readiness asks the store.
fn ask_store(store: Store, monitor: Option<Monitor>) -> AskStore {
    Arc::new(move || {
        let (store, problem) = (store.clone(), monitor.as_ref().and_then(Monitor::problem));
        Box::pin(async move {
            match problem {
                Some(problem) => Err(problem),
                None => store.check_ready().await,
            }
        })
    })
}

/// The error of an address that the server cannot listen on.
fn not_listening(error: io::Error, address: Address, port: u16) -> CliError {
    if error.kind() == io::ErrorKind::AddrInUse {
        return failed(format!(
            "port {port} is in use: stop the program that uses it, or choose another with --port \
             (on macOS, AirPlay Receiver uses 5000)"
        ));
    }
    failed_at(format!("cannot listen on {address}, port {port} (see --address and --port)"), error)
}
