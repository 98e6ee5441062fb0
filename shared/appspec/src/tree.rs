//! A YAML document as a tree that keeps what a typed reader throws away: quotes, places, tags, aliases, and keys
//! given twice.
//!
//! The two agents read one text by two sets of rules, and a fault is reported with its line. So the tree holds what
//! stands in the text and nothing that a reader makes of it: that is [`crate::ruby`]'s and [`crate::agent2`]'s part.

use crate::finding::Position;
use libyaml_safer::{Event, EventData, Mark, Parser};
use std::collections::BTreeMap;

pub(crate) use libyaml_safer::ScalarStyle;

/// What `!!` stands for in front of a tag.
const CORE_TAGS: &str = "tag:yaml.org,2002:";

/// A place in the text, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<Mark> for Place {
    fn from(mark: Mark) -> Self {
        let from_one =
            |count: u64| usize::try_from(count).map_or(usize::MAX, |count| count.saturating_add(1));
        Self { line: from_one(mark.line), column: from_one(mark.column) }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    /// With its handle written out, `!!str` as `tag:yaml.org,2002:str`.
    pub(crate) tag: Option<String>,
    /// What an alias calls it by; 0 without an anchor.
    pub(crate) anchor: usize,
    pub(crate) content: Content,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Scalar {
        text: String,
        style: ScalarStyle,
        /// Whether quotes alone say that it is a text: not where a tag says what it is.
        quoted: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// The anchor that it stands for, where there is one of its name.
    Alias(Option<usize>),
}

/// The first document of a text, and what follows it.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// `None` when there is nothing but white space and comments.
    pub(crate) root: Option<Node>,
    pub(crate) rest: Rest,
}

/// What stands behind the first document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Rest {
    #[default]
    Nothing,
    /// Another document, from this line on.
    Document(Place),
    /// Something that is no YAML.
    Rubbish(SyntaxError),
}

/// Why a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) place: Place,
    pub(crate) detail: String,
}

impl Node {
    /// The entries of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[(Node, Node)] {
        if let Content::Map(entries) = &self.content { entries } else { &[] }
    }

    /// As a finding gives it.
    pub(crate) fn position(&self) -> Position {
        Position { line: self.place.line, column: self.place.column }
    }

    /// Whether it is a scalar without quotes.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.content, Content::Scalar { style: ScalarStyle::Plain, .. })
    }

    /// Stands in for a node where there is none to point at.
    pub(crate) fn nothing(place: Place) -> Self {
        let content = Content::Scalar { text: String::new(), style: ScalarStyle::Plain, quoted: false };
        Self { place, tag: None, anchor: 0, content }
    }

    /// The beginning of a file.
    pub(crate) fn top() -> Self {
        Self::nothing(Place { line: 1, column: 1 })
    }

    /// The tag as one writes it, `!!str`.
    pub(crate) fn written_tag(&self) -> Option<String> {
        let tag = self.tag.as_deref()?;
        Some(tag.strip_prefix(CORE_TAGS).map_or_else(|| tag.to_owned(), |name| format!("!!{name}")))
    }

    /// The name of a tag of YAML itself, `str` of `!!str`.
    pub(crate) fn core_tag(&self) -> Option<&str> {
        self.tag.as_deref()?.strip_prefix(CORE_TAGS)
    }
}

/// A list or mapping whose end has not been read.
enum Unfinished {
    List(Vec<Node>),
    Map(Vec<(Node, Node)>, Option<Node>),
}

/// Lists and mappings in each other. The agents give up later, and nobody writes so many.
const DEEPEST: usize = 200;

/// Reads the first document, by libyaml's rules, which are both agents'.
pub(crate) fn read(text: &str) -> Result<Document, SyntaxError> {
    refuse_control_characters(text)?;
    let ends_in_a_line = text.ends_with('\n');
    let text = prepared(text);
    let mut bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut bytes);
    let mut document = Document::default();
    let mut anchors = Anchors::default();
    let mut open: Vec<(Node, Unfinished)> = Vec::new();
    loop {
        let Event { data, start_mark, end_mark, .. } =
            parser.parse().map_err(|error| SyntaxError::of(&error))?;
        let place = Place::from(start_mark);
        let mut node = |content, anchor, tag| Node { place, tag, anchor: anchors.set(anchor), content };
        if open.len() > DEEPEST {
            let detail = format!("more than {DEEPEST} lists and mappings lie in each other");
            return Err(SyntaxError { place, detail });
        }
        let done = match data {
            EventData::StreamEnd => return Ok(document),
            EventData::DocumentEnd { .. } => break,
            EventData::Scalar { anchor, tag, mut value, style, quoted_implicit, .. } => {
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if is_block && !ends_in_a_line && end_mark.index >= text.chars().count() as u64 {
                    value.pop();
                }
                node(Content::Scalar { text: value, style, quoted: quoted_implicit }, anchor, tag)
            }
            EventData::Alias { anchor } => {
                let content = Content::Alias(anchors.by_name.get(&anchor).copied());
                Node { place, tag: None, anchor: 0, content }
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                open.push((node(Content::List(Vec::new()), anchor, tag), Unfinished::List(Vec::new())));
                continue;
            }
            EventData::MappingStart { anchor, tag, .. } => {
                open.push((node(Content::Map(Vec::new()), anchor, tag), Unfinished::Map(Vec::new(), None)));
                continue;
            }
            EventData::SequenceEnd | EventData::MappingEnd => {
                let Some((node, unfinished)) = open.pop() else { continue };
                let content = match unfinished {
                    Unfinished::List(items) => Content::List(items),
                    Unfinished::Map(entries, _) => Content::Map(entries),
                };
                Node { content, ..node }
            }
            _ => continue,
        };
        match open.last_mut() {
            None => document.root = Some(done),
            Some((_, Unfinished::List(items))) => items.push(done),
            Some((_, Unfinished::Map(entries, key))) => match key.take() {
                None => *key = Some(done),
                Some(key) => entries.push((key, done)),
            },
        }
    }
    document.rest = match parser.parse() {
        Ok(Event { data: EventData::StreamEnd, .. }) => Rest::Nothing,
        Ok(Event { start_mark, .. }) => Rest::Document(start_mark.into()),
        Err(error) => Rest::Rubbish(SyntaxError::of(&error)),
    };
    Ok(document)
}

/// The anchors so far; of two of one name an alias means the later one.
#[derive(Default)]
struct Anchors {
    by_name: BTreeMap<String, usize>,
    count: usize,
}

impl Anchors {
    fn set(&mut self, name: Option<String>) -> usize {
        let Some(name) = name else { return 0 };
        self.count += 1;
        self.by_name.insert(name, self.count);
        self.count
    }
}

impl SyntaxError {
    fn of(error: &libyaml_safer::Error) -> Self {
        let place = error.problem_mark().or_else(|| error.context_mark()).unwrap_or_default().into();
        // What follows the first colon is the place once more.
        let detail = error.to_string().split(" at line").next().unwrap_or_default().to_owned();
        Self { place, detail }
    }
}

/// YAML allows no control characters in a stream but tab, line feed, carriage return and next line.
fn refuse_control_characters(text: &str) -> Result<(), SyntaxError> {
    let forbidden = |c: char| {
        matches!(c, '\u{fffe}' | '\u{ffff}') || (c.is_control() && !matches!(c, '\t' | '\r' | '\u{85}'))
    };
    let mut lines = text.split('\n').zip(1..);
    let found = lines.find_map(|(content, line)| {
        let column = content.chars().position(forbidden)? + 1;
        Some(Place { line, column })
    });
    let detail = || "a control character is not allowed in it".to_owned();
    found.map_or(Ok(()), |place| Err(SyntaxError { place, detail: detail() }))
}

/// The text as the library in Rust needs it to read what libyaml reads.
///
/// libyaml skips a byte order mark but counts its column, so the first line is one column deeper than the second, and
/// the document ends there: a blank in its place has the same effect. In lists in brackets libyaml lets a comma follow
/// a tag, and the library panics, but for a blank between them. It panics as well at some texts that end within a line.
fn prepared(text: &str) -> String {
    let mut prepared = String::with_capacity(text.len() + 1);
    let (mut in_tag, mut before) = (false, '\n');
    for (index, letter) in text.char_indices() {
        match letter {
            '\u{feff}' if index == 0 => {
                prepared.push(' ');
                continue;
            }
            '!' if before.is_whitespace() || "[]{},:-?'\"\u{feff}".contains(before) => in_tag = true,
            ',' if in_tag => {
                prepared.push(' ');
                in_tag = false;
            }
            letter if letter.is_whitespace() => in_tag = false,
            _ => {}
        }
        prepared.push(letter);
        before = letter;
    }
    if !text.ends_with('\n') {
        prepared.push('\n');
    }
    prepared
}
