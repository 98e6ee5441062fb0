//! Traffic request by request: who asks, which colour answers, how it ends, and who counts what of it.

use crate::random::Random;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use release::evidence::{Count, MinuteCount, Published, PublishedMinute, Report};
use release::{Colour, InstanceId};

/// Seconds between two questions of a hook. Of each client the first three requests in this time count.
pub const TURN: f64 = 5.0;
const A_CLIENT: u8 = 3;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The client; 0 for one who asks once.
    pub client: u64,
    /// What it is: the scene knows.
    pub kind: u8,
}

/// A user who asks once.
pub const USER: Asker = Asker { client: 0, kind: 0 };

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ending {
    /// After so many seconds.
    pub after: f64,
    /// With which answer.
    pub answer: Answer,
}

/// An answer, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Below 500.
    Good,
    /// 500 or above, from the service.
    Failed,
    /// None of the service's: the client left, or the load balancer waited for too long.
    None,
    /// The instance took no connection: its nginx knows nothing of it.
    Refused,
}

impl Ending {
    /// Good or failed, after the usual 50 ms.
    pub const fn quick(fails: bool) -> Self {
        Self { after: 0.05, answer: if fails { Answer::Failed } else { Answer::Good } }
    }
}

/// How the load balancer chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// By chance.
    Chance,
    /// In strict turns by weight.
    Turns,
}

/// What is counted otherwise than it should be, to see that it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// As it should be.
    Right,
    /// Nobody counts requests before they have ended.
    AtTheEnd,
    /// Of each client the first three to end count.
    FirstToEnd,
    /// Reports count each colour's health checks, one in 5 s.
    WithHealthChecks,
    /// There are no reports.
    NoReports,
}

/// Traffic, as it is for a while.
#[expect(clippy::type_complexity, reason = "each is read at its place")]
pub struct Scene<'a> {
    /// Requests a minute of users who ask once.
    pub rate: f64,
    /// Who else asks in a turn that begins at this second: when, and who.
    pub others: &'a (dyn Fn(&mut Random, f64) -> Vec<(f64, Asker)> + 'a),
    /// How a request ends that comes at this second, to the candidate or not.
    pub answers: &'a (dyn Fn(&mut Random, f64, bool, Asker) -> Ending + 'a),
    /// The share that holds at this second, from the one that was ordered.
    pub share: &'a dyn Fn(f64, f64) -> f64,
    /// How the load balancer chooses.
    pub draw: Draw,
    /// What is counted.
    pub counting: Counting,
    /// Whether CloudWatch counts a request when it ends and not when it comes.
    pub published_at_the_end: bool,
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} a minute, {:?}", self.rate, self.counting)
    }
}

/// Nobody else asks.
pub fn nobody(_: &mut Random, _: f64) -> Vec<(f64, Asker)> {
    Vec::new()
}

/// The load balancer has moved at once.
pub fn as_ordered(ordered: f64, _: f64) -> f64 {
    ordered
}

struct Open {
    ends: f64,
    came: f64,
    on_candidate: bool,
    counts: bool,
    client: u64,
    answer: Answer,
    after: f64,
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Open {}
impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ends.total_cmp(&other.ends)
    }
}

/// Everything that was counted, minute by minute from `first_minute` on.
pub struct Traffic<'a> {
    scene: Scene<'a>,
    random: Random,
    /// Seconds of the first minute that had passed at second 0.
    offset: f64,
    turn: f64,
    next_user: f64,
    in_turn: f64,
    open: BinaryHeap<Reverse<Open>>,
    ended_of: HashMap<u64, u8>,
    counts: Vec<[Count; 2]>,
    published: Vec<[Published; 2]>,
    /// Failures of the candidate.
    pub failed: u64,
}

impl std::fmt::Debug for Traffic<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.scene.fmt(f)
    }
}

/// The colour that is the candidate in all scenes.
pub const CANDIDATE: Colour = Colour::Green;

impl<'a> Traffic<'a> {
    /// Before the first request.
    pub fn new(scene: Scene<'a>, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let offset = random.part() * 60.0;
        let next_user = if scene.rate > 0.0 { random.pause(scene.rate / 60.0) } else { f64::INFINITY };
        Self {
            scene,
            offset,
            turn: 0.0,
            next_user,
            in_turn: random.part(),
            random,
            open: BinaryHeap::new(),
            ended_of: HashMap::new(),
            counts: Vec::new(),
            published: Vec::new(),
            failed: 0,
        }
    }

    /// Seconds of the first minute that had passed at second 0.
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// Seconds that have passed.
    pub fn second(&self) -> f64 {
        self.turn
    }

    /// The next turn passes, with this share ordered. Gives the second at which it ends.
    pub fn pass(&mut self, ordered: f64) -> f64 {
        let (begin, end) = (self.turn, self.turn + TURN);
        let mut arrivals = (self.scene.others)(&mut self.random, begin);
        while self.next_user < end {
            arrivals.push((self.next_user, USER));
            self.next_user += self.random.pause(self.scene.rate / 60.0);
        }
        arrivals.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut came: HashMap<u64, u8> = HashMap::new();
        for (at, asker) in arrivals {
            self.comes(at, asker, ordered, &mut came);
        }
        self.ended_of.clear();
        while let Some(Reverse(open)) = self.open.pop() {
            if open.ends >= end {
                self.open.push(Reverse(open));
                break;
            }
            self.ends(&open);
        }
        if self.scene.counting == Counting::WithHealthChecks {
            for colour in 0..2 {
                let count = &mut self.counts[minute(self.offset, begin)][colour];
                count.arrived += 1;
            }
        }
        self.turn = end;
        end
    }

    fn comes(&mut self, at: f64, asker: Asker, ordered: f64, came: &mut HashMap<u64, u8>) {
        let share = (self.scene.share)(ordered, at);
        let on_candidate = match self.scene.draw {
            Draw::Chance => self.random.often(share),
            Draw::Turns => {
                self.in_turn += share;
                self.in_turn >= 1.0
            }
        };
        if self.in_turn >= 1.0 {
            self.in_turn -= 1.0;
        }
        let ending = (self.scene.answers)(&mut self.random, at, on_candidate, asker);
        let of_client = if asker.client == 0 { &mut 0 } else { came.entry(asker.client).or_default() };
        *of_client += 1;
        let counts = *of_client <= A_CLIENT && ending.answer != Answer::Refused;
        let index = minute(self.offset, at);
        let late = matches!(self.scene.counting, Counting::AtTheEnd | Counting::FirstToEnd);
        self.make_room(index);
        let count = &mut self.counts[index][usize::from(on_candidate)];
        count.total += u64::from(ending.answer != Answer::Refused);
        if counts && !late {
            count.arrived += 1;
            count.open += 1;
        }
        if !self.scene.published_at_the_end {
            self.published[index][usize::from(on_candidate)].requests += 1;
        }
        self.open.push(Reverse(Open {
            ends: at + ending.after,
            came: at,
            on_candidate,
            counts,
            client: asker.client,
            answer: ending.answer,
            after: ending.after,
        }));
    }

    fn ends(&mut self, open: &Open) {
        let index = minute(self.offset, open.ends);
        self.make_room(index);
        let colour = usize::from(open.on_candidate);
        // nginx logs a client that left; the kit takes it for a failure after five seconds.
        let failed = match open.answer {
            Answer::Good => false,
            Answer::Failed | Answer::Refused => true,
            Answer::None => open.after >= 5.0,
        };
        self.failed += u64::from(failed && open.on_candidate);
        let published = &mut self.published[index][colour];
        match open.answer {
            Answer::Good => published.answered += 1,
            Answer::Failed => published.failed += 1,
            // The load balancer tries each of two instances.
            Answer::Refused => published.refused += 2,
            Answer::None => {}
        }
        published.requests += u64::from(self.scene.published_at_the_end);
        match self.scene.counting {
            Counting::AtTheEnd | Counting::FirstToEnd => {
                let count = &mut self.counts[index][colour];
                let ended = self.ended_of.entry(open.client).or_default();
                *ended = ended.saturating_add(1);
                let first = open.client == 0 || *ended <= A_CLIENT;
                let counts = if self.scene.counting == Counting::FirstToEnd { first } else { open.counts };
                count.arrived += u64::from(counts);
                count.failed += u64::from(failed && counts);
            }
            Counting::Right | Counting::WithHealthChecks | Counting::NoReports => {
                let count = &mut self.counts[minute(self.offset, open.came)][colour];
                count.failed += u64::from(failed && open.counts);
                count.open -= u64::from(open.counts);
            }
        }
    }

    fn make_room(&mut self, index: usize) {
        while self.counts.len() <= index {
            self.counts.push(Default::default());
            self.published.push(Default::default());
        }
    }

    /// What the one instance reports now.
    pub fn report(&mut self, first_minute: i64) -> Option<Report> {
        let present = minute(self.offset, self.turn);
        self.make_room(present);
        let minutes = (present.saturating_sub(usize::from(Report::MINUTES) - 1)..=present).map(|index| {
            let [blue, green] = self.counts[index];
            MinuteCount { minute: first_minute + signed(index), blue, green }
        });
        let report = Report { instance: InstanceId("i-1".to_owned()), minutes: minutes.collect() };
        (self.scene.counting != Counting::NoReports).then_some(report)
    }

    /// What CloudWatch has published of the minutes that ended two minutes ago.
    pub fn published(&self, first_minute: i64) -> Vec<PublishedMinute> {
        let present = minute(self.offset, self.turn);
        let whole = 0..present.saturating_sub(2);
        whole
            .map(|index| {
                let [blue, green] = self.published[index];
                PublishedMinute { minute: first_minute + signed(index), blue, green }
            })
            .collect()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an hour has few minutes")]
fn minute(offset: f64, at: f64) -> usize {
    ((offset + at) / 60.0) as usize
}

fn signed(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}
