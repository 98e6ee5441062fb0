//! Whether a version has shown more than its health.

use super::*;

/// `/healthz` however it is spelled: what the load balancer asks says nothing of what users ask.
#[test]
fn the_health_check_is_known_however_it_is_spelled() {
    for path in
        ["/healthz", "/healthz/", "//healthz", "/./healthz", "/healthz?deep=1", "/healthz#top", "/healthz/./"]
    {
        assert!(is_health(path), "{path}");
    }
    for path in ["/", "/health", "/healthz/db", "/api/healthz", "/healthz.html", "/?/healthz"] {
        assert!(!is_health(path), "{path}");
    }
}

/// All that is named must be fine on the candidate, on each instance, and one path must be another than the health check's.
#[test]
fn more_than_health_is_shown_where_each_instance_answers_all_and_another_path() {
    let targets = [id("i-1"), id("i-2")];
    for (told, shows) in [
        ("i-1 /a 200 200, i-2 /a 200 200", true),
        ("i-1 /a 200 200, i-1 /healthz 200 200, i-2 /a 200 200", true),
        // Live may fail: the candidate is what goes on.
        ("i-1 /a 500! 200, i-2 /a 200 200", true),
        ("i-1 /a 200 500!, i-2 /a 200 200", false),
        ("i-1 /a 200 200, i-1 /b 200 500!, i-2 /a 200 200", false),
        ("i-1 /healthz 200 200, i-2 /a 200 200", false),
        ("i-1 /healthz 200 200, i-2 /healthz 200 200", false),
        ("i-1 /healthz 200 500!, i-2 /a 200 200", false),
        ("i-1 /a 200 200", false),
        ("", false),
    ] {
        let mut smoke = Smoke::default();
        tell(&mut smoke, told);
        assert_eq!(shows_more_than_health(&smoke, &targets, Colour::Green), shows, "{told}");
        assert!(!shows_more_than_health(&smoke, &[], Colour::Green), "nobody is known yet: {told}");
    }
    let mut of_three = Smoke::default();
    tell(&mut of_three, "i-1 /a 200 200, i-2 /a 200 200, i-3 /a 200 500!");
    assert!(shows_more_than_health(&of_three, &targets, Colour::Green), "i-3 is none of them");
}
