//! CloudWatch metric math, as far as alarms of web services use it: numbers, metric ids, `+ - * / ^`, comparisons,
//! `AND`, `OR`, and the functions `FILL`, `IF`, `MIN`, `MAX`, `SUM`, `AVG`, `ABS`, `NOT`.
//!
//! Source: CloudWatch user guide, "Using math expressions with CloudWatch metrics".

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
    Minimum,
    Maximum,
    Sum,
    Average,
    Absolute,
    Not,
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "FILL" => Self::Fill,
            "IF" => Self::If,
            "MIN" => Self::Minimum,
            "MAX" => Self::Maximum,
            "SUM" => Self::Sum,
            "AVG" => Self::Average,
            "ABS" => Self::Absolute,
            "NOT" => Self::Not,
            _ => return None,
        })
    }

    fn takes(self, count: usize) -> bool {
        match self {
            Self::Fill => count == 2,
            Self::If => count == 2 || count == 3,
            Self::Absolute | Self::Not => count == 1,
            Self::Minimum | Self::Maximum | Self::Sum | Self::Average => count >= 1,
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
        evaluate(&self.0, metrics, length)
    }
}

fn evaluate(
    node: &Node,
    metrics: &BTreeMap<String, Series>,
    length: usize,
) -> Result<Series, ExpressionError> {
    let part = |node: &Node| evaluate(node, metrics, length);
    Ok(match node {
        Node::Number(number) => vec![Some(*number); length],
        Node::Repeat => vec![None; length],
        Node::Id(id) => metrics.get(id).cloned().ok_or_else(|| ExpressionError::UnknownId(id.clone()))?,
        Node::Negative(inner) => part(inner)?.into_iter().map(|value| value.map(|value| -value)).collect(),
        Node::Binary(operator, left, right) => part(left)?
            .into_iter()
            .zip(part(right)?)
            .map(|(left, right)| calculate(*operator, left?, right?))
            .collect(),
        Node::Call(Function::Fill, arguments) => match arguments.as_slice() {
            [series, Node::Repeat] => repeat(part(series)?),
            [series, with] => {
                part(series)?.into_iter().zip(part(with)?).map(|(value, with)| value.or(with)).collect()
            }
            _ => vec![None; length],
        },
        Node::Call(Function::If, arguments) => {
            let mut parts = arguments.iter().map(part);
            let mut next = || parts.next().transpose().map(|part| part.unwrap_or_else(|| vec![None; length]));
            let (condition, then, otherwise) = (next()?, next()?, next()?);
            condition
                .into_iter()
                .zip(then.into_iter().zip(otherwise))
                .map(|(condition, (then, otherwise))| if condition? == 0.0 { otherwise } else { then })
                .collect()
        }
        Node::Call(function, arguments) => {
            let parts = arguments.iter().map(part).collect::<Result<Vec<_>, _>>()?;
            (0..length)
                .map(|at| {
                    let present: Vec<f64> =
                        parts.iter().filter_map(|part| part.get(at).copied().flatten()).collect();
                    aggregate(*function, &present)
                })
                .collect()
        }
    })
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

fn aggregate(function: Function, present: &[f64]) -> Option<f64> {
    let first = *present.first()?;
    #[expect(clippy::cast_precision_loss, reason = "an alarm has at most ten metrics")]
    let count = present.len() as f64;
    Some(match function {
        Function::Minimum => present.iter().copied().fold(first, f64::min),
        Function::Maximum => present.iter().copied().fold(first, f64::max),
        Function::Sum => present.iter().sum(),
        Function::Average => present.iter().sum::<f64>() / count,
        Function::Absolute => first.abs(),
        Function::Not => f64::from(u8::from(first == 0.0)),
        Function::Fill | Function::If => return None,
    })
}

fn repeat(series: Series) -> Series {
    let mut last = None;
    series
        .into_iter()
        .map(|value| {
            last = value.or(last);
            last
        })
        .collect()
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
            ("MAX(1, 3, 2) - MIN(4, 5)", -1.0),
        ] {
            assert_eq!(value(text, &[]), [Some(expected)], "{text}");
        }
    }

    #[test]
    fn missing_data_stays_missing_until_it_is_filled() {
        let errors: &[Option<f64>] = &[Some(4.0), None];
        assert_eq!(value("errors + 1", &[("errors", errors)]), [Some(5.0), None]);
        assert_eq!(value("FILL(errors, 0) + 1", &[("errors", errors)]), [Some(5.0), Some(1.0)]);
        assert_eq!(value("FILL(errors, REPEAT)", &[("errors", errors)]), [Some(4.0), Some(4.0)]);
    }

    #[test]
    fn a_rate_below_the_floor_of_requests_is_zero_and_no_division_by_zero() {
        let text =
            "IF(FILL(requests, 0) >= 20, 100 * (FILL(errors, 0) + FILL(refused, 0)) / FILL(requests, 0), 0)";
        let metrics: &[(&str, &[Option<f64>])] = &[
            ("requests", &[Some(100.0), Some(10.0), None]),
            ("errors", &[Some(15.0), Some(10.0), None]),
            ("refused", &[Some(5.0), None, None]),
        ];
        assert_eq!(value(text, metrics), [Some(20.0), Some(0.0), Some(0.0)]);
        assert_eq!(value("1 / requests", &[("requests", &[Some(0.0)])]), [None]);
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
