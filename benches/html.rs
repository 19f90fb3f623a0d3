//! HTML report of 10,000 cards with different layouts, in headless Chromium: its size, the time
//! until it can be read, the frames while it scrolls, and its memory.
//!
//! ```sh
//! cargo bench --bench html
//! ```
//!
//! The limits are 2 seconds to load and 50 milliseconds a frame; the last column is the ratio. A
//! machine without Chromium shows the time of rendering alone.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a benchmark prints, and cannot go on without its browser"
)]
#![allow(dead_code, reason = "the tests need more of the browser than this")]

#[path = "../tests/integration/support/browser.rs"]
mod browser;
#[path = "../tests/integration/support/large_plan.rs"]
mod large_plan;

use std::time::Instant;

use browser::Browser;
use recard::report::RenderOptions;

/// Number of cards.
const CARDS: u64 = 10_000;

/// Limit of the time to load, in milliseconds.
const LOAD: f64 = 2_000.0;

/// Limit of the time of a frame, in milliseconds.
const FRAME: f64 = 50.0;

/// Scrolls through the list for 120 frames; returns the mean and the longest time of a frame.
const SCROLL: &str = "new Promise((done) => {
    const list = document.getElementById('list');
    const times = [];
    let last = performance.now();
    const step = (now) => {
        times.push(now - last);
        last = now;
        list.scrollTop += 1300;
        if (times.length < 120) requestAnimationFrame(step);
        else done([times.reduce((sum, time) => sum + time, 0) / times.length, Math.max(...times.slice(1))]);
    };
    requestAnimationFrame(step);
})";

/// Searches for a text that is on one card; returns the time until the list is drawn.
const SEARCH: &str = "(() => {
    const search = document.getElementById('search');
    const from = performance.now();
    search.value = 'Section of 4711';
    search.dispatchEvent(new Event('input'));
    document.body.offsetHeight;
    return performance.now() - from;
})()";

fn main() {
    println!("| what | measured | limit | ratio |");
    println!("|---|---|---|---|");
    let plan = large_plan::large_plan(CARDS, "");
    let started = Instant::now();
    let page = large_plan::html(&plan, &RenderOptions::default());
    row("render", started.elapsed().as_secs_f64() * 1_000.0, None);
    println!("| size | {:.1} MiB | 16.0 MiB | |", page.len() as f64 / f64::from(1 << 20));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, page).unwrap();
    let Some(mut browser) = Browser::start() else {
        println!("there is no chromium in the path");
        return;
    };
    let mut loads = Vec::new();
    for _ in 0..5 {
        browser.open(&file);
        let load = "performance.getEntriesByType('navigation')[0].loadEventStart";
        loads.push(browser.eval(load).as_f64().unwrap());
    }
    loads.sort_by(f64::total_cmp);
    row("load, median of 5", loads[2], Some(LOAD));
    let frames = browser.eval(SCROLL);
    row("frame while scrolling, mean of 120", frames[0].as_f64().unwrap(), Some(FRAME));
    row("frame while scrolling, longest", frames[1].as_f64().unwrap(), Some(FRAME));
    row("first search", browser.eval(SEARCH).as_f64().unwrap(), None);
    row("next search", browser.eval(SEARCH).as_f64().unwrap(), None);
    let heap = browser.eval("performance.memory.usedJSHeapSize").as_f64().unwrap();
    println!("| heap | {:.0} MB | | |", heap / 1e6);
}

fn row(what: &str, measured: f64, limit: Option<f64>) {
    match limit {
        Some(limit) => {
            println!("| {what} | {measured:.1} ms | {limit:.0} ms | {:.2} |", measured / limit);
        }
        None => println!("| {what} | {measured:.1} ms | | |"),
    }
}
