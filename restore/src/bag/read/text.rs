//! Tag files are text: their encoding, and their lines while they stream by.

/// An encoding that `bagit.txt` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Encoding {
    #[default]
    Utf8,
    Latin1,
    Utf16,
}

impl Encoding {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" => Some(Self::Utf8),
            "ISO-8859-1" | "LATIN1" | "LATIN-1" => Some(Self::Latin1),
            "UTF-16" => Some(Self::Utf16),
            _ => None,
        }
    }
}

/// A longer line is none of a bag.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// Cuts a text into lines, which end in a line feed, a carriage return, or both.
pub(super) struct Lines {
    encoding: Encoding,
    /// UTF-16 alone: the byte order that the mark at the beginning says, and half a unit.
    order: Option<bool>,
    half: Option<u8>,
    line: Vec<u8>,
    after_return: bool,
}

/// Why a text has no more lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It is not of its encoding.
    Encoding,
    /// A line is longer than 256 KiB.
    Long,
}

impl Lines {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            order: None,
            half: None,
            line: Vec::new(),
            after_return: false,
        }
    }

    /// Takes bytes, gives the lines that end in them.
    pub(super) fn push(&mut self, bytes: &[u8], each: &mut dyn FnMut(&str)) -> Result<(), Broken> {
        for byte in bytes {
            match self.encoding {
                Encoding::Utf8 | Encoding::Latin1 => self.unit(u16::from(*byte), each)?,
                Encoding::Utf16 => match self.half.take() {
                    None => self.half = Some(*byte),
                    Some(first) => self.wide(first, *byte, each)?,
                },
            }
        }
        Ok(())
    }

    fn wide(&mut self, one: u8, other: u8, each: &mut dyn FnMut(&str)) -> Result<(), Broken> {
        let big = match (self.order, [one, other]) {
            (Some(big), _) => big,
            (None, [0xFE, 0xFF]) => return self.marked(true),
            (None, [0xFF, 0xFE]) => return self.marked(false),
            // RFC 2781: big-endian where no mark stands.
            (None, _) => *self.order.insert(true),
        };
        let unit = match big {
            true => u16::from_be_bytes([one, other]),
            false => u16::from_le_bytes([one, other]),
        };
        self.unit(unit, each)
    }

    fn marked(&mut self, big: bool) -> Result<(), Broken> {
        self.order = Some(big);
        Ok(())
    }

    fn unit(&mut self, unit: u16, each: &mut dyn FnMut(&str)) -> Result<(), Broken> {
        const FEED: u16 = b'\n' as u16;
        const RETURN: u16 = b'\r' as u16;
        let after_return = std::mem::replace(&mut self.after_return, unit == RETURN);
        match unit {
            FEED if after_return => Ok(()),
            FEED | RETURN => self.end(each),
            _ if self.line.len() >= LINE_BYTES_MAX => Err(Broken::Long),
            _ => {
                match self.encoding {
                    Encoding::Utf16 => self.line.extend(unit.to_be_bytes()),
                    Encoding::Utf8 | Encoding::Latin1 => self.line.extend(u8::try_from(unit)),
                }
                Ok(())
            }
        }
    }

    fn end(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), Broken> {
        let line = std::mem::take(&mut self.line);
        let text = match self.encoding {
            Encoding::Utf8 => String::from_utf8(line).ok(),
            Encoding::Latin1 => Some(line.into_iter().map(char::from).collect()),
            Encoding::Utf16 => {
                let (pairs, _) = line.as_chunks::<2>();
                let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
                String::from_utf16(&units).ok()
            }
        };
        each(&text.ok_or(Broken::Encoding)?);
        Ok(())
    }

    /// The last line, where no line end stands behind it.
    pub(super) fn finish(mut self, each: &mut dyn FnMut(&str)) -> Result<(), Broken> {
        match (self.half, self.line.is_empty()) {
            (Some(_), _) => Err(Broken::Encoding),
            (None, true) => Ok(()),
            (None, false) => self.end(each),
        }
    }
}
