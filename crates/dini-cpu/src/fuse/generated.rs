//! Values made of counts and constants alone, as an identity matrix or a triangular mask is: cheap enough to be computed
//! again by every kernel that reads them, instead of stored by one.

use super::{
    Base, Fuser, Resolved,
    group::{GroupId, Member, MemberOp, Reads},
};
use crate::{
    graph::{Node, Value},
    kernel::ReductionSpace,
    scalar::ScalarOp,
};
use smallvec::SmallVec;

/// At least so many elements are worth it.
const MIN_LEN: usize = 65;

/// At most so many operations for each element are.
const MAX_OPS: usize = 4;

/// What computes a value: the members that it needs, itself last.
pub(super) type Recipe = SmallVec<[Member; 2]>;

/// Whether an operation takes about a cycle for a vector.
fn is_cheap(op: ScalarOp) -> bool {
    use ScalarOp::*;
    matches!(
        op,
        Add | Sub | Mul | Neg | Abs | Min | Max | Select | Not | And | Or | Xor | Eq | Ne | Lt | Le | Gt | Ge | Cast(_)
    )
}

impl Fuser<'_> {
    /// How a value is computed from counts and constants, if that is all that it depends on.
    pub(super) fn recipe(&self, node: &Node, op: ScalarOp, reads: &Reads) -> Option<Recipe> {
        if !is_cheap(op) || self.len(node.first_out) < MIN_LEN {
            return None;
        }
        let mut members = Recipe::new();
        for read in reads {
            match read.base {
                Base::Count(_) => {}
                Base::Value(value) if read.is_by_points() => {
                    let new = self.generated.get(&value)?.iter().filter(|new| !holds(&members, new.value));
                    let new: Recipe = new.cloned().collect();
                    members.extend(new);
                }
                Base::Value(value) => {
                    self.constants[value.0 as usize].filter(|constant| constant.len() == 1)?;
                }
                Base::Table(_) => return None,
            }
        }
        members.push(Member { value: node.first_out, op: MemberOp::Map(op), reads: reads.clone() });
        (members.len() <= MAX_OPS).then_some(members)
    }

    /// The group for an operation over `len` points with these reads, which computes what can be.
    pub(super) fn place(&mut self, len: usize, reads: &[Resolved], reduction: Option<ReductionSpace>) -> GroupId {
        if self.generated.is_empty() {
            return self.groups.place(len, reads, reduction);
        }
        reads
            .iter()
            .filter(|read| !read.is_by_points())
            .filter_map(Resolved::value)
            .for_each(|value| self.settle(value));
        let group = self.groups.place(len, reads, reduction);
        for value in reads.iter().filter_map(Resolved::value) {
            if let Some(recipe) = self.generated.get(&value) {
                self.groups.add_again(group, recipe);
            }
        }
        group
    }

    /// Lets one group store a value, which is read elsewhere or at other points.
    pub(super) fn settle(&mut self, value: Value) {
        if let Some(recipe) = self.generated.remove(&value) {
            let holder = self.groups.holder(value);
            let group = holder.unwrap_or_else(|| self.groups.place(self.len(value), &[], None));
            self.groups.add_again(group, &recipe);
            self.groups.produce(value, group);
        }
    }
}

/// Whether one of the members computes a value.
pub(super) fn holds(members: &[Member], value: Value) -> bool {
    members.iter().any(|member| member.value == value)
}
