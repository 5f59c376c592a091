//! Golden screens and keys of the dashboard. `APOS_BLESS=1` rewrites the goldens under `golden/screens`.

mod past;
pub(crate) mod scenes;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apos::domain::settings::{Levels, Window};
use apos::domain::{ActionClass, Autonomy, OperatorName, Order, Role};
use apos::engine::Snapshot;
use apos::engine::snapshot::{ActionRow, ActionStatus, AnomalyType, HistoryRow, ScalingView};
use apos::tui::escape::Key;
use apos::tui::theme::Theme;
use apos::tui::ui::{Deed, Mode, Pace, PaceKey, Session, Ui};
use apos::tui::view::view;
use jiff::tz::TimeZone;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

/// A screen with its snapshot, and a hand on its keys. Time moves only when it is told to.
struct Desk {
    ui: Ui,
    snapshot: Snapshot,
    theme: Theme,
    size: (u16, u16),
    now: Duration,
}

impl Desk {
    fn new(snapshot: Snapshot, size: (u16, u16)) -> Self {
        Self::of(snapshot, size, Role::Admin, Mode::Simulation { scenario: "outage".into(), seed: 7 })
    }

    fn of(snapshot: Snapshot, size: (u16, u16), role: Role, mode: Mode) -> Self {
        let session = Session {
            mode,
            role,
            operator: OperatorName::parse("alice").unwrap(),
            zone: TimeZone::UTC,
            faults: vec!["break adyen".into(), "kill Redis".into()],
        };
        let mut desk = Self { ui: Ui::new(session), snapshot, theme: Theme::calm(), size, now: Duration::ZERO };
        desk.ui.see(&Arc::new(desk.snapshot.clone()), desk.now);
        desk.draw();
        desk
    }

    fn draw(&mut self) -> Buffer {
        let mut frame = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        let pages = view(&mut frame, &self.snapshot, &self.ui, &self.theme);
        self.ui.drawn(pages, self.now);
        frame
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn see(&mut self, snapshot: Snapshot) {
        self.snapshot = snapshot;
        self.ui.see(&Arc::new(self.snapshot.clone()), self.now);
        self.draw();
    }

    /// Presses a key as a person does: after a while, looking at what it did.
    #[expect(clippy::needless_pass_by_value, reason = "a table of keys reads better without ampersands")]
    fn press(&mut self, key: Key) -> Option<Deed> {
        self.wait(400);
        self.press_at_once(&key)
    }

    fn press_at_once(&mut self, key: &Key) -> Option<Deed> {
        let deed = self.ui.press(key, &self.snapshot, self.now);
        self.draw();
        deed
    }

    fn text(&mut self) -> String {
        text(&self.draw())
    }
}

fn char(c: char) -> Key {
    Key::Char(c)
}

fn text(frame: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..frame.area.height {
        let row: String = (0..frame.area.width).map(|x| frame[(x, y)].symbol()).collect();
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// The styles of a frame, run by run: `row: columns style "text"`; what is drawn plainly is left out.
fn styles(frame: &Buffer) -> String {
    let mut dump = String::new();
    for y in 0..frame.area.height {
        let mut x = 0;
        while x < frame.area.width {
            let begin = x;
            let style = style(&frame[(x, y)]);
            let mut run = String::new();
            while x < frame.area.width && style == self::style(&frame[(x, y)]) {
                run.push_str(frame[(x, y)].symbol());
                x += 1;
            }
            if !style.is_empty() && !run.trim().is_empty() {
                writeln!(dump, "{y:>2}: {begin:>3}-{:<3} {style:<24} {:?}", x - 1, run.trim_end()).unwrap();
            }
        }
    }
    dump
}

fn style(cell: &Cell) -> String {
    let mut parts = Vec::new();
    if cell.fg != Color::Reset {
        parts.push(format!("{}", cell.fg));
    }
    if cell.bg != Color::Reset {
        parts.push(format!("on {}", cell.bg));
    }
    for (modifier, word) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::REVERSED, "reverse"),
        (Modifier::UNDERLINED, "underlined"),
    ] {
        if cell.modifier.contains(modifier) {
            parts.push(word.into());
        }
    }
    parts.join(" ")
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/screens").join(name)
}

fn check(name: &str, drawn: &str) {
    let path = golden(name);
    if std::env::var_os("APOS_BLESS").is_some() {
        std::fs::write(&path, drawn).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == drawn, "{} differs; APOS_BLESS=1 accepts what is drawn now:\n{drawn}", path.display());
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

/// Each scene, and the keys that lead to it.
fn scenes() -> Vec<(&'static str, Snapshot, Vec<Key>)> {
    vec![
        ("empty", Snapshot::default(), vec![]),
        ("calm", scenes::calm(), vec![]),
        ("outage", scenes::outage(), vec![]),
        ("approval", scenes::outage(), vec![char('w'), Key::Enter]),
        ("hindsight", scenes::hindsight(), vec![char('w'), Key::Enter, char('h')]),
        ("undo", scenes::approved(), vec![char('3'), char('u')]),
        ("incident", scenes::outage(), vec![char('2'), Key::Enter]),
        ("connector", scenes::outage(), vec![Key::Enter]),
        ("decision", scenes::calm(), vec![char('5'), Key::Up, Key::Enter]),
        ("levels", scenes::outage(), vec![char('l')]),
        ("adoption", scenes::adopting(), [vec![char('l')], vec![Key::Down; ActionClass::ALL.len() + 2]].concat()),
        ("killed", scenes::killed(), vec![]),
        ("experiments", scenes::experimenting(), vec![char('e')]),
        ("left", scenes::hindsight(), vec![char('l')]),
        ("model", scenes::modelled(), vec![char('m')]),
        ("model-failed", scenes::model_failed(), vec![char('m')]),
        ("keys", scenes::calm(), vec![char('?')]),
        ("panic", scenes::outage(), vec![char('!')]),
    ]
}

fn desk_of(snapshot: &Snapshot, keys: &[Key], size: (u16, u16), theme: Theme) -> Desk {
    let mut desk = Desk::new(snapshot.clone(), size);
    desk.theme = theme;
    for key in keys {
        assert_eq!(desk.press(key.clone()), None, "{key:?} only leads to the scene");
    }
    desk
}

#[test]
fn every_scene_looks_as_its_golden_screens() {
    for (name, snapshot, keys) in scenes() {
        for size in SIZES {
            let mut desk = desk_of(&snapshot, &keys, size, Theme::calm());
            check(&format!("{name}-{}x{}.txt", size.0, size.1), &desk.text());
        }
    }
}

#[test]
fn every_scene_can_be_drawn_in_ascii() {
    for (name, snapshot, keys) in scenes() {
        for size in SIZES {
            let mut desk = desk_of(&snapshot, &keys, size, Theme { ascii: true, ..Theme::calm() });
            let drawn = desk.text();
            assert!(drawn.is_ascii() && !drawn.replace("Approve act-12?", "").replace("Undo act-12?", "").contains("??"));
            if size == SIZES[0] {
                check(&format!("{name}-ascii.txt"), &drawn);
            }
        }
    }
}

#[test]
fn the_styles_are_those_of_the_theme_and_monochrome_has_no_colour() {
    for (name, snapshot, keys) in scenes() {
        let coloured = desk_of(&snapshot, &keys, SIZES[0], Theme::calm()).draw();
        check(&format!("{name}-styles.txt"), &styles(&coloured));
        let plain = desk_of(&snapshot, &keys, SIZES[0], Theme::monochrome()).draw();
        assert!(plain.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset), "{name}");
        check(&format!("{name}-monochrome.txt"), &styles(&plain));
    }
}

#[test]
fn planned_maintenance_is_seen_in_the_panel_and_in_the_details() {
    let mut snapshot = scenes::calm();
    let until = scenes::now() + Duration::from_hours(2);
    let adyen = &mut snapshot.connectors[0];
    adyen.accounts[1].maintenance_until = Some(until);
    adyen.maintenance = vec![Window { start: scenes::now(), end: until, accounts: vec!["mca_2".into()] }];
    let mut desk = Desk::new(snapshot, SIZES[0]);
    assert!(desk.text().contains("maint 1/3"), "{}", desk.text());
    desk.press(Key::Enter);
    desk.press(Key::PageDown);
    let drawn = desk.text();
    assert!(drawn.contains("maintenance 2026-08-13 03:14 to 2026-08-13 05:14 +00:00, mca_2"), "{drawn}");
    assert!(drawn.contains("in planned maintenance until 05:14 +00:00"), "{drawn}");
}

#[test]
fn before_anything_is_usual_nothing_is_said_to_be() {
    for size in SIZES {
        let mut young = scenes::calm();
        young.incidents.clear();
        young.header.baseline_rate = None;
        let drawn = Desk::new(young.clone(), size).text();
        assert!(drawn.contains("○ learning what is usual") && drawn.contains("at risk not known yet"), "{drawn}");
        assert!(!drawn.contains("nothing out of the ordinary") && !drawn.contains("nothing needs you"), "{drawn}");
        young.connectors[0] = scenes::outage().connectors[0].clone();
        let drawn = Desk::new(young.clone(), size).text();
        assert!(drawn.contains("adyen: breaker open; what is usual is still being learnt"), "{drawn}");
        young.header.baseline_rate = Some(0.9);
        let drawn = Desk::new(young, size).text();
        assert!(drawn.contains("no incident, but adyen: breaker open"), "{drawn}");
        assert!(!drawn.contains("nothing out of the ordinary"), "{drawn}");
    }
}

#[test]
fn what_rests_says_until_when_and_is_reopened_by_a_key() {
    for size in SIZES {
        let mut snapshot = scenes::outage();
        let row = &mut snapshot.actions[0];
        row.status = ActionStatus::Rejected;
        row.rests_until = Some(scenes::now() + Duration::from_mins(7));
        let order = Order::Reopen { action: row.id, version: row.version };
        let mut desk = Desk::new(snapshot.clone(), size);
        desk.press(char('3'));
        desk.press(Key::Enter);
        let drawn = desk.text();
        assert!(drawn.contains("not proposed again for 7:00; a proposes it now"), "{drawn}");
        assert!(drawn.contains("a propose again"), "{drawn}");
        assert_eq!(desk.press(char('a')), Some(Deed::Order(order)));
        snapshot.actions[0].rests_until = None;
        let mut desk = Desk::new(snapshot, size);
        desk.press(char('3'));
        desk.press(Key::Enter);
        assert!(!desk.text().contains("propose again"), "{}", desk.text());
        assert_eq!(desk.press(char('a')), None);
        assert!(desk.text().contains("nothing of it rests"), "{}", desk.text());
    }
}

#[test]
fn a_scale_is_not_counted_among_the_actions_that_wait() {
    let mut snapshot = scenes::outage();
    let mut scale = snapshot.actions[0].clone();
    (scale.id.0, scale.class, scale.incident) = (99, ActionClass::Scaling, None);
    snapshot.actions.insert(1, scale);
    snapshot.header.pending_actions = 2;
    let drawn = Desk::new(snapshot.clone(), SIZES[0]).text();
    assert!(drawn.contains("◆ 1 action and 1 scaling proposal wait for you: w"), "{drawn}");
    snapshot.actions.remove(0);
    snapshot.header.pending_actions = 1;
    let drawn = Desk::new(snapshot, SIZES[0]).text();
    assert!(drawn.contains("◆ 1 scaling proposal waits for you: w"), "{drawn}");
}

#[test]
fn an_event_without_a_decision_says_that_none_stands_behind_it() {
    let mut desk = Desk::new(scenes::outage(), SIZES[0]);
    desk.press(char('5'));
    desk.press(Key::Enter);
    assert!(desk.text().contains("choose an event first (Up or Down)"), "{}", desk.text());
    desk.press(Key::Up);
    desk.press(Key::Down);
    desk.press(Key::Enter);
    assert!(desk.text().contains("no decision of an open payment"), "{}", desk.text());
}

#[test]
fn a_smaller_terminal_says_what_it_needs() {
    for size in [(79, 24), (80, 23), (40, 10), (20, 5), (1, 1)] {
        let mut desk = Desk::new(scenes::outage(), size);
        let drawn = desk.text();
        let words = drawn.split_whitespace().collect::<Vec<_>>().join(" ");
        let sentence = format!("terminal too small: have {}x{}, need 80x24", size.0, size.1);
        assert!(words == sentence || size == (1, 1), "{drawn}");
    }
    let mut tiny = Desk::new(scenes::outage(), (10, 2));
    assert_eq!(tiny.text(), "have 10x2,\nneed 80x24\n");
}

#[test]
fn ages_and_costs_of_incidents_are_never_cut() {
    let mut snapshot = scenes::outage();
    for row in &mut snapshot.incidents {
        row.resolved_at = row.resolved_at.map(|_| scenes::now());
    }
    snapshot.at = scenes::now() + Duration::from_mins(59);
    for size in SIZES {
        let drawn = Desk::new(snapshot.clone(), size).text();
        assert!(drawn.contains(" over 59 min"), "{drawn}");
    }
    let drawn = Desk::new(scenes::outage(), SIZES[1]).text();
    assert!(drawn.contains("EUR 1,208/min"), "the total, not its parts: {drawn}");
}

#[test]
fn connectors_that_come_later_are_seen_at_once_and_in_their_place_when_asked_for() {
    let mut few = scenes::calm();
    let first = few.connectors.remove(0);
    few.connectors.truncate(1);
    let mut desk = Desk::new(few.clone(), SIZES[0]);
    desk.see(Snapshot { connectors: [few.connectors.clone(), vec![first.clone()]].concat(), ..few.clone() });
    assert!(desk.text().contains(first.name.as_str()), "{}", desk.text());
    assert!(!desk.text().contains("new: g"), "it stands where it belongs:\n{}", desk.text());
    desk.wait(2_000);
    desk.see(scenes::calm());
    let late = scenes::calm().connectors[2].name.to_string();
    assert!(desk.text().contains(&late) && desk.text().contains("new: g"), "{}", desk.text());
    desk.press(char('g'));
    let drawn = desk.text();
    let place = |name: &str| drawn.find(&format!(" {name} ")).unwrap_or_else(|| panic!("no {name}:\n{drawn}"));
    assert!(place(first.name.as_str()) < place(few.connectors[0].name.as_str()) && !drawn.contains("new: g"));
}

#[test]
fn ctrl_z_stops_a_simulation_and_not_the_engine() {
    let mut demo = Desk::new(scenes::calm(), SIZES[0]);
    assert_eq!(demo.press(Key::Ctrl('z')), Some(Deed::Suspend));
    let mut live = Desk::of(scenes::calm(), SIZES[0], Role::Admin, Mode::Live);
    assert_eq!(live.press(Key::Ctrl('z')), None);
    assert!(live.text().contains("would stop the engine too"), "{}", live.text());
}

#[test]
fn a_live_screen_says_that_instances_are_simulated() {
    for size in SIZES {
        let mut live = Desk::of(scenes::calm(), size, Role::Admin, Mode::Live);
        assert!(live.text().contains("2 simulated instances of 1–8"), "{}", live.text());
        live.press(char('4'));
        live.press(Key::Enter);
        let words = live.text().replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(ScalingView::SIMULATED), "{words}");
    }
}

#[test]
fn trouble_of_the_engine_stays_in_the_header_for_as_long_as_it_lasts() {
    for size in SIZES {
        let mut live = Desk::of(scenes::outage(), size, Role::Admin, Mode::Live);
        live.ui.degraded = vec!["checkpoints: disk full".into(), "log: connection refused".into()];
        live.wait(60_000);
        live.ui.pass(live.now);
        let drawn = live.text();
        assert!(drawn.contains(" LIVE  DEGRADED ") && drawn.contains("■ log: connection refused (and 1 more)"), "{drawn}");
        assert_eq!(drawn.contains("nothing is repaired"), size.0 > 80, "the remedy where there is room:\n{drawn}");
        live.press(char('w'));
        live.press(Key::Enter);
        assert!(live.text().contains("DEGRADED"), "no dialog covers it:\n{}", live.text());
        live.theme = Theme { ascii: true, ..Theme::calm() };
        live.press(Key::Esc);
        assert!(live.text().contains("X log: connection refused"), "{}", live.text());
        live.ui.degraded.clear();
        assert!(!live.text().contains("DEGRADED") && !live.text().contains("refused"), "{}", live.text());
    }
}

#[test]
fn nobody_is_put_at_ease_while_the_engine_is_gravely_unwell() {
    let header = |degraded: &str| {
        let mut live = Desk::of(scenes::calm(), SIZES[0], Role::Admin, Mode::Live);
        live.ui.degraded = vec![degraded.into()];
        live.text()
    };
    let (grave, slight) = (header("log: connection refused"), header("tables: connection refused"));
    assert!(!grave.contains("nothing needs you") && grave.contains("■ the engine needs you"), "{grave}");
    assert!(slight.contains("● nothing needs you"), "{slight}");
}

#[test]
fn a_viewer_reads_the_levels_and_sets_none() {
    let mut live = Desk::of(scenes::calm(), SIZES[0], Role::Viewer, Mode::Live);
    assert_eq!(live.press(char('l')), None);
    let drawn = live.text();
    assert!(drawn.contains("this week") && !drawn.contains("set to"), "{drawn}");
    live.wait(1_000);
    assert_eq!(live.press(char('y')), None);
}

#[test]
fn a_sheet_without_a_rule_names_its_pages_beside_the_keys() {
    let mut desk = Desk::new(scenes::calm(), SIZES[0]);
    desk.press(char('?'));
    for told in ["page 1 of 3: PgDn", "page 2 of 3: PgDn", "page 3 of 3: PgUp"] {
        assert!(desk.text().contains(told), "{}", desk.text());
        desk.press(Key::PageDown);
    }
}

#[test]
fn an_action_is_told_in_the_tense_that_it_is_in() {
    let told = |change: &dyn Fn(&mut ActionRow)| {
        let mut snapshot = scenes::approved();
        change(&mut snapshot.actions[0]);
        let mut desk = Desk::new(snapshot, SIZES[0]);
        desk.press(char('3'));
        desk.press(Key::Enter);
        desk.text()
    };
    let line = |at, who: &str, what: &str| HistoryRow { at, who: who.into(), what: what.into() };
    let made = told(&|row| row.verification = Some("watching for 30 s".into()));
    assert!(made.contains("changed   Northwind") && made.contains("u puts the three lists back"), "{made}");
    let undone = told(&|row| {
        (row.status, row.undoable, row.verification) = (ActionStatus::RolledBack, false, Some("verified".into()));
        row.history.extend([line(row.proposed_at, "alice", "undone"), line(row.proposed_at, "apos", "rolled back")]);
    });
    assert!(undone.contains("put back  Northwind: stripe › checkout › adyen → adyen › stripe › checkout"), "{undone}");
    assert!(undone.contains("rolled back by alice: undone") && undone.contains("nothing is left to undo"), "{undone}");
    assert!(!undone.contains("u puts the three lists back"), "{undone}");
    let rejected = told(&|row| {
        (row.status, row.undoable) = (ActionStatus::Rejected, false);
        row.history.push(line(row.proposed_at, "alice", "rejected: not tonight"));
    });
    assert!(rejected.contains("not made  Northwind") && rejected.contains("     rejected: not tonight (alice)"), "{rejected}");
}

#[test]
fn evidence_and_kinds_are_in_words() {
    let mut snapshot = scenes::outage();
    let row = &mut snapshot.incidents[0];
    row.kind = AnomalyType::VolumeDrop;
    row.evidence.metric = "payments a minute".into();
    (row.evidence.observed, row.evidence.samples, row.evidence.baseline) = (4.0, 2, 52.0);
    let mut desk = Desk::new(snapshot, SIZES[1]);
    desk.press(char('2'));
    desk.press(Key::Enter);
    let drawn = desk.text();
    assert!(drawn.contains("payments a minute 4.0 (2 seen in 30 s), expected 52;"), "{drawn}");
    assert!(drawn.contains("less traffic than usual") && !drawn.contains("VolumeDrop"), "{drawn}");
    desk.theme = Theme { ascii: true, ..Theme::calm() };
    desk.press(Key::Esc);
    desk.press(char('w'));
    desk.press(Key::Enter);
    assert!(desk.text().contains("12 % -> 93 %"), "an arrow is no comparison:\n{}", desk.text());
}

#[test]
fn a_viewer_is_told_of_no_key_for_what_a_viewer_cannot_do() {
    let live = |role| {
        let mut desk = Desk::of(scenes::outage(), SIZES[2], role, Mode::Live);
        desk.press(char('?'));
        desk.text()
    };
    for scope in ["Approval of an action", "Undo of an action"] {
        assert!(live(Role::Operator).contains(scope) && !live(Role::Viewer).contains(scope), "{scope}");
    }
}

#[test]
fn every_size_can_be_drawn() {
    for width in [80, 81, 95, 100, 119, 120, 140, 179, 180, 250] {
        for height in [24, 25, 30, 36, 49, 50, 70] {
            for (_, snapshot, keys) in scenes() {
                desk_of(&snapshot, &keys, (width, height), Theme::calm()).draw();
            }
        }
    }
}

#[test]
fn approving_takes_enter_and_y_and_carries_what_was_shown() {
    let mut desk = Desk::new(scenes::outage(), SIZES[0]);
    desk.press(char('w'));
    desk.press(Key::Enter);
    let order = Order::Approve { action: scenes::action_id(), version: 1 };
    assert_eq!(desk.press(char('y')), Some(Deed::Order(order)));
    assert!(desk.ui.dialog.is_none());
}

#[test]
fn rejecting_takes_as_many_keys_and_may_carry_a_reason() {
    let mut desk = Desk::new(scenes::outage(), SIZES[0]);
    desk.press(char('w'));
    desk.press(Key::Enter);
    let order = |reason: &str| Order::Reject { action: scenes::action_id(), version: 1, reason: reason.into() };
    let mut with_reason = Desk { ui: desk.ui.clone(), snapshot: desk.snapshot.clone(), theme: Theme::calm(), ..desk };
    assert_eq!(desk.press(char('r')), Some(Deed::Order(order(""))));
    with_reason.press(char('R'));
    with_reason.wait(400);
    for c in "y!p\u{e9}".chars() {
        assert_eq!(with_reason.press_at_once(&char(c)), None, "typed, not fired");
    }
    with_reason.press_at_once(&Key::Backspace);
    with_reason.press_at_once(&Key::Paste(" not\rtonight".into()));
    assert!(with_reason.text().contains("y!p not tonight_"));
    assert_eq!(with_reason.press_at_once(&Key::Enter), Some(Deed::Order(order("y!p not tonight"))));
}

#[test]
fn cancel_is_the_default_and_the_opening_key_never_confirms() {
    for keys in [vec![char('w'), Key::Enter, Key::Enter], vec![char('w'), Key::Enter, Key::Esc], vec![char('q'), Key::Enter]] {
        let mut desk = Desk::new(scenes::outage(), SIZES[0]);
        for key in keys {
            assert_eq!(desk.press(key), None);
        }
        assert!(desk.ui.dialog.is_none(), "cancelled");
    }
    let mut desk = Desk::new(scenes::approved(), SIZES[0]);
    for key in [char('3'), char('u'), char('u'), char('q'), char('q'), Key::Enter] {
        assert_eq!(desk.press(key), None);
    }
}

#[test]
fn keys_are_ignored_right_after_a_dialog_opens_or_changes() {
    let mut desk = Desk::new(scenes::outage(), SIZES[0]);
    desk.press(char('w'));
    desk.press(Key::Enter);
    desk.wait(299);
    assert_eq!(desk.press_at_once(&char('y')), None, "too soon");
    assert!(desk.ui.dialog.is_some());
    desk.wait(400);
    let mut changed = scenes::outage();
    changed.actions[0].version = 2;
    changed.actions[0].sentence = "Put checkout before adyen for 3 pinned merchants".into();
    desk.see(changed);
    assert_eq!(desk.press_at_once(&char('y')), None, "it became another one");
    assert!(desk.text().contains("changed since you opened this"));
    let order = Order::Approve { action: scenes::action_id(), version: 2 };
    assert_eq!(desk.press(char('y')), Some(Deed::Order(order)));
}

#[test]
fn an_action_someone_else_answered_can_only_be_read() {
    let mut desk = Desk::new(scenes::outage(), SIZES[0]);
    desk.press(char('w'));
    desk.press(Key::Enter);
    desk.see(scenes::approved());
    assert!(desk.text().contains("in progress: approved (bob)"), "{}", desk.text());
    assert_eq!(desk.press(char('y')), None);
    assert_eq!(desk.press(char('r')), None);
}

#[test]
fn what_must_be_seen_before_approving_never_scrolls_at_80x24() {
    let mut long = scenes::outage();
    let row = &mut long.actions[0];
    row.sentence = row.sentence.repeat(4);
    row.against = vec!["it is risky for a long list of reasons ".repeat(8)];
    row.undo = "u puts it back, and then a lot more happens ".repeat(8);
    row.history = vec![row.history[0].clone(); 40];
    for snapshot in [scenes::outage(), long] {
        let mut desk = Desk::new(snapshot, SIZES[0]);
        desk.press(char('w'));
        desk.press(Key::Enter);
        for _ in 0..30 {
            let drawn = desk.text();
            for part in [
                "Put stripe before",
                "change  ",
                "touches ",
                "against ",
                "undo  ",
                "lapses ",
                "Enter cancel",
                "y approve",
                "r reject",
            ] {
                assert!(drawn.contains(part), "`{part}` is out of sight:\n{drawn}");
            }
            desk.press(Key::PageDown);
        }
    }
}

#[test]
fn panic_takes_two_keys_and_drops_everything_to_observe() {
    let mut desk = Desk::new(scenes::outage(), SIZES[0]);
    assert_eq!(desk.press(char('p')), None, "not armed");
    desk.press(char('!'));
    assert!(desk.text().contains("PANIC armed"));
    desk.press(Key::Down);
    assert!(desk.ui.panic_armed(), "the bar is not modal");
    let order = Order::SetAutonomy { class: None, level: Autonomy::Observe };
    assert_eq!(desk.press(char('p')), Some(Deed::Order(order)));
    desk.press(char('!'));
    desk.press(Key::Esc);
    assert_eq!(desk.press(char('p')), None, "disarmed");
    desk.press(char('!'));
    desk.wait(11_000);
    assert!(desk.ui.pass(desk.now));
    assert_eq!(desk.press(char('p')), None, "a forgotten bar disarms itself");
}

#[test]
fn the_kill_switch_takes_two_keys_and_is_released_where_it_is_shown() {
    let mut desk = Desk::of(scenes::calm(), SIZES[0], Role::Operator, Mode::Live);
    assert_eq!(desk.press(char('K')), None, "not armed");
    desk.press(char('!'));
    assert!(desk.text().contains("K static order"), "{}", desk.text());
    let order = |pulled| Order::SetKillSwitch { pulled, reason: "".into() };
    assert_eq!(desk.press(char('K')), Some(Deed::Order(order(true))));
    let mut killed = Desk::of(scenes::killed(), SIZES[0], Role::Operator, Mode::Live);
    killed.press(char('!'));
    assert_eq!(killed.press(char('K')), None, "it is pulled: the same keys must not release it");
    assert!(killed.text().contains("l releases it"), "{}", killed.text());
    killed.press(Key::Esc);
    killed.press(char('l'));
    for _ in 0..ActionClass::ALL.len() + 3 {
        killed.press(Key::Down);
    }
    assert_eq!(killed.press(char('y')), Some(Deed::Order(order(true))), "as it is, until another is chosen");
    killed.press(char('l'));
    for _ in 0..ActionClass::ALL.len() + 3 {
        killed.press(Key::Down);
    }
    killed.press(Key::Left);
    assert_eq!(killed.press(char('y')), Some(Deed::Order(order(false))), "an operator may");
}

#[test]
fn the_dial_is_moved_in_steps_by_an_admin() {
    let mut desk = Desk::new(scenes::calm(), SIZES[0]);
    desk.press(char('l'));
    for _ in 0..=ActionClass::ALL.len() {
        desk.press(Key::Down);
    }
    desk.press(Key::Left);
    desk.press(Key::Left);
    let order = Order::SetAdoption { profile: None, dial: Some(50), shadow: None };
    assert_eq!(desk.press(char('y')), Some(Deed::Order(order)));
}

#[test]
fn autonomy_is_set_for_one_class_or_all_by_an_admin() {
    let mut desk = Desk::new(scenes::calm(), SIZES[0]);
    for key in [char('l'), Key::Down, Key::Right] {
        desk.press(key);
    }
    let class = Some(ActionClass::Priority);
    assert_eq!(desk.press(char('y')), Some(Deed::Order(Order::SetAutonomy { class, level: Autonomy::Veto })));
    let mut operator = Desk::of(scenes::calm(), SIZES[0], Role::Operator, Mode::Live);
    operator.press(char('l'));
    assert_eq!(operator.press(char('y')), None);
    assert!(operator.text().contains("needs the role admin"));
}

#[test]
fn at_suggest_nothing_is_approved_with_one_key_and_the_dialog_says_why() {
    let mut snapshot = scenes::outage();
    if let Some(levels) = &mut snapshot.header.autonomy {
        levels.priority = Autonomy::Suggest;
    }
    let mut desk = Desk::new(snapshot, SIZES[0]);
    desk.press(char('w'));
    desk.press(Key::Enter);
    assert_eq!(desk.press(char('y')), None);
    assert!(desk.text().contains("autonomy of priority is suggest"));
}

#[test]
fn a_viewer_cannot_act_and_sees_no_such_keys() {
    let mut desk = Desk::of(scenes::outage(), SIZES[1], Role::Viewer, Mode::Live);
    for key in [char('w'), char('u'), char('!'), char('p'), char('l'), Key::Enter, char('y'), char('r'), char('R')] {
        assert_eq!(desk.press(key), None);
    }
    let drawn = desk.text();
    assert!(drawn.contains("LIVE") && !drawn.contains("  y approve") && !drawn.contains("r reject"), "{drawn}");
}

#[test]
fn undo_is_asked_for_and_refused_with_a_reason_where_there_is_nothing_to_undo() {
    let mut desk = Desk::new(scenes::approved(), SIZES[0]);
    desk.press(char('3'));
    desk.press(char('u'));
    let order = Order::Undo { action: scenes::action_id(), version: 2 };
    assert_eq!(desk.press(char('y')), Some(Deed::Order(order)));
    let mut pending = Desk::new(scenes::outage(), SIZES[0]);
    pending.press(char('w'));
    pending.press(char('u'));
    assert!(pending.ui.dialog.is_none() && pending.text().contains("nothing to take back"));
}

#[test]
fn the_selection_follows_the_id_and_new_rows_go_to_the_end() {
    let mut desk = Desk::new(scenes::outage(), SIZES[0]);
    desk.press(char('3'));
    desk.press(Key::Down);
    let chosen = desk.ui.chosen_action(&desk.snapshot).unwrap().id;
    let mut more = scenes::outage();
    let mut newer = more.actions[0].clone();
    newer.id = apos::domain::ActionId(13);
    more.actions.insert(0, newer);
    desk.see(more);
    assert_eq!(desk.ui.chosen_action(&desk.snapshot).unwrap().id, chosen);
    assert!(desk.text().contains("1 new: g"));
    desk.press(char('g'));
    assert_eq!(desk.ui.chosen_action(&desk.snapshot).unwrap().id, chosen);
    assert!(!desk.text().contains("new: g"));
}

#[test]
fn the_pace_keys_exist_in_a_simulation_only() {
    let mut demo = Desk::new(scenes::calm(), SIZES[0]);
    assert_eq!(demo.press(char(' ')), Some(Deed::Pace(PaceKey::PauseOrGo)));
    assert_eq!(demo.press(char('+')), Some(Deed::Pace(PaceKey::Faster)));
    assert_eq!(demo.press(char('s')), Some(Deed::Pace(PaceKey::Step)));
    let mut live = Desk::of(scenes::calm(), SIZES[0], Role::Admin, Mode::Live);
    assert_eq!(live.press(char(' ')), None);
}

#[test]
fn a_trainer_lets_a_fault_happen_from_a_menu() {
    let mut demo = Desk::new(scenes::calm(), SIZES[0]);
    demo.press(char('f'));
    assert!(demo.text().contains("▸ break adyen") && demo.text().contains("y let it happen"), "{}", demo.text());
    demo.press(char('j'));
    assert!(demo.text().contains("▸ kill Redis"), "{}", demo.text());
    assert_eq!(demo.press(char('y')), Some(Deed::LetHappen(1)));
    assert!(demo.text().contains("from now on: kill Redis"), "{}", demo.text());
    let mut live = Desk::of(scenes::calm(), SIZES[0], Role::Admin, Mode::Live);
    live.press(char('f'));
    assert!(live.ui.dialog.is_none());
}

#[test]
fn a_short_row_drops_whole_parts_of_the_banner_and_never_cuts_the_pace() {
    let mixed = Levels { priority: Autonomy::Suggest, ..Levels::default() };
    let banner = |scenario: &str, columns: u16, degraded: bool| {
        let mode = Mode::Simulation { scenario: scenario.into(), seed: 1 };
        let mut snapshot = scenes::calm();
        snapshot.header.autonomy = if degraded { Some(mixed.clone()) } else { snapshot.header.autonomy };
        let mut desk = Desk::of(snapshot, (columns, 24), Role::Admin, mode);
        desk.ui.pace = Pace { speed: 20.0, paused: false };
        desk.ui.degraded.extend(degraded.then(|| "log: connection refused".to_owned()));
        desk.text().lines().next().unwrap().to_owned()
    };
    let check = |scenario: &str, columns, expected: &str| {
        let drawn = banner(scenario, columns, false);
        assert!(drawn.starts_with(expected) && drawn.ends_with(" autonomy approve · 03:14 +00:00"), "{drawn}");
    };
    check("outage", 80, " APOS  SIMULATION outage · seed 1 · ×20  ");
    check("model-gone-wrong", 80, " APOS  SIMULATION model-gone-wrong · ×20  ");
    check("acquirer-down-black-friday", 80, " APOS  SIMULATION acquirer-down-black-f… · ×20  autonomy");
    check("acquirer-down-black-friday", 120, " APOS  SIMULATION acquirer-down-black-friday · seed 1 · ×20  ");
    for (columns, degraded) in (80..=120).flat_map(|columns| [(columns, false), (columns, true)]) {
        let drawn = banner("acquirer-down-black-friday", columns, degraded);
        let mark = if degraded { " · ×20  DEGRADED  " } else { " · ×20  " };
        let after = drawn.split_once(mark).unwrap_or_else(|| panic!("{columns}: {drawn}")).1;
        assert!(drawn.starts_with(" APOS  SIMULATION ") && after.ends_with(" · 03:14 +00:00"), "{columns}: {drawn}");
    }
}

#[test]
fn a_wide_row_tells_an_incident_whole() {
    let drawn = Desk::new(scenes::outage(), SIZES[1]).text();
    let row = drawn.lines().find(|line| line.contains("■ critical")).unwrap();
    assert!(row.contains("expected 91 %") && row.contains("/min") && !row.contains('…'), "{row}");
}

#[test]
fn quitting_asks_first() {
    for (mode, sentence) in [
        (Mode::Live, "The engine runs in this process"),
        (Mode::Simulation { scenario: "calm".into(), seed: 1 }, "nothing real"),
    ] {
        let mut desk = Desk::of(scenes::calm(), SIZES[0], Role::Admin, mode);
        assert_eq!(desk.press(Key::Ctrl('c')), None);
        assert!(desk.text().contains(sentence));
        let mut again = Desk { ui: desk.ui.clone(), snapshot: desk.snapshot.clone(), theme: Theme::calm(), ..desk };
        assert_eq!(desk.press(char('y')), Some(Deed::Quit));
        assert_eq!(again.press_at_once(&Key::Ctrl('c')), None, "a key held down does not answer");
        assert_eq!(again.press(Key::Ctrl('c')), Some(Deed::Quit));
    }
}

#[test]
fn a_second_that_changes_nothing_draws_the_same_frame() {
    for size in SIZES {
        let mut desk = Desk::new(scenes::outage(), size);
        let first = desk.draw();
        let mut later = scenes::outage();
        later.at = later.at + Duration::from_secs(1);
        later.position.record += 1;
        // Sparklines move with their own series; here nothing was measured.
        for row in &mut later.connectors {
            (row.rate_spark, row.volume_spark) = (vec![], vec![]);
        }
        let mut same = later.clone();
        same.at = same.at + Duration::from_secs(1);
        desk.wait(1_000);
        desk.see(later);
        let second = desk.draw();
        desk.wait(1_000);
        desk.see(same);
        assert_eq!(second.diff(&desk.draw()).len(), 0, "a second costs nothing at {size:?}");
        assert!(!first.diff(&second).is_empty());
    }
}
