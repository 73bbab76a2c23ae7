use crate::Sequence;
use serde::{Deserialize, Serialize};
use std::{fmt, num::ParseIntError, str::FromStr};

/// What a read must contain so that it shows what a command did: given out with the command's result, handed back with the
/// question that follows it. In text and in JSON it is a number, which says nothing to those who hold it.
///
/// Of two tokens of one log the greater covers both, so a client that asked for several things keeps the greatest. The
/// default one covers nothing: nobody waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(Sequence);

impl Token {
    /// Whether whatever contains the log up to `through` covers it.
    pub fn is_covered_by(self, through: Sequence) -> bool {
        self.0 <= through
    }

    /// The sequence number that it stands for. For the platform's own crates: a token will stand for more than that.
    #[doc(hidden)]
    pub const fn sequence(self) -> Sequence {
        self.0
    }
}

/// The token of the event at that place.
impl From<Sequence> for Token {
    fn from(sequence: Sequence) -> Self {
        Self(sequence)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        // The parser takes a sign, which no token has.
        let digits = text.strip_prefix('+').map_or(text, |_| "+");
        Ok(Self(Sequence::new(digits.parse()?)))
    }
}

/// A text that was never given out as a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a token: {cause}; use one that an answer gave")]
pub struct InvalidToken {
    cause: ParseIntError,
}

impl From<ParseIntError> for InvalidToken {
    fn from(cause: ParseIntError) -> Self {
        Self { cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn a_token_is_the_same_number_in_text_and_in_json_and_comes_back() {
        for number in [0, 17, u64::MAX] {
            let token = Token::from(Sequence::new(number));
            assert_eq!((token.to_string(), token.to_string().parse()), (number.to_string(), Ok(token)));
            let stored = json::to_vec(&token).unwrap();
            assert_eq!(stored, number.to_string().as_bytes());
            assert_eq!(json::from_slice::<Token>(&stored), Ok(token));
        }
        assert!(["-1", "+5", "+", ""].iter().all(|text| text.parse::<Token>().is_err()));
    }

    #[test]
    fn the_greater_of_two_tokens_covers_both() {
        let (early, late) = (Token::from(Sequence::new(3)), Token::from(Sequence::new(9)));
        assert_eq!(early.max(late), late);
        assert!(early.is_covered_by(Sequence::new(3)) && !late.is_covered_by(Sequence::new(8)));
        assert!(Token::default().is_covered_by(Sequence::ZERO));
    }
}
