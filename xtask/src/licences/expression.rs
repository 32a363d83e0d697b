//! Licence expressions as manifests write them: SPDX with `AND`, `OR`, `WITH` and parentheses, and the older `A/B`.
//!
//! Grammar, `AND` binding tighter than `OR`:
//!
//! ```text
//! or     = and (("OR" | "/") and)*
//! and    = simple ("AND" simple)*
//! simple = id ["WITH" id] | "(" or ")"
//! ```

/// A parsed licence expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// One licence. An exception (`WITH …`) only ever grants more, so it is dropped.
    Licence(String),
    /// All of them apply.
    All(Vec<Expression>),
    /// The user may choose.
    Any(Vec<Expression>),
}

impl Expression {
    /// Parses the whole of `text`; the error says what was found instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words = Words { words: spaced.split_whitespace().collect(), next: 0 };
        let expression = any(&mut words)?;
        match words.take() {
            None => Ok(expression),
            Some(word) => Err(format!("unexpected `{word}`")),
        }
    }

    /// Whether the licences that `accepted` accepts are enough to use the work.
    pub fn is_satisfied_by(&self, accepted: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Expression::Licence(id) => accepted(id),
            Expression::All(parts) => parts.iter().all(|part| part.is_satisfied_by(accepted)),
            Expression::Any(parts) => parts.iter().any(|part| part.is_satisfied_by(accepted)),
        }
    }
}

struct Words<'a> {
    words: Vec<&'a str>,
    next: usize,
}

impl<'a> Words<'a> {
    fn take(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.next).copied();
        self.next += 1;
        word
    }

    fn take_if(&mut self, wanted: &str) -> bool {
        let found = self.words.get(self.next) == Some(&wanted);
        self.next += usize::from(found);
        found
    }
}

fn any(words: &mut Words<'_>) -> Result<Expression, String> {
    let mut parts = vec![all(words)?];
    while words.take_if("OR") {
        parts.push(all(words)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
}

fn all(words: &mut Words<'_>) -> Result<Expression, String> {
    let mut parts = vec![simple(words)?];
    while words.take_if("AND") {
        parts.push(simple(words)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
}

fn simple(words: &mut Words<'_>) -> Result<Expression, String> {
    match words.take() {
        None => Err("unexpected end".to_owned()),
        Some("(") => {
            let inner = any(words)?;
            if words.take_if(")") { Ok(inner) } else { Err("a parenthesis is not closed".to_owned()) }
        }
        Some(word @ (")" | "AND" | "OR" | "WITH")) => Err(format!("unexpected `{word}`")),
        Some(id) => {
            if words.take_if("WITH") && words.take().is_none() {
                return Err("`WITH` names no exception".to_owned());
            }
            Ok(Expression::Licence(id.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, accepted: &[&str], expected: bool) {
        let expression = Expression::parse(text).expect(text);
        assert_eq!(expression.is_satisfied_by(&|id| accepted.contains(&id)), expected, "{text}");
    }

    #[test]
    fn and_binds_tighter_than_or() {
        check("MIT", &["MIT"], true);
        check("MIT OR GPL-3.0", &["MIT"], true);
        check("MIT AND GPL-3.0", &["MIT"], false);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", &["MIT", "Unicode-3.0"], true);
        check("GPL-3.0 AND X OR MIT", &["MIT"], true);
        check("GPL-3.0 AND (X OR MIT)", &["MIT"], false);
    }

    #[test]
    fn older_slash_and_exceptions() {
        check("Unlicense/MIT", &["MIT"], true);
        check("Apache-2.0 WITH LLVM-exception OR GPL-3.0", &["Apache-2.0"], true);
    }

    #[test]
    fn malformed_expressions_are_errors() {
        for text in ["", "MIT OR", "(MIT", "MIT Apache-2.0", "MIT WITH", ") MIT"] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
