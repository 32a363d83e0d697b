//! Links of markdown files: a target that is not on the web names a file of the repository, or a heading of this file.

use super::Problem;
use crate::files::TextFile;

/// Appends the links of `file` that lead nowhere. `exists` is asked about paths relative to the repository's root.
pub fn check(file: &TextFile, exists: &dyn Fn(&str) -> bool, problems: &mut Vec<Problem>) {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let anchors = anchors(&file.text);
    for (line, target) in links(&file.text) {
        let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
        if path.is_empty() {
            if !anchor.is_empty() && !anchors.iter().any(|known| known == anchor) {
                problems.push(Problem::new(file, line, format!("link to `#{anchor}`, but no heading has that name")));
            }
            continue;
        }
        match resolve(folder, path) {
            Some(resolved) if exists(&resolved) => {}
            Some(resolved) => {
                problems.push(Problem::new(file, line, format!("link to `{resolved}`, which does not exist")))
            }
            None => {
                problems.push(Problem::new(file, line, format!("link to `{path}`, which is outside the repository")))
            }
        }
    }
}

/// Targets of inline links `[…](target)` and of definitions `[…]: target`, without those on the web, with their lines.
/// Code, fenced or between backticks, has none.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line_idx, line) in prose(text) {
        let line = without_code(line);
        let mut rest = line.as_str();
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let Some(end) = rest.find(')') else { break };
            found.push((line_idx + 1, rest[..end].to_owned()));
            rest = &rest[end..];
        }
        if let Some((label, target)) = line.split_once("]: ")
            && label.starts_with('[')
            && !label.starts_with("[^")
        {
            found.push((line_idx + 1, target.to_owned()));
        }
    }
    for (_, target) in &mut found {
        // A title may follow the target: `path "title"`.
        let bare = target.split_whitespace().next().unwrap_or_default();
        *target = bare.trim_start_matches('<').trim_end_matches('>').to_owned();
    }
    found.retain(|(_, target)| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"));
    found
}

/// The lines outside fenced code, with their indices.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// The names of the headings as link targets: lower case, spaces as `-`, no other punctuation.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).filter(|(_, line)| line.starts_with('#'));
    headings.map(|(_, line)| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// `folder` joined with `path`, without `.` and `..`; `None` if that leaves the repository.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = if path.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().filter(|popped| !popped.is_empty())?;
            }
            name => parts.push(name),
        }
    }
    parts.retain(|part| !part.is_empty());
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(text: &str, expected: &[&str]) {
        let file = TextFile { path: "docs/a.md".to_owned(), text: text.to_owned() };
        let mut problems = Vec::new();
        check(&file, &|path| matches!(path, "docs/b.md" | "README.md" | "docs"), &mut problems);
        assert_eq!(problems.iter().map(Problem::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn local_targets_must_exist() {
        check_text("[a](b.md), [b](./b.md#part), [c](../README.md), [d](/README.md), [e](https://x.org/y.md)\n", &[]);
        check_text("text\n[a](c.md \"title\")\n", &["docs/a.md:2: link to `docs/c.md`, which does not exist"]);
        check_text("[a](../../x)\n", &["docs/a.md:1: link to `../../x`, which is outside the repository"]);
        check_text(
            "[a]: missing.md\n[^1]: a note.\n",
            &["docs/a.md:1: link to `docs/missing.md`, which does not exist"],
        );
    }

    #[test]
    fn anchors_must_exist() {
        check_text("# How it `works`\n[a](#how-it-works)\n", &[]);
        check_text("# A\n[a](#b)\n", &["docs/a.md:2: link to `#b`, but no heading has that name"]);
    }

    #[test]
    fn code_has_no_links() {
        check_text("`[a](x)`\n```rust\n# [b](y)\nv[0](z)\n```\n", &[]);
    }
}
