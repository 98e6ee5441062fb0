//! CloudWatch metric math, as far as alarms of web services use it: numbers, metric ids, `+ - * / ^`, comparisons,
//! `AND`, `OR`, and the functions `FILL` and `IF`.
//!
//! Source: CloudWatch user guide, "Using math expressions with CloudWatch metrics". What it leaves open is assumed to
//! be unkind: an expression has no value at all where one of its metrics has not one datapoint in the time asked for,
//! also where `FILL` stands around that metric.

use std::collections::BTreeMap;

/// A value per period, oldest first; none where a period has no data.
pub(super) type Series = Vec<Option<f64>>;

/// Why an expression cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpressionError {
    /// The text is not metric math as this module knows it.
    #[error("metric math {text:?}: {problem}")]
    Syntax {
        /// The whole expression.
        text: String,
        /// What was expected or is unknown.
        problem: String,
    },
    /// A metric id that the alarm does not define.
    #[error("metric math names {0:?}, which the alarm does not define")]
    UnknownId(String),
}

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Number(f64),
    Id(String),
    Repeat,
    Binary(Operator, Box<Node>, Box<Node>),
    Negative(Box<Node>),
    Call(Function, Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Fill,
    If,
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "FILL" => Self::Fill,
            "IF" => Self::If,
            _ => return None,
        })
    }

    fn takes(self, count: usize) -> bool {
        match self {
            Self::Fill => count == 2,
            Self::If => count == 2 || count == 3,
        }
    }
}

impl Expression {
    /// Parses metric math.
    ///
    /// # Errors
    /// When it is not metric math as this module knows it.
    pub(super) fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut parser = Parser { text, rest: text };
        let node = parser.comparison_chain()?;
        parser.skip_space();
        if parser.rest.is_empty() {
            Ok(Self(node))
        } else {
            Err(parser.problem("expected an operator or the end"))
        }
    }

    /// The value per period, over as many periods as `length` says. Ids are looked up in `metrics`.
    ///
    /// # Errors
    /// When the expression names an id that `metrics` lacks.
    pub(super) fn evaluate(
        &self,
        metrics: &BTreeMap<String, Series>,
        length: usize,
    ) -> Result<Series, ExpressionError> {
        let mut empty = false;
        for id in self.0.ids() {
            let series = metrics.get(id).ok_or_else(|| ExpressionError::UnknownId(id.to_owned()))?;
            empty |= series.iter().all(Option::is_none);
        }
        if empty {
            return Ok(vec![None; length]);
        }
        Ok((0..length).map(|at| self.0.value(metrics, at)).collect())
    }
}

impl Node {
    fn ids(&self) -> Vec<&str> {
        match self {
            Self::Number(_) | Self::Repeat => Vec::new(),
            Self::Id(id) => vec![id],
            Self::Negative(inner) => inner.ids(),
            Self::Binary(_, left, right) => [left.ids(), right.ids()].concat(),
            Self::Call(_, arguments) => arguments.iter().flat_map(Self::ids).collect(),
        }
    }

    /// Whether it is the same in every period.
    fn is_scalar(&self) -> bool {
        self.ids().is_empty()
    }

    /// The value in one period; none where there is none.
    fn value(&self, metrics: &BTreeMap<String, Series>, at: usize) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Repeat => None,
            Self::Id(id) => metrics.get(id)?.get(at).copied().flatten(),
            Self::Negative(inner) => inner.value(metrics, at).map(|value| -value),
            Self::Binary(operator, left, right) => {
                let series = !left.is_scalar() && !right.is_scalar();
                // Of two series, the one that lacks a value counts as 0 where the other has one.
                let (left, right) = match (left.value(metrics, at), right.value(metrics, at)) {
                    (Some(left), None) if series => (left, 0.0),
                    (None, Some(right)) if series => (0.0, right),
                    (left, right) => (left?, right?),
                };
                calculate(*operator, left, right)
            }
            Self::Call(Function::Fill, arguments) => match arguments.as_slice() {
                [series, Self::Repeat] => (0..=at).rev().find_map(|at| series.value(metrics, at)),
                [series, with] => series.value(metrics, at).or_else(|| with.value(metrics, at)),
                _ => None,
            },
            Self::Call(Function::If, arguments) => {
                let part = |number: usize| arguments.get(number).and_then(|part| part.value(metrics, at));
                if part(0)? == 0.0 {
                    part(2)
                } else {
                    // As the guide's table has it: true without a value is 0, false without a value is nothing.
                    Some(part(1).unwrap_or(0.0))
                }
            }
        }
    }
}

/// None where the result is no number, which CloudWatch drops: a division by zero, for one.
fn calculate(operator: Operator, left: f64, right: f64) -> Option<f64> {
    let truth = |value: bool| if value { 1.0 } else { 0.0 };
    let value = match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Power => left.powf(right),
        Operator::Less => truth(left < right),
        Operator::LessOrEqual => truth(left <= right),
        Operator::Greater => truth(left > right),
        Operator::GreaterOrEqual => truth(left >= right),
        Operator::Equal => truth((left - right).abs() < f64::EPSILON),
        Operator::NotEqual => truth((left - right).abs() >= f64::EPSILON),
        Operator::And => truth(left != 0.0 && right != 0.0),
        Operator::Or => truth(left != 0.0 || right != 0.0),
    };
    value.is_finite().then_some(value)
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

/// From the loosest to the tightest binding.
const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("OR", Operator::Or), ("||", Operator::Or)],
    &[("AND", Operator::And), ("&&", Operator::And)],
    &[
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide)],
];

impl Parser<'_> {
    fn problem(&self, problem: impl Into<String>) -> ExpressionError {
        let at = self.text.len() - self.rest.len();
        ExpressionError::Syntax {
            text: self.text.to_owned(),
            problem: format!("{} at character {at}", problem.into()),
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(token) {
            // A word must end where the token ends: ORDERS is an id, not OR followed by DERS.
            Some(rest) if !(is_word(token.chars().last()) && is_word(rest.chars().next())) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn comparison_chain(&mut self) -> Result<Node, ExpressionError> {
        self.level(0)
    }

    fn level(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let Some(operators) = LEVELS.get(depth) else { return self.power() };
        let mut left = self.level(depth + 1)?;
        'next: loop {
            for (token, operator) in *operators {
                if self.take(token) {
                    let right = self.level(depth + 1)?;
                    left = Node::Binary(*operator, Box::new(left), Box::new(right));
                    continue 'next;
                }
            }
            return Ok(left);
        }
    }

    fn power(&mut self) -> Result<Node, ExpressionError> {
        let base = self.atom()?;
        if self.take("^") {
            let exponent = self.power()?;
            return Ok(Node::Binary(Operator::Power, Box::new(base), Box::new(exponent)));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<Node, ExpressionError> {
        if self.take("-") {
            return Ok(Node::Negative(Box::new(self.atom()?)));
        }
        if self.take("(") {
            let inner = self.comparison_chain()?;
            return if self.take(")") { Ok(inner) } else { Err(self.problem("expected )")) };
        }
        self.skip_space();
        let end = self.rest.find(|c: char| !is_word(Some(c)) && c != '.').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() {
            return Err(self.problem("expected a number, a metric id or a function"));
        }
        if let Ok(number) = word.parse() {
            self.rest = rest;
            return Ok(Node::Number(number));
        }
        if !rest.trim_start().starts_with('(') {
            self.rest = rest;
            return Ok(if word == "REPEAT" { Node::Repeat } else { Node::Id(word.to_owned()) });
        }
        let function =
            Function::named(word).ok_or_else(|| self.problem(format!("unknown function {word}")))?;
        self.rest = rest;
        let mut arguments = Vec::new();
        self.take("(");
        loop {
            arguments.push(self.comparison_chain()?);
            if self.take(")") {
                break;
            }
            if !self.take(",") {
                return Err(self.problem("expected , or )"));
            }
        }
        if !function.takes(arguments.len()) {
            return Err(self.problem(format!("{word} does not take {} arguments", arguments.len())));
        }
        Ok(Node::Call(function, arguments))
    }
}

fn is_word(character: Option<char>) -> bool {
    character.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, metrics: &[(&str, &[Option<f64>])]) -> Series {
        let length = metrics.first().map_or(1, |(_, series)| series.len());
        let metrics = metrics.iter().map(|(id, series)| ((*id).to_owned(), series.to_vec())).collect();
        Expression::parse(text).unwrap().evaluate(&metrics, length).unwrap()
    }

    #[test]
    fn arithmetic_binds_as_usual() {
        for (text, expected) in [
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * 3", 9.0),
            ("8 / 2 / 2", 2.0),
            ("2 ^ 3 ^ 2", 512.0),
            ("-2 + 5", 3.0),
            ("1 + 1 > 1 AND 0 < 1", 1.0),
            ("0 OR 1 AND 0", 0.0),
        ] {
            assert_eq!(value(text, &[]), [Some(expected)], "{text}");
        }
    }

    /// The guide's own examples: "Comparison and logical operators" and "Using IF expressions".
    #[test]
    fn the_examples_of_the_user_guide_come_out_as_it_says() {
        let (one, other) =
            ([Some(30.0), Some(20.0), Some(0.0), Some(0.0)], [Some(20.0), None, Some(20.0), None]);
        let metrics: &[(&str, &[Option<f64>])] = &[("metric1", &one), ("metric2", &other)];
        for (text, expected) in [
            ("metric1 < metric2", [0.0, 0.0, 1.0, 0.0]),
            ("metric1 >= 30", [1.0, 0.0, 0.0, 0.0]),
            ("metric1 > 15 AND metric2 > 15", [1.0, 0.0, 0.0, 0.0]),
        ] {
            assert_eq!(value(text, metrics), expected.map(Some), "{text}");
        }

        let condition = [Some(1.0), Some(1.0), Some(0.0), Some(0.0), None];
        let then = [Some(30.0), None, Some(0.0), Some(0.0), Some(30.0)];
        let otherwise = [Some(0.0), Some(0.0), Some(20.0), None, Some(20.0)];
        let metrics: &[(&str, &[Option<f64>])] = &[("c", &condition), ("t", &then), ("o", &otherwise)];
        for (text, expected) in [
            ("IF(c, t, o)", [Some(30.0), Some(0.0), Some(20.0), None, None]),
            ("IF(c, 5, o)", [Some(5.0), Some(5.0), Some(20.0), None, None]),
            ("IF(c, t, 5)", [Some(30.0), Some(0.0), Some(5.0), Some(5.0), None]),
            ("IF(c, t)", [Some(30.0), Some(0.0), None, None, None]),
        ] {
            assert_eq!(value(text, metrics), expected, "{text}");
        }
    }

    #[test]
    fn missing_data_stays_missing_beside_a_number_until_it_is_filled() {
        let errors: &[Option<f64>] = &[Some(4.0), None];
        assert_eq!(value("errors + 1", &[("errors", errors)]), [Some(5.0), None]);
        assert_eq!(value("FILL(errors, 0) + 1", &[("errors", errors)]), [Some(5.0), Some(1.0)]);
        assert_eq!(value("FILL(errors, REPEAT)", &[("errors", errors)]), [Some(4.0), Some(4.0)]);
        assert_eq!(value("1 / requests", &[("requests", &[Some(0.0)])]), [None]);
    }

    #[test]
    fn a_metric_without_a_datapoint_takes_its_whole_expression_along() {
        let metrics: &[(&str, &[Option<f64>])] =
            &[("errors", &[Some(9.0), Some(9.0)]), ("refused", &[None, None])];
        for text in
            ["FILL(refused, 0)", "FILL(errors, 0) + FILL(refused, 0)", "IF(errors > 1, errors, refused)"]
        {
            assert_eq!(value(text, metrics), [None, None], "{text}");
        }
    }

    #[test]
    fn what_is_not_metric_math_is_named() {
        for (text, part) in [
            ("1 +", "expected a number"),
            ("FILL(a)", "FILL does not take 1 arguments"),
            ("ANOMALY(a, 2)", "unknown function ANOMALY"),
            ("a b", "expected an operator"),
            ("(a", "expected )"),
        ] {
            let error = Expression::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let unknown = Expression::parse("nothing").unwrap().evaluate(&BTreeMap::new(), 1);
        assert_eq!(unknown, Err(ExpressionError::UnknownId("nothing".to_owned())));
    }
}
