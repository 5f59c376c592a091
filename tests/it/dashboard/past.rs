//! The past on the screen: marked as such, moved in by keys, and without one that acts.

use std::sync::Arc;

use apos::domain::{Role, Time};
use apos::tui::escape::Key;
use apos::tui::theme::Theme;
use apos::tui::ui::timeline::{Mark, Marked, Timeline, Travel};
use apos::tui::ui::{Deed, Mode, Pace, PaceKey};

use super::{Desk, SIZES, char, check, scenes, styles};

fn at(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn timeline() -> Timeline {
    let mark = |time: &str, what| Mark { at: at(time), what };
    Timeline {
        from: at("2026-08-13T02:00:00Z"),
        to: at("2026-08-13T04:00:00Z"),
        at: scenes::now(),
        marks: vec![
            mark("2026-08-13T01:00:00Z", Marked::Incident),
            mark("2026-08-13T02:20:00Z", Marked::Incident),
            mark("2026-08-13T03:00:00Z", Marked::Action),
            mark("2026-08-13T03:40:00Z", Marked::Incident),
        ],
        folding: None,
        indexed: 100,
        decided: None,
    }
}

fn desk(size: (u16, u16)) -> Desk {
    // Even an admin can only look.
    let mut desk = Desk::of(scenes::outage(), size, Role::Admin, Mode::Past { source: "log.db".into() });
    desk.ui.timeline = Some(timeline());
    desk.ui.pace = Pace { speed: 10.0, paused: true };
    desk
}

#[test]
fn the_past_looks_as_its_golden_screens() {
    for size in SIZES {
        for (name, keys) in
            [("past", vec![]), ("past-time", vec![char('t'), char('0'), char('3')]), ("past-keys", vec![char('?')])]
        {
            let mut desk = desk(size);
            for key in keys {
                assert_eq!(desk.press(key), None);
            }
            check(&format!("{name}-{}x{}.txt", size.0, size.1), &desk.text());
        }
    }
    let mut plain = desk(SIZES[0]);
    check("past-styles.txt", &styles(&plain.draw()));
    plain.theme = Theme::monochrome();
    check("past-monochrome.txt", &styles(&plain.draw()));
    plain.theme = Theme { ascii: true, ..Theme::calm() };
    let drawn = plain.text();
    assert!(drawn.is_ascii() && !drawn.contains("??"), "{drawn}");
    check("past-ascii.txt", &drawn);
}

#[test]
fn the_levels_and_what_was_left_undone_are_read_and_not_set() {
    for size in SIZES {
        let mut desk = desk(size);
        assert_eq!(desk.press(char('l')), None);
        let drawn = desk.text();
        assert!(drawn.contains("Autonomy") && drawn.contains("read only") && drawn.contains("this week"), "{drawn}");
        assert!(!drawn.contains("set to") && !drawn.contains("y set"), "{drawn}");
        desk.wait(1_000);
        assert_eq!(desk.press(char('y')), None, "nothing can be set");
        desk.press(Key::Down);
        desk.press(Key::Enter);
        assert!(!desk.text().contains("this week"), "{}", desk.text());
    }
}

#[test]
fn a_proposal_of_the_past_asks_nobody() {
    let mut desk = desk(SIZES[1]);
    desk.press(char('3'));
    desk.press(Key::Enter);
    let drawn = desk.text();
    assert!(drawn.contains("Proposal act-12") && !drawn.contains("Approve act-12?"), "{drawn}");
}

#[test]
fn a_jump_shows_how_far_it_is_and_the_bar_does_not_move() {
    let mut desk = desk(SIZES[0]);
    let bar = |drawn: &str| drawn.lines().nth(22).unwrap().split("  2026").next().unwrap().to_owned();
    let still = desk.text();
    desk.ui.timeline = Some(Timeline { folding: Some(43), ..timeline() });
    let going = desk.text();
    assert!(going.contains("going 43 %") && !still.contains("going"), "{going}");
    desk.ui.timeline = Some(Timeline { indexed: 7, ..timeline() });
    let indexing = desk.text();
    assert!(indexing.contains("index 7 %"), "{indexing}");
    assert!(bar(&still) == bar(&going) && bar(&still) == bar(&indexing), "{going}");
}

#[test]
fn every_way_to_move_has_a_key() {
    for (key, deed) in [
        (char(' '), Deed::Pace(PaceKey::PauseOrGo)),
        (char('+'), Deed::Pace(PaceKey::Faster)),
        (char('n'), Deed::Travel(Travel::Next(Marked::Incident))),
        (char('N'), Deed::Travel(Travel::Previous(Marked::Incident))),
        (char('x'), Deed::Travel(Travel::Next(Marked::Action))),
        (char('X'), Deed::Travel(Travel::Previous(Marked::Action))),
        (char('d'), Deed::Travel(Travel::NextDecision)),
        (char(','), Deed::Travel(Travel::By(-60))),
        (char('>'), Deed::Travel(Travel::By(600))),
        (char('0'), Deed::Travel(Travel::Begin)),
        (char('$'), Deed::Travel(Travel::End)),
    ] {
        assert_eq!(desk(SIZES[0]).press(key), Some(deed));
        let mut demo = Desk::new(scenes::outage(), SIZES[0]);
        assert!(!matches!(demo.press(char('n')), Some(Deed::Travel(_))), "only the past is moved in");
    }
}

#[test]
fn a_typed_time_is_gone_to_and_what_is_none_is_refused() {
    let mut desk = desk(SIZES[0]);
    let typed = |desk: &mut Desk, text: &str| {
        desk.press(char('t'));
        text.chars().for_each(|c| assert_eq!(desk.press(char(c)), None));
        desk.press(Key::Enter)
    };
    assert_eq!(typed(&mut desk, "03:12"), Some(Deed::Travel(Travel::To(at("2026-08-13T03:12:00Z")))));
    assert!(desk.ui.dialog.is_none());
    assert_eq!(typed(&mut desk, "-10m"), Some(Deed::Travel(Travel::To(at("2026-08-13T03:04:07Z")))));
    assert_eq!(typed(&mut desk, "soon"), None);
    assert!(desk.text().contains("`soon` is not a time"), "{}", desk.text());
    assert_eq!(desk.press(Key::Esc), None);
    assert!(desk.ui.dialog.is_none());
}

#[test]
fn no_key_of_the_past_acts() {
    let mut desk = desk(SIZES[1]);
    desk.press(char('3'));
    for key in [char('u'), char('!'), char('p'), char('l'), Key::Enter, char('y'), char('r'), char('R')] {
        assert!(!matches!(desk.press(key), Some(Deed::Order(_))));
    }
    let drawn = desk.text();
    assert!(drawn.contains(" PAST log.db ") && !drawn.contains("  y approve") && !drawn.contains("  u undo"), "{drawn}");
}

#[test]
fn a_jump_shows_everything_of_its_moment_at_once() {
    let mut desk = desk(SIZES[0]);
    assert!(desk.text().contains("■ down"), "{}", desk.text());
    desk.see(scenes::calm());
    let drawn = desk.text();
    assert!(drawn.contains("0 open") && !drawn.contains("■ down") && !drawn.contains("new: g"), "{drawn}");
}

/// Just after a decision none of its events is in the stream yet: the footer names it, and Enter explains it.
#[test]
fn the_next_decision_is_named_and_explained() {
    let mut desk = desk(SIZES[1]);
    let decided = Arc::new(scenes::decision("pay_77", at("2026-08-13T03:14:07.120Z")));
    let there = Timeline { decided: Some(decided), ..timeline() };
    desk.ui.travelled(there.clone(), desk.now);
    assert!(desk.text().contains("decision pay_77 to checkout at 03:14:07.120; Enter explains"), "{}", desk.text());
    // The same place told again says nothing anew; another key, and Enter opens what is under the cursor.
    desk.press(char('1'));
    desk.ui.travelled(there.clone(), desk.now);
    desk.press(Key::Enter);
    assert!(desk.text().contains("Connector "), "{}", desk.text());
    desk.press(Key::Esc);
    desk.ui.travelled(timeline(), desk.now);
    desk.ui.travelled(there, desk.now);
    desk.press(Key::Enter);
    let drawn = desk.text();
    assert!(drawn.contains("Decision: pay_77, attempt 1"), "{drawn}");
    desk.press(Key::Esc);
    assert!(desk.ui.dialog.is_none());
}

/// Where time stands still a step is a second, and the clock shows it.
#[test]
fn a_simulation_that_stands_still_shows_its_seconds() {
    let mut demo = Desk::new(scenes::outage(), SIZES[1]);
    assert!(demo.text().contains("03:14 +00:00"), "{}", demo.text());
    demo.ui.pace = Pace { speed: 1.0, paused: true };
    assert!(demo.text().contains("03:14:07 +00:00"), "{}", demo.text());
}
