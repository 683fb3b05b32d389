//! What helps against a reason of a condition: in the words of the pages that people read.

const REFERENCE: &str = include_str!("../../../deploy/REFERENCE.md");
const RUNBOOK: &str = include_str!("../../../deploy/RUNBOOK.md");

/// What helps where this condition of an MCPServer has this reason; nothing if the pages do not say.
pub(crate) fn remedy(condition: &str, reason: &str) -> Option<String> {
    let quoted = format!("`{reason}`");
    let rows = section(REFERENCE, "## Reasons").lines().map(cells);
    let mut rows: Vec<Vec<&str>> = rows
        .filter(|row| row.first().is_some_and(|first| first.contains(&quoted)))
        .collect();
    // Of two rows with one reason, the one that names the condition is meant; those of registrars name none.
    rows.sort_by_key(|row| !(row.len() == 4 && row[1].contains(condition)));
    let helps = rows.first().and_then(|row| row.last().copied());
    helps.filter(|helps| !helps.is_empty()).map(plain)
}

/// What a category of failures means.
pub(crate) fn meaning(category: &str) -> Option<String> {
    let quoted = format!("`{category}`");
    let mut rows = section(RUNBOOK, "# Categories of errors")
        .lines()
        .map(cells);
    let row = rows.find(|row| row.first() == Some(&quoted.as_str()))?;
    row.last().copied().map(plain)
}

/// What stands below a heading, to the next of its kind.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (marks, _) = heading.split_once(' ').unwrap_or_default();
    let rest = page
        .split_once(&format!("\n{heading}\n"))
        .map_or("", |(_, rest)| rest);
    rest.split(&format!("\n{marks} ")).next().unwrap_or(rest)
}

fn cells(row: &str) -> Vec<&str> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(str::trim).collect()
}

/// Without the marks of Markdown: of a link, its words.
fn plain(cell: &str) -> String {
    let mut text = String::new();
    let mut rest = cell;
    while let Some((before, after)) = rest.split_once('[') {
        let link = after
            .split_once("](")
            .and_then(|(words, target)| Some((words, target.split_once(')')?.1)));
        text.push_str(before);
        let Some((words, behind)) = link else {
            text.push('[');
            rest = after;
            continue;
        };
        text.push_str(words);
        rest = behind;
    }
    text.push_str(rest);
    text.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_is_what_the_pages_say() {
        assert_eq!(
            remedy("DeploymentReady", "ImagePullBackOff").as_deref(),
            Some("name, tag, imagePullSecrets, the registry")
        );
        assert_eq!(
            remedy("LiteLLMRegistered", "NoDatabase").as_deref(),
            Some("give it one, or register by its file")
        );
        assert_eq!(
            remedy("Ready", "InvalidPullSecret").as_deref(),
            Some(
                "a kubernetes.io/dockerconfigjson in the operator's namespace (PLUGIN-SOURCES.md)"
            )
        );
        assert_eq!(remedy("SpecValid", "Valid"), None);
        assert_eq!(remedy("SpecValid", "NoSuchReason"), None);
        assert_eq!(
            meaning("ForeignObject").as_deref(),
            Some("an object of the name that is wanted is somebody else's")
        );
        assert_eq!(meaning("NoSuchCategory"), None);
    }
}
