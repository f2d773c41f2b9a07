//! A load second by second: how many events and deliveries, and how long deliveries took.

use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::latency::{Percentiles, Second};
use super::report::Report;
use crate::Failure;
use crate::number::{float, length};

/// In pixels.
const SIZE: (u32, u32) = (960, 600);

const ACCEPTED: RGBColor = RGBColor(31, 119, 180);
const ARRIVED: RGBColor = RGBColor(44, 160, 44);
const MEDIAN: RGBColor = RGBColor(31, 119, 180);
const SLOWEST: RGBColor = RGBColor(214, 39, 40);
const TROUBLE: RGBColor = RGBColor(255, 127, 14);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws it to a file, as SVG.
pub fn draw(report: &Report, file: &Path) -> Result<(), Failure> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(SIZE.1 / 2);
    counts(report, &above)?;
    latencies(report, &below)?;
    root.present()?;
    Ok(())
}

fn counts(report: &Report, area: &Area<'_>) -> Result<(), Failure> {
    let seconds = &report.latencies.seconds;
    let most = seconds.iter().map(|it| it.accepted.max(it.arrived)).max().unwrap_or(1);
    let most = length(most) * 1.1;
    let each = |of: fn(&Second) -> usize| {
        seconds.iter().map(|it| (float(it.second), length(of(it)))).collect()
    };
    let lines = [
        Line { what: "events accepted", colour: ACCEPTED, points: each(|it| it.accepted) },
        Line { what: "notifications delivered", colour: ARRIVED, points: each(|it| it.arrived) },
    ];
    chart(report, area, "each second", (0.0..most, most), lines)
}

fn latencies(report: &Report, area: &Area<'_>) -> Result<(), Failure> {
    let seconds = &report.latencies.seconds;
    let most = seconds.iter().map(|it| it.healthy.p99_ms).fold(1.0, f64::max) * 2.0;
    let each = |of: fn(&Percentiles) -> f64| {
        let measured = seconds.iter().filter(|it| it.healthy.count > 0);
        // There is no zero on a logarithmic scale.
        measured.map(|it| (float(it.second), of(&it.healthy).max(0.1))).collect()
    };
    let lines = [
        Line { what: "p50", colour: MEDIAN, points: each(|it| it.p50_ms) },
        Line { what: "p99", colour: SLOWEST, points: each(|it| it.p99_ms) },
    ];
    let scale = ((0.1..most).log_scale(), most);
    chart(report, area, "accepted → delivered at healthy targets, ms", scale, lines)
}

/// A line of a chart.
struct Line {
    what: &'static str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

/// Lines over the seconds of a load, on a scale that ends so high.
fn chart<S>(
    report: &Report,
    area: &Area<'_>,
    caption: &str,
    (scale, most): (S, f64),
    lines: [Line; 2],
) -> Result<(), Failure>
where
    S: AsRangedCoord<Value = f64>,
    S::CoordDescType: ValueFormatter<f64>,
{
    let until = report.latencies.seconds.last().map_or(1, |it| it.second + 1);
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..float(until), scale)?;
    chart.configure_mesh().x_desc("s").light_line_style(TRANSPARENT).draw()?;
    chart.draw_series(band(report, most))?;
    for Line { what, colour, points } in lines {
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(what)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw()?;
    Ok(())
}

/// While things went wrong.
fn band(report: &Report, up_to: f64) -> Option<Rectangle<(f64, f64)>> {
    let [from_s, until_s] = report.trouble_s?;
    Some(Rectangle::new([(from_s, 0.0), (until_s, up_to)], TROUBLE.mix(0.2).filled()))
}
