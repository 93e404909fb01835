//! Performance data as the Monitoring Plugins guidelines have it, read by its grammar:
//! `'label'=value[UOM];[warn];[crit];[min];[max]`. In: what Nagios kept of it. Out: labels.

/// The labels of all of it, or what is against the grammar.
pub(crate) fn labels(text: &str) -> Result<Vec<&str>, String> {
    text.split(' ').map(measure).collect()
}

fn measure(word: &str) -> Result<&str, String> {
    let (label, rest) = word.split_once('=').ok_or_else(|| format!("no value: {word:?}"))?;
    let is_plain = |it: char| it.is_ascii_alphanumeric() || it == '_';
    if label.is_empty() || label.len() > 19 || !label.chars().all(is_plain) {
        return Err(format!("label {label:?}"));
    }
    let mut fields = rest.split(';');
    let value = fields.next().unwrap_or_default();
    let is_unit = |it: char| it.is_ascii_alphabetic() || it == '%';
    let (value, unit) = value.split_at(value.find(is_unit).unwrap_or(value.len()));
    if !["", "s", "ms", "us", "%", "B", "KB", "MB", "TB", "c"].contains(&unit) {
        return Err(format!("unit {unit:?} of {word}"));
    }
    let number = |text: &str| text.parse::<f64>().map_err(|error| format!("{word}: {error}"));
    number(value)?;
    let fields: Vec<&str> = fields.collect();
    if fields.len() > 4 {
        return Err(format!("too much: {word}"));
    }
    fields.iter().take(2).filter(|field| !field.is_empty()).try_for_each(|field| range(field))?;
    for bound in fields.iter().skip(2).filter(|field| !field.is_empty()) {
        number(bound)?;
    }
    Ok(label)
}

/// `[@]start:end`; the start may be left out, or be `~`, and so may the end.
fn range(text: &str) -> Result<(), String> {
    let plain = text.strip_prefix('@').unwrap_or(text);
    let (start, end) = plain.split_once(':').unwrap_or(("0", plain));
    let number = |bound: &str, without: f64| match bound {
        "" => Ok(without),
        bound => bound.parse::<f64>().map_err(|error| format!("range {text}: {error}")),
    };
    let start = if start == "~" { f64::NEG_INFINITY } else { number(start, 0.0)? };
    match start <= number(end, f64::INFINITY)? {
        true => Ok(()),
        false => Err(format!("range {text} is empty")),
    }
}
