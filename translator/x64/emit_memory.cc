// SPDX-License-Identifier: GPL-2.0-or-later
// Emitters of guest memory accesses, one for each way to reach memory (MemoryMode):
//   Window      one x86 instruction at [window + VA + displacement]; its address is a fault site
//   SoftInline  a lookup in the software TLB at r14, which neighbours may share (HostSpan); the
//               miss path is out of line
//   SoftCall    always the out-of-line path
// The out-of-line path is told which registers to use and preserves all others, so it places no
// constraint on the allocator.
#include <bit>

#include "mmu-shadow/mmu.h"
#include "translator/x64/emit_context.h"
#include "translator/x64/slow_access.h"

namespace crosswalk::x64 {

using namespace Xbyak::util;
using ir::Inst;
using ir::MemAccess;
using ir::Value;
using Gen = Xbyak::CodeGenerator;

namespace {

static_assert(ir::kMaxDisplacement < mmu::kWindowGuard);

// The value moved by an access: a general or a SIMD register.
struct Data {
  bool simd = false;
  Reg64 gpr;
  Xmm xmm;
};

void move_from_memory(EmitContext& e, const MemAccess& m, const Data& d, const Xbyak::RegExp& at) {
  auto& c = e.code;
  if (d.simd) {
    if (m.log2_bytes == 2)
      c.movss(d.xmm, dword[at]);
    else if (m.log2_bytes == 3)
      c.movsd(d.xmm, qword[at]);
    else
      c.movups(d.xmm, xword[at]);
    return;
  }
  switch (m.log2_bytes) {
    case 0: m.sign_extend ? c.movsx(d.gpr.cvt32(), byte[at]) : c.movzx(d.gpr.cvt32(), byte[at]); break;
    case 1: m.sign_extend ? c.movsx(d.gpr.cvt32(), word[at]) : c.movzx(d.gpr.cvt32(), word[at]); break;
    case 2: c.mov(d.gpr.cvt32(), dword[at]); break;
    default: c.mov(d.gpr, qword[at]); break;
  }
}

void move_to_memory(EmitContext& e, const MemAccess& m, const Data& d, const Xbyak::RegExp& at) {
  auto& c = e.code;
  if (d.simd) {
    if (m.log2_bytes == 2)
      c.movss(dword[at], d.xmm);
    else if (m.log2_bytes == 3)
      c.movsd(qword[at], d.xmm);
    else
      c.movups(xword[at], d.xmm);
    return;
  }
  switch (m.log2_bytes) {
    case 0: c.mov(byte[at], d.gpr.cvt8()); break;
    case 1: c.mov(word[at], d.gpr.cvt16()); break;
    case 2: c.mov(dword[at], d.gpr.cvt32()); break;
    default: c.mov(qword[at], d.gpr); break;
  }
}

// The out-of-line path. Falls through with the loaded value, or a store-exclusive's status, in its
// register.
void slow_path(EmitContext& e, uint32_t kind, Reg64 va, const Data& d, Reg64 status = Reg64()) {
  SlowAccessRequest request;
  request.kind = kind;
  request.va = static_cast<uint8_t>(va.getIdx());
  request.data = static_cast<uint8_t>(d.simd ? d.xmm.getIdx() : d.gpr.getIdx());
  request.status = static_cast<uint8_t>(status.getIdx());
  request.simd = d.simd;
  e.code.push(request.pack());
  e.call_thunk(&Thunks::slow_access);
  e.sites.call();
}

struct Access {
  EmitContext& e;
  const Inst& inst;
  MemAccess m;
  bool store;
  bool simd;
  bool slow_only() const { return m.unprivileged || m.out_of_line || e.config.memory == MemoryMode::SoftCall; }
  uint32_t kind() const { return access_kind(m, store); }
  int32_t displacement() const { return static_cast<int32_t>(inst.aux); }
};

Data load_destination(const Access& a, bool overlapping) {
  Data d;
  d.simd = a.simd;
  if (a.simd)
    d.xmm = a.e.xdefine();
  else
    d.gpr = overlapping ? a.e.define_overlapping() : a.e.define();
  return d;
}

Data store_source(const Access& a) {
  Data d;
  d.simd = a.simd;
  if (a.simd)
    d.xmm = a.e.xuse(a.inst.args[1]);
  else
    d.gpr = a.e.use(a.inst.args[1]);
  return d;
}

void emit_slow_only(const Access& a) {
  EmitContext& e = a.e;
  Reg64 va = e.use(a.inst.args[0]);
  if (a.displacement()) {
    const Reg64 sum = e.temp();
    e.code.lea(sum.cvt32(), ptr[va + a.displacement()]);
    va = sum;
  }
  const Data d = a.store ? store_source(a) : load_destination(a, true);
  slow_path(e, a.kind(), va, d);
}

void emit_window(const Access& a) {
  EmitContext& e = a.e;
  auto& c = e.code;
  const Reg64 va = e.use(a.inst.args[0]);
  const int32_t displacement = a.displacement();
  uint32_t mask = (1u << a.m.align_log2) - 1;
  if (mask && e.alignment.check(a.inst.args[0], displacement, mask)) mask = 0;
  const Reg64 scratch = mask ? e.temp() : va;
  const Data d = a.store ? store_source(a) : load_destination(a, !mask);
  if (mask) {
    const Label unaligned = e.labels.make();
    if (displacement & static_cast<int32_t>(mask)) {
      c.lea(scratch.cvt32(), ptr[va + displacement]);
      c.test(scratch.cvt8(), static_cast<uint8_t>(mask));
    } else {
      c.test(va.cvt8(), static_cast<uint8_t>(mask));
    }
    e.labels.jcc(kNotEqual, unaligned);
    e.out_of_line([&e, a, va, displacement, scratch, d, unaligned] {
      // The access faults: an alignment fault, or the fault of the walk if that has priority.
      e.labels.bind(unaligned);
      if (displacement) e.code.lea(scratch.cvt32(), ptr[va + displacement]);
      slow_path(e, a.kind(), displacement ? scratch : va, d);
      e.code.ud2();  // an unaligned access of this kind never returns
    });
  }
  const uint8_t* const at = c.getCurr();
  const Xbyak::RegExp address = r14 + va + displacement;
  if (a.store)
    move_to_memory(e, a.m, d, address);
  else
    move_from_memory(e, a.m, d, address);
  e.sites.access(at, 1u << a.m.log2_bytes, a.store, va, displacement);
  if (!mask) e.flags.keep();
}

// As PieceCache::emit.
template <class F>
void emit_piece(EmitContext& e, uint32_t key, F emit) {
  if (e.config.pieces)
    e.config.pieces->emit(e.code, key, emit);
  else
    emit();
}

constexpr int kPageBits = 12, kEntryBits = 4;
static_assert(sizeof(mmu::SoftTlbEntry) == 1 << kEntryBits);
static_assert(mmu::kSoftTlbHeaderBytes <= 128, "a displacement of one byte");
constexpr uint32_t kPageBytes = 1u << kPageBits;

constexpr size_t tag_offset(bool store) {
  return store ? offsetof(mmu::SoftTlbEntry, tag_store) : offsetof(mmu::SoftTlbEntry, tag_load);
}

// In the header of the software TLB.
Xbyak::Address index_mask() {
  return dword[r14 - static_cast<int>(mmu::kSoftTlbHeaderBytes) + offsetof(mmu::SoftTlbHeader, index_mask)];
}

// What is looked up in the software TLB.
struct Lookup {
  uint32_t bytes;
  uint32_t align_mask;  // of the first byte's address; 0: any, or known
  bool store;
};

// Looks `va` up in the software TLB at r14; `index` becomes the entry's place. `tag` is clobbered.
// Jumps to `miss` when the entry is another page's or forbids the access, when the bytes are in two
// pages, or when they are misaligned.
void soft_lookup(EmitContext& e, Reg64 va, Reg64 index, Reg64 tag, const Lookup& l, Label miss) {
  auto& c = e.code;
  // The last unit whose low bits show whether all are aligned. In the next page it has another
  // entry's tag.
  const uint32_t last = (l.bytes - 1) & ~l.align_mask;
  const auto registers = static_cast<uint32_t>(va.getIdx() | index.getIdx() << 4 | tag.getIdx() << 8);
  static_assert(ir::kMaxSpan <= 1 << 11);
  const uint32_t key =
      registers | last << 12 | static_cast<uint32_t>(std::popcount(l.align_mask)) << 23 | uint32_t{l.store} << 27;
  emit_piece(e, key, [&] {
    if (e.config.features.bmi2) {
      c.rorx(index.cvt32(), va.cvt32(), kPageBits - kEntryBits);
    } else {
      c.mov(index.cvt32(), va.cvt32());
      c.shr(index.cvt32(), kPageBits - kEntryBits);
    }
    c.and_(index.cvt32(), index_mask());
    if (last == 0)
      c.mov(tag.cvt32(), va.cvt32());
    else
      c.lea(tag.cvt32(), ptr[va + last]);
    c.and_(tag.cvt32(), ~(kPageBytes - 1) | l.align_mask);
    c.cmp(tag.cvt32(), dword[r14 + index + tag_offset(l.store)]);
  });
  e.labels.jcc(kNotEqual, miss);
}

// After soft_lookup(): `index` becomes what is added to VAs of the page.
void load_addend(EmitContext& e, Reg64 index) {
  constexpr uint32_t kLoad = 1u << 31;
  emit_piece(e, kLoad | static_cast<uint32_t>(index.getIdx()),
             [&] { e.code.mov(index, qword[r14 + index + offsetof(mmu::SoftTlbEntry, addend)]); });
}

// After soft_lookup(): the VA becomes the host address.
void add_addend(EmitContext& e, Reg64 va, Reg64 index) {
  constexpr uint32_t kAdd = 1u << 30;
  emit_piece(e, kAdd | static_cast<uint32_t>(va.getIdx() | index.getIdx() << 4),
             [&] { e.code.add(va, qword[r14 + index + offsetof(mmu::SoftTlbEntry, addend)]); });
}

// The same for a constant VA: `host` becomes the host address.
void soft_lookup_constant(EmitContext& e, uint32_t va, Reg64 host, bool store, Label miss) {
  auto& c = e.code;
  const Reg64 index = e.temp();
  c.mov(index.cvt32(), va >> (kPageBits - kEntryBits) & (mmu::kMostSoftTlb - 1) << kEntryBits);
  c.and_(index.cvt32(), index_mask());
  c.cmp(dword[r14 + index + tag_offset(store)], va & ~(kPageBytes - 1));
  e.labels.jcc(kNotEqual, miss);
  c.mov(host.cvt32(), va);
  c.add(host, qword[r14 + index + offsetof(mmu::SoftTlbEntry, addend)]);
}

// Whether the alignment has to be checked; from here on it is known.
uint32_t unknown_alignment(EmitContext& e, Value va, int32_t displacement, uint32_t align_log2) {
  const uint32_t mask = (1u << align_log2) - 1;
  return mask && !e.alignment.check(va, displacement, mask) ? mask : 0;
}

struct Address {
  Reg64 va;
  bool own;  // it may be modified
};
Address address_of(EmitContext& e, Value v, int32_t displacement) {
  if (displacement == 0) return {e.use(v), false};
  if (e.registers.is_copied_freely(File::General, v)) {
    const Reg64 va = e.use_copy(v);
    e.code.lea(va.cvt32(), ptr[va + displacement]);
    return {va, true};
  }
  const Reg64 base = e.use(v), va = e.temp();
  e.code.lea(va.cvt32(), ptr[base + displacement]);
  e.release(base);
  return {va, true};
}

Data soft_destination(const Access& a, Reg64 otherwise) {
  Data d;
  d.simd = a.simd;
  if (a.simd)
    d.xmm = a.e.xdefine();
  else
    d.gpr = a.e.define_hinted_or(otherwise);
  return d;
}

void move_data(const Access& a, const Data& d, const Xbyak::RegExp& at) {
  if (a.store)
    move_to_memory(a.e, a.m, d, at);
  else
    move_from_memory(a.e, a.m, d, at);
}

void emit_soft_constant(const Access& a) {
  EmitContext& e = a.e;
  const uint32_t va = a.inst.args[0].imm32() + static_cast<uint32_t>(a.displacement());
  const Reg64 host = e.temp();
  const Data d = a.store ? store_source(a) : soft_destination(a, host);
  const uint32_t bytes = 1u << a.m.log2_bytes, align_mask = (1u << a.m.align_log2) - 1;
  if ((va & align_mask) || va % kPageBytes + bytes > kPageBytes) {
    e.code.mov(host.cvt32(), va);
    slow_path(e, a.kind(), host, d);
    return;
  }
  const Label miss = e.labels.make(), done = e.labels.make();
  soft_lookup_constant(e, va, host, a.store, miss);
  move_data(a, d, Xbyak::RegExp(host));
  e.labels.bind(done);
  e.out_of_line([&e, a, va, host, d, miss, done] {
    e.labels.bind(miss);
    e.code.mov(host.cvt32(), va);
    slow_path(e, a.kind(), host, d);
    e.labels.jmp(done);
  });
}

void emit_soft(const Access& a) {
  if (a.inst.args[0].is_imm()) return emit_soft_constant(a);
  EmitContext& e = a.e;
  const uint32_t align_mask = unknown_alignment(e, a.inst.args[0], a.displacement(), a.m.align_log2);
  const Reg64 va = address_of(e, a.inst.args[0], a.displacement()).va;
  const Reg64 index = e.temp(), tag = e.temp();
  const Data d = a.store ? store_source(a) : soft_destination(a, index);
  const Label miss = e.labels.make(), done = e.labels.make();
  soft_lookup(e, va, index, tag, {1u << a.m.log2_bytes, align_mask, a.store}, miss);
  load_addend(e, index);
  move_data(a, d, index + va);
  e.labels.bind(done);
  e.out_of_line([&e, a, va, d, miss, done] {
    e.labels.bind(miss);
    slow_path(e, a.kind(), va, d);
    e.labels.jmp(done);
  });
}

// Out of line, where a span was not found: its page goes into the software TLB, and `host`, which
// holds the VA, becomes the host address. Else the block is left at `apart`.
void fill_span(EmitContext& e, Reg64 host, bool store, Label apart, Label done) {
  SlowAccessRequest request;
  request.kind = access_kind({}, store);
  request.va = request.data = static_cast<uint8_t>(host.getIdx());
  request.fill = true;
  e.code.push(request.pack());
  e.call_thunk(&Thunks::slow_access);
  e.code.test(host, host);
  e.labels.jcc(kNotEqual, done);
  e.labels.bind(apart);
  // This guest instruction is counted again.
  if (e.config.count) e.code.dec(state64(offsetof(CpuState, instructions)));
  e.exits.jump_apart();
}

void emit_span_constant(EmitContext& e, const Inst& inst) {
  const ir::SpanCheck check = ir::SpanCheck::unpack(inst.imm);
  const uint32_t va = inst.args[0].imm32() + static_cast<uint32_t>(inst.aux);
  const Reg64 host = e.temp();
  const Label miss = e.labels.make(), apart = e.labels.make(), done = e.labels.make();
  if (va & ((1u << check.align_log2) - 1))
    e.labels.jmp(apart);
  else
    soft_lookup_constant(e, va, host, check.store, miss);
  e.labels.bind(done);
  e.define_as(host);
  e.out_of_line([&e, va, host, store = check.store, miss, apart, done] {
    e.labels.bind(miss);
    e.code.mov(host.cvt32(), va);
    fill_span(e, host, store, apart, done);
  });
}

void emit_span(EmitContext& e, const Inst& inst) {
  auto& c = e.code;
  const ir::SpanCheck check = ir::SpanCheck::unpack(inst.imm);
  const auto displacement = static_cast<int32_t>(inst.aux);
  const uint32_t align_mask = unknown_alignment(e, inst.args[0], displacement, check.align_log2);
  const Address address = address_of(e, inst.args[0], displacement);
  const Reg64 va = address.va, index = e.temp(), tag = e.temp();
  const Label miss = e.labels.make(), apart = e.labels.make(), done = e.labels.make();
  soft_lookup(e, va, index, tag, {check.bytes, align_mask, check.store}, miss);
  const Reg64 host = address.own ? va : index;
  if (address.own) {
    add_addend(e, va, index);
  } else {
    load_addend(e, index);
    c.add(index, va);
  }
  e.labels.bind(done);
  e.define_as(host);
  e.out_of_line([&e, &c, check, align_mask, va, tag, host, miss, apart, done] {
    e.labels.bind(miss);
    if (host.getIdx() != va.getIdx()) c.mov(host.cvt32(), va.cvt32());
    c.mov(tag.cvt32(), host.cvt32());
    c.and_(tag.cvt32(), kPageBytes - 1);
    c.cmp(tag.cvt32(), kPageBytes - check.bytes);
    e.labels.jcc(kAbove, apart);
    if (align_mask) {
      c.test(host.cvt8(), static_cast<uint8_t>(align_mask));
      e.labels.jcc(kNotEqual, apart);
    }
    fill_span(e, host, check.store, apart, done);
  });
}

// The host address is a HostSpan's; nothing can go wrong any more.
void emit_host_access(EmitContext& e, const Inst& inst, bool store, bool simd) {
  const Access a{e, inst, MemAccess::unpack(inst.imm), store, simd};
  const Xbyak::RegExp at = e.use(inst.args[0]) + a.displacement();
  if (store && inst.args[1].is_imm() && a.m.log2_bytes <= 2) {
    const uint32_t v = inst.args[1].imm32();
    switch (a.m.log2_bytes) {
      case 0: e.code.mov(byte[at], static_cast<uint8_t>(v)); break;
      case 1: e.code.mov(word[at], static_cast<uint16_t>(v)); break;
      default: e.code.mov(dword[at], v); break;
    }
    return;
  }
  move_data(a, store ? store_source(a) : load_destination(a, true), at);
}

void emit_access(EmitContext& e, const Inst& inst, bool store, bool simd) {
  const Access a{e, inst, MemAccess::unpack(inst.imm), store, simd};
  if (a.slow_only())
    emit_slow_only(a);
  else if (e.config.memory == MemoryMode::Window)
    emit_window(a);
  else
    emit_soft(a);
}

// Exclusives wholly out of line: soft-call, and devices.
void exclusive_slow(EmitContext& e, const Inst& inst, bool store) {
  const MemAccess m = MemAccess::unpack(inst.imm);
  const Reg64 va = e.use(inst.args[0]);
  Data d;
  if (store) d.gpr = e.use(inst.args[1]);
  const Reg64 result = e.define_overlapping();
  if (!store) d.gpr = result;
  slow_path(e, access_kind(m, store) | kAccessExclusive, va, d, result);
}

void arm_monitor(EmitContext& e, Reg64 value, Reg64 va, uint32_t bytes) {
  auto& c = e.code;
  c.mov(state64(offsetof(CpuState, monitor_value)), value);
  c.mov(state32(offsetof(CpuState, monitor_address)), va.cvt32());
  c.mov(state32(offsetof(CpuState, monitor_size)), bytes);
  c.mov(state8(offsetof(CpuState, monitor_armed)), 1);
}

void exclusive_load_window(EmitContext& e, const Inst& inst) {
  auto& c = e.code;
  const MemAccess m = MemAccess::unpack(inst.imm);
  const Reg64 va = e.use(inst.args[0]);
  const Reg64 r = e.temp();
  Data d;
  d.gpr = r;
  const uint32_t mask = (1u << m.log2_bytes) - 1;
  if (mask) {
    const Label unaligned = e.labels.make();
    c.test(va.cvt8(), static_cast<uint8_t>(mask));
    e.labels.jcc(kNotEqual, unaligned);
    e.out_of_line([&e, m, va, d, unaligned] {
      e.labels.bind(unaligned);
      slow_path(e, access_kind(m, false) | kAccessExclusive, va, d);
      e.code.ud2();
    });
  }
  const uint8_t* const at = c.getCurr();
  move_from_memory(e, m, d, r14 + va);
  e.sites.access(at, 1u << m.log2_bytes, false, va, 0);
  arm_monitor(e, r, va, 1u << m.log2_bytes);
  e.define_as(r);
}

void exclusive_load_soft(EmitContext& e, const Inst& inst) {
  const MemAccess m = MemAccess::unpack(inst.imm);
  const uint32_t bytes = 1u << m.log2_bytes;
  const Reg64 va = e.use(inst.args[0]);
  const Reg64 index = e.temp(), tag = e.temp();
  const Label miss = e.labels.make(), done = e.labels.make();
  soft_lookup(e, va, index, tag, {bytes, bytes - 1, false}, miss);
  load_addend(e, index);
  Data d;
  d.gpr = index;
  move_from_memory(e, m, d, index + va);
  arm_monitor(e, d.gpr, va, bytes);
  e.labels.bind(done);
  e.define_as(d.gpr);
  e.out_of_line([&e, m, d, va, miss, done] {
    e.labels.bind(miss);
    slow_path(e, access_kind(m, false) | kAccessExclusive, va, d);
    e.labels.jmp(done);
  });
}

void compare_exchange(EmitContext& e, uint32_t bytes, const Xbyak::RegExp& address, Reg64 value) {
  auto& c = e.code;
  c.lock();
  switch (bytes) {
    case 1: c.cmpxchg(byte[address], value.cvt8()); break;
    case 2: c.cmpxchg(word[address], value.cvt16()); break;
    case 4: c.cmpxchg(dword[address], value.cvt32()); break;
    default: c.cmpxchg(qword[address], value); break;
  }
}

// The monitor must be armed, or else goes to `open`, and for this VA and size, or else the slow
// path decides.
void check_monitor(EmitContext& e, Reg64 va, uint32_t bytes, Label open, Label slow) {
  auto& c = e.code;
  c.cmp(state8(offsetof(CpuState, monitor_armed)), 1);
  e.labels.jcc(kNotEqual, open);
  c.cmp(state32(offsetof(CpuState, monitor_address)), va.cvt32());
  e.labels.jcc(kNotEqual, slow);
  c.cmp(state32(offsetof(CpuState, monitor_size)), bytes);
  e.labels.jcc(kNotEqual, slow);
}

// rax = the status of a store-exclusive. With the monitor open it is 1, and no fault but that of
// alignment is due (ARM DDI 0406C, A8.8.212): it is how Linux clears the monitor whenever it
// returns from an exception. A watchpoint matches all the same (Cortex-A15 TRM, 10.5.1).
void decide_exclusive_store(EmitContext& e, const MemAccess& m, Reg64 va, Reg64 value, Label open, Label slow,
                            Label done) {
  auto& c = e.code;
  e.labels.bind(open);
  if (m.log2_bytes != 0) {
    c.test(va.cvt8(), (1u << m.log2_bytes) - 1);
    e.labels.jcc(kNotEqual, slow);
  }
  c.cmp(state8(offsetof(CpuState, debug.watching)), 0);
  e.labels.jcc(kNotEqual, slow);
  c.mov(eax, 1);
  e.labels.jmp(done);
  e.labels.bind(slow);
  Data d;
  d.gpr = value;
  slow_path(e, access_kind(m, true) | kAccessExclusive, va, d, rax);
  e.labels.jmp(done);
}

void finish_exclusive_store(EmitContext& e) {
  auto& c = e.code;
  c.setne(al);
  c.movzx(eax, al);
  c.mov(state8(offsetof(CpuState, monitor_armed)), 0);
}

void exclusive_store_soft(EmitContext& e, const Inst& inst) {
  auto& c = e.code;
  const MemAccess m = MemAccess::unpack(inst.imm);
  const uint32_t bytes = 1u << m.log2_bytes;
  e.take(rax);  // the tag, then what CMPXCHG expects, then the status
  const Reg64 va = e.use(inst.args[0]);
  const Reg64 index = e.temp();
  const Reg64 value = e.use(inst.args[1]);
  const Label open = e.labels.make(), slow = e.labels.make(), done = e.labels.make();
  check_monitor(e, va, bytes, open, slow);
  soft_lookup(e, va, index, rax, {bytes, bytes - 1, true}, slow);
  load_addend(e, index);
  c.mov(rax, state64(offsetof(CpuState, monitor_value)));
  compare_exchange(e, bytes, index + va, value);
  finish_exclusive_store(e);
  e.labels.bind(done);
  e.define_as(rax);
  e.out_of_line([&e, m, va, value, open, slow, done] { decide_exclusive_store(e, m, va, value, open, slow, done); });
}

void exclusive_store_window(EmitContext& e, const Inst& inst) {
  auto& c = e.code;
  const MemAccess m = MemAccess::unpack(inst.imm);
  const uint32_t bytes = 1u << m.log2_bytes;
  e.take(rax);
  const Reg64 va = e.use(inst.args[0]);
  const Reg64 value = e.use(inst.args[1]);
  const Label open = e.labels.make(), slow = e.labels.make(), done = e.labels.make();
  check_monitor(e, va, bytes, open, slow);
  c.mov(rax, state64(offsetof(CpuState, monitor_value)));
  const uint8_t* const at = c.getCurr();
  compare_exchange(e, bytes, r14 + va, value);
  e.sites.access(at, bytes, true, va, 0);
  finish_exclusive_store(e);
  e.labels.bind(done);
  e.define_as(rax);
  e.out_of_line([&e, m, va, value, open, slow, done] { decide_exclusive_store(e, m, va, value, open, slow, done); });
}

bool inline_exclusive(EmitContext& e, const Inst& inst) {
  return e.config.memory != MemoryMode::SoftCall && !MemAccess::unpack(inst.imm).out_of_line;
}

}  // namespace

void emit_Load(EmitContext& e, const Inst& inst) { emit_access(e, inst, false, false); }
void emit_Load64(EmitContext& e, const Inst& inst) { emit_access(e, inst, false, false); }
void emit_LoadX32(EmitContext& e, const Inst& inst) { emit_access(e, inst, false, true); }
void emit_LoadX64(EmitContext& e, const Inst& inst) { emit_access(e, inst, false, true); }
void emit_LoadX128(EmitContext& e, const Inst& inst) { emit_access(e, inst, false, true); }
void emit_Store(EmitContext& e, const Inst& inst) { emit_access(e, inst, true, false); }
void emit_Store64(EmitContext& e, const Inst& inst) { emit_access(e, inst, true, false); }
void emit_StoreX32(EmitContext& e, const Inst& inst) { emit_access(e, inst, true, true); }
void emit_StoreX64(EmitContext& e, const Inst& inst) { emit_access(e, inst, true, true); }
void emit_StoreX128(EmitContext& e, const Inst& inst) { emit_access(e, inst, true, true); }

void emit_HostSpan(EmitContext& e, const Inst& inst) {
  inst.args[0].is_imm() ? emit_span_constant(e, inst) : emit_span(e, inst);
}
void emit_HostLoad(EmitContext& e, const Inst& inst) { emit_host_access(e, inst, false, false); }
void emit_HostLoad64(EmitContext& e, const Inst& inst) { emit_host_access(e, inst, false, false); }
void emit_HostLoadX32(EmitContext& e, const Inst& inst) { emit_host_access(e, inst, false, true); }
void emit_HostLoadX64(EmitContext& e, const Inst& inst) { emit_host_access(e, inst, false, true); }
void emit_HostLoadX128(EmitContext& e, const Inst& inst) { emit_host_access(e, inst, false, true); }
void emit_HostStore(EmitContext& e, const Inst& inst) { emit_host_access(e, inst, true, false); }
void emit_HostStore64(EmitContext& e, const Inst& inst) { emit_host_access(e, inst, true, false); }
void emit_HostStoreX32(EmitContext& e, const Inst& inst) { emit_host_access(e, inst, true, true); }
void emit_HostStoreX64(EmitContext& e, const Inst& inst) { emit_host_access(e, inst, true, true); }
void emit_HostStoreX128(EmitContext& e, const Inst& inst) { emit_host_access(e, inst, true, true); }

void emit_LoadExclusive(EmitContext& e, const Inst& inst) {
  if (!inline_exclusive(e, inst))
    exclusive_slow(e, inst, false);
  else if (e.config.memory == MemoryMode::Window)
    exclusive_load_window(e, inst);
  else
    exclusive_load_soft(e, inst);
}
void emit_LoadExclusive64(EmitContext& e, const Inst& inst) { emit_LoadExclusive(e, inst); }
void emit_StoreExclusive(EmitContext& e, const Inst& inst) {
  if (!inline_exclusive(e, inst))
    exclusive_slow(e, inst, true);
  else if (e.config.memory == MemoryMode::Window)
    exclusive_store_window(e, inst);
  else
    exclusive_store_soft(e, inst);
}
void emit_StoreExclusive64(EmitContext& e, const Inst& inst) { emit_StoreExclusive(e, inst); }
void emit_ClearExclusive(EmitContext& e, const Inst&) { e.code.mov(state8(offsetof(CpuState, monitor_armed)), 0); }
// A locked instruction orders all accesses to write-back memory (Intel SDM vol. 3, 8.2.3.9) and
// costs less than MFENCE, which orders non-temporal stores too: emitted code makes none.
void emit_MemoryBarrier(EmitContext& e, const Inst&) {
  e.code.lock();
  e.code.or_(dword[rsp], 0);
}
// Only the CPU itself raises kLineShootdown.
void emit_SynchronizationBarrier(EmitContext& e, const Inst& inst) {
  emit_MemoryBarrier(e, inst);
  const Label pending = e.labels.make(), done = e.labels.make();
  e.code.test(state8(offsetof(CpuState, interrupt_lines)), kLineShootdown);
  e.labels.jcc(kNotEqual, pending);
  e.labels.bind(done);
  e.out_of_line([&e, pending, done] {
    e.labels.bind(pending);
    e.call_thunk(&Thunks::synchronize);
    e.labels.jmp(done);
  });
}

}  // namespace crosswalk::x64
