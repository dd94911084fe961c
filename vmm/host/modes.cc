// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/host/modes.h"

#include <cstdio>
#include <utility>

#include "vmm/world/kmod/kmod_backend.h"
#include "vmm/world/kvm/ept_backend.h"
#include "vmm/world/kvm/shadow_backend.h"

namespace crosswalk::vmm {
namespace {

using mmu::Mode;
using Backend = Result<std::unique_ptr<mmu::WindowBackend>>;

// The host mappings of one CPU's windows; 0: as many as the backend takes by itself.
uint32_t maps_of_cpu(const WindowSite& site) {
  if (site.cpus == 1) return 0;
  unsigned maps = 0;
  if (FILE* file = std::fopen("/proc/sys/vm/max_map_count", "r")) {
    if (std::fscanf(file, "%u", &maps) != 1) maps = 0;
    std::fclose(file);
  }
  constexpr unsigned kLinuxDefault = 65530;
  return (maps ? maps : kLinuxDefault) / 4 * 3 / site.cpus;
}

Backend make_mmap(const WindowSite& site) { return mmu::make_mmap_backend(site.ram, maps_of_cpu(site)); }
Backend make_kmod(const WindowSite& site) {
  if (site.kvm_world == nullptr) return kmod::make_kmod_backend(site.ram);
  return kmod::make_kmod_backend(
      site.ram, [world = site.kvm_world](uint64_t windows) { return kvm::has_slots(*world, windows); });
}
Backend make_ept(const WindowSite& site) {
  auto inner = make_mmap(site);
  if (!inner) return inner.take_error();
  return kvm::make_ept_backend(*site.kvm_world, std::move(*inner));
}
Backend make_shadow(const WindowSite& site) {
  return kvm::make_shadow_backend(*site.kvm_world, site.ram, site.windows);
}

// scripts/modes.sh reads the names: one row a line.
// clang-format off
constexpr ModeRow kModes[] = {
    {"soft-call", Mode::SoftCall, {}, "a call to a helper for every access"},
    {"soft", Mode::Soft, {}, "a software TLB, looked up by translated code itself"},
    {"mmap", Mode::Window, {make_mmap, WorldKind::Process, false, true, nullptr, 0.01}, "windows of the host's page tables, made by mmap"},
    {"kmod", Mode::Window, {make_kmod, WorldKind::Process, true, true, kmod::kDevice, 0.01}, "windows of the host's page tables, made by the kernel module"},
    {"shadow", Mode::Window, {make_shadow, WorldKind::Kvm, false, false, nullptr, 0}, "windows of x86 page tables that the engine writes, inside a KVM VM"},
    {"ept", Mode::Window, {make_ept, WorldKind::Kvm, false, true, nullptr, 0.1}, "the windows of mmap, inside a KVM VM, by nested page tables"},
    {"flat", Mode::Flat, {}, "no translation: one window, for guests that leave the MMU off"},
    {"hybrid", Mode::Hybrid, {}, "a software TLB or a window for each address space, by its past"},
};
// clang-format on

}  // namespace

std::span<const ModeRow> modes() { return kModes; }

const ModeRow* find_mode(std::string_view name) {
  for (const ModeRow& row : kModes) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::vector<const ModeRow*> providers() {
  std::vector<const ModeRow*> found;
  for (const ModeRow& row : kModes) {
    if (row.is_provider()) found.push_back(&row);
  }
  return found;
}

std::vector<const ModeRow*> providers(WorldKind world) {
  std::vector<const ModeRow*> found = providers();
  std::erase_if(found, [&](const ModeRow* row) { return !row->can_be_in(world); });
  return found;
}

const ModeRow& default_windows(const ModeRow& mode, WorldKind world) {
  // Those that can be in both worlds are at home in one.
  std::vector<const ModeRow*> candidates = providers(world);
  std::erase_if(candidates, [&](const ModeRow* row) { return row->provider.world != world; });
  // Flat enters RAM once. Host mappings of a file can be huge pages from one end to the other.
  for (const ModeRow* row : candidates) {
    if (mode.mode.form == mmu::Form::Flat && row->provider.ram_is_file) return *row;
  }
  return *candidates.front();
}

}  // namespace crosswalk::vmm
