// SPDX-License-Identifier: GPL-2.0-or-later
// What the emitters of opcodes_fp.inc share.
//
// Arithmetic is one SSE instruction under the guest's MXCSR, whose sticky flags are FPSCR's. SSE
// differs from Arm (ARM DDI 0406C, A2.7) in a few results, and those leave the line for exact C++
// functions:
//  - which NaN is the result, and the sign of the default NaN: every NaN result, and FPSCR.DN
//    where only that matters;
//  - tininess, which SSE detects after rounding: a result that is exactly the least normal
//    number;
//  - FPSCR.FZ: SSE does not report flushed operands, and reports a flushed result as inexact. See
//    flush_to_zero_path();
//  - integers out of range.
// An SSE instruction that ran before the line was left has raised no flag that Arm does not raise
// too.
#pragma once

#include <functional>
#include <initializer_list>
#include <vector>

#include "translator/arm32/cpu/fp_system.h"
#include "translator/x64/emit_context.h"

namespace crosswalk::x64::fp {

enum class Precision : uint8_t { Single, Double };

using Helper = uint64_t (*)(CpuState*);

// One operation: the labels between its line and what is out of line.
class Operation {
 public:
  Operation(EmitContext& e, Helper helper) : e_(e), helper_(helper) { e.need_mxcsr(Rounding::Vfp); }

  // Operands of the helper, in order; the registers must keep their values until done(). Obtain all
  // registers first.
  void operand(Precision p, const Xmm& x) { operands_.push_back({Operand::Simd, p, x.getIdx(), 0}); }
  void operand(const Reg64& r) { operands_.push_back({Operand::General, Precision::Single, r.getIdx(), 0}); }
  void operand(uint32_t constant) { operands_.push_back({Operand::Constant, Precision::Single, 0, constant}); }
  void result(Precision p, const Xmm& x) { result_ = {Operand::Simd, p, x.getIdx(), 0}; }
  void result(const Reg64& r) { result_ = {Operand::General, Precision::Single, r.getIdx(), 0}; }

  // Leaves the line when a bit of `mask` (arm::FpModeBit) is set in fp_mode.
  void leave_if_mode(uint8_t mask);
  // The same for FZ, by a path out of line that comes back if no operand is a denormal number. With
  // `flushes`, of an operation whose result may be tiny, that path does the operation itself by
  // `body` and comes back to done().
  void flush_to_zero_path(uint8_t mode_mask, std::function<void()> body = nullptr);
  Label slow() const { return slow_; }
  // Leaves the line if x is a NaN; and, with `tiny`, also if it is the least normal number. `t` is
  // a temporary.
  void leave_if_nan(Precision p, const Xmm& x);
  void leave_if_nan_or_least_normal(Precision p, const Xmm& x, const Xmm& t);
  // Emitted after the call of the helper, where the result is in its register. It may change that
  // register, if it brings the result back.
  void after_helper(void (*f)(Xbyak::CodeGenerator& code)) { after_helper_ = f; }
  // Ends the operation.
  void done();

 private:
  // Whether it may: a block that relies on an fp_mode has no test.
  bool jump_if_mode(uint8_t mask, Label to);

  struct Operand {
    enum Kind : uint8_t { None, Simd, General, Constant } kind = None;
    Precision precision = Precision::Single;
    int index = 0;
    uint32_t constant = 0;
  };
  static void emit_flush_path(EmitContext& e, const std::vector<Operand>& operands, const Operand& result,
                              const std::function<void()>& body, Label entry, Label line, Label slow, Label done);
  static void emit_slow_path(EmitContext& e, const std::vector<Operand>& operands, const Operand& result,
                             Helper helper);

  EmitContext& e_;
  Helper helper_;
  std::vector<Operand> operands_;
  Operand result_;
  Label slow_ = e_.labels.make(), flush_ = e_.labels.make(), line_ = e_.labels.make(), done_ = e_.labels.make();
  bool has_flush_path_ = false;
  std::function<void()> body_;
  void (*after_helper_)(Xbyak::CodeGenerator& code) = nullptr;
};

}  // namespace crosswalk::x64::fp
