// SPDX-License-Identifier: GPL-2.0-or-later
// Loads and stores of single registers and pairs (ARM DDI 0406C, A5.2.8, A5.2.9, A5.3, A6.2.4,
// A6.3.6-A6.3.10), and memory hints. The access comes before every register write: an abort leaves
// the base register as it was (base restored).
#include "translator/arm32/frontend/memory.h"
#include "translator/arm32/frontend/operands.h"

namespace crosswalk::frontend {
namespace {

struct Access {
  uint8_t log2_bytes;
  bool store = false;
  bool sign_extend = false;
  bool unprivileged = false;
};

struct Address {
  uint32_t n = 15;
  Value offset;       // a constant or a register value
  bool index = true;  // P: the access is at base +- offset
  bool add = true;    // U
  bool wback = false;
};

Value base_of(TranslateContext& t, uint32_t n) { return t.reg_aligned_pc(n); }
Value indexed(TranslateContext& t, const Address& a) {
  const Value base = base_of(t, a.n);
  return a.add ? t.ir.Add(base, a.offset) : t.ir.Sub(base, a.offset);
}
Value address_of(TranslateContext& t, const Address& a) { return a.index ? indexed(t, a) : base_of(t, a.n); }
// After the access, so that the sum can be made in the base register. One with a constant is part
// of the access's address.
void write_back(TranslateContext& t, const Address& a, Value va) {
  if (a.wback) t.set_reg(a.n, a.index && !a.offset.is_imm() ? va : indexed(t, a));
}

void transfer(TranslateContext& t, const Access& access, uint32_t rt, const Address& a) {
  if (a.wback && a.n == 15) return t.unpredictable();
  const bool pc_allowed = access.log2_bytes == 2 && !access.unprivileged && !(access.store && t.thumb);
  if (rt == 15 && !pc_allowed) return t.unpredictable();
  const Value va = address_of(t, a);
  Value loaded;
  if (access.store)
    store(t, access.log2_bytes, va, t.reg(rt), 0, access.unprivileged);
  else
    loaded = load(t, access.log2_bytes, va, access.sign_extend, 0, access.unprivileged);
  write_back(t, a, va);
  if (access.store) return;
  if (rt == 15)
    t.bx_write_pc(loaded, a.offset.is_imm() ? TranslateContext::Targets::One : TranslateContext::Targets::Many);
  else
    t.set_reg(rt, loaded);
}

void transfer_pair(TranslateContext& t, bool store, uint32_t rt, uint32_t rt2, const Address& a) {
  if ((a.wback && (a.n == 15 || a.n == rt || a.n == rt2)) || any_is_pc(rt, rt2)) return t.unpredictable();
  if (!store && rt == rt2) return t.unpredictable();
  const Value va = address_of(t, a);
  if (store) {
    store64(t, va, t.ir.Pack(t.reg(rt), t.reg(rt2)), 2);
    write_back(t, a, va);
  } else {
    const Value v = load64(t, va, 2);
    write_back(t, a, va);
    t.set_reg(rt, t.ir.Low(v));
    t.set_reg(rt2, t.ir.High(v));
  }
}

// P, U and W, with the values that encodings without them imply: offset addressing, upwards. T16's
// SP forms have no n.
Address addressing(Fields<"?PUWn"> f) {
  Address a;
  a.n = f.get('n', 13);
  a.index = f.get('P', 1);
  a.add = f.get('U', 1);
  a.wback = !a.index || f.get('W', 0);
  return a;
}

void with_immediate(TranslateContext& t, Fields<"it?PUWn"> f, const Access& access) {
  Address a = addressing(f);
  if (f.row->isa == Isa::T32 && f.has('P') && !a.index && !f.get('W', 0)) return t.undefined();
  uint32_t scale = 0;
  if (f.row->isa == Isa::T16) scale = f.has('n') ? access.log2_bytes : 2;
  a.offset = imm32(f['i'] << scale);
  transfer(t, access, f['t'], a);
}
void with_register(TranslateContext& t, Fields<"mnt?PUWiy"> f, const Access& access) {
  Address a = addressing(f);
  if (f['m'] == 15) return t.unpredictable();
  a.offset = shifted_rm(t, f, false).value;
  transfer(t, access, f['t'], a);
}
void with_literal(TranslateContext& t, Fields<"it?U"> f, const Access& access) {
  Address a;
  a.add = f.get('U', 1);
  a.offset = imm32(f.row->isa == Isa::T16 ? f['i'] * 4 : f['i']);
  transfer(t, access, f['t'], a);
}

// LDRT and its family: post-indexed in A32, with an offset in T32.
void unprivileged(TranslateContext& t, Fields<"nt?U"> f, Access access, Value offset) {
  Address a;
  a.n = f['n'];
  if (a.n == 15) return t.unpredictable();
  a.index = f.row->isa == Isa::T32;
  a.add = f.get('U', 1);
  a.wback = !a.index;
  a.offset = offset;
  access.unprivileged = true;
  transfer(t, access, f['t'], a);
}
void unprivileged_immediate(TranslateContext& t, Fields<"int?U"> f, const Access& access) {
  unprivileged(t, f, access, imm32(f['i']));
}
void unprivileged_register(TranslateContext& t, Fields<"mnt?Uiy"> f, const Access& access) {
  if (f['m'] == 15) return t.unpredictable();
  unprivileged(t, f, access, shifted_rm(t, f, false).value);
}

// LDRD and STRD: A32 names an even register and uses the next one too; T32 names both and scales
// the offset.
bool bad_a32_pair(Fields<"t?W"> f, const Address& a) {
  return f.row->isa == Isa::A32 && (f['t'] & 1 || (!a.index && f.get('W', 0)));
}
void pair_immediate(TranslateContext& t, Fields<"it?Wu"> f, bool store, Address a) {
  if (bad_a32_pair(f, a)) return t.unpredictable();
  a.offset = imm32(f.row->isa == Isa::T32 ? f['i'] * 4 : f['i']);
  transfer_pair(t, store, f['t'], f.get('u', f['t'] + 1), a);
}
// A32 only.
void pair_register(TranslateContext& t, Fields<"PUWmnt"> f, bool store) {
  Address a = addressing(f);
  if (bad_a32_pair(f, a)) return t.unpredictable();
  const uint32_t rt = f['t'], rt2 = rt + 1, m = f['m'];
  if (m == 15 || (!store && (m == rt || m == rt2))) return t.unpredictable();
  a.offset = t.reg(m);
  transfer_pair(t, store, rt, rt2, a);
}
Address pair_addressing(Fields<"Un?PW"> f) {
  Address a = addressing(f);
  // The T32 post-indexed rows have P = 0 and W = 1 as fixed bits.
  if (f.row->isa == Isa::T32 && (f.word >> 24 & 1) == 0) a.index = false, a.wback = true;
  return a;
}

constexpr Access kSTR{2, true}, kSTRB{0, true}, kSTRH{1, true};
constexpr Access kLDR{2}, kLDRB{0}, kLDRH{1}, kLDRSB{0, false, true}, kLDRSH{1, false, true};

}  // namespace

HANDLER(STR_immediate) { with_immediate(t, f, kSTR); }
HANDLER(STR_register) { with_register(t, f, kSTR); }
HANDLER(STRT_immediate) { unprivileged_immediate(t, f, kSTR); }
HANDLER(STRT_register) { unprivileged_register(t, f, kSTR); }
HANDLER(STRB_immediate) { with_immediate(t, f, kSTRB); }
HANDLER(STRB_register) { with_register(t, f, kSTRB); }
HANDLER(STRBT_immediate) { unprivileged_immediate(t, f, kSTRB); }
HANDLER(STRBT_register) { unprivileged_register(t, f, kSTRB); }
HANDLER(STRH_immediate) { with_immediate(t, f, kSTRH); }
HANDLER(STRH_register) { with_register(t, f, kSTRH); }
HANDLER(STRHT_immediate) { unprivileged_immediate(t, f, kSTRH); }
HANDLER(STRHT_register) { unprivileged_register(t, f, kSTRH); }
HANDLER(LDR_immediate) { with_immediate(t, f, kLDR); }
HANDLER(LDR_register) { with_register(t, f, kLDR); }
HANDLER(LDR_literal) { with_literal(t, f, kLDR); }
HANDLER(LDRT_immediate) { unprivileged_immediate(t, f, kLDR); }
HANDLER(LDRT_register) { unprivileged_register(t, f, kLDR); }
HANDLER(LDRB_immediate) { with_immediate(t, f, kLDRB); }
HANDLER(LDRB_register) { with_register(t, f, kLDRB); }
HANDLER(LDRB_literal) { with_literal(t, f, kLDRB); }
HANDLER(LDRBT_immediate) { unprivileged_immediate(t, f, kLDRB); }
HANDLER(LDRBT_register) { unprivileged_register(t, f, kLDRB); }
HANDLER(LDRH_immediate) { with_immediate(t, f, kLDRH); }
HANDLER(LDRH_register) { with_register(t, f, kLDRH); }
HANDLER(LDRH_literal) { with_literal(t, f, kLDRH); }
HANDLER(LDRHT_immediate) { unprivileged_immediate(t, f, kLDRH); }
HANDLER(LDRHT_register) { unprivileged_register(t, f, kLDRH); }
HANDLER(LDRSB_immediate) { with_immediate(t, f, kLDRSB); }
HANDLER(LDRSB_register) { with_register(t, f, kLDRSB); }
HANDLER(LDRSB_literal) { with_literal(t, f, kLDRSB); }
HANDLER(LDRSBT_immediate) { unprivileged_immediate(t, f, kLDRSB); }
HANDLER(LDRSBT_register) { unprivileged_register(t, f, kLDRSB); }
HANDLER(LDRSH_immediate) { with_immediate(t, f, kLDRSH); }
HANDLER(LDRSH_register) { with_register(t, f, kLDRSH); }
HANDLER(LDRSH_literal) { with_literal(t, f, kLDRSH); }
HANDLER(LDRSHT_immediate) { unprivileged_immediate(t, f, kLDRSH); }
HANDLER(LDRSHT_register) { unprivileged_register(t, f, kLDRSH); }

HANDLER(LDRD_immediate) { pair_immediate(t, f, false, pair_addressing(f)); }
HANDLER(LDRD_register) { pair_register(t, f, false); }
HANDLER(STRD_immediate) { pair_immediate(t, f, true, pair_addressing(f)); }
HANDLER(STRD_register) { pair_register(t, f, true); }
HANDLER(LDRD_literal) {
  Address a;
  a.add = f['U'];
  pair_immediate(t, f, false, a);
}

// Preloads are hints (A3.5.5): nothing is fetched ahead, and they never fault.
HANDLER(PLD) {}
HANDLER(PLI) {}

}  // namespace crosswalk::frontend
