//! A typed line as words and filters (`| match RE`). In: a line. Out: [`Typed`], or what is wrong.
//! A word in quotation marks, double or single, may have blanks, `|` and `#`; a backslash means
//! nothing, since names of zones have some. `#` at the begin of a word starts a comment.

/// A line taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// The command's words.
    pub words: Vec<String>,
    /// The words of each filter behind it.
    pub filters: Vec<Vec<String>>,
    /// The last word is still being typed: no blank stands behind it.
    pub is_open: bool,
}

/// Why a line cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// A quotation mark has no partner.
    #[error("the quotation mark {0} has no partner")]
    Open(char),
    /// Nothing stands behind `|`.
    #[error("a filter is missing behind |; ? lists them")]
    NoFilter,
}

/// The words of a line with one command and no filters, as SSH's `exec` has it.
pub fn words(line: &str) -> Result<Vec<String>, WordsError> {
    Ok(take_apart(line)?.words)
}

/// Words and filters of a whole line.
pub fn take_apart(line: &str) -> Result<Typed, WordsError> {
    let (typed, quote) = begin(line);
    match quote {
        Some(quote) => Err(WordsError::Open(quote)),
        None if typed.filters.iter().any(Vec::is_empty) => Err(WordsError::NoFilter),
        None => Ok(typed),
    }
}

/// The same of a line that is still being typed; the quotation mark that is open.
pub(super) fn begin(line: &str) -> (Typed, Option<char>) {
    let (mut typed, mut word, mut quote) = (Typed::default(), None::<String>, None);
    for char in line.chars() {
        match (quote, char) {
            (Some(open), _) if open == char => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(char),
            (None, '"' | '\'') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => return (typed, None),
            (None, '|') => {
                end_word(&mut typed, &mut word);
                typed.filters.push(Vec::new());
            }
            (None, _) if char.is_whitespace() => end_word(&mut typed, &mut word),
            (None, _) => word.get_or_insert_default().push(char),
        }
    }
    typed.is_open = word.is_some();
    end_word(&mut typed, &mut word);
    (typed, quote)
}

/// Whether a character means something outside of quotation marks.
pub(super) fn is_special(char: char) -> bool {
    char.is_whitespace() || matches!(char, '"' | '\'' | '|' | '#')
}

/// A word in quotation marks; none: it has both kinds.
pub(super) fn quoted(word: &str) -> Option<String> {
    let quote = ['\'', '"'].into_iter().find(|quote| !word.contains(*quote))?;
    Some(format!("{quote}{word}{quote}"))
}

fn end_word(typed: &mut Typed, word: &mut Option<String>) {
    if let Some(word) = word.take() {
        typed.filters.last_mut().unwrap_or(&mut typed.words).push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_filters_and_comments() {
        let typed =
            take_apart("audit waive a.b A603 -r 'it is | fine' | match \"a|b\" # why").unwrap();
        assert_eq!(typed.words, ["audit", "waive", "a.b", "A603", "-r", "it is | fine"]);
        assert_eq!(typed.filters, [["match", "a|b"]]);
        assert_eq!(words("zone show a\\032b.example \"\"").unwrap().last().unwrap(), "");
        assert_eq!(take_apart("show 'x"), Err(WordsError::Open('\'')));
        assert_eq!(take_apart("show zones |"), Err(WordsError::NoFilter));
        assert!(begin("zone li").0.is_open && !begin("zone ").0.is_open);
    }
}
