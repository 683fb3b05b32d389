//! A dashboard as a picture: panels where its grid has them.

use std::path::Path;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;

/// Pixels of a cell of the grid, which is 24 cells wide.
const CELL: (u32, u32) = (50, 32);
const COLUMNS: u32 = 24;
const TITLE: u32 = 44;
const GAP: u32 = 6;
/// Lines of a panel that are named; Grafana has a list to scroll in.
const NAMED: usize = 8;
const FONT: &str = "sans-serif";
const FRAME: RGBColor = RGBColor(210, 214, 220);
const INK: RGBColor = RGBColor(40, 44, 52);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Where a panel is, in cells.
pub(crate) struct Place {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// A line: seconds since 1970, and values.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Series {
    fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |(_, value)| *value)
    }
}

/// A panel and what it shows: the last values as text, or lines.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) is_stat: bool,
    /// Grafana's name of the unit.
    pub(crate) unit: String,
    pub(crate) place: Place,
    pub(crate) series: Vec<Series>,
}

/// Draws a dashboard into a file.
pub(crate) fn draw(file: &Path, title: &str, panels: &[Panel]) -> Result<()> {
    let rows = panels
        .iter()
        .map(|panel| panel.place.top + panel.place.height);
    let size = (
        COLUMNS * CELL.0,
        rows.max().unwrap_or_default() * CELL.1 + TITLE,
    );
    let whole = SVGBackend::new(file, size).into_drawing_area();
    whole.fill(&RGBColor(244, 245, 247))?;
    text(&whole, title, (12, 10), 24)?;
    for panel in panels {
        let Place {
            left,
            top,
            width,
            height,
        } = panel.place;
        let corner = (left * CELL.0 + GAP / 2, top * CELL.1 + TITLE);
        let area = whole
            .clone()
            .shrink(corner, (width * CELL.0 - GAP, height * CELL.1 - GAP));
        area.fill(&WHITE)?;
        let (right, bottom) = area.dim_in_pixel();
        let frame = [(0, 0), (right.cast_signed() - 1, bottom.cast_signed() - 1)];
        area.draw(&Rectangle::new(frame, FRAME))?;
        text(&area, &panel.title, (10, 8), 15)?;
        if panel.is_stat {
            stat(&area, panel)?;
        } else {
            lines(&area, panel)?;
        }
    }
    whole.present()?;
    Ok(())
}

fn text(area: &Area, text: &str, at: (i32, i32), size: i32) -> Result<()> {
    let style = (FONT, size).into_font().color(&INK);
    Ok(area.draw(&Text::new(text.to_owned(), at, style))?)
}

/// The last value of each series, with its name.
fn stat(area: &Area, panel: &Panel) -> Result<()> {
    let size = if panel.series.len() < 2 { 34 } else { 16 };
    for (line, series) in (0..).zip(&panel.series) {
        let value = amount(series.last(), &panel.unit);
        let shown = format!("{value} {}", series.name);
        text(area, shown.trim(), (12, 36 + line * (size + 4)), size)?;
    }
    Ok(())
}

fn lines(area: &Area, panel: &Panel) -> Result<()> {
    let mut series: Vec<&Series> = panel.series.iter().collect();
    series.sort_by(|a, b| b.last().total_cmp(&a.last()));
    let points = || series.iter().flat_map(|series| &series.points);
    let span = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    if points().next().is_none() {
        return text(area, "no data", (12, 36), 16);
    }
    let (begin, end) = span(&mut points().map(|(time, _)| *time));
    let (_, most) = span(&mut points().map(|(_, value)| *value));
    // An axis has a height, also where all is zero or nothing.
    let most = if most > 0.0 { most * 1.1 } else { 1.0 };
    let names: u32 = (NAMED.min(series.len()).div_ceil(2) * 15).try_into()?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(30)
        .margin_right(14)
        .margin_bottom(8 + names)
        .x_label_area_size(20)
        .y_label_area_size(62)
        .build_cartesian_2d(begin..end.max(begin + 1.0), 0.0..most)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FRAME)
        .axis_style(FRAME)
        .x_labels(6)
        .y_labels(5)
        .label_style((FONT, 12).into_font().color(&INK))
        .x_label_formatter(&|time| format!("{:.0} min", (time - begin) / 60.0))
        .y_label_formatter(&|value| amount(*value, &panel.unit))
        .draw()?;
    for (number, series) in series.iter().enumerate() {
        let style = Palette99::pick(number).stroke_width(2);
        chart.draw_series(LineSeries::new(series.points.iter().copied(), style))?;
    }
    let (width, height) = area.dim_in_pixel();
    let top = height.cast_signed() - names.cast_signed() - 4;
    for (number, series) in (0_i32..).zip(series.iter().take(NAMED)) {
        let corner = (
            12 + number % 2 * width.cast_signed() / 2,
            top + number / 2 * 15,
        );
        let color = Palette99::pick(number.try_into()?);
        let mark = [(corner.0, corner.1 + 3), (corner.0 + 10, corner.1 + 10)];
        area.draw(&Rectangle::new(mark, color.filled()))?;
        text(area, &series.name, (corner.0 + 15, corner.1), 12)?;
    }
    Ok(())
}

/// A value in a unit of Grafana, as short as it is still told apart.
fn amount(value: f64, unit: &str) -> String {
    let number = |value: f64| {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match unit {
        "s" if value == 0.0 => "0".to_owned(),
        "s" if value < 0.001 => format!("{} µs", number(value * 1e6)),
        "s" if value < 1.0 => format!("{} ms", number(value * 1e3)),
        "s" if value < 3600.0 => format!("{} s", number(value)),
        "s" => format!("{} d", number(value / 86400.0)),
        "percentunit" => format!("{} %", number(value * 100.0)),
        "reqps" | "ops" => format!("{}/s", number(value)),
        _ => number(value),
    }
}
