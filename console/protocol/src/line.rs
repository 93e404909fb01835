//! A typed line as words. In: text. Out: words.

/// The words of a line, apart at white space, as OpenDNSSEC's daemons take them apart: nothing
/// is a quotation mark.
pub fn words(line: &str) -> Vec<String> {
    line.split_ascii_whitespace().map(str::to_owned).collect()
}

/// The same for a command line whose words a shell has taken apart once already: OpenDNSSEC puts
/// them together again, so that `"zone list"` is two words.
pub fn words_again(words: &[String]) -> Vec<String> {
    words.iter().flat_map(|word| self::words(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_apart_at_any_white_space() {
        assert_eq!(words("  zone \t list\r\n"), ["zone", "list"]);
        assert!(words(" \n").is_empty());
        let given = ["zone list".to_owned(), "-z".to_owned(), String::new()];
        assert_eq!(words_again(&given), ["zone", "list", "-z"]);
    }
}
