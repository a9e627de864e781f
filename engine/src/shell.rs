/// Words as a line to paste into a shell.
///
/// ```
/// let line = sbt_engine::shell_line(&["sbt", "run", "my pipeline.toml"]);
/// assert_eq!(line, "sbt run 'my pipeline.toml'");
/// ```
#[must_use]
pub fn shell_line<W: AsRef<str>>(words: &[W]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word.as_ref())).collect();
    quoted.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
