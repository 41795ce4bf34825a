//! Report of a check: the outcome of each exchange.

use serde::Serialize;

/// The outcome of one exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The response is as recorded.
    Match {
        /// The allowed differences that it has, by name.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tolerated: Vec<&'static str>,
    },
    /// The response differs.
    Mismatch {
        /// The difference, with the lines of the transcript.
        diff: String,
    },
    /// There is no response to compare.
    Failed {
        /// Why.
        reason: String,
    },
    /// It needs something that was not given.
    Skipped {
        /// What, and what for.
        reason: String,
    },
    /// It was not sent, because there is no server.
    NotRun {
        /// Why there is none.
        reason: &'static str,
    },
}

impl Outcome {
    /// Whether this is no violation of the contract.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Match { .. } | Self::Skipped { .. })
    }

    /// The word for it, padded to one width.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Match { .. } => "ok      ",
            Self::Mismatch { .. } => "MISMATCH",
            Self::Failed { .. } => "FAILED  ",
            Self::Skipped { .. } => "skipped ",
            Self::NotRun { .. } => "not run ",
        }
    }

    /// A note to print after the word.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Match { tolerated } if tolerated.is_empty() => String::new(),
            Self::Match { tolerated } => format!("(tolerated: {})", tolerated.join(", ")),
            Self::Mismatch { .. } => String::new(),
            Self::Failed { reason } | Self::Skipped { reason } => reason.clone(),
            Self::NotRun { reason } => (*reason).to_owned(),
        }
    }
}

/// One exchange and its outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The scenario.
    pub scenario: String,
    /// The exchange.
    pub exchange: String,
    /// Method and path as recorded.
    pub request: String,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A scenario that could not be run, or whose server did not end.
#[derive(Clone, Debug, Serialize)]
pub struct Broken {
    /// The scenario.
    pub scenario: String,
    /// Why.
    pub reason: String,
    /// Whether the server is missing, rather than the recording damaged.
    pub unreachable: bool,
    /// Whether its exchanges were run, and only the server did not end.
    pub ran: bool,
}

/// The whole report.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Every exchange, in order.
    pub exchanges: Vec<Checked>,
    /// The scenarios that were not run, and those whose server would not end.
    pub broken: Vec<Broken>,
}

/// Numbers of exchanges by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All of them.
    pub exchanges: usize,
    /// Responses as recorded, or with an allowed difference.
    pub matching: usize,
    /// Of these, responses with an allowed difference.
    pub tolerated: usize,
    /// Responses that differ.
    pub mismatching: usize,
    /// Exchanges without a response.
    pub failed: usize,
    /// Exchanges that need something that was not given.
    pub skipped: usize,
    /// Exchanges that were not sent.
    pub not_run: usize,
}

impl Report {
    /// The counts.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { exchanges: self.exchanges.len(), ..Summary::default() };
        for checked in &self.exchanges {
            match &checked.outcome {
                Outcome::Match { tolerated } => {
                    summary.matching += 1;
                    summary.tolerated += usize::from(!tolerated.is_empty());
                }
                Outcome::Mismatch { .. } => summary.mismatching += 1,
                Outcome::Failed { .. } => summary.failed += 1,
                Outcome::Skipped { .. } => summary.skipped += 1,
                Outcome::NotRun { .. } => summary.not_run += 1,
            }
        }
        summary
    }

    /// 0 if every exchange that was run matches, 1 if one does not, 2 if there was no server.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.broken.iter().any(|broken| broken.unreachable) {
            2
        } else if !self.broken.is_empty() || self.exchanges.iter().any(|checked| !checked.outcome.is_good()) {
            1
        } else {
            0
        }
    }

    /// The whole report as JSON.
    ///
    /// # Errors
    /// None in practice: it consists of strings and numbers.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        #[derive(Serialize)]
        struct WithSummary<'a> {
            summary: Summary,
            #[serde(flatten)]
            report: &'a Report,
        }
        let mut text = serde_json::to_string_pretty(&WithSummary { summary: self.summary(), report: self })?;
        text.push('\n');
        Ok(text)
    }

    /// One line for people.
    #[must_use]
    pub fn conclusion(&self) -> String {
        let summary = self.summary();
        let mut text = format!("{} exchanges: {} match", summary.exchanges, summary.matching);
        if summary.tolerated > 0 {
            text += &format!(" ({} of them with a tolerated difference)", summary.tolerated);
        }
        for (count, what) in [
            (summary.mismatching, "do not match"),
            (summary.failed, "failed"),
            (summary.skipped, "skipped"),
            (summary.not_run, "not run"),
        ] {
            if count > 0 {
                text += &format!(", {count} {what}");
            }
        }
        let ran = self.broken.iter().filter(|broken| broken.ran).count();
        for (count, what) in
            [(self.broken.len() - ran, "scenarios that could not be run"), (ran, "servers that did not end")]
        {
            if count > 0 {
                text += &format!("; {what}: {count}");
            }
        }
        text
    }
}
