//! What is in force is in the log, and everybody sees it at once.

use safepassage_audit::{Entry, Filter};
use safepassage_error::Kind;

use crate::faulty::FaultyFolder;
use crate::{lines, open, search, set};

#[test]
fn a_switch_holds_for_every_log_on_the_folder_and_is_a_line() {
    let folder = FaultyFolder::empty();
    let (one, other) = (open(&folder), open(&folder));
    assert!(!one.settings().unwrap().on && folder.files().live.is_empty(), "looking begins nothing");
    set(&one, |settings| settings.on = true);
    assert!(other.settings().unwrap().on);
    other.append(vec![search("alice", &["memo"])]).unwrap();
    set(&other, |settings| settings.on = false);
    assert!(!one.settings().unwrap().on);
    let actions: Vec<String> = lines(&one).into_iter().map(|line| line.entry.action).collect();
    assert_eq!(actions, ["begin", "audit_settings", "search", "audit_settings"]);
}

#[test]
fn settings_that_make_no_sense_change_nothing() {
    let folder = FaultyFolder::empty();
    let log = open(&folder);
    set(&log, |settings| settings.on = true);
    for wrong in [4095, 0] {
        let change = log.change(Entry::new("audit_settings", "ok"), |standing, _| {
            standing.settings.rotate_bytes = wrong;
            standing.settings.on = false;
            Ok(())
        });
        assert_eq!(change.unwrap_err().kind(), Kind::Invalid);
    }
    assert!(log.settings().unwrap().on);
    assert_eq!(log.verify(None).unwrap().lines, 2);
}

#[test]
fn lines_are_found_by_user_document_action_and_number() {
    let log = open(&FaultyFolder::empty());
    let all = [search("alice", &["memo", "plan"]), search("bob", &["memo"]), search("alice", &[])];
    log.append(all.to_vec()).unwrap();
    let found = |filter: Filter| {
        let mut found = Vec::new();
        log.show(&filter, &mut |line| {
            found.push(line.seq);
            Ok(())
        })
        .unwrap();
        found
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(Filter { user: text("alice"), ..Filter::default() }), [2, 4]);
    assert_eq!(found(Filter { document: text("memo"), ..Filter::default() }), [2, 3]);
    assert_eq!(found(Filter { document: text("mem"), ..Filter::default() }), Vec::<u64>::new());
    assert_eq!(found(Filter { since: Some(3), ..Filter::default() }), [3, 4]);
    assert_eq!(found(Filter { action: text("begin"), ..Filter::default() }), [1]);
    assert_eq!(found(Filter::default()), [1, 2, 3, 4]);
}

#[test]
fn there_is_no_log_before_the_first_entry() {
    let log = open(&FaultyFolder::empty());
    assert_eq!(log.head().unwrap_err().kind(), Kind::NotFound);
    assert_eq!(log.verify(None).unwrap_err().kind(), Kind::NotFound);
    assert_eq!(log.mend("x").unwrap_err().kind(), Kind::NotFound);
    assert!(log.standing().unwrap().is_none());
}

#[test]
fn a_long_line_that_states_what_is_in_force_is_read_whole() {
    let folder = FaultyFolder::empty();
    let entry = Entry { reason: Some("why ".repeat(3000)), ..Entry::new("audit_on", "ok") };
    let switched = open(&folder).change(entry, |standing, _| {
        standing.settings.on = true;
        Ok(())
    });
    switched.unwrap();
    assert!(open(&folder).settings().unwrap().on);
    open(&folder).append(vec![search("alice", &["memo"])]).unwrap();
}
