// SPDX-License-Identifier: GPL-2.0-or-later
// The modes of --mmu: one table, from which options, info, auto, the benchmark and the scripts
// take them. A mode is three choices: the form in which translated code reaches memory, how a
// software TLB is looked up, and the provider, which makes the entries of windows. To add a
// provider: its WindowBackend in a file of its own, and one row in modes.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mmu-shadow/mmu.h"
#include "translator/base/result.h"

namespace crosswalk::kvm {
class KvmWorld;
}

namespace crosswalk::vmm {

// Where the engine executes.
enum class WorldKind : uint8_t { Process, Kvm };

// What a provider makes windows of.
struct WindowSite {
  kvm::KvmWorld* kvm_world;  // null in the process world
  const GuestRam& ram;
  unsigned windows;   // at most
  unsigned cpus = 1;  // that have windows of their own, and share what this process may map
};

struct Provider {
  using Make = Result<std::unique_ptr<mmu::WindowBackend>> (*)(const WindowSite&);
  Make make = nullptr;                   // null: the mode is no provider
  WorldKind world = WorldKind::Process;  // the one in which the windows can be used,
  bool in_both_worlds = false;           // or that in which they cost less
  bool ram_is_file = false;              // guest RAM has to be a memfd
  const char* device = nullptr;          // that it opens, but for /dev/kvm; null: none
  // how often the CPU has to poll, to look at the resident size of windows; 0: never
  double poll_seconds = 0;
};

struct ModeRow {
  const char* name;  // --mmu, and of a provider --windows
  mmu::Mode mode;
  Provider provider;  // of Form::Window; hybrid and flat take that of another row
  const char* help;   // how a guest load finds memory

  bool is_provider() const { return provider.make != nullptr; }
  bool can_be_in(WorldKind world) const { return provider.in_both_worlds || provider.world == world; }
  // Whether --windows can say who makes its windows.
  bool takes_windows() const { return mode.has_windows() && !is_provider(); }
};

// In the order in which they are shown.
std::span<const ModeRow> modes();
// Null when there is none of this name.
const ModeRow* find_mode(std::string_view name);
std::vector<const ModeRow*> providers();
std::vector<const ModeRow*> providers(WorldKind world);

// The provider for a mode that takes windows, in a world that was asked for, without measuring.
const ModeRow& default_windows(const ModeRow& mode, WorldKind world);

}  // namespace crosswalk::vmm
