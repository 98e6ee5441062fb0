//! What is found in a bundle: a rule's code, the place, what stands there, and how to write it.
//!
//! A finding does not say whether it refuses the bundle. It says which of the two agents fails on it; the agent that
//! the instances run decides what is an error and what is a warning.

mod code;
mod findings;
mod shown;

pub use code::Code;
pub use findings::Findings;
pub use shown::{NAME_BYTES, shown};

use crate::tree::Node;
use std::fmt;

/// A line of agents: 1.x is written in Ruby, 2.x in Rust. The verdicts are those of 1.8.1 and of 2.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Agent {
    /// 1.x, which Amazon Linux installs.
    #[default]
    One,
    /// 2.x, which an operator opts in to.
    Two,
}

impl Agent {
    /// As a setting names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }

    /// From the setting's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::One, Self::Two].into_iter().find(|agent| agent.as_str() == word)
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.x", self.as_str())
    }
}

/// Whose deployments fail on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    /// Those of both agents, or the service refuses it before an agent sees it.
    Everywhere,
    /// Those of one agent only.
    With(Agent),
    /// None: it does something else than its author wants, now or on another day.
    Nowhere,
}

impl Fails {
    /// From what fails with agent 1.x and with 2.x; `None` where neither does.
    pub(crate) fn of(one: bool, two: bool) -> Option<Self> {
        match (one, two) {
            (true, true) => Some(Self::Everywhere),
            (true, false) => Some(Self::With(Agent::One)),
            (false, true) => Some(Self::With(Agent::Two)),
            (false, false) => None,
        }
    }
}

/// How bad it is for the agent that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The bundle is refused.
    Error,
    /// It is said, and the bundle is taken on.
    Warning,
}

impl Severity {
    /// In lower case, as SARIF and GitHub have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place in a file, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One thing that was found. Its texts are safe to print: what came out of the bundle is bounded, and its control and
/// direction characters are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub code: Code,
    /// Whose deployments fail on it.
    pub fails: Fails,
    /// The file of the bundle, from the bundle's root; `None` for the bundle as a whole.
    pub file: Option<String>,
    /// Where in the file.
    pub position: Option<Position>,
    /// What stands there, as the beginning of a sentence.
    pub what: String,
    /// How to write it, as an imperative.
    pub remedy: String,
}

impl Finding {
    /// A finding about the bundle as a whole. Put names into `what` with [`shown`].
    pub fn new(code: Code, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (what, remedy) = (shown::printable(&what.into()), shown::printable(&remedy.into()));
        Self { code, fails: code.fails(), file: None, position: None, what, remedy }
    }

    /// The same about a file or folder of the bundle.
    #[must_use]
    pub fn of(mut self, file: &str) -> Self {
        self.file = Some(shown::path(file));
        self
    }

    /// The same in a line of the file.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        self.position = Some(Position { line, column });
        self
    }

    /// The same where `fails` differs from what the rule usually means.
    #[must_use]
    pub fn fails(mut self, fails: Fails) -> Self {
        self.fails = fails;
        self
    }

    /// The same at a node of the AppSpec file.
    pub(crate) fn at_node(self, node: &Node) -> Self {
        self.of(crate::agent1::FILE_NAME).at(node.place.line, node.place.column)
    }

    /// How bad it is where `agent` runs.
    pub fn severity(&self, agent: Agent) -> Severity {
        match self.fails {
            Fails::Everywhere => Severity::Error,
            Fails::With(failing) if failing == agent => Severity::Error,
            Fails::With(_) | Fails::Nowhere => Severity::Warning,
        }
    }

    /// What happens on an instance, as a sentence.
    pub fn on_instance(&self) -> &'static str {
        self.code.on_instance()
    }
}

impl fmt::Display for Finding {
    /// Short enough for a verdict's tag in most cases: `GL305 appspec.yml:9:7: timeout 30s … : write 30`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.code)?;
        if let Some(file) = &self.file {
            f.write_str(file)?;
            if let Some(Position { line, column }) = self.position {
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}: {}", self.what, self.remedy)
    }
}
