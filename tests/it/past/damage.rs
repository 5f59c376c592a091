//! Segments and exports, cut and flipped at every byte.

use super::*;

/// A file of a few blocks, and what it holds.
fn written(folder: &Path, records: &[Record]) -> std::path::PathBuf {
    let path = folder.join("export.seg");
    let mut writer = Writer::create(&path, &Header::new(1, Chain::START)).unwrap();
    for record in records {
        writer.push(record).unwrap();
    }
    let sealed = writer.finish(&path).unwrap();
    assert_eq!((sealed.last, sealed.records), (records.len() as u64, records.len() as u64));
    path
}

/// What can be read before the first damage, and that damage.
fn readable(path: &Path) -> (Vec<Record>, Option<SegmentError>) {
    let segment = match Segment::open(path) {
        Ok(segment) => segment,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut records = Vec::new();
    for block in segment.blocks() {
        match segment.read(block) {
            Ok(read) => records.extend(read),
            Err(error) => return (records, Some(error)),
        }
    }
    (records, segment.damage().cloned())
}

#[test]
fn a_whole_file_gives_all_of_it() {
    let (folder, records) = (TempDir::new().unwrap(), few(1_100));
    let path = written(folder.path(), &records);
    let (read, damage) = readable(&path);
    assert!(read == records && damage.is_none(), "{damage:?}");
    assert_eq!(Segment::open(&path).unwrap().entries(), Some(1_100));
    assert!(fs::read_dir(folder.path()).unwrap().count() == 1, "nothing is left beside it");
}

#[test]
fn any_cut_is_told_and_costs_nothing_before_it() {
    let (folder, records) = (TempDir::new().unwrap(), few(1_100));
    let path = written(folder.path(), &records);
    let bytes = fs::read(&path).unwrap();
    let blocks: Vec<u64> = Segment::open(&path).unwrap().blocks().iter().map(|block| block.last).collect();
    assert_eq!(blocks, [512, 1_024, 1_100]);
    let mut most = 0;
    for length in (0..bytes.len()).step_by(7) {
        fs::write(&path, &bytes[..length]).unwrap();
        let (read, damage) = readable(&path);
        assert!(damage.is_some() && records.starts_with(&read), "cut at {length}");
        assert!(read.len() >= most, "a longer file never gives less");
        assert!(read.is_empty() || blocks.contains(&(read.len() as u64)));
        if let Some(SegmentError::Damaged { offset, record, .. }) = damage
            && record > 0
        {
            assert!(offset <= length as u64 && record == read.len() as u64 + 1, "{offset} {record}");
        }
        most = read.len();
    }
    assert_eq!(most, 1_100, "only the end is cut off last");
}

#[test]
fn any_flipped_bit_is_told_and_costs_nothing_before_it() {
    let (folder, records) = (TempDir::new().unwrap(), few(40));
    let path = written(folder.path(), &records);
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&path, damaged).unwrap();
        let (read, damage) = readable(&path);
        assert!(damage.is_some() && records.starts_with(&read), "byte {at}: {damage:?}");
    }
    fs::write(&path, [&bytes[..], b"more"].concat()).unwrap();
    assert!(readable(&path).1.is_some());
}

#[test]
fn a_damaged_block_of_the_archive_does_not_hide_the_others() {
    let (runtime, records) = (runtime(), few(2_000));
    let folder = kept(&runtime, &records);
    seal(&runtime, folder.path(), &records, 1_900);
    let archive = folder.path().join("archive");
    let path = fs::read_dir(&archive).unwrap().flatten().next().unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    let opened = Archive::open(&archive);
    let segment = &opened.segments()[0];
    let bad: Vec<u64> = segment.blocks().iter().filter(|block| segment.read(block).is_err()).map(|block| block.first).collect();
    assert_eq!(bad.len(), 1, "{bad:?}");
    let history = open(&runtime, folder.path());
    let error = all(&runtime, &history).unwrap_err().to_string();
    assert!(error.contains(&format!("record {}", bad[0])) && error.contains(".seg"), "{error}");
    assert_eq!(runtime.block_on(history.read(1)).unwrap()[0], records[0]);
    assert_eq!(runtime.block_on(history.record(1_899)).unwrap(), records[1_898]);
}

#[test]
fn a_replay_of_a_damaged_log_goes_up_to_the_damage() {
    let (runtime, records) = (runtime(), night());
    let folder = kept(&runtime, &records);
    cli::tamper(&runtime, folder.path(), "UPDATE records SET body = substr(body, 1, length(body) - 1) WHERE number = 1500");
    let mut player = player(&runtime, folder.path());
    let error = player.seek_record(records.len() as u64, &mut |_| true).unwrap_err();
    assert!(error.to_string().contains("record 1500"), "{error}");
    assert_eq!(player.state().fingerprint(), folded(&records[..1_499]).fingerprint());
    // Still where it was: going back works.
    player.seek_record(700, &mut |_| true).unwrap();
    assert_eq!(player.state().fingerprint(), folded(&records[..700]).fingerprint());
}

#[test]
fn a_file_that_is_none_and_one_of_a_newer_program_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.seg");
    fs::write(&path, "SQLite format 3").unwrap();
    assert!(matches!(Segment::open(&path), Err(SegmentError::Foreign { .. })));
    fs::write(&path, b"APOSLOG\x02rest").unwrap();
    let refused = Segment::open(&path).unwrap_err();
    assert!(refused.to_string().contains("newer program"), "{refused}");
}
