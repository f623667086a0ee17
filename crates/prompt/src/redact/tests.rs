use std::fmt::Write;

use proptest::prelude::*;

use super::*;

/// What must be taken out, with its kind.
const SECRETS: &[(&str, &str)] = &[
    ("ada.lovelace+x@mail.example.co.uk", "email"),
    ("o'neill@example.org", "email"),
    ("jürgen@exämple.de", "email"),
    ("+49 (0)30 901820-42", "telephone"),
    ("+4915112345678", "telephone"),
    ("030 / 901820", "telephone"),
    ("(030) 90 18 20 42", "telephone"),
    ("(555) 010-9999", "telephone"),
    ("555-010-9999", "telephone"),
    ("06.12.24.36.48", "telephone"),
    ("０３０ / ９０１８２０", "telephone"),
    ("٠٣٠ ٩٠١٨٢٠٤٢", "telephone"),
    ("４１１１ １１１１ １１１１ １１１１", "card"),
    ("٤١١١ ١١١١ ١١١١ ١١١١", "card"),
    ("4111\u{200b}1111\u{200b}1111\u{200b}1111", "card"),
    ("𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏", "card"),
    ("ＤＥ８９ ３７０４ ００４４ ０５３２ ０１３０ ００", "iban"),
    ("ada＠example．org", "email"),
    ("4111 1111 1111 1111", "card"),
    ("5500000000000004", "card"),
    ("DE89 3704 0044 0532 0130 00", "iban"),
    ("GB29NWBK60161331926819", "iban"),
    ("AKIAIOSFODNN7EXAMPLE", "aws-key"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws-key"),
    ("Bearer abcdefghijklmnopqrstuvwx", "token"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "token"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "token"),
    ("sk-abcdefghijklmnopqrstuvwx", "token"),
];

const PROSE: &[&str] = &[
    "Pay",
    "rises",
    "by",
    "four",
    "percent,",
    "in",
    "July 2026",
    "on 01.02.2026",
    "at 12:30",
    "see §",
    "[1]",
    "[2][3]",
    "é",
    "漢字も",
    "版本 3.14",
    "(1,234.50 €)",
    "2020-12-31",
    "https://example.com/a?b=1",
    "well-known",
    "x = y",
    "a/b",
    "10 11 12 13",
    "\n\n",
    "—",
];

fn of(text: &str) -> (String, Counts) {
    redacted(&Identifiers as &dyn Redactor, text)
}

#[test]
fn identifiers_are_taken_out_wherever_they_stand() {
    for (secret, kind) in SECRETS {
        for text in [
            secret.to_string(),
            format!("Call {secret}."),
            format!("“{secret}”, or"),
            format!("a\n{secret}\nb"),
            format!("漢{secret} 字"),
        ] {
            let (shown, counts) = of(&text);
            assert!(!shown.contains(secret) && shown.contains(&format!("[{kind}]")), "{text} -> {shown}");
            assert_eq!(counts.get(kind), Some(&1), "{text} -> {shown}");
        }
    }
}

#[test]
fn prose_stays_as_it_is() {
    let text = PROSE.join(" ");
    assert_eq!(of(&text), (text.clone(), Counts::new()));
    for text in [
        "",
        " ",
        "2026-11-22T19:39:22Z",
        "ISO 9001:2015, Section 3.2.1",
        "chapters 1-12",
        "12.5 % of 1 000 000 EUR",
        "user@",
        "@home",
        "01.02.2026 10:15 Uhr, 05.06.26 - 08.06.26, 22/11/2026 12.30",
        "2026-11-22 2026-11-23 0042, 2026/11/22 10 00 00",
        "order 2026-11-22-0042, Bestellung 4711-0815, PO 45001234, RMA-00012",
        "v1.2.3-rc.4+build.5, 10.0.19045.3693, 2.34.1, kernel 6.8.0-49",
        "192.168.0.1:8080, fe80::1, 255.255.255.0",
        "ISBN 978-3-16-148410-0, ISSN 2049-3630, DIN EN 60601-1-2",
        "1.000.000,00 EUR, 3.141592653589793, 100 200 300 EUR",
        "§ 12 Abs. 3 Nr. 4, p. 12-15, Kap. 3.2.1, 4 x 100 m",
        "二〇二六年十一月二十二日 １２月 三割 ５０％",
    ] {
        assert_eq!(of(text).0, text);
    }
}

#[test]
fn what_never_ends_is_passed_on_and_nothing_found_is_cut() {
    let mut text = String::new();
    for n in 0..3000 {
        write!(text, "{} ", n % 7).unwrap();
        if n % 500 == 0 {
            text.push_str("4111 1111 1111 1111 ");
        }
    }
    let mut redacting = Redacting::new(&Identifiers as &dyn Redactor);
    let mut out = String::new();
    for byte in text.chars() {
        out.push_str(&redacting.push(byte.encode_utf8(&mut [0; 4])));
        assert!(redacting.pending.len() < 6000);
    }
    out.push_str(&redacting.finish());
    assert_eq!((out.as_str(), redacting.counts().get("card")), (of(&text).0.as_str(), Some(&6)));
    assert!(!out.contains("4111"));
    let word = "x".repeat(20_000);
    assert_eq!(of(&word).0, word);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_pieces_in_which_a_text_comes_change_nothing(
        words in prop::collection::vec((0..PROSE.len() + SECRETS.len(), prop::sample::select(vec![" ", "", "\n", ", ", "  "])), 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let mut text = String::new();
        for (at, between) in &words {
            text.push_str(PROSE.get(*at).copied().unwrap_or_else(|| SECRETS[at - PROSE.len()].0));
            text.push_str(between);
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len() + 1))).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let mut redacting = Redacting::new(&Identifiers as &dyn Redactor);
        let mut out = String::new();
        for pair in cuts.windows(2) {
            out.push_str(&redacting.push(&text[pair[0]..pair[1]]));
        }
        out.push_str(&redacting.finish());
        prop_assert_eq!(&(out, redacting.counts().clone()), &of(&text));
    }

    #[test]
    fn no_identifier_among_words_gets_through(
        before in prop::collection::vec(0..PROSE.len(), 0..8),
        secret in 0..SECRETS.len(),
        after in prop::collection::vec(0..PROSE.len(), 0..8),
    ) {
        let words = |all: &[usize]| all.iter().map(|at| PROSE[*at]).collect::<Vec<_>>().join(" ");
        let text = format!("{} — {} — {}", words(&before), SECRETS[secret].0, words(&after));
        let (shown, _) = of(&text);
        prop_assert!(!shown.contains(SECRETS[secret].0), "{} -> {}", text, shown);
    }
}
