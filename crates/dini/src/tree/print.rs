//! How structures print: `(*, [*, *], {"a": *}, Params { w: *, b: * }, None)`.

use super::{
    def::{Kind, TreeDef},
    derive::{Layout, Role, Style},
    erased::StaticValue,
};
use std::fmt::{self, Write as _};

impl fmt::Display for TreeDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(node) = self.node() else {
            return f.write_char('*');
        };
        match &node.kind {
            Kind::Tuple => {
                f.write_char('(')?;
                separated(f, &node.children)?;
                // As in Rust, a comma tells the tuple of one from parentheses.
                f.write_str(if node.children.len() == 1 { ",)" } else { ")" })
            }
            Kind::List => {
                f.write_char('[')?;
                separated(f, &node.children)?;
                f.write_char(']')
            }
            Kind::Array => {
                f.write_char('[')?;
                separated(f, &node.children)?;
                write!(f, "; {}]", node.children.len())
            }
            Kind::Map(keys) => {
                f.write_char('{')?;
                for (idx, child) in node.children.iter().enumerate() {
                    write!(f, "{}{}: {child}", separator(idx), keys.label(idx))?;
                }
                f.write_char('}')
            }
            Kind::None => f.write_str("None"),
            Kind::Some => {
                f.write_str("Some(")?;
                separated(f, &node.children)?;
                f.write_char(')')
            }
            Kind::Record(layout, statics) => record(f, layout, statics, &node.children),
        }
    }
}

impl fmt::Debug for TreeDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeDef({self})")
    }
}

fn separator(idx: usize) -> &'static str {
    if idx == 0 { "" } else { ", " }
}

fn separated(f: &mut fmt::Formatter<'_>, children: &[TreeDef]) -> fmt::Result {
    children.iter().enumerate().try_for_each(|(idx, child)| write!(f, "{}{child}", separator(idx)))
}

fn record(f: &mut fmt::Formatter<'_>, layout: &Layout, statics: &[StaticValue], children: &[TreeDef]) -> fmt::Result {
    write!(f, "{layout}")?;
    let (open, close) = match layout.style {
        Style::Unit => return Ok(()),
        Style::Tuple => ("(", ")"),
        Style::Named if layout.fields.is_empty() => (" {", "}"),
        Style::Named => (" { ", " }"),
    };
    f.write_str(open)?;
    let (mut statics, mut children) = (statics.iter(), children.iter());
    for (idx, field) in layout.fields.iter().enumerate() {
        f.write_str(separator(idx))?;
        match layout.style {
            Style::Named => write!(f, "{}: ", field.name)?,
            Style::Tuple | Style::Unit => {}
        }
        match field.role {
            Role::Tree => children.next().map_or(Ok(()), |child| write!(f, "{child}"))?,
            Role::Static => statics.next().map_or(Ok(()), |value| write!(f, "{value:?}"))?,
        }
    }
    f.write_str(close)
}

/// `Params`, or `Shape::Circle` for a variant.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name)?;
        self.variant.map_or(Ok(()), |variant| write!(f, "::{variant}"))
    }
}
