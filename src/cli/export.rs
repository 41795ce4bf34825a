//! `shipyard export`.

use std::path::{Path, PathBuf};

use clap::Args;
use shipyard::contract::export::{har, http, hurl, ScenarioFile};
use shipyard::contract::recording::fixtures::{Fixtures, Scenario, FOLDER};

use super::error::{failed, wrong_usage, CliError};
use super::{print, print_lines, select_scenarios, warn};

const LONG: &str = "\
--har gives what was recorded, for tools that read traffic. --hurl and --http give a file for each scenario, for \
tools that send it: to a freshly started server with the example data, whose address is the variable `base`. Live \
tokens take the place of recorded ones there; what only the server's key could sign is left out, with a comment.

Exit codes: 0 done, 1 a file cannot be written, 2 wrong usage, or no such fixtures.";

#[derive(Debug, Args)]
#[command(after_long_help = LONG)]
pub(super) struct Export {
    #[command(flatten)]
    form: Form,
    /// Scenario to export; may be given more than once [default: all]
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Only exchanges whose answer is a success (2xx); the traffic of clients that make no mistakes
    #[arg(long, conflicts_with_all = ["hurl", "http"])]
    successful: bool,
    /// Folder of the recorded exchanges
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    fixtures: PathBuf,
    /// With --har, the file to write; with --hurl and --http, the folder for the files, <scenario>.hurl or
    /// <scenario>.http. What is there under these names is overwritten, nothing else is touched
    /// [default: standard output, which takes one scenario of the latter]
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Form {
    /// One HTTP Archive (HAR 1.2)
    #[arg(long)]
    har: bool,
    /// Hurl files
    #[arg(long)]
    hurl: bool,
    /// .http files, as httpYac runs them
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
            say_refused(scenario, &file);
            print(&file.text)
        }
        (None, _) => Err(wrong_usage(format!(
            "--{ending} makes a file for each of {} scenarios: give a folder for them with --output, or one \
             --scenario",
            scenarios.len()
        ))),
    }
}

/// Those that are asked for, in the order of their names.
fn scenarios(flags: &Export) -> Result<Vec<Scenario>, CliError> {
    let fixtures = Fixtures::at(&flags.fixtures);
    let mut names = select_scenarios(&fixtures, &flags.scenario)?;
    names.sort();
    names.dedup();
    names.iter().map(|name| fixtures.scenario(name).map_err(|error| wrong_usage(error.to_string()))).collect()
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
        let made = form(scenario);
        say_refused(scenario, &made);
        let ScenarioFile { text, exchanges, left_out, .. } = made;
        write(&file, &text)?;
        print_lines(&format!("{}: {exchanges} exchanges, {left_out} left out", file.display()))?;
    }
    Ok(())
}

/// Names on standard error what the other tool cannot send: it is in no file.
fn say_refused(scenario: &Scenario, file: &ScenarioFile) {
    for refused in &file.refused {
        warn(&format!("left out: {}/{refused}", scenario.name));
    }
}

fn write(file: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(file, text).map_err(CliError::file(file))
}
