// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/shadow_backend.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace crosswalk::kvm {
namespace {

constexpr uint64_t kRegion = kRegionBytes;
// A window and the region after it, which is never mapped: the guard of this window and of the next
// one. One more region before the first window guards that.
constexpr uint64_t kStride = mmu::kWindowSize + kRegion;
static_assert(mmu::kWindowGuard <= kRegion && mmu::kWindowSize % kRegion == 0);

class ShadowWindow;

// What all windows of a backend have together.
struct Windows {
  KvmWorld& world;
  const GuestRam ram;
  const uint64_t first;  // the base of the first window
  enum class State : uint8_t { Free, Used, Retired };
  std::vector<State> states;
  bool retired = false;  // one of them
  // of common windows; flushed_at: nothing stale can be cached anywhere
  uint64_t changes = 0, flushed_at = 0;
  ShadowWindow* entered = nullptr;  // where accesses are
  ring0::Invalidations changed;

  void commit() {
    if (changed.empty() && !world.memory().tables().has_retired() && !retired) return;
    if (changed.all()) flushed_at = changes;
    world.execute([&] {
      world.invalidate(changed);
      world.memory().tables().release_retired();
    });
    if (retired) std::replace(states.begin(), states.end(), State::Retired, State::Free);
    retired = false;
  }
  uint64_t base_of(size_t index) const { return first + index * kStride; }
  size_t index_of(uint64_t base) const { return (base - first) / kStride; }
};

class ShadowWindow final : public mmu::Window {
 public:
  ShadowWindow(Windows& all, uint64_t base) : Window(base), all_(all) {}
  ~ShadowWindow() override {
    all_.world.execute([&] {
      all_.world.memory().tables().unlink(base(), mmu::kWindowSize, all_.changed);
      all_.world.memory().tables().unmap_and_retire(base(), mmu::kWindowSize, all_.changed);
    });
    all_.states[all_.index_of(base())] = Windows::State::Retired;
    all_.retired = true;
    if (all_.entered == this) all_.entered = nullptr;
  }

  bool install(uint32_t va, uint64_t pa, uint64_t bytes, bool writable) override {
    bool ok = false;
    all_.world.execute([&] { ok = map(va, pa, bytes, writable); });
    return ok;
  }

  void remove(uint32_t va, uint64_t bytes) override {
    all_.world.execute([&] {
      ring0::Invalidations changed;
      all_.world.memory().tables().unmap(base() + va, bytes, changed);
      note(changed);
    });
  }

  // What it shares is below page directories of the common window.
  void clear() override {
    const uint64_t bytes = common_ != nullptr ? from_ : mmu::kWindowSize;
    all_.world.execute([&] {
      ring0::Invalidations changed;
      all_.world.memory().tables().unmap_and_retire_leaves(base(), bytes, changed);
      note(changed);
    });
  }

  // Of all the windows.
  void commit() override { all_.commit(); }

  bool share(uint32_t from, mmu::Window& window) override {
    auto& common = static_cast<ShadowWindow&>(window);
    bool ok = false;
    common.is_common_ = true;
    common_ = &common;
    from_ = from;
    clean_at_ = all_.changes;
    all_.world.execute([&] {
      ok =
          all_.world.memory().tables().link(base() + from, common.base() + from, mmu::kWindowSize - from, all_.changed);
    });
    return ok;
  }

  void unshare() override {
    common_ = nullptr;
    all_.world.execute([&] { all_.world.memory().tables().unlink(base(), mmu::kWindowSize, all_.changed); });
  }

  void enter() override {
    all_.entered = this;
    if (common_ == nullptr || common_->changed_at_ <= std::max(clean_at_, all_.flushed_at)) return;
    all_.changed.add_all();
    commit();
  }

 private:
  // `changed` of this window. What changes in a common window changes at the addresses of all the
  // windows that share it: at once where accesses are now, for the others when they are entered.
  void note(const ring0::Invalidations& changed) {
    if (changed.empty()) return;
    uint64_t name = base();
    if (is_common_) {
      changed_at_ = ++all_.changes;
      if (all_.entered == nullptr || all_.entered->common_ != this) return all_.changed.add_all();
      name = all_.entered->base();
      all_.entered->clean_at_ = all_.changes;
    }
    if (changed.all()) return all_.changed.add_all();
    for (const uint64_t address : changed) all_.changed.add(address - base() + name);
  }

  bool map(uint32_t va, uint64_t pa, uint64_t bytes, bool writable) {
    auto& tables = all_.world.memory().tables();
    uint64_t address = base() + va;
    while (bytes > 0) {
      const uint64_t host = reinterpret_cast<uint64_t>(all_.ram.at(pa));
      // Guest-physical addresses are contiguous within one host region at least.
      const uint64_t chunk = std::min(bytes, kRegion - host % kRegion);
      const auto attempt = [&] {
        ring0::Invalidations changed;
        const bool ok = tables.map(address, all_.world.memory().gpa_of(host), chunk, {.writable = writable}, changed);
        note(changed);
        return ok;
      };
      if (!attempt()) {
        // Tables that wait for their flush may be all that is missing.
        if (!tables.has_retired()) return false;
        commit();
        if (!attempt()) return false;
      }
      address += chunk, pa += chunk, bytes -= chunk;
    }
    return true;
  }

  Windows& all_;
  const ShadowWindow* common_ = nullptr;  // the window that it shares,
  uint32_t from_ = 0;                     // from this VA on
  bool is_common_ = false;                // others share it
  // By the counter of changes in common windows: of a common one, when it changed last; of one that
  // shares, how far nothing stale can be cached at its addresses.
  uint64_t changed_at_ = 0;
  uint64_t clean_at_ = 0;
};

class ShadowBackend final : public mmu::WindowBackend {
 public:
  ShadowBackend(KvmWorld& world, const GuestRam& ram, uint64_t reservation, uint64_t reserved_bytes, uint64_t first,
                unsigned max_windows)
      : windows_{.world = world, .ram = ram, .first = first, .states = {}, .changed = {}},
        reservation_(reservation),
        reserved_bytes_(reserved_bytes) {
    windows_.states.resize(max_windows, Windows::State::Free);
    const uint64_t base = first - kRegion, bytes = kRegion + kStride * max_windows;
    // Other windows may have been there, of host memory.
    world.execute([&] { world.memory().leave(base, bytes, windows_.changed); });
    windows_.commit();
    world.memory().add_window_range(base, bytes);
  }
  ~ShadowBackend() override {
    windows_.commit();
    windows_.world.memory().remove_window_range(windows_.first - kRegion);
    munmap(reinterpret_cast<void*>(reservation_), reserved_bytes_);
  }
  ShadowBackend(const ShadowBackend&) = delete;
  ShadowBackend& operator=(const ShadowBackend&) = delete;

  std::unique_ptr<mmu::Window> create_window() override {
    auto& states = windows_.states;
    auto free = std::find(states.begin(), states.end(), Windows::State::Free);
    if (free == states.end()) {
      windows_.commit();
      free = std::find(states.begin(), states.end(), Windows::State::Free);
      if (free == states.end()) return nullptr;
    }
    *free = Windows::State::Used;
    return std::make_unique<ShadowWindow>(windows_, windows_.base_of(static_cast<size_t>(free - states.begin())));
  }
  bool can_share() const override { return true; }

 private:
  Windows windows_;
  const uint64_t reservation_, reserved_bytes_;
};

}  // namespace

Result<std::unique_ptr<mmu::WindowBackend>> make_shadow_backend(KvmWorld& world, const GuestRam& ram,
                                                                unsigned max_windows) {
  if (ram.host == nullptr || ram.size == 0 || reinterpret_cast<uint64_t>(ram.host) % ring0::kPageBytes != 0) {
    return Error{"shadow windows need guest RAM that is mapped and page-aligned"};
  }
  if (auto mapped = world.reach(reinterpret_cast<uint64_t>(ram.host), ram.size); !mapped) return mapped.take_error();
  if (ram.flash) {
    constexpr uint64_t kFlashBytes = FlashBanks::kBanks * FlashBanks::kBankBytes;
    if (auto mapped = world.reach(reinterpret_cast<uint64_t>(ram.at(0)), kFlashBytes); !mapped)
      return mapped.take_error();
  }
  // guard before, and up to a region of alignment
  const uint64_t bytes = kStride * max_windows + 3 * kRegion;
  void* memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return Error{"cannot reserve " + std::to_string(bytes >> 30) + " GiB of address space for " +
                 std::to_string(max_windows) + " windows: " + std::strerror(errno) + " (ulimit -v?)"};
  }
  const uint64_t start = reinterpret_cast<uint64_t>(memory);
  // Whole regions: those at the ends may hold other mappings of the process.
  const uint64_t first = (start + kRegion - 1) / kRegion * kRegion + kRegion;
  return {std::make_unique<ShadowBackend>(world, ram, start, bytes, first, max_windows)};
}

}  // namespace crosswalk::kvm
