//! `apos replay` and `apos log`, from outside.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use apos::log::codec;
use serde_json::Value;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::*;
use crate::support::binary::{Ran, apos};

/// Changes a log's file behind its back.
pub(super) fn tamper(runtime: &Runtime, folder: &Path, sql: &'static str) {
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(folder.join("log.db"));
        let mut file = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query(sql).execute(&mut file).await.unwrap();
        file.close().await.unwrap();
    });
}

fn report(folder: &Path, arguments: &[&str]) -> Value {
    let ran = apos(folder, &[&["replay", "--headless", "--report", "json"], arguments].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_replay_reports_the_same_from_log_archive_export_and_import() {
    let (runtime, records, elsewhere) = (runtime(), night(), TempDir::new().unwrap());
    let folder = kept(&runtime, &records);
    let whole = report(folder.path(), &[]);
    assert_eq!(whole["fingerprint"], folded(&records).fingerprint().to_hex().to_string());
    assert_eq!(whole["records"].as_u64().unwrap(), records.len() as u64);
    seal(&runtime, folder.path(), &records, 3_000);
    let (from, to) = (records[1_000].at.to_string(), records[2_500].at.to_string());
    let stretch = report(folder.path(), &["--from", &from, "--to", &to]);
    let file = path(&elsewhere, "night.seg");
    let exported = apos(folder.path(), &["log", "export", &file, "--from", &from, "--to", &to]);
    assert_eq!(exported.code, Some(0), "{}", exported.err);
    let into = path(&elsewhere, "imported");
    let imported = apos(folder.path(), &["log", "import", &file, "--into", &into]);
    assert_eq!(imported.code, Some(0), "{}", imported.err);
    for other in [report(folder.path(), &["--file", &file]), report(Path::new(&into), &[])] {
        assert_eq!(other["fingerprint"], stretch["fingerprint"]);
        assert_eq!(other["statistics"], stretch["statistics"]);
    }
    assert_eq!(report(folder.path(), &[])["fingerprint"], whole["fingerprint"], "nothing was changed by all that");
    for again in [&["log", "export", &file][..], &["log", "import", &file, "--into", &into]] {
        let refused = apos(folder.path(), again);
        assert!(refused.code == Some(2) && refused.err.contains("there already"), "{}", refused.err);
    }
}

#[test]
fn verify_tells_a_whole_log_from_a_changed_one() {
    let (runtime, records) = (runtime(), few(900));
    let folder = kept(&runtime, &records);
    seal(&runtime, folder.path(), &records, 600);
    let whole = apos(folder.path(), &["log", "verify"]);
    assert_eq!(whole.code, Some(0), "{}{}", whole.out, whole.err);
    let chain = whole.out.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert!(chain.starts_with("900:"), "{chain}");
    assert_eq!(apos(folder.path(), &["log", "verify", "--expect", &chain]).code, Some(0));
    // A record replaced by one that reads perfectly well: only the chain tells.
    let other = hex::encode(codec::encode(&[Body::Ticked]).unwrap());
    let sql: &'static str = Box::leak(format!("UPDATE records SET body = x'{other}' WHERE number = 700").into_boxed_str());
    tamper(&runtime, folder.path(), sql);
    assert_eq!(apos(folder.path(), &["log", "verify"]).code, Some(0));
    let changed = apos(folder.path(), &["log", "verify", "--expect", &chain]);
    assert!(changed.code == Some(1) && changed.out.contains("something up to there was changed"), "{}", changed.out);
    tamper(&runtime, folder.path(), "UPDATE records SET body = x'010000' WHERE number = 750");
    tamper(&runtime, folder.path(), "DELETE FROM records WHERE number = 800");
    let damaged = apos(folder.path(), &["log", "verify"]);
    assert_eq!(damaged.code, Some(1));
    for told in ["record 750 of the log cannot be read", "records 800 to 800 are missing", "898 records from 1 to 900"] {
        assert!(damaged.out.contains(told), "{told}: {}", damaged.out);
    }
    assert!(damaged.err.contains("2 places"), "{}", damaged.err);
}

#[test]
fn verify_names_the_segment_that_was_changed() {
    let (runtime, records) = (runtime(), few(900));
    let folder = kept(&runtime, &records);
    seal(&runtime, folder.path(), &records, 600);
    let segment = fs::read_dir(folder.path().join("archive")).unwrap().flatten().next().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let damaged = apos(folder.path(), &["log", "verify"]);
    assert_eq!(damaged.code, Some(1));
    assert!(damaged.out.contains(".seg is damaged at byte"), "{}", damaged.out);
    let status = apos(folder.path(), &["log", "status", "--json"]);
    let status: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!((&status["archive"]["last"], &status["log"]["first"]), (&599.into(), &600.into()));
}

#[test]
fn a_log_file_that_was_cut_off_is_read_up_to_there() {
    let (runtime, records, elsewhere) = (runtime(), few(4_000), TempDir::new().unwrap());
    let folder = kept(&runtime, &records);
    let file = fs::OpenOptions::new().write(true).open(folder.path().join("log.db")).unwrap();
    let size = file.metadata().unwrap().len();
    file.set_len(size / 2 / 4_096 * 4_096 + 1_000).unwrap();
    let verified = apos(folder.path(), &["log", "verify"]);
    assert_eq!(verified.code, Some(1), "{}", verified.err);
    assert!(verified.out.contains("log.db is cut off after"), "{}", verified.out);
    let export = path(&elsewhere, "saved.seg");
    let saved = apos(folder.path(), &["log", "export", &export]);
    let segment = Segment::open(Path::new(&export)).unwrap_or_else(|error| panic!("{error}: {}", saved.err));
    let read: Vec<Record> = segment.blocks().iter().flat_map(|block| segment.read(block).unwrap()).collect();
    assert!(saved.err.contains("is cut off after"), "{}", saved.err);
    assert!(records.starts_with(&read) && read.len() > 1_500, "{}: {}", read.len(), saved.err);
    assert!(verified.out.contains(&format!("records up to {} can be read", read.len())), "{}", verified.out);
    let told = format!("the records up to {} are exported", read.len());
    assert!(saved.code == Some(1) && saved.err.contains(&told), "{:?}: {}", saved.code, saved.err);
    let replayed = apos(folder.path(), &["replay", "--headless"]);
    let ended = replayed.err.lines().last().unwrap();
    assert!(ended.contains(&format!("ended early after record {}: ", read.len())), "{ended}");
    assert!(replayed.code == Some(1) && ended.matches("malformed").count() == 1, "told once: {ended}");
    let (before, whole) = (path(&elsewhere, "before.seg"), records[1_000].at.to_string());
    let before = apos(folder.path(), &["log", "export", &before, "--to", &whole]);
    assert_eq!(before.code, Some(0), "a stretch before the cut is whole: {}", before.err);
}

#[test]
fn a_cut_export_is_imported_up_to_the_cut() {
    let (runtime, records, elsewhere) = (runtime(), few(2_000), TempDir::new().unwrap());
    let folder = kept(&runtime, &records);
    let (file, into) = (path(&elsewhere, "x.seg"), path(&elsewhere, "imported"));
    assert_eq!(apos(folder.path(), &["log", "export", &file]).code, Some(0));
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() * 3 / 4]).unwrap();
    let imported = apos(folder.path(), &["log", "import", &file, "--into", &into]);
    assert_eq!(imported.code, Some(1));
    assert!(imported.err.contains("cut off") && imported.err.contains("1024 records imported"), "{}", imported.err);
    let log = runtime.block_on(Log::sqlite_read_only(&Path::new(&into).join("log.db"))).unwrap();
    assert_eq!(runtime.block_on(log.read(1, 5_000)).unwrap(), records[..1_024]);
}

/// All its records are read: nothing says that one of them cannot be.
#[test]
fn what_follows_an_exports_end_costs_no_record() {
    let (runtime, records, elsewhere) = (runtime(), few(300), TempDir::new().unwrap());
    let folder = kept(&runtime, &records);
    let (file, into) = (path(&elsewhere, "x.seg"), path(&elsewhere, "imported"));
    assert_eq!(apos(folder.path(), &["log", "export", &file]).code, Some(0));
    let mut bytes = fs::read(&file).unwrap();
    let end = bytes.len();
    bytes.extend(b"more");
    fs::write(&file, bytes).unwrap();
    let imported = apos(folder.path(), &["log", "import", &file, "--into", &into]);
    assert_eq!(imported.code, Some(1));
    let told = format!("ends at byte {end}, and 4 bytes follow that are not its own: all its records can be read");
    assert!(imported.err.contains(&told) && imported.err.contains("300 records imported"), "{}", imported.err);
    assert!(!imported.err.contains("cannot be read"), "{}", imported.err);
}

#[test]
fn a_replay_of_an_export_without_a_whole_block_says_where_it_is_damaged() {
    let (runtime, records, elsewhere) = (runtime(), few(300), TempDir::new().unwrap());
    let folder = kept(&runtime, &records);
    let file = path(&elsewhere, "x.seg");
    assert_eq!(apos(folder.path(), &["log", "export", &file]).code, Some(0));
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let replayed = apos(folder.path(), &["replay", "--headless", "--file", &file]);
    assert!(replayed.code == Some(1) && replayed.err.contains("it is cut off there"), "{}", replayed.err);
    assert!(!replayed.err.contains("holds nothing yet"), "{}", replayed.err);
}

/// Runs it as somebody who may read a folder and not write there, whoever runs the tests.
fn as_a_reader(folder: &Path, arguments: &[&str]) -> Ran {
    let home = TempDir::new().unwrap();
    let (mut program, mut nobody) = (Path::new(env!("CARGO_BIN_EXE_apos")).to_path_buf(), None);
    if rustix::process::getuid().is_root() {
        // To root every folder is open; and nobody may not be let to where the program was built.
        nobody = Some(65_534);
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        let copy = home.path().join("apos");
        // By a program of its own: a file that this one has written can be busy, held open by a child on its way to exec.
        assert!(Command::new("cp").arg(&program).arg(&copy).status().unwrap().success());
        program = copy;
    }
    let mut command = Command::new(program);
    command.args(arguments).args(["--data-dir", folder.to_str().unwrap()]).env_clear().env("HOME", home.path());
    if let Some(nobody) = nobody {
        command.uid(nobody).gid(nobody);
    }
    command.output().unwrap().into()
}

#[test]
fn a_log_in_a_folder_that_cannot_be_written_is_replayed() {
    let (runtime, records) = (runtime(), few(300));
    let folder = kept(&runtime, &records);
    let mode = |mode| fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
    let file = folder.path().join("log.db");
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    mode(0o555);
    let read = as_a_reader(folder.path(), &["replay", "--headless", "--report", "json"]);
    let report: Value = serde_json::from_str(&read.out).unwrap_or_else(|error| panic!("{error}: {}", read.err));
    assert_eq!(report["records"], 300);
    // What lies beside it would be missed.
    mode(0o755);
    fs::write(folder.path().join("log.db-wal"), [0; 64]).unwrap();
    mode(0o555);
    let refused = as_a_reader(folder.path(), &["replay", "--headless"]);
    mode(0o755);
    assert!(refused.code == Some(1) && refused.err.contains("copy the folder to where you may write"), "{}", refused.err);
}

#[test]
fn an_export_under_pseudonyms_names_nobody_and_counts_the_same() {
    let (runtime, records, elsewhere) = (runtime(), night(), TempDir::new().unwrap());
    let folder = kept(&runtime, &records);
    let file = path(&elsewhere, "x.seg");
    let (from, to) = (records[2_000].at.to_string(), records[3_000].at.to_string());
    let arguments = ["log", "export", &file, "--from", &from, "--to", &to, "--pseudonymise"];
    assert_eq!(apos(folder.path(), &arguments).code, Some(0));
    let segment = Segment::open(Path::new(&file)).unwrap();
    let (_, state) = segment.state().unwrap().unwrap();
    let exported: Vec<Record> = segment.blocks().iter().flat_map(|block| segment.read(block).unwrap()).collect();
    let names = names(&records);
    assert!(names.len() > 100, "{}", names.len());
    let text = format!("{exported:?}");
    let holds = |name: &String| text.contains(name.as_str()) || state.windows(name.len()).any(|part| part == name.as_bytes());
    assert_eq!(names.iter().take(200).find(|name| holds(name)), None);
    let (plain, masked) = (report(folder.path(), &["--from", &from, "--to", &to]), report(folder.path(), &["--file", &file]));
    assert_eq!(masked["statistics"], plain["statistics"]);
    assert_eq!(masked["connectors"], plain["connectors"]);
}

/// Merchants, accounts and payments.
fn names(records: &[Record]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for body in records.iter().flat_map(|record| &record.bodies) {
        match body {
            Body::Payment(event) => {
                names.insert(event.profile.to_string());
                names.insert(event.payment.to_string());
                names.extend(event.account.iter().map(ToString::to_string));
            }
            Body::Decided(decision) => names.extend(decision.candidates.iter().map(|candidate| candidate.account.to_string())),
            Body::Configured(settings) => {
                names.extend(settings.merchants.values().map(|merchant| merchant.name.clone()).filter(|name| !name.is_empty()));
            }
            _ => {}
        }
    }
    names
}

#[test]
fn wrong_times_files_and_folders_are_usage() {
    let (runtime, nowhere) = (runtime(), TempDir::new().unwrap());
    let folder = kept(&runtime, &few(10));
    for (place, arguments, told) in [
        (nowhere.path(), &["replay", "--headless"][..], "there is no log"),
        (folder.path(), &["replay", "--headless", "--from", "soon"], "--from: `soon` is not a time"),
        (folder.path(), &["replay", "--headless", "--from", "2031-01-01"], "nothing to replay"),
        (folder.path(), &["log", "verify", "--expect", "x"], "such as 4711"),
    ] {
        let refused = apos(place, arguments);
        assert!(refused.code == Some(2) && refused.err.contains(told), "{arguments:?}: {}", refused.err);
    }
}
