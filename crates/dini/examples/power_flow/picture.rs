//! An SVG picture: panels above each other over one axis of buses, each with dots or bars.

use std::fmt::Write;

const WIDTH: f64 = 1120.0;
const MARGIN: f64 = 76.0;
const PANEL: f64 = 190.0;
const GAP: f64 = 64.0;
const TOP: f64 = 64.0;

/// How a series is drawn.
pub enum Mark {
    Dots,
    Bars,
}

/// One number for each bus.
pub struct Series {
    pub name: &'static str,
    pub color: &'static str,
    pub mark: Mark,
    pub values: Vec<f64>,
}

/// Series that share a vertical axis.
pub struct Panel {
    pub title: String,
    pub series: Vec<Series>,
    /// Values that are marked by a line across, with a name.
    pub lines: Vec<(f64, &'static str)>,
}

/// The picture's text.
pub fn draw(title: &str, buses: &[u64], panels: &[Panel]) -> String {
    let height = TOP + panels.len() as f64 * (PANEL + GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, (MARGIN, 30.0), "start", 18, title);
    for (i, panel) in panels.iter().enumerate() {
        panel.draw(&mut svg, TOP + i as f64 * (PANEL + GAP) + 18.0, buses);
    }
    svg.push_str("</svg>\n");
    svg
}

impl Panel {
    fn draw(&self, svg: &mut String, top: f64, buses: &[u64]) {
        let axis = Axis::of(self, top);
        let slot = (WIDTH - 2.0 * MARGIN) / buses.len().max(1) as f64;
        let x = |bus: usize| MARGIN + (bus as f64 + 0.5) * slot;
        text(svg, (MARGIN, top - 8.0), "start", 13, &self.title);
        for tick in axis.ticks() {
            line(svg, (MARGIN, axis.y(tick)), (WIDTH - MARGIN, axis.y(tick)), "#e6e6e6");
            text(svg, (MARGIN - 8.0, axis.y(tick) + 4.0), "end", 11, &axis.label(tick));
        }
        for &(value, name) in self.lines.iter().filter(|(value, _)| axis.holds(*value)) {
            line(svg, (MARGIN, axis.y(value)), (WIDTH - MARGIN, axis.y(value)), "#d08770");
            text(svg, (WIDTH - MARGIN + 6.0, axis.y(value) + 4.0), "start", 11, name);
        }
        // As many names as fit below each other without touching.
        let every = (26.0 / slot).ceil().max(1.0) as usize;
        for (bus, number) in buses.iter().enumerate().step_by(every) {
            text(svg, (x(bus), top + PANEL + 16.0), "middle", 11, &number.to_string());
        }
        let n_bars = self.series.iter().filter(|s| matches!(s.mark, Mark::Bars)).count().max(1);
        let bar = 0.8 * slot / n_bars as f64;
        let mut bars_before = 0;
        for (i, series) in self.series.iter().enumerate() {
            let (key, y) = (WIDTH - MARGIN - 210.0 * (self.series.len() - i) as f64, top - 17.0);
            let _ = writeln!(svg, "<rect x=\"{key}\" y=\"{y}\" width=\"10\" height=\"10\" fill=\"{}\"/>", series.color);
            text(svg, (key + 15.0, top - 8.0), "start", 11, series.name);
            let _ = writeln!(svg, "<g fill=\"{}\">", series.color);
            let values = series.values.iter().enumerate().filter(|(_, value)| value.is_finite());
            match series.mark {
                Mark::Dots => {
                    let radius = (0.4 * slot).clamp(2.0, 4.5);
                    for (bus, &value) in values {
                        let (x, y) = (x(bus), axis.y(value));
                        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>");
                    }
                }
                Mark::Bars => {
                    let left = -0.4 * slot + bars_before as f64 * bar;
                    bars_before += 1;
                    for (bus, &value) in values {
                        let (y, zero) = (axis.y(value), axis.y(0.0));
                        let (x, y, tall) = (x(bus) + left, y.min(zero), (y - zero).abs());
                        let _ =
                            writeln!(svg, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{bar:.1}\" height=\"{tall:.1}\"/>");
                    }
                }
            }
            svg.push_str("</g>\n");
        }
    }
}

/// A vertical axis that holds every value of a panel, with ticks at round numbers.
struct Axis {
    top: f64,
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    fn of(panel: &Panel, top: f64) -> Axis {
        let zero = panel.series.iter().any(|s| matches!(s.mark, Mark::Bars)).then_some(0.0);
        let values = panel.series.iter().flat_map(|s| s.values.iter().copied());
        let finite = values.chain(zero).filter(|x| x.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        let (low, high) = if low < high { (low, high) } else { (low.min(0.0), high.max(1.0)) };
        // Some four steps of 1, 2 or 5 times a power of ten.
        let rough = (high - low) / 4.0;
        let power = 10.0_f64.powf(rough.log10().floor());
        let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * power >= rough).unwrap_or(10.0);
        Axis { top, low: (low / step).floor() * step, high: (high / step).ceil() * step, step }
    }

    fn y(&self, value: f64) -> f64 {
        self.top + PANEL * (self.high - value) / (self.high - self.low)
    }

    fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|i| self.low + i as f64 * self.step)
    }

    fn label(&self, tick: f64) -> String {
        let digits = (-self.step.log10().floor()).max(0.0) as usize;
        format!("{tick:.digits$}")
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, size: usize, content: &str) {
    let escaped = content.replace('&', "&amp;").replace('<', "&lt;");
    let _ =
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{escaped}</text>");
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), color: &str) {
    let _ = writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\"/>");
}
