//! Kernel IR to lane IR.

use super::{
    encode::Isa,
    lanes::{Kind, Lanes, Op, Operand, Store, Value, Walk},
    operations,
    request::{Accumulators, Fold, Request, Source},
};
use crate::{
    dtype::DType,
    graph::Combine,
    kernel::{Instruction, N_ACCUMULATORS, Reg},
    scalar::ScalarOp,
};
use std::collections::HashMap;

/// The widest lanes that computed registers and their arguments have.
fn widest(request: &Request<'_>) -> usize {
    let size = |reg: Reg| Kind::of(request.kernel.dtype(reg)).size();
    let written = request.stores.iter().map(|&(reg, _)| reg).chain(request.folds.iter().map(|fold| fold.from));
    let mut widest = written.map(size).max().unwrap_or(4);
    for (i, instruction) in request.kernel.body.iter().enumerate() {
        if let (Instruction::Map { op, args, .. }, Source::Computed) = (instruction, request.sources[i]) {
            widest = args.iter().map(|&arg| size(arg)).fold(widest.max(size(Reg(i as u32))), usize::max);
            if operations::goes_through_f64(*op, request.kernel.dtype(args[0])) {
                widest = Kind::F64.size();
            }
        }
    }
    widest
}

/// Lowers what is requested, for rounds of so many groups.
pub(super) fn lower(isa: Isa, request: &Request<'_>, n_groups: u8) -> Lanes {
    let Request { kernel, sources, stores, folds, run: _, streams: _ } = request;
    let mut lanes = Lanes::new(isa, widest(request));
    lanes.n_groups = n_groups;
    let mut operands = Operands::default();
    let mut values = vec![vec![Value::NONE; kernel.body.len()]; n_groups as usize];
    for (i, instruction) in kernel.body.iter().enumerate() {
        let Instruction::Map { op, args, .. } = instruction else { continue };
        // What comes from memory is read where it is used, so that nothing waits in a register.
        if sources[i] != Source::Computed {
            continue;
        }
        let dtypes: Vec<DType> = args.iter().map(|&arg| kernel.dtype(arg)).collect();
        for (group, values) in values.iter_mut().enumerate() {
            let args: Vec<Value> =
                args.iter().map(|&arg| load(&mut lanes, &mut operands, values, request, arg, group as u8)).collect();
            values[i] = operations::map(&mut lanes, *op, &dtypes, &args);
        }
    }
    for &(reg, to) in *stores {
        for (group, values) in values.iter_mut().enumerate() {
            let group = group as u8;
            let from = load(&mut lanes, &mut operands, values, request, reg, group);
            let to = operands.position(&mut lanes, to, kernel.dtype(reg));
            lanes.stores.push(Store { from, to, group });
        }
    }
    // Groups that are as many as there are accumulators, or more, begin with the first one again.
    let n_turns = N_ACCUMULATORS / lanes.n_lanes;
    for &Fold { combine, from, to, accumulators } in *folds {
        let dtype = kernel.dtype(from);
        let (walk, n_turns) = match accumulators {
            Accumulators::InTurns => (Walk::Accumulators, n_turns),
            Accumulators::OfEach => (Walk::Run, n_groups as usize),
        };
        let to = operands.number(&mut lanes, Operand { base: to, dtype, walk });
        let mut accumulators = vec![Value::NONE; n_turns.min(n_groups as usize)];
        for (group, values) in values.iter_mut().enumerate() {
            let turn = group % n_turns;
            let from = load(&mut lanes, &mut operands, values, request, from, group as u8);
            let accumulator = match accumulators[turn] {
                Value::NONE => lanes.push(Op::Load(to, turn as u8), Kind::of(dtype), &[]),
                so_far => so_far,
            };
            accumulators[turn] = operations::map(&mut lanes, combination(combine), &[dtype; 2], &[accumulator, from]);
        }
        for (turn, from) in accumulators.into_iter().enumerate() {
            lanes.stores.push(Store { from, to, group: turn as u8 });
        }
    }
    lanes
}

/// The operation that combines two elements.
fn combination(combine: Combine) -> ScalarOp {
    match combine {
        Combine::Add => ScalarOp::Add,
        Combine::Mul => ScalarOp::Mul,
        Combine::Max => ScalarOp::Max,
        Combine::Min => ScalarOp::Min,
        Combine::And => ScalarOp::And,
        Combine::Or => ScalarOp::Or,
    }
}

/// Numbers the operands.
#[derive(Default)]
struct Operands {
    known: HashMap<Operand, u32>,
}

impl Operands {
    fn position(&mut self, lanes: &mut Lanes, source: Source, dtype: DType) -> u32 {
        let (base, walk) = match source {
            Source::Points(base) | Source::Uniform(base) => (base, Walk::Points),
            Source::Cell(base) => (base, Walk::Run),
            Source::Computed | Source::Count { .. } | Source::RowCount { .. } => unreachable!("not in memory"),
        };
        self.number(lanes, Operand { base, dtype, walk })
    }

    fn number(&mut self, lanes: &mut Lanes, operand: Operand) -> u32 {
        *self.known.entry(operand).or_insert_with(|| {
            lanes.operands.push(operand);
            lanes.operands.len() as u32 - 1
        })
    }
}

/// The value of a register, read from memory if nothing computed it yet.
fn load(
    lanes: &mut Lanes,
    operands: &mut Operands,
    values: &mut [Value],
    request: &Request<'_>,
    reg: Reg,
    group: u8,
) -> Value {
    let known = &mut values[reg.0 as usize];
    if *known != Value::NONE {
        return *known;
    }
    let dtype = request.kernel.dtype(reg);
    let kind = Kind::of(dtype);
    let source = request.sources[reg.0 as usize];
    *known = match source {
        Source::Count { offset } => {
            let number = point(lanes, offset, group);
            operations::map(lanes, ScalarOp::Cast(dtype), &[DType::I32], &[number])
        }
        Source::RowCount { entry, moves } => {
            let mut number = lanes.push(Op::Number(entry), Kind::I32, &[]);
            if moves {
                let point = point(lanes, 0, group);
                number = lanes.arithmetic(Op::Add, Kind::I32, number, point);
            }
            operations::map(lanes, ScalarOp::Cast(dtype), &[DType::I32], &[number])
        }
        Source::Uniform(_) => {
            let operand = operands.position(lanes, source, dtype);
            lanes.push(Op::Uniform(operand), kind, &[])
        }
        Source::Points(_) | Source::Cell(_) | Source::Computed => {
            let operand = operands.position(lanes, source, dtype);
            lanes.push(Op::Load(operand, group), kind, &[])
        }
    };
    *known
}

/// The numbers of a group's points, plus an offset.
fn point(lanes: &mut Lanes, offset: u32, group: u8) -> Value {
    let first = lanes.push(Op::Point, Kind::I32, &[]);
    match offset + u32::from(group) * lanes.n_lanes as u32 {
        0 => first,
        ahead => {
            let ahead = lanes.constant(u64::from(ahead), Kind::I32);
            lanes.arithmetic(Op::Add, Kind::I32, first, ahead)
        }
    }
}
