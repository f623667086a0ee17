//! Here are letters and digits: is it the number of a card, of an account, of a telephone?
//!
//! Cards by the check digit of Luhn (ISO/IEC 7812-1, annex B), accounts by length and the remainder of 97 (ISO 13616),
//! telephones by their form alone.

use std::ops::Range;

/// How long the number of an account is in each country.
const IBAN_LENGTHS: &str = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24\
    FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27\
    MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28\
    TL23TN24TR26UA29VA22VG24XK20YE30";

/// Digits that stand together, with the bytes they are at.
struct Group<'a> {
    digits: &'a str,
    at: Range<usize>,
}

impl Group<'_> {
    /// Whether the number of a card may be written in groups like this.
    fn is_part(&self) -> bool {
        (3..=6).contains(&self.digits.len())
    }
}

/// Every number of a card in `text`: digits in groups of three to six with one blank, dot or dash between them, or none.
pub(super) fn cards(text: &str) -> Vec<Range<usize>> {
    let groups = groups(text);
    let mut found = Vec::new();
    for first in 0..groups.len() {
        let mut number = String::new();
        for (n, group) in groups[first..].iter().enumerate() {
            if n > 0
                && !(group.is_part()
                    && groups[first].is_part()
                    && joined(&text[groups[first + n - 1].at.end..group.at.start]))
            {
                break;
            }
            number.push_str(group.digits);
            if number.len() > 19 {
                break;
            }
            if number.len() >= 13 && is_card(&number) {
                found.push(groups[first].at.start..group.at.end);
            }
        }
    }
    found
}

fn groups(text: &str) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (at, _) in text.match_indices(|c: char| c.is_ascii_digit()) {
        match groups.last_mut() {
            Some(last) if last.at.end == at => {
                last.at.end = at + 1;
                last.digits = &text[last.at.clone()];
            }
            _ => groups.push(Group { digits: &text[at..=at], at: at..at + 1 }),
        }
    }
    groups
}

/// Whether what stands between two groups of digits keeps them together.
fn joined(between: &str) -> bool {
    let mut all = between.chars();
    all.next().is_some_and(|c| c.is_whitespace() || matches!(c, '-' | '.' | '\u{2010}'..='\u{2013}'))
        && all.next().is_none()
}

/// Whether digits are the number of a card.
fn is_card(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .map(|byte| u32::from(byte - b'0'))
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10) && !digits.starts_with('0')
}

/// Every number of an account in `text`: with blanks between groups, or none.
pub(super) fn accounts(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let starts = (0..bytes.len().saturating_sub(3)).filter(|&at| {
        let begins = bytes[at..at + 2].iter().all(u8::is_ascii_alphabetic);
        begins && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric()) && (at == 0 || text.is_char_boundary(at))
    });
    starts.filter_map(|at| account(text, at)).collect()
}

/// The number of an account that begins at `start`.
fn account(text: &str, start: usize) -> Option<Range<usize>> {
    let country = text[start..start + 2].to_ascii_uppercase();
    let entry = IBAN_LENGTHS.as_bytes().chunks(4).find(|entry| entry[..2] == *country.as_bytes())?;
    let length = usize::from(entry[2] - b'0') * 10 + usize::from(entry[3] - b'0');
    let mut number = String::new();
    let mut end = start;
    for (at, c) in text[start..].char_indices() {
        if c.is_ascii_alphanumeric() {
            number.push(c.to_ascii_uppercase());
            end = start + at + 1;
            if number.len() == length {
                break;
            }
        } else if !(c.is_whitespace() || c == '-') || start + at > end {
            // One blank between groups.
            return None;
        }
    }
    let ends = text[end..].chars().next().is_none_or(|c| !c.is_ascii_alphanumeric());
    (number.len() == length && ends && is_account(&number)).then_some(start..end)
}

/// Whether letters and digits are the number of an account.
fn is_account(number: &str) -> bool {
    let turned = number.bytes().skip(4).chain(number.bytes().take(4));
    let rest = turned.fold(0u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    rest == 1 && number.as_bytes()[2..4].iter().all(u8::is_ascii_digit)
}

/// Whether what has the form of a telephone number is one: not too few digits, not too many, and no date.
pub(super) fn is_telephone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let least = if text.starts_with('+') { 8 } else { 9 };
    (least..=15).contains(&digits) && !begins_with_date(text)
}

/// Whether it begins with day, month and year, or year, month and day, and goes on with anything but what parts these.
fn begins_with_date(text: &str) -> bool {
    let groups = groups(text);
    let [first, second, third, rest @ ..] = &groups[..] else { return false };
    let between = |left: &Group<'_>, right: &Group<'_>| &text[left.at.end..right.at.start];
    let (parted, number) = (between(first, second), |group: &Group<'_>| group.digits.parse().unwrap_or(u32::MAX));
    let within = |group: &Group<'_>, most: u32| group.digits.len() <= 2 && (1..=most).contains(&number(group));
    let day_first = within(first, 31) && within(second, 31) && matches!(third.digits.len(), 2 | 4);
    let year_first = first.digits.len() == 4 && within(second, 12) && within(third, 31);
    // Telephones in pairs, such as 06.12.24.36.48, go on as they began.
    let ends = rest.first().is_none_or(|next| between(third, next) != parted);
    [".", "-", "/"].contains(&parted) && between(second, third) == parted && (day_first || year_first) && ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, find: fn(&str) -> Vec<Range<usize>>) -> Vec<&str> {
        find(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn cards_are_found_by_their_check_digit_however_they_are_grouped() {
        for card in
            ["4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004", "3400 000000 00009", "6011000990139424"]
        {
            assert_eq!(of(&format!("card {card}, exp. 12/27"), cards), [card]);
            let wrong = card.replacen('1', "2", 1).replacen("0000", "0001", 1);
            assert_ne!(wrong, card);
            assert!(of(&wrong, cards).is_empty(), "{wrong}");
        }
        assert_eq!(of("in 2024 4111 1111 1111 1111 3", cards), ["4111 1111 1111 1111"]);
        for none in [
            "0000 0000 0000 0000",
            "x4111111111111111234567",
            "4111  1111  1111  1111",
            "4111, 1111, 1111, 1111",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        ] {
            assert!(of(none, cards).is_empty(), "{none}");
        }
    }

    #[test]
    fn accounts_are_found_by_country_length_and_remainder() {
        for account in [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "GB29 NWBK 6016 1331 9268 19",
            "fr1420041010050500013M02606",
            "NO93 8601 1117 947",
            "MT84MALT011000012345MTLCAST001S",
        ] {
            assert_eq!(of(&format!("to {account} and more"), accounts), [account]);
            let wrong = account.replacen('1', "2", 1);
            assert!(of(&wrong, accounts).is_empty(), "{wrong}");
        }
        for none in
            ["XX89370400440532013000", "DE8937040044053201300", "ADE89370400440532013000", "DE893704004405320130001"]
        {
            assert!(of(none, accounts).is_empty(), "{none}");
        }
        assert!(of("éDE", accounts).is_empty());
    }
}
