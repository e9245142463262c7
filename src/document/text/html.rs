//! A text as HTML: as the page writes it, so that the page reads it back, and so that nothing in it runs.

use std::fmt::Write;

use serde_json::Value;

use super::{
    blocks::{Block, Cell, Inline, Item, List, Piece, Table, Text, said, spoken},
    model::{Align, ListKind, MarkKind, Marks},
};

/// As little as makes a page of it that reads like the text did.
const STYLE: &str = "\
body { max-width: 45rem; margin: 2rem auto; padding: 0 1rem; font: 1.0625rem/1.6 system-ui, sans-serif; overflow-wrap: break-word; }
img { max-width: 100%; height: auto; }
pre { padding: 1em; overflow-x: auto; background: #f3f2ef; border-radius: 8px; }
code { font-family: ui-monospace, monospace; font-size: 0.9em; }
blockquote { margin-inline: 0; padding-inline-start: 1em; border-inline-start: 3px solid #999; }
table { border-collapse: collapse; }
td, th { padding: 0.4em 0.75em; border: 1px solid #999; text-align: start; vertical-align: top; }
td > p, th > p, li > p, li > div > p { margin: 0; }
ul[data-type=\"taskList\"] { padding-inline-start: 0; list-style: none; }
ul[data-type=\"taskList\"] > li { display: flex; gap: 0.5em; }
ul[data-type=\"taskList\"] > li > div { flex: 1; }
";

impl Text {
    /// A whole page.
    pub fn to_html(&self, title: &str) -> String {
        let mut page = String::from("<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>");
        escape(title, &mut page);
        let _ = write!(page, "</title><style>\n{STYLE}</style></head><body>\n");
        if !title.is_empty() {
            page.push_str("<h1>");
            escape(title, &mut page);
            page.push_str("</h1>\n");
        }
        for block in &self.blocks {
            block.write_html(&mut page);
            page.push('\n');
        }
        page.push_str("</body></html>\n");
        page
    }
}

impl Block {
    pub(super) fn write_html(&self, out: &mut String) {
        match self {
            Self::Paragraph { align, content } => {
                element("p", &style_of(*align), out, |out| inlines(content, out));
            }
            Self::Heading { level, align, content } => {
                element(&format!("h{level}"), &style_of(*align), out, |out| inlines(content, out));
            }
            Self::Code { language, text } => {
                out.push_str("<pre>");
                let class = language.as_ref().map(|language| ("class", format!("language-{language}")));
                element("code", class.as_slice(), out, |out| escape(text, out));
                out.push_str("</pre>");
            }
            Self::Rule => out.push_str("<hr>"),
            Self::Quote(content) => element("blockquote", &[], out, |out| all(content, out)),
            Self::List(list) => list.write_html(out),
            Self::Table(table) => table.write_html(out),
        }
    }
}

impl List {
    fn write_html(&self, out: &mut String) {
        let items = |out: &mut String| self.items.iter().for_each(|item| item.write_html(self.kind, out));
        match self.kind {
            ListKind::Bullet => element("ul", &[], out, items),
            ListKind::Task => element("ul", &[("data-type", "taskList".to_owned())], out, items),
            ListKind::Ordered => {
                let start = (self.start != 1).then(|| ("start", self.start.to_string()));
                let numbering = self.numbering.clone().map(|numbering| ("type", numbering));
                element("ol", &start.into_iter().chain(numbering).collect::<Vec<_>>(), out, items);
            }
        }
    }
}

impl Item {
    fn write_html(&self, kind: ListKind, out: &mut String) {
        if kind != ListKind::Task {
            return element("li", &[], out, |out| all(&self.content, out));
        }
        let checked = [("data-type", "taskItem".to_owned()), ("data-checked", self.checked.to_string())];
        element("li", &checked, out, |out| {
            let state = if self.checked { " checked" } else { "" };
            let _ = write!(out, "<label><input type=\"checkbox\" disabled{state}></label>");
            element("div", &[], out, |out| all(&self.content, out));
        });
    }
}

impl Table {
    pub(super) fn write_html(&self, out: &mut String) {
        out.push_str("<table>");
        if self.widths.iter().any(Option::is_some) {
            out.push_str("<colgroup>");
            for width in &self.widths {
                match width {
                    Some(width) => drop(write!(out, "<col style=\"width: {width}px\">")),
                    None => out.push_str("<col>"),
                }
            }
            out.push_str("</colgroup>");
        }
        out.push_str("<tbody>");
        for row in &self.rows {
            element("tr", &[], out, |out| row.iter().for_each(|cell| cell.write_html(out)));
        }
        out.push_str("</tbody></table>");
    }
}

impl Cell {
    fn write_html(&self, out: &mut String) {
        let mut attributes = Vec::new();
        if self.columns > 1 {
            attributes.push(("colspan", self.columns.to_string()));
        }
        if self.rows > 1 {
            attributes.push(("rowspan", self.rows.to_string()));
        }
        attributes.extend(style_of(self.align.as_deref().and_then(Align::read)));
        element(if self.header { "th" } else { "td" }, &attributes, out, |out| all(&self.content, out));
    }
}

fn all(blocks: &[Block], out: &mut String) {
    blocks.iter().for_each(|block| block.write_html(out));
}

fn style_of(align: Option<Align>) -> Vec<(&'static str, String)> {
    align.map(|align| ("style", format!("text-align: {}", align.name()))).into_iter().collect()
}

pub(super) fn inlines(content: &[Inline], out: &mut String) {
    for Inline { piece, marks } in content {
        let tags: Vec<Tag> = marks.0.iter().map(|(kind, value)| tag_of(*kind, value)).collect();
        // A link outermost, as the page has it.
        let order =
            || tags.iter().filter(|tag| tag.name == "a").chain(tags.iter().filter(|tag| tag.name != "a"));
        for Tag { name, attributes } in order() {
            open(name, attributes, out);
        }
        match piece {
            Piece::Text(text) => escape(text, out),
            Piece::Break => out.push_str("<br>"),
            Piece::Image(fields) => image(fields, out),
            Piece::Mention(fields) => {
                let attribute =
                    |name, field| Some((name, said(fields, field))).filter(|(_, value)| !value.is_empty());
                let attributes: Vec<_> = [("data-type", "mention".to_owned())]
                    .into_iter()
                    .chain(attribute("data-id", "id"))
                    .chain(attribute("data-label", "label"))
                    .collect();
                element("span", &attributes, out, |out| escape(&spoken(fields), out));
            }
        }
        for Tag { name, .. } in order().collect::<Vec<_>>().into_iter().rev() {
            let _ = write!(out, "</{name}>");
        }
    }
}

/// An element around what is marked.
pub(super) struct Tag {
    pub name: &'static str,
    pub attributes: Vec<(&'static str, String)>,
}

pub(super) fn tag_of(kind: MarkKind, value: &Value) -> Tag {
    let (name, attributes) = match kind {
        MarkKind::Bold => ("strong", Vec::new()),
        MarkKind::Italic => ("em", Vec::new()),
        MarkKind::Underline => ("u", Vec::new()),
        MarkKind::Strike => ("s", Vec::new()),
        MarkKind::Code => ("code", Vec::new()),
        MarkKind::Sub => ("sub", Vec::new()),
        MarkKind::Sup => ("sup", Vec::new()),
        MarkKind::Link => {
            let (href, title) = (Marks::said(value, "href", "href"), Marks::said(value, "title", "href"));
            let href = is_followed(&href).then_some(("href", href));
            let title = (!title.is_empty()).then_some(("title", title));
            ("a", href.into_iter().chain(title).collect())
        }
        MarkKind::Highlight => ("mark", coloured(value, "background-color")),
        MarkKind::Color => ("span", coloured(value, "color")),
    };
    Tag { name, attributes }
}

/// The colour, if it can be nothing else.
fn coloured(value: &Value, property: &str) -> Vec<(&'static str, String)> {
    let color = Marks::said(value, "color", "color");
    let is_color = !color.is_empty()
        && color.len() <= 64
        && color.chars().all(|sign| sign.is_ascii_alphanumeric() || "#%(),. -".contains(sign))
        && !color.to_ascii_lowercase().contains("url");
    if !is_color {
        return Vec::new();
    }
    let style = ("style", format!("{property}: {color}"));
    vec![("data-color", color), style]
}

fn image(fields: &[(&'static str, Value)], out: &mut String) {
    let src = said(fields, "src");
    if !is_followed(&src) {
        return escape(&said(fields, "alt"), out);
    }
    let mut attributes = vec![("src", src), ("alt", said(fields, "alt"))];
    attributes.extend(Some(("title", said(fields, "title"))).filter(|(_, title)| !title.is_empty()));
    for side in ["width", "height"] {
        let length = fields.iter().find(|(field, _)| *field == side).and_then(|(_, value)| value.as_f64());
        attributes.extend(length.map(|length| (side, length.to_string())));
    }
    open("img", &attributes, out);
}

/// Whether an address leads somewhere, rather than doing something.
pub(super) fn is_followed(address: &str) -> bool {
    // Browsers pass over these wherever they stand.
    let plain: String = address.chars().filter(|sign| !sign.is_control() && !sign.is_whitespace()).collect();
    let Some((scheme, _)) = plain.split_once(':') else { return !plain.is_empty() };
    let is_scheme = scheme.chars().all(|sign| sign.is_ascii_alphanumeric() || "+-.".contains(sign));
    let known = ["http", "https", "mailto", "tel", "ftp"];
    !is_scheme || known.contains(&scheme.to_ascii_lowercase().as_str())
}

fn element(
    name: &str,
    attributes: &[(&'static str, String)],
    out: &mut String,
    inside: impl FnOnce(&mut String),
) {
    open(name, attributes, out);
    inside(out);
    let _ = write!(out, "</{name}>");
}

pub(super) fn open(name: &str, attributes: &[(&'static str, String)], out: &mut String) {
    let _ = write!(out, "<{name}");
    for (attribute, value) in attributes {
        let _ = write!(out, " {attribute}=\"");
        escape(value, out);
        out.push('"');
    }
    out.push('>');
}

/// Nothing of it means anything in HTML.
pub(super) fn escape(text: &str, out: &mut String) {
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            sign => out.push(sign),
        }
    }
}
