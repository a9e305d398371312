//! Asking the backend before something is read: a stream that begins, and topics that an answer tells of.

use super::answer::Fault;
use super::node::Node;
use super::routes::Call;
use super::takeover::Takeover;
use crate::auth::{AuthError, Permits};
use crate::dialect::protocol;
use crate::dialect::refuse::{self, Refuse};

/// Asks about a stream before it begins. Nobody is asked about a client that has yet to say who it is.
///
/// # Errors
/// It may not begin, and is to be refused by an answer.
pub async fn stream(node: &Node, takeover: &mut Takeover) -> Result<(), Fault> {
    let Some(caller) = takeover.consulted.caller.clone() else { return Ok(()) };
    if std::sync::Arc::ptr_eq(&takeover.identity, &node.nobody) {
        return Ok(());
    }
    if let Err(error) = node.authority.may_connect(&takeover.identity, &caller).await {
        return refused(takeover, error);
    }
    let topics = takeover.dialect.opens_with();
    takeover.consulted.permits = node.authority.may_read(&takeover.identity, &caller, topics).await;
    Ok(())
}

fn refused(takeover: &mut Takeover, error: AuthError) -> Result<(), Fault> {
    if takeover.refuse == Refuse::Http {
        return Err(error.into());
    }
    let why = refuse::disconnect(error, "The server's backend refuses this connection");
    takeover.dialect = refuse::closing(why);
    Ok(())
}

/// What the backend says about `topics`; `None` where nobody is asked about topics.
pub async fn topics(node: &Node, call: &Call, topics: Vec<String>) -> Option<Permits> {
    let caller = call.caller.as_ref().filter(|_| node.authority.is_asked_about_topics())?;
    Some(node.authority.may_read(&call.identity, caller, topics).await)
}

/// Whether the asker may be told of `topic`.
///
/// # Errors
/// It may not.
pub async fn topic(node: &Node, call: &Call, topic: String) -> Result<(), Fault> {
    let permits = topics(node, call, vec![topic]).await.unwrap_or_default();
    let permitted = permits.iter().all(|(_, allowed)| *allowed);
    if permitted { Ok(()) } else { Err(protocol::Fault::denied().into()) }
}
