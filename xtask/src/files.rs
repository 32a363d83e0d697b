//! The text files of the repository, read once.
//!
//! Build output and hidden folders are left out, `.ci` and `.github` excepted. Paths are relative to the root and
//! written with `/`, so that messages and snapshots are the same on every system.

use std::fs;
use std::path::Path;

use crate::Failure;

/// One text file of the repository.
#[derive(Clone, Debug)]
pub struct TextFile {
    /// Relative to the repository's root, with `/` between the parts.
    pub path: String,
    /// The whole content.
    pub text: String,
}

impl TextFile {
    /// The part of the file name after the last dot; empty if there is none.
    pub fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }
}

/// All files under `root` whose path `wanted` accepts, sorted by path.
pub fn read_all(root: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<TextFile>, Failure> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let full = root.join(&folder);
        for entry in fs::read_dir(&full).map_err(Failure::at(&full))? {
            let entry = entry.map_err(Failure::at(&full))?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(Failure::new(format!("{}: a file name is not UTF-8", full.display())));
            };
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().map_err(Failure::at(&full))?;
            if kind.is_dir() {
                if !is_left_out(&name) {
                    folders.push(path);
                }
            } else if kind.is_file() && wanted(&path) {
                let text = fs::read_to_string(root.join(&path)).map_err(Failure::at(&root.join(&path)))?;
                files.push(TextFile { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_left_out(folder_name: &str) -> bool {
    let is_hidden = folder_name.starts_with('.') && !matches!(folder_name, ".ci" | ".github" | ".cargo");
    is_hidden || matches!(folder_name, "target" | "__pycache__" | "node_modules")
}
