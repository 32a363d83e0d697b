//! What the assembler writes, read back by a disassembler.

use super::*;
use iced_x86::{Decoder, DecoderOptions, Formatter, NasmFormatter};

/// Compares instructions with what a disassembler reads.
#[track_caller]
fn check(emit: impl FnOnce(&mut Assembler), expected: &[&str]) {
    let mut assembler = Assembler::default();
    emit(&mut assembler);
    assembler.finish(&[]);
    let mut formatter = NasmFormatter::new();
    let mut found = vec![];
    for instruction in Decoder::with_ip(64, &assembler.code, 0, DecoderOptions::NONE) {
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        found.push(text);
    }
    while found.last().is_some_and(|text| text == "int3") {
        found.pop();
    }
    assert_eq!(found, expected);
}

/// Both encodings of a form: on registers with high numbers, a register and memory, and with EVEX in all ways that
/// its prefix can say.
#[track_caller]
fn check_form(form: Form, vex: &str, evex: &str) {
    let far = Rm::Memory(Memory::Indexed(Gpr::R13, Gpr::R12, 8, 0));
    if !vex.is_empty() {
        let expected = [
            format!("{vex} ymm1,ymm2,ymm3"),
            format!("{vex} ymm9,ymm10,ymm11"),
            format!("{vex} xmm9,xmm10,[r13+r12*8]"),
        ];
        let expected: Vec<&str> = expected.iter().map(|text| &text[..]).collect();
        check(
            |a| {
                a.vex(form, Length::L256, 1, 2, Rm::Register(3), None);
                a.vex(form, Length::L256, 9, 10, Rm::Register(11), None);
                a.vex(form, Length::L128, 9, 10, far, None);
            },
            &expected,
        );
    }
    if !evex.is_empty() {
        let width = if form.wide { 8 } else { 4 };
        let expected = [
            format!("{evex} zmm1,zmm10,zmm19"),
            format!("{evex} zmm17{{k1}}{{z}},zmm26,zmm11"),
            format!("{evex} ymm9{{k2}},ymm2,[rsp+40h]"),
            format!("{evex} zmm31,zmm30,[rsp+1040h]"),
            format!("{evex} xmm9,xmm2,[r13+r12*8]"),
            format!("{evex} zmm9,zmm2,[rax+{width}]{{1to{}}}", 64 / width),
        ];
        let expected: Vec<&str> = expected.iter().map(|text| &text[..]).collect();
        check(
            |a| {
                a.evex(form, Length::L512, 1, 10, Rm::Register(19), Masking::None, None);
                a.evex(form, Length::L512, 17, 26, Rm::Register(11), Masking::Zero(1), None);
                a.evex(form, Length::L256, 9, 2, Rm::Memory(Memory::Base(Gpr::Rsp, 64)), Masking::Merge(2), None);
                let stack = Rm::Memory(Memory::Base(Gpr::Rsp, 0x1040));
                a.evex(form, Length::L512, 31, 30, stack, Masking::None, None);
                a.evex(form, Length::L128, 9, 2, far, Masking::None, None);
                let one = Rm::Broadcast(Memory::Base(Gpr::Rax, width));
                a.evex(form, Length::L512, 9, 2, one, Masking::None, None);
            },
            &expected,
        );
    }
}

#[test]
fn elements_at_indices() {
    let at = |index: u8, scale: u8| Rm::Memory(Memory::Gathered(Gpr::R13, index, scale));
    check(
        |a| {
            a.vex(GATHER_BY_4, Length::L256, 9, 2, at(11, 4), None);
            a.vex(GATHER_BY_4.wide(true), Length::L256, 1, 10, at(3, 8), None);
            a.vex(GATHER_BY_8, Length::L256, 1, 2, at(12, 4), None);
            a.evex(GATHER_BY_4, Length::L512, 17, 0, at(19, 4), Masking::Merge(1), None);
            a.evex(GATHER_BY_4.wide(true), Length::L512, 1, 0, at(11, 8), Masking::Merge(6), None);
            a.evex(GATHER_BY_8, Length::L512, 9, 0, at(31, 4), Masking::Merge(2), None);
            let far = Rm::Memory(Memory::Gathered(Gpr::Rax, 4, 8));
            a.evex(GATHER_BY_8.wide(true), Length::L512, 31, 0, far, Masking::Merge(2), None);
        },
        &[
            "vpgatherdd ymm9,[r13+ymm11*4],ymm2",
            "vpgatherdq ymm1,[r13+xmm3*8],ymm10",
            "vpgatherqd xmm1,[r13+ymm12*4],xmm2",
            "vpgatherdd zmm17{k1},[r13+zmm19*4]",
            "vpgatherdq zmm1{k6},[r13+ymm11*8]",
            "vpgatherqd ymm9{k2},[r13+zmm31*4]",
            "vpgatherqq zmm31{k2},[rax+zmm4*8]",
        ],
    );
}

#[test]
fn forms_of_two_operands() {
    for (opcode, name) in [(ADD, "vadd"), (SUB, "vsub"), (MUL, "vmul"), (DIV, "vdiv"), (MIN, "vmin"), (MAX, "vmax")] {
        for (is_double, suffix) in [(false, "ps"), (true, "pd")] {
            let name = format!("{name}{suffix}");
            check_form(float(opcode, is_double), &name, &name);
        }
    }
    for (form, vex, evex) in [
        (AND, "vpand", "vpandd"),
        (AND_NOT, "vpandn", "vpandnd"),
        (OR, "vpor", "vpord"),
        (XOR, "vpxor", "vpxord"),
        (AND.wide(true), "", "vpandq"),
        (XOR.wide(true), "", "vpxorq"),
        (ADD_I32, "vpaddd", "vpaddd"),
        (ADD_I64, "vpaddq", "vpaddq"),
        (SUB_I32, "vpsubd", "vpsubd"),
        (SUB_I64, "vpsubq", "vpsubq"),
        (MUL_I32, "vpmulld", "vpmulld"),
        (MUL_I64, "", "vpmullq"),
        (MUL_HALVES, "vpmuludq", "vpmuludq"),
        (MIN_SIGNED, "vpminsd", "vpminsd"),
        (MAX_SIGNED, "vpmaxsd", "vpmaxsd"),
        (MIN_UNSIGNED, "vpminud", "vpminud"),
        (MAX_UNSIGNED, "vpmaxud", "vpmaxud"),
        (MIN_SIGNED.wide(true), "", "vpminsq"),
        (MAX_UNSIGNED.wide(true), "", "vpmaxuq"),
        (EQUAL_I32, "vpcmpeqd", ""),
        (EQUAL_I64, "vpcmpeqq", ""),
        (GREATER_I32, "vpcmpgtd", ""),
        (GREATER_I64, "vpcmpgtq", ""),
        (SHIFT_LEFT_BY, "vpsllvd", "vpsllvd"),
        (SHIFT_RIGHT_BY.wide(true), "vpsrlvq", "vpsrlvq"),
        (SHIFT_SIGNED_BY, "vpsravd", "vpsravd"),
        (SHIFT_SIGNED_BY.wide(true), "", "vpsravq"),
        (BLEND_4, "", "vpblendmd"),
        (BLEND_8, "", "vpblendmq"),
        (SCALE, "", "vscalefps"),
        (SCALE.wide(true), "", "vscalefpd"),
        (PACK_4_2, "vpackssdw", ""),
        (PACK_4_2_UNSIGNED, "vpackusdw", ""),
        (PACK_2_1, "vpacksswb", ""),
        (PACK_2_1_UNSIGNED, "vpackuswb", ""),
    ] {
        check_form(form, vex, evex);
    }
    for (order, digits) in [(FmaOrder::O132, 132), (FmaOrder::O213, 213), (FmaOrder::O231, 231)] {
        for (product, addend, name) in
            [(false, false, "vfmadd"), (false, true, "vfmsub"), (true, false, "vfnmadd"), (true, true, "vfnmsub")]
        {
            for (is_double, suffix) in [(false, "ps"), (true, "pd")] {
                let name = format!("{name}{digits}{suffix}");
                check_form(fma(order, product, addend, is_double), &name, &name);
            }
        }
    }
}

#[test]
fn other_vector_forms() {
    let x = |r| Rm::Register(r);
    let at = |d| Rm::Memory(Memory::Base(Gpr::Rbp, d));
    let (l128, l256, l512) = (Length::L128, Length::L256, Length::L512);
    check(
        |a| {
            a.vex(float(SQRT, true), l256, 1, 0, x(2), None);
            a.vex(ROUND_4, l256, 1, 0, x(2), Some(9));
            a.vex(ROUND_8, l128, 1, 0, at(0), Some(8));
            a.vex(BLENDV_4, l256, 1, 2, x(3), Some(0x40));
            a.vex(BLENDV_8, l256, 1, 2, x(3), Some(0x40));
            a.vex(SHIFT_I32, l256, SHIFT_LEFT, 1, x(2), Some(3));
            a.vex(SHIFT_I32, l256, SHIFT_SIGNED, 1, x(2), Some(3));
            a.vex(SHIFT_I64, l256, SHIFT_RIGHT, 1, x(2), Some(3));
            a.vex(float(COMPARE, true), l256, 1, 2, x(3), Some(1));
            a.vex(float(COMPARE, false), l256, 1, 2, x(3), Some(4));
            a.vex(BROADCAST_4, l256, 1, 0, at(4), None);
            a.vex(BROADCAST_8.wide(false), l256, 1, 0, x(2), None);
            a.vex(LOAD_MASKED, l256, 1, 2, at(4), None);
            a.vex(STORE_MASKED_WIDE, l256, 1, 2, at(4), None);
            a.vex(ZERO_EXTEND_1_4, l256, 1, 0, at(4), None);
            a.vex(SHUFFLE_4, l128, 1, 2, x(3), Some(0x88));
            a.vex(EXTRACT_HIGH, l256, 1, 0, x(3), Some(1));
            a.vex(SIGNS_4, l256, 0, 0, x(3), None);
            a.vex(SIGNS_8, l128, 0, 0, x(3), None);
        },
        &[
            "vsqrtpd ymm1,ymm2",
            "vroundps ymm1,ymm2,9",
            "vroundpd xmm1,[rbp],8",
            "vblendvps ymm1,ymm2,ymm3,ymm4",
            "vblendvpd ymm1,ymm2,ymm3,ymm4",
            "vpslld ymm1,ymm2,3",
            "vpsrad ymm1,ymm2,3",
            "vpsrlq ymm1,ymm2,3",
            "vcmpltpd ymm1,ymm2,ymm3",
            "vcmpneqps ymm1,ymm2,ymm3",
            "vpbroadcastd ymm1,[rbp+4]",
            "vpbroadcastq ymm1,xmm2",
            "vmaskmovps ymm1,ymm2,[rbp+4]",
            "vmaskmovpd [rbp+4],ymm2,ymm1",
            "vpmovzxbd ymm1,[rbp+4]",
            "vshufps xmm1,xmm2,xmm3,88h",
            "vextracti128 xmm3,ymm1,1",
            "vmovmskps eax,ymm3",
            "vmovmskpd eax,xmm3",
        ],
    );
    let z = Masking::Zero(7);
    check(
        |a| {
            a.evex(ROUND_8, l512, 17, 0, x(18), Masking::None, Some(10));
            let part = Memory::Indexed(Gpr::Rax, Gpr::Rsi, 8, 128);
            a.evex(float(LOAD, true), l512, 17, 0, Rm::Memory(part), Masking::None, None);
            a.evex(SHIFT_I64, l512, SHIFT_LEFT, 17, x(18), Masking::None, Some(52));
            a.evex(SHIFT_I64_SIGNED, l512, SHIFT_SIGNED, 17, x(18), Masking::None, Some(5));
            a.evex(float(COMPARE, true), l512, 3, 18, x(19), Masking::None, Some(2));
            a.evex(COMPARE_SIGNED, l512, 3, 18, x(19), Masking::None, Some(1));
            a.evex(COMPARE_UNSIGNED.wide(true), l512, 3, 18, x(19), Masking::None, Some(2));
            a.evex(float(LOAD, true), l512, 17, 0, at(64), z, None);
            a.evex(float(STORE, false), l512, 17, 0, at(64), Masking::Merge(7), None);
            a.evex(LOAD_BYTES, l128, 17, 0, at(5), z, None);
            a.evex(STORE_BYTES, l128, 17, 0, at(5), Masking::Merge(7), None);
            a.evex(TEST_NONE.wide(true), l512, 3, 18, x(19), Masking::None, None);
            a.evex(TEST_BYTES, l128, 2, 17, x(17), Masking::None, None);
            a.evex(NARROW_8_4, l512, 17, 0, x(18), Masking::None, None);
            a.evex(NARROW_4_1, l512, 17, 0, at(5), Masking::Merge(7), None);
            a.evex(ZERO_EXTEND_4_8, l512, 17, 0, x(18), Masking::None, None);
            a.evex(F32_TO_F64, l512, 17, 0, x(18), Masking::None, None);
            a.evex(F64_TO_F32, l512, 17, 0, x(18), Masking::None, None);
            a.evex(F64_TO_I32, l512, 17, 0, x(18), Masking::None, None);
            a.evex(I32_TO_F64, l512, 17, 0, x(18), Masking::None, None);
            a.evex(I64_TO_F32, l512, 17, 0, x(18), Masking::None, None);
            a.evex(F32_TO_I64, l512, 17, 0, x(18), Masking::None, None);
            a.evex(BROADCAST_8, l512, 17, 0, at(5), Masking::None, None);
            a.evex(LOAD_8, l128, 17, 0, at(5), Masking::None, None);
            a.evex(STORE_4, l128, 17, 0, x(0), Masking::None, None);
        },
        &[
            "vrndscalepd zmm17,zmm18,0Ah",
            "vmovupd zmm17,[rax+rsi*8+80h]",
            "vpsllq zmm17,zmm18,34h",
            "vpsraq zmm17,zmm18,5",
            "vcmplepd k3,zmm18,zmm19",
            "vpcmpltd k3,zmm18,zmm19",
            "vpcmpleuq k3,zmm18,zmm19",
            "vmovupd zmm17{k7}{z},[rbp+40h]",
            "vmovups [rbp+40h]{k7},zmm17",
            "vmovdqu8 xmm17{k7}{z},[rbp+5]",
            "vmovdqu8 [rbp+5]{k7},xmm17",
            "vptestnmq k3,zmm18,zmm19",
            "vptestmb k2,xmm17,xmm17",
            "vpmovqd ymm18,zmm17",
            "vpmovdb [rbp+5]{k7},zmm17",
            "vpmovzxdq zmm17,ymm18",
            "vcvtps2pd zmm17,ymm18",
            "vcvtpd2ps ymm17,zmm18",
            "vcvttpd2dq ymm17,zmm18",
            "vcvtdq2pd zmm17,ymm18",
            "vcvtqq2ps ymm17,zmm18",
            "vcvttps2qq zmm17,ymm18",
            "vpbroadcastq zmm17,[rbp+5]",
            "vmovq xmm17,[rbp+5]",
            "vmovd eax,xmm17",
        ],
    );
}

#[test]
fn masks_and_scalars() {
    check(
        |a| {
            a.mask(MaskOp::And, 1, 2, 3);
            a.mask(MaskOp::AndNot, 1, 2, 3);
            a.mask(MaskOp::Or, 1, 2, 3);
            a.mask(MaskOp::Xor, 1, 2, 3);
            a.mask_not(4, 5);
            a.mask_load(4, Rm::Register(5));
            a.mask_load(4, Rm::Memory(Memory::Base(Gpr::Rsp, 8)));
            a.mask_store(4, Memory::Base(Gpr::Rsp, 8));
            a.mask_from_gpr(7, Gpr::Rax);
            a.mask_to_gpr(Gpr::Rcx, 3);
            a.low_bits(Gpr::Rax, Gpr::Rax, Gpr::Rcx);
            a.load(Gpr::R9, Memory::Base(Gpr::Rdi, 8));
            a.store(Gpr::R9, Memory::Base(Gpr::Rsp, 800));
            a.copy(Gpr::Rbp, Gpr::Rsp);
            a.address(Gpr::Rax, Memory::Indexed(Gpr::R13, Gpr::Rsi, 1, 0));
            a.add(Gpr::Rsi, 8);
            a.add_to(Memory::Base(Gpr::Rsp, 8), 1);
            a.and(Gpr::Rsp, -64);
            a.add_register(Gpr::R8, Gpr::Rdx);
            a.subtract(Gpr::Rcx, Gpr::Rsi);
            a.negate(Gpr::Rcx);
            a.compare(Gpr::Rax, Gpr::Rdx);
            a.test(Gpr::Rax, 255);
            a.constant(Gpr::R9, 7);
            a.constant(Gpr::Rax, 1 << 40);
            a.load_byte(Gpr::Rsi, Memory::Base(Gpr::R9, 0));
            a.store_byte(Gpr::Rsi, Memory::Base(Gpr::R9, 0));
            a.push(Gpr::R12);
            a.pop(Gpr::Rbp);
            a.call(Gpr::Rax);
            a.zero_upper();
            a.store_fence();
            a.ret();
        },
        &[
            "kandw k1,k2,k3",
            "kandnw k1,k2,k3",
            "korw k1,k2,k3",
            "kxorw k1,k2,k3",
            "knotw k4,k5",
            "kmovw k4,k5",
            "kmovw k4,[rsp+8]",
            "kmovw [rsp+8],k4",
            "kmovw k7,eax",
            "kmovw ecx,k3",
            "bzhi eax,eax,ecx",
            "mov r9,[rdi+8]",
            "mov [rsp+320h],r9",
            "mov rbp,rsp",
            "lea rax,[r13+rsi]",
            "add rsi,8",
            "add qword [rsp+8],1",
            "and rsp,0FFFFFFFFFFFFFFC0h",
            "add r8,rdx",
            "sub rcx,rsi",
            "neg rcx",
            "cmp rax,rdx",
            "test rax,0FFh",
            "mov r9d,7",
            "mov rax,10000000000h",
            "movzx esi,byte [r9]",
            "mov [r9],sil",
            "push r12",
            "pop rbp",
            "call rax",
            "vzeroupper",
            "sfence",
            "ret",
        ],
    );
}

#[test]
fn jumps_and_pool() {
    let mut assembler = Assembler::default();
    let (head, end) = (assembler.label(), assembler.label());
    assembler.bind(head);
    assembler.jump_if(Condition::Zero, end);
    assembler.evex(float(ADD, true), Length::L512, 1, 2, Rm::Broadcast(Memory::Pool(8)), Masking::None, None);
    assembler.vex(ROUND_8, Length::L256, 1, 0, Rm::Memory(Memory::Pool(0)), Some(8));
    assembler.jump(head);
    assembler.bind(end);
    assembler.ret();
    assembler.finish(&[1; 16]);
    let decoded: Vec<_> = Decoder::with_ip(64, &assembler.code, 0, DecoderOptions::NONE).iter().take(5).collect();
    assert_eq!(decoded[0].near_branch_target(), decoded[4].ip());
    assert_eq!(decoded[1].memory_displacement64(), 64 + 8);
    assert_eq!(decoded[2].memory_displacement64(), 64);
    assert_eq!(decoded[3].near_branch_target(), 0);
}
