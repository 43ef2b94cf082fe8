//! The peer of crates.io: PEER ROW FILE; the answer, then for each count on standard input its nanoseconds of CPU.
use magstripe_rs::{BitStream, Decoder, Format};
use std::{env, fs, hint::black_box, io};

const LRC_AND_ZEROS: usize = 25;

fn cpu() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

fn main() {
    let file = env::args().nth(3).expect("PEER ROW FILE");
    let data = fs::read(file).expect("the file");
    // its LRC is not that of ISO/IEC 7811-2, so it is given the bits up to the end sentinel and no more
    let bits = data.len() * 8 - LRC_AND_ZEROS;
    let formats = [Format::Track2];
    let decoder = Decoder::new(&formats);
    let decode = || decoder.decode(BitStream::new(black_box(&data), bits).unwrap());
    println!("{}", decode().expect("a track").data);
    for count in io::stdin().lines() {
        let from = cpu();
        for _ in 0..count.unwrap().trim().parse::<u64>().unwrap() {
            black_box(decode().is_ok());
        }
        println!("{}", cpu() - from);
    }
}
