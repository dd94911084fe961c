// SPDX-License-Identifier: GPL-2.0-or-later
#include <utility>

#include "translator/x64/emit_fp.h"

namespace crosswalk::x64::fp {

using namespace Xbyak::util;

namespace {

constexpr size_t kOperands = offsetof(CpuState, fp_operands), kSavedRax = offsetof(CpuState, saved_rax);
constexpr size_t kFpscr = offsetof(CpuState, fpscr);

// Leaves eax with the exponent field of 2 * bits(x) + addend, and ZF when it is 0.
void exponent_of_doubled(EmitContext& e, Precision p, int x, int addend) {
  auto& c = e.code;
  if (p == Precision::Single) {
    c.movd(eax, Xmm(x));
    c.lea(eax, ptr[rax + rax + addend]);
    c.shr(eax, 24);
  } else {
    c.movq(rax, Xmm(x));
    c.lea(rax, ptr[rax + rax + addend]);
    c.shr(rax, 53);
  }
}

}  // namespace

bool Operation::jump_if_mode(uint8_t mask, Label to) {
  if (const auto mode = e_.block.fp_mode) {
    if (*mode & mask) e_.labels.jmp(to);
    return *mode & mask;
  }
  e_.code.test(state8(offsetof(CpuState, fp_mode)), mask);
  e_.labels.jcc(kNotEqual, to);
  return true;
}

void Operation::leave_if_mode(uint8_t mask) { jump_if_mode(mask, slow_); }

void Operation::flush_to_zero_path(uint8_t mode_mask, std::function<void()> body) {
  has_flush_path_ = jump_if_mode(mode_mask, flush_);
  if (!has_flush_path_) return;
  body_ = std::move(body);
  e_.labels.bind(line_);
}

void Operation::leave_if_nan(Precision p, const Xmm& x) {
  if (p == Precision::Single)
    e_.code.ucomiss(x, x);
  else
    e_.code.ucomisd(x, x);
  e_.labels.jcc(kParity, slow_);
}

void Operation::leave_if_nan_or_least_normal(Precision p, const Xmm& x, const Xmm& t) {
  auto& c = e_.code;
  const bool single = p == Precision::Single;
  const uint64_t magnitude = single ? 0x7fffffff7fffffff : 0x7fffffffffffffff;
  if (e_.config.features.avx2) {
    c.vandps(t, x, e_.constants.at(magnitude, magnitude));
  } else {
    c.movaps(t, e_.constants.at(magnitude, magnitude));
    c.andps(t, x);
  }
  // ZF is "equal or unordered".
  if (single)
    c.ucomiss(t, e_.constants.at(0x00800000, 0));
  else
    c.ucomisd(t, e_.constants.at(0x0010000000000000, 0));
  e_.labels.jcc(kEqual, slow_);
}

// FPSCR.FZ is set. A denormal operand goes to the helper, which reports it (IDC). Results: SSE
// raises UE and PE for one that it flushes, Arm UFC alone. Once IXC is known to be set, an extra PE
// changes nothing, so from then on (and it is set for good after the first inexact operation) only
// results that may be tiny go to the helper; until then every operation does.
void Operation::emit_flush_path(EmitContext& e, const std::vector<Operand>& operands, const Operand& result,
                                const std::function<void()>& body, Label entry, Label line, Label slow, Label done) {
  auto& c = e.code;
  e.labels.bind(entry);
  if (body) {
    c.test(state8(kFpscr), arm::kFpscrIxc);
    e.labels.jcc(kEqual, slow);
  }
  c.mov(state64(kSavedRax), rax);
  const Label leave = e.labels.make();
  for (const Operand& o : operands) {
    if (o.kind != Operand::Simd) continue;
    // 2x - 1 is below 2^(exponent bits' place) for denormal numbers, and wraps for zero.
    exponent_of_doubled(e, o.precision, o.index, -1);
    e.labels.jcc(kEqual, leave);
  }
  if (body) {
    body();
    const bool single = result.precision == Precision::Single;
    exponent_of_doubled(e, result.precision, result.index, 0);
    // Not surely normal (0, 1) or not finite (all ones).
    c.sub(eax, 2);
    c.cmp(eax, single ? 0xfd : 0x7fd);
    e.labels.jcc(kAboveEqual, leave);
    c.mov(rax, state64(kSavedRax));
    e.labels.jmp(done);
  } else {
    c.mov(rax, state64(kSavedRax));
    e.labels.jmp(line);
  }
  e.labels.bind(leave);
  c.mov(rax, state64(kSavedRax));
  e.labels.jmp(slow);
}

void Operation::emit_slow_path(EmitContext& e, const std::vector<Operand>& operands, const Operand& result,
                               Helper helper) {
  auto& c = e.code;
  size_t slot = kOperands;
  for (const Operand& o : operands) {
    switch (o.kind) {
      case Operand::Simd:
        if (o.precision == Precision::Single)
          c.movss(state32(slot), Xmm(o.index));
        else
          c.movsd(state64(slot), Xmm(o.index));
        break;
      case Operand::General: c.mov(state32(slot), Reg32(o.index)); break;
      case Operand::Constant: c.mov(state32(slot), o.constant); break;
      case Operand::None: break;
    }
    slot += 8;
  }
  e.call_preserving(reinterpret_cast<const void*>(helper));
  if (result.kind == Operand::General)
    c.mov(Reg32(result.index), state32(kOperands));
  else if (result.precision == Precision::Single)
    c.movss(Xmm(result.index), state32(kOperands));
  else
    c.movsd(Xmm(result.index), state64(kOperands));
}

void Operation::done() {
  e_.labels.bind(done_);
  e_.out_of_line([&e = e_, operands = operands_, result = result_, helper = helper_, body = body_,
                  after_helper = after_helper_, has_flush = has_flush_path_, slow = slow_, flush = flush_, line = line_,
                  done = done_] {
    if (has_flush) emit_flush_path(e, operands, result, body, flush, line, slow, done);
    e.labels.bind(slow);
    emit_slow_path(e, operands, result, helper);
    if (after_helper) after_helper(e.code);
    e.labels.jmp(done);
  });
}

}  // namespace crosswalk::x64::fp
