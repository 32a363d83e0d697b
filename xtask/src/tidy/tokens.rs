//! Rules about Rust tokens: forbidden macros and attributes, where `unsafe` may stand, and the attribute that forbids it.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Problem;
use crate::files::TextFile;

/// Macros that mark unfinished work.
const FORBIDDEN_MACROS: &[&str] = &["todo", "unimplemented", "dbg"];
/// The one crate that may contain `unsafe`.
const UNSAFE_CRATE: &str = "crates/dini-cpu/";
/// The crate root that must forbid `unsafe` outright.
const FORBIDS_UNSAFE: &str = "crates/dini/src/lib.rs";

/// Appends the problems of one Rust file.
pub fn check(file: &TextFile, problems: &mut Vec<Problem>) {
    let tokens: TokenStream = match file.text.parse() {
        Ok(tokens) => tokens,
        Err(error) => {
            let error: proc_macro2::LexError = error;
            problems.push(Problem::new(file, error.span().start().line, format!("cannot be read as Rust: {error}")));
            return;
        }
    };
    if file.path == FORBIDS_UNSAFE && !file.text.contains("#![forbid(unsafe_code)]") {
        problems.push(Problem::new(file, 1, "`#![forbid(unsafe_code)]` is missing"));
    }
    walk(file, tokens, problems);
}

fn walk(file: &TextFile, tokens: TokenStream, problems: &mut Vec<Problem>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (token_idx, token) in tokens.iter().enumerate() {
        let line = token.span().start().line;
        let next = tokens.get(token_idx + 1);
        match token {
            TokenTree::Ident(ident) if ident == "unsafe" && !file.path.starts_with(UNSAFE_CRATE) => {
                problems.push(Problem::new(file, line, format!("`unsafe` outside {UNSAFE_CRATE}")));
            }
            TokenTree::Ident(ident) if is_punct(next, '!') && FORBIDDEN_MACROS.iter().any(|name| ident == name) => {
                problems.push(Problem::new(file, line, format!("`{ident}!` marks unfinished work")));
            }
            TokenTree::Punct(punct) if punct.as_char() == '#' && ignores_test(next) => {
                problems.push(Problem::new(file, line, "`#[ignore]`: a test runs or goes"));
            }
            TokenTree::Group(group) => walk(file, group.stream(), problems),
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// Whether the group after a `#` is `[ignore…]` or `[cfg_attr(…, ignore…)]`.
fn ignores_test(token: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Group(group)) = token else {
        return false;
    };
    if group.delimiter() != Delimiter::Bracket {
        return false;
    }
    let mut inner = group.stream().into_iter();
    let Some(TokenTree::Ident(name)) = inner.next() else {
        return false;
    };
    let conditional = name == "cfg_attr" && inner.next().is_some_and(|arguments| mentions_ignore(&arguments));
    name == "ignore" || conditional
}

fn mentions_ignore(arguments: &TokenTree) -> bool {
    let TokenTree::Group(group) = arguments else {
        return false;
    };
    group.stream().into_iter().any(|token| matches!(token, TokenTree::Ident(ident) if ident == "ignore"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(path: &str, text: &str, expected: &[&str]) {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        let mut problems = Vec::new();
        check(&file, &mut problems);
        assert_eq!(problems.iter().map(Problem::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn forbidden_macros_and_ignored_tests() {
        check_text(
            "a.rs",
            "fn f() {\n    todo!();\n    std::dbg!(1);\n}\n#[test]\n#[ignore = \"slow\"]\nfn g() {}\n\
             #[cfg_attr(miri, ignore)]\nfn h() {}\n",
            &[
                "a.rs:2: `todo!` marks unfinished work",
                "a.rs:3: `dbg!` marks unfinished work",
                "a.rs:6: `#[ignore]`: a test runs or goes",
                "a.rs:8: `#[ignore]`: a test runs or goes",
            ],
        );
    }

    #[test]
    fn comments_strings_and_names_do_not_count() {
        check_text(
            "a.rs",
            "// todo!() unsafe\nconst A: &str = r#\"dbg!(unsafe) #[ignore]\"#;\nfn todo() -> bool { todo() != true }\n",
            &[],
        );
    }

    #[test]
    fn unsafe_has_one_home() {
        let text = "pub fn f(p: *const u8) -> u8 {\n    unsafe { *p }\n}\n";
        check_text("crates/dini-cpu/src/a.rs", text, &[]);
        check_text("crates/dini/src/a.rs", text, &["crates/dini/src/a.rs:2: `unsafe` outside crates/dini-cpu/"]);
        check_text(
            "crates/dini/src/lib.rs",
            "//! A.\n",
            &["crates/dini/src/lib.rs:1: `#![forbid(unsafe_code)]` is missing"],
        );
    }

    #[test]
    fn what_is_not_rust_is_a_problem() {
        let file = TextFile { path: "a.rs".to_owned(), text: "fn f() {\n".to_owned() };
        let mut problems = Vec::new();
        check(&file, &mut problems);
        assert_eq!(problems.len(), 1);
    }
}
