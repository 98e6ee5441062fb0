//! The way of one release as a picture: the share of the traffic that its candidate had, and what failed of the requests of
//! both colours. The same stands below it in numbers.

use crate::text::{at, beginning, lasted, named};
use jiff::Timestamp;
use maud::{Markup, html};
use release::evidence::{Requests, Sums};
use release::{Colour, Held, Ledger, Open, PerColour, Receipt, VerdictWord};
use std::fmt::Write as _;

/// In units of the picture, which a phone shows as points.
const WIDTH: f64 = 340.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = 332.0;
const SHARE: Band = Band { top: 18.0, bottom: 84.0 };
const FAILED: Band = Band { top: 112.0, bottom: 168.0 };

/// With more points than this only the line is drawn.
const MARKS: usize = 24;
/// Steps that are written out.
const STEPS: usize = 8;
/// Characters of a reason.
const LONGEST: usize = 160;

/// A release as far as it went.
struct Course<'a> {
    title: String,
    candidate: Colour,
    steps: &'a [Held],
    from: Timestamp,
    until: Timestamp,
    /// Whether the candidate has its last share still.
    keeps: bool,
    /// What was counted in the attempt that is under way.
    counted: Option<Sums>,
}

/// Where a scale of the picture lies.
struct Band {
    top: f64,
    bottom: f64,
}

/// What was counted until a moment.
struct Point {
    at: Timestamp,
    attempt: u32,
    requests: PerColour<Requests>,
}

/// The picture of the open release, or of the last one that had traffic; nothing if there is none.
pub(crate) fn of(ledger: &Ledger, now: Timestamp) -> Markup {
    let open = ledger.open.as_ref().and_then(|open| Course::under_way(open, now));
    let past =
        || ledger.releases.iter().rev().filter_map(|past| past.receipt.0.as_deref()).find_map(Course::over);
    match open.or_else(past) {
        Some(course) => course.drawn(),
        None => html! {},
    }
}

impl<'a> Course<'a> {
    fn under_way(open: &'a Open, now: Timestamp) -> Option<Self> {
        let course = &open.course.0;
        (!course.steps.is_empty()).then(|| Self {
            title: format!("{} so far", named(open.purpose, open.upload.number)),
            candidate: open.colour,
            steps: &course.steps,
            from: course.opened_at.unwrap_or(open.opened_at),
            until: now,
            keeps: course.steps.last().is_some_and(|last| last.until.is_none()),
            counted: open.counted.as_ref().map(|counted| counted.sums()),
        })
    }

    fn over(receipt: &'a Receipt) -> Option<Self> {
        (!receipt.steps.is_empty()).then(|| Self {
            title: format!("{}, {}", named(receipt.purpose, receipt.number), receipt.verdict),
            candidate: receipt.colour,
            steps: &receipt.steps,
            from: receipt.opened_at,
            until: receipt.closed_at,
            keeps: receipt.verdict == VerdictWord::Live,
            counted: None,
        })
    }

    /// What was counted by the end of each step, oldest first, and who has counted it.
    fn points(&self) -> (Vec<Point>, &'static str) {
        let by_instances: Vec<Point> = self.counted_by(|sums| sums.instances).collect();
        if by_instances.is_empty() {
            (self.counted_by(|sums| sums.cloudwatch).collect(), "CloudWatch")
        } else {
            (by_instances, "the instances")
        }
    }

    fn counted_by(
        &self,
        source: impl Fn(Sums) -> Option<PerColour<Requests>>,
    ) -> impl Iterator<Item = Point> {
        self.steps.iter().filter_map(move |step| {
            let sums = if step.until.is_some() { step.requests } else { self.counted };
            let requests = sums.and_then(&source)?;
            Some(Point { at: step.until.unwrap_or(self.until), attempt: step.attempt, requests })
        })
    }

    fn x(&self, time: Timestamp) -> f64 {
        let part = seconds(self.from, time) / seconds(self.from, self.until).max(1.0);
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// The candidate's share as a line of steps.
    fn shares(&self) -> String {
        let mut line = format!("M{LEFT:.1},{:.1}", SHARE.y(0.0));
        for (index, step) in self.steps.iter().enumerate() {
            let height = SHARE.y(f64::from(step.percent) / 100.0);
            let until = step.until.unwrap_or(self.until);
            write!(line, "H{:.1}V{height:.1}H{:.1}", self.x(step.since), self.x(until)).unwrap_or_default();
            let goes_on = self.steps.get(index + 1).map_or(self.keeps, |next| next.since == until);
            if !goes_on {
                write!(line, "V{:.1}", SHARE.y(0.0)).unwrap_or_default();
            }
        }
        write!(line, "H{RIGHT:.1}").unwrap_or_default();
        line
    }

    /// What failed of a colour's requests: for each attempt a line of its own, because each is counted anew.
    fn failed(&self, colour: Colour, points: &[Point], largest: f64) -> String {
        let mut line = String::new();
        let mut before = None;
        for point in points {
            let Some(failed) = rate(*point.requests.of(colour)) else { continue };
            let command = if before == Some(point.attempt) { 'L' } else { 'M' };
            write!(line, "{command}{:.1},{:.1}", self.x(point.at), FAILED.y(failed / largest))
                .unwrap_or_default();
            before = Some(point.attempt);
        }
        line
    }

    fn drawn(&self) -> Markup {
        let (points, source) = self.points();
        let both = PerColour { blue: Colour::Blue, green: Colour::Green };
        let rates = points.iter().flat_map(|point| [point.requests.blue, point.requests.green].map(rate));
        let largest = scale(rates.flatten().fold(0.0, f64::max));
        let (candidate, live) = (both.of(self.candidate).word(), both.of(self.candidate.other()).word());
        let clock = |time: Timestamp| time.strftime("%H:%M").to_string();
        html! {
            figure {
                figcaption {
                    h3 { (self.title) }
                    p class="less" { (at(self.from)) " to " (at(self.until)) }
                }
                svg viewBox={ "0 0 " (WIDTH) " 186" } role="img" aria-label={ (self.title) ", as a picture of what stands below in numbers" } {
                    text x="0" y="10" { "share of " (candidate) " in %" }
                    (SHARE.drawn(&["0", "50", "100"]))
                    path class={ "area " (candidate) } d={ (self.shares()) "V" (SHARE.bottom) "Z" } {}
                    path class={ "line " (candidate) } d=(self.shares()) {}
                    @if points.is_empty() {
                        text x="0" y="104" { "no requests were counted" }
                    } @else {
                        text x="0" y="104" { "failed in %: ● " (candidate) ", the candidate   ◻ " (live) }
                        (FAILED.drawn(&["0", &format!("{largest}")]))
                        path class={ "line thin " (live) } d=(self.failed(self.candidate.other(), &points, largest)) {}
                        path class={ "line " (candidate) } d=(self.failed(self.candidate, &points, largest)) {}
                        @for point in points.iter().filter(|_| points.len() <= MARKS) {
                            @if let Some(failed) = rate(*point.requests.of(self.candidate.other())) {
                                rect class={ "mark open " (live) } x=(px(self.x(point.at) - 4.0))
                                    y=(px(FAILED.y(failed / largest) - 4.0)) width="8" height="8" {}
                            }
                            @if let Some(failed) = rate(*point.requests.of(self.candidate)) {
                                circle class={ "mark " (candidate) } cx=(px(self.x(point.at)))
                                    cy=(px(FAILED.y(failed / largest))) r="3" {}
                            }
                        }
                    }
                    text x=(LEFT) y="184" { (clock(self.from)) }
                    text x=(RIGHT) y="184" class="end" { (clock(self.until)) " UTC" }
                }
                (self.in_numbers(&points, source))
            }
        }
    }

    /// The last steps and their counts.
    fn in_numbers(&self, points: &[Point], source: &str) -> Markup {
        let earlier = self.steps.len().saturating_sub(STEPS);
        let counted = |step: &Held| {
            let until = step.until.unwrap_or(self.until);
            points.iter().find(|point| point.at == until && point.attempt == step.attempt)
        };
        html! {
            details {
                summary { "In numbers" }
                @if !points.is_empty() {
                    p class="less" {
                        "Counted by " (source) ", each attempt from its first share on. Neither instances nor CloudWatch count all."
                    }
                }
                @if earlier > 0 { p class="less" { (earlier) " earlier steps stand in the receipt." } }
                ol class="steps" {
                    @for step in self.steps.iter().skip(earlier) {
                        li {
                            p {
                                b { (step.percent) " %" } " from " (at(step.since)) " for "
                                (lasted(step.since, step.until.unwrap_or(self.until)))
                                @if step.attempt > 1 { ", attempt " (step.attempt) }
                            }
                            p class="less" { (beginning(&step.reason, LONGEST)) }
                            @if let Some(point) = counted(step) {
                                p {
                                    @for colour in [self.candidate, self.candidate.other()] {
                                        @let Requests { requests, failed } = *point.requests.of(colour);
                                        (colour.word()) " failed " (failed) " of " (requests)
                                        @if colour == self.candidate { ", " }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Band {
    /// The height of a part of the scale, 0 to 1.
    fn y(&self, part: f64) -> f64 {
        self.bottom - part.clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    /// Its lines, evenly spaced from below, with what they mean.
    fn drawn(&self, labels: &[&str]) -> Markup {
        let spaces = f64::from(u32::try_from(labels.len().saturating_sub(1).max(1)).unwrap_or(1));
        html! {
            @for (label, index) in labels.iter().zip(0_u32..) {
                @let y = self.y(f64::from(index) / spaces);
                line class="grid" x1=(LEFT) x2=(RIGHT) y1=(px(y)) y2=(px(y)) {}
                text class="end" x=(LEFT - 5.0) y=(px(y + 4.0)) { (label) }
            }
        }
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

fn seconds(from: Timestamp, until: Timestamp) -> f64 {
    until.duration_since(from).as_secs_f64()
}

/// What failed of some requests, in per cent; nothing without requests.
#[expect(clippy::cast_precision_loss, reason = "for a picture")]
fn rate(Requests { requests, failed }: Requests) -> Option<f64> {
    (requests > 0).then(|| failed as f64 * 100.0 / requests as f64)
}

/// The end of a scale that has room for this.
fn scale(largest: f64) -> f64 {
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|end| largest <= *end).unwrap_or(100.0)
}
