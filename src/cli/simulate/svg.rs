//! The plan as a picture in a file: SVG without scripts or fonts of its own.

use super::chart::span;
use crate::core::text::one_line;
use crate::view::plan::Planned;

const ROW: i64 = 18;
const LABEL: i64 = 260;
const CHART: i64 = 900;
const HEAD: i64 = 30;
/// Bars drawn.
const ROWS: usize = 1000;

pub(super) fn draw(p: &Planned) -> String {
    let (from, to) = span(p);
    let x = |ms: i64| {
        let share = (ms - from).max(0) as f64 / (to - from) as f64;
        LABEL + (share * CHART as f64) as i64
    };
    let rows = p.beads.len().min(ROWS) as i64;
    let (width, height) = (LABEL + CHART + 20, HEAD + rows * ROW + 30);
    let mut out = String::new();
    let mut put = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    put(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">"#
    ));
    put(r##"<rect width="100%" height="100%" fill="#ffffff"/>"##.to_owned());
    put(format!(
        r#"<text x="8" y="18">from {} (UTC)</text>"#,
        escape(&p.at.to_string())
    ));
    for wall in &p.walls {
        let at = x(wall.until.millis());
        let bottom = HEAD + rows * ROW;
        put(format!(
            r##"<line x1="{at}" y1="{HEAD}" x2="{at}" y2="{bottom}" stroke="#c0392b" stroke-dasharray="3 3"><title>{}</title></line>"##,
            escape(&format!("{} {}", wall.provider, wall.window))
        ));
    }
    for (row, bead) in (0..).zip(p.beads.iter().take(ROWS)) {
        let y = HEAD + row * ROW;
        let label = format!("{} {} {}", bead.bead_id, bead.provider, bead.title);
        put(format!(
            r#"<text x="8" y="{}">{}</text>"#,
            y + 13,
            escape(&one_line(&label, 42))
        ));
        let (start, end) = (x(bead.starts_at.millis()), x(bead.ends_at.millis()));
        let late = x(bead.ends_p90.millis()).max(end);
        put(format!(
            r##"<rect x="{start}" y="{}" width="{}" height="{}" fill="#d5dbe3"/>"##,
            y + 3,
            (late - start).max(1),
            ROW - 6
        ));
        let color = color(bead.provider.as_str());
        put(format!(
            r#"<rect x="{start}" y="{}" width="{}" height="{}" fill="{color}"><title>{}</title></rect>"#,
            y + 3,
            (end - start).max(1),
            ROW - 6,
            escape(&format!("{} to {}", bead.starts_at, bead.ends_at))
        ));
    }
    put("</svg>".to_owned());
    out
}

/// The same provider has the same colour everywhere.
fn color(provider: &str) -> &'static str {
    const ALL: [&str; 6] = [
        "#2e6da4", "#3d8b5f", "#a4632e", "#7a4ea4", "#a42e5c", "#4a5a6a",
    ];
    let sum: usize = provider.bytes().map(usize::from).sum();
    ALL[sum % ALL.len()]
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_stays_text() {
        assert_eq!(
            escape("<a href='x'>\u{1b} & \"q\""),
            "&lt;a href=&#39;x&#39;&gt; &amp; &quot;q&quot;"
        );
    }
}
