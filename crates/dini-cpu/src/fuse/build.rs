//! From groups to kernels.

use super::{
    Base, Fused, Fuser, Item, Resolved,
    generated::holds,
    group::{Group, GroupId, Member, MemberOp, Producer},
};
use crate::{
    element::ElementBytes,
    graph::Value,
    kernel::{Access, Gather, Instruction, Kernel, Operand, OperandType, Reg, Store},
};
use rustc_hash::FxHashMap;

impl Fuser<'_> {
    /// The steps in the order of their times.
    pub(super) fn build(self) -> Fused {
        let mut is_stored: Vec<bool> =
            (0..self.graph.types.len()).map(|i| self.groups.is_demanded(Value(i as u32))).collect();
        for (id, group) in self.groups.groups() {
            for (read, value) in group.reads().filter_map(|read| Some((read, read.value()?))) {
                is_stored[value.0 as usize] |= match self.groups.producer(value) {
                    // A group that computes the value again has its elements at the same points alone.
                    Producer::Member(by) => by != id && !(read.is_by_points() && holds(&group.members, value)),
                    // Of what nobody produces, generated values are computed, and the rest is there.
                    Producer::Input | Producer::Node(_) => false,
                    Producer::Sink(_) => true,
                };
            }
        }
        let mut registers = vec![None; self.graph.types.len()];
        let groups = self.groups.groups();
        let kernels = groups.map(|(id, group)| (group.time, self.kernel(id, group, &is_stored, &mut registers)));
        let nodes = self.groups.nodes().iter().map(|&(time, position)| (time, Item::Node(position)));
        let mut items: Vec<(u32, Item)> = kernels.chain(nodes).collect();
        items.sort_by_key(|(time, _)| *time);
        Fused { items: items.into_iter().map(|(_, item)| item).collect(), homes: self.homes }
    }

    /// `registers` has a place for each value of the graph, and no kernel's before and after.
    fn kernel(&self, id: GroupId, group: &Group, is_stored: &[bool], registers: &mut [Option<Reg>]) -> Item {
        let body = Vec::with_capacity(group.members.len());
        let mut builder = Builder { body, operands: vec![], loads: FxHashMap::default(), registers };
        // Merged groups are not in order; values are numbered in an order that is.
        let mut members: Vec<&Member> = group.members.iter().collect();
        members.sort_unstable_by_key(|member| member.value);
        members.dedup_by_key(|member| member.value);
        for member in &members {
            let register = match (member.op, &member.reads[..]) {
                (MemberOp::Map(op), reads) => {
                    let args = reads.iter().map(|read| builder.read(read)).collect();
                    builder.push(Instruction::Map { op, args, dtype: self.graph.type_of(member.value).dtype })
                }
                (MemberOp::Copy, reads) => builder.read(&reads[0]),
                (MemberOp::Gather { n, outside }, reads) => builder.gather(&reads[0], &reads[1], n, outside),
            };
            builder.registers[member.value.0 as usize] = Some(register);
        }
        let mut stores = vec![];
        let stores_it =
            |value: Value| is_stored[value.0 as usize] && self.groups.producer(value) == Producer::Member(id);
        for value in members.iter().map(|member| member.value).filter(|&value| stores_it(value)) {
            let from = builder.registers[value.0 as usize].expect("members have registers");
            stores.push(Store::Write { from, to: builder.operand(value) });
        }
        for sink in &group.sinks {
            let (from, to) = (builder.read(&sink.read), builder.operand(sink.out));
            let combine = sink.combine;
            stores.push(match sink.is_cumulative {
                true => Store::Cumulative { combine, from, to },
                false => Store::Reduce { combine, from, to },
            });
        }
        members.iter().for_each(|member| builder.registers[member.value.0 as usize] = None);
        let operand_type = |value: &Value| {
            let t = self.graph.type_of(*value);
            OperandType { dtype: t.dtype, len: t.len() }
        };
        let kernel = Kernel {
            len: group.len,
            reduction: group.reduction,
            operands: builder.operands.iter().map(operand_type).collect(),
            body: builder.body,
            stores,
        };
        debug_assert_eq!(kernel.check(), Ok(()), "{kernel}");
        Item::Kernel { kernel, operands: builder.operands }
    }
}

/// A kernel in the making.
struct Builder<'a> {
    body: Vec<Instruction>,
    operands: Vec<Value>,
    loads: FxHashMap<Resolved, Reg>,
    /// Those of the values of the kernel's own.
    registers: &'a mut [Option<Reg>],
}

impl Builder<'_> {
    fn push(&mut self, instruction: Instruction) -> Reg {
        self.body.push(instruction);
        Reg(self.body.len() as u32 - 1)
    }

    fn operand(&mut self, value: Value) -> Operand {
        let known = self.operands.iter().position(|&v| v == value);
        Operand(known.unwrap_or_else(|| {
            self.operands.push(value);
            self.operands.len() - 1
        }) as u32)
    }

    /// The register that holds what a read gives.
    fn read(&mut self, read: &Resolved) -> Reg {
        if let Some(value) = read.value().filter(|_| read.is_by_points())
            && let Some(register) = self.registers[value.0 as usize]
        {
            return register;
        }
        if let Some(&register) = self.loads.get(read) {
            return register;
        }
        let access = read.access.clone();
        let instruction = match read.base {
            Base::Value(value) => Instruction::Load { operand: self.operand(value), access },
            Base::Table(_) => unreachable!("read by index"),
            Base::Count(dtype) => Instruction::Count { dtype, access },
        };
        let register = self.push(instruction);
        self.loads.insert(read.clone(), register);
        register
    }

    /// The register that holds what indices read of `n` elements of a table.
    fn gather(&mut self, index: &Resolved, table: &Resolved, n: usize, outside: Option<ElementBytes>) -> Reg {
        let (Base::Table(value), Access::Contiguous { offset }) = (table.base, &table.access) else {
            unreachable!("a table is dense")
        };
        let index = self.read(index);
        let gather = Gather { operand: self.operand(value), part: *offset..offset + n, index, outside };
        self.push(Instruction::Gather(gather))
    }
}
