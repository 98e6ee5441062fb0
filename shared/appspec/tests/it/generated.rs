//! AppSpec files by the thousand, the same ones every time: each key with each odd value, then files with small damages.

use std::path::Path;

/// Values that YAML, Ruby or an agent take in ways of their own.
const ODD: &[&str] = &[
    "",
    "~",
    "null",
    "false",
    "true",
    "yes",
    "off",
    "0",
    "1",
    "-1",
    "00",
    "0755",
    "0644",
    "08",
    "7_55",
    "30s",
    "'30'",
    "\"30\"",
    "30.9",
    "1:30",
    "-1:30",
    "1:30.5",
    "1_000",
    "1__0",
    "_1",
    "0x1f",
    "0x_",
    ".inf",
    "-.inf",
    ".nan",
    "1e3",
    "1e-20",
    "1.5e+3",
    ".5",
    "5.",
    "0,7",
    "0e0",
    "99999999999999999999",
    "4294967296",
    "2020-01-01",
    "2020-01-35",
    "2020-01-01 10:00:00",
    "0,755",
    ":sym",
    ":'a b'",
    "''",
    "\"\"",
    "' '",
    "a",
    "linux",
    "[]",
    "[a]",
    "[1]",
    "[[a]]",
    "{}",
    "{a: b}",
    "{type: x}",
    "{type: x, range: s0}",
    "{type: x, range: 's0:c1,'}",
    "{type: x, range: 's0:c1,c1'}",
    "{type: x, range: s0-s255}",
    "{range: s0}",
    "{type: x, range: s1-s0}",
    "{type: x, range: 's0:'}",
    "{type: x, range: 5}",
    "{type: x, range: [':']}",
    "{type: x, name: 5}",
    "[file]",
    "[directory, file]",
    "[link]",
    "file",
    "!!str 5",
    "!!str",
    "!!float 3",
    "!!int '3'",
    "!!binary aGk=",
    "!!set {a: }",
    "!!omap [a: b]",
    "!ruby/sym foo",
    "!ruby/symbol foo",
    "!ruby/object:Foo {}",
    "!foo bar",
    "!!null ''",
    "!!bool yes",
    "&b c",
    "*a",
    "['u:mary:rw']",
    "['m:rw']",
    "['m:rwx']",
    "['o::r']",
    "['mary:r']",
    "['d:u:x:r']",
    "['d:o:r']",
    "['u:m:r']",
    "['u::r']",
    "['u:x:9']",
    "['u:x:q']",
    "[5]",
    "[{location: c.sh}]",
    "[{location: ''}]",
    "[{location: 5, timeout: 0}]",
    "[{}]",
    "[a.sh]",
    "[{location: x, location: y}]",
    "{location: x}",
    "\"a b\"",
    "\"a\\nb\"",
    "\"\\u2028\"",
    "type",
    "/srv",
    "../x",
    "~/x",
    "'*.js'",
    "['*.js']",
    "DISALLOW",
    "overwrite",
    "é",
    "0o755",
    "+5",
    "0b11",
    "'0755'",
    "0777",
    "04755",
    "755",
    "4755",
    "u+x",
    "8",
    "|\n      x",
    ">\n      x",
    "a: b",
    "- a",
    "? a",
    "%x",
    "@x",
    "`x",
    "\tx",
    "x\t#y",
    "no\u{85}yes",
    "a\u{2028}b",
];

/// The keys of an AppSpec file, and a good value of each.
pub(crate) const KEYS: &[(&str, &str)] = &[
    ("version", "0.0"),
    ("os", "linux"),
    ("file_exists_behavior", "OVERWRITE"),
    ("files", "[{source: /, destination: /srv}]"),
    ("source", "/"),
    ("destination", "/srv"),
    ("hooks", ""),
    ("location", "a.sh"),
    ("timeout", "30"),
    ("runas", "root"),
    ("sudo", "true"),
    ("ValidateService", "[{location: b.sh}]"),
    ("object", "/srv"),
    ("pattern", "'**'"),
    ("except", "[]"),
    ("type", "[directory]"),
    ("owner", "root"),
    ("group", "root"),
    ("mode", "'755'"),
    ("acls", "['u:mary:rwx']"),
    ("context", "{type: x}"),
];

const TEMPLATE: &str = "version: {version}
os: {os}
file_exists_behavior: {file_exists_behavior}
files:
  - source: {source}
    destination: {destination}
hooks:
  AfterInstall:
    - location: {location}
      timeout: {timeout}
      runas: {runas}
      sudo: {sudo}
  ValidateService: {ValidateService}
permissions:
  - object: {object}
    pattern: {pattern}
    except: {except}
    type: {type}
    owner: {owner}
    group: {group}
    mode: {mode}
    acls: {acls}
    context: {context}
";

/// What a damage puts in.
const BITS: &[&str] = &[
    ":",
    " ",
    "\n",
    "-",
    "'",
    "\"",
    "[",
    "]",
    "{",
    "}",
    "#",
    "&",
    "*",
    "!",
    "|",
    ">",
    "%",
    "@",
    "`",
    "?",
    "0",
    "1",
    "_",
    ",",
    "a",
    "~",
    "null",
    "true",
    "---\n",
    "...\n",
    "<<: {a: b}\n",
    "  ",
    "- ",
    "\t",
    "\r",
    "\r\n",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{a0}",
    "\u{feff}",
    "é",
    "# x\n",
    ": ",
    "\n\n",
    "|\n",
    ">-\n",
    "%YAML 1.1\n---\n",
    "%TAG ! x\n---\n",
    "%FOO\n---\n",
    "!!str ",
    "!x ",
    "&a ",
    "*a",
    "\0",
    "\u{7f}",
    "? ",
    "\\",
    "\"\\x41\"",
    "=",
];

/// Numbers that look random and are the same every time (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or_default()
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// A file with nothing wrong but the value of one key, or its absence.
pub(crate) fn filled(key: &str, value: Option<&str>) -> String {
    let mut text = TEMPLATE.to_owned();
    for (name, good) in KEYS {
        text =
            text.replace(&format!("{{{name}}}"), if *name == key { value.unwrap_or_default() } else { good });
    }
    match value {
        Some(_) => text,
        None => {
            let is_key = |line: &&str| !line.trim_start_matches([' ', '-']).starts_with(&format!("{key}:"));
            text.lines().filter(is_key).flat_map(|line| [line, "\n"]).collect()
        }
    }
}

/// Each key with each odd value, without it, and twice.
pub(crate) fn odd_values() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for (key, _) in KEYS {
        for odd in ODD {
            files.push(filled(key, Some(odd)).into_bytes());
            // In a file of two lines there is nothing else for an agent to stop at.
            files.push(format!("version: 0.0\nos: linux\n{key}: {odd}\n").into_bytes());
        }
        files.push(filled(key, None).into_bytes());
    }
    for line in
        ["version: 0.0", "os: linux", "hooks: {}", "files: []", "permissions: []", "x: y", "x: y\nx: z"]
    {
        files.push(format!("{}{line}\n", filled("", Some(""))).into_bytes());
    }
    files
}

/// Files with one to three damages each.
pub(crate) fn damaged(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut random = Random(seed);
    let mut whole: Vec<Vec<u8>> = hand_made();
    let good = filled("", Some("")).into_bytes();
    let n_hand_made = whole.len();
    whole.extend(std::iter::repeat_n(good, n_hand_made / 2));
    let mut files = Vec::new();
    for _ in 0..count {
        let mut bytes = random.of(&whole).clone();
        for _ in 0..=random.below(3) {
            damage(&mut bytes, &mut random);
        }
        files.push(bytes);
    }
    files
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let bit = random.of(BITS).bytes();
    match random.below(10) {
        0..4 => drop(bytes.splice(at..at, bit)),
        4..6 => drop(bytes.drain(at..(at + 1 + random.below(3)).min(bytes.len()).max(at))),
        6..8 => drop(bytes.splice(at..(at + 1).min(bytes.len()).max(at), bit)),
        _ => {
            let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            let index = random.below(lines.len());
            if random.below(2) == 0 {
                let line = random.of(&lines).clone();
                lines.insert(index, line);
            } else {
                lines.remove(index);
            }
            *bytes = lines.join(&b'\n');
        }
    }
}

/// The corpus, in a fixed order.
fn hand_made() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yml"));
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}
