//! What allocation leaves out, and how much it emits.

use super::{
    super::{
        lanes::{Event, Kind, Lanes, Loop, Op, Operand, Phi, Predicate, Rounds, Store, Test, Value, Walk},
        verify::verify,
    },
    Allocation, Step, allocate,
};
use crate::{dtype::DType, jit::encode::Isa};

fn lanes(isa: Isa) -> Lanes {
    let mut lanes = Lanes::new(isa, 8);
    lanes.operands = vec![Operand { base: 0, dtype: DType::F64, walk: Walk::Points }; 2];
    lanes
}

#[track_caller]
fn checked(lanes: &Lanes) -> Allocation {
    let allocation = allocate(lanes, false);
    assert_eq!(verify(lanes, &allocation), Ok(()), "{lanes}{allocation}");
    allocation
}

fn is_computed(allocation: &Allocation, of: Value) -> bool {
    allocation.steps.iter().any(|step| matches!(step, Step::Inst { value, .. } if *value == of))
}

#[test]
fn what_only_leads_to_unused_values_is_not_computed() {
    let mut lanes = lanes(Isa::Avx512);
    let x = lanes.push(Op::Load(0, 0), Kind::F64, &[]);
    let unused = [Op::Mul, Op::Sub, Op::Add].into_iter().scan(x, |last, op| {
        *last = lanes.push(op, Kind::F64, &[*last, x]);
        Some(*last)
    });
    let unused: Vec<Value> = unused.collect();
    let used = lanes.push(Op::Div, Kind::F64, &[x, x]);
    lanes.stores = vec![Store { from: used, to: 1, group: 0 }];
    let allocation = checked(&lanes);
    assert!(is_computed(&allocation, used));
    assert!(!unused.into_iter().any(|value| is_computed(&allocation, value)));
}

/// More values than registers, needed in the end, and as many branches, each of which changes two states.
fn n_steps(isa: Isa, n: usize) -> usize {
    let mut lanes = lanes(isa);
    let x = lanes.push(Op::Load(0, 0), Kind::F64, &[]);
    let mut states = [x; 2];
    let mut kept = vec![];
    for k in 0..n {
        let number = lanes.constant((k as f64).to_bits(), Kind::F64);
        kept.push(lanes.push(Op::Mul, Kind::F64, &[x, number]));
        let mask = lanes.compare(Predicate::Lt, Kind::F64, states[0], number);
        let (of, start) = (lanes.loops.len(), lanes.insts.len());
        lanes.event(Event::Start(of));
        let inits = std::mem::replace(&mut states, [0, 1].map(|_| lanes.phi(Kind::F64)));
        let test = Test { mask, at: lanes.insts.len() };
        lanes.event(Event::Test(of));
        let sum = lanes.push(Op::Add, Kind::F64, &[states[1], kept[k / 2]]);
        lanes.event(Event::End(of));
        let nexts = [sum, states[0]];
        let phis = (0..2).map(|i| Phi { value: states[i], init: inits[i], next: nexts[i] }).collect();
        lanes.loops.push(Loop { start, end: lanes.insts.len(), rounds: Rounds::If(test), phis });
        lanes.forget_since(start);
    }
    let sum = kept.into_iter().rev().fold(states[0], |sum, y| lanes.push(Op::Sub, Kind::F64, &[sum, y]));
    lanes.stores = vec![Store { from: sum, to: 1, group: 0 }];
    checked(&lanes).steps.len()
}

#[test]
fn spilling_grows_with_the_code_alone() {
    for isa in [Isa::Avx2, Isa::Avx512] {
        let [once, twice, four_times] = [200, 400, 800].map(|n| n_steps(isa, n));
        assert!(four_times - twice <= 2 * (twice - once) + 8, "{once}, {twice}, {four_times} steps");
    }
}
