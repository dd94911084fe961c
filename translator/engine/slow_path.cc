// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/slow_path.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "translator/arm32/cpu/debug.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/exit_reason.h"
#include "translator/arm32/helpers/helpers.h"
#include "translator/base/panic.h"
#include "translator/engine/ram_access.h"

namespace crosswalk::engine {
namespace {

std::string no_metadata(const uint8_t* return_address) {
  char text[64];
  std::snprintf(text, sizeof text, "no metadata for the call before %p", static_cast<const void*>(return_address));
  return text;
}

// Extends a loaded byte or halfword to 32 bits in place.
void finish_narrow_load(uint8_t* data, const ir::MemAccess& m) {
  uint32_t v = m.log2_bytes == 0 ? data[0] : data[0] | uint32_t{data[1]} << 8;
  if (m.sign_extend) v = static_cast<uint32_t>(m.log2_bytes == 0 ? static_cast<int8_t>(v) : static_cast<int16_t>(v));
  std::memcpy(data, &v, 4);
}

template <class T>
bool compare_exchange(uint8_t* host, uint64_t expected, uint64_t value) {
  T want = static_cast<T>(expected);
  return __atomic_compare_exchange_n(reinterpret_cast<T*>(host), &want, static_cast<T>(value), false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST);
}

bool compare_exchange(uint8_t* host, uint32_t bytes, uint64_t expected, uint64_t value) {
  switch (bytes) {
    case 1: return compare_exchange<uint8_t>(host, expected, value);
    case 2: return compare_exchange<uint16_t>(host, expected, value);
    case 4: return compare_exchange<uint32_t>(host, expected, value);
    default: return compare_exchange<uint64_t>(host, expected, value);
  }
}

}  // namespace

uint64_t SlowPath::enter(CpuState* cpu, x64::SlowAccessFrame* frame) {
  auto& path = *static_cast<SlowPath*>(helpers::services(cpu).slow_path);
  x64::take_operands(*cpu, *frame);
  if (!path.plain_access())
    if (const uint64_t left = path.any_access(frame->return_address)) return left;
  x64::give_result(*cpu, *frame);
  return 0;
}

// An access that lies in one page of RAM and is allowed needs no exception's metadata.
bool SlowPath::plain_access() {
  const uint32_t kind = cpu_.access_kind, va = cpu_.access_va;
  const ir::MemAccess m = ir::MemAccess::unpack(kind);
  const uint32_t bytes = 1u << m.log2_bytes;
  if ((kind & x64::kAccessExclusive) || m.unprivileged || (va & ((1u << m.align_log2) - 1)) ||
      (va & 0xfff) + bytes > 0x1000)
    return false;
  const bool store = kind & x64::kAccessStore;
  uint8_t* host = nullptr;
  if (lookup_ == mmu::Lookup::Call) {
    // The lookup that translated code does in the other mode.
    const auto& entry =
        reinterpret_cast<const mmu::SoftTlbEntry*>(cpu_.mem_base)[va >> 12 & (mmu::kSoftTlbEntries - 1)];
    if ((store ? entry.tag_store : entry.tag_load) != (va & ~0xfffu)) return false;
    statistics_.soft_call_hits++;
    host = reinterpret_cast<uint8_t*>(entry.addend + va);
  } else {
    // A miss of the software TLB that becomes a hit: the entry is there from now on.
    if (cpu_.memory_window || m.out_of_line) return false;
    const mmu::Translation t = mmu_.fill(cpu_, va, store ? mmu::AccessKind::Store : mmu::AccessKind::Load);
    if (!t.ok || !t.host || t.watched || (!t.normal_memory && (va & m.element_mask()))) return false;
    statistics_.soft_refills++;
    host = t.host;
  }
  access_ram(host, cpu_.access_value, bytes, store);
  if (!store && bytes < 4) finish_narrow_load(cpu_.access_value, m);
  return true;
}

// Returns as x64::SlowAccess.
uint64_t SlowPath::any_access(const uint8_t* return_address) {
  statistics_.slow_accesses++;
  Block* const block = translations_.blocks().find_by_host(return_address - 1);
  const x64::FaultSite* const site = block ? block->site_at(return_address, true) : nullptr;
  if (!site) panic(no_metadata(return_address));
  // Its code goes on to its end, and is translated as usual for the next time.
  if (block->once && block->valid) translations_.drop(block);
  // Device models may look at the position (and tracing does).
  block->set_position(cpu_, *site);
  const ir::MemAccess m = ir::MemAccess::unpack(cpu_.access_kind);
  const Access access{.va = cpu_.access_va,
                      .bytes = 1u << m.log2_bytes,
                      .m = m,
                      .store = (cpu_.access_kind & x64::kAccessStore) != 0,
                      .exclusive = (cpu_.access_kind & x64::kAccessExclusive) != 0,
                      .privileged = !m.unprivileged && is_privileged(static_cast<Mode>(cpu_.mode))};
  if (const Result abort = perform(access)) {
    statistics_.data_aborts++;
    helpers::apply_effects(cpu_, arm::data_abort(cpu_, cpu_.r[15], abort->fsr, abort->far));
    cpu_.exit_reason = kExitException;
    arm::recompute_pending(cpu_);
    return site->flags & x64::kSiteStandardMxcsr ? 2 : 1;
  }
  cpu_.it = 0;
  // A device access may have asked this CPU to stop, or raised an interrupt: the next poll sees it.
  return 0;
}

SlowPath::Result SlowPath::perform(const Access& a) {
  const uint32_t align = a.exclusive ? a.bytes - 1 : (1u << a.m.align_log2) - 1;
  if (a.va & align) return Abort{arm::alignment_fault_status(cpu_, a.store), a.va};
  if (!a.store) return load(a);
  if (a.exclusive) return store_exclusive(a);
  return access_memory(a, a.va & a.m.element_mask(), cpu_.access_value);
}

SlowPath::Result SlowPath::load(const Access& a) {
  uint8_t data[16] = {};
  if (const Result abort = access_memory(a, a.va & a.m.element_mask(), data)) return abort;
  if (a.bytes < 4) finish_narrow_load(data, a.m);
  std::memcpy(cpu_.access_value, data, 16);
  if (a.exclusive) {
    cpu_.monitor_armed = 1;
    cpu_.monitor_address = a.va;
    cpu_.monitor_size = a.bytes;
    std::memcpy(&cpu_.monitor_value, data, 8);
  }
  return {};
}

SlowPath::Result SlowPath::store_exclusive(const Access& a) {
  uint32_t status = 1;
  const bool armed = cpu_.monitor_armed && cpu_.monitor_address == a.va && cpu_.monitor_size == a.bytes;
  mmu::Translation t;
  if (armed) {
    t = mmu_.fill(cpu_, a.va, mmu::AccessKind::Store);
    if (!t.ok) return Abort{t.fsr, t.far};
  }
  // Also where the monitor fails (Cortex-A15 TRM, 10.5.1).
  if (cpu_.debug.watching)
    if (const Result hit = watchpoint(a)) return hit;
  if (armed && t.host) {
    uint64_t value;
    std::memcpy(&value, cpu_.access_value, 8);  // of which the exchange takes its part
    status = compare_exchange(t.host, a.bytes, cpu_.monitor_value, value) ? 0 : 1;
  } else if (armed) {
    if (const Result abort = access_memory(a, false, cpu_.access_value)) return abort;
    status = 0;
  }
  cpu_.monitor_armed = 0;
  std::memset(cpu_.access_value, 0, sizeof cpu_.access_value);
  std::memcpy(cpu_.access_value, &status, 4);
  return {};
}

// Precondition: cpu.r[15] and T are the instruction's.
SlowPath::Result SlowPath::watchpoint(const Access& a) {
  const auto byte = arm::watchpoint_match(cpu_, a.va, a.bytes, a.store, a.privileged);
  if (!byte) return {};
  const uint32_t fsr = arm::note_watchpoint(cpu_, a.store);
  return Abort{fsr, *byte};
}

mmu::Translation SlowPath::translate(const Access& a, uint32_t va, bool unaligned) {
  const mmu::AccessKind kind = a.store ? mmu::AccessKind::Store : mmu::AccessKind::Load;
  mmu::Translation t;
  if (a.privileged == is_privileged(static_cast<Mode>(cpu_.mode))) {
    t = mmu_.fill(cpu_, va, kind);
  } else {
    t = mmu_.translate(cpu_, va, kind, a.privileged);
    if (t.ok && t.host && a.store) mmu_.note_external_write(t.pa, 1);
  }
  // After the faults of the walk, before those of domain and permission.
  if (unaligned && !t.normal_memory) {
    t.ok = false;
    t.fsr = arm::alignment_fault_status(cpu_, a.store);
    t.far = va;
  }
  return t;
}

// One access of at most 16 bytes, at most one page crossing. Nothing is written when either page
// faults: MMU faults come first, external aborts after (B1.9.6). `unaligned`: an element is, which
// Device and Strongly-ordered memory do not allow.
SlowPath::Result SlowPath::access_memory(const Access& a, bool unaligned, uint8_t* data) {
  struct Piece {
    mmu::Translation t;
    uint32_t va, bytes;
  } pieces[2];
  const uint32_t first = std::min(a.bytes, 0x1000 - (a.va & 0xfff));
  const uint32_t count = first < a.bytes ? 2 : 1;
  pieces[0].va = a.va;
  pieces[0].bytes = first;
  pieces[1].va = a.va + first;
  pieces[1].bytes = a.bytes - first;
  bool watched = false;
  for (uint32_t i = 0; i < count; i++) {
    Piece& piece = pieces[i];
    piece.t = translate(a, piece.va, unaligned);
    if (!piece.t.ok) return Abort{piece.t.fsr, piece.t.far};
    watched |= piece.t.watched;
  }
  if (watched)
    if (const Result hit = watchpoint(a)) return hit;
  for (uint32_t i = 0; i < count; i++) {
    const Piece& piece = pieces[i];
    uint8_t* const part = data + (i == 0 ? 0 : first);
    if (piece.t.host) {
      access_ram(piece.t.host, part, piece.bytes, a.store);
    } else {
      statistics_.device_accesses++;
      if (const Result abort = access_device(a, piece.t, piece.va, piece.bytes, part)) return abort;
    }
  }
  return {};
}

// In the largest aligned units that it consists of.
SlowPath::Result SlowPath::access_device(const Access& a, const mmu::Translation& at, uint32_t va, uint32_t bytes,
                                         uint8_t* data) {
  for (uint32_t done = 0; done < bytes;) {
    const uint64_t pa = at.pa + done;
    uint32_t step = 8;
    while (step > bytes - done || (pa & (step - 1))) step /= 2;
    uint64_t value = 0;
    if (a.store) std::memcpy(&value, data + done, step);
    const bool answered =
        a.store ? platform_.mmio_write(cpu_, pa, step, value) : platform_.mmio_read(cpu_, pa, step, value);
    if (!answered) return Abort{arm::synchronous_external_abort_status(cpu_, a.store), va + done};
    if (!a.store) std::memcpy(data + done, &value, step);
    done += step;
  }
  return {};
}

}  // namespace crosswalk::engine
