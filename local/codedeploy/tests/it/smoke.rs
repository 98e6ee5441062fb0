//! What the kit asks of both colours because `smoke.txt` names it, and what it tells.

use crate::counts::Instance;
use serde_json::{Value, json};

/// The hook's variables, and what a bundle names.
fn asks(smoke: &str, what: &str) -> String {
    format!(
        "here=$home/backend colour=green; health_address() {{ echo \"$nginx_address\"; }}\n\
         source \"$kit/hooks/smoke.sh\"; smoke_patience=1 smoke_warm_up=0\n\
         mkdir -p \"$here/green\"; printf '%s' '{smoke}' >\"$here/green/smoke.txt\"\n{what}"
    )
}

/// What the question tells of them.
fn told(instance: &Instance, smoke: &str) -> Value {
    let said = instance.run(&asks(smoke, r#"read_smoke; ask_all_paths; printf '%s' "$smoke""#));
    said.strip_prefix(r#","smoke":"#).map_or(Value::Null, |list| serde_json::from_str(list).unwrap())
}

fn seen(status: u16, fine: bool) -> Value {
    json!({"status": status, "fine": fine})
}

#[test]
fn each_path_is_asked_of_both_colours_and_told_as_it_was_answered() {
    let Some(instance) = Instance::new("smoke::each_path_is_asked_of_both_colours", 61) else { return };
    let smoke = "# what must work\r\n\n/200 200\n/500?a=b 200\n/404 404  GET /404\n  /x 200\n";
    let failed = instance.run(&asks(smoke, r#"read_smoke || echo "$smoke_fault""#));
    assert_eq!(failed.trim(), "line 6 of smoke.txt is not PATH STATUS [TEXT]");
    let smoke = "# what must work\r\n\n/200 200\r\n/500 200\n/404 404  GET /404 \n/200 200 no such word\n";
    let both = |path: &str, answer: Value| json!({"path": path, "asked": 1, "blue": answer, "green": answer});
    let expected = json!([
        both("/200", seen(200, true)),
        both("/500", seen(500, false)),
        both("/404", seen(404, true)),
        both("/200", seen(200, false)),
    ]);
    assert_eq!(told(&instance, smoke), expected);
}

#[test]
fn a_colour_that_does_not_answer_has_no_status_and_the_other_one_is_heard() {
    let Some(instance) = Instance::new("smoke::a_colour_that_does_not_answer", 62) else { return };
    let held = instance.held.lock().unwrap();
    // Both colours hang for this path; the next path is answered all the same.
    let told = told(&instance, "/held 200\n/200 200\n");
    drop(held);
    assert_eq!(
        told[0],
        json!({"path": "/held", "asked": 1, "blue": seen(0, false), "green": seen(0, false)})
    );
    assert_eq!(told[1]["green"], seen(200, true));
}

#[test]
fn a_bundle_without_the_file_is_asked_nothing_and_one_that_is_too_large_is_refused() {
    let Some(instance) = Instance::new("smoke::a_bundle_without_the_file", 63) else { return };
    assert_eq!(told(&instance, "# nothing\n"), Value::Null);
    let without = asks("", r#"rm "$here/green/smoke.txt"; read_smoke; ask_all_paths; printf '%s' "$smoke""#);
    assert_eq!(instance.run(&without), "");
    for (smoke, refused) in [
        ("/a 200\n".repeat(11), "smoke.txt has more than 10 paths"),
        (format!("# {}\n", "x".repeat(4_096)), "smoke.txt has more than 4096 bytes"),
        ("checkout 200\n".to_owned(), "line 1 of smoke.txt is not PATH STATUS [TEXT]"),
        ("/a\"b 200\n".to_owned(), "line 1 of smoke.txt is not PATH STATUS [TEXT]"),
        ("/a 99\n".to_owned(), "line 1 of smoke.txt is not PATH STATUS [TEXT]"),
    ] {
        assert_eq!(instance.run(&asks(&smoke, r#"read_smoke || echo "$smoke_fault""#)).trim(), refused);
    }
}

#[test]
fn a_path_is_asked_once_in_thirty_seconds_and_one_a_turn() {
    let Some(instance) = Instance::new("smoke::a_path_is_asked_once_in_thirty_seconds", 64) else { return };
    let what = r#"
        asked=0; ask_path() { asked=$((asked + 1)); smoke_asked[$1]=$SECONDS; smoke_told[$1]=1; }
        read_smoke; SECONDS=0; ask_all_paths; echo "$asked"
        SECONDS=20; ask_next_path; echo "$asked"
        SECONDS=40; ask_next_path; echo "$asked"; ask_next_path; echo "$asked"; ask_next_path; echo "$asked""#;
    assert_eq!(
        instance.run(&asks("/200 200\n/404 404\n", what)).split_whitespace().collect::<Vec<_>>(),
        ["2", "2", "3", "4", "4"]
    );
}

#[test]
fn with_more_paths_than_can_be_asked_in_thirty_seconds_each_has_its_turn() {
    let Some(instance) = Instance::new("smoke::with_more_paths_than_can_be_asked", 66) else { return };
    let what = r#"
        ask_path() { smoke_asked[$1]=$SECONDS; smoke_told[$1]=1; turns[$1]=$((${turns[$1]:-0} + 1)); }
        read_smoke; SECONDS=0; ask_all_paths; turns=()
        for ((turn = 1; turn <= 60; turn++)); do SECONDS=$((30 + turn * 6)); ask_next_path; done
        for n in "${!smoke_path[@]}"; do echo "${turns[$n]:-0}"; done"#;
    let told = instance.run(&asks(&"/200 200\n".repeat(10), what));
    assert_eq!(told.split_whitespace().collect::<Vec<_>>(), ["6"; 10]);
}

/// Neither counts as a request of somebody's.
#[test]
fn what_smoke_asks_is_not_counted() {
    let Some(instance) = Instance::new("smoke::what_smoke_asks_is_not_counted", 65) else { return };
    instance.run("begin_counting");
    told(&instance, "/500 200\n");
    assert!(instance.told().values().all(|counts| *counts == [0; 4]), "{:?}", instance.told());
}
