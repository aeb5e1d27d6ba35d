//! Reads JSON strictly (RFC 8259, with the further rules of RFC 7493: no duplicate keys, no lone surrogates).

use serde_json::{Map, Number, Value};

use crate::magic::JSON_DEPTH_MAX;

/// What is wrong, and at which byte.
#[derive(Debug, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub(super) struct ParseError {
    reason: &'static str,
    at: usize,
}

type Parsed<T> = Result<T, ParseError>;

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Reads one value and nothing else.
pub(super) fn parse(bytes: &[u8]) -> Parsed<Value> {
    let mut parser = Parser { bytes, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => parser.refuse("something follows the value"),
    }
}

impl Parser<'_> {
    fn refuse<T>(&self, reason: &'static str) -> Parsed<T> {
        Err(ParseError {
            reason,
            at: self.at,
        })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8, reason: &'static str) -> Parsed<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.refuse(reason)
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Parsed<Value> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            self.refuse("an unknown word")
        }
    }

    fn value(&mut self, depth: usize) -> Parsed<Value> {
        if depth > JSON_DEPTH_MAX {
            return self.refuse("more than 128 levels");
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.refuse("no value begins so"),
            None => self.refuse("the text ends where a value should be"),
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Value> {
        self.at += 1;
        let mut members = Map::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            let begin = self.at;
            let key = self.string()?;
            self.space();
            self.eat(b':', "a `:` is missing")?;
            let value = self.value(depth + 1)?;
            if members.insert(key, value).is_some() {
                self.at = begin;
                return self.refuse("a duplicate key");
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                _ => return self.refuse("a `,` or `}` is missing"),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Parsed<Value> {
        self.at += 1;
        let mut values = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(values));
                }
                _ => return self.refuse("a `,` or `]` is missing"),
            }
        }
    }

    fn digits(&mut self) -> Parsed<()> {
        let begin = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == begin {
            self.refuse("a digit is missing")
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Parsed<Value> {
        let begin = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = String::from_utf8_lossy(&self.bytes[begin..self.at]).into_owned();
        Ok(Value::Number(Number::from_string_unchecked(text)))
    }

    fn string(&mut self) -> Parsed<String> {
        self.eat(b'"', "a string is missing")?;
        let mut text = Vec::new();
        loop {
            let begin = self.at;
            while matches!(self.peek(), Some(byte) if byte >= 0x20 && byte != b'"' && byte != b'\\')
            {
                self.at += 1;
            }
            text.extend_from_slice(&self.bytes[begin..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    break;
                }
                Some(b'\\') => {
                    self.at += 1;
                    let character = self.escape()?;
                    let mut buffer = [0; 4];
                    text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                }
                Some(_) => return self.refuse("a control character in a string"),
                None => return self.refuse("a string does not end"),
            }
        }
        match String::from_utf8(text) {
            Ok(text) => Ok(text),
            Err(_) => self.refuse("a string that is not UTF-8"),
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        let Some(byte) = self.peek() else {
            return self.refuse("a string does not end");
        };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_point(),
            _ => return self.refuse("an unknown escape"),
        })
    }

    fn code_point(&mut self) -> Parsed<char> {
        let first = self.four_hex()?;
        let code = match first {
            0xd800..=0xdbff => {
                if !self.bytes[self.at..].starts_with(b"\\u") {
                    return self.refuse("half a surrogate pair");
                }
                self.at += 2;
                let second = self.four_hex()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return self.refuse("half a surrogate pair");
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => self.refuse("half a surrogate pair"),
        }
    }

    fn four_hex(&mut self) -> Parsed<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.refuse("four hexadecimal digits are missing");
            };
            self.at += 1;
            code = code * 16 + digit;
        }
        Ok(code)
    }
}
