// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/slow_path.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include "translator/arm32/cpu/debug.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/exit_reason.h"
#include "translator/arm32/cpu/host_debug.h"
#include "translator/arm32/helpers/helpers.h"
#include "translator/base/panic.h"
#include "translator/engine/ram_access.h"
#include "translator/ir/ir.h"

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

// Another CPU may have translated the old bytes since fill() had their code dropped.
void stored_beside_code(mmu::Mmu& mmu, const mmu::Translation& t, uint32_t bytes) {
  if (mmu.self().cpus->several()) mmu.note_external_write(t.pa, bytes);
}

// A Data Abort: what DFSR and DFAR will be. Or the debugger on the host has the CPU stop before the
// access.
struct Abort {
  uint32_t fsr = 0, far = 0;
  bool stopped = false;
};
using Result = std::optional<Abort>;  // of an access; nothing: it is done

// The access that cpu.access_* ask for, while it is performed; `m` is what cpu.access_kind says.
// cpu.r[15] and T are its instruction's.
class Access {
 public:
  Access(CpuState& cpu, mmu::Mmu& mmu, Platform& platform, EngineStatistics& statistics, const ir::MemAccess& m)
      : cpu_(cpu),
        mmu_(mmu),
        platform_(platform),
        statistics_(statistics),
        va_(cpu.access_va),
        bytes_(1u << m.log2_bytes),
        store_(cpu.access_kind & x64::kAccessStore),
        privileged_(!m.unprivileged && is_privileged(static_cast<Mode>(cpu.mode))) {}

  // Whether what it has stored is in a page that still holds code.
  bool beside_code() const { return beside_code_; }

  Result perform(const ir::MemAccess& m) {
    const bool exclusive = cpu_.access_kind & x64::kAccessExclusive;
    const uint32_t align = exclusive ? bytes_ - 1 : (1u << m.align_log2) - 1;
    if (va_ & align) return Abort{arm::alignment_fault_status(cpu_, store_), va_};
    if (!store_) return load(m, exclusive);
    if (exclusive) return store_exclusive();
    return access_memory(va_ & m.element_mask(), cpu_.access_value);
  }

 private:
  Result load(const ir::MemAccess& m, bool exclusive);
  Result store_exclusive();
  Result access_memory(bool unaligned, uint8_t* data);
  Result access_device(const mmu::Translation& at, uint32_t va, uint32_t bytes, uint8_t* data);
  void translate(uint32_t va, uint32_t bytes, bool unaligned, mmu::Translation& t);
  Result watchpoint();
  // With the privilege that the CPU has: the MMU's fill() is for no other.
  bool as_itself() const { return privileged_ == is_privileged(static_cast<Mode>(cpu_.mode)); }

  CpuState& cpu_;
  mmu::Mmu& mmu_;
  Platform& platform_;
  EngineStatistics& statistics_;
  const uint32_t va_, bytes_;
  const bool store_, privileged_;
  bool beside_code_ = false;
};

Result Access::load(const ir::MemAccess& m, bool exclusive) {
  uint8_t data[16] = {};
  if (const Result abort = access_memory(va_ & m.element_mask(), data)) return abort;
  if (bytes_ < 4) finish_narrow_load(data, m);
  std::memcpy(cpu_.access_value, data, 16);
  if (exclusive) {
    cpu_.monitor_armed = 1;
    cpu_.monitor_address = va_;
    cpu_.monitor_size = bytes_;
    std::memcpy(&cpu_.monitor_value, data, 8);
  }
  return {};
}

Result Access::store_exclusive() {
  uint32_t status = 1;
  const bool armed = cpu_.monitor_armed && cpu_.monitor_address == va_ && cpu_.monitor_size == bytes_;
  mmu::Translation t;
  if (armed) {
    t = mmu_.fill(cpu_, va_, mmu::AccessKind::Store, bytes_);
    if (!t.ok) return Abort{t.fsr, t.far};
  }
  // Also where the monitor fails (Cortex-A15 TRM, 10.5.1).
  if (cpu_.debug.watching || (cpu_.host_debug && armed))
    if (const Result hit = watchpoint()) return hit;
  if (armed && t.host) {
    uint64_t value;
    std::memcpy(&value, cpu_.access_value, 8);  // of which the exchange takes its part
    status = compare_exchange(t.host, bytes_, cpu_.monitor_value, value) ? 0 : 1;
    beside_code_ = t.holds_code;
    if (t.holds_code) stored_beside_code(mmu_, t, bytes_);
  } else if (armed) {
    if (const Result abort = access_memory(false, cpu_.access_value)) return abort;
    status = 0;
  }
  cpu_.monitor_armed = 0;
  std::memset(cpu_.access_value, 0, sizeof cpu_.access_value);
  std::memcpy(cpu_.access_value, &status, 4);
  return {};
}

Result Access::watchpoint() {
  if (cpu_.host_debug && arm::host_stops_at_access(cpu_, va_, bytes_, store_)) return Abort{.stopped = true};
  const auto byte = arm::watchpoint_match(cpu_, va_, bytes_, store_, privileged_);
  if (!byte) return {};
  const uint32_t fsr = arm::note_watchpoint(cpu_, store_);
  return Abort{fsr, *byte};
}

void Access::translate(uint32_t va, uint32_t bytes, bool unaligned, mmu::Translation& t) {
  const mmu::AccessKind kind = store_ ? mmu::AccessKind::Store : mmu::AccessKind::Load;
  if (as_itself()) {
    t = mmu_.fill(cpu_, va, kind, bytes);
  } else {
    t = mmu_.translate(cpu_, va, kind, privileged_);
  }
  // After the faults of the walk, before those of domain and permission.
  if (unaligned && !t.normal_memory) {
    t.ok = false;
    t.fsr = arm::alignment_fault_status(cpu_, store_);
    t.far = va;
  }
}

// One access of at most 16 bytes, at most one page crossing. Nothing is written when either page
// faults: MMU faults come first, external aborts after (B1.9.6). `unaligned`: an element is, which
// Device and Strongly-ordered memory do not allow.
Result Access::access_memory(bool unaligned, uint8_t* data) {
  struct Piece {
    mmu::Translation t;
    uint32_t va, bytes;
  } pieces[2];
  const uint32_t first = std::min(bytes_, 0x1000 - (va_ & 0xfff));
  const uint32_t count = first < bytes_ ? 2 : 1;
  pieces[0].va = va_;
  pieces[0].bytes = first;
  pieces[1].va = va_ + first;
  pieces[1].bytes = bytes_ - first;
  bool watched = false;
  for (uint32_t i = 0; i < count; i++) {
    Piece& piece = pieces[i];
    translate(piece.va, piece.bytes, unaligned, piece.t);
    if (!piece.t.ok) return Abort{piece.t.fsr, piece.t.far};
    watched |= piece.t.watched;
  }
  if (watched)
    if (const Result hit = watchpoint()) return hit;
  for (uint32_t i = 0; i < count; i++) {
    const Piece& piece = pieces[i];
    uint8_t* const part = data + (i == 0 ? 0 : first);
    if (piece.t.host) {
      access_ram(piece.t.host, part, piece.bytes, store_);
      beside_code_ |= piece.t.holds_code;
      if (piece.t.holds_code) stored_beside_code(mmu_, piece.t, piece.bytes);
      if (store_ && !as_itself()) mmu_.note_external_write(piece.t.pa, piece.bytes);
    } else {
      statistics_.device_accesses++;
      if (const Result abort = access_device(piece.t, piece.va, piece.bytes, part)) return abort;
    }
  }
  return {};
}

// In the largest aligned units that it consists of.
Result Access::access_device(const mmu::Translation& at, uint32_t va, uint32_t bytes, uint8_t* data) {
  for (uint32_t done = 0; done < bytes;) {
    const uint64_t pa = at.pa + done;
    uint32_t step = 8;
    while (step > bytes - done || (pa & (step - 1))) step /= 2;
    uint64_t value = 0;
    if (store_) std::memcpy(&value, data + done, step);
    const bool answered =
        store_ ? platform_.mmio_write(cpu_, pa, step, value) : platform_.mmio_read(cpu_, pa, step, value);
    if (!answered) return Abort{arm::synchronous_external_abort_status(cpu_, store_), va + done};
    if (!store_) std::memcpy(data + done, &value, step);
    done += step;
  }
  return {};
}

// The lookup that translated code does: the host address, or null.
uint8_t* look_up(const CpuState& cpu, uint32_t va, bool store) {
  const mmu::SoftTlbEntry& entry = mmu::soft_tlb_entry(cpu.mem_base, va);
  if ((store ? entry.tag_store : entry.tag_load) != (va & ~0xfffu)) return nullptr;
  return reinterpret_cast<uint8_t*>(entry.addend + va);
}

}  // namespace

uint64_t SlowPath::enter(CpuState* cpu, x64::SlowAccessFrame* frame) {
  auto& path = *static_cast<SlowPath*>(helpers::services(cpu).slow_path);
  x64::take_operands(*cpu, *frame);
  const auto request = x64::SlowAccessRequest::unpack(static_cast<uint32_t>(frame->request));
  if (request.fill) [[unlikely]] {
    x64::give_host_address(*cpu, *frame, path.fill(request.kind & x64::kAccessStore));
    return 0;
  }
  if (!path.plain_access())
    if (const uint64_t left = path.any_access(frame->return_address)) return left;
  x64::give_result(*cpu, *frame);
  return 0;
}

// An access to RAM that is allowed needs no exception's metadata.
bool SlowPath::plain_access() {
  const uint32_t kind = cpu_.access_kind, va = cpu_.access_va;
  const ir::MemAccess m = ir::MemAccess::unpack(kind);
  const uint32_t bytes = 1u << m.log2_bytes;
  if ((kind & x64::kAccessExclusive) || m.unprivileged || (va & ((1u << m.align_log2) - 1))) return false;
  if ((va & 0xfff) + bytes > 0x1000) return crossing_access();
  const bool store = kind & x64::kAccessStore;
  uint8_t* host = nullptr;
  if (lookup_ == mmu::Lookup::Call) {
    host = look_up(cpu_, va, store);
    if (!host) return false;
    statistics_.soft_call_hits++;
  } else {
    // A miss of the software TLB that becomes a hit: the entry is there from now on.
    if (cpu_.memory_window || m.out_of_line) return false;
    const mmu::AccessKind access = store ? mmu::AccessKind::Store : mmu::AccessKind::Load;
    const auto [refilled, unsure] = mmu_.refill(cpu_, va, access);
    host = refilled;
    if (!host) {
      if (!unsure) return false;
      const mmu::Translation t = mmu_.fill(cpu_, va, access, bytes);
      if (!t.ok || !t.host || t.watched || (!t.normal_memory && (va & m.element_mask()))) return false;
      host = t.host;
      if (t.holds_code) {
        statistics_.soft_refills++;
        access_ram(host, cpu_.access_value, bytes, store);
        stored_beside_code(mmu_, t, bytes);
        return true;
      }
    }
    statistics_.soft_refills++;
  }
  access_ram(host, cpu_.access_value, bytes, store);
  if (!store && bytes < 4) finish_narrow_load(cpu_.access_value, m);
  return true;
}

// An access to two pages that are both in the software TLB.
bool SlowPath::crossing_access() {
  if (cpu_.memory_window) return false;
  const uint32_t va = cpu_.access_va;
  const ir::MemAccess m = ir::MemAccess::unpack(cpu_.access_kind);
  const bool store = cpu_.access_kind & x64::kAccessStore;
  const uint32_t bytes = 1u << m.log2_bytes, first = 0x1000 - (va & 0xfff);
  uint8_t* const low = look_up(cpu_, va, store);
  uint8_t* const high = look_up(cpu_, va + first, store);
  if (!low || !high) return false;
  uint8_t data[2 * sizeof cpu_.access_value] = {};  // more than enough, which the compiler asks for
  if (store) std::memcpy(data, cpu_.access_value, sizeof cpu_.access_value);
  access_ram(low, data, first, store);
  access_ram(high, data + first, bytes - first, store);
  if (!store) std::memcpy(cpu_.access_value, data, sizeof cpu_.access_value);
  if (!store && bytes < 4) finish_narrow_load(cpu_.access_value, m);
  statistics_.crossing_accesses++;
  return true;
}

// The host address of cpu.access_va once it is in the software TLB; 0 where it cannot be, or not
// for stores. Asked for as a load: whether a store drops translations is for the store to say.
uint64_t SlowPath::fill(bool store) {
  const uint32_t va = cpu_.access_va;
  const auto can_fill = [&] {
    const mmu::Translation t = mmu_.fill(cpu_, va, mmu::AccessKind::Load);
    return t.ok && t.host;
  };
  if (mmu_.refill(cpu_, va, mmu::AccessKind::Load).host || can_fill()) {
    if (uint8_t* const host = look_up(cpu_, va, store)) {
      statistics_.soft_refills++;
      return reinterpret_cast<uint64_t>(host);
    }
  }
  statistics_.spans_refused++;
  return 0;
}

// Returns as x64::SlowAccess.
uint64_t SlowPath::any_access(const uint8_t* return_address) {
  statistics_.slow_accesses++;
  Block* const block = translations_.find_by_host(return_address - 1);
  const x64::FaultSite* const site = block ? block->site_at(return_address, true) : nullptr;
  if (!site) panic(no_metadata(return_address));
  // Its code goes on to its end, and is translated as usual for the next time.
  if (block->once) translations_.drop(block);
  // Device models may look at the position (and tracing does).
  block->set_position(cpu_, *site);
  const ir::MemAccess m = ir::MemAccess::unpack(cpu_.access_kind);
  Access access(cpu_, mmu_, platform_, statistics_, m);
  if (const Result abort = access.perform(m)) {
    if (abort->stopped) {
      cpu_.exit_reason = kExitLookup;
    } else {
      statistics_.data_aborts++;
      helpers::apply_effects(cpu_, arm::data_abort(cpu_, cpu_.r[15], abort->fsr, abort->far));
      cpu_.exit_reason = kExitException;
      arm::recompute_pending(cpu_);
    }
    return site->flags & x64::kSiteStandardMxcsr ? 2 : 1;
  }
  if (block->stores_beside_code && (cpu_.access_kind & x64::kAccessStore))
    translations_.stored_by_hand(block, access.beside_code());
  cpu_.it = 0;
  // A device access may have asked this CPU to stop, or raised an interrupt: the next poll sees it.
  return 0;
}

}  // namespace crosswalk::engine
