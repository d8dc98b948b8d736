//! docs/clients.md shows lines of the programs in `clients/`: what stands there between `[docs:NAME]` and `[/docs:NAME]`
//! is put into the page between the same marks.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// As a reader knows it, its directory in `clients/`, how its files end, and as a code block is marked.
const LANGUAGES: [(&str, &str, &str, &str); 5] = [
    ("Go", "go", "go", "go"),
    ("Java", "java", "java", "java"),
    ("Python", "python", "py", "python"),
    ("TypeScript", "typescript", "ts", "typescript"),
    ("Rust", "rust", "rs", "rust"),
];
/// What builds leave behind.
const BUILT: [&str; 6] = [".venv", "build", "dist", "gen", "node_modules", "target"];
/// tonic's OpenTelemetry needs a page of its own.
const LEFT_OUT: [(&str, &str); 1] = [("rust", "trace")];

/// The page with the lines of the programs in it.
pub fn page(root: &Path) -> String {
    let text = fs::read_to_string(root.join("docs/clients.md")).expect("the page");
    let mut page = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("<!-- [docs:") {
        let (name, after) = after.split_once("] -->").expect("the end of a mark");
        let (_, after) = after.split_once(&format!("<!-- [/docs:{name}] -->")).expect("the mark at the end");
        page += &format!("{before}<!-- [docs:{name}] -->\n{}<!-- [/docs:{name}] -->", blocks(root, name));
        rest = after;
    }
    page + rest
}

/// The region in each language, to be unfolded.
fn blocks(root: &Path, name: &str) -> String {
    let wanted = LANGUAGES.iter().filter(|(_, directory, ..)| !LEFT_OUT.contains(&(directory, name)));
    let block = |&(language, directory, ending, mark): &(&str, &str, &str, &str)| {
        let (file, region) = region(&root.join("clients").join(directory), ending, name);
        let file = file.strip_prefix(root).unwrap().display().to_string();
        format!(
            "<details>\n<summary>{language}</summary>\n\n[{file}](../{file})\n\n```{mark}\n{region}\n```\n\n</details>\n"
        )
    };
    wanted.map(block).collect()
}

/// The file that has the region, and its lines without the indentation that all of them have.
fn region(project: &Path, ending: &str, name: &str) -> (PathBuf, String) {
    let mut found = Vec::new();
    for file in files(project, ending) {
        let text = fs::read_to_string(&file).unwrap();
        let mut lines = text.lines();
        while lines.by_ref().any(|line| line.ends_with(&format!(" [docs:{name}]"))) {
            let end = format!(" [/docs:{name}]");
            found.push((
                file.clone(),
                lines.by_ref().take_while(|line| !line.ends_with(&end)).collect::<Vec<_>>().join("\n"),
            ));
        }
    }
    assert!(found.len() == 1, "{} has the region [docs:{name}] {} times", project.display(), found.len());
    let (file, text) = found.remove(0);
    let lines: Vec<_> = text.trim_matches('\n').lines().collect();
    let indented =
        lines.iter().filter(|line| !line.is_empty()).map(|line| line.len() - line.trim_start().len());
    let shared = indented.min().expect("a region has lines");
    (file, lines.iter().map(|line| line.get(shared..).unwrap_or_default()).collect::<Vec<_>>().join("\n"))
}

/// The files of a project, by name.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        if path.is_dir() && !BUILT.iter().any(|name| path.ends_with(name)) {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found
}
