//! A YAML document as a tree that keeps what a typed reader throws away: quotes, places, tags, aliases, and keys
//! given twice.
//!
//! The two agents read one text by two sets of rules, and a fault is reported with its line. So the tree holds what
//! stands in the text and nothing that a reader makes of it: that is [`crate::ruby`]'s and [`crate::agent2`]'s part.

use crate::finding::Position;
use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag};

/// What `!!` stands for in front of a tag.
const CORE_TAGS: &str = "tag:yaml.org,2002:";

/// A place in the text, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<Marker> for Place {
    fn from(marker: Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
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
        let content = Content::Scalar { text: String::new(), style: ScalarStyle::Plain };
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

/// Reads the first document.
pub(crate) fn read(text: &str) -> Result<Document, SyntaxError> {
    refuse_control_characters(text)?;
    let mut document = Document::default();
    let mut open: Vec<(Node, Unfinished)> = Vec::new();
    let mut documents = 0_usize;
    // An alias without an anchor is no syntax error to Ruby, but an alias like any other.
    let options = granit_parser::options! { emit_unresolved_aliases: true };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match event {
            Ok(found) => found,
            Err(error) => {
                let detail = error.info().lines().next().unwrap_or_default().to_owned();
                let error = SyntaxError { place: (*error.marker()).into(), detail };
                // libyaml looks at what follows a text before it gives it out, and at what follows a mapping later.
                if document.root.as_ref().is_none_or(|root| matches!(root.content, Content::Scalar { .. })) {
                    return Err(error);
                }
                document.rest = Rest::Rubbish(error);
                break;
            }
        };
        let place = Place::from(span.start);
        let node = |content, anchor, tag: Option<std::borrow::Cow<'_, Tag>>| Node {
            place,
            tag: tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix())),
            anchor,
            content,
        };
        let done = match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    document.rest = Rest::Document(place);
                    break;
                }
                continue;
            }
            Event::Scalar(value, style, anchor, tag) => {
                // The parser writes nothing as null. To one of the agents they are two things.
                let nothing = style == ScalarStyle::Plain && value == "~" && !is_at(text, span.start, '~');
                let behind_sign = nothing && (is_at(text, span.start, ':') || is_at(text, span.start, '-'));
                let place = Place { column: place.column + usize::from(behind_sign), ..place };
                let text = if nothing { String::new() } else { value.into_owned() };
                Node { place, ..node(Content::Scalar { text, style }, anchor, tag) }
            }
            Event::Alias(anchor) => node(Content::Alias(Some(anchor)), 0, None),
            Event::UnresolvedAlias(_) => node(Content::Alias(None), 0, None),
            Event::SequenceStart(_, anchor, tag) => {
                open.push((node(Content::List(Vec::new()), anchor, tag), Unfinished::List(Vec::new())));
                continue;
            }
            Event::MappingStart(_, anchor, tag) => {
                open.push((node(Content::Map(Vec::new()), anchor, tag), Unfinished::Map(Vec::new(), None)));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
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
    Ok(document)
}

fn is_at(text: &str, place: Marker, wanted: char) -> bool {
    place.byte_offset().and_then(|offset| text.get(offset..)).is_some_and(|rest| rest.starts_with(wanted))
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

/// libyaml, below both agents, skips a byte order mark but counts its column, so the first line is one column deeper
/// than the second, and the document ends there. A blank in its place has the same effect.
pub(crate) fn as_libyaml_counts(text: &str) -> std::borrow::Cow<'_, str> {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => format!(" {rest}").into(),
        None => text.into(),
    }
}
