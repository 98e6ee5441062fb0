use super::*;

fn minutes(green: &[(u64, u64)]) -> (Minutes, Vec<i64>) {
    let of = |(minute, (requests, answered)): (i64, &(u64, u64))| PublishedMinute {
        minute,
        blue: Published::default(),
        green: Published { requests: *requests, answered: *answered, failed: 0, refused: 0 },
    };
    let all: Vec<PublishedMinute> = (0..).zip(green).map(of).collect();
    (Minutes::new(&all), all.iter().map(|minute| minute.minute).collect())
}

/// An answer that comes after the end of its request's minute explains what was missing before, and nothing that is missing later.
#[test]
fn answers_that_are_left_over_explain_what_was_missing_before() {
    for (green, unanswered) in [
        (&[(10, 8), (10, 10)][..], &[2, 0][..]),
        (&[(10, 8), (10, 12)], &[0, 0]),
        (&[(10, 12), (10, 8)], &[0, 2]),
        (&[(10, 5), (10, 13)], &[2, 0]),
        (&[(10, 9), (10, 9), (10, 11)], &[1, 0, 0]),
        (&[(10, 8), (10, 11), (10, 11)], &[0, 0, 0]),
        (&[(10, 7), (10, 9), (10, 12)], &[2, 0, 0]),
        (&[(10, 8), (10, 13), (10, 6), (10, 11)], &[0, 0, 3, 0]),
        // The number of requests itself is late.
        (&[(10, 8), (0, 5)], &[2, 0]),
        (&[(0, 0), (10, 0)], &[0, 10]),
    ] {
        let (of, numbers) = minutes(green);
        assert_eq!(of.unanswered(Colour::Green, &numbers), unanswered, "{green:?}");
        let slots: Vec<(i64, u64, u64)> = of.slots(&numbers).collect();
        let both: Vec<(i64, u64, u64)> = numbers
            .iter()
            .zip(green)
            .zip(unanswered)
            .map(|((at, (came, _)), failed)| (*at, *came, *failed))
            .collect();
        assert_eq!(slots, both, "{green:?}");
    }
}

/// `TargetConnectionErrorCount` counts attempts: no more requests were refused than have no answer of any kind.
#[test]
fn no_more_requests_are_refused_than_have_no_answer() {
    for ((requests, answered, failed, refused), counts) in [
        ((10, 6, 1, 2), 2),
        ((10, 6, 1, 5), 3),
        ((10, 9, 1, 5), 0),
        ((10, 9, 5, 5), 0),
        ((10, 0, 0, 0), 0),
        ((0, 0, 0, 4), 0),
    ] {
        let blue = Published { requests, answered, failed, refused };
        let of = Minutes::new(&[PublishedMinute { minute: 7, blue, green: Published::default() }]);
        assert_eq!(of.refused(Colour::Blue, 7), counts, "{blue:?}");
        assert_eq!(of.refused(Colour::Green, 7) + of.refused(Colour::Blue, 8), 0);
        assert!(of.has(7) && !of.has(6) && !of.has(8));
    }
}
