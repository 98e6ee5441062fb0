//! What a shell script does with its time and its children, as far as its lines show it.
//!
//! Lines are read, not run: what depends on a variable or on a function is not known, and nothing is said of it.

use super::at;
use appspec::ScriptReference;
use appspec::finding::{Code, Findings, shown};

/// Says what the agent's clock and its open pipes make of a script.
pub(super) fn check(script: &ScriptReference, text: &str, findings: &mut Findings) {
    let lines = commands(text);
    check_sleeps(script, &lines, findings);
    check_children(script, &lines, findings);
}

/// A line without its comment, and its number.
struct Line<'a> {
    number: usize,
    text: &'a str,
}

/// The lines that hold commands: neither comments nor the text of a here-document.
fn commands(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut until: Option<String> = None;
    for (line, number) in text.lines().zip(1..) {
        if let Some(end) = &until {
            if line.trim_start_matches('\t').trim_end() == end {
                until = None;
            }
            continue;
        }
        let text = without_comment(line).trim();
        if let Some((_, end)) = text.split_once("<<").filter(|(_, end)| !end.starts_with('<')) {
            let end = end.trim_start_matches('-').trim_start();
            let word: String = end
                .trim_start_matches(['\'', '"', '\\'])
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            until = Some(word).filter(|word| !word.is_empty());
        }
        if !text.is_empty() {
            lines.push(Line { number, text });
        }
    }
    lines
}

fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (index, c) in line.char_indices() {
        match quote {
            Some(open) if c == open && before != '\\' => quote = None,
            None if matches!(c, '"' | '\'') && before != '\\' => quote = Some(c),
            None if c == '#' && before.is_whitespace() => return line.get(..index).unwrap_or(line),
            Some(_) | None => {}
        }
        before = c;
    }
    line
}

/// Seconds that its sleeps take, each loop as often as it says.
fn check_sleeps(script: &ScriptReference, lines: &[Line<'_>], findings: &mut Findings) {
    // How often each open loop runs; a loop that does not say so counts once.
    let mut loops: Vec<f64> = Vec::new();
    let (mut seconds, mut longest) = (0.0, None);
    // `n=0` and `while [ $n -lt 30 ]` count together, `max=30` too.
    let mut numbers = std::collections::BTreeMap::new();
    for line in lines {
        for part in line.text.split([';', '&', '|']).map(str::trim).filter(|part| !part.is_empty()) {
            let mut words = part.split_whitespace().peekable();
            while words.next_if(|word| matches!(*word, "do" | "then" | "else" | "{" | "(")).is_some() {}
            match words.next() {
                Some("for" | "while" | "until") => loops.push(times(line.text, &numbers).unwrap_or(1.0)),
                Some(done) if done.trim_end_matches([')', '}']) == "done" => drop(loops.pop()),
                Some("sleep") => {
                    let Some(one) = words.next().and_then(|word| duration(word, &numbers)) else { continue };
                    let all = one * loops.iter().product::<f64>();
                    seconds += all;
                    if longest.is_none_or(|(most, _)| all > most) {
                        longest = Some((all, line.number));
                    }
                }
                Some(word) => {
                    let word = word.strip_prefix("local").map_or(word, |_| words.next().unwrap_or_default());
                    if let Some((name, value)) = word.split_once('=')
                        && let Ok(value) = value.trim_matches(['"', '\'']).parse::<f64>()
                    {
                        numbers.insert(name.to_owned(), value);
                    }
                }
                None => {}
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a time-out is some thousands of seconds")]
    let timeout = script.timeout as f64;
    if let Some((_, line)) = longest.filter(|_| seconds >= timeout) {
        let location = shown(&script.location);
        let what = format!(
            "script {location} may sleep for {seconds:.0} s (most of it in line {line}), and its time-out is {} s",
            script.timeout
        );
        findings.push(at(script, Code::LoopOutlastsTimeout, what, "raise the time-out, or try less often"));
    }
}

type Numbers = std::collections::BTreeMap<String, f64>;

/// How often a loop runs at most, where its first line says so.
fn times(line: &str, numbers: &Numbers) -> Option<f64> {
    // for i in {1..30}
    if let Some((_, rest)) = line.split_once("..")
        && line.contains('{')
    {
        let from = line.split_once('{')?.1.split("..").next()?.parse::<f64>().ok()?;
        let to = rest.split(['}', '.']).next()?.parse::<f64>().ok()?;
        return Some((to - from).abs() + 1.0);
    }
    // for i in $(seq 1 30)
    if let Some((_, rest)) = line.split_once("seq ") {
        let words: Vec<f64> = rest
            .split([')', '`', ';'])
            .next()?
            .split_whitespace()
            .map(|word| value(word, numbers))
            .collect::<Option<_>>()?;
        return match words.as_slice() {
            [last] => Some(*last),
            [first, last] => Some(last - first + 1.0),
            [first, step, last] if *step != 0.0 => Some(((last - first) / step).floor() + 1.0),
            _ => None,
        };
    }
    // for ((i = 0; i < 30; i++)), while ((n < 30)), while [ $n -lt 30 ]
    let words: Vec<&str> =
        line.split(|c: char| c.is_whitespace() || "()[];".contains(c)).filter(|w| !w.is_empty()).collect();
    words.iter().zip(words.iter().skip(1)).find_map(|(sign, bound)| {
        let more = match *sign {
            "<" | "-lt" | "-ne" | "!=" => 0.0,
            "<=" | "-le" => 1.0,
            _ => return None,
        };
        value(bound, numbers).map(|bound| bound + more)
    })
}

fn value(word: &str, numbers: &Numbers) -> Option<f64> {
    let word = word.trim_matches(['"', '\'']);
    let name = word.trim_start_matches(['$', '{']).trim_end_matches('}');
    word.parse().ok().or_else(|| numbers.get(name).copied())
}

/// `5`, `0.5`, `2m`, `$PAUSE`.
fn duration(word: &str, numbers: &Numbers) -> Option<f64> {
    let word = word.trim_end_matches([')', '}', ';']);
    let (number, scale) = match word.strip_suffix(['s', 'm', 'h']) {
        Some(number) if number.parse::<f64>().is_ok() => (
            number,
            if word.ends_with('m') {
                60.0
            } else if word.ends_with('h') {
                3600.0
            } else {
                1.0
            },
        ),
        _ => (word, 1.0),
    };
    value(number, numbers).map(|seconds| seconds * scale)
}

/// A child in the background keeps the pipes on which the agent waits, unless both its outputs go elsewhere.
fn check_children(script: &ScriptReference, lines: &[Line<'_>], findings: &mut Findings) {
    let is_redirected = |text: &str| {
        let both =
            text.contains("&>") || text.contains(">&") && !text.contains("2>&1") && !text.contains(">&2");
        let stderr = text.contains("2>");
        let stdout = text.replace("2>", "").contains('>');
        both || (stdout && stderr)
    };
    // `exec >log 2>&1` holds for all that follows, and a script that waits has no child left at its end.
    let of_the_whole = lines.iter().any(|line| line.text.starts_with("exec ") && is_redirected(line.text));
    let waits = lines.iter().any(|line| line.text == "wait" || line.text.starts_with("wait "));
    if of_the_whole || waits {
        return;
    }
    let background = lines.iter().find(|line| {
        let text = line.text;
        let leaves = text.ends_with('&') && !text.ends_with("&&") && !text.ends_with("\\&");
        leaves && !is_redirected(text.trim_end_matches('&'))
    });
    if let Some(line) = background {
        let location = shown(&script.location);
        let what =
            format!("line {} of script {location} leaves a child with the script's outputs", line.number);
        let remedy = "write >/dev/null 2>&1 </dev/null before the &, or give it a log";
        findings.push(at(script, Code::BackgroundChild, what, remedy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use appspec::finding::Position;

    fn said(timeout: u64, text: &str) -> Vec<&'static str> {
        let position = Position { line: 1, column: 1 };
        let (event, location) = ("ValidateService".to_owned(), "hooks/check.sh".to_owned());
        let script = ScriptReference { position, event, runs: true, location, timeout, runas: false };
        let mut findings = Findings::default();
        check(&script, text, &mut findings);
        findings.listed().iter().map(|finding| finding.code.as_str()).collect()
    }

    #[test]
    fn loops_are_counted_as_often_as_they_say() {
        for text in [
            "for i in {1..10}; do\n  sleep 10\ndone",
            "sleep 10\nfor RETRY in $(seq 1 10)\ndo\n  curl -s localhost || sleep 9\ndone",
            "for ((i = 0; i < 30; i++)); do sleep 5; done",
            "n=0\nwhile [ $n -lt 30 ]; do\n  sleep 5 # seconds\n  n=$((n+1))\ndone",
            "MAX=20\nfor i in $(seq 1 $MAX); do sleep 5; done",
            "for a in {1..10}; do for b in {1..10}; do sleep 1; done; done",
            "sleep 2m",
        ] {
            assert_eq!(said(100, text), ["GL505"], "{text}");
            assert!(said(1000, text).is_empty(), "{text}");
        }
        for text in [
            "until curl localhost; do sleep 1; done",
            "# sleep 500",
            "echo sleep 500",
            "TRIES=$((TIMEOUT / 5))\nfor i in $(seq 1 $TRIES); do sleep 5; done",
            "for i in $(seq 1 ${TRIES:-60}); do sleep 5; done",
            "try() {\n  sleep 5\n}\nfor i in {1..60}; do try; done",
            "cat <<END\nsleep 500\nEND",
        ] {
            assert!(said(100, text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_child_needs_outputs_of_its_own() {
        for text in [
            "./deploy.sh &",
            "nohup java -jar app.jar &",
            "node app.js > app.log &",
            "(sleep 1; true) 2>/dev/null &",
        ] {
            assert_eq!(said(100, text), ["GL506"], "{text}");
        }
        for text in [
            "nohup java -jar app.jar > app.log 2>&1 &",
            "node app.js &> app.log &",
            "true && false",
            "a &&\n  b",
            "exec >log 2>&1\nnode app.js &",
            "one &\ntwo &\nwait",
            "cmd </dev/null >\"$log\" 2>&1 &",
            "# run it with &",
        ] {
            assert!(said(100, text).is_empty(), "{text}");
        }
    }
}
