// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/preserving_call.h"

#include <algorithm>
#include <iterator>

#include "translator/x64/host_registers.h"

namespace crosswalk::x64 {

using namespace Xbyak::util;
using Xbyak::Reg64;
using Xbyak::Xmm;

void call_preserving(Xbyak::CodeGenerator& c, const void* f, std::initializer_list<Xbyak::Operand> args, Reg64 result) {
  const int saved[] = {kRax, kRcx, kRdx, kRsi, kRdi, kR8, kR9, kR10, kR11};
  constexpr size_t kCount = 9;
  constexpr int kXmmBytes = 16 * 16 + 8;  // keeps rsp 16-byte aligned after nine pushes
  for (const int r : saved) c.push(Reg64(r));
  c.sub(rsp, kXmmBytes);
  for (int i = 0; i < 16; i++) c.movups(xword[rsp + size_t{16} * i], Xmm(i));
  const auto slot = [&](int reg) {
    for (size_t i = 0; i < kCount; i++)
      if (saved[i] == reg) return qword[rsp + kXmmBytes + 8 * (kCount - 1 - i)];
    return qword[rsp];
  };
  const auto is_saved = [&](int reg) { return std::find(std::begin(saved), std::end(saved), reg) != std::end(saved); };
  const int targets[] = {kRdi, kRsi, kRdx, kRcx};
  int n = 0;
  for (const Xbyak::Operand& a : args) {
    if (is_saved(a.getIdx()))
      c.mov(Reg64(targets[n]), slot(a.getIdx()));
    else
      c.mov(Reg64(targets[n]), Reg64(a.getIdx()));
    n++;
  }
  c.mov(rax, reinterpret_cast<uint64_t>(f));
  c.call(rax);
  if (is_saved(result.getIdx()))
    c.mov(slot(result.getIdx()), rax);
  else
    c.mov(result, rax);
  for (int i = 0; i < 16; i++) c.movups(Xmm(i), xword[rsp + size_t{16} * i]);
  c.add(rsp, kXmmBytes);
  for (size_t i = kCount; i-- > 0;) c.pop(Reg64(saved[i]));
}

}  // namespace crosswalk::x64
