//! Announces blocks, each at least once. A message is committed with the decision that it reports, and removed from the
//! state only when the topic has taken it. If it could not be sent, the next pass sends it.

use greenlight::failure::chain;
use offenders::state::{Announcement, State};

use crate::ports::{PortResult, Ports, Store};
use crate::stored;

/// Most messages kept while the topic takes none; then the oldest go. `blocked` and the log still have it all.
const MOST_UNTOLD: usize = 20;

/// Keeps a message until it is told.
pub fn keep(state: &mut State, message: Announcement) {
    if state.untold.len() >= MOST_UNTOLD {
        let dropped = state.untold.remove(0);
        tracing::error!(
            subject = dropped.subject,
            "the topic has taken no message for long; the oldest is dropped, mend the topic"
        );
    }
    state.untold.push(message);
}

/// Tells what has not been told, in order, and notes it. The pass goes on whatever comes of it: the blocks stand.
pub async fn tell(ports: &impl Ports, untold: &[Announcement]) {
    let mut told = 0;
    for message in untold {
        if let Err(failure) = ports.publish(&message.subject, &message.text).await {
            tracing::error!(
                error = chain(&failure),
                subject = message.subject,
                waiting = untold.len() - told,
                "a notification was not sent; the next pass sends it"
            );
            break;
        }
        told += 1;
    }
    if let Err(failure) = strike_out(ports, &untold[..told]).await {
        tracing::warn!(
            error = chain(&failure),
            told,
            "it could not be noted what was told; it is told again"
        );
    }
}

async fn strike_out(store: &impl Store, told: &[Announcement]) -> PortResult<()> {
    if told.is_empty() {
        return Ok(());
    }
    for _ in 0..stored::ATTEMPTS {
        let (mut state, tag) = stored::state(store).await?;
        state.untold.retain(|message| !told.contains(message));
        if stored::commit(store, &state, tag.as_ref()).await? {
            return Ok(());
        }
    }
    Err(stored::contended())
}
