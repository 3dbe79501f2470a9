//! How the numbers look on a terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Gauge, Paragraph, Row, Sparkline, Table};

use super::numbers::{Count, History, Numbers};

/// Draws the newest numbers, and how many reads there were before.
pub(super) fn draw(frame: &mut Frame<'_>, history: &History) {
    let Some(now) = history.now() else { return };
    let failures = u16::try_from(now.failures.len()).unwrap_or(u16::MAX);
    let [title, ratio, table, store, failed, reads] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Length(9),
        Constraint::Length(1),
        Constraint::Length(failures),
        Constraint::Min(0),
    ])
    .areas(frame.area());
    let heading = Line::from(vec!["kogia top".bold(), "  q leaves".dim()]);
    frame.render_widget(heading, title);
    draw_ratio(frame, ratio, history.hit_ratio());
    draw_counts(frame, table, history, now);
    frame.render_widget(Paragraph::new(held(now)), store);
    let lines: Vec<Line<'_>> = now
        .failures
        .iter()
        .map(|text| text.as_str().red().into())
        .collect();
    frame.render_widget(Paragraph::new(lines), failed);
    draw_reads(frame, reads, &history.reads());
}

fn draw_ratio(frame: &mut Frame<'_>, area: Rect, ratio: Option<f64>) {
    let label = match ratio {
        Some(ratio) => format!("{:.1} %", ratio * 100.0),
        None => "no reads yet".to_owned(),
    };
    let gauge = Gauge::default()
        .block(Block::bordered().title("hit ratio"))
        .gauge_style(Style::new().fg(Color::Green))
        .ratio(ratio.unwrap_or(0.0).clamp(0.0, 1.0))
        .label(label);
    frame.render_widget(gauge, area);
}

fn draw_counts(frame: &mut Frame<'_>, area: Rect, history: &History, now: &Numbers) {
    let rows = Count::ALL.map(|count| {
        let rate = format!("{:>12.1}", history.rate(count));
        let total = format!("{:>16}", now.of(count));
        let row = Row::new([count.name().to_owned(), rate, total]);
        let is_trouble = count == Count::StoreErrors && now.of(count) > 0;
        if is_trouble { row.red() } else { row }
    });
    let widths = [
        Constraint::Length(16),
        Constraint::Length(12),
        Constraint::Length(16),
    ];
    let header = [
        String::new(),
        format!("{:>12}", "a second"),
        format!("{:>16}", "in all"),
    ];
    let table = Table::new(rows, widths).header(Row::new(header).bold());
    frame.render_widget(table, area);
}

/// What the store holds, as far as a source tells.
fn held(now: &Numbers) -> String {
    match (now.entries, now.bytes, now.capacity) {
        (Some(entries), Some(bytes), Some(capacity)) => {
            let percent = bytes.saturating_mul(100) / capacity.max(1);
            format!("store: {entries} entries, {bytes} of {capacity} bytes ({percent} %)")
        }
        (Some(entries), Some(bytes), None) => format!("store: {entries} entries, {bytes} bytes"),
        _ => String::new(),
    }
}

fn draw_reads(frame: &mut Frame<'_>, area: Rect, reads: &[u64]) {
    // The newest stand at the right-hand end.
    let room = usize::from(area.width.saturating_sub(2));
    let last = &reads[reads.len().saturating_sub(room)..];
    let most = last.iter().max().copied().unwrap_or(0);
    let sparkline = Sparkline::default()
        .block(Block::bordered().title(format!("reads a second, {most} at most")))
        .style(Style::new().fg(Color::Cyan))
        .data(last);
    frame.render_widget(sparkline, area);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use std::time::{Duration, Instant};

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn drawn(history: &History, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, history)).unwrap();
        terminal.backend().to_string()
    }

    fn numbers(metrics: &str) -> Numbers {
        let mut numbers = Numbers::default();
        numbers.add_metrics(metrics);
        numbers
    }

    #[test]
    fn the_numbers_are_on_the_screen() {
        let mut history = History::default();
        let start = Instant::now();
        history.add(start, numbers("kogia_reads_total{outcome=\"hit\"} 100"));
        let mut last = numbers(
            "kogia_reads_total{outcome=\"hit\"} 130\n\
             kogia_reads_total{outcome=\"miss\"} 10\n\
             kogia_entries 12\nkogia_bytes 500000",
        );
        last.capacity = Some(1_000_000);
        last.failures.push("10.0.0.9:1: refused".to_owned());
        history.add(start + Duration::from_secs(2), last);
        let screen = drawn(&history, 70, 24);
        for text in [
            "75.0 %",
            "15.0",
            "130",
            "store: 12 entries, 500000 of 1000000 bytes (50 %)",
            "10.0.0.9:1: refused",
            "reads a second, 20 at most",
        ] {
            assert!(screen.contains(text), "{text} is not on\n{screen}");
        }
    }

    #[test]
    fn any_size_of_the_terminal_is_drawn_to() {
        let mut history = History::default();
        assert!(!drawn(&history, 10, 10).contains("kogia"));
        history.add(Instant::now(), numbers(""));
        assert!(drawn(&history, 60, 20).contains("no reads yet"));
        for (width, height) in [(1, 1), (3, 40), (200, 2), (20, 8)] {
            assert!(!drawn(&history, width, height).is_empty());
        }
    }
}
