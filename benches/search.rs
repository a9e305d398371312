//! What the search in documents costs: reading 5,000 passages in, and finding those for a question. The words are made up, as
//! frequent as in a language (the n-th one 1/n as often as the first), and so are the questions.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use millrace::auth::Identity;
use millrace::dialect::sessions::Question;
use millrace::respond::{Agent, Corpus, Document, Job, Nobody};
use tokio::runtime::{Builder, Runtime};

const DOCUMENTS: usize = 100;
const PASSAGES: usize = 50;
const WORDS: usize = 80;
const VOCABULARY: f64 = 20_000.0;

/// A small generator (xorshift): the same documents every time.
struct Random(u64);

impl Random {
    fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A word: the rank of a Zipf distribution, in letters.
    fn word(&mut self) -> String {
        let mut rank = VOCABULARY.powf(self.fraction()) as u64;
        let mut word = String::from("w");
        while rank > 0 {
            word.push((b'a' + (rank % 26) as u8) as char);
            rank /= 26;
        }
        word
    }

    fn words(&mut self, count: usize) -> String {
        (0..count).map(|_| self.word() + " ").collect()
    }
}

fn documents() -> Vec<Document> {
    let mut random = Random(42);
    let mut passage = |n: usize| format!("## {}{n}\n\n{}\n\n", random.words(3), random.words(WORDS));
    let mut document =
        |n: usize| Document { name: format!("{n}.md"), text: (0..PASSAGES).map(&mut passage).collect() };
    (0..DOCUMENTS).map(&mut document).collect()
}

fn job(text: String) -> Job {
    let (name, responder): (Arc<str>, _) = ("assistant".into(), Arc::new(Nobody));
    let agent =
        Agent { name: Arc::clone(&name), description: String::new(), keywords: Vec::new(), responder };
    Job {
        session: "s".into(),
        turn: 1,
        asker: Arc::new(Identity::nobody()),
        agent: Arc::new(agent),
        agent_name: name,
        question: Question { text, ..Question::default() },
        context: None,
        history: Vec::new(),
        deadline_ms: u64::MAX,
    }
}

fn find(runtime: &Runtime, corpus: &Corpus, job: &Job) -> usize {
    runtime.block_on(corpus.find(job)).expect("an index").passages.len()
}

fn search(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let all = documents();
    let first = job("wb".into());
    let mut group = c.benchmark_group("search");
    group.sample_size(20).bench_function("read in 5000 passages", |b| {
        let start = |documents| find(&runtime, &Corpus::of(documents).expect("a thread"), &first);
        b.iter_batched(|| all.clone(), start, BatchSize::LargeInput);
    });
    let corpus = Corpus::of(all).expect("a thread");
    for words in [2, 6, 30] {
        let mut random = Random(7);
        let questions: Vec<_> = (0..256).map(|_| job(random.words(words))).collect();
        let mut turn = 0;
        group.sample_size(100).bench_function(format!("question of {words} words"), |b| {
            b.iter(|| {
                turn += 1;
                find(&runtime, &corpus, black_box(&questions[turn % questions.len()]))
            });
        });
    }
    let rare = job("wzzb".into());
    group.bench_function("question of one rare word", |b| {
        b.iter(|| find(&runtime, &corpus, black_box(&rare)))
    });
}

criterion_group!(benches, search);
criterion_main!(benches);
