//! Connections of whom nobody knows yet whose they are: few, and the oldest of a crowd goes first.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use tokio::task::JoinHandle;

/// Such connections, and where from; the oldest first. At most `most`, at least one.
pub struct Unknown {
    open: VecDeque<(IpAddr, JoinHandle<()>)>,
    most: usize,
}

impl Unknown {
    /// None yet.
    pub fn new(most: usize) -> Self {
        Unknown { open: VecDeque::new(), most }
    }

    /// Forgets those that have ended, or are known by now: their task has ended.
    pub fn look(&mut self) {
        self.open.retain(|(_, task)| !task.is_finished());
    }

    /// Counts one in, for which another may have to go.
    pub fn add(&mut self, from: IpAddr, task: JoinHandle<()>) {
        self.open.push_back((origin(from), task));
        if self.open.len() > self.most {
            self.give_up();
        }
    }

    /// Gives one up, if there is one.
    pub fn give_up(&mut self) -> bool {
        let from = |at: usize| self.open[at].0;
        let crowd = |at: usize| self.open.iter().filter(|(other, _)| *other == from(at)).count();
        // Of equals the last one, hence the oldest.
        let found = (0..self.open.len()).rev().max_by_key(|at| crowd(*at));
        found.and_then(|at| self.open.remove(at)).inspect(|(_, task)| task.abort()).is_some()
    }
}

impl Drop for Unknown {
    fn drop(&mut self) {
        self.open.iter().for_each(|(_, task)| task.abort());
    }
}

/// Who has one address of IPv6 has as many as he likes of its network.
fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
        four => four,
    }
}
