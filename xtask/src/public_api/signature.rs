//! Declarations as one line of text.
//!
//! `quote!` turns syntax into tokens; the spacing between them, which tokens do not carry, is put back here.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// `syntax` on one line, spaced as rustfmt would.
pub fn one_line(syntax: &impl ToTokens) -> String {
    let mut words = Vec::new();
    push_words(syntax.to_token_stream(), &mut words);
    let mut line = String::new();
    for (word_idx, word) in words.iter().enumerate() {
        let before = word_idx.checked_sub(1).map(|idx| words[idx].as_str());
        if before.is_some_and(|before| has_space_between(before, word, &line)) {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.replace(",)", ")").replace(",>", ">")
}

/// Tokens as strings, with the characters of one operator (`->`, `::`, `'a`) together.
fn push_words(tokens: TokenStream, words: &mut Vec<String>) {
    let mut joined = String::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) => {
                joined.push(punct.as_char());
                // `>>` and `<&` are two marks each, whatever the tokens say.
                let continues = punct.spacing() == Spacing::Joint && is_operator_prefix(&joined);
                if !continues {
                    words.push(std::mem::take(&mut joined));
                }
            }
            TokenTree::Ident(ident) => words.push(std::mem::take(&mut joined) + &ident.to_string()),
            TokenTree::Literal(literal) => words.push(std::mem::take(&mut joined) + &literal.to_string()),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                words.push(open.to_owned());
                push_words(group.stream(), words);
                words.push(close.to_owned());
            }
        }
    }
}

fn is_operator_prefix(joined: &str) -> bool {
    matches!(joined, "-" | ":" | "=" | "." | ".." | "'" | "!" | "|")
}

/// `line` ends with `before`.
fn has_space_between(before: &str, word: &str, line: &str) -> bool {
    let opens = matches!(before, "(" | "[" | "<" | "&" | "::" | "#" | "" | "!" | "?" | "." | "..");
    let closes = matches!(word, ")" | "]" | ">" | "," | ";" | ":" | "::" | "?" | "." | "" | "!");
    if before == "*" && matches!(word, "const" | "mut") {
        return false;
    }
    if word == "?" && matches!(before, ":" | "+" | "dyn" | "impl") {
        return true;
    }
    if before == ".." && word == "}" || before == "->" && word == "!" {
        return true;
    }
    if opens || closes {
        // A path that begins with `::`, after a keyword or an operator.
        return word == "::" && matches!(before, "->" | "=" | "+" | "dyn" | "impl" | "for");
    }
    match word {
        // Generic arguments, calls and indices follow a name directly; a tuple, a slice or a qualified path does not.
        "<" => matches!(before, "->" | "=" | "+" | ":" | "," | "mut" | "dyn" | "where"),
        "(" => !(is_name(before) || matches!(before, ">" | ")" | "]")) || is_keyword(before),
        "[" => is_keyword(before) || !is_name(before) || line.ends_with(','),
        _ => true,
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "as" | "const" | "dyn" | "for" | "impl" | "in" | "mut" | "where" | "pub" | "type" | "use")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str) {
        let item: syn::Signature = syn::parse_str(source).expect(source);
        assert_eq!(one_line(&item), source);
    }

    #[test]
    fn common_signatures_come_back_as_written() {
        check("fn f()");
        check("fn f(&self, x: &mut Vec<f64>) -> Result<(), Error>");
        check("fn f<'a, T: Tree + 'static>(x: &'a [T], y: [f64; 3]) -> Option<&'a T>");
        check("fn f<In: Tree, R: Outcome>(f: impl Fn(In) -> R) -> impl Fn(In) -> Result<R::Value>");
        check("fn f<F>(f: F) -> Vec<Vec<f64>> where F: Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync + 'static");
        check("fn f(x: Box<dyn Fn(f64) -> f64 + Send>, y: (f64, f64)) -> <T as Tree>::Map<Array>");
        check("const unsafe fn f<const N: usize>(p: *const u8, q: *mut u8, f: fn(f64) -> f64) -> [f64; N]");
        check("fn f<T: ?Sized>(x: &T, y: &dyn for<'a> Fn(&'a str) -> &'a str) -> !");
        check("fn f(mut self, r#type: core::ops::Range<usize>) -> impl Iterator<Item = u8> + '_");
        check("fn f(x: impl Into<(Array, Array)>, y: &[&[f64]])");
    }
}
