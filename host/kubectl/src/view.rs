//! How answers are shown: text for people, with colours on a terminal only.

use std::io::IsTerminal;

use serde::Serialize;
use serde_json::Value;
use unicode_width::UnicodeWidthChar;

use crate::Outcome;

/// An answer.
pub(crate) trait View: Serialize {
    /// For people.
    fn text(&self, style: &Style) -> String;

    /// The exit code.
    fn outcome(&self) -> Outcome {
        Outcome::Fine
    }
}

/// What the place can show that text is written to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) colors: bool,
    /// Columns; nothing: any number of them.
    pub(crate) width: Option<usize>,
}

/// What a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Waiting,
    Bad,
    Plain,
}

impl Style {
    /// As a file is.
    pub(crate) const PLAIN: Self = Self {
        colors: false,
        width: None,
    };

    /// As standard output is.
    pub(crate) fn of_terminal() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let refuses = |name, value: &str| {
            std::env::var_os(name)
                .is_some_and(|found| !found.is_empty() && (value.is_empty() || found == value))
        };
        let width = terminal_size::terminal_size();
        Self {
            colors: is_terminal && !refuses("NO_COLOR", "") && !refuses("TERM", "dumb"),
            width: width
                .filter(|_| is_terminal)
                .map(|(width, _)| width.0.into()),
        }
    }

    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Waiting => "33",
            Tone::Bad => "31",
            Tone::Plain => return text.to_owned(),
        };
        if self.colors {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// The beginning of a text that has room behind `before` columns.
    pub(crate) fn fit(&self, text: &str, before: usize) -> String {
        let room = self
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(before));
        fit(text, room.max(20))
    }

    /// A text in lines that have room behind `before` columns, which are blank from the second line on.
    pub(crate) fn wrap(&self, text: &str, before: usize) -> String {
        let room = self
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(before));
        let room = room.max(20);
        let (mut wrapped, mut used) = (String::new(), 0);
        for word in text.split_whitespace() {
            let length = width(word);
            if used > 0 && used + 1 + length > room {
                wrapped.push('\n');
                wrapped.push_str(&" ".repeat(before));
                used = 0;
            } else if used > 0 {
                wrapped.push(' ');
                used += 1;
            }
            wrapped.push_str(word);
            used += length;
        }
        wrapped
    }
}

/// A line for each thing that whoever asks may not read.
pub(crate) fn not_read(unread: &[String], style: &Style) -> String {
    let line = |why: &String| format!("Not read: {}\n", style.wrap(&harmless(why), 10));
    unread.iter().map(line).collect()
}

/// What a member of an object says, if that is a text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Columns that a text takes. Control characters are shown as spaces.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|it| it.width().unwrap_or(1)).sum()
}

/// What comes from the cluster moves no cursor and changes no colour.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .collect()
}

fn fit(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut used = 0;
    let kept = text.chars().take_while(|it| {
        used += it.width().unwrap_or(1);
        used < room
    });
    kept.chain(['…']).collect()
}

/// Rows of cells: all columns but the last are as wide as their widest cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<(Tone, String)>>,
}

impl Table {
    pub(crate) fn titled(titles: &[&str]) -> Self {
        let mut table = Self::default();
        table.push(
            titles
                .iter()
                .map(|title| (Tone::Plain, (*title).to_owned())),
        );
        table
    }

    pub(crate) fn push(&mut self, cells: impl IntoIterator<Item = (Tone, String)>) {
        let cells = cells.into_iter();
        self.rows
            .push(cells.map(|(tone, text)| (tone, harmless(&text))).collect());
    }

    pub(crate) fn text(&self, style: &Style) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|(_, text)| width(text)).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        let mut text = String::new();
        for row in &self.rows {
            let (mut line, mut used) = (String::new(), 0);
            for (column, (tone, cell)) in row.iter().enumerate() {
                if column + 1 == columns {
                    line.push_str(&style.paint(*tone, &style.fit(cell, used)));
                } else {
                    line.push_str(&style.paint(*tone, cell));
                    line.push_str(&" ".repeat(widths[column] + 3 - width(cell)));
                    used += widths[column] + 3;
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style::PLAIN;

    #[test]
    fn a_table_has_columns_and_its_last_one_fits_the_terminal() {
        let mut table = Table::titled(&["NAME", "WHAT"]);
        table.push([
            (Tone::Good, "weather".to_owned()),
            (
                Tone::Plain,
                "a\u{1b}[31mb and much more than there is room for".to_owned(),
            ),
        ]);
        assert_eq!(
            table.text(&PLAIN),
            "NAME      WHAT\nweather   a [31mb and much more than there is room for\n"
        );
        let narrow = Style {
            colors: true,
            width: Some(40),
        };
        assert_eq!(
            table.text(&narrow),
            "NAME      WHAT\n\u{1b}[32mweather\u{1b}[0m   a [31mb and much more than th…\n"
        );
    }

    #[test]
    fn a_long_sentence_is_broken_between_words() {
        let narrow = Style {
            colors: false,
            width: Some(24),
        };
        assert_eq!(
            narrow.wrap("one two three four five six", 4),
            "one two three four\n    five six"
        );
        assert_eq!(PLAIN.wrap("one  two", 4), "one two");
    }
}
