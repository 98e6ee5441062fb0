//! Requests, one by one: what the instances count of them and CloudWatch publishes, and the hooks that ask meanwhile.

use super::story::{SECOND, Story};
use greenlight::reconcile::{Reconciled, read, reconcile_from};
use jiff::{SignedDuration, Timestamp};
use release::evidence::{Count, MinuteCount, Published, PublishedMinute, Report, minute_of};
use release::{Colour, InstanceId, PerColour, Wake};
use std::collections::BTreeMap;

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Below 500, at once.
    Well,
    /// With a 500, after so many seconds.
    Failed(i64),
    /// Its client leaves after ten seconds without an answer.
    Hangs,
}

/// Who reports what was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kit {
    /// Both instances, what they have counted.
    Counts,
    /// None: the kit is older.
    Old,
    /// Both, until so many seconds after the traffic began; then they only ask.
    LostAfter(i64),
    /// The first one says that the candidate failed all of a thousand requests in each minute.
    Blames,
    /// The first one counts each request ten times, and none has failed.
    Praises,
}

const TURN: i64 = 5;
const LEAVES_AFTER: i64 = 10;

/// The traffic of a service, seconds after its beginning.
pub(crate) struct Traffic<'a> {
    story: &'a Story,
    random: u64,
    began: Timestamp,
    come: f64,
    kit: Kit,
    /// Requests a minute of users who ask once, at this second.
    pub(crate) rate: &'a dyn Fn(i64) -> f64,
    /// How a user's request ends that comes at this second to this colour.
    pub(crate) ends: &'a dyn Fn(i64, Colour) -> Ends,
    /// So many requests for a broken link come from one client in each turn: of these three count.
    pub(crate) broken_links: u64,
    open: Vec<(i64, i64, Colour, Ends)>,
    counted: BTreeMap<i64, PerColour<Count>>,
    published: BTreeMap<i64, PerColour<Published>>,
    /// Users' requests that failed on green.
    pub(crate) failed: u64,
}

impl<'a> Traffic<'a> {
    pub(crate) fn new(
        story: &'a Story,
        seed: u64,
        rate: &'a dyn Fn(i64) -> f64,
        ends: &'a dyn Fn(i64, Colour) -> Ends,
    ) -> Self {
        Self {
            story,
            random: seed,
            began: story.now(),
            come: 0.0,
            kit: Kit::Counts,
            rate,
            ends,
            broken_links: 0,
            open: Vec::new(),
            counted: BTreeMap::new(),
            published: BTreeMap::new(),
            failed: 0,
        }
    }

    pub(crate) fn reported_by(self, kit: Kit) -> Self {
        Self { kit, ..self }
    }

    /// Seconds since it began.
    pub(crate) fn second(&self) -> i64 {
        self.story.now().duration_since(self.began).as_secs()
    }

    /// `SplitMix64`, from 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits of it")]
    fn draw(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.random;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((value ^ (value >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn minute(&self, second: i64) -> i64 {
        minute_of(self.began.checked_add(SignedDuration::from_secs(second)).unwrap())
    }

    /// Draws the colour that a request goes to.
    fn arrives(&mut self, second: i64) -> (i64, Colour) {
        let green = f64::from(self.story.share(Colour::Green)) / 1000.0;
        let colour = if self.draw() < green { Colour::Green } else { Colour::Blue };
        let minute = self.minute(second);
        self.counted.entry(minute).or_default().of_mut(colour).total += 1;
        self.published.entry(minute).or_default().of_mut(colour).requests += 1;
        (minute, colour)
    }

    fn user_comes(&mut self, second: i64) {
        let (minute, colour) = self.arrives(second);
        let count = self.counted.entry(minute).or_default().of_mut(colour);
        (count.arrived, count.open) = (count.arrived + 1, count.open + 1);
        let ends = (self.ends)(second, colour);
        let after = match ends {
            Ends::Well => 0,
            Ends::Failed(after) => after,
            Ends::Hangs => LEAVES_AFTER,
        };
        self.open.push((second + after, minute, colour, ends));
    }

    /// At once answered with 500, whichever colour answers. Of a client the first three in a turn count.
    fn broken_link_is_asked_for(&mut self, second: i64, counts: bool) {
        let (minute, colour) = self.arrives(second);
        let count = self.counted.entry(minute).or_default().of_mut(colour);
        count.arrived += u64::from(counts);
        count.failed += u64::from(counts);
        self.published.entry(minute).or_default().of_mut(colour).failed += 1;
    }

    fn end_what_ends(&mut self, until: i64) {
        let (ended, open) = std::mem::take(&mut self.open).into_iter().partition(|(at, ..)| *at < until);
        self.open = open;
        let ended: Vec<_> = ended;
        for (at, minute, colour, ends) in ended {
            let count = self.counted.entry(minute).or_default().of_mut(colour);
            count.open -= 1;
            count.failed += u64::from(ends != Ends::Well);
            let late = self.minute(at);
            let published = self.published.entry(late).or_default().of_mut(colour);
            match ends {
                Ends::Well => published.answered += 1,
                Ends::Failed(_) => published.failed += 1,
                Ends::Hangs => {}
            }
            self.failed += u64::from(ends != Ends::Well && colour == Colour::Green);
        }
    }

    /// Five seconds of requests, then both hooks ask.
    pub(crate) async fn turn(&mut self) -> [Reconciled; 2] {
        let begin = self.second();
        self.come += (self.rate)(begin) * 5.0 / 60.0;
        while self.come >= 1.0 {
            self.come -= 1.0;
            self.user_comes(begin);
        }
        for link in 0..self.broken_links {
            self.broken_link_is_asked_for(begin, link < 3);
        }
        self.end_what_ends(begin + TURN);
        self.story.pass(SECOND * 5);
        self.publish();
        [self.asks("i-backend-2", false).await, self.asks("i-backend-1", true).await]
    }

    /// CloudWatch publishes a minute two minutes after its end.
    fn publish(&self) {
        let whole = |second: i64| {
            minute_of(self.story.now().checked_sub(SignedDuration::from_secs(second)).unwrap()) - 3
        };
        let (before, now) = (whole(TURN), whole(0));
        for minute in before + 1..=now {
            if let Some(PerColour { blue, green }) = self.published.get(&minute).copied() {
                let world = &self.story.world;
                world.world.publish(&world.service, [PublishedMinute { minute, blue, green }]);
            }
        }
    }

    async fn asks(&self, instance: &str, has_counted: bool) -> Reconciled {
        let lost = matches!(self.kit, Kit::LostAfter(second) if self.second() > second);
        let report = (self.kit != Kit::Old && !lost).then(|| self.report(instance, has_counted));
        let (ports, world) = (self.story.world.ports(), &self.story.world);
        let known = read(&*ports, &world.service).await.unwrap();
        let policy = &self.story.policy;
        reconcile_from(&*ports, &world.service, policy, world.world, Wake::Question, known, report)
            .await
            .unwrap()
    }

    fn report(&self, instance: &str, has_counted: bool) -> Report {
        let newest = minute_of(self.story.now());
        let minutes = (newest + 1 - i64::from(Report::MINUTES)..=newest).map(|minute| {
            let all = self.counted.get(&minute).copied().unwrap_or_default();
            let PerColour { blue, green } =
                if has_counted { self.as_told(all) } else { PerColour::default() };
            MinuteCount { minute, blue, green }
        });
        Report { instance: InstanceId(instance.to_owned()), minutes: minutes.collect() }
    }

    fn as_told(&self, counted: PerColour<Count>) -> PerColour<Count> {
        match self.kit {
            Kit::Counts | Kit::Old | Kit::LostAfter(_) => counted,
            Kit::Blames => {
                PerColour { green: Count { arrived: 1_000, failed: 1_000, open: 0, total: 1_000 }, ..counted }
            }
            Kit::Praises => {
                let many = |count: Count| Count {
                    arrived: count.total * 10,
                    failed: 0,
                    open: 0,
                    total: count.total * 10,
                };
                PerColour { blue: many(counted.blue), green: many(counted.green) }
            }
        }
    }

    /// Turn after turn while the release is in a phase with weight, at most so many minutes. Gives the seconds that passed.
    pub(crate) async fn while_it_is_tried(&mut self, minutes: i64) -> i64 {
        let begin = self.second();
        while self.second() < begin + minutes * 60 && matches!(self.story.phase(), "shifting" | "baking") {
            self.turn().await;
        }
        self.second() - begin
    }
}
