//! Blue and green.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A target group of a service and the port it stands for on every instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// Port 8080.
    Blue,
    /// Port 8081.
    Green,
}

impl Colour {
    /// Both, blue first.
    pub const BOTH: [Self; 2] = [Self::Blue, Self::Green];

    /// The one that this is not.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Blue => Self::Green,
            Self::Green => Self::Blue,
        }
    }

    /// The port on which the instance's nginx serves this colour.
    pub fn port(self) -> u16 {
        match self {
            Self::Blue => 8080,
            Self::Green => 8081,
        }
    }

    /// `blue` or `green`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }

    /// The colour with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|colour| colour.word() == word)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One value for each colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct PerColour<T> {
    /// Blue's.
    pub blue: T,
    /// Green's.
    pub green: T,
}

impl<T> PerColour<T> {
    /// The value of one colour.
    pub fn of(&self, colour: Colour) -> &T {
        match colour {
            Colour::Blue => &self.blue,
            Colour::Green => &self.green,
        }
    }

    /// The value of one colour, to change it.
    pub fn of_mut(&mut self, colour: Colour) -> &mut T {
        match colour {
            Colour::Blue => &mut self.blue,
            Colour::Green => &mut self.green,
        }
    }
}
