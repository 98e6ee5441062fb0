//! What agent 2.x's reader says of the files of the corpus, against ours.

use appspec::agent2;
use std::fs;
use std::path::Path;

/// Whether the words are the YAML library's own about text that is no YAML; ours come from another library.
fn is_about_syntax(message: &str) -> bool {
    let typed =
        ["invalid type", "invalid value", "missing field", "duplicate field", "more than one document"];
    message.contains("YAML parsing error") && !typed.iter().any(|words| message.contains(words))
}

#[test]
fn hand_made_files_get_the_verdict_of_agent_2() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let table = fs::read_to_string(folder.join("agent2.tsv")).unwrap();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, verdict, message] = columns.as_slice() else { unreachable!("{line}") };
        checked += 1;
        let ours =
            agent2::judge(&fs::read(folder.join(file)).unwrap()).map_err(|refusal| refusal.to_string());
        let agrees = match &ours {
            Ok(()) => *verdict == "accept",
            Err(ours) if is_about_syntax(message) => *verdict == "reject" && is_about_syntax(ours),
            Err(ours) => *verdict == "reject" && ours == message,
        };
        if !agrees {
            wrong.push(format!("{file}: the agent {verdict} {message}\n    we {ours:?}"));
        }
    }
    assert_eq!(checked, 93);
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn files_from_public_repositories_get_the_verdict_of_agent_2() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for case in include_str!("../../corpus/public.jsonl").lines() {
        let case: serde_json::Value = serde_json::from_str(case).unwrap();
        let ours = agent2::judge(case["text"].as_str().unwrap().as_bytes());
        checked += 1;
        if ours.is_ok() != (case["agent2"] == "accept") {
            wrong.push(format!("{}: the agent {}, we {ours:?}", case["name"], case["agent2"]));
        }
    }
    assert!(checked > 100, "only {checked} files");
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
}
