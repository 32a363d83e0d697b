//! Kernel IR to lane IR.

use super::{
    encode::Isa,
    lanes::{Kind, Lanes, Op, Operand, Predicate, Store, Value, Walk},
    operations,
    request::{Accumulators, Fold, Request, Source},
};
use crate::{
    dtype::DType,
    element::ElementBytes,
    graph::Combine,
    kernel::{Gather, Instruction, N_ACCUMULATORS, Reg},
    scalar::ScalarOp,
};
use std::collections::HashMap;

/// The widest lanes that computed registers and their arguments have.
fn widest(request: &Request<'_>) -> usize {
    let size = |reg: Reg| Kind::of(request.kernel.dtype(reg)).size();
    let is_computed = |source: Source| matches!(source, Source::Computed | Source::Gathered(_));
    let written = request.stores.iter().map(|&(reg, _)| reg).chain(request.folds.iter().map(|fold| fold.from));
    let mut widest = written.map(size).max().unwrap_or(4);
    for (i, instruction) in request.kernel.body.iter().enumerate() {
        if is_computed(request.sources[i]) {
            widest = instruction.args().iter().map(|&arg| size(arg)).fold(widest.max(size(Reg(i as u32))), usize::max);
            if let Instruction::Map { op, args, .. } = instruction
                && operations::goes_through_f64(*op, request.kernel.dtype(args[0]))
            {
                widest = Kind::F64.size();
            }
        }
    }
    widest
}

/// Lowers what is requested, for rounds of so many groups.
pub(super) fn lower(isa: Isa, request: &Request<'_>, n_groups: u8) -> Lanes {
    let Request { kernel, sources, stores, folds, run: _, past_caches: _ } = request;
    let mut lanes = Lanes::new(isa, widest(request));
    lanes.n_groups = n_groups;
    let mut operands = Operands::default();
    let mut values = vec![vec![Value::NONE; kernel.body.len()]; n_groups as usize];
    for (i, instruction) in kernel.body.iter().enumerate() {
        let args = instruction.args();
        let dtypes: Vec<DType> = args.iter().map(|&arg| kernel.dtype(arg)).collect();
        for (group, values) in values.iter_mut().enumerate() {
            let mut args = || -> Vec<Value> {
                args.iter().map(|&arg| load(&mut lanes, &mut operands, values, request, arg, group as u8)).collect()
            };
            values[i] = match (instruction, sources[i]) {
                (Instruction::Map { op, .. }, Source::Computed) => {
                    let args = args();
                    operations::map(&mut lanes, *op, &dtypes, &args)
                }
                (Instruction::Gather(gather), Source::Gathered(base)) => {
                    let index = args()[0];
                    let dtype = kernel.dtype(Reg(i as u32));
                    let table = operands.number(&mut lanes, Operand { base, dtype, walk: Walk::Indexed });
                    gathered(&mut lanes, gather, dtypes[0], index, dtype, table)
                }
                // What comes from memory is read where it is used, so that nothing waits in a register.
                (_, _) => continue,
            };
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
    for &Fold { combine, from, to, accumulators, results } in *folds {
        let dtype = kernel.dtype(from);
        let (walk, n_turns) = match accumulators {
            Accumulators::InTurns => (Walk::Accumulators, n_turns),
            Accumulators::OfEach { row } => {
                lanes.row = Some(row);
                (Walk::Row, n_groups as usize)
            }
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
            if let Some(results) = results {
                let to = operands.position(&mut lanes, results, dtype);
                lanes.stores.push(Store { from: accumulators[turn], to, group: group as u8 });
            }
        }
        for (turn, from) in accumulators.into_iter().enumerate() {
            lanes.stores.push(Store { from, to, group: turn as u8 });
        }
    }
    lanes
}

/// The elements of a table at indices.
fn gathered(lanes: &mut Lanes, gather: &Gather, of: DType, index: Value, dtype: DType, table: u32) -> Value {
    let n = lanes.constant(gather.part.len() as u64, Kind::of(of));
    let (index, elsewhere) = match gather.outside {
        Some(bytes) => (index, bytes),
        None => {
            let last = lanes.constant(gather.part.len() as u64 - 1, Kind::of(of));
            let index = operations::map(lanes, ScalarOp::Min, &[of; 2], &[index, last]);
            let zero = lanes.constant(0, Kind::of(of));
            (operations::map(lanes, ScalarOp::Max, &[of; 2], &[index, zero]), ElementBytes::default())
        }
    };
    // A negative index is beyond all extents as an unsigned number. All lanes are compared, those behind the last point too.
    let is_inside = lanes.compare(Predicate::LtUnsigned, Kind::of(of), index, n);
    let bits = u64::from_le_bytes(*elsewhere.first_chunk().expect("no element is larger"));
    let elsewhere = lanes.constant(bits, Kind::of(dtype));
    let is_inside = lanes.mask_for(Kind::of(dtype), is_inside);
    lanes.push(Op::Gather(table), Kind::of(dtype), &[is_inside, elsewhere, index])
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
            Source::Computed | Source::Gathered(_) | Source::Count { .. } | Source::RowCount { .. } => {
                unreachable!("not in memory by points")
            }
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
        Source::Points(_) | Source::Cell(_) | Source::Computed | Source::Gathered(_) => {
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
