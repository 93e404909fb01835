//! A small tree of an XML file with the byte range of everything, read from quick-xml's events.
//! XML 1.0 without DOCTYPE and without entities but the five predefined ones.
//! In: bytes. Out: the top element, or what is wrong with the file as XML.
//! Limits: [`FILE_BYTES_MAX`], [`DEPTH_MAX`], [`ATTRIBUTES_MAX`], [`ELEMENTS_MAX`].

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use crate::diagnostics::Findings;
use crate::fault::Fault;

/// Largest conf.xml and kasp.xml, in bytes.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest zonelist.xml, in bytes: about 200,000 zones.
pub const ZONELIST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Deepest nesting of elements.
pub const DEPTH_MAX: usize = 64;
/// Most attributes of one element.
pub const ATTRIBUTES_MAX: usize = 16;
/// Most elements of one file.
pub const ELEMENTS_MAX: usize = 2_000_000;

/// An element with what it contains.
#[derive(Debug)]
pub(crate) struct Element<'a> {
    /// Its name, prefix and all.
    pub(crate) name: &'a str,
    /// Its attributes, in the order of the file.
    pub(crate) attributes: Vec<Attribute<'a>>,
    /// The elements in it, in the order of the file.
    pub(crate) children: Vec<Element<'a>>,
    /// All text directly in it, references resolved, comments left out.
    pub(crate) text: Cow<'a, str>,
    /// From `<` of the start tag to after `>` of the end tag.
    pub(crate) span: Range<usize>,
    /// The start tag.
    pub(crate) tag: Range<usize>,
    /// From after the start tag to before the end tag.
    pub(crate) content: Range<usize>,
}

/// `name="value"`.
#[derive(Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Cow<'a, str>,
}

impl<'a> Element<'a> {
    /// The first element of this name in it.
    pub(crate) fn child(&self, name: &str) -> Option<&Element<'a>> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Whether it contains an element of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.child(name).is_some()
    }

    /// Every element of this name in it.
    pub(crate) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Element<'a>> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The element found by these names, one inside the other.
    pub(crate) fn path(&self, names: &[&str]) -> Option<&Element<'a>> {
        names.iter().try_fold(self, |element, name| element.child(name))
    }

    /// Its text without white space around it.
    pub(crate) fn trimmed(&self) -> &str {
        self.text.trim_ascii()
    }

    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|other| other.name == name).map(|found| found.value.as_ref())
    }

    /// Where its text stands; its start tag when it has none.
    pub(crate) fn text_place(&self) -> Range<usize> {
        if self.content.is_empty() { self.tag.clone() } else { self.content.clone() }
    }
}

/// Reads `bytes` as one element named `root`. `None` when the file is no XML of ours; the
/// reasons are in `findings`.
pub(crate) fn read_tree<'a>(
    bytes: &'a [u8],
    bytes_max: usize,
    root: &'static str,
    findings: &mut Findings,
) -> Option<Element<'a>> {
    let source = match check_text(bytes, bytes_max) {
        Ok(source) => source,
        Err((place, fault)) => {
            findings.push(place, fault);
            return None;
        }
    };
    let mut builder = Builder { source, open: Vec::new(), root: None, elements: 0 };
    match builder.run() {
        Ok(()) => match builder.root {
            Some(element) if element.name == root => return Some(element),
            Some(element) => {
                let found = element.name.to_owned();
                findings.push(element.tag, Fault::WrongRoot { found, expected: root });
            }
            None => findings.push(source.len()..source.len(), Fault::NoRoot { expected: root }),
        },
        Err((place, fault)) => findings.push(place, fault),
    }
    None
}

type Placed = (Range<usize>, Fault);

/// Size, UTF-8 and characters; what quick-xml would let through.
fn check_text(bytes: &[u8], limit: usize) -> Result<&str, Placed> {
    if bytes.len() > limit {
        return Err((0..0, Fault::TooLarge { bytes: bytes.len(), limit }));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| (error.valid_up_to()..error.valid_up_to(), Fault::NotUtf8))?;
    let bad = bytes.iter().position(|octet| *octet < 0x20 && !b"\t\n\r".contains(octet));
    match bad {
        Some(at) => Err((at..at + 1, Fault::ControlCharacter { code: u32::from(bytes[at]) })),
        None => Ok(text),
    }
}

struct Builder<'a> {
    source: &'a str,
    open: Vec<Element<'a>>,
    root: Option<Element<'a>>,
    elements: usize,
}

impl<'a> Builder<'a> {
    fn run(&mut self) -> Result<(), Placed> {
        // quick-xml drops a byte order mark without counting it.
        let base = if self.source.starts_with('\u{feff}') { 3 } else { 0 };
        let mut reader = Reader::from_str(&self.source[base..]);
        reader.config_mut().check_comments = true;
        loop {
            let start = base + reader.buffer_position() as usize;
            let event = reader.read_event().map_err(|error| {
                let at = base + reader.error_position() as usize;
                (at..at, Fault::Syntax { detail: error.to_string() })
            })?;
            let place = start..base + reader.buffer_position() as usize;
            match event {
                Event::Start(tag) => self.start(&tag, place, false)?,
                Event::Empty(tag) => self.start(&tag, place, true)?,
                Event::End(_) => self.end(place)?,
                Event::Text(text) => self.text(text.xml10_content(), place)?,
                Event::CData(text) => self.text(text.xml10_content(), place)?,
                Event::GeneralRef(reference) => self.reference(&reference, place)?,
                Event::DocType(_) => return Err((place, Fault::Doctype)),
                Event::Decl(declaration) if start == base => {
                    self.declaration(&declaration, place)?;
                }
                Event::Decl(_) => {
                    let detail = "an XML declaration stands only at the start".to_owned();
                    return Err((place, Fault::Syntax { detail }));
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => return self.finish(),
            }
        }
    }

    fn declaration(&self, declaration: &BytesDecl<'_>, place: Range<usize>) -> Result<(), Placed> {
        let syntax = |detail: String| (place.clone(), Fault::Syntax { detail });
        declaration.version().map_err(|error| syntax(error.to_string()))?;
        let Some(label) = declaration.encoding() else { return Ok(()) };
        let label = label.map_err(|error| syntax(error.to_string()))?;
        // A file of ASCII characters is the same in every encoding that begins with them.
        if label.eq_ignore_ascii_case("utf-8") || self.source.is_ascii() {
            return Ok(());
        }
        Err((place, Fault::Encoding { label: label.into_owned() }))
    }

    fn start(
        &mut self,
        tag: &BytesStart<'_>,
        place: Range<usize>,
        empty: bool,
    ) -> Result<(), Placed> {
        let name_start = place.start + 1;
        let name = &self.source[name_start..name_start + tag.name().as_ref().len()];
        if self.open.is_empty() && self.root.is_some() {
            return Err((place, Fault::SecondRoot { element: name.to_owned() }));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err((place, Fault::TooDeep { limit: DEPTH_MAX }));
        }
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err((place, Fault::TooManyElements { limit: ELEMENTS_MAX }));
        }
        let attributes = self.attributes(tag, &place)?;
        let element = Element {
            name,
            attributes,
            children: Vec::new(),
            text: Cow::Borrowed(""),
            span: place.clone(),
            content: place.end..place.end,
            tag: place,
        };
        if empty {
            self.close(element);
        } else {
            self.open.push(element);
        }
        Ok(())
    }

    fn attributes(
        &self,
        tag: &BytesStart<'_>,
        place: &Range<usize>,
    ) -> Result<Vec<Attribute<'a>>, Placed> {
        let mut list = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute
                .map_err(|error| (place.clone(), Fault::Syntax { detail: error.to_string() }))?;
            if list.len() == ATTRIBUTES_MAX {
                return Err((place.clone(), Fault::TooManyAttributes { limit: ATTRIBUTES_MAX }));
            }
            // The name is found again in the source, because the event does not outlive us.
            let key: &str = attribute.key.as_ref();
            let text = &self.source[place.clone()];
            let name = text.find(key).map_or("", |at| &text[at..at + key.len()]);
            list.push(Attribute {
                name,
                value: Cow::Owned(attribute_value(&attribute.value, place)?),
            });
        }
        Ok(list)
    }

    fn end(&mut self, place: Range<usize>) -> Result<(), Placed> {
        let Some(mut element) = self.open.pop() else {
            let detail = "end tag without start tag".to_owned();
            return Err((place, Fault::Syntax { detail }));
        };
        element.content.end = place.start;
        element.span.end = place.end;
        self.close(element);
        Ok(())
    }

    fn close(&mut self, element: Element<'a>) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: Cow<'_, str>, place: Range<usize>) -> Result<(), Placed> {
        let Some(element) = self.open.last_mut() else {
            let blank = text.trim_ascii().is_empty();
            return if blank { Ok(()) } else { Err((place, Fault::TextOutsideRoot)) };
        };
        let raw = &self.source[place];
        if element.text.is_empty() && raw == text {
            element.text = Cow::Borrowed(raw);
        } else {
            element.text.to_mut().push_str(&text);
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>, place: Range<usize>) -> Result<(), Placed> {
        let text = resolve(reference).map_err(|fault| (place.clone(), fault))?;
        self.text(Cow::Owned(text), place)
    }

    fn finish(&self) -> Result<(), Placed> {
        match self.open.last() {
            None => Ok(()),
            Some(element) => {
                let detail = format!("<{}> is never closed: the file ends in it", element.name);
                Err((element.tag.clone(), Fault::Syntax { detail }))
            }
        }
    }
}

/// The text of `&name;`.
fn resolve(reference: &str) -> Result<String, Fault> {
    if let Some(number) = reference.strip_prefix('#') {
        let code = match number.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        let char = code.ok().and_then(char::from_u32);
        return match char.filter(|char| *char >= ' ' || "\t\n\r".contains(*char)) {
            Some(char) => Ok(char.to_string()),
            None => Err(Fault::CharacterReference { reference: reference.to_owned() }),
        };
    }
    match resolve_predefined_entity(reference) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Fault::Entity { name: reference.to_owned() }),
    }
}

/// Resolves the references of an attribute value.
fn attribute_value(raw: &str, place: &Range<usize>) -> Result<String, Placed> {
    let mut value = String::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        value.push_str(before);
        let Some((reference, tail)) = after.split_once(';') else {
            let detail = "& without ; in an attribute".to_owned();
            return Err((place.clone(), Fault::Syntax { detail }));
        };
        value.push_str(&resolve(reference).map_err(|fault| (place.clone(), fault))?);
        rest = tail;
    }
    if raw.contains('<') {
        let detail = "< in an attribute; write &lt;".to_owned();
        return Err((place.clone(), Fault::Syntax { detail }));
    }
    value.push_str(rest);
    Ok(value)
}
