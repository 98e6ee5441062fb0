//! Every order of steps, to a bound.

use proof::machine::Machine;
use proof::model::{CI, explore, story};

#[test]
fn no_order_of_steps_breaks_a_rule() {
    for scenario in CI {
        let explored = explore(*scenario, Machine::default(), 2);
        if let Some((rule, steps)) = explored.broken {
            panic!("{}: {rule}\n{}", scenario.name, story(scenario.name, &steps));
        }
        assert!(explored.whole, "{} was left before its end", scenario.name);
        assert!(explored.states > 1000, "{} is no exploration: {} states", scenario.name, explored.states);
    }
}
