//! Any number of commands that only read, in batches over several connections, until each has its
//! end.
//!
//! The work is named by numbers from 0, and a command is made when it is sent, so that nothing is
//! held for commands that wait for their turn. What comes back is matched by key. A batch that the
//! portal cannot get through is cut in two, and again, until the one bad command stands alone and
//! all others are answered.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::batch::{Batch, MOST_COMMANDS, key};
use super::chunking::Workload;
use super::client::{CallError, Client, LIMIT_PATIENCE, of_method, words};
use super::command::Command;
use super::exchange::{Answer, CommandEnd, CommandEnds};
use super::trial::{Repeat, Trial};
use super::wire::CommandTrouble;
use super::writing::LEFT_OUT;
use crate::port::{PortalError, Refusal};

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
    count: usize,
    next: usize,
    chunk: usize,
    again: VecDeque<Job>,
}

impl Client {
    /// Sends the commands with the numbers 0 to `count - 1`, and gives the end of each to `take`,
    /// in no particular order and each exactly once, unless the whole fails. `reserved` is how many
    /// requests are expected to follow.
    pub(crate) async fn read_all(
        &self,
        count: usize,
        reserved: usize,
        command: &(dyn Fn(usize) -> Command + Sync),
        take: &mut (dyn FnMut(usize, ReadEnd) + Send),
    ) -> Result<(), PortalError> {
        let workload = Workload { items: count, commands_each: 1, max: MOST_COMMANDS, reserved };
        let mut rest = Rest {
            client: self,
            count,
            next: 0,
            chunk: self.chunk_size(&workload),
            again: VecDeque::new(),
        };
        let mut in_flight = FuturesUnordered::new();
        loop {
            while in_flight.len() < self.connections()
                && let Some(mut job) = rest.next_job()
            {
                in_flight.push(async move {
                    let sent = self.send_job(&mut job, command).await;
                    (job, sent)
                });
            }
            let next = in_flight.next().await;
            let Some((job, sent)) = next else {
                return Ok(());
            };
            match sent {
                Ok(ends) => rest.sort(&job, ends, command, take)?,
                Err(CallError::Portal(error)) => return Err(error),
                Err(CallError::Refused(refusal)) => {
                    return Err(PortalError::Unexpected(words(&refusal)));
                }
                Err(CallError::Broken(text) | CallError::Indeterminate(text, _)) => {
                    rest.narrow(job, text, take)?
                }
            }
        }
    }

    async fn send_job(
        &self,
        job: &mut Job,
        command: &(dyn Fn(usize) -> Command + Sync),
    ) -> Result<CommandEnds, CallError> {
        if !job.pause.is_zero() {
            self.admission.pause(job.pause).await.map_err(CallError::Portal)?;
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
        let left = self.count - self.next;
        if left == 0 {
            return None;
        }
        let size = self.chunk.min(left);
        let numbers = (self.next..self.next + size).collect();
        self.next += size;
        Some(Job { numbers, trial: Trial::default(), pause: Duration::ZERO })
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
        for (index, &number) in job.numbers.iter().enumerate() {
            match ends.remove(&key(index)) {
                Some(CommandEnd::Answered(answer)) => take(number, ReadEnd::Answered(answer)),
                Some(CommandEnd::Failed(CommandTrouble::Refused(refusal))) => {
                    take(number, ReadEnd::Refused(refusal))
                }
                Some(CommandEnd::Failed(CommandTrouble::Rejected(rejection, refusal))) => {
                    return Err(self
                        .client
                        .reject(rejection, of_method(command(number).method(), refusal)));
                }
                Some(CommandEnd::Failed(CommandTrouble::Limited(_, refusal))) => {
                    limited.push((number, words(&refusal)));
                }
                Some(CommandEnd::Failed(CommandTrouble::Broken(refusal))) => {
                    failed.push((number, words(&refusal)))
                }
                None => failed.push((number, LEFT_OUT.to_owned())),
            }
        }
        self.wait_out(job.trial, limited)?;
        self.try_again(job.trial, failed, take)
    }

    /// Puts back what a limit has refused; the limiter does the waiting.
    fn wait_out(
        &mut self,
        mut trial: Trial,
        limited: Vec<(usize, String)>,
    ) -> Result<(), PortalError> {
        let Some((_, text)) = limited.first() else {
            return Ok(());
        };
        trial.limited();
        if trial.limited_for() > LIMIT_PATIENCE {
            return Err(PortalError::NotExecuted(text.clone()));
        }
        let numbers = limited.into_iter().map(|(number, _)| number).collect();
        self.again.push_back(Job { numbers, trial, pause: Duration::ZERO });
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
        let pause = trial.failed(self.client.retry_budget());
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
                trial: trial.half(self.client.retry_budget()),
                pause: Duration::ZERO,
            });
        }
        Ok(())
    }
}
