// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/block_emitter.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>

#include "translator/arm32/cpu/exit_reason.h"

namespace crosswalk::x64 {

using namespace Xbyak::util;
using ir::Opcode;
using ir::Type;
using ir::Value;

namespace {

constexpr size_t kRegOffset = offsetof(CpuState, r);
constexpr size_t reg_offset(uint32_t n) { return kRegOffset + 4 * n; }
constexpr size_t spill_offset(int slot) {
  return slot < kNearSpillSlots ? offsetof(CpuState, spill) + 8 * slot
                                : offsetof(CpuState, spill_more) + 8 * (slot - kNearSpillSlots);
}
constexpr size_t vspill_offset(int slot) { return offsetof(CpuState, vspill) + 16 * slot; }
static_assert(sizeof(CpuState::vspill) == 16 * kSpillSlots);

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "crosswalk: internal error in the x86-64 backend: %s\n", what);
  std::abort();
}

using EmitFunction = void (*)(EmitContext&, const ir::Inst&);
constexpr EmitFunction kEmitters[] = {
#define OP(name, ...) emit_##name,
#define OPI(name, ...) emit_##name,
#include "translator/ir/all_opcodes.inc"
#undef OP
#undef OPI
};

}  // namespace

BlockEmitter::BlockEmitter(Xbyak::CodeGenerator& c, const ir::Block& b, const BackendConfig& cfg)
    : EmitContext(c), block(b), config(cfg), known_alignment_(b, memory()) {
  locations_.resize(b.insts.size());
  remaining_.resize(b.insts.size());
  for (size_t i = 0; i < b.insts.size(); i++) remaining_[i] = b.insts[i].uses;
  std::fill(std::begin(gpr_owner_), std::end(gpr_owner_), kFree);
  std::fill(std::begin(x_owner_), std::end(x_owner_), kFree);
  block_labels_.resize(b.label_count);
  for (Label& l : block_labels_) l = labels.make();
  find_hints();
}

// A value whose SetReg follows with nothing between that could observe the register early may be computed in place.
void BlockEmitter::find_hints() {
  hints_.assign(block.insts.size(), -1);
  for (size_t j = 0; j < block.insts.size(); j++) {
    const ir::Inst& set = block.insts[j];
    if (set.op != Opcode::SetReg || set.imm >= 15 || kPinned[set.imm] < 0 || !set.args[0].is_inst()) continue;
    const size_t i = set.args[0].index();
    bool ok = block.insts[i].op != Opcode::GetReg;
    for (size_t k = i + 1; ok && k < j; k++) {
      const ir::Inst& inst = block.insts[k];
      const uint16_t attributes = ir::info(inst.op).attributes;
      if (attributes & (ir::F | ir::X | ir::J | ir::C)) ok = false;
      if ((inst.op == Opcode::GetReg || inst.op == Opcode::SetReg) && inst.imm == set.imm) ok = false;
    }
    if (ok) hints_[i] = static_cast<int8_t>(set.imm);
  }
}

CompiledBlock BlockEmitter::emit(const SecondPage& second_page, uint32_t first_link) {
  first_link_ = first_link;
  start_ = code.getCurr();
  result_.code = start_;
  if (second_page.id != 0) {
    // The last instruction extends into another page: its mapping must be the one this code was made from.
    const Label miss = labels.make();
    code.mov(rax, state64(offsetof(CpuState, instruction_pages)));
    code.cmp(dword[rax + 4 * (second_page.va >> 12 & (kInstructionPageEntries - 1))], second_page.id);
    labels.jcc(kNotEqual, miss);
    out_of_line([this, miss] {
      labels.bind(miss);
      exit_with(kExitSecondPage, block.pc | block.thumb);
    });
  }
  if (config.count) code.inc(state64(offsetof(CpuState, blocks)));
  for (uint32_t i = 0, counted = 0; i < block.insts.size(); i++) {
    if (config.count && block.insts[i].guest >= counted) counted = count_from(i);
    emit_instruction(i);
  }
  emit_deferred();
  if (!constants_.empty()) code.align(16);
  for (Constant& constant : constants_) {
    code.L(constant.label);
    code.dq(constant.low);
    code.dq(constant.high);
  }
  labels.patch();
  result_.size = static_cast<uint32_t>(code.getCurr() - start_);
  std::sort(result_.sites.begin(), result_.sites.end(), [](auto& a, auto& b) { return a.offset < b.offset; });
  return std::move(result_);
}

// Counts the guest instructions from here to the next one that may go on elsewhere; returns the one after that. Keeps
// the x86 flags, which may hold the guest's.
uint32_t BlockEmitter::count_from(uint32_t index) {
  const uint32_t first = block.insts[index].guest;
  uint32_t end = static_cast<uint32_t>(block.guest.size());
  for (size_t i = index; i < block.insts.size(); i++) {
    if (!(ir::info(block.insts[i].op).attributes & ir::X)) continue;
    end = std::min(end, uint32_t{block.insts[i].guest} + 1);
    break;
  }
  const Reg64 sum = temp();
  code.mov(sum, state64(offsetof(CpuState, instructions)));
  code.lea(sum, ptr[sum + static_cast<int>(end - first)]);
  code.mov(state64(offsetof(CpuState, instructions)), sum);
  locked_ = 0;
  return end;
}

void BlockEmitter::emit_instruction(uint32_t index) {
  const ir::Inst& inst = block.insts[index];
  current_ = &inst;
  current_index_ = index;
  flags_set_ = false;
  kEmitters[static_cast<size_t>(inst.op)](*this, inst);
  if (!flags_set_ && !(ir::info(inst.op).attributes & ir::K)) eflags_ = EflagsForm::None;
  finish_instruction(inst);
}

void BlockEmitter::finish_instruction(const ir::Inst& inst) {
  locked_ = xlocked_ = 0;
  const auto drop = [this](uint32_t v) {
    Location& l = locations_[v];
    if (l.where == Where::Gpr && gpr_owner_[l.index] == static_cast<int>(v)) gpr_owner_[l.index] = kFree;
    if (l.where == Where::X && x_owner_[l.index] == static_cast<int>(v)) x_owner_[l.index] = kFree;
    if (l.where == Where::Spill) spill_used_ &= ~(uint64_t{1} << l.index);
    if (l.where == Where::XSpill) vspill_used_ &= ~(uint64_t{1} << l.index);
    if (l.where == Where::Pinned || l.where == Where::State) std::erase(aliases_[l.index], v);
    if (l.where == Where::XState) std::erase(xstates_, v);
    l = {};
  };
  for (const Value v : inst.args)
    if (v.is_inst() && --remaining_[v.index()] == 0) drop(v.index());
  if (ir::info(inst.op).result != Type::Void && remaining_[current_index_] == 0) drop(current_index_);
  if (!operands_.empty()) operands_.clear();
  if (!operand_regs_.empty()) operand_regs_.clear();
}

uint32_t BlockEmitter::remaining_after(Value v) const {
  uint32_t n = remaining_[v.index()];
  for (const Value a : current_->args)
    if (a == v) n--;
  return n;
}

// ---- general registers ---------------------------------------------------------------------------------------

int BlockEmitter::allocate_gpr() {
  for (const int r : kTemps)
    if (gpr_owner_[r] == kFree && !(locked_ >> r & 1)) return r;
  // Evict the value defined first: likely the one not needed soonest.
  int victim = -1;
  for (const int r : kTemps)
    if (!(locked_ >> r & 1) && (victim < 0 || gpr_owner_[r] < gpr_owner_[victim])) victim = r;
  if (victim < 0) broken("all general registers are locked by one instruction");
  evict_gpr(victim);
  return victim;
}

int BlockEmitter::allocate_spill() {
  for (int s = 0; s < kSpillSlots; s++)
    if (!(spill_used_ >> s & 1)) {
      spill_used_ |= uint64_t{1} << s;
      return s;
    }
  broken("out of spill slots");
}

int BlockEmitter::allocate_vspill() {
  for (int s = 0; s < kSpillSlots; s++)
    if (!(vspill_used_ >> s & 1)) {
      vspill_used_ |= uint64_t{1} << s;
      return s;
    }
  broken("out of SIMD spill slots");
}

void BlockEmitter::evict_gpr(int reg) {
  const int v = gpr_owner_[reg];
  if (v == kFree) return;
  const int slot = allocate_spill();
  code.mov(state64(spill_offset(slot)), Reg64(reg));
  locations_[v] = {Where::Spill, static_cast<uint8_t>(slot)};
  gpr_owner_[reg] = kFree;
}

void BlockEmitter::own(int reg, uint32_t value) {
  gpr_owner_[reg] = static_cast<int>(value);
  locations_[value] = {Where::Gpr, static_cast<uint8_t>(reg)};
  locked_ |= 1u << reg;
}

void BlockEmitter::load_into(Reg64 r, Value v) {
  if (v.is_imm()) {
    const uint64_t imm = v.imm64();
    if (imm <= UINT32_MAX)
      code.mov(r.cvt32(), static_cast<uint32_t>(imm));
    else
      code.mov(r, imm);
    return;
  }
  const Location& l = locations_[v.index()];
  switch (l.where) {
    case Where::Pinned: code.mov(r.cvt32(), Reg32(kPinned[l.index])); break;
    case Where::State: code.mov(r.cvt32(), state32(reg_offset(l.index))); break;
    case Where::Gpr:
      if (l.index != r.getIdx()) code.mov(r, Reg64(l.index));
      break;
    case Where::Spill: code.mov(r, state64(spill_offset(l.index))); break;
    default: broken("operand has no location");
  }
}

Reg64 BlockEmitter::use(Value v) {
  if (v.is_imm()) {
    const Reg64 r = temp();
    load_into(r, v);
    return r;
  }
  const Location l = locations_[v.index()];
  if (l.where == Where::Pinned) return Reg64(kPinned[l.index]);
  if (l.where == Where::Gpr) {
    locked_ |= 1u << l.index;
    return Reg64(l.index);
  }
  const int r = allocate_gpr();
  load_into(Reg64(r), v);
  if (l.sticky) {
    locked_ |= 1u << r;
    return Reg64(r);
  }
  if (l.where == Where::Spill) spill_used_ &= ~(uint64_t{1} << l.index);
  if (l.where == Where::State) std::erase(aliases_[l.index], v.index());
  own(r, v.index());
  return Reg64(r);
}

const Xbyak::Operand& BlockEmitter::use_rm(Value v, int bits) {
  if (v.is_inst()) {
    const Location& l = locations_[v.index()];
    if (l.where == Where::Spill)
      return operands_.emplace_back(bits == 64 ? state64(spill_offset(l.index)) : state32(spill_offset(l.index)));
    if (l.where == Where::State && remaining_after(v) == 0 && bits == 32)
      return operands_.emplace_back(state32(reg_offset(l.index)));
  }
  const Reg64 r = use(v);
  return operand_regs_.emplace_back(bits == 64 ? static_cast<const Xbyak::Reg&>(r)
                                               : static_cast<const Xbyak::Reg&>(r.cvt32()));
}

Reg64 BlockEmitter::temp() {
  const int r = allocate_gpr();
  locked_ |= 1u << r;
  return Reg64(r);
}

Reg64 BlockEmitter::use_copy(Value v) {
  if (v.is_inst()) {
    Location& l = locations_[v.index()];
    if (l.where == Where::Gpr && remaining_after(v) == 0 && !(locked_ >> l.index & 1)) {
      bool again = false;  // the same value twice among the arguments
      int n = 0;
      for (const Value a : current_->args) n += a == v;
      again = n > 1;
      if (!again) {
        const int r = l.index;
        gpr_owner_[r] = kFree;
        l = {};
        locked_ |= 1u << r;
        return Reg64(r);
      }
    }
  }
  const Reg64 r = temp();
  load_into(r, v);
  return r;
}

int BlockEmitter::hinted_register(bool overlapping, Value except) const {
  const int n = hints_[current_index_];
  if (n < 0) return -1;
  for (const uint32_t v : aliases_[n])
    if (locations_[v].where == Where::Pinned && remaining_after(Value::inst(v)) > 0) return -1;
  if (!overlapping) {
    int matches = 0;
    for (const Value a : current_->args) {
      if (!a.is_inst()) continue;
      const Location& l = locations_[a.index()];
      if (l.where != Where::Pinned || l.index != n) continue;
      if (a == except && matches == 0)
        matches++;
      else
        return -1;
    }
  }
  return kPinned[n];
}

Reg64 BlockEmitter::define_result(bool overlapping) {
  const int hint = hinted_register(overlapping, Value());
  if (hint >= 0) {
    const int n = hints_[current_index_];
    locations_[current_index_] = {Where::Pinned, static_cast<uint8_t>(n)};
    aliases_[n].push_back(current_index_);
    return Reg64(hint);
  }
  if (overlapping) {
    // A dying operand's temporary will do.
    for (const Value a : current_->args) {
      if (!a.is_inst() || remaining_after(a) > 0) continue;
      Location& l = locations_[a.index()];
      if (l.where != Where::Gpr) continue;
      const int r = l.index;
      l = {};
      own(r, current_index_);
      return Reg64(r);
    }
  }
  const int r = allocate_gpr();
  own(r, current_index_);
  return Reg64(r);
}

Reg64 BlockEmitter::define_from(Value v) {
  const int hint = hinted_register(false, v);
  if (hint >= 0) {
    const int n = hints_[current_index_];
    if (!(v.is_inst() && locations_[v.index()].where == Where::Pinned && locations_[v.index()].index == n))
      load_into(Reg64(hint), v);
    locations_[current_index_] = {Where::Pinned, static_cast<uint8_t>(n)};
    aliases_[n].push_back(current_index_);
    return Reg64(hint);
  }
  const Reg64 r = use_copy(v);
  own(r.getIdx(), current_index_);
  return r;
}

void BlockEmitter::define_as(Reg64 r) {
  if (gpr_owner_[r.getIdx()] != kFree) broken("define_as of a register that holds a value");
  own(r.getIdx(), current_index_);
}

Reg64 BlockEmitter::define_hinted_or(Reg64 r) {
  const int hint = hinted_register(true, Value());
  if (hint < 0) {
    define_as(r);
    return r;
  }
  const int n = hints_[current_index_];
  locations_[current_index_] = {Where::Pinned, static_cast<uint8_t>(n)};
  aliases_[n].push_back(current_index_);
  return Reg64(hint);
}

bool BlockEmitter::result_prefers(Value v) const {
  if (!v.is_inst()) return false;
  const Location& l = locations_[v.index()];
  const int n = hints_[current_index_];
  if (n >= 0 && l.where == Where::Pinned && l.index == n) return true;
  return n < 0 && l.where == Where::Gpr && remaining_after(v) == 0;
}

Reg64 BlockEmitter::take(Reg64 which) {
  const int r = which.getIdx();
  if (locked_ >> r & 1) broken("take of a register that the instruction already uses");
  if (gpr_owner_[r] != kFree) {
    // Move it to another free temporary, or spill.
    int other = -1;
    for (const int t : kTemps)
      if (t != r && gpr_owner_[t] == kFree && !(locked_ >> t & 1)) other = t;
    if (other >= 0) {
      const uint32_t v = static_cast<uint32_t>(gpr_owner_[r]);
      code.mov(Reg64(other), which);
      gpr_owner_[other] = static_cast<int>(v);
      locations_[v] = {Where::Gpr, static_cast<uint8_t>(other)};
      gpr_owner_[r] = kFree;
    } else {
      evict_gpr(r);
    }
  }
  locked_ |= 1u << r;
  return which;
}

// ---- guest registers -----------------------------------------------------------------------------------------

void BlockEmitter::get_reg(uint32_t n) {
  if (remaining_[current_index_] == 0) return;
  locations_[current_index_] = {kPinned[n] >= 0 ? Where::Pinned : Where::State, static_cast<uint8_t>(n)};
  aliases_[n].push_back(current_index_);
}

// Guest register n is about to change: values that are still "in" it move out. `except` is the new content.
void BlockEmitter::displace_pinned(uint32_t n, Value except) {
  const Values values(aliases_[n], memory());
  aliases_[n].clear();
  for (const uint32_t v : values) {
    if (except.is_inst() && except.index() == v && locations_[v].where == Where::Pinned) {
      aliases_[n].push_back(v);
      continue;
    }
    const bool needed = remaining_after(Value::inst(v)) > 0 || (except.is_inst() && except.index() == v);
    if (!needed) {
      locations_[v] = {};
      continue;
    }
    const int r = allocate_gpr();
    load_into(Reg64(r), Value::inst(v));
    gpr_owner_[r] = static_cast<int>(v);
    locations_[v] = {Where::Gpr, static_cast<uint8_t>(r)};
    if (except.is_inst() && except.index() == v) locked_ |= 1u << r;
  }
}

void BlockEmitter::set_reg(uint32_t n, Value v) {
  displace_pinned(n, v);
  if (kPinned[n] >= 0) {
    const Reg64 host(kPinned[n]);
    if (v.is_imm()) {
      code.mov(host.cvt32(), v.imm32());
      return;
    }
    Location& l = locations_[v.index()];
    if (l.where == Where::Pinned && l.index == n) return;
    load_into(host, v);
    if (l.where == Where::Gpr && remaining_after(v) > 0) {
      gpr_owner_[l.index] = kFree;
      l = {Where::Pinned, static_cast<uint8_t>(n)};
      aliases_[n].push_back(v.index());
    }
    return;
  }
  if (v.is_imm())
    code.mov(state32(reg_offset(n)), v.imm32());
  else
    code.mov(state32(reg_offset(n)), use(v).cvt32());
}

// ---- SIMD registers ------------------------------------------------------------------------------------------

int BlockEmitter::allocate_x() {
  for (int r = 0; r < 16; r++)
    if (x_owner_[r] == kFree && !(xlocked_ >> r & 1)) return r;
  int victim = -1;
  for (int r = 0; r < 16; r++)
    if (!(xlocked_ >> r & 1) && (victim < 0 || x_owner_[r] < x_owner_[victim])) victim = r;
  if (victim < 0) broken("all SIMD registers are locked by one instruction");
  evict_x(victim);
  return victim;
}

void BlockEmitter::evict_x(int reg) {
  const int v = x_owner_[reg];
  if (v == kFree) return;
  const int slot = allocate_vspill();
  code.movups(state128(vspill_offset(slot)), Xmm(reg));
  locations_[v] = {Where::XSpill, static_cast<uint8_t>(slot)};
  x_owner_[reg] = kFree;
}

void BlockEmitter::xown(int reg, uint32_t value) {
  x_owner_[reg] = static_cast<int>(value);
  locations_[value] = {Where::X, static_cast<uint8_t>(reg)};
  xlocked_ |= 1u << reg;
}

void BlockEmitter::xload_into(Xmm x, Value v) {
  if (!v.is_inst()) broken("constant SIMD operand");
  const Location& l = locations_[v.index()];
  const Type type = ir::info(block.insts[v.index()].op).result;
  switch (l.where) {
    case Where::X:
      if (l.index != x.getIdx()) code.movaps(x, Xmm(l.index));
      break;
    case Where::XSpill: code.movups(x, state128(vspill_offset(l.index))); break;
    case Where::XState:
      if (type == Type::X32)
        code.movss(x, state32(l.offset));
      else if (type == Type::X64)
        code.movsd(x, state64(l.offset));
      else
        code.movups(x, state128(l.offset));
      break;
    default: broken("SIMD operand has no location");
  }
}

Xmm BlockEmitter::xuse(Value v) {
  const Location l = locations_[v.index()];
  if (l.where == Where::X) {
    xlocked_ |= 1u << l.index;
    return Xmm(l.index);
  }
  const int r = allocate_x();
  xload_into(Xmm(r), v);
  if (l.sticky) {
    xlocked_ |= 1u << r;
    return Xmm(r);
  }
  if (l.where == Where::XSpill) vspill_used_ &= ~(uint64_t{1} << l.index);
  if (l.where == Where::XState) std::erase(xstates_, v.index());
  xown(r, v.index());
  return Xmm(r);
}

Xmm BlockEmitter::xtemp() {
  const int r = allocate_x();
  xlocked_ |= 1u << r;
  return Xmm(r);
}

Xmm BlockEmitter::xuse_copy(Value v) {
  Location& l = locations_[v.index()];
  if (l.where == Where::X && remaining_after(v) == 0 && !(xlocked_ >> l.index & 1)) {
    int n = 0;
    for (const Value a : current_->args) n += a == v;
    if (n == 1) {
      const int r = l.index;
      x_owner_[r] = kFree;
      l = {};
      xlocked_ |= 1u << r;
      return Xmm(r);
    }
  }
  const Xmm x = xtemp();
  xload_into(x, v);
  return x;
}

Xmm BlockEmitter::xdefine() {
  const int r = allocate_x();
  xown(r, current_index_);
  return Xmm(r);
}

Xmm BlockEmitter::xdefine_from(Value v) {
  const Xmm x = xuse_copy(v);
  xown(x.getIdx(), current_index_);
  return x;
}

void BlockEmitter::xdefine_as(Xmm x) {
  if (x_owner_[x.getIdx()] != kFree) broken("xdefine_as of a register that holds a value");
  xown(x.getIdx(), current_index_);
}

void BlockEmitter::get_vreg(Type, uint32_t offset) {
  if (remaining_[current_index_] == 0) return;
  locations_[current_index_] = {Where::XState, 0, false, static_cast<uint16_t>(offset)};
  xstates_.push_back(current_index_);
}

void BlockEmitter::set_vreg(uint32_t offset, uint32_t bytes, Value v) {
  const Xmm x = xuse(v);
  const Values values(xstates_, memory());
  for (const uint32_t u : values) {
    const Type type = ir::info(block.insts[u].op).result;
    const uint32_t width = type == Type::X32 ? 4 : type == Type::X64 ? 8 : 16;
    const uint32_t at = locations_[u].offset;
    if (at < offset + bytes && offset < at + width) {
      const int r = allocate_x();
      xload_into(Xmm(r), Value::inst(u));
      std::erase(xstates_, u);
      x_owner_[r] = static_cast<int>(u);
      locations_[u] = {Where::X, static_cast<uint8_t>(r)};
    }
  }
  if (bytes == 4)
    code.movss(state32(offset), x);
  else if (bytes == 8)
    code.movsd(state64(offset), x);
  else
    code.movups(state128(offset), x);
}

// ---- calls and merges ----------------------------------------------------------------------------------------

void BlockEmitter::spill_across_call(bool guest_registers_change) {
  for (const int r : kTemps) {
    const int v = gpr_owner_[r];
    if (v == kFree) continue;
    if (remaining_after(Value::inst(static_cast<uint32_t>(v))) > 0) evict_gpr(r);
  }
  if (guest_registers_change) {
    for (uint32_t n = 0; n < 15; n++) {
      const Values values(aliases_[n], memory());
      for (const uint32_t v : values) {
        if (remaining_after(Value::inst(v)) == 0) continue;
        const int slot = allocate_spill();
        if (kPinned[n] >= 0) {
          code.mov(state64(spill_offset(slot)), Reg64(kPinned[n]));
        } else {
          const int r = allocate_gpr();
          code.mov(Reg32(r), state32(reg_offset(n)));
          code.mov(state64(spill_offset(slot)), Reg64(r));
        }
        locations_[v] = {Where::Spill, static_cast<uint8_t>(slot)};
        std::erase(aliases_[n], v);
      }
    }
  }
  for (int r = 0; r < 16; r++) {
    const int v = x_owner_[r];
    if (v != kFree && remaining_after(Value::inst(static_cast<uint32_t>(v))) > 0) evict_x(r);
  }
  // The callee may change SIMD registers that values still refer to.
  const Values values(xstates_, memory());
  for (const uint32_t u : values) {
    if (remaining_after(Value::inst(u)) == 0) continue;
    const int r = allocate_x();
    xload_into(Xmm(r), Value::inst(u));
    std::erase(xstates_, u);
    x_owner_[r] = static_cast<int>(u);
    locations_[u] = {Where::X, static_cast<uint8_t>(r)};
    evict_x(r);
  }
}

// Before a skip or at a label: what is live across goes to slots that both paths agree on.
void BlockEmitter::spill_for_merge() {
  spill_across_call(true);
  for (Location& l : locations_)
    if (l.where == Where::Spill || l.where == Where::XSpill) l.sticky = true;
  need_mxcsr(Rounding::Vfp);
}

// ---- flags ---------------------------------------------------------------------------------------------------

void BlockEmitter::materialise(uint8_t live, Reg64 result) {
  if (live & 1) code.mov(state64(offsetof(CpuState, nz)), result);
  if (live & 2) {
    if (eflags_ == EflagsForm::Sub)
      code.setnc(state8(offsetof(CpuState, c)));
    else
      code.setc(state8(offsetof(CpuState, c)));
  }
  if (live & 4) code.seto(state8(offsetof(CpuState, v)));
}

std::optional<Condition> BlockEmitter::x86_condition(uint32_t condition) const {
  constexpr uint32_t kCs = 2, kCc = 3, kHi = 8, kLs = 9;
  //                                   EQ      NE         CS           CC      MI     PL
  static constexpr Condition kSub[] = {kEqual, kNotEqual, kAboveEqual, kBelow, kSign, kNotSign,
                                       // VS      VC            HI      LS           GE             LT
                                       kOverflow, kNotOverflow, kAbove, kBelowEqual, kGreaterEqual, kLess,
                                       // GT     LE
                                       kGreater, kLessEqual};
  if (condition >= std::size(kSub)) return {};
  switch (eflags()) {
    case EflagsForm::Sub: return kSub[condition];  // CF = !C
    case EflagsForm::Add:                          // CF = C
      if (condition == kHi || condition == kLs) return {};
      if (condition == kCs || condition == kCc) return kSub[condition ^ 1];
      return kSub[condition];
    case EflagsForm::Logic:  // N and Z alone
      return condition <= 1 || condition == 4 || condition == 5 ? std::optional(kSub[condition]) : std::nullopt;
    case EflagsForm::None: break;
  }
  return {};
}

void BlockEmitter::condition_jump(uint32_t condition, Label target, bool invert) {
  auto& c = code;
  if (invert) condition ^= 1;  // Arm conditions come in complementary pairs
  if (const auto cc = x86_condition(condition)) return labels.jcc(*cc, target);
  eflags_ = EflagsForm::None;  // what follows clobbers them
  // Allocated before the first jump: an eviction must be on every path. Conditions that read N use it.
  const Reg32 scratch = condition == 4 || condition == 5 || condition >= 10 ? temp().cvt32() : Reg32();
  const auto z_is = [&](bool set, Label l) {
    c.cmp(state32(offsetof(CpuState, nz)), 0);
    labels.jcc(set ? kEqual : kNotEqual, l);
  };
  const auto flag_is = [&](size_t flag, bool set, Label l) {
    c.cmp(state8(flag), 0);
    labels.jcc(set ? kNotEqual : kEqual, l);
  };
  // Leaves N (bit 31 or bit 63 of nz) in the sign of the temporary, and in SF.
  const auto n_in_scratch = [&] {
    c.mov(scratch, state32(offsetof(CpuState, nz)));
    c.or_(scratch, state32(offsetof(CpuState, nz) + 4));
  };
  const auto n_equals_v = [&](bool equal, Label l) {
    n_in_scratch();
    c.shr(scratch, 31);
    c.cmp(scratch.cvt8(), state8(offsetof(CpuState, v)));
    labels.jcc(equal ? kEqual : kNotEqual, l);
  };
  constexpr size_t kC = offsetof(CpuState, c), kV = offsetof(CpuState, v);
  switch (condition) {
    case 0:
    case 1: z_is(condition == 0, target); break;
    case 2:
    case 3: flag_is(kC, condition == 2, target); break;
    case 4:
    case 5:
      n_in_scratch();
      labels.jcc(condition == 4 ? kSign : kNotSign, target);
      break;
    case 6:
    case 7: flag_is(kV, condition == 6, target); break;
    case 8: {  // C && !Z
      const Label no = labels.make();
      flag_is(kC, false, no);
      z_is(false, target);
      labels.bind(no);
      break;
    }
    case 9:  // !C || Z
      flag_is(kC, false, target);
      z_is(true, target);
      break;
    case 10:
    case 11: n_equals_v(condition == 10, target); break;
    case 12: {  // !Z && N == V
      const Label no = labels.make();
      z_is(true, no);
      n_equals_v(true, target);
      labels.bind(no);
      break;
    }
    case 13:
      z_is(true, target);
      n_equals_v(false, target);
      break;
    default: broken("condition code out of range");
  }
}

// ---- the rest ------------------------------------------------------------------------------------------------

void BlockEmitter::record_site(const uint8_t* at, uint32_t bytes, bool write, Reg64 va, int32_t displacement) {
  FaultSite s{};
  s.offset = static_cast<uint32_t>(at - start_);
  s.guest = current_->guest;
  s.bytes = static_cast<uint8_t>(bytes);
  s.flags = (write ? kSiteWrite : 0) | (rounding_ == Rounding::Standard ? kSiteStandardMxcsr : 0) |
            (bytes == 0 ? kSiteCall : 0);
  s.displacement = displacement;
  s.address_reg = static_cast<uint8_t>(va.getIdx());
  result_.sites.push_back(s);
}

Xbyak::Address BlockEmitter::constant128(uint64_t low, uint64_t high) {
  for (Constant& k : constants_)
    if (k.low == low && k.high == high) return xword[rip + k.label];
  Constant& k = constants_.emplace_back();
  k.low = low;
  k.high = high;
  return xword[rip + k.label];
}

void BlockEmitter::need_mxcsr(Rounding which) {
  if (rounding_ == which) return;
  const size_t now = rounding_ == Rounding::Vfp ? offsetof(CpuState, mxcsr) : offsetof(CpuState, mxcsr_standard);
  const size_t then = which == Rounding::Vfp ? offsetof(CpuState, mxcsr) : offsetof(CpuState, mxcsr_standard);
  code.stmxcsr(state32(now));
  code.ldmxcsr(state32(then));
  rounding_ = which;
}

void BlockEmitter::call_preserving(const void* f, std::initializer_list<Xbyak::Operand> args, Reg64 result) {
  auto& c = code;
  const int saved[] = {kRax, kRcx, kRdx, kRsi, kRdi, kR8, kR9, kR10, kR11};
  constexpr int kCount = 9;
  constexpr int kXmmBytes = 16 * 16 + 8;  // keeps rsp 16-byte aligned after nine pushes
  for (const int r : saved) c.push(Reg64(r));
  c.sub(rsp, kXmmBytes);
  for (int i = 0; i < 16; i++) c.movups(xword[rsp + 16 * i], Xmm(i));
  const auto slot = [&](int reg) {
    for (int i = 0; i < kCount; i++)
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
  for (int i = 0; i < 16; i++) c.movups(Xmm(i), xword[rsp + 16 * i]);
  c.add(rsp, kXmmBytes);
  for (int i = kCount - 1; i >= 0; i--) c.pop(Reg64(saved[i]));
}

void BlockEmitter::store_guest_position() {
  code.mov(state32(reg_offset(15)), guest().pc);
  code.mov(state8(offsetof(CpuState, t)), block.thumb);
  if (guest().it) code.mov(state8(offsetof(CpuState, it)), guest().it);
}

void BlockEmitter::exit_with(uint32_t reason, uint32_t target) {
  code.mov(eax, target);
  code.mov(ecx, reason);
  code.jmp(config.thunks->exit_to, Xbyak::CodeGenerator::T_NEAR);
}

}  // namespace crosswalk::x64
