//! Agent 1.8.1's own verdicts on the files of the corpus, against ours.

use appspec::FileExistsBehavior;
use appspec::agent1::{AppSpec, ErrorClass};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The agent's message, without Ruby's pointer at the source and its suggestions; verdicts were cut at 230 characters.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(200).collect()
}

#[test]
fn hand_made_files_get_the_real_agents_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let verdicts = fs::read_to_string(folder.join("agent1.jsonl")).unwrap();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for verdict in verdicts.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let file = verdict["file"].as_str().unwrap();
        let ours = AppSpec::parse(&fs::read(folder.join(file)).unwrap());
        checked += 1;
        match (&ours, verdict["ok"].as_bool().unwrap()) {
            (Ok(ours), true) => {
                let (theirs, ours) = (accepted(&verdict), summary(ours));
                if ours != theirs {
                    wrong.push(format!("{file}: the agent reads {theirs}, we read {ours}"));
                }
            }
            (Err(ours), false) => {
                let (theirs, message) = (verdict["err"].as_str().unwrap(), verdict["msg"].as_str().unwrap());
                let same_text = ours.class != ErrorClass::AppSpecValidationException
                    || first_line(&ours.message) == first_line(message);
                if format!("{:?}", ours.class) != theirs || !same_text {
                    wrong.push(format!("{file}: the agent says {theirs} {message}\n    we say {ours:?}"));
                }
            }
            _ => wrong.push(format!("{file}: the agent {verdict}\n    we {ours:?}")),
        }
    }
    assert!(checked >= 86, "only {checked} verdicts");
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What an accepted file means, as comparable text.
fn accepted(verdict: &Value) -> String {
    let mut hooks: Vec<String> = Vec::new();
    for (name, scripts) in verdict["hooks"].as_object().unwrap() {
        for script in scripts.as_array().unwrap() {
            let runas = script.get("runas").and_then(Value::as_str);
            hooks.push(format!("{name}:{}:{}:{runas:?}", script["loc"].as_str().unwrap(), script["timeout"]));
        }
    }
    let files: Vec<String> = verdict["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| format!("{}>{}", path(&pair[0]), path(&pair[1])))
        .collect();
    let permissions: Vec<String> = verdict["perms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            let acl = p.get("acl").and_then(Value::as_array).into_iter().flatten();
            let acl: Vec<&str> = acl.filter_map(Value::as_str).collect();
            let mode = p.get("mode").and_then(Value::as_str);
            format!("{}:{}:{mode:?}:{acl:?}", p["o"].as_str().unwrap(), p["pat"].as_str().unwrap())
        })
        .collect();
    format!("{hooks:?} {files:?} {permissions:?} {:?}", verdict["feb"].as_str())
}

fn path(value: &Value) -> String {
    match value {
        Value::Array(parts) => parts.iter().map(path).collect::<Vec<_>>().join("/"),
        other => other.as_str().unwrap().to_owned(),
    }
}

fn summary(ours: &AppSpec) -> String {
    let mut hooks = Vec::new();
    for (name, scripts) in &ours.hooks {
        for script in scripts {
            let runas = script.runas.as_deref();
            hooks.push(format!("{name}:{}:{}:{runas:?}", script.location, script.timeout));
        }
    }
    let files: Vec<String> =
        ours.files.iter().map(|file| format!("{}>{}", file.source, file.destination)).collect();
    let permissions: Vec<String> = ours
        .permissions
        .iter()
        .map(|p| {
            let acl: Vec<String> = p.acls.iter().flatten().map(appspec::AclEntry::text).collect();
            format!("{}:{}:{:?}:{acl:?}", p.object, p.pattern, p.mode.as_deref())
        })
        .collect();
    format!(
        "{hooks:?} {files:?} {permissions:?} {:?}",
        ours.file_exists_behavior.map(FileExistsBehavior::as_str)
    )
}

#[test]
fn files_from_public_repositories_get_the_real_agents_verdict() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for case in include_str!("../../corpus/public.jsonl").lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let ours = match AppSpec::parse(case["text"].as_str().unwrap().as_bytes()) {
            Ok(_) => "accept".to_owned(),
            Err(error) => format!("{:?}", error.class),
        };
        checked += 1;
        if ours != case["agent1"].as_str().unwrap() {
            wrong.push(format!("{}: the agent {}, we {ours}", case["name"], case["agent1"]));
        }
    }
    assert!(checked > 100, "only {checked} files");
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
}
