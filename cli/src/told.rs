//! Which release it is, as the command line, the bundle and a workflow tell it.

use anyhow::{Context as _, bail};
use clap::Args;

/// Attempts of one workflow run that have numbers of their own: GitHub allows a run to be repeated for 30 days, and
/// nobody does so a hundred times.
const ATTEMPTS: u64 = 100;
/// Digits of a commit that are kept. Its whole hash makes keys that nobody can read.
const COMMIT_DIGITS: usize = 12;

/// The variables in which a GitHub workflow says what it builds (GitHub's documentation, "Default environment variables").
const RUN: &str = "GITHUB_RUN_NUMBER";
const ATTEMPT: &str = "GITHUB_RUN_ATTEMPT";
const COMMIT: &str = "GITHUB_SHA";

/// What the command line says of a release. What it leaves out the bundle says, and what that leaves out a workflow.
#[derive(Debug, Args)]
pub(crate) struct Told {
    /// Its place in the order of releases; each must be above the one before
    #[arg(long, conflicts_with_all = ["run", "attempt"])]
    number: Option<u64>,
    /// The workflow's run: with its attempt it makes the number, run x 100 + attempt, so that a repeated run is newer
    /// [default: `GITHUB_RUN_NUMBER`, where nothing else says the number]
    #[arg(long = "run-number", value_name = "RUN")]
    run: Option<u64>,
    /// The attempt of that run, from 1 to 99 [default: `GITHUB_RUN_ATTEMPT`, or 1]
    #[arg(long = "run-attempt", value_name = "ATTEMPT")]
    attempt: Option<u64>,
    /// The commit that it was built from: 7 to 40 hexadecimal digits [default: `GITHUB_SHA`, where nothing else says it]
    #[arg(long)]
    commit: Option<String>,
}

/// A variable of the environment; one that is empty says nothing.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok().filter(|value| !value.is_empty())
}

impl Told {
    /// The number of a release, if anybody says it.
    ///
    /// # Errors
    /// When it is none that a release can have, or not the one that the bundle says.
    pub(crate) fn number(
        &self,
        bundle: Option<u64>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Option<u64>> {
        let of_workflow = |name| {
            let parsed = variable(name).map(|text| {
                text.parse::<u64>().with_context(|| format!("{name} is {text:?} and no number: say --number"))
            });
            parsed.transpose()
        };
        let of_run =
            |run: u64| numbered(run, self.attempt.map_or_else(|| of_workflow(ATTEMPT), |n| Ok(Some(n)))?);
        let told = match (self.number, self.run, self.attempt) {
            (Some(number), ..) => Some(number),
            (None, Some(run), _) => Some(of_run(run)?),
            (None, None, Some(_)) => {
                Some(of_run(of_workflow(RUN)?.context("an attempt belongs to a run: say --run-number")?)?)
            }
            (None, None, None) => None,
        };
        let number = match (told, bundle) {
            (Some(told), Some(bundle)) if told != bundle => bail!(differ("number", bundle, told)),
            (None, None) => of_workflow(RUN)?.map(of_run).transpose()?,
            _ => told.or(bundle),
        };
        if number == Some(0) {
            bail!("numbers of releases begin with 1");
        }
        Ok(number)
    }

    /// The commit of a release, if anybody says it: as the bundle has it, or shortened.
    ///
    /// # Errors
    /// When it is none, or not the one that the bundle says. Of two lengths of one commit the shorter one decides.
    pub(crate) fn commit(
        &self,
        bundle: Option<String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Option<String>> {
        let told = self.commit.clone().map(|told| shortened("commit", told)).transpose()?;
        let bundle = bundle.map(|bundle| shortened("the bundle's commit", bundle)).transpose()?;
        match (told, bundle) {
            (Some(told), Some(bundle)) if !told.starts_with(&bundle) && !bundle.starts_with(&told) => {
                bail!(differ("commit", bundle, told))
            }
            (None, None) => variable(COMMIT).map(|commit| shortened(COMMIT, commit)).transpose(),
            (told, bundle) => Ok(bundle.or(told)),
        }
    }
}

fn differ(what: &str, bundle: impl std::fmt::Display, told: impl std::fmt::Display) -> String {
    format!("the bundle's {what} is {bundle}, and {told} was told: pack it anew, or tell none")
}

fn numbered(run: u64, attempt: Option<u64>) -> anyhow::Result<u64> {
    let attempt = attempt.unwrap_or(1);
    if run == 0 {
        bail!("runs of a workflow begin with 1");
    }
    if !(1..ATTEMPTS).contains(&attempt) {
        bail!("attempt {attempt} is none of 1 to 99: start a new run");
    }
    let number = run.checked_mul(ATTEMPTS).and_then(|number| number.checked_add(attempt));
    number.with_context(|| format!("run {run} is too large"))
}

fn shortened(what: &str, mut commit: String) -> anyhow::Result<String> {
    let is_hash = commit.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !is_hash || !(7..=40).contains(&commit.len()) {
        bail!("{what} {commit:?} is not 7 to 40 hexadecimal digits in lower case");
    }
    commit.truncate(COMMIT_DIGITS);
    Ok(commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        told: Told,
    }

    fn told(arguments: &[&str]) -> Told {
        Command::try_parse_from(["pack"].iter().chain(arguments)).unwrap().told
    }

    fn nothing(_: &str) -> Option<String> {
        None
    }

    /// A workflow's 142nd run, started again, of the commit 3f9c2ab41d0e….
    fn workflow(name: &str) -> Option<String> {
        let value = match name {
            RUN => "142",
            ATTEMPT => "2",
            COMMIT => "3f9c2ab41d0e5566778899aabbccddeeff001122",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn number(arguments: &[&str], bundle: Option<u64>) -> Result<Option<u64>, String> {
        told(arguments).number(bundle, nothing).map_err(|error| error.to_string())
    }

    #[test]
    fn a_repeated_run_has_a_higher_number_and_a_later_run_a_higher_one_still() {
        assert_eq!(number(&["--run-number", "142"], None), Ok(Some(14_201)));
        assert_eq!(number(&["--run-number", "142", "--run-attempt", "99"], None), Ok(Some(14_299)));
        assert_eq!(number(&["--run-number", "143"], None), Ok(Some(14_301)));
        assert_eq!(number(&["--number", "7"], None), Ok(Some(7)));
        assert_eq!(number(&[], None), Ok(None));
    }

    #[test]
    fn a_number_that_would_break_the_order_is_refused() {
        let most = u64::MAX.to_string();
        for arguments in [
            &["--run-number", "142", "--run-attempt", "100"][..],
            &["--run-number", "142", "--run-attempt", "0"],
            &["--run-number", "0"],
            &["--run-attempt", "1"],
            &["--number", "0"],
            &["--run-number", &most],
        ] {
            assert!(number(arguments, None).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn a_workflow_says_only_what_nobody_else_says() {
        let number = |arguments: &[&str], bundle| told(arguments).number(bundle, workflow).unwrap().unwrap();
        assert_eq!(number(&[], None), 14_202);
        assert_eq!(number(&["--number", "7"], None), 7);
        assert_eq!(number(&["--run-number", "9"], None), 902);
        assert_eq!(number(&["--run-attempt", "3"], None), 14_203);
        assert_eq!(number(&[], Some(7)), 7);
        let commit = |arguments: &[&str], bundle: Option<&str>| {
            told(arguments).commit(bundle.map(str::to_owned), workflow).unwrap().unwrap()
        };
        assert_eq!(commit(&[], None), "3f9c2ab41d0e");
        assert_eq!(commit(&["--commit", "aaaaaaa"], None), "aaaaaaa");
        assert_eq!(commit(&[], Some("bbbbbbb")), "bbbbbbb");
    }

    #[test]
    fn a_workflow_that_says_nonsense_is_named_where_it_is_asked() {
        let nonsense = |_: &str| Some("x".to_owned());
        let said = told(&[]).number(None, nonsense).unwrap_err();
        assert_eq!(said.to_string(), "GITHUB_RUN_NUMBER is \"x\" and no number: say --number");
        let said = told(&[]).commit(None, nonsense).unwrap_err();
        assert_eq!(said.to_string(), "GITHUB_SHA \"x\" is not 7 to 40 hexadecimal digits in lower case");
        assert_eq!(told(&["--number", "7"]).number(None, nonsense).unwrap(), Some(7));
    }

    #[test]
    fn what_is_told_must_be_what_the_bundle_says_and_a_commit_may_be_shorter() {
        assert_eq!(number(&["--number", "14201"], Some(14_201)), Ok(Some(14_201)));
        let refused = number(&["--number", "14202"], Some(14_201));
        assert_eq!(
            refused.unwrap_err(),
            "the bundle's number is 14201, and 14202 was told: pack it anew, or tell none"
        );
        let commit = |told_: &str, bundle: &str| {
            let commit = told(&["--commit", told_]).commit(Some(bundle.to_owned()), nothing);
            commit.map(Option::unwrap).map_err(|error| error.to_string())
        };
        assert_eq!(commit("3f9c2ab41d0e5566", "3f9c2ab").unwrap(), "3f9c2ab");
        assert_eq!(commit("3f9c2ab", "3f9c2ab41d0e").unwrap(), "3f9c2ab41d0e");
        assert!(commit("3f9c2ac", "3f9c2ab41d0e").unwrap_err().contains("and 3f9c2ac was told"));
    }

    #[test]
    fn a_commit_is_a_hash() {
        for text in ["3f9c2a", "main", "3F9C2AB", ""] {
            assert!(told(&["--commit", text]).commit(None, nothing).is_err(), "{text}");
        }
    }
}
