//! Writes HTML. There is no way to put text into it that is not escaped: names in a workspace are written by anyone who
//! can write there. What a terminal is spared ([`escape`]) a page is spared too, so that no name turns the direction of
//! writing or hides a part of itself.

use archive_format::LineKey;
use url::form_urlencoded;

use crate::ui::escape;

/// A longer text is cut where it is one among others.
const SHOWN_MAX: usize = 300;

/// An attribute: its name, and its value before it is escaped.
pub(super) type Attribute<'a> = (&'static str, &'a str);

/// An address on this page: always from its root, so that it leads nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link(String);

impl Link {
    /// A path without a query.
    pub(super) fn new(path: &'static str) -> Self {
        Self(path.to_owned())
    }

    /// A page of a snapshot, with a query.
    pub(super) fn of_snapshot(id: &str, page: &'static str, query: &[(&str, &str)]) -> Self {
        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let mut text = format!("/snapshots/{id}{page}");
        if !query.is_empty() {
            let mut pairs = form_urlencoded::Serializer::new(String::new());
            pairs.extend_pairs(query);
            text.push('?');
            text.push_str(&pairs.finish());
        }
        Self(text)
    }

    /// The page of an item of a snapshot; its files from one of them on, where it has many.
    pub(super) fn of_item(id: &str, key: &LineKey, from: Option<&str>) -> Self {
        let version = key.version.as_deref().unwrap_or_default();
        let mut query = vec![
            ("kind", key.kind.as_str()),
            ("name", key.name.as_str()),
            ("version", version),
        ];
        query.extend(from.map(|from| ("from", from)));
        Self::of_snapshot(id, "/item", &query)
    }

    /// A place on the page itself, by its number.
    pub(super) fn place(number: usize) -> Self {
        Self(format!("#workspace-{number}"))
    }
}

/// A piece of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Html {
    text: String,
}

impl Html {
    /// Markup that stands in the program.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.text.push_str(markup);
    }

    /// Text.
    pub(super) fn text(&mut self, text: &str) {
        push(&mut self.text, &escape::line(text));
    }

    /// Text of several lines.
    pub(super) fn lines(&mut self, text: &str) {
        push(&mut self.text, &escape::lines(text));
    }

    /// An element and what is in it.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: &[Attribute<'_>],
        inside: impl FnOnce(&mut Self),
    ) {
        self.text.push('<');
        self.text.push_str(name);
        for (attribute, value) in attributes {
            self.text.push(' ');
            self.text.push_str(attribute);
            self.text.push_str("=\"");
            push(&mut self.text, &escape::line(value));
            self.text.push('"');
        }
        self.text.push('>');
        inside(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element with text in it.
    pub(super) fn words(&mut self, name: &'static str, class: &'static str, text: &str) {
        let attributes: &[Attribute<'_>] = if class.is_empty() {
            &[]
        } else {
            &[("class", class)]
        };
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// A name out of a workspace: its own direction of writing touches nothing around it, and it is cut where it is long.
    pub(super) fn name(&mut self, name: &str) {
        self.element("bdi", &[("class", "name")], |inside| {
            inside.text(&cut(name))
        });
    }

    /// A link to a page of this server.
    pub(super) fn link(&mut self, to: &Link, inside: impl FnOnce(&mut Self)) {
        self.element("a", &[("href", &to.0)], inside);
    }

    /// A link that says more to whoever cannot see where it stands.
    pub(super) fn described_link(
        &mut self,
        to: &Link,
        class: &'static str,
        says: &str,
        inside: impl FnOnce(&mut Self),
    ) {
        self.element(
            "a",
            &[
                ("href", &to.0),
                ("class", class),
                ("title", says),
                ("aria-label", says),
            ],
            inside,
        );
    }

    /// A table: its caption, its columns (those whose title begins with `#` are numbers) and its rows.
    pub(super) fn table(
        &mut self,
        caption: &str,
        columns: &[&'static str],
        rows: impl FnOnce(&mut Self),
    ) {
        // What is too wide for a phone moves by itself, and can be moved with the keyboard.
        self.element(
            "div",
            &[
                ("class", "wide"),
                ("role", "group"),
                ("tabindex", "0"),
                ("aria-label", caption),
            ],
            |html| {
                html.element("table", &[], |html| {
                    html.words("caption", "", caption);
                    html.element("thead", &[], |html| {
                        html.element("tr", &[], |html| {
                            for column in columns {
                                let (class, title) = match column.strip_prefix('#') {
                                    Some(title) => ("number", title),
                                    None => ("", *column),
                                };
                                html.element("th", &[("scope", "col"), ("class", class)], |html| {
                                    html.text(title)
                                });
                            }
                        });
                    });
                    html.element("tbody", &[], rows);
                });
            },
        );
    }

    /// A cell with text.
    pub(super) fn cell(&mut self, text: &str) {
        self.words("td", "", text);
    }

    /// A cell with a number.
    pub(super) fn number(&mut self, text: &str) {
        self.words("td", "number", text);
    }

    /// A term of a list and what it means here.
    pub(super) fn fact(&mut self, term: &'static str, means: impl FnOnce(&mut Self)) {
        self.element("div", &[], |html| {
            html.words("dt", "", term);
            html.element("dd", &[], means);
        });
    }

    /// The text.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A text no longer than is shown of one among others.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn push(to: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            other => to.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text_in_elements_and_attributes() {
        let mut html = Html::default();
        let hostile = "\"><script>alert('1')</script>&\u{1b}[2J\u{202e}\u{200f}";
        html.element("p", &[("title", hostile)], |html| html.text(hostile));
        let escaped = "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;\\u{1b}[2J\\u{202e}\\u{200f}";
        assert_eq!(
            html.into_text(),
            format!("<p title=\"{escaped}\">{escaped}</p>")
        );
    }

    #[test]
    fn links_lead_to_this_server_alone() {
        let link = Link::of_snapshot(
            "//evil.example/?",
            "/items",
            &[("under", "a&b=\"#\u{202e}")],
        );
        assert_eq!(
            link.0,
            "/snapshots/%2F%2Fevil.example%2F%3F/items?under=a%26b%3D%22%23%E2%80%AE"
        );
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let name = "ж".repeat(SHOWN_MAX + 5);
        assert_eq!(cut(&name).chars().count(), SHOWN_MAX + 1);
        assert_eq!(cut("short"), "short");
    }
}
