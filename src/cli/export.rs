//! `shipyard export`.

use std::path::{Path, PathBuf};

use clap::Args;
use shipyard::contract::export::{har, http, hurl, ScenarioFile};
use shipyard::contract::recording::fixtures::{Fixtures, Scenario, FOLDER};

use super::error::{failed, wrong_usage, CliError};
use super::{print, print_lines, select_scenarios, warn};

const LONG: &str = "\
--har writes the recorded traffic, for tools that read traffic. --hurl and --http write a file for each scenario, for \
tools that send requests to a freshly started server with the example data; the variable `base` is its address. Live \
tokens replace recorded ones there. Requests with tokens that only the server's key could sign are left out, with a comment.

Exit codes: 0 done, 1 a file cannot be written, 2 wrong usage, or no such fixtures.";

#[derive(Debug, Args)]
#[command(after_long_help = LONG)]
pub(super) struct Export {
    #[command(flatten)]
    form: Form,
    /// Scenario to export; can be repeated [default: all]
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Only exchanges with a successful response (2xx)
    #[arg(long, conflicts_with_all = ["hurl", "http"])]
    successful: bool,
    /// Folder of the recorded exchanges
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    fixtures: PathBuf,
    /// With --har, the file to write; with --hurl and --http, the folder for the files, <scenario>.hurl or
    /// <scenario>.http. Overwrites files of these names and no others [default: standard output; for --hurl and --http,
    /// one scenario]
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Form {
    /// An HTTP Archive (HAR 1.2)
    #[arg(long)]
    har: bool,
    /// Hurl files
    #[arg(long)]
    hurl: bool,
    /// .http files for httpYac
    #[arg(long)]
    http: bool,
}

pub(super) fn run(flags: &Export) -> Result<(), CliError> {
    let scenarios = scenarios(flags)?;
    if flags.form.har {
        return write_archive(flags, scenarios);
    }
    let (form, ending): (fn(&Scenario) -> ScenarioFile, _) =
        if flags.form.hurl { (hurl::file, "hurl") } else { (http::file, "http") };
    match (&flags.output, scenarios.as_slice()) {
        (Some(folder), _) => write_files(folder, &scenarios, form, ending),
        (None, [scenario]) => {
            let file = form(scenario);
            warn_of_refused(scenario, &file);
            print(&file.text)
        }
        (None, _) => Err(wrong_usage(format!(
            "--{ending} writes a file for each of {} scenarios: give a folder with --output, or one --scenario",
            scenarios.len()
        ))),
    }
}

/// The named scenarios, in the order of their names.
fn scenarios(flags: &Export) -> Result<Vec<Scenario>, CliError> {
    let fixtures = Fixtures::at(&flags.fixtures);
    let mut names = select_scenarios(&fixtures, &flags.scenario)?;
    names.sort();
    names.dedup();
    names.iter().map(|name| fixtures.scenario(name).map_err(wrong_usage)).collect()
}

fn write_archive(flags: &Export, mut scenarios: Vec<Scenario>) -> Result<(), CliError> {
    if flags.successful {
        for scenario in &mut scenarios {
            scenario.exchanges.retain(|exchange| (200..300).contains(&exchange.response.status));
        }
        scenarios.retain(|scenario| !scenario.exchanges.is_empty());
    }
    let text = har::text(&scenarios);
    match &flags.output {
        Some(file) => write(file, &text),
        None => print(&text),
    }
}

fn write_files(
    folder: &Path,
    scenarios: &[Scenario],
    form: fn(&Scenario) -> ScenarioFile,
    ending: &str,
) -> Result<(), CliError> {
    if folder.exists() && !folder.is_dir() {
        return Err(failed(format!("{}: expected a folder; this is a file", folder.display())));
    }
    std::fs::create_dir_all(folder).map_err(CliError::file(folder))?;
    for scenario in scenarios {
        let file = folder.join(format!("{}.{ending}", scenario.name));
        let exported = form(scenario);
        warn_of_refused(scenario, &exported);
        let ScenarioFile { text, exchanges, left_out, .. } = exported;
        write(&file, &text)?;
        print_lines(&format!("{}: {exchanges} exchanges, {left_out} left out", file.display()))?;
    }
    Ok(())
}

/// Warns of each exchange that the other tool cannot send, and that no file has.
fn warn_of_refused(scenario: &Scenario, file: &ScenarioFile) {
    for refused in &file.refused {
        warn(&format!("left out: {}/{refused}", scenario.name));
    }
}

fn write(file: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(file, text).map_err(CliError::file(file))
}
