//! A queue between the thread that lists and those that download. It is short, so that a
//! large account needs no more memory than a small one.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

/// The most items that wait.
const CAPACITY: usize = 256;

pub struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// Nothing more comes.
    closed: bool,
    /// Nothing more is taken out.
    stopped: bool,
}

impl<T> Queue<T> {
    pub fn new() -> Queue<T> {
        Queue {
            state: Mutex::new(State {
                items: VecDeque::new(),
                closed: false,
                stopped: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn wait(&self, until: impl Fn(&State<T>) -> bool) -> MutexGuard<'_, State<T>> {
        let state = self.state.lock().unwrap();
        self.changed
            .wait_while(state, |state| !until(state))
            .unwrap()
    }

    /// Adds an item as soon as there is room.
    pub fn push(&self, item: T) {
        let mut state = self.wait(|state| state.stopped || state.items.len() < CAPACITY);
        state.items.push_back(item);
        self.changed.notify_all();
    }

    /// Waits for the next item. `None` if there is none any more.
    pub fn pop(&self) -> Option<T> {
        let mut state = self.wait(|state| state.stopped || state.closed || !state.items.is_empty());
        let item = match state.stopped {
            true => None,
            false => state.items.pop_front(),
        };
        self.changed.notify_all();
        item
    }

    pub fn close(&self) {
        self.state.lock().unwrap().closed = true;
        self.changed.notify_all();
    }

    pub fn stop(&self) {
        self.state.lock().unwrap().stopped = true;
        self.changed.notify_all();
    }

    pub fn is_stopped(&self) -> bool {
        self.state.lock().unwrap().stopped
    }

    /// What nobody takes out any more.
    pub fn rest(&self) -> VecDeque<T> {
        std::mem::take(&mut self.state.lock().unwrap().items)
    }
}
