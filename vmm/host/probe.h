// SPDX-License-Identifier: GPL-2.0-or-later
// What this host can do and what it costs, measured in less than a second: for `crosswalk info` and
// --mmu auto.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "mmu-shadow/mmu.h"
#include "translator/base/result.h"
#include "translator/engine/world.h"
#include "vmm/host/modes.h"

namespace crosswalk::vmm {

// What an entry of a provider's window costs.
struct WindowFacts {
  const ModeRow* provider = nullptr;
  WorldKind world = WorldKind::Process;
  // A first access to a page that is not installed, up to the end of the access. 0: not usable.
  double fault_us = 0;
  double flush_us = 0;  // one such page taken out again, and effective
  std::string reason;   // why not, when not usable
};

struct HostFacts {
  bool kvm_usable = false;
  std::string kvm_reason;     // why not, when not
  bool software_mmu = false;  // code at CPL 0 is emulated: KVM has no nested paging here
  double cpl0_instruction_ns = 0;
  double exit_us = 0;          // out, user space, resume
  double syscall_us = 0;       // a system call of the engine inside the VM
  double flush_page_us = 0;    // one page of a shadow window dropped
  double flush_all_us = 0;     // all of a VM's translations dropped
  bool direct_faults = false;  // faults are delivered inside the VM without an exit
  bool gate_flush = false;     // INVLPG is reached by a gate to CPL 0, without an exit
  // Both ways of each, where they work; else 0.
  double fault_direct_us = 0, fault_exit_us = 0, flush_gate_us = 0, flush_exit_us = 0;
  std::string syscall_entry;                 // what SYSCALL does inside the VM
  bool exact_tsc = false;                    // RDTSC inside is RDTSC outside
  double soft_lookup_ns = 1;                 // that an access through a software TLB takes
  double walk_ns = 15, soft_refill_ns = 65;  // MmuCosts::walk and soft_refill
  bool fsgsbase = false;
  bool huge_pages_anonymous = false;  // madvise(MADV_HUGEPAGE) works for anonymous memory
  bool huge_pages_memfd = false;      // and for memfds
  uint32_t max_map_count = 0;
  double probe_ms = 0;  // what finding this out took
  // one for each provider in each of its worlds, in the order of the table
  std::vector<WindowFacts> windows;

  HostFacts();
  // In the world that is the provider's first. Precondition: there is one of this name.
  WindowFacts& windows_of(std::string_view provider);
  const WindowFacts& windows_of(std::string_view provider) const;
};

// For a guest with so much RAM, in bytes, 4 MiB or more: where it counts as locked memory, the host
// may not give that much.
HostFacts probe_host(uint64_t ram_bytes);

// The facts as rows, for a table (title, text) and for JSON (key, value), in a fixed order.
struct Fact {
  std::string key, title, text;
  std::variant<bool, double, std::string> value;
};
std::vector<Fact> list_facts(const HostFacts& facts);

// The MMU mode for --mmu auto.
struct Choice {
  const ModeRow* mode;  // never null
  // the provider whose windows cost least, also for a hybrid that --mmu asks for; null: none
  const ModeRow* windows;
  std::string reason;
};
// The mode whose windows cost least, if they pay in every address space
// (MmuCosts::windows_pay_at_once); else hybrid, with these windows. What is inside the VM leaves it
// for devices and timers, so an exit counts as part of what its windows cost when they are
// compared. `ram_is_file`: guest RAM is a memfd, which some providers need.
Choice pick_auto(const HostFacts& facts, bool ram_is_file = true);
// The host as far as the engine may use it, if it has to be in this world.
HostFacts within(WorldKind world, HostFacts facts);

}  // namespace crosswalk::vmm
