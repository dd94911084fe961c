// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/shadow_backend.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace crosswalk::kvm {
namespace {

constexpr uint64_t kRegion = KvmWorld::kRegionBytes;
// A window and the region after it, which is never mapped: the guard of this window and of the next one. One more
// region before the first window guards that.
constexpr uint64_t kStride = mmu::kWindowSize + kRegion;
static_assert(mmu::kWindowGuard <= kRegion && mmu::kWindowSize % kRegion == 0);

class ShadowBackend final : public mmu::WindowBackend {
 public:
  ShadowBackend(KvmWorld& world, const GuestRam& ram, uint64_t reservation, uint64_t reserved_bytes, uint64_t first,
                unsigned max_windows)
      : world_(world),
        ram_(ram),
        reservation_(reservation),
        reserved_bytes_(reserved_bytes),
        first_(first),
        count_(max_windows),
        states_(max_windows, State::Free),
        sharing_(max_windows) {
    world_.add_window_range(first - kRegion, kRegion + kStride * max_windows);
  }
  ~ShadowBackend() override {
    for (unsigned i = 0; i < count_; i++) {
      if (states_[i] == State::Used) destroy_window(base_of(i));
    }
    commit();
    world_.remove_window_range(first_ - kRegion);
    munmap(reinterpret_cast<void*>(reservation_), reserved_bytes_);
  }
  ShadowBackend(const ShadowBackend&) = delete;
  ShadowBackend& operator=(const ShadowBackend&) = delete;

  uint64_t create_window() override {
    auto free = std::find(states_.begin(), states_.end(), State::Free);
    if (free == states_.end()) {
      commit();
      free = std::find(states_.begin(), states_.end(), State::Free);
      if (free == states_.end()) return 0;
    }
    *free = State::Used;
    return base_of(static_cast<unsigned>(free - states_.begin()));
  }

  void destroy_window(uint64_t base) override {
    world_.execute([&] {
      world_.page_tables().unlink(base, mmu::kWindowSize, changed_);
      world_.page_tables().unmap_and_retire(base, mmu::kWindowSize, changed_);
    });
    states_[index_of(base)] = State::Retired;
    retired_ = true;
    sharing_[index_of(base)] = {};
  }

  bool install(uint64_t base, uint32_t va, uint64_t pa, uint64_t bytes, bool writable) override {
    bool ok = false;
    world_.execute([&] { ok = map(base, va, pa, bytes, writable); });
    return ok;
  }

  void remove(uint64_t base, uint32_t va, uint64_t bytes) override {
    world_.execute([&] {
      ring0::Invalidations changed;
      world_.page_tables().unmap(base + va, bytes, changed);
      note(base, changed);
    });
  }

  // What it shares is below page directories of the common window.
  void clear_window(uint64_t base) override {
    const Sharing& window = sharing_[index_of(base)];
    const uint64_t bytes = window.common != 0 ? window.from : mmu::kWindowSize;
    world_.execute([&] {
      ring0::Invalidations changed;
      world_.page_tables().unmap_and_retire_leaves(base, bytes, changed);
      note(base, changed);
    });
  }

  bool can_share() const override { return true; }

  bool share(uint64_t base, uint32_t from, uint64_t common) override {
    bool ok = false;
    sharing_[index_of(common)].is_common = true;
    sharing_[index_of(base)].common = common;
    sharing_[index_of(base)].from = from;
    sharing_[index_of(base)].clean_at = changes_;
    world_.execute(
        [&] { ok = world_.page_tables().link(base + from, common + from, mmu::kWindowSize - from, changed_); });
    return ok;
  }

  void unshare(uint64_t base) override {
    sharing_[index_of(base)].common = 0;
    world_.execute([&] { world_.page_tables().unlink(base, mmu::kWindowSize, changed_); });
  }

  void commit() override {
    if (changed_.empty() && !world_.page_tables().has_retired() && !retired_) return;
    if (changed_.all()) flushed_at_ = changes_;
    world_.execute([&] {
      world_.invalidate(changed_);
      world_.page_tables().release_retired();
    });
    if (retired_) std::replace(states_.begin(), states_.end(), State::Retired, State::Free);
    retired_ = false;
  }

  void enter(uint64_t base) override {
    entered_ = base;
    const Sharing& window = sharing_[index_of(base)];
    if (window.common == 0 || sharing_[index_of(window.common)].changed_at <= std::max(window.clean_at, flushed_at_))
      return;
    changed_.add_all();
    commit();
  }

 private:
  enum class State : uint8_t { Free, Used, Retired };

  uint64_t base_of(unsigned index) const { return first_ + index * kStride; }
  size_t index_of(uint64_t base) const { return (base - first_) / kStride; }

  // `changed` of the window at `base`. What changes in a common window changes at the addresses of all the windows that
  // share it: at once where accesses are now, for the others when they are entered.
  void note(uint64_t base, const ring0::Invalidations& changed) {
    if (changed.empty()) return;
    Sharing& window = sharing_[index_of(base)];
    uint64_t name = base;
    if (window.is_common) {
      window.changed_at = ++changes_;
      if (entered_ == 0 || sharing_[index_of(entered_)].common != base) return changed_.add_all();
      name = entered_;
      sharing_[index_of(entered_)].clean_at = changes_;
    }
    if (changed.all()) return changed_.add_all();
    for (const uint64_t address : changed) changed_.add(address - base + name);
  }

  bool map(uint64_t base, uint32_t va, uint64_t pa, uint64_t bytes, bool writable) {
    uint64_t address = base + va;
    while (bytes > 0) {
      const uint64_t host = reinterpret_cast<uint64_t>(ram_.at(pa));
      // Guest-physical addresses are contiguous within one host region at least.
      const uint64_t chunk = std::min(bytes, kRegion - host % kRegion);
      const auto attempt = [&] {
        ring0::Invalidations changed;
        const bool ok = world_.page_tables().map(address, world_.gpa_of(host), chunk, {.writable = writable}, changed);
        note(base, changed);
        return ok;
      };
      if (!attempt()) {
        // Tables that wait for their flush may be all that is missing.
        if (!world_.page_tables().has_retired()) return false;
        commit();
        if (!attempt()) return false;
      }
      address += chunk, pa += chunk, bytes -= chunk;
    }
    return true;
  }

  KvmWorld& world_;
  GuestRam ram_;
  uint64_t reservation_, reserved_bytes_, first_;
  unsigned count_;
  std::vector<State> states_;
  bool retired_ = false;  // one of them
  // For each window: the one that it shares, or whether it is one that others share; by the counter of changes in
  // common windows, when such a one changed last, and how far nothing stale can be cached at the addresses of one that
  // shares.
  struct Sharing {
    uint64_t common = 0;
    uint32_t from = 0;  // of its VAs
    bool is_common = false;
    uint64_t changed_at = 0, clean_at = 0;
  };
  std::vector<Sharing> sharing_;
  uint64_t changes_ = 0, flushed_at_ = 0;  // flushed_at_: nothing stale can be cached anywhere
  uint64_t entered_ = 0;
  ring0::Invalidations changed_;
};

}  // namespace

std::unique_ptr<mmu::WindowBackend> make_shadow_backend(KvmWorld& world, const GuestRam& ram, unsigned max_windows,
                                                        std::string& error) {
  if (ram.host == nullptr || ram.size == 0 || reinterpret_cast<uint64_t>(ram.host) % ring0::kPageBytes != 0) {
    error = "shadow windows need guest RAM that is mapped and page-aligned";
    return nullptr;
  }
  if (!world.ensure_mapped(reinterpret_cast<uint64_t>(ram.host), ram.size, error)) return nullptr;
  const uint64_t bytes = kStride * max_windows + 3 * kRegion;  // guard before, and up to a region of alignment
  void* memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    error = "cannot reserve " + std::to_string(bytes >> 30) + " GiB of address space for " +
            std::to_string(max_windows) + " windows: " + std::strerror(errno) + " (ulimit -v?)";
    return nullptr;
  }
  const uint64_t start = reinterpret_cast<uint64_t>(memory);
  // Whole regions: those at the ends may hold other mappings of the process.
  const uint64_t first = (start + kRegion - 1) / kRegion * kRegion + kRegion;
  return std::make_unique<ShadowBackend>(world, ram, start, bytes, first, max_windows);
}

}  // namespace crosswalk::kvm
