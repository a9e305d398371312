//! Where questions wait for workers: queues, who has what, and who is free.
//!
//! A question is locked apart from the shop, and the shop before a question where both are: steps of different answers are published
//! at the same time. Of the workers that are connected the one that has least is the next to get something.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

use super::task::Task;
use crate::dialect::work::{Job, News, Seat, Why, Worker};
use crate::sync::{Mutex, lock};

/// A question, as the shop keeps it.
pub struct Piece<S> {
    /// Its id.
    pub id: Arc<str>,
    /// Its queue.
    pub queue: Arc<str>,
    /// What workers are told of it.
    pub brief: Arc<str>,
    /// Until when the answer must be there, monotonic milliseconds.
    pub deadline_ms: u64,
    /// Its way to its readers.
    pub sink: S,
    /// Rings when it is lost or over.
    pub bell: Notify,
    /// The rest.
    pub task: Mutex<Task>,
}

impl<S> Piece<S> {
    /// As its worker sees it.
    fn job(&self, task: &Task, lease_ms: u64, now_ms: u64) -> Job {
        Job {
            id: format!("{}.{}", self.id, task.attempt),
            brief: Arc::clone(&self.brief),
            attempt: task.attempt,
            next: task.next,
            lease_ms,
            left_ms: self.deadline_ms.saturating_sub(now_ms),
        }
    }
}

/// Who a worker is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    queue: Arc<str>,
    who: Arc<str>,
    name: Arc<str>,
}

/// A worker that is here, or has something.
struct Member<S> {
    key: Key,
    capacity: usize,
    /// Its newest connection, while that is open.
    visit: Option<u64>,
    /// In the order in which it got them.
    held: Vec<Arc<Piece<S>>>,
    /// What its connection has yet to be told.
    over: Vec<(String, Why)>,
    /// How much it had when it was last listed as free.
    listed: Option<usize>,
}

/// Questions of one name.
struct Queue<S> {
    waiting: VecDeque<Arc<Piece<S>>>,
    /// Connected workers with room, those that have least first.
    free: BTreeSet<(usize, u64)>,
    /// Workers of it.
    members: usize,
}

impl<S> Default for Queue<S> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), free: BTreeSet::new(), members: 0 }
    }
}

/// How many there are of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Questions that wait for a worker.
    pub waiting: usize,
    /// That are a worker's.
    pub leased: usize,
    /// Workers that are connected.
    pub connected: usize,
}

/// See the module.
pub struct Shop<S> {
    queues: HashMap<Arc<str>, Queue<S>>,
    members: HashMap<u64, Member<S>>,
    ids: HashMap<Key, u64>,
    /// What workers have, and who.
    held: HashMap<Arc<str>, (Arc<Piece<S>>, u64)>,
    last_id: u64,
    lease_ms: u64,
}

impl<S> Shop<S> {
    /// A shop that gives jobs for `lease_ms` at a time.
    pub fn new(lease_ms: u64) -> Self {
        let (queues, members, ids, held) = Default::default();
        Self { queues, members, ids, held, last_id: 0, lease_ms }
    }

    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The questions of a queue that wait.
    pub fn waiting(&self, queue: &str) -> usize {
        self.queues.get(queue).map_or(0, |queue| queue.waiting.len())
    }

    /// How many there are.
    pub fn census(&self) -> Census {
        Census {
            waiting: self.queues.values().map(|queue| queue.waiting.len()).sum(),
            leased: self.held.len(),
            connected: self.members.values().filter(|member| member.visit.is_some()).count(),
        }
    }

    /// A question waits; one that was lost does so before all others.
    pub fn push(&mut self, piece: Arc<Piece<S>>, was_lost: bool) {
        let queue = self.queues.entry(Arc::clone(&piece.queue)).or_default();
        match was_lost {
            true => queue.waiting.push_front(piece),
            false => queue.waiting.push_back(piece),
        }
    }

    /// A worker comes with a connection; its id, connection, and name.
    pub fn join(&mut self, worker: &Worker<'_>) -> (Seat, Arc<str>) {
        let visit = self.new_id();
        let name = worker.name.map_or_else(|| format!("worker-{visit}").into(), Arc::from);
        let id = self.member(worker, &name);
        if let Some(member) = self.members.get_mut(&id) {
            (member.visit, member.capacity) = (Some(visit), worker.capacity);
            member.over.clear();
        }
        self.list(id);
        (Seat { worker: id, visit }, name)
    }

    fn member(&mut self, worker: &Worker<'_>, name: &Arc<str>) -> u64 {
        let key = Key { queue: worker.queue.into(), who: worker.who.into(), name: Arc::clone(name) };
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = self.new_id();
        self.queues.entry(Arc::clone(&key.queue)).or_default().members += 1;
        self.ids.insert(key.clone(), id);
        let (visit, held, over, listed) = Default::default();
        self.members.insert(id, Member { key, capacity: worker.capacity, visit, held, over, listed });
        id
    }

    /// What a worker has, as it is told when it comes again.
    pub fn resume(&self, worker: u64, now_ms: u64) -> Vec<Job> {
        let held = self.members.get(&worker).map_or(&[][..], |member| &member.held);
        let until = now_ms + self.lease_ms;
        let resumed = held.iter().filter_map(|piece| {
            let mut task = lock(&piece.task);
            task.resume(until).then(|| piece.job(&task, self.lease_ms, now_ms))
        });
        resumed.collect()
    }

    /// What is new for a connection.
    pub fn look(&mut self, seat: Seat, now_ms: u64) -> News {
        let Some(member) = self.members.get_mut(&seat.worker).filter(|m| m.visit == Some(seat.visit)) else {
            return News { replaced: true, ..News::default() };
        };
        let over = std::mem::take(&mut member.over);
        let (load, queue) = (member.listed, Arc::clone(&member.key.queue));
        let least = self.queues.get(&queue).and_then(|queue| queue.free.first()).map(|(load, _)| *load);
        let is_next = load.is_some() && load == least;
        let job = if is_next { self.give(seat.worker, &queue, now_ms) } else { None };
        News { replaced: false, over, job }
    }

    /// A job for a worker that has no connection.
    pub fn take(&mut self, worker: &Worker<'_>, now_ms: u64) -> Option<Job> {
        let id = self.member(worker, &worker.name.unwrap_or_default().into());
        let member = self.members.get_mut(&id)?;
        let queue = Arc::clone(&member.key.queue);
        let job = match member.held.len() < worker.capacity {
            true => self.give(id, &queue, now_ms),
            false => self.resume(id, now_ms).into_iter().next(),
        };
        self.forget(id);
        job
    }

    /// Gives the first question that waits to a worker.
    fn give(&mut self, worker: u64, queue: &str, now_ms: u64) -> Option<Job> {
        let waiting = &mut self.queues.get_mut(queue)?.waiting;
        let (piece, job) = loop {
            let piece = waiting.pop_front()?;
            let mut task = lock(&piece.task);
            // One that is over this moment is about to be taken out.
            if task.lease(now_ms + self.lease_ms) {
                let job = piece.job(&task, self.lease_ms, now_ms);
                drop(task);
                break (piece, job);
            }
        };
        // Whoever sees to it has waited for a worker, and is to wait for the end of the lease.
        piece.bell.notify_one();
        self.held.insert(Arc::clone(&piece.id), (Arc::clone(&piece), worker));
        self.members.get_mut(&worker)?.held.push(piece);
        self.list(worker);
        Some(job)
    }

    /// The question of this id that a worker has whose credential is `who`.
    pub fn find(&self, queue: &str, who: &str, id: &str) -> Option<Arc<Piece<S>>> {
        let (piece, worker) = self.held.get(id)?;
        let key = &self.members.get(worker)?.key;
        (*key.queue == *queue && *key.who == *who).then(|| Arc::clone(piece))
    }

    /// The worker of a connection, if that is its newest.
    fn of_seat(&self, seat: Seat) -> Option<&Member<S>> {
        self.members.get(&seat.worker).filter(|member| member.visit == Some(seat.visit))
    }

    /// The queue of a connection.
    pub fn queue_of(&self, seat: Seat) -> Option<Arc<str>> {
        self.of_seat(seat).map(|member| Arc::clone(&member.key.queue))
    }

    /// What a connection's worker has, and which attempt at it.
    pub fn held_by(&self, seat: Seat) -> Vec<(Arc<Piece<S>>, u32)> {
        let held = self.of_seat(seat).map_or(&[][..], |member| &member.held);
        held.iter().map(|piece| (Arc::clone(piece), lock(&piece.task).attempt)).collect()
    }

    /// A question is its worker's no more, and does not wait; `why` is for the worker, if it has yet to be told. Whether it was a
    /// worker's.
    pub fn remove(&mut self, piece: &Piece<S>, why: Option<Why>) -> bool {
        if let Some(queue) = self.queues.get_mut(&piece.queue) {
            queue.waiting.retain(|other| other.id != piece.id);
        }
        let Some((_, worker)) = self.held.remove(&piece.id) else {
            self.forget_queue(&piece.queue);
            return false;
        };
        if let Some(member) = self.members.get_mut(&worker) {
            member.held.retain(|other| other.id != piece.id);
            if let Some(why) = why.filter(|_| member.visit.is_some()) {
                member.over.push((format!("{}.{}", piece.id, lock(&piece.task).attempt), why));
            }
        }
        self.list(worker);
        self.forget(worker);
        true
    }

    /// A connection has ended.
    pub fn leave(&mut self, seat: Seat) {
        let newest = self.members.get_mut(&seat.worker).filter(|member| member.visit == Some(seat.visit));
        if let Some(member) = newest {
            member.visit = None;
            self.list(seat.worker);
            self.forget(seat.worker);
        }
    }

    /// Lists a worker as free with what it has now, if it is.
    fn list(&mut self, worker: u64) {
        let Some(member) = self.members.get_mut(&worker) else { return };
        let Some(queue) = self.queues.get_mut(&member.key.queue) else { return };
        let load = member.held.len();
        if let Some(listed) = member.listed.take() {
            queue.free.remove(&(listed, worker));
        }
        if member.visit.is_some() && load < member.capacity {
            queue.free.insert((load, worker));
            member.listed = Some(load);
        }
    }

    /// Forgets a worker that is not here and has nothing.
    fn forget(&mut self, worker: u64) {
        let is_gone = |member: &Member<S>| member.visit.is_none() && member.held.is_empty();
        if !self.members.get(&worker).is_some_and(is_gone) {
            return;
        }
        if let Some(Member { key, .. }) = self.members.remove(&worker) {
            self.ids.remove(&key);
            if let Some(queue) = self.queues.get_mut(&key.queue) {
                queue.members -= 1;
            }
            self.forget_queue(&key.queue);
        }
    }

    fn forget_queue(&mut self, name: &str) {
        if self.queues.get(name).is_some_and(|queue| queue.members == 0 && queue.waiting.is_empty()) {
            self.queues.remove(name);
        }
    }

    /// Whether a question waits that somebody who is connected has room for.
    pub fn has_work(&self, queue: &str) -> bool {
        self.queues.get(queue).is_some_and(|queue| !queue.waiting.is_empty() && !queue.free.is_empty())
    }
}

#[cfg(test)]
#[path = "shop_tests.rs"]
mod tests;
