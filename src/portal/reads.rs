//! Any number of commands that only read, in batches over several connections, until each has its end.
//!
//! The work is named by numbers from 0, and a command is made when it is sent, so that nothing is held for commands that
//! wait for their turn. What comes back is matched by key. A batch that the portal cannot get through is cut in two, and
//! again, until the one bad command stands alone and all others are answered.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;

use super::batch::{Batch, MOST_COMMANDS, key};
use super::client::{CallError, Client, LIMIT_PATIENCE, of_method, words};
use super::command::Command;
use super::exchange::{Answer, CommandEnd, CommandEnds};
use super::schedule::Next;
use super::sizing::{Latest, Wave, Work};
use super::trial::{Repeat, Trial};
use super::wire::CommandTrouble;
use super::writing::LEFT_OUT;
use crate::port::{CardQueue, PortalError, Refusal};

/// How one command ended.
#[derive(Clone, Debug)]
pub(crate) enum ReadEnd {
    /// It has a result.
    Answered(Answer),
    /// The portal refused it.
    Refused(Refusal),
    /// There is no usable answer, however often it was sent.
    NoAnswer(String),
}

/// About how many requests follow some work, which makes them necessary.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behind {
    /// So many, and most of the time is theirs: this work is over soon, and its size is chosen with theirs.
    Most {
        /// How many.
        requests: f64,
        /// How many of them can be sent at the same time as this work.
        meanwhile: f64,
    },
    /// As many resets as are expected behind reads of cards: this work takes a good part of the time itself, and leaves them
    /// their room in the portal's counter.
    Resets,
    /// None.
    Nothing,
}

/// The numbers of the commands that are to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Numbers<'a> {
    /// So many, from 0 on.
    All(usize),
    /// Those of the cards of a queue, to which more are added meanwhile.
    Coming(&'a CardQueue),
}

impl Numbers<'_> {
    /// How many are known by now.
    fn known(&self) -> usize {
        match self {
            Self::All(count) => *count,
            Self::Coming(queue) => queue.len(),
        }
    }

    /// How many there will be in all.
    fn expected(&self) -> usize {
        match self {
            Self::All(count) => *count,
            Self::Coming(queue) => queue.expected(),
        }
    }

    /// Whether all are known.
    fn are_complete(&self) -> bool {
        match self {
            Self::All(_) => true,
            Self::Coming(queue) => queue.is_complete(),
        }
    }

    /// Waits until something about them changes. For ever if all were known from the start.
    async fn change(&self) {
        match self {
            Self::All(_) => std::future::pending().await,
            Self::Coming(queue) => queue.changed().await,
        }
    }
}

/// How often a command is sent again that the portal left out, or in which its code broke down.
const MOST_ATTEMPTS: u32 = 3;

/// A batch that is to be sent.
struct Job {
    numbers: Vec<usize>,
    trial: Trial,
    pause: Duration,
}

/// What is not in flight.
struct Rest<'a> {
    client: &'a Client,
    numbers: Numbers<'a>,
    /// How many numbers there will be, as it was known last.
    expected: usize,
    next: usize,
    sent: usize,
    behind: Behind,
    wave: Wave,
    latest: Latest,
    began: Instant,
    again: VecDeque<Job>,
}

impl Client {
    /// Sends the commands with the numbers 0 to `count - 1`, and gives the end of each to `take`, in no particular order
    /// and each exactly once, unless the whole fails.
    pub(crate) async fn read_all(
        &self,
        count: usize,
        behind: Behind,
        command: &(dyn Fn(usize) -> Command + Sync),
        take: &mut (dyn FnMut(usize, ReadEnd) + Send),
    ) -> Result<(), PortalError> {
        self.read_numbers(Numbers::All(count), behind, command, take).await
    }

    /// The same for numbers that may not all be known yet.
    pub(crate) async fn read_numbers(
        &self,
        numbers: Numbers<'_>,
        behind: Behind,
        command: &(dyn Fn(usize) -> Command + Sync),
        take: &mut (dyn FnMut(usize, ReadEnd) + Send),
    ) -> Result<(), PortalError> {
        let mut rest = Rest {
            client: self,
            numbers,
            expected: 0,
            next: 0,
            sent: 0,
            behind,
            wave: Wave::default(),
            latest: Latest::default(),
            began: Instant::now(),
            again: VecDeque::new(),
        };
        let mut in_flight = FuturesUnordered::new();
        let mut answered = VecDeque::new();
        loop {
            // Asked before the numbers are: whoever adds the last ones meanwhile is heard below.
            let complete = numbers.are_complete();
            while in_flight.len() + answered.len() + rest.others() < self.connections()
                && let Some(mut job) = rest.next_job()
            {
                in_flight.push(async move {
                    let sent = self.send_job(&mut job, command).await;
                    (job, sent)
                });
                // It takes its place now, and the next one is given its size behind it.
                while let Some(Some(next)) = in_flight.next().now_or_never() {
                    answered.push_back(next);
                }
            }
            let next = match answered.pop_front() {
                Some(next) => Some(next),
                None if complete => in_flight.next().await,
                None if in_flight.is_empty() => {
                    numbers.change().await;
                    continue;
                }
                None => tokio::select! {
                    next = in_flight.next() => next,
                    () = numbers.change() => continue,
                },
            };
            let Some((job, sent)) = next else {
                return Ok(());
            };
            match sent {
                Ok(ends) => rest.sort(&job, ends, command, take)?,
                Err(CallError::Portal(error)) => return Err(error),
                Err(CallError::Refused(refusal)) => return Err(PortalError::Unexpected(words(&refusal))),
                Err(CallError::Broken(text) | CallError::Indeterminate(text, _)) => rest.narrow(job, text, take)?,
            }
        }
    }

    async fn send_job(
        &self,
        job: &mut Job,
        command: &(dyn Fn(usize) -> Command + Sync),
    ) -> Result<CommandEnds, CallError> {
        if !job.pause.is_zero() {
            self.gate.pause(job.pause).await.map_err(CallError::Portal)?;
        }
        let batch = Batch::numbered(job.numbers.iter().map(|number| command(*number)));
        self.batch(&batch, Repeat::Always, &mut job.trial).await
    }
}

impl Rest<'_> {
    /// The next batch: what is to be sent again before what was never sent.
    fn next_job(&mut self) -> Option<Job> {
        if let Some(job) = self.again.pop_front() {
            return Some(job);
        }
        let known = self.numbers.known() - self.next;
        if known == 0 {
            return None;
        }
        let expected = self.numbers.expected();
        if expected > self.expected {
            // How late it may be was reckoned for less.
            (self.expected, self.latest) = (expected, Latest::default());
        }
        let left = expected - self.next;
        let since = self.began.elapsed().as_secs_f64();
        let behind = match self.behind {
            Behind::Resets => self.client.resets_behind(expected as f64 / MOST_COMMANDS as f64),
            Behind::Most { .. } | Behind::Nothing => 0.0,
        };
        let work = Work { known, since, sent: self.sent, ..Work::of(left, 1, MOST_COMMANDS) };
        let size = match self.behind {
            Behind::Most { requests: behind, meanwhile } => {
                self.client.next_of_wave(Work { behind, meanwhile, ..work }, &mut self.wave)
            }
            Behind::Resets | Behind::Nothing => {
                match self.client.next_size(Work { behind, ..work }, &mut self.latest) {
                    Next::Size(size) => size,
                    Next::Wait => return None,
                }
            }
        };
        let size = size.clamp(1, known);
        let numbers = (self.next..self.next + size).collect();
        self.next += size;
        self.sent += 1;
        Some(Job { numbers, trial: Trial::default(), pause: Duration::ZERO })
    }

    /// How many connections are needed for the lists in which the other numbers are found out.
    fn others(&self) -> usize {
        match self.numbers {
            Numbers::Coming(queue) if !queue.is_complete() => self.client.pages_under_way(),
            Numbers::All(_) | Numbers::Coming(_) => 0,
        }
    }

    /// Gives away what is settled, and puts back what is to be sent again.
    fn sort(
        &mut self,
        job: &Job,
        mut ends: CommandEnds,
        command: &(dyn Fn(usize) -> Command + Sync),
        take: &mut (dyn FnMut(usize, ReadEnd) + Send),
    ) -> Result<(), PortalError> {
        let (mut limited, mut failed) = (Vec::new(), Vec::new());
        let mut limits = Vec::new();
        for (index, &number) in job.numbers.iter().enumerate() {
            match ends.remove(&key(index)) {
                Some(CommandEnd::Answered(answer)) => take(number, ReadEnd::Answered(answer)),
                Some(CommandEnd::Failed(CommandTrouble::Refused(refusal))) => take(number, ReadEnd::Refused(refusal)),
                Some(CommandEnd::Failed(CommandTrouble::Rejected(rejection, refusal))) => {
                    return Err(self.client.reject(rejection, of_method(command(number).method(), refusal)));
                }
                Some(CommandEnd::Failed(CommandTrouble::Limited(limit, refusal))) => {
                    let seen = (limit, command(number).method());
                    if !limits.contains(&seen) {
                        limits.push(seen);
                    }
                    limited.push((number, words(&refusal)));
                }
                Some(CommandEnd::Failed(CommandTrouble::Broken(refusal))) => failed.push((number, words(&refusal))),
                None => failed.push((number, LEFT_OUT.to_owned())),
            }
        }
        for (limit, method) in limits {
            self.client.limited(limit, &[method]);
        }
        self.wait_out(job.trial, limited)?;
        self.try_again(job.trial, failed, take)
    }

    /// Puts back what a limit has refused; the limiter does the waiting.
    fn wait_out(&mut self, mut trial: Trial, limited: Vec<(usize, String)>) -> Result<(), PortalError> {
        let Some((_, text)) = limited.first() else {
            return Ok(());
        };
        let pause = trial.limited(self.client.budget());
        if trial.limited_for() > LIMIT_PATIENCE {
            return Err(PortalError::NotExecuted(text.clone()));
        }
        let numbers = limited.into_iter().map(|(number, _)| number).collect();
        self.again.push_back(Job { numbers, trial, pause });
        Ok(())
    }

    /// Puts back what was left out or broke down, or gives it up.
    fn try_again(
        &mut self,
        mut trial: Trial,
        failed: Vec<(usize, String)>,
        take: &mut (dyn FnMut(usize, ReadEnd) + Send),
    ) -> Result<(), PortalError> {
        let Some((_, text)) = failed.first() else {
            return Ok(());
        };
        let pause = trial.failed(self.client.budget());
        if trial.attempts() >= MOST_ATTEMPTS {
            for (number, text) in failed {
                take(number, ReadEnd::NoAnswer(text));
            }
            return Ok(());
        }
        if !self.client.owe() {
            return Err(PortalError::NotExecuted(text.clone()));
        }
        self.client.asked_again(text.clone());
        let numbers = failed.into_iter().map(|(number, _)| number).collect();
        self.again.push_back(Job { numbers, trial, pause });
        Ok(())
    }

    /// Cuts a batch in two, or gives its single command up.
    fn narrow(
        &mut self,
        job: Job,
        text: String,
        take: &mut (dyn FnMut(usize, ReadEnd) + Send),
    ) -> Result<(), PortalError> {
        let Job { numbers, trial, pause: _ } = job;
        if let [number] = numbers.as_slice() {
            take(*number, ReadEnd::NoAnswer(text));
            return Ok(());
        }
        if !self.client.owe() {
            return Err(PortalError::MaybeExecuted(text));
        }
        self.client.narrowed(numbers.len(), &text);
        let (first, second) = numbers.split_at(numbers.len().div_ceil(2));
        for half in [first, second] {
            self.again.push_back(Job {
                numbers: half.to_vec(),
                trial: trial.half(self.client.budget()),
                pause: Duration::ZERO,
            });
        }
        Ok(())
    }
}
