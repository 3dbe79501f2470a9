//! Where the parts of a store are: in one server, or in the nodes of a cluster.

use std::sync::Arc;

use redis::RedisResult;

use super::cluster::{Cluster, Map};
use super::connection::{Connection, Connections, Refused, Server};
use super::examine;
use super::slots::{Primary, slot_of};
use super::url::{RedisAddress, RedisUrl};
use crate::store::Finding;

/// The servers that a store is in.
#[derive(Debug)]
pub(super) enum Nodes {
    /// One that has everything.
    One(Connections),
    /// One that has the generations and marks, and others that have entries.
    Cluster(Cluster),
}

/// What a server said, by its name in the cluster.
pub(super) struct Said<T> {
    pub(super) name: String,
    pub(super) answer: Result<T, Refused>,
}

/// The server that has the generations and marks.
#[derive(Clone, Copy)]
pub(super) enum TagsNode<'a> {
    Only(&'a Connections),
    Of(&'a Cluster, &'a Map),
}

impl TagsNode<'_> {
    /// Has the server do something.
    pub(super) fn with<T>(
        self,
        call: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Refused> {
        match self {
            TagsNode::Only(connections) => connections.with(call),
            TagsNode::Of(cluster, map) => cluster.with_tags_of(map, call),
        }
    }
}

/// Where a read finds what it looks for.
pub(super) enum Place<'a> {
    /// In one server.
    One(TagsNode<'a>, Slots),
    /// In two nodes.
    Apart {
        tags: TagsNode<'a>,
        entries: &'a Connections,
    },
}

/// The slots of what a read looks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slots {
    /// One, or none: one command gets all of it.
    One,
    /// An entry has its own, and a command of its own.
    Two,
}

impl Nodes {
    /// The servers of a URL; a key tells the slot of the generations and marks.
    pub(super) fn new(url: &RedisUrl, incarnation: &[u8]) -> Self {
        match &url.address {
            RedisAddress::Cluster(seeds) => {
                Nodes::Cluster(Cluster::new(url, seeds, slot_of(incarnation)))
            }
            _ => Nodes::One(Connections::new(Server::new(url.clone()))),
        }
    }

    /// Has the server of the generations and marks do something.
    pub(super) fn with_tags<T>(
        &self,
        call: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Refused> {
        match self {
            Nodes::One(connections) => connections.with(call),
            Nodes::Cluster(cluster) => cluster.with_tags(call),
        }
    }

    /// Has the server of an entry do something.
    pub(super) fn with_entry<T>(
        &self,
        key: &[u8],
        call: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Refused> {
        match self {
            Nodes::One(connections) => connections.with(call),
            Nodes::Cluster(cluster) => cluster.with_entry(key, call),
        }
    }

    /// Has every server do something.
    pub(super) fn each<T>(
        &self,
        mut call: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Result<Vec<Said<T>>, Refused> {
        match self {
            Nodes::One(connections) => Ok(vec![Said {
                name: String::new(),
                answer: connections.with(call),
            }]),
            Nodes::Cluster(cluster) => {
                let said = |(primary, node): (&Primary, &Arc<Connections>)| Said {
                    name: primary.to_string(),
                    answer: node.with(&mut call),
                };
                Ok(cluster.map()?.all().map(said).collect())
            }
        }
    }

    /// What an expert would look at.
    pub(super) fn examine(&self) -> Result<Vec<Finding>, Refused> {
        match self {
            Nodes::One(connections) => {
                let info: String =
                    connections.with(|connection| redis::cmd("INFO").query(&mut connection.raw))?;
                Ok(examine::examine(&info))
            }
            Nodes::Cluster(cluster) => {
                let mut found = examine::cluster(&*cluster.map()?, cluster.slot());
                let said = self.each(|connection| {
                    let mut pipe = redis::pipe();
                    let pipe = pipe.cmd("INFO").cmd("CLUSTER").arg("INFO");
                    pipe.query::<(String, String)>(&mut connection.raw)
                })?;
                found.extend(said.iter().flat_map(examine::node));
                Ok(found)
            }
        }
    }

    /// Reads at the place of the generations and of an entry, if one is looked for.
    pub(super) fn read<T>(
        &self,
        entry: Option<&[u8]>,
        mut call: impl FnMut(Place<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        match self {
            Nodes::One(connections) => call(Place::One(TagsNode::Only(connections), Slots::One)),
            Nodes::Cluster(cluster) => cluster.routed(|map| call(place(cluster, map, entry)?)),
        }
    }
}

fn place<'a>(
    cluster: &'a Cluster,
    map: &'a Map,
    entry: Option<&[u8]>,
) -> Result<Place<'a>, Refused> {
    let tags = TagsNode::Of(cluster, map);
    let Some(key) = entry else {
        return Ok(Place::One(tags, Slots::One));
    };
    if map.is_with_tags(key) {
        return Ok(Place::One(tags, Slots::Two));
    }
    let entries = map.entries(key)?;
    Ok(Place::Apart { tags, entries })
}
