//! A property of a resource, read with an error that says which one it is.

use std::str::FromStr;

use super::TemplateError;
use super::resolve::{Reason, Resolver};
use super::yaml::Node;

/// A resolved node and its place in the template.
pub(super) struct Property<'a> {
    resolver: &'a Resolver<'a>,
    resource: &'a str,
    path: String,
    node: Node,
}

impl<'a> Property<'a> {
    /// The `Properties` of a resource.
    pub(super) fn of_resource(resolver: &'a Resolver<'a>, id: &'a str, resource: &Node) -> Self {
        Self {
            resolver,
            resource: id,
            path: String::new(),
            node: resource.get("Properties").cloned().unwrap_or(Node::Absent),
        }
    }

    /// `Globals.Function`, which stands in for the `Properties` of every function.
    pub(super) fn of_globals(resolver: &'a Resolver<'a>) -> Self {
        Self {
            resolver,
            resource: "Globals",
            path: "Function".to_owned(),
            node: resolver.globals().cloned().unwrap_or(Node::Absent),
        }
    }

    /// Logical ID of the resource.
    pub(super) fn resource(&self) -> &str {
        self.resource
    }

    /// Whether the resource's `Condition`, if it has one, holds.
    pub(super) fn is_wanted(&self, condition: Option<&Node>) -> Result<bool, TemplateError> {
        let Some(name) = condition.and_then(Node::text) else {
            return Ok(true);
        };
        self.resolver.condition(name).map_err(|reason| self.error("Condition", reason))
    }

    /// The physical name: the declared one, or one made of the stack's name and the logical ID.
    pub(super) fn physical_name(&self) -> Result<String, TemplateError> {
        let key = self.resolver.name_key(self.resource).unwrap_or("Type");
        self.resolver.physical_name(self.resource).map_err(|reason| self.error(key, reason))
    }

    /// A property of this property, if it is there.
    pub(super) fn get(&self, key: &str) -> Result<Option<Self>, TemplateError> {
        let node = match &self.node {
            Node::Absent => return Ok(None),
            Node::Map(_) => self.node.get(key),
            _ => return Err(self.wrong(Reason::NotAMapping)),
        };
        let Some(node) = node else { return Ok(None) };
        let child = self.child(key, node)?;
        Ok((child.node != Node::Absent).then_some(child))
    }

    /// A property of this property, which must be there.
    pub(super) fn require(&self, key: &str) -> Result<Self, TemplateError> {
        self.get(key)?.ok_or_else(|| self.error(key, Reason::Missing))
    }

    /// The text of a property, if it is there.
    pub(super) fn text_of(&self, key: &str) -> Result<Option<String>, TemplateError> {
        self.get(key)?.map(|it| it.text()).transpose()
    }

    /// The whole number in a property, if it is there.
    pub(super) fn number_of<T: FromStr>(&self, key: &str) -> Result<Option<T>, TemplateError> {
        self.get(key)?.map(|it| it.number()).transpose()
    }

    /// The items of a property; none if it is not there.
    pub(super) fn items_of(&self, key: &str) -> Result<Vec<Self>, TemplateError> {
        self.get(key)?.map_or(Ok(Vec::new()), |it| it.items())
    }

    /// The entries of a property; none if it is not there.
    pub(super) fn entries_of(&self, key: &str) -> Result<Vec<(String, Self)>, TemplateError> {
        self.get(key)?.map_or(Ok(Vec::new()), |it| it.entries())
    }

    /// This, as text.
    pub(super) fn text(&self) -> Result<String, TemplateError> {
        let text = self.node.text().ok_or_else(|| self.wrong(Reason::NotText))?;
        Ok(text.to_owned())
    }

    /// This, as a number.
    pub(super) fn number<T: FromStr>(&self) -> Result<T, TemplateError> {
        let text = self.text()?;
        text.parse().map_err(|_| self.wrong(Reason::NotANumber(text)))
    }

    /// An error about this property itself.
    pub(super) fn wrong(&self, reason: Reason) -> TemplateError {
        TemplateError::Property {
            resource: self.resource.to_owned(),
            property: self.path.clone(),
            reason,
        }
    }

    fn items(&self) -> Result<Vec<Self>, TemplateError> {
        let Node::List(items) = &self.node else {
            return Err(self.wrong(Reason::NotAList));
        };
        let children = items.iter().enumerate();
        let children = children.map(|(index, node)| self.child(&index.to_string(), node));
        children.filter(|it| !matches!(it, Ok(child) if child.node == Node::Absent)).collect()
    }

    fn entries(&self) -> Result<Vec<(String, Self)>, TemplateError> {
        let entries = self.node.entries().ok_or_else(|| self.wrong(Reason::NotAMapping))?;
        let children = entries.iter().map(|(key, node)| Ok((key.clone(), self.child(key, node)?)));
        children.filter(|it| !matches!(it, Ok((_, child)) if child.node == Node::Absent)).collect()
    }

    fn child(&self, key: &str, node: &Node) -> Result<Self, TemplateError> {
        let node = self.resolver.settle(node).map_err(|reason| self.error(key, reason))?;
        Ok(Self { resolver: self.resolver, resource: self.resource, path: self.path_of(key), node })
    }

    fn error(&self, key: &str, reason: Reason) -> TemplateError {
        TemplateError::Property {
            resource: self.resource.to_owned(),
            property: self.path_of(key),
            reason,
        }
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}
