//! What every document promises: its links lead somewhere, its words are the glossary's, and the README stays short.

use crate::template::root;
use crate::tree::files;
use release::phases::{COMMANDS, ExplainedPhase, PHASES};
use release::reason::explained::{CAUSES, Explained, REASONS};
use std::path::{Path, PathBuf};

/// Lines that the README may have. It is for somebody who decides within a minute; everything else is in `docs/`.
const LONGEST_README: usize = 130;

/// Where a word is defined, and which ones are not used for it.
const GLOSSARY: &str = "ARCHITECTURE.md";

/// The lines of a document outside its code blocks.
fn text_lines(document: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    document.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// The name by which a link reaches a heading, as GitHub makes it: small letters, digits, `-` and `_`.
fn anchor(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(kept)
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn has_heading(document: &str, wanted: &str) -> bool {
    text_lines(document).any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#')) == wanted)
}

/// What each relative link of a document misses: its file, or its heading there.
fn broken_links(path: &Path, document: &str) -> Vec<String> {
    let text = text_lines(document).collect::<Vec<_>>().join("\n");
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
    let mut broken = Vec::new();
    for link in links.filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let target = if file.is_empty() { path.to_owned() } else { path.parent().unwrap().join(file) };
        if !target.exists() {
            broken.push(format!("{link}: there is no such file"));
        } else if !heading.is_empty() && !has_heading(&std::fs::read_to_string(&target).unwrap(), heading) {
            broken.push(format!("{link}: the file has no such heading"));
        }
    }
    broken
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for (path, document) in files(".md") {
        let links = broken_links(&root().join(&path), &document);
        broken.extend(links.into_iter().map(|link| format!("{path} links to {link}")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let document = "[file](Cargo.toml) [heading](README.md#try-it) [away](https://example.com/none)\n\
        [no file](none.md) [no heading](README.md#none)\n```\n[code](none.rs)\n```\n";
    let broken = broken_links(&root().join("made-up.md"), document);
    let expected = ["none.md: there is no such file", "README.md#none: the file has no such heading"];
    assert_eq!(broken, expected);
    assert!(has_heading("## A heading, `code` and what's more", "a-heading-code-and-whats-more"));
}

#[test]
fn the_readme_is_short() {
    let lines = std::fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(
        lines <= LONGEST_README,
        "README.md has {lines} lines, more than {LONGEST_README}: move some to docs/"
    );
}

#[test]
fn every_assumption_says_what_would_break_and_how_it_is_measured() {
    let document = std::fs::read_to_string(root().join("docs/assumptions.md")).unwrap();
    let assumptions: Vec<&str> = document.split("\n### ").skip(1).collect();
    assert!(assumptions.len() > 10);
    for assumption in assumptions {
        let missing = ["\n- **If ", "\n- **Measure**"].into_iter().find(|part| !assumption.contains(part));
        assert_eq!(missing, None, "{assumption}");
    }
}

#[test]
fn the_page_of_reasons_says_what_the_command_says() {
    let page = std::fs::read_to_string(root().join("docs/reasons.md")).unwrap();
    let (reasons, causes) = page.split_once("\n## ").unwrap();
    for (section, list) in [(reasons, REASONS), (causes, CAUSES)] {
        let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
        let said: Vec<String> = list
            .iter()
            .map(|Explained { word, means, todo }| format!("| `{word}` | {means} | {todo} |"))
            .collect();
        assert_eq!(rows, said, "docs/reasons.md and shared/release/src/reason/explained.rs");
    }
}

#[test]
fn the_table_of_phases_and_commands_is_the_one_that_the_command_knows() {
    let page = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let words: Vec<String> = COMMANDS.iter().map(|command| format!("`{}`", command.word())).collect();
    let mut lines = vec![
        format!("| phase | what it is, and what it waits for | {} |", words.join(" | ")),
        format!("|{}", " --- |".repeat(2 + words.len())),
    ];
    lines.extend(PHASES.iter().map(|phase| {
        let effects: Vec<&str> = phase.commands().map(|(_, effect)| effect.unwrap_or("–")).collect();
        let ExplainedPhase { word, means, waits_for, .. } = phase;
        format!("| {word} | {means} *Waits for:* {waits_for} | {} |", effects.join(" | "))
    }));
    let table = lines.join("\n");
    assert!(
        page.contains(&table),
        "docs/operating.md has another table than shared/release/src/phases.rs:\n{table}"
    );
}

#[test]
fn every_make_target_that_a_document_names_is_there() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    for (path, document) in files(".md") {
        let starts = document.split('`').chain(document.lines());
        for named in starts.filter_map(|start| start.strip_prefix("make ")) {
            let target =
                named.split(|letter: char| !letter.is_alphanumeric() && letter != '-').next().unwrap();
            assert!(
                makefile.contains(&format!("\n{target}: ")),
                "{path} names make {target}, which the Makefile does not have"
            );
        }
    }
}

/// What is wrong with the `aws` commands of these documents, a line each, and how many there were.
fn judged_by_awss_models(documents: &[PathBuf]) -> Vec<String> {
    let output = std::process::Command::new(root().join(".venv/bin/python"))
        .arg(root().join("tests/contracts/documented.py"))
        .args(documents)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Most of them need an account; that AWS has them and their options does not.
#[test]
fn every_aws_command_that_a_document_shows_is_one_of_awss() {
    let documents: Vec<PathBuf> = files(".md").into_iter().map(|(path, _)| root().join(path)).collect();
    let told = judged_by_awss_models(&documents);
    let [counted] = &told[..] else { panic!("{}", told.join("\n")) };
    let counted: usize = counted.strip_suffix(" commands").unwrap().parse().unwrap();
    assert!(counted > 40, "only {counted}: does documented.py still know a command?");
}

#[test]
fn an_aws_command_that_does_not_exist_is_noticed() {
    let document = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong.md");
    let text = "Say `aws s3api get-object-tags --bucket B` or\n\n    aws deploy stop-deployment --deployment D | cat --id 1\n";
    std::fs::write(&document, text).unwrap();
    let told = judged_by_awss_models(&[document]);
    assert!(told[0].ends_with(": aws s3api get-object-tags: no operation get-object-tags"), "{told:?}");
    assert!(told[1].ends_with(": aws deploy stop-deployment: deployment"), "{told:?}");
    assert_eq!(told[2], "2 commands");
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let document = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let named: Vec<(&str, &str)> =
        document.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect();
    assert!(!named.is_empty());
    for (module, test) in named {
        let source =
            std::fs::read_to_string(root().join(format!("tests/it/{module}.rs"))).unwrap_or_default();
        assert!(
            source.contains(&format!("fn {test}()")),
            "ARCHITECTURE.md names {module}::{test}, which is not there"
        );
    }
}

/// A name in backticks right after a link to a source file is a function of that file.
#[test]
fn every_function_that_a_walk_names_is_there() {
    let document = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut named = 0;
    for link in document.split("](").skip(1) {
        let Some((path, after)) = link.split_once(')') else { continue };
        if Path::new(path).extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let Some(code) = after.trim_start_matches([':', ' ', '\n']).strip_prefix('`') else { continue };
        let name = code.split('`').next().unwrap();
        // A file that is not there is a broken link.
        let Ok(source) = std::fs::read_to_string(root().join(path)) else { continue };
        named += 1;
        let defined = [format!("fn {name}("), format!("fn {name}<")];
        let is_there = defined.iter().any(|start| source.contains(start));
        assert!(is_there, "ARCHITECTURE.md says that {path} has a function {name}");
    }
    assert!(named > 0, "no walk names a function any more");
}

/// A word of the glossary, and the phrases that the glossary refuses in its place.
struct Term {
    word: String,
    refused: Vec<String>,
}

/// The glossary's section of its document, and the document without it.
fn split_glossary(document: &str) -> (&str, String) {
    let (before, rest) = document.split_once("\n## Glossary\n").unwrap();
    let (section, after) = rest.split_once("\n## ").unwrap();
    (section, format!("{before}\n## {after}"))
}

/// The rows of the glossary's table that refuse something.
fn glossary() -> Vec<Term> {
    let document = std::fs::read_to_string(root().join(GLOSSARY)).unwrap();
    let rows = split_glossary(&document).0.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let refused = cells[3].split(',').map(|phrase| phrase.trim().to_owned());
        let refused: Vec<String> = refused.filter(|phrase| !phrase.is_empty()).collect();
        (!refused.is_empty()).then(|| Term { word: cells[1].to_owned(), refused })
    })
    .collect()
}

/// A text on one line and in small letters, without the marks of comments, so that a phrase is found across lines.
fn prose(source: &str) -> String {
    let unmarked = source.lines().map(|line| line.trim_start().trim_start_matches(['/', '!', '#', '|']));
    let words = unmarked.flat_map(str::split_whitespace).filter(|word| *word != "\\");
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether the prose holds this phrase, as whole words.
fn holds(prose: &str, phrase: &str) -> bool {
    let within = |letter: char| letter.is_alphanumeric() || letter == '_';
    prose.match_indices(phrase).any(|(start, found)| {
        let (before, rest) = prose.split_at(start);
        let after = rest.split_at(found.len()).1;
        !before.ends_with(within) && !after.starts_with(within)
    })
}

#[test]
fn prose_uses_the_words_of_the_glossary() {
    let terms = glossary();
    assert!(terms.len() >= 3, "the glossary refuses no words any more");
    let mut found = Vec::new();
    for ending in [".md", ".rs", ".sh", ".py", "template.yaml", "Makefile"] {
        for (path, source) in files(ending) {
            let prose = if path == GLOSSARY { prose(&split_glossary(&source).1) } else { prose(&source) };
            for Term { word, refused } in &terms {
                for phrase in refused.iter().filter(|phrase| holds(&prose, phrase)) {
                    found.push(format!("{path} says \"{phrase}\": the glossary has \"{word}\" for it"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_refused_phrase_is_found_across_lines_and_only_as_whole_words() {
    let source = "/// All weight is given\n    /// Back to live.\nlet text = \"all \\\n    weight\";\n";
    let prose = prose(source);
    assert!(holds(&prose, "given back to live"));
    assert!(holds(&prose, "weight is"));
    assert!(!holds(&prose, "weight i"));
    assert!(!holds(&prose, "iven back"));
}
