use super::*;
use std::{
    io,
    sync::{Arc, Mutex},
};
use tokio::time::sleep;

/// The lines that are logged during `work`.
async fn told(work: impl Future<Output = ()>) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let writer = {
        let lines = lines.clone();
        move || Lines(lines.clone())
    };
    let subscriber = tracing_subscriber::fmt().with_writer(writer).with_ansi(false).without_time().finish();
    let _here = tracing::subscriber::set_default(subscriber);
    work.await;
    String::from_utf8(lines.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A call that is answered after this many milliseconds.
async fn call(contact: &Contact, ms: u64) {
    contact.waiting(sleep(Duration::from_millis(ms))).await;
    contact.found();
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const LOST: &str = "cannot be used now";
const FOUND: &str = "can be used again";

fn assert_told(lines: &[String], expected: &[&str]) {
    let as_expected = lines.iter().zip(expected).all(|(line, expected)| line.contains(expected));
    assert!(as_expected && lines.len() == expected.len(), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn slow_answers_beside_quick_ones_are_no_outage() {
    let contact = Contact::to("there");
    let slow = async {
        for _ in 0..20 {
            call(&contact, 1_500).await;
        }
    };
    let quick = async {
        for _ in 0..300 {
            call(&contact, 100).await;
        }
    };
    let lines = told(async {
        tokio::join!(slow, quick);
    });
    assert_told(&lines.await, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_slow_again_and_again_is_told_of_once_a_minute() {
    let contact = Contact::to("there");
    let lines = told(async {
        for _ in 0..30 {
            call(&contact, 1_500).await;
        }
    });
    assert_told(&lines.await, &[LOST, FOUND]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_at_once_and_its_end_too() {
    let contact = Contact::to("there");
    let lines = told(async {
        for _ in 0..3 {
            for _ in 0..10 {
                contact.lost(&"connection refused");
                sleep(seconds(2)).await;
            }
            contact.found();
            sleep(seconds(120)).await;
        }
    });
    assert_told(&lines.await, &[LOST, FOUND, LOST, FOUND, LOST, FOUND]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_lasts_is_told_also_right_after_another() {
    let contact = Contact::to("there");
    let lines = told(async {
        contact.lost(&"connection refused");
        contact.found();
        for _ in 0..100 {
            contact.lost(&"connection refused");
            sleep(seconds(2)).await;
        }
        contact.found();
    });
    assert_told(&lines.await, &[LOST, FOUND, LOST, FOUND]);
}
