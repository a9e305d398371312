use super::*;

const LEASE_MS: u64 = 1000;

struct World {
    shop: Shop<()>,
    now_ms: u64,
}

impl World {
    fn new() -> Self {
        Self { shop: Shop::new(LEASE_MS), now_ms: 0 }
    }

    fn ask(&mut self, id: &str) -> Arc<Piece<()>> {
        let piece = Arc::new(Piece {
            id: id.into(),
            queue: "q".into(),
            brief: "".into(),
            deadline_ms: 100_000,
            sink: (),
            bell: Notify::new(),
            task: Mutex::new(Task::new(self.now_ms)),
        });
        self.shop.push(Arc::clone(&piece), false);
        piece
    }

    fn join(&mut self, name: &str, capacity: usize) -> Seat {
        self.shop.join(&worker(name, capacity)).0
    }

    /// Who has what, after every connection was given notice until nobody takes anything.
    fn settle(&mut self, seats: &[Seat]) -> Vec<Vec<String>> {
        let mut got = vec![Vec::new(); seats.len()];
        loop {
            let news: Vec<_> = seats.iter().map(|seat| self.shop.look(*seat, self.now_ms).job).collect();
            if news.iter().all(Option::is_none) {
                assert!(!self.shop.has_work("q"), "somebody is free, and something waits");
                return got;
            }
            got.iter_mut().zip(news).for_each(|(got, job)| got.extend(job.map(|job| job.id)));
        }
    }
}

fn worker(name: &str, capacity: usize) -> Worker<'_> {
    Worker { queue: "q", who: "bots", name: Some(name), capacity }
}

#[test]
fn each_question_is_given_once_and_to_whom_has_least() {
    let mut world = World::new();
    let seats = [world.join("a", 3), world.join("b", 2), world.join("c", 10)];
    (0..9).for_each(|i| drop(world.ask(&i.to_string())));
    let got = world.settle(&seats);
    assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2, 4]);
    let mut all: Vec<_> = got.concat();
    all.sort();
    assert_eq!(all, (0..9).map(|i| format!("{i}.1")).collect::<Vec<_>>());
    assert_eq!(world.shop.census(), Census { waiting: 0, leased: 9, connected: 3 });
}

#[test]
fn nobody_has_more_than_it_can() {
    let mut world = World::new();
    let seat = world.join("a", 1);
    let (first, _second) = (world.ask("1"), world.ask("2"));
    assert_eq!(world.settle(&[seat]), [["1.1"]]);
    assert!(world.shop.remove(&first, None));
    assert_eq!(world.settle(&[seat]), [["2.1"]]);
}

#[test]
fn who_returns_by_its_name_goes_on() {
    let mut world = World::new();
    let before = world.join("a", 1);
    let piece = world.ask("1");
    world.settle(&[before]);
    let said = crate::dialect::work::Said::Step(crate::dialect::sessions::Step::Text("x".into()));
    lock(&piece.task).tell(1, said, |_| Ok(())).unwrap();
    // The old connection may still be open as far as anybody knows.
    let after = world.join("a", 1);
    let jobs = world.shop.resume(after.worker, 900);
    assert_eq!(
        jobs.iter().map(|job| (&*job.id, job.next, job.left_ms)).collect::<Vec<_>>(),
        [("1.1", 2, 99_100)]
    );
    assert!(world.shop.look(before, 900).replaced && !world.shop.look(after, 900).replaced);
    world.shop.leave(before);
    assert_eq!(world.shop.census(), Census { waiting: 0, leased: 1, connected: 1 });
    // Its lease began anew.
    assert_eq!(lock(&piece.task).look(1500, 1), super::super::task::Next::Wait(400));
    let other = Worker { who: "others", ..worker("a", 1) };
    let other = world.shop.join(&other).0;
    assert!(world.shop.resume(other.worker, 900).is_empty(), "another credential is another worker");
}

#[test]
fn only_its_own_credential_speaks_for_a_job() {
    let mut world = World::new();
    let seat = world.join("a", 1);
    world.ask("1");
    assert!(world.shop.find("q", "bots", "1").is_none(), "it still waits");
    world.settle(&[seat]);
    assert!(world.shop.find("q", "bots", "1").is_some());
    assert!(world.shop.find("q", "others", "1").is_none());
    assert!(world.shop.find("p", "bots", "1").is_none());
    assert!(world.shop.find("q", "bots", "2").is_none());
}

#[test]
fn a_worker_is_told_what_is_its_own_no_more() {
    let mut world = World::new();
    let seat = world.join("a", 2);
    let (first, second) = (world.ask("1"), world.ask("2"));
    world.settle(&[seat]);
    world.shop.remove(&first, Some(Why::Cancelled));
    world.shop.remove(&second, None);
    assert_eq!(world.shop.look(seat, 0).over, [("1.1".to_owned(), Why::Cancelled)]);
    assert_eq!(world.shop.look(seat, 0).over, []);
}

#[test]
fn what_was_lost_comes_before_what_waits() {
    let mut world = World::new();
    let seat = world.join("a", 1);
    let lost = world.ask("1");
    world.settle(&[seat]);
    world.ask("2");
    assert!(lock(&lost.task).give_back(1));
    world.shop.remove(&lost, None);
    assert!(lock(&lost.task).again(5));
    world.shop.push(lost, true);
    assert_eq!(world.settle(&[seat]), [["1.2"]]);
}

#[test]
fn who_polls_gets_what_it_has_again() {
    let mut world = World::new();
    assert!(world.shop.take(&worker("p", 1), 0).is_none());
    assert!(
        world.shop.members.is_empty() && world.shop.queues.is_empty(),
        "nothing is left of who has nothing"
    );
    drop((world.ask("1"), world.ask("2")));
    let taken = |world: &mut World, capacity| world.shop.take(&worker("p", capacity), 0).map(|job| job.id);
    assert_eq!(taken(&mut world, 1).as_deref(), Some("1.1"));
    assert_eq!(taken(&mut world, 1).as_deref(), Some("1.1"));
    assert_eq!(taken(&mut world, 2).as_deref(), Some("2.1"));
    assert_eq!(world.shop.census(), Census { waiting: 0, leased: 2, connected: 0 });
}

#[test]
fn nothing_is_left_of_what_is_over() {
    let mut world = World::new();
    let seat = world.join("a", 1);
    let (first, second) = (world.ask("1"), world.ask("2"));
    world.settle(&[seat]);
    world.shop.leave(seat);
    world.shop.leave(seat);
    assert!(!world.shop.remove(&second, None) && world.shop.remove(&first, None));
    assert!(!world.shop.remove(&first, None));
    let Shop { queues, members, ids, held, .. } = &world.shop;
    assert!(queues.is_empty() && members.is_empty() && ids.is_empty() && held.is_empty());
}
