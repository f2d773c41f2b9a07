//! A load second by second: how many events and deliveries, and how long deliveries took.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::report::Report;
use crate::Failure;
use crate::number::float;

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
    let until = seconds.last().map_or(1, |it| it.second + 1);
    let mut chart = ChartBuilder::on(area)
        .caption("each second", ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..float(until), 0.0..float(most as u64) * 1.1)?;
    chart.configure_mesh().x_desc("s").light_line_style(TRANSPARENT).draw()?;
    chart.draw_series(band(report, float(most as u64) * 1.1))?;
    for (what, colour, of) in [
        ("events accepted", ACCEPTED, seconds.iter().map(|it| it.accepted).collect::<Vec<_>>()),
        ("notifications delivered", ARRIVED, seconds.iter().map(|it| it.arrived).collect()),
    ] {
        let points = seconds.iter().zip(of).map(|(it, of)| (float(it.second), float(of as u64)));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(what)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw()?;
    Ok(())
}

fn latencies(report: &Report, area: &Area<'_>) -> Result<(), Failure> {
    let seconds = &report.latencies.seconds;
    let most = seconds.iter().map(|it| it.healthy.p99_ms).fold(1.0, f64::max) * 2.0;
    let until = seconds.last().map_or(1, |it| it.second + 1);
    let mut chart = ChartBuilder::on(area)
        .caption("accepted → delivered at healthy targets, ms", ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..float(until), (0.1..most).log_scale())?;
    chart.configure_mesh().x_desc("s").light_line_style(TRANSPARENT).draw()?;
    chart.draw_series(band(report, most))?;
    for (what, colour, is_median) in [("p50", MEDIAN, true), ("p99", SLOWEST, false)] {
        let measured = seconds.iter().filter(|it| it.healthy.count > 0);
        let points = measured.map(|it| {
            let ms = if is_median { it.healthy.p50_ms } else { it.healthy.p99_ms };
            (float(it.second), ms.max(0.1))
        });
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
