//! YAML text to nodes. Scalars stay as they are written (`010` is not 8), tags become calls.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::TemplateError;

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing: an empty value, `null`, or `!Ref AWS::NoValue`.
    Absent,
    /// A scalar as written.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
    /// An intrinsic function, by its long name (`Ref`, `Condition`, `Fn::Sub`), not yet answered.
    Call(String, Box<Node>),
}

impl Node {
    /// The value of a key, if this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find_map(|(name, node)| (name == key).then_some(node))
    }

    /// The entries, if this is a mapping.
    pub(super) fn entries(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text, if this is a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads the first document of `text`.
pub(super) fn parse(text: &str) -> Result<Node, TemplateError> {
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: HashMap::new() };
    loop {
        match reader.next()?.0 {
            Event::DocumentStart(_) => {
                let first = reader.next()?;
                return reader.node(first);
            }
            Event::StreamEnd => return Ok(Node::Absent),
            _ => {}
        }
    }
}

struct Reader<'input> {
    events: Parser<'input, StrInput<'input>>,
    anchors: HashMap<usize, Node>,
}

type Spanned<'input> = (Event<'input>, Span);

impl<'input> Reader<'input> {
    fn next(&mut self) -> Result<Spanned<'input>, TemplateError> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(TemplateError::Yaml(error.to_string())),
            None => Err(TemplateError::Yaml("it ends too early".to_owned())),
        }
    }

    fn node(&mut self, (event, span): Spanned<'input>) -> Result<Node, TemplateError> {
        let (anchor, tag, bare) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, tag, scalar(text, style)),
            Event::SequenceStart(anchor, tag) => (anchor, tag, self.sequence()?),
            Event::MappingStart(anchor, tag) => (anchor, tag, self.mapping()?),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                return known
                    .ok_or_else(|| at(span, "an alias of an anchor that is not yet ended"));
            }
            other => return Err(at(span, &format!("{other:?} is not expected here"))),
        };
        let node = tagged(tag.as_deref(), bare);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self) -> Result<Node, TemplateError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Node::List(items)),
                item => items.push(self.node(item)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Node, TemplateError> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(long_form(entries)),
                Event::Scalar(key, ..) => key.into_owned(),
                _ => return Err(at(span, "a key is not a text")),
            };
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(at(span, &format!("the key {key} stands here twice")));
            }
            let value = self.next()?;
            entries.push((key, self.node(value)?));
        }
    }
}

fn at(span: Span, problem: &str) -> TemplateError {
    TemplateError::Yaml(format!("line {}: {problem}", span.start.line()))
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Node {
    match (style, text.as_ref()) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Node::Absent,
        _ => Node::Text(text.into_owned()),
    }
}

/// `!Sub x` is a call of `Fn::Sub`; tags of YAML itself (`!!str`) say nothing new here.
fn tagged(tag: Option<&Tag>, node: Node) -> Node {
    let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) else {
        return node;
    };
    let function = match tag.suffix.as_str() {
        name @ ("Ref" | "Condition") => name.to_owned(),
        name => format!("Fn::{name}"),
    };
    Node::Call(function, Box::new(node))
}

/// `{"Fn::Sub": x}` and `{"Ref": x}` are calls too. `{"Condition": x}` is not: a mapping may have
/// a key of that name; where a condition is expected, the resolver takes both.
fn long_form(mut entries: Vec<(String, Node)>) -> Node {
    let is_call =
        matches!(entries.as_slice(), [(key, _)] if key == "Ref" || key.starts_with("Fn::"));
    match entries.pop() {
        Some((function, argument)) if is_call => Node::Call(function, Box::new(argument)),
        Some(last) => {
            entries.push(last);
            Node::Map(entries)
        }
        None => Node::Map(entries),
    }
}
