// SPDX-License-Identifier: GPL-2.0-or-later
// SEV and WFE (ARM DDI 0406C, B1.8.13) among the CPUs of a machine. A CPU that executes WFE is a
// watcher from then on; an event is a change of `generation`. SEV does nothing while there is no
// watcher, and a CPU that becomes one does not wait: so it misses no event, whatever was sent
// before.
#pragma once

#include <atomic>
#include <cstdint>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::arm {

// Of a machine. Read and written by all its CPUs, `watchers` by translated code too.
struct alignas(64) Events {
  uint32_t watchers = 0;  // bit n: CPU n has executed WFE lately
  uint32_t generation = 0;
  // How often WFE looks for an event before it sleeps: what a lock is held for is mostly less than
  // it takes to be woken, but its holder may need this host CPU.
  uint32_t looks = 30;
};

// Whether an event was sent since the CPU last noted one: its event register.
inline bool event_sent(const CpuState& cpu) {
  return std::atomic_ref<uint32_t>(cpu.events->generation).load() != cpu.event_generation;
}

// SEV, the part that does not wake.
inline void send_event(CpuState& cpu) { std::atomic_ref<uint32_t>(cpu.events->generation).fetch_add(1); }

// WFE, the part that does not wait: clears the event register. False: it was clear, and the CPU is
// to wait.
inline bool take_event(CpuState& cpu) {
  const std::atomic_ref<uint32_t> watchers(cpu.events->watchers);
  const uint32_t self = 1u << cpu.cpu_index;
  if (watchers.load(std::memory_order_relaxed) & self) {
    if (!event_sent(cpu)) return false;
  } else {
    // Before the guest looks again at what it waits for. Who changes that after, and has executed a
    // DSB, sees the watcher.
    watchers.fetch_or(self);
  }
  cpu.event_generation = std::atomic_ref<uint32_t>(cpu.events->generation).load();
  return true;
}

// The CPU does something else than to wait for events: SEV is as cheap as before. Its next WFE does
// not wait.
inline void stop_watching(CpuState& cpu) {
  const std::atomic_ref<uint32_t> watchers(cpu.events->watchers);
  const uint32_t self = 1u << cpu.cpu_index;
  if (watchers.load(std::memory_order_relaxed) & self) watchers.fetch_and(~self);
}

}  // namespace crosswalk::arm
