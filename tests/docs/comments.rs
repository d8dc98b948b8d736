//! Comments of the protos, as Markdown.

use prost_reflect::FileDescriptor;

/// Where `syntax` stands in a file: the comment before it is about the file.
pub const HEAD: &[i32] = &[12];

/// The comment before the thing at this path of the file.
pub fn of(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref().expect("the descriptors have comments");
    let location = info.location.iter().find(|location| location.path == path);
    location.and_then(|location| location.leading_comments.clone()).unwrap_or_default()
}

/// As paragraphs; what is indented stays as it is.
pub fn paragraphs(comment: &str) -> Vec<String> {
    let comment: Vec<_> = comment.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    comment.split(|line| line.is_empty()).filter(|lines| !lines.is_empty()).map(paragraph).collect()
}

fn paragraph(lines: &[&str]) -> String {
    if lines[0].starts_with(' ') { format!("```text\n{}\n```", lines.join("\n")) } else { lines.join(" ") }
}

/// As the cell of a table.
pub fn cell(comment: &str) -> String {
    paragraphs(comment).join("<br>").replace('|', "\\|")
}

/// The paragraph that begins with this word, without the word.
pub fn labelled(comment: &str, label: &str) -> Option<String> {
    let found =
        paragraphs(comment).into_iter().find_map(|text| text.strip_prefix(label).map(ToOwned::to_owned));
    found.map(|text| sentence(text.trim()))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
