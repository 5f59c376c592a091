//! One field of a JSON body that is read by hand: every refusal names its path, `algorithm.data[1].split`.

use serde_json::{Map, Value};

use super::BadField;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    /// The value at a path.
    #[must_use]
    pub fn new(path: impl Into<String>, value: &'a Value) -> Self {
        Self { path: path.into(), value }
    }

    /// The value as it is.
    #[must_use]
    pub const fn value(&self) -> &'a Value {
        self.value
    }

    /// Refuses it.
    #[must_use]
    pub fn bad(&self, problem: impl Into<String>) -> BadField {
        BadField::new(self.path.clone(), problem)
    }

    /// A field of it, null where it is absent.
    ///
    /// # Errors
    /// When it is no object.
    pub fn get(&self, name: &str) -> Result<Self, BadField> {
        let value = self.object()?.get(name).unwrap_or(&Value::Null);
        Ok(Self { path: format!("{}.{name}", self.path), value })
    }

    /// Itself, unless it is null or absent.
    #[must_use]
    pub fn given(self) -> Option<Self> {
        (!self.value.is_null()).then_some(self)
    }

    /// Its text.
    ///
    /// # Errors
    /// When it is absent, or no text.
    pub fn text(&self) -> Result<&'a str, BadField> {
        self.value.as_str().ok_or_else(|| self.expected("text"))
    }

    /// Its number.
    ///
    /// # Errors
    /// When it is absent, or not a whole number of 0 or more.
    pub fn whole(&self) -> Result<u64, BadField> {
        self.value.as_u64().ok_or_else(|| self.expected("a whole number, 0 or more"))
    }

    /// Its elements.
    ///
    /// # Errors
    /// When it is absent, or no list.
    pub fn list(&self) -> Result<Vec<Self>, BadField> {
        let list = self.value.as_array().ok_or_else(|| self.expected("a list"))?;
        let element = |(index, value)| Self { path: format!("{}[{index}]", self.path), value };
        Ok(list.iter().enumerate().map(element).collect())
    }

    /// Its fields.
    ///
    /// # Errors
    /// When it is absent, or no object.
    pub fn object(&self) -> Result<&'a Map<String, Value>, BadField> {
        self.value.as_object().ok_or_else(|| self.expected("an object"))
    }

    fn expected(&self, what: &str) -> BadField {
        let found = match self.value {
            Value::Null => return self.bad("missing"),
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        // A number that is none of those expected is told by what is expected alone.
        let found = if what.contains("number") && found == "a number" { "another number" } else { found };
        self.bad(format!("expected {what}, found {found}"))
    }
}
