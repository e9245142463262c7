//! A text as Markdown: CommonMark with GitHub's tables, tasks and strikes, and HTML for the little that Markdown has no
//! sign for. The page reads it back as the same text (`frontend/src/text/markdown.ts`).

use serde_json::Value;

use super::{
    blocks::{Block, Cell, Inline, List, Piece, Table, Text, said, spoken},
    html::{self, is_followed, tag_of},
    model::{ListKind, MarkKind, Marks},
    room::{Room, TooLarge},
};

impl Text {
    /// As Markdown.
    pub fn to_markdown(&self, room: &Room) -> Result<String, TooLarge> {
        let text = lines_of(&self.blocks, false, Place::Block, room)?.join("\n");
        Ok(format!("{}\n", text.trim_end()))
    }
}

/// What a line takes beside its letters.
const LINE: usize = 32;

/// Where words stand, which decides what would mean something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Block,
    Heading,
    /// All of it on one line.
    Cell,
}

/// The lines of some blocks. In a `tight` list what belongs together stands together.
fn lines_of(blocks: &[Block], tight: bool, place: Place, room: &Room) -> Result<Vec<String>, TooLarge> {
    let mut lines: Vec<String> = Vec::new();
    let mut before: Option<&Block> = None;
    // How many lists that would run into the next one stand right before it.
    let mut same = 0;
    for block in blocks {
        same = match (before, block) {
            (Some(Block::List(list)), Block::List(next)) if family(list.kind) == family(next.kind) => {
                same + 1
            }
            _ => 0,
        };
        let own = match block {
            Block::List(list) => list_lines(list, same % 2 == 1, place, room)?,
            block => block_lines(block, place, room)?,
        };
        if own.is_empty() {
            continue;
        }
        if before.is_some_and(|before| !(tight && goes_on(before, block))) {
            lines.push(String::new());
        }
        lines.extend(own);
        before = Some(block);
    }
    Ok(lines)
}

fn family(kind: ListKind) -> bool {
    kind == ListKind::Ordered
}

/// Whether a block is told from the paragraph before it without an empty line. A list that begins elsewhere than at one,
/// or with nothing, would be taken for words.
fn goes_on(before: &Block, block: &Block) -> bool {
    let Block::List(list) = block else { return false };
    let begins = list.items.first().and_then(|item| item.content.first());
    let has_words = matches!(begins, Some(Block::Paragraph { content, .. }) if !content.is_empty());
    matches!(before, Block::Paragraph { .. })
        && has_words
        && (list.kind != ListKind::Ordered || list.start == 1)
}

fn block_lines(block: &Block, place: Place, room: &Room) -> Result<Vec<String>, TooLarge> {
    Ok(match block {
        Block::Paragraph { align: Some(_), .. } | Block::Heading { align: Some(_), .. }
            if place == Place::Block =>
        {
            in_html(|out| block.write_html(out))
        }
        Block::Paragraph { content, .. } => {
            let words = words_of(content, place);
            let words = words.trim_end();
            words.split('\n').filter(|_| !words.is_empty()).map(str::to_owned).collect()
        }
        Block::Heading { level, content, .. } => {
            let words = words_of(content, Place::Heading);
            // Number signs at the end would be taken for the end of the heading.
            let bare = words.trim_end().trim_end_matches('#');
            let words = if bare.len() < words.trim_end().len() {
                format!("{bare}\\{}", &words[bare.len()..])
            } else {
                words
            };
            vec![format!("{} {words}", "#".repeat(usize::from(*level))).trim_end().to_owned()]
        }
        Block::Code { language, text } => {
            let fence = "`".repeat(longest_ticks(text).max(2) + 1);
            let language = language.as_deref().unwrap_or_default();
            let language = language.split(|sign: char| sign.is_whitespace() || sign == '`').next();
            let mut lines = vec![format!("{fence}{}", language.unwrap_or_default())];
            lines.extend(text.split('\n').filter(|_| !text.is_empty()).map(str::to_owned));
            lines.push(fence);
            lines
        }
        Block::Rule => vec!["---".to_owned()],
        Block::Quote(content) => {
            let lines = lines_of(content, false, place, room)?;
            let quoted = |line: String| {
                room.take(line.len() + LINE)?;
                Ok(format!("> {line}").trim_end().to_owned())
            };
            lines.into_iter().map(quoted).collect::<Result<_, _>>()?
        }
        Block::List(list) => list_lines(list, false, place, room)?,
        Block::Table(table) => table_lines(table, room)?,
    })
}

fn list_lines(list: &List, other: bool, place: Place, room: &Room) -> Result<Vec<String>, TooLarge> {
    let last = u64::from(list.start) + list.items.len() as u64 - 1;
    let width = match list.kind {
        ListKind::Ordered => last.to_string().len() + 2,
        ListKind::Bullet | ListKind::Task => 2,
    };
    let mut lines = Vec::new();
    for (number, item) in (u64::from(list.start)..).zip(&list.items) {
        let sign = match list.kind {
            ListKind::Ordered => format!("{number}{}", if other { ')' } else { '.' }),
            ListKind::Bullet | ListKind::Task => if other { "*" } else { "-" }.to_owned(),
        };
        let check = match (list.kind, item.checked) {
            (ListKind::Task, true) => "[x] ",
            (ListKind::Task, false) => "[ ] ",
            _ => "",
        };
        let begins_with_words = matches!(
            item.content.first(),
            Some(Block::Paragraph { align: None, content }) if !content.is_empty()
        );
        let mut inside = lines_of(&item.content, true, place, room)?;
        if !begins_with_words && (!check.is_empty() || !inside.is_empty()) {
            inside.insert(0, String::new());
        }
        for (at, line) in inside.iter().enumerate() {
            room.take(width + line.len() + LINE)?;
            let line = match at {
                0 => format!("{sign:width$}{check}{line}"),
                _ => format!("{:width$}{line}", ""),
            };
            lines.push(line.trim_end().to_owned());
        }
        if inside.is_empty() {
            lines.push(sign);
        }
    }
    Ok(lines)
}

/// The first row is the head: a table has one in Markdown. What stands in a cell stands on one line. Merged cells are more
/// than Markdown can say.
fn table_lines(table: &Table, room: &Room) -> Result<Vec<String>, TooLarge> {
    if table.rows.iter().flatten().any(|cell| cell.rows > 1 || cell.columns > 1) {
        return Ok(in_html(|out| table.write_html(out)));
    }
    let width = table.rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let line = |cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = cells.chain(std::iter::repeat(String::new())).take(width).collect();
        format!("| {} |", cells.join(" | "))
    };
    let mut lines = Vec::new();
    for (at, row) in table.rows.iter().enumerate() {
        let cells = row.iter().map(|cell| cell_line(cell, room)).collect::<Result<Vec<_>, _>>()?;
        lines.push(line(&mut cells.into_iter()));
        if at == 0 {
            let rule = |cell: Option<&Cell>| {
                match cell.and_then(|cell| cell.align.as_deref()) {
                    Some("left") => ":---",
                    Some("right") => "---:",
                    Some("center") => ":---:",
                    _ => "---",
                }
                .to_owned()
            };
            lines.push(line(&mut (0..width).map(|column| rule(row.get(column)))));
        }
    }
    Ok(lines)
}

fn cell_line(cell: &Cell, room: &Room) -> Result<String, TooLarge> {
    let lines = lines_of(&cell.content, true, Place::Cell, room)?;
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    Ok(without_bars(&lines.join("<br>")))
}

/// A bar ends a cell wherever it stands, also in code, unless a backslash is before it, which is taken away first. One that is
/// there already belongs to the words outside of code, and is code within it.
fn without_bars(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut ticks = None;
    let mut rest = line;
    while let Some(sign) = rest.chars().next() {
        let run = rest.len() - rest.trim_start_matches('`').len();
        let (taken, after) = rest.split_at(match sign {
            '`' => run,
            '\\' if ticks.is_none() => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => sign.len_utf8(),
        });
        match sign {
            '`' if ticks == Some(run) => ticks = None,
            '`' if ticks.is_none() => ticks = Some(run),
            '|' => out.push('\\'),
            _ => {}
        }
        out.push_str(taken);
        rest = after;
    }
    out
}

/// On one line: an empty one would end it.
fn in_html(write: impl FnOnce(&mut String)) -> Vec<String> {
    let mut out = String::new();
    write(&mut out);
    vec![out.replace(['\n', '\r'], "&#10;")]
}

// ---- words ---------------------------------------------------------------------------------------------------------

/// A mark that is open, and how it will be closed.
struct Opened {
    mark: (MarkKind, Value),
    close: String,
}

fn words_of(content: &[Inline], place: Place) -> String {
    // What stands behind the last line end is nothing.
    let is_break = |inline: &&Inline| inline.piece == Piece::Break;
    let content = &content[..content.len() - content.iter().rev().take_while(is_break).count()];
    let ends = ends_of(content);
    let end_of = |at: usize, mark: &(MarkKind, Value)| {
        let marked = content[at].marks.0.iter().zip(&ends[at]);
        marked.filter(|(known, _)| *known == mark).map(|(_, end)| *end).next().unwrap_or(at)
    };
    let mut out = String::new();
    let mut open: Vec<Opened> = Vec::new();
    for (at, inline) in content.iter().enumerate() {
        let kept = open.iter().take_while(|opened| inline.marks.0.contains(&opened.mark)).count();
        close_to(kept, &mut open, &mut out);
        let mut missing: Vec<&(MarkKind, Value)> =
            inline.marks.0.iter().filter(|mark| open.iter().all(|opened| opened.mark != **mark)).collect();
        // What lasts longest is opened first, and a link around everything.
        missing.sort_by_key(|mark| (std::cmp::Reverse(end_of(at, mark)), mark.0 != MarkKind::Link));
        let mut end = open.iter().map(|opened| end_of(at, &opened.mark)).min().unwrap_or(usize::MAX);
        for mark in missing {
            end = end.min(end_of(at, mark));
            let (before, close) = signs(content, at, end, mark);
            out.push_str(&before);
            open.push(Opened { mark: mark.clone(), close });
        }
        push_piece(content, at, place, &mut out);
    }
    close_to(0, &mut open, &mut out);
    out
}

/// Of each mark of each piece, the last piece of the run that is marked so.
fn ends_of(content: &[Inline]) -> Vec<Vec<usize>> {
    let mut ends: Vec<Vec<usize>> = Vec::with_capacity(content.len());
    for (at, inline) in content.iter().enumerate().rev() {
        let next = content.get(at + 1).zip(ends.last());
        let end = |mark: &(MarkKind, Value)| {
            let goes_on = next.and_then(|(next, ends)| {
                next.marks.0.iter().zip(ends).find(|(known, _)| *known == mark).map(|(_, end)| *end)
            });
            goes_on.unwrap_or(at)
        };
        ends.push(inline.marks.0.iter().map(end).collect());
    }
    ends.reverse();
    ends
}

fn close_to(kept: usize, open: &mut Vec<Opened>, out: &mut String) {
    while open.len() > kept {
        if let Some(opened) = open.pop() {
            out.push_str(&opened.close);
        }
    }
}

/// What stands around the pieces from `at` to `end` that are marked so.
fn signs(content: &[Inline], at: usize, end: usize, (kind, value): &(MarkKind, Value)) -> (String, String) {
    let sign = match kind {
        MarkKind::Bold => Some("**"),
        MarkKind::Italic => Some("*"),
        MarkKind::Strike => Some("~~"),
        _ => None,
    };
    if let Some(sign) = sign.filter(|_| is_plain(content, at, end)) {
        return (sign.to_owned(), sign.to_owned());
    }
    match kind {
        MarkKind::Code => {
            let Piece::Text(code) = &content[at].piece else { return Default::default() };
            let ticks = "`".repeat(longest_ticks(code) + 1);
            let is_spaced = code.starts_with(' ') && code.ends_with(' ') && !code.trim().is_empty();
            let pad = if code.starts_with('`') || code.ends_with('`') || is_spaced { " " } else { "" };
            (format!("{ticks}{pad}"), format!("{pad}{ticks}"))
        }
        MarkKind::Link => {
            let address = Marks::said(value, "href", "href");
            if !is_followed(&address) {
                return Default::default();
            }
            ("[".to_owned(), format!("]({})", destination(&address, &Marks::said(value, "title", "href"))))
        }
        kind => {
            let tag = tag_of(*kind, value);
            let mut before = String::new();
            html::open(tag.name, &tag.attributes, &mut before);
            (before, format!("</{}>", tag.name))
        }
    }
}

/// Whether the signs around these pieces will be taken for what they are, where letters or punctuation beside them could
/// hide them: `**「文」**字` is not bold, and signs right beside each other could be taken for one.
fn is_plain(content: &[Inline], at: usize, end: usize) -> bool {
    let emphases = |inline: &Inline| {
        let is = |kind| usize::from(inline.marks.has(kind));
        is(MarkKind::Bold) + is(MarkKind::Italic) + is(MarkKind::Strike)
    };
    let before = at.checked_sub(1).map(|at| &content[at]);
    let after = content.get(end + 1);
    if [before, after].into_iter().flatten().any(|inline| emphases(inline) > 0) {
        return false;
    }
    if emphases(&content[at]) > 1 || emphases(&content[end]) > 1 {
        return false;
    }
    let (first, last) = (edge(&content[at], false, true), edge(&content[end], true, true));
    if first.is_whitespace() || last.is_whitespace() {
        return false;
    }
    let is_outside = |sign: char| sign.is_whitespace() || !sign.is_alphanumeric();
    let opens = first.is_alphanumeric() || before.is_none_or(|inline| is_outside(edge(inline, true, false)));
    let closes = last.is_alphanumeric() || after.is_none_or(|inline| is_outside(edge(inline, false, false)));
    opens && closes
}

/// The first letter of a piece, or its last, as it will stand there: within a mark, the sign of another may come first.
fn edge(inline: &Inline, last: bool, within: bool) -> char {
    if inline.marks.0.len() > usize::from(within) {
        return '`';
    }
    match &inline.piece {
        Piece::Text(text) if last => text.chars().next_back().unwrap_or(' '),
        Piece::Text(text) => text.chars().next().unwrap_or(' '),
        Piece::Break => ' ',
        Piece::Mention(_) if last => 'a',
        Piece::Image(_) | Piece::Mention(_) => '!',
    }
}

fn push_piece(content: &[Inline], at: usize, place: Place, out: &mut String) {
    let Inline { piece, marks } = &content[at];
    match piece {
        Piece::Text(text) if marks.has(MarkKind::Code) => out.push_str(&text.replace(['\n', '\r'], " ")),
        Piece::Text(text) => {
            let line = short_line(out);
            let is_first = at == 0 || content[at - 1].piece == Piece::Break || line == Some("");
            let mut escaped = escaped(text, is_first && place != Place::Heading);
            // The number may stand in a piece before it, whose mark has no sign.
            if line.is_some_and(is_number) && text.starts_with(['.', ')']) && ends_a_sign(&text[1..]) {
                escaped.insert(0, '\\');
            }
            // Before the bracket of a link an exclamation mark would make it an image.
            match escaped.strip_suffix('!') {
                Some(rest) if at + 1 < content.len() => {
                    out.push_str(rest);
                    out.push_str("\\!");
                }
                _ => out.push_str(&escaped),
            }
        }
        Piece::Break => out.push_str(match place {
            Place::Block => "\\\n",
            Place::Heading => " ",
            Place::Cell => "<br>",
        }),
        Piece::Image(fields) => {
            let (src, alt) = (said(fields, "src"), escaped(&said(fields, "alt"), false));
            if is_followed(&src) {
                out.push_str(&format!("![{alt}]({})", destination(&src, &said(fields, "title"))));
            } else {
                out.push_str(&alt);
            }
        }
        Piece::Mention(fields) => out.push_str(&escaped(&spoken(fields), false)),
    }
}

/// Backslashes before whatever would mean something, and only there.
fn escaped(text: &str, at_line_start: bool) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let text = if at_line_start { text.trim_start_matches([' ', '\t']) } else { &text };
    let mut out = String::with_capacity(text.len() + 8);
    let mut before: Option<char> = None;
    for (at, sign) in text.char_indices() {
        let rest = &text[at + sign.len_utf8()..];
        let next = rest.chars().next();
        let is_word = |sign: Option<char>| sign.is_some_and(char::is_alphanumeric);
        let means_something =
            match sign {
                '\\' | '`' | '*' | '~' | '[' | ']' | '<' | '|' => true,
                '_' => !(is_word(before) && is_word(next)),
                '&' => is_entity(rest),
                // What looks like an address is one only where it was made a link.
                ':' => rest.starts_with("//"),
                '.' => {
                    out.len() >= 3
                        && out.is_char_boundary(out.len() - 3)
                        && out[out.len() - 3..].eq_ignore_ascii_case("www")
                }
                '@' => {
                    before.is_some_and(|sign| sign.is_ascii_alphanumeric() || ".+-_".contains(sign))
                        && is_word(next)
                }
                '-' | '+' | '=' | '>' => at == 0 && at_line_start,
                '#' => at == 0 && at_line_start && ends_a_sign(text.trim_start_matches('#')),
                _ => false,
            } || (at_line_start && matches!(sign, '.' | ')') && is_number(&text[..at]) && ends_a_sign(rest));
        if means_something {
            out.push('\\');
        }
        out.push(sign);
        before = Some(sign);
    }
    out
}

fn is_entity(rest: &str) -> bool {
    let name = rest.strip_prefix('#').unwrap_or(rest);
    let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    length > 0 && name[length..].starts_with(';')
}

/// The last line, if it is no longer than a number may be: a walk over all of it for each piece would be one too many.
fn short_line(out: &str) -> Option<&str> {
    let most = out.len().saturating_sub(10);
    let begin = out.as_bytes()[most..].iter().rposition(|byte| *byte == b'\n').map(|at| most + at + 1);
    begin.or_else(|| (most == 0).then_some(0)).map(|begin| &out[begin..])
}

fn is_number(text: &str) -> bool {
    (1..=9).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit())
}

fn ends_a_sign(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(char::is_whitespace)
}

/// Where a link leads, with its title: what could end it too soon is put where it cannot.
fn destination(address: &str, title: &str) -> String {
    let is_plain =
        !address.contains(|sign: char| sign.is_whitespace() || sign.is_control() || "()<>\\".contains(sign));
    let mut target = String::new();
    if is_plain {
        target.push_str(address);
    } else {
        target.push('<');
        for sign in address.chars() {
            match sign {
                '<' | '>' | '\\' => target.extend(['\\', sign]),
                sign if sign.is_whitespace() || sign.is_control() => target.push_str("%20"),
                sign => target.push(sign),
            }
        }
        target.push('>');
    }
    if !title.is_empty() {
        target.push_str(" \"");
        for sign in title.chars() {
            match sign {
                '"' | '\\' => target.extend(['\\', sign]),
                '\n' | '\r' => target.push(' '),
                sign => target.push(sign),
            }
        }
        target.push('"');
    }
    target
}

fn longest_ticks(text: &str) -> usize {
    text.split(|sign| sign != '`').map(str::len).max().unwrap_or(0)
}
