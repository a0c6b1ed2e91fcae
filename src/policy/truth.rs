//! What a condition says: yes, no, or nobody knows; and comparisons of figures that may not be
//! known, or only in part.

use std::fmt;
use std::time::Duration;

use crate::core::text::one_line;
use crate::core::time::Span;
use crate::core::words::word_enum;

word_enum! {
    /// Whether a condition holds.
    pub(crate) enum Truth as "truth" {
        Yes = "yes",
        No = "no",
        /// The figure is not known.
        Unknown = "unknown",
    }
}

impl Truth {
    pub(super) fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    /// Both: one no is enough for a no.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }
}

word_enum! {
    /// What a figure is counted in, and so how it is written.
    pub(crate) enum Measure as "measure" {
        /// A whole number.
        Count = "count",
        /// 0 to 1, or with a percent sign.
        Share = "share",
        /// A duration; a plain number is seconds.
        Time = "time",
        /// US dollars.
        Money = "money",
    }
}

/// A range of figures, written as comparisons: `> 100000`, `>= 10%, < 30%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Compare {
    pub(super) measure: Measure,
    pub(super) above: Option<Bound>,
    pub(super) below: Option<Bound>,
}

/// One end of a range; in seconds, dollars, tokens or as a share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bound {
    pub(super) at: f64,
    /// Whether the bound itself is in.
    pub(super) is_in: bool,
}

impl Compare {
    pub(super) fn parse(measure: Measure, text: &str) -> Result<Self, String> {
        let mut range = Self {
            measure,
            above: None,
            below: None,
        };
        for part in text.split(',') {
            let part = part.trim();
            let (end, is_in, figure) = if let Some(rest) = part.strip_prefix(">=") {
                (&mut range.above, true, rest)
            } else if let Some(rest) = part.strip_prefix('>') {
                (&mut range.above, false, rest)
            } else if let Some(rest) = part.strip_prefix("<=") {
                (&mut range.below, true, rest)
            } else if let Some(rest) = part.strip_prefix('<') {
                (&mut range.below, false, rest)
            } else {
                return Err(format!(
                    "`{}` is no comparison such as `{}`",
                    shown(text),
                    example(measure)
                ));
            };
            let at = figure_of(measure, figure.trim()).ok_or_else(|| {
                format!(
                    "`{}` is no figure such as in `{}`",
                    shown(figure),
                    example(measure)
                )
            })?;
            if end.replace(Bound { at, is_in }).is_some() {
                return Err(format!("`{}` bounds the same side twice", shown(text)));
            }
        }
        if let (Some(above), Some(below)) = (range.above, range.below)
            && (above.at > below.at || (above.at == below.at && !(above.is_in && below.is_in)))
        {
            return Err(format!("`{}` can never hold", shown(text)));
        }
        Ok(range)
    }

    fn holds(&self, x: f64) -> bool {
        self.above
            .is_none_or(|b| x > b.at || (b.is_in && x == b.at))
            && self
                .below
                .is_none_or(|b| x < b.at || (b.is_in && x == b.at))
    }

    /// For a figure that is known, or not.
    pub(super) fn test(&self, figure: Option<f64>) -> Truth {
        match figure {
            Some(x) if !x.is_nan() => Truth::of(self.holds(x)),
            Some(_) | None => Truth::Unknown,
        }
    }

    /// For a figure of which only the range is known; both ends are in.
    pub(super) fn test_range(&self, low: f64, high: f64) -> Truth {
        if low.is_nan() || high.is_nan() || low > high {
            return Truth::Unknown;
        }
        match (self.holds(low), self.holds(high)) {
            (true, true) => Truth::Yes,
            (true, false) | (false, true) => Truth::Unknown,
            // It may lie within, or all of it on one side.
            (false, false) => {
                let is_under = self
                    .above
                    .is_some_and(|b| high < b.at || (high == b.at && !b.is_in));
                let is_over = self
                    .below
                    .is_some_and(|b| low > b.at || (low == b.at && !b.is_in));
                if is_under || is_over {
                    Truth::No
                } else {
                    Truth::Unknown
                }
            }
        }
    }

    /// The figure as people read it.
    pub(super) fn show(measure: Measure, x: f64) -> String {
        match measure {
            Measure::Count => crate::core::text::thousands(x.max(0.0) as u64),
            Measure::Share => format!("{}%", (x * 1000.0).round() / 10.0),
            Measure::Time => Span(Duration::from_secs_f64(x.clamp(0.0, 1e10).round())).to_string(),
            Measure::Money => format!("${x:.2}"),
        }
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |bound: Option<Bound>, sign: char| {
            bound.map(|b| {
                let equal = if b.is_in { "=" } else { "" };
                format!("{sign}{equal} {}", Self::show(self.measure, b.at))
            })
        };
        let parts: Vec<String> = [part(self.above, '>'), part(self.below, '<')]
            .into_iter()
            .flatten()
            .collect();
        f.write_str(&parts.join(", "))
    }
}

fn shown(text: &str) -> String {
    one_line(text.trim(), 60)
}

fn example(measure: Measure) -> &'static str {
    match measure {
        Measure::Count => "> 100000",
        Measure::Share => "< 20%",
        Measure::Time => "< 30m",
        Measure::Money => "> $2.50",
    }
}

/// Never negative, never infinite.
fn figure_of(measure: Measure, text: &str) -> Option<f64> {
    let number = |text: &str| {
        let text = text.trim().replace('_', "");
        let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let x: f64 = text.parse().ok().filter(|_| is_plain)?;
        (x.is_finite() && x <= 1e15).then_some(x)
    };
    match measure {
        Measure::Count => number(text).filter(|x| x.fract() == 0.0),
        Measure::Share => match text.strip_suffix('%') {
            Some(percent) => number(percent).map(|x| x / 100.0),
            None => number(text),
        }
        .filter(|x| *x <= 1.0),
        Measure::Time => number(text).or_else(|| {
            let span: Span = text.parse().ok()?;
            Some(span.0.as_secs_f64()).filter(|x| *x <= 1e10)
        }),
        Measure::Money => number(text.strip_prefix('$').unwrap_or(text)),
    }
}

impl serde::Serialize for Compare {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(measure: Measure, text: &str) -> Compare {
        Compare::parse(measure, text).unwrap()
    }

    #[test]
    fn comparisons_are_read_in_the_words_of_their_measure() {
        let shown = [
            (Measure::Count, "> 100_000"),
            (Measure::Share, ">= 10%, < 0.3"),
            (Measure::Time, "<= 1h30m"),
            (Measure::Time, "< 90"),
            (Measure::Money, ">$2.5"),
        ]
        .map(|(measure, text)| compare(measure, text).to_string());
        assert_eq!(
            shown,
            [
                "> 100,000",
                ">= 10%, < 30%",
                "<= 1h 30m",
                "< 1m 30s",
                "> $2.50"
            ]
        );
    }

    #[test]
    fn what_is_no_comparison_is_refused() {
        for (measure, bad) in [
            (Measure::Count, "100"),
            (Measure::Count, "> 1.5"),
            (Measure::Count, "> -1"),
            (Measure::Count, "> nan"),
            (Measure::Count, "> 1e400"),
            (Measure::Count, ">"),
            (Measure::Share, "< 120%"),
            (Measure::Share, "< inf"),
            (Measure::Share, "> 50%, < 40%"),
            (Measure::Share, "> 50%, < 50%"),
            (Measure::Share, "> 1%, > 2%"),
            (Measure::Time, "< soon"),
            (Measure::Money, "> 1,000"),
        ] {
            assert!(Compare::parse(measure, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_a_figure_in_a_range_only_what_is_sure_is_said() {
        let low = compare(Measure::Share, "< 20%");
        let within = compare(Measure::Share, "> 40%, < 50%");
        let range = |c: &Compare, a, b| c.test_range(a, b);
        assert_eq!(range(&low, 0.0, 0.1), Truth::Yes);
        assert_eq!(range(&low, 0.0, 0.5), Truth::Unknown);
        assert_eq!(range(&low, 0.2, 0.5), Truth::No);
        assert_eq!(range(&within, 0.0, 1.0), Truth::Unknown);
        assert_eq!(range(&within, 0.0, 0.4), Truth::No);
        assert_eq!(range(&low, f64::NAN, 1.0), Truth::Unknown);
        assert_eq!(low.test(Some(f64::NAN)), Truth::Unknown);
        assert_eq!(low.test(None), Truth::Unknown);
    }
}
