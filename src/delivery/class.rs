//! Classes of subscriptions: all that have the same view, filter, conflation and linger get the same bytes from
//! the same place. A class is a small number, interned per shard; equal filters are one class.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

use crate::dialect::Linger;
use crate::engine::filter::{Filter, FilterKey};
use crate::engine::{Encode, ViewId};

/// Number of a class within its shard.
pub type ClassId = u32;

/// What its members have in common.
#[derive(Clone)]
pub struct Class {
    /// How events look.
    pub encode: &'static dyn Encode,
    /// Which events.
    pub filter: Option<Arc<Filter>>,
    /// Whether only the newest of each key.
    pub conflate: bool,
    /// Whether events may wait to go together. With conflation, batches are made of what that has left.
    pub linger: Option<Linger>,
}

type Identity = (ViewId, bool, Option<Arc<Filter>>, Option<Linger>);

impl Class {
    fn identity(&self) -> Identity {
        (self.encode.view(), self.conflate, self.filter.clone(), self.linger)
    }
}

struct Member {
    class: Class,
    /// The key of its filter, in reach; conflation looks at everything.
    key: Option<FilterKey>,
    members: usize,
}

/// The classes of a shard.
#[derive(Default)]
pub struct Classes {
    all: Slab<Member>,
    ids: HashMap<Identity, ClassId>,
}

impl Classes {
    /// Adds a member to the class that equals `class`.
    pub fn enter(&mut self, class: Class) -> ClassId {
        let identity = class.identity();
        if let Some(&id) = self.ids.get(&identity) {
            self.all[id as usize].members += 1;
            return id;
        }
        let filter = class.filter.as_ref().filter(|_| !class.conflate);
        let key = filter.and_then(|filter| filter.key());
        let id = self.all.insert(Member { class, key, members: 1 }) as ClassId;
        self.ids.insert(identity, id);
        id
    }

    /// Takes a member out; a class without members is forgotten.
    pub fn leave(&mut self, id: ClassId) {
        let member = &mut self.all[id as usize];
        member.members -= 1;
        if member.members == 0 {
            let gone = self.all.remove(id as usize);
            self.ids.remove(&gone.class.identity());
        }
    }

    /// The class `id`.
    pub fn get(&self, id: ClassId) -> &Class {
        &self.all[id as usize].class
    }

    /// The key of the filter of the class `id`.
    pub fn key(&self, id: ClassId) -> Option<&FilterKey> {
        self.all[id as usize].key.as_ref()
    }
}
