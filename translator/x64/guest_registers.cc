// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/guest_registers.h"

#include "translator/x64/host_registers.h"

namespace crosswalk::x64 {

using ir::Type;
using ir::Value;
using Xbyak::Reg32;
using Xbyak::Xmm;

namespace {

uint32_t bytes_of(Type type) { return type == Type::X32 ? 4 : type == Type::X64 ? 8 : 16; }

}  // namespace

// Register n is about to change. `except` is the new content.
void GuestRegisters::displace(uint32_t n, Value except) {
  values_.forget_copy(n);
  values_.places().for_each(values_.places().in_guest_register(n), [&](uint32_t v) {
    const bool excepted = except == Value::inst(v);
    if (excepted && values_.of(v).kind == Place::Pinned) return;
    if (!excepted && values_.uses_after(v) == 0) return values_.drop(v);
    const int r = values_.move_to_register(File::General, v);
    if (excepted) values_.lock(File::General, r);
  });
}

void GuestRegisters::set_constant(uint32_t n, uint32_t constant) {
  displace(n, Value());
  if (kPinned[n] >= 0)
    code_.mov(Reg32(kPinned[n]), constant);
  else
    code_.mov(state32(reg_offset(n)), constant);
}

void GuestRegisters::set(uint32_t n, Value v) {
  displace(n, v);
  if (kPinned[n] >= 0) {
    const Place p = v.is_inst() ? values_.of(v.index()) : Place();
    if (p.kind == Place::Pinned && p.index == n) return;
    values_.load(File::General, kPinned[n], v);
    if (p.kind == Place::Register && values_.uses_after(v.index()) > 0)
      values_.put(v.index(), Place::guest_register(n));
    return;
  }
  if (v.is_imm()) return code_.mov(state32(reg_offset(n)), v.imm32());
  code_.mov(state32(reg_offset(n)), Reg32(registers_.use(File::General, v)));
  values_.note_copy(n, v.index());
}

void GuestRegisters::set_simd(size_t offset, uint32_t bytes, Value v) {
  const Xmm x(registers_.use(File::Simd, v));
  values_.places().for_each(values_.places().in_guest_simd(), [&](uint32_t u) {
    const size_t at = values_.of(u).offset;
    if (at < offset + bytes && offset < at + bytes_of(ir::info(block_.insts[u].op).result))
      values_.move_to_register(File::Simd, u);
  });
  if (bytes == 4)
    code_.movss(state32(offset), x);
  else if (bytes == 8)
    code_.movsd(state64(offset), x);
  else
    code_.movups(state128(offset), x);
  if (const auto carried = carried_.at(offset); carried && *carried != x.getIdx()) code_.movaps(Xmm(*carried), x);
}

void GuestRegisters::load_carried() {
  for (const CarriedVectors::Register& r : carried_.registers()) {
    const Xmm x(r.xmm);
    if (r.type == Type::X32)
      code_.movss(x, state32(r.offset));
    else if (r.type == Type::X64)
      code_.movsd(x, state64(r.offset));
    else
      code_.movups(x, state128(r.offset));
  }
}

}  // namespace crosswalk::x64
