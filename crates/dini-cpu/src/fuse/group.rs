//! Which operations share a kernel: groups, their times and who reads them.

use crate::{
    element::ElementBytes,
    fuse::{Resolved, generated::holds},
    graph::{Combine, Value},
    kernel::ReductionSpace,
    scalar::ScalarOp,
};
use smallvec::SmallVec;

/// When a step runs, relative to the others.
type Time = u32;

/// Above this many points (one tile), operations that share no operand get kernels of their own: one pass over all of
/// them would only save the launch.
const MAX_UNRELATED_LEN: usize = 512;

/// A kernel has at most so many operations. Longer ones save nothing, and building one takes time quadratic in its length.
const MAX_MEMBERS: usize = 256;

/// A position in [`Groups::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupId(usize);

/// How a value comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Producer {
    /// An input of the graph.
    Input,
    /// Operation that is not part of a kernel.
    Node(Time),
    /// A register of a group's kernel.
    Member(GroupId),
    /// A reduction, or cumulative operation, at the end of a group's kernel.
    Sink(GroupId),
}

/// Where an operation's operands stand.
pub(super) type Reads = SmallVec<[Resolved; 2]>;

/// A value computed at every point.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub value: Value,
    pub op: MemberOp,
    /// Where the operands stood when the member joined.
    pub reads: Reads,
}

/// How.
#[derive(Clone, Copy, Debug)]
pub(super) enum MemberOp {
    Map(ScalarOp),
    /// The copy of a view.
    Copy,
    /// The elements at indices of a table, of which so many are in reach: these are what is read.
    Gather {
        n: usize,
        /// What an index outside reads, if it is not clamped.
        outside: Option<ElementBytes>,
    },
}

/// A reduction, or a cumulative operation.
#[derive(Debug)]
pub(super) struct Sink {
    pub out: Value,
    pub combine: Combine,
    pub read: Resolved,
    pub is_cumulative: bool,
}

/// Operations that share a kernel.
#[derive(Debug)]
pub(super) struct Group {
    pub time: Time,
    pub len: usize,
    pub reduction: Option<ReductionSpace>,
    pub members: Vec<Member>,
    pub sinks: Vec<Sink>,
    readers: Vec<Reader>,
    merged_into: Option<GroupId>,
}

/// Something that reads a value of a group.
#[derive(Clone, Copy, Debug)]
struct Reader {
    by: By,
    /// Reads registers of the group at the same points, so that it could be part of the group.
    fusible: bool,
}

#[derive(Clone, Copy, Debug)]
enum By {
    Group(GroupId),
    Node(Time),
}

impl Group {
    /// What is read, of this group or others.
    pub fn reads(&self) -> impl Iterator<Item = &Resolved> {
        let of_members = self.members.iter().flat_map(|member| &member.reads);
        of_members.chain(self.sinks.iter().map(|sink| &sink.read))
    }
}

#[derive(Debug)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// Nodes outside of groups, with their positions.
    nodes: Vec<(Time, usize)>,
    producers: Vec<Producer>,
    /// Values that something other than a kernel reads.
    demanded: Vec<bool>,
    now: Time,
}

impl Groups {
    pub fn new(n_values: usize) -> Groups {
        Groups {
            groups: vec![],
            nodes: vec![],
            producers: vec![Producer::Input; n_values],
            demanded: vec![false; n_values],
            now: 0,
        }
    }

    /// The group that another one was merged into, if any.
    fn find(&self, mut id: GroupId) -> GroupId {
        while let Some(into) = self.groups[id.0].merged_into {
            id = into;
        }
        id
    }

    pub fn producer(&self, value: Value) -> Producer {
        match self.producers[value.0 as usize] {
            Producer::Member(group) => Producer::Member(self.find(group)),
            Producer::Sink(group) => Producer::Sink(self.find(group)),
            other @ (Producer::Input | Producer::Node(_)) => other,
        }
    }

    fn time_of(&self, producer: Producer) -> Time {
        match producer {
            Producer::Input => 0,
            Producer::Node(time) => time,
            Producer::Member(group) | Producer::Sink(group) => self.groups[group.0].time,
        }
    }

    fn next_time(&mut self) -> Time {
        self.now += 1;
        self.now
    }

    /// Whether a read stays inside the kernel of a group of `len` points.
    fn stays_inside(&self, read: &Resolved, group: GroupId) -> bool {
        read.is_by_points() && read.value().is_some_and(|value| self.producer(value) == Producer::Member(group))
    }

    /// The earliest time at which something outside reads a value of the group; readers in `besides` do not count.
    fn first_read(&self, group: GroupId, besides: Option<GroupId>) -> Time {
        let time = |reader: &Reader| match reader.by {
            By::Group(by) => {
                let by = self.find(by);
                if by == group || Some(by) == besides { Time::MAX } else { self.groups[by.0].time }
            }
            By::Node(time) => time,
        };
        self.groups[group.0].readers.iter().map(time).min().unwrap_or(Time::MAX)
    }

    fn may_reduce(&self, group: GroupId, reduction: Option<ReductionSpace>) -> bool {
        let own = self.groups[group.0].reduction;
        own.is_none() || reduction.is_none() || own == reduction
    }

    /// Lets an operation over `len` points with these reads join the group, if it may.
    fn join(&mut self, group: GroupId, len: usize, reads: &[Resolved], reduction: Option<ReductionSpace>) -> bool {
        if self.groups[group.0].len != len
            || self.groups[group.0].members.len() >= MAX_MEMBERS
            || !self.may_reduce(group, reduction)
        {
            return false;
        }
        let mut latest = 0;
        for read in reads {
            let Some(value) = read.value() else { continue };
            if self.stays_inside(read, group) {
                continue;
            }
            let producer = self.producer(value);
            if matches!(producer, Producer::Member(by) | Producer::Sink(by) if by == group) {
                return false;
            }
            latest = latest.max(self.time_of(producer));
        }
        if latest < self.groups[group.0].time {
            return true;
        }
        // Nobody waits for the group yet: it may as well run now.
        let may_wait = self.first_read(group, None) == Time::MAX;
        if may_wait {
            self.groups[group.0].time = self.next_time();
        }
        may_wait
    }

    /// Merges an earlier group into a later one, if nothing in between needs its values.
    fn merge(&mut self, from: GroupId, into: GroupId) {
        let (a, b) = (&self.groups[from.0], &self.groups[into.0]);
        if a.members.len() + b.members.len() > MAX_MEMBERS {
            return;
        }
        let reads_only_registers = a.readers.iter().all(|reader| match reader.by {
            By::Group(by) => self.find(by) != into || reader.fusible,
            By::Node(_) => true,
        });
        let may_merge = a.len == b.len
            && a.time < b.time
            && self.may_reduce(from, b.reduction)
            && reads_only_registers
            && self.first_read(from, Some(into)) > b.time;
        if may_merge {
            let from = &mut self.groups[from.0];
            let (members, sinks) = (std::mem::take(&mut from.members), std::mem::take(&mut from.sinks));
            let readers = std::mem::take(&mut from.readers);
            let reduction = from.reduction;
            from.merged_into = Some(into);
            let into = &mut self.groups[into.0];
            into.members.extend(members);
            into.sinks.extend(sinks);
            into.readers.extend(readers);
            into.reduction = into.reduction.or(reduction);
        }
    }

    /// The group for an operation over `len` points with these reads.
    pub fn place(&mut self, len: usize, reads: &[Resolved], reduction: Option<ReductionSpace>) -> GroupId {
        let mut candidates: SmallVec<[GroupId; 4]> = SmallVec::new();
        for read in reads {
            let Some(value) = read.value() else { continue };
            if let Producer::Member(group) = self.producer(value)
                && self.stays_inside(read, group)
                && !candidates.contains(&group)
            {
                candidates.push(group);
            }
        }
        // The latest first: earlier ones can be put off until then, not the other way round.
        candidates.sort_by_key(|group| std::cmp::Reverse(self.groups[group.0].time));
        let joined = candidates.iter().copied().find(|&group| self.join(group, len, reads, reduction));
        let chosen =
            joined.or_else(|| self.related(len, reads).filter(|&group| self.join(group, len, reads, reduction)));
        let group = chosen.unwrap_or_else(|| {
            let time = self.next_time();
            self.groups.push(Group {
                time,
                len,
                reduction,
                members: vec![],
                sinks: vec![],
                readers: vec![],
                merged_into: None,
            });
            GroupId(self.groups.len() - 1)
        });
        let own = &mut self.groups[group.0].reduction;
        *own = own.or(reduction);
        for read in reads {
            let Some(value) = read.value() else { continue };
            self.add_reader(value, Reader { by: By::Group(group), fusible: read.is_by_points() });
        }
        // Now that it is known what the operation reads of the others: perhaps more than registers.
        if joined.is_some() {
            candidates.into_iter().filter(|&other| other != group).for_each(|other| self.merge(other, group));
        }
        group
    }

    /// A recent group over as many points that is small or reads something of the same.
    fn related(&self, len: usize, reads: &[Resolved]) -> Option<GroupId> {
        const N_RECENT: usize = 8;
        let is_related = |group: &Group| {
            len <= MAX_UNRELATED_LEN
                || reads
                    .iter()
                    .any(|read| read.value().is_some_and(|value| group.reads().any(|own| own.value() == Some(value))))
        };
        let recent = self.groups.iter().enumerate().rev().filter(|(_, group)| group.merged_into.is_none());
        recent.take(N_RECENT).find(|(_, group)| group.len == len && is_related(group)).map(|(i, _)| GroupId(i))
    }

    fn add_reader(&mut self, value: Value, reader: Reader) {
        match self.producer(value) {
            Producer::Member(group) => self.groups[group.0].readers.push(reader),
            Producer::Sink(group) => self.groups[group.0].readers.push(Reader { fusible: false, ..reader }),
            Producer::Input | Producer::Node(_) => {}
        }
    }

    pub fn add_member(&mut self, group: GroupId, member: Member) {
        self.produce(member.value, group);
        self.groups[group.0].members.push(member);
    }

    /// Members that compute values again which the group does not compute yet.
    pub fn add_again(&mut self, group: GroupId, recipe: &[Member]) {
        let members = &mut self.groups[group.0].members;
        for member in recipe {
            if !holds(members, member.value) {
                members.push(member.clone());
            }
        }
    }

    /// A group that computes a value, if there is one.
    pub fn holder(&self, value: Value) -> Option<GroupId> {
        self.groups().find(|(_, group)| holds(&group.members, value)).map(|(id, _)| id)
    }

    /// Makes a group the one that others have a value from.
    pub fn produce(&mut self, value: Value, group: GroupId) {
        self.producers[value.0 as usize] = Producer::Member(group);
    }

    pub fn add_sink(&mut self, group: GroupId, sink: Sink) {
        self.producers[sink.out.0 as usize] = Producer::Sink(group);
        self.groups[group.0].sinks.push(sink);
    }

    pub fn add_node(&mut self, position: usize, reads: &[Value], outs: impl Iterator<Item = Value>) {
        let time = self.next_time();
        for &value in reads {
            self.add_reader(value, Reader { by: By::Node(time), fusible: false });
        }
        self.nodes.push((time, position));
        outs.for_each(|out| self.producers[out.0 as usize] = Producer::Node(time));
    }

    /// A constant, which is there before the first step.
    pub fn add_constant(&mut self, position: usize, out: Value) {
        self.nodes.push((0, position));
        self.producers[out.0 as usize] = Producer::Node(0);
    }

    /// Notes that a value must be stored.
    pub fn demand(&mut self, value: Value) {
        self.demanded[value.0 as usize] = true;
    }

    pub fn is_demanded(&self, value: Value) -> bool {
        self.demanded[value.0 as usize]
    }

    /// The groups that were not merged into others.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, &Group)> {
        let ids = (0..self.groups.len()).map(GroupId);
        ids.zip(&self.groups).filter(|(_, group)| group.merged_into.is_none())
    }

    pub fn nodes(&self) -> &[(Time, usize)] {
        &self.nodes
    }
}
