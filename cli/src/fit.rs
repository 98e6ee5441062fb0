//! Long lines in a narrow terminal: broken between words, and what goes on stands below what it belongs to.

use rustix::termios::tcgetwinsize;
use std::io::IsTerminal as _;

/// In fewer columns nothing is broken: there it helps nobody.
const NARROWEST: usize = 40;

/// A page as the terminal shows it best. What goes elsewhere stays a line each, for the programs that read it.
///
/// `hang`: the column in which a line goes on.
pub(crate) fn for_terminal(page: &str, hang: usize) -> String {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return page.to_owned();
    }
    let columns = tcgetwinsize(stdout).map_or(0, |size| usize::from(size.ws_col));
    fit(page, columns, hang)
}

fn fit(page: &str, columns: usize, hang: usize) -> String {
    if columns < NARROWEST {
        return page.to_owned();
    }
    let mut fitted = String::new();
    for line in page.split_inclusive('\n') {
        let mut column = 0;
        for (n, word) in line.split_inclusive(' ').enumerate() {
            let width = word.trim_end().chars().count();
            // A word that is longer than a line is an address or a name: whoever copies it wants it whole.
            if n > 0 && width > 0 && column + width > columns && column > hang {
                fitted.truncate(fitted.trim_end_matches(' ').len());
                fitted.push('\n');
                fitted.extend(std::iter::repeat_n(' ', hang));
                column = hang;
            }
            fitted.push_str(word);
            column += word.chars().count();
        }
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
backend
  blue   ██████████████████░░  90 %  2 of 2 healthy  release 41 (3f9c2ab) is live for 2 d 4 h
  so far green failed 9 of 31, blue 1 of 392 (by the instances)
  last   release 42 (81cc0de) was rejected: s3://artifacts-123456789012-eu-west-1/releases/backend/42-81cc0de.zip/and-more-of-it
";

    #[test]
    fn no_line_is_longer_than_the_terminal_but_for_one_word_and_no_word_is_lost() {
        for columns in [40, 53, 80, 120] {
            let fitted = fit(PAGE, columns, 9);
            let too_long = fitted.lines().filter(|line| line.chars().count() > columns);
            assert!(too_long.into_iter().all(|line| line.trim_start().starts_with("s3://")), "{fitted}");
            let words = |page: &str| page.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&fitted), words(PAGE));
            assert!(fitted.lines().all(|line| !line.ends_with(' ')), "{fitted}");
        }
    }

    #[test]
    fn what_goes_on_stands_below_what_it_belongs_to() {
        let row = "  blue   ██████████████████░░  90 %  2 of 2 healthy  release 41 (3f9c2ab) is\n\
                   \u{20}        live for 2 d 4 h\n";
        assert!(fit(PAGE, 80, 9).contains(row), "{}", fit(PAGE, 80, 9));
        assert!(fit(PAGE, 120, 9).contains("is live for 2 d 4 h\n"));
    }

    #[test]
    fn a_terminal_that_tells_no_width_gets_the_lines_as_they_are() {
        assert_eq!(fit(PAGE, 0, 9), PAGE);
    }
}
