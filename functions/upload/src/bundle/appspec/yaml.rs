//! A YAML document as a tree that keeps what a typed reader throws away: quotes, lines, tags, aliases,
//! and keys given twice.
//!
//! `version: 0.0` is accepted by the CodeDeploy agent and `version: "0.0"` is not; a fault is reported with
//! its line, and all faults are reported. A serde reader stops at the first and, asked for a string, no longer
//! knows whether it was quoted. So this reads the events of `granit-parser`, the parser below `serde-saphyr`.

use super::psych::{self, Scalar, Value};
use granit_parser::{Event, Parser, ScalarStyle, Tag};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) content: Content,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// The first document of a text, and what a reader should know of it besides.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// `None` when there is nothing but white space and comments.
    pub(crate) root: Option<Node>,
    pub(crate) notes: Vec<Note>,
}

/// Something that one of the agents trips over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    Alias { line: usize },
    RubyTag { line: usize, tag: String },
    Date { line: usize, text: String },
    DuplicateKey { line: usize, key: String },
    SecondDocument { line: usize },
}

/// Why a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) detail: String,
}

impl Node {
    /// The value of `key`: the last one, as the agent's reader has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().rev().find(|(name, _)| name.is_text(key)).map(|(_, value)| value)
    }

    /// The entries of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[(Node, Node)] {
        if let Content::Map(entries) = &self.content { entries } else { &[] }
    }

    /// As Ruby sees it: `None` for a list or a mapping.
    pub(crate) fn value(&self) -> Option<Value> {
        if let Content::Scalar(scalar) = &self.content { Some(psych::resolve(scalar)) } else { None }
    }

    /// Whether it is absent in all but name: an empty value, `~`, `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.value() == Some(Value::Null)
    }

    /// The text that Ruby's `to_s` makes of it.
    pub(crate) fn text(&self) -> String {
        match &self.content {
            Content::Scalar(scalar) => psych::resolve(scalar).to_string(),
            Content::List(items) => {
                let items: Vec<_> = items.iter().map(|item| format!("{:?}", item.text())).collect();
                format!("[{}]", items.join(", "))
            }
            Content::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| format!("{:?}=>{:?}", key.text(), value.text()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    fn is_text(&self, text: &str) -> bool {
        matches!(self.value(), Some(Value::Text(found)) if found == text)
    }
}

/// A list or mapping whose end has not been read.
enum Unfinished {
    List(usize, Vec<Node>),
    Map(usize, Vec<(Node, Node)>, Option<Node>),
}

/// Reads the first document.
pub(crate) fn read(text: &str) -> Result<Document, SyntaxError> {
    let mut document = Document::default();
    let mut stack: Vec<Unfinished> = Vec::new();
    let mut documents = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(found) => found,
            // What follows the first document is not read by the agent either.
            Err(_) if documents > 1 => break,
            Err(error) => {
                return Err(SyntaxError { line: error.marker().line(), detail: first_line(&error.info()) });
            }
        };
        let line = span.start.line();
        let node = match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    document.notes.push(Note::SecondDocument { line });
                    break;
                }
                continue;
            }
            Event::Scalar(value, style, _, tag) => {
                let tag = tag.as_deref();
                note_tag(&mut document.notes, tag, line);
                let scalar = Scalar {
                    text: value.into_owned(),
                    plain: style == ScalarStyle::Plain && !is_string_tag(tag),
                };
                if psych::resolve(&scalar) == Value::Date {
                    document.notes.push(Note::Date { line, text: scalar.text.clone() });
                }
                Node { line, content: Content::Scalar(scalar) }
            }
            Event::Alias(_) => {
                document.notes.push(Note::Alias { line });
                Node { line, content: Content::Scalar(Scalar { text: String::new(), plain: true }) }
            }
            Event::SequenceStart(_, _, tag) => {
                note_tag(&mut document.notes, tag.as_deref(), line);
                stack.push(Unfinished::List(line, Vec::new()));
                continue;
            }
            Event::MappingStart(_, _, tag) => {
                note_tag(&mut document.notes, tag.as_deref(), line);
                stack.push(Unfinished::Map(line, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match stack.pop() {
                Some(Unfinished::List(line, items)) => Node { line, content: Content::List(items) },
                Some(Unfinished::Map(line, entries, _)) => {
                    note_duplicates(&mut document.notes, &entries);
                    Node { line, content: Content::Map(entries) }
                }
                None => continue,
            },
            _ => continue,
        };
        match stack.last_mut() {
            None => document.root = Some(node),
            Some(Unfinished::List(_, items)) => items.push(node),
            Some(Unfinished::Map(_, entries, key)) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }
    Ok(document)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn is_string_tag(tag: Option<&Tag>) -> bool {
    tag.is_some_and(|tag| {
        tag.core_suffix() == Some("str") || (tag.original_handle() == "!" && tag.suffix() == "str")
    })
}

/// Ruby's reader refuses tags that name a class; other unknown tags it ignores.
fn note_tag(notes: &mut Vec<Note>, tag: Option<&Tag>, line: usize) {
    if let Some(tag) =
        tag.filter(|tag| tag.suffix().starts_with("ruby/") && !tag.suffix().starts_with("ruby/string"))
    {
        notes.push(Note::RubyTag { line, tag: format!("{}{}", tag.original_handle(), tag.suffix()) });
    }
}

fn note_duplicates(notes: &mut Vec<Note>, entries: &[(Node, Node)]) {
    let mut seen = std::collections::BTreeSet::new();
    for (key, _) in entries {
        if !seen.insert(key.text()) {
            notes.push(Note::DuplicateKey { line: key.line, key: key.text() });
        }
    }
}
