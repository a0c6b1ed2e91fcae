//! Text for a terminal: lines, styled words and tables, gathered whole before anything is
//! written. Styles are always in it; the writer takes them out where they are not wanted.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use crate::core::text::clean;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const PLAIN: Style = Style::new();

/// A page under construction.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    width: usize,
}

impl Page {
    pub(crate) fn new(width: usize) -> Self {
        Self {
            text: String::new(),
            width,
        }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// One line. Control characters in it are taken out, whoever wrote them.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(&clean(text.as_ref()));
        self.text.push('\n');
    }

    /// One line that was put together from clean parts and styles.
    pub(crate) fn raw_line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    pub(crate) fn styled(&mut self, style: Style, text: impl AsRef<str>) {
        self.text.push_str(&paint(style, &clean(text.as_ref())));
        self.text.push('\n');
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// `name  value` with the names in one column; entries without a value are left out.
    pub(crate) fn fields(&mut self, fields: &[(&str, Option<String>)]) {
        let widest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields {
            if let Some(value) = value {
                let name = paint(DIM, &format!("{name:widest$}"));
                self.text.push_str(&name);
                self.text.push_str("  ");
                self.text.push_str(&clean(value).replace('\n', " "));
                self.text.push('\n');
            }
        }
    }

    /// Lines of somebody else's text, indented.
    pub(crate) fn quote(&mut self, text: &str) {
        for line in clean(text).lines() {
            self.text.push_str("  ");
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    pub(crate) fn table(&mut self, table: &Table) {
        self.text.push_str(&table.render(self.width));
    }
}

fn paint(style: Style, text: &str) -> String {
    if style.is_plain() || text.is_empty() {
        text.to_owned()
    } else {
        format!("{style}{text}{style:#}")
    }
}

/// One cell: a line of text with one style.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
    right: bool,
}

pub(crate) fn cell(text: impl std::fmt::Display) -> Cell {
    Cell {
        text: clean(&text.to_string()).replace(['\n', '\t'], " "),
        style: PLAIN,
        right: false,
    }
}

impl Cell {
    pub(crate) fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Numbers stand at the right edge of their column.
    pub(crate) fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// Rows under a heading, each one line: the column named flexible gives way when the width does
/// not suffice, and columns without any content are left out.
#[derive(Debug)]
pub(crate) struct Table {
    heads: &'static [&'static str],
    flexible: usize,
    rows: Vec<Vec<Cell>>,
}

/// Between two columns.
const GAP: usize = 2;
/// The flexible column never gets narrower than this.
const LEAST: usize = 12;

impl Table {
    pub(crate) fn new(heads: &'static [&'static str], flexible: usize) -> Self {
        Self {
            heads,
            flexible,
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    fn render(&self, width: usize) -> String {
        let used: Vec<usize> = (0..self.heads.len())
            .filter(|i| {
                self.rows
                    .iter()
                    .any(|row| row.get(*i).is_some_and(|c| !c.text.is_empty()))
            })
            .collect();
        let heads = used.iter().map(|i| Cell {
            text: self.heads[*i].to_owned(),
            style: BOLD,
            right: self
                .rows
                .iter()
                .all(|row| row.get(*i).is_some_and(|c| c.right)),
        });
        let mut rows = vec![heads.collect::<Vec<Cell>>()];
        for row in &self.rows {
            rows.push(used.iter().filter_map(|i| row.get(*i).cloned()).collect());
        }
        let flexible = used.iter().position(|i| *i == self.flexible);
        let widths = widths(&rows, flexible, width);
        let mut out = String::new();
        for row in &rows {
            line(&mut out, row, &widths);
        }
        out
    }
}

/// The flexible column gives way first, then whichever is widest; the first one, the id, never.
fn widths(rows: &[Vec<Cell>], flexible: Option<usize>, width: usize) -> Vec<usize> {
    let mut widths = vec![0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (w, cell) in widths.iter_mut().zip(row) {
            *w = (*w).max(cell.text.width());
        }
    }
    let total: usize = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    let mut over = total.saturating_sub(width);
    if let Some(w) = flexible.and_then(|i| widths.get_mut(i)) {
        let give = over.min(w.saturating_sub(LEAST));
        *w -= give;
        over -= give;
    }
    while over > 0 {
        let widest = (1..widths.len()).max_by_key(|i| widths[*i]);
        let Some(i) = widest.filter(|i| widths[*i] > 4) else {
            break;
        };
        widths[i] -= 1;
        over -= 1;
    }
    widths
}

fn line(out: &mut String, row: &[Cell], widths: &[usize]) {
    let mut pending = 0;
    for (i, (cell, width)) in row.iter().zip(widths).enumerate() {
        let text = fit(&cell.text, *width);
        let pad = width.saturating_sub(text.width());
        let (before, after) = if cell.right { (pad, 0) } else { (0, pad) };
        let gap = if i == 0 { 0 } else { GAP };
        // Written with the next text only, so that no line ends in spaces.
        pending += gap + before;
        if !text.is_empty() {
            // Writing into a String cannot fail.
            write!(out, "{:pending$}", "").unwrap_or_default();
            out.push_str(&paint(cell.style, &text));
            pending = 0;
        }
        pending += after;
    }
    out.push('\n');
}

/// At most `width` columns of `text`, the last one an ellipsis when something was cut.
fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        let mut longer = cut.clone();
        longer.push(c);
        if longer.width() + 1 > width {
            break;
        }
        cut = longer;
    }
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// A gauge of `width` characters for a share between 0 and 1; all dots when it is unknown. Plain
/// ASCII: it is read in logs, over serial lines and by screen readers too.
pub(crate) fn gauge(share: Option<f64>, width: usize) -> String {
    let Some(share) = share else {
        return format!("[{}]", ".".repeat(width));
    };
    let full = (share.clamp(0.0, 1.0) * width as f64).round() as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(width - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(page: Page) -> String {
        anstream::adapter::strip_str(&page.into_text()).to_string()
    }

    #[test]
    fn a_table_fits_the_width_and_wide_characters_keep_their_columns() {
        let mut table = Table::new(&["ID", "TITLE", "TOKENS"], 1);
        table.row([
            cell("gt-a1b2c"),
            cell("日本語 and a title that goes on and on"),
            cell("1,200").right(),
        ]);
        table.row([cell("gt-x"), cell(""), cell("5").right()]);
        let mut page = Page::new(34);
        page.table(&table);
        let text = plain(page);
        insta::assert_snapshot!(text, @r"
        ID        TITLE             TOKENS
        gt-a1b2c  日本語 and a ti…   1,200
        gt-x                             5
        ");
        assert!(text.lines().all(|line| line.width() <= 34));
    }

    #[test]
    fn hostile_text_stays_in_its_line() {
        let mut table = Table::new(&["A"], 0);
        table.row([cell("x\u{1b}[2Jy\nz")]);
        let mut page = Page::new(80);
        page.table(&table);
        page.line("a\u{1b}]0;title\u{7}b");
        assert_eq!(plain(page), "A\nxy z\nab\n");
    }

    #[test]
    fn a_gauge_shows_unknown_as_unknown() {
        assert_eq!(gauge(Some(0.5), 4), "[##--]");
        assert_eq!(gauge(Some(7.0), 4), "[####]");
        assert_eq!(gauge(None, 4), "[....]");
    }
}
