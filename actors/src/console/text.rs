//! Forms of OpenDNSSEC's output. In: values. Out: text.

/// A line of columns, as `printf` makes it with widths of `%-31s`: at least so many octets, and a
/// blank between two.
pub(super) fn columns(cells: &[(&str, usize)]) -> String {
    let padded = cells.iter().map(|(text, width)| {
        let missing = width.saturating_sub(text.len());
        format!("{text}{}", " ".repeat(missing))
    });
    padded.collect::<Vec<_>>().join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_printf() {
        let line = columns(&[("Name:", 10), ("a longer text", 5), ("end", 4)]);
        assert_eq!(line, "Name:      a longer text end \n");
        assert_eq!(columns(&[("é", 4), ("x", 0)]), "é   x\n");
    }
}
