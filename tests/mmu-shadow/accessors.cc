// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

#include <cstring>

#include "tests/mmu-shadow/torture.h"

namespace crosswalk::mmu::test {
namespace {

uint64_t host_load(const uint8_t* p, uint32_t bytes) {
  switch (bytes) {
    case 1: return *static_cast<const volatile uint8_t*>(p);
    case 2: return *reinterpret_cast<const volatile uint16_t*>(p);
    case 4: return *reinterpret_cast<const volatile uint32_t*>(p);
    default: return *reinterpret_cast<const volatile uint64_t*>(p);
  }
}

void host_store(uint8_t* p, uint32_t bytes, uint64_t v) {
  switch (bytes) {
    case 1: *static_cast<volatile uint8_t*>(p) = static_cast<uint8_t>(v); break;
    case 2: *reinterpret_cast<volatile uint16_t*>(p) = static_cast<uint16_t>(v); break;
    case 4: *reinterpret_cast<volatile uint32_t*>(p) = static_cast<uint32_t>(v); break;
    default: *reinterpret_cast<volatile uint64_t*>(p) = v; break;
  }
}

// The access that is under way, for the signal handler.
struct Access {
  CpuState* cpu;
  Mmu* mmu;
  uint32_t va, bytes;
  uint64_t value;
  AccessResult result;
  sigjmp_buf give_up;
};
Access* access_under_way = nullptr;
struct sigaction old_action;

void on_segv(int, siginfo_t* info, void* context) {
  const auto* uc = static_cast<const ucontext_t*>(context);
  Access* a = access_under_way;
  if (!a) {
    sigaction(SIGSEGV, &old_action, nullptr);
    return;
  }
  const bool write = uc->uc_mcontext.gregs[REG_ERR] & 2;
  const int64_t offset = static_cast<int64_t>(reinterpret_cast<uint64_t>(info->si_addr) - a->cpu->mem_base);
  if (!resolve_window_fault(*a->cpu, *a->mmu, offset, a->va, a->bytes, write, a->value, a->result))
    siglongjmp(a->give_up, 1);
}

}  // namespace

bool resolve_window_fault(CpuState& cpu, Mmu& mmu, int64_t offset, uint32_t va, uint32_t bytes, bool write,
                          uint64_t value, AccessResult& result) {
  Translation& t = result.translation;
  switch (mmu.window_fault(cpu, offset, bytes, write, t)) {
    case FaultOutcome::Installed:
    case FaultOutcome::CodeWrite: return true;
    case FaultOutcome::GuestFault: result.kind = AccessResult::Fault; return false;
    case FaultOutcome::Device:
      result.kind = t.ok ? AccessResult::Device : AccessResult::Fault;
      if (t.ok && t.host) {
        result.kind = AccessResult::Done;
        if (write)
          host_store(t.host, bytes, value);
        else
          result.value = host_load(t.host, bytes);
      }
      return false;
    case FaultOutcome::Once:
    case FaultOutcome::BesideCode:
      if (write)
        host_store(t.host, bytes, value);
      else
        result.value = host_load(t.host, bytes);
      return false;
    case FaultOutcome::Split: break;
  }
  result.kind = AccessResult::Fault;  // an aligned access inside the window never splits
  t = Translation{};
  t.far = va;
  return false;
}

AccessResult SoftAccessor::access(CpuState& cpu, Mmu& mmu, uint32_t va, uint32_t bytes, bool write, uint64_t value) {
  AccessResult r;
  const SoftTlbEntry& e = soft_tlb_entry(cpu.mem_base, va);
  uint8_t* host;
  if ((write ? e.tag_store : e.tag_load) == (va & ~0xfffu)) {
    host = reinterpret_cast<uint8_t*>(e.addend + va);
  } else {
    r.translation = mmu.fill(cpu, va, write ? AccessKind::Store : AccessKind::Load);
    if (!r.translation.ok)
      r.kind = AccessResult::Fault;
    else if (!r.translation.host)
      r.kind = AccessResult::Device;
    if (r.kind != AccessResult::Done) return r;
    host = r.translation.host;
  }
  if (write)
    host_store(host, bytes, value);
  else
    r.value = host_load(host, bytes);
  return r;
}

AccessResult HybridAccessor::access(CpuState& cpu, Mmu& mmu, uint32_t va, uint32_t bytes, bool write, uint64_t value) {
  return cpu.memory_window ? window_.access(cpu, mmu, va, bytes, write, value)
                           : soft_.access(cpu, mmu, va, bytes, write, value);
}

SignalAccessor::SignalAccessor() {
  struct sigaction action {};
  action.sa_sigaction = on_segv;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &old_action);
}

SignalAccessor::~SignalAccessor() { sigaction(SIGSEGV, &old_action, nullptr); }

AccessResult SignalAccessor::access(CpuState& cpu, Mmu& mmu, uint32_t va, uint32_t bytes, bool write, uint64_t value) {
  Access a{&cpu, &mmu, va, bytes, value, {}, {}};
  access_under_way = &a;
  if (sigsetjmp(a.give_up, 1) == 0) {
    uint8_t* host = reinterpret_cast<uint8_t*>(cpu.mem_base + va);
    if (write)
      host_store(host, bytes, value);
    else
      a.result.value = host_load(host, bytes);
  }
  access_under_way = nullptr;
  return a.result;
}

}  // namespace crosswalk::mmu::test
