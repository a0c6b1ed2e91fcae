//! What a power cut leaves of the store: every commit is synced before rigs goes on, so the frames
//! up to the last commit are there; what comes after them is missing or torn, and the index in
//! shared memory is gone. The format: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::path::{Path, PathBuf};

use super::dice::Dice;

const HEADER: usize = 32;
const FRAME: usize = 24;

/// Cuts the power, with nobody left who has the store open.
pub(super) fn cut(store: &Path, dice: &mut Dice) {
    let beside = |suffix: &str| {
        let mut name = store.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    // There is none when the store was closed, or never opened.
    drop(std::fs::remove_file(beside("-shm")));
    let log = beside("-wal");
    let Ok(mut bytes) = std::fs::read(&log) else {
        return;
    };
    let end = committed(&bytes);
    let torn = torn_frame(&bytes, dice);
    match dice.below(3) {
        0 => return,
        1 => bytes.truncate(end),
        _ => {
            bytes.truncate(end);
            bytes.extend(torn);
        }
    }
    std::fs::write(&log, bytes).expect("the log of the store");
}

/// A frame that was being written: its header is right, its page is not all there.
fn torn_frame(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let Some(frames) = bytes.get(HEADER..).filter(|f| f.len() > FRAME) else {
        return Vec::new();
    };
    let page = word(bytes, 8) as usize;
    let mut frame = frames[..frames.len().min(FRAME + page)].to_vec();
    for byte in &mut frame[FRAME..] {
        *byte ^= 0x5a;
    }
    frame.truncate(dice.between(1, frame.len()));
    frame
}

/// The length of the log up to and with the last whole commit.
pub(super) fn committed(bytes: &[u8]) -> usize {
    let magic = match bytes.len() {
        HEADER.. => word(bytes, 0),
        _ => return 0,
    };
    let (page, salts) = (word(bytes, 8) as usize, &bytes[16..24]);
    let big = magic & 1 == 1;
    let mut sum = checksum((0, 0), &bytes[..24], big);
    let (mut at, mut end) = (HEADER, HEADER);
    while let Some(frame) = bytes.get(at..at + FRAME + page) {
        sum = checksum(sum, &frame[..8], big);
        sum = checksum(sum, &frame[FRAME..], big);
        if &frame[8..16] != salts || (word(frame, 16), word(frame, 20)) != sum {
            break;
        }
        at += FRAME + page;
        if word(frame, 4) != 0 {
            end = at;
        }
    }
    end
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn checksum((mut a, mut b): (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    let read = |word: &[u8]| {
        let word = word.try_into().expect("four bytes");
        if big {
            u32::from_be_bytes(word)
        } else {
            u32::from_le_bytes(word)
        }
    };
    for pair in bytes.chunks_exact(8) {
        a = a.wrapping_add(read(&pair[..4])).wrapping_add(b);
        b = b.wrapping_add(read(&pair[4..])).wrapping_add(a);
    }
    (a, b)
}
