// SPDX-License-Identifier: GPL-2.0-or-later
// Windows made of MAP_FIXED mappings of guest RAM's memfd.
//
// Each run of pages that the host kernel cannot merge with its neighbour is one VMA, and a process may have only
// vm.max_map_count of them. So the backend keeps a model of its VMAs: what each page of a window maps, and one bit for
// each boundary between two VMAs. The kernel merges exactly what the model merges (the same file, adjacent offsets, the
// same protection), so the count is exact but for the merging of neighbouring windows' guards.
//
// A host may have less than it says. A mapping that fails lowers the limit below what there is now, so that there is
// room for what must not fail: to take mappings away.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "mmu-shadow/filters.h"
#include "mmu-shadow/mmu.h"

namespace crosswalk::mmu {
namespace {

constexpr uint32_t kWindowPages = 1u << 20;
// So that RAM in huge pages can be mapped as such, and each x86 page directory below is of one window (ept_backend.cc).
constexpr uint64_t kWindowAlign = 1 << 30;
constexpr uint64_t kPopulateBytes =
    4 << 10;  // mapped at once, without a second host fault; more costs more than it saves

constexpr uint32_t kLeastMaps = 64;  // a host that has no more is asked again each time: its lack may pass

uint32_t read_max_map_count() {
  uint32_t value = 65530;
  if (FILE* f = std::fopen("/proc/sys/vm/max_map_count", "r")) {
    if (std::fscanf(f, "%u", &value) != 1) value = 65530;
    std::fclose(f);
  }
  return value;
}

struct Window {
  uint8_t* reservation = nullptr;
  uint64_t reserved = 0;
  uint64_t base = 0;
  // (RAM page + 1) << 1 | writable, or 0: a lazily touched mapping of 4 MiB, given back when the window is cleared.
  uint32_t* pages = nullptr;
  uint64_t boundaries[kWindowPages / 64 + 1] = {};  // bit p: pages p-1 and p are in different VMAs
};

class MmapBackend final : public WindowBackend {
 public:
  MmapBackend(const GuestRam& ram, uint32_t max_maps, HostMap map)
      : ram_(ram), max_maps_(max_maps ? max_maps : read_max_map_count() / 4 * 3), map_(map ? map : ::mmap) {}

  ~MmapBackend() override {
    for (auto& w : windows_) unmap(*w);
    if (statm_ >= 0) close(statm_);
  }

  uint64_t create_window() override {
    if (maps_ + 4 > max_maps_) return 0;
    auto w = std::make_unique<Window>();
    w->reserved = kWindowSize + 2 * kWindowGuard + 2 * kWindowAlign;
    void* p = map_(nullptr, w->reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return 0;
    w->reservation = static_cast<uint8_t*>(p);
    void* pages = map_(nullptr, kWindowPages * sizeof(uint32_t), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) {
      munmap(p, w->reserved);
      return 0;
    }
    w->pages = static_cast<uint32_t*>(pages);
    w->base = (reinterpret_cast<uint64_t>(p) + kWindowGuard + kWindowAlign - 1) & ~(kWindowAlign - 1);
    maps_ += 2;
    windows_.push_back(std::move(w));
    return windows_.back()->base;
  }

  void destroy_window(uint64_t base) override {
    commit();
    for (size_t i = 0; i < windows_.size(); i++) {
      if (windows_[i]->base != base) continue;
      maps_ -= 2 + count_boundaries(*windows_[i], 0, kWindowPages);
      unmap(*windows_[i]);
      windows_.erase(windows_.begin() + static_cast<ptrdiff_t>(i));
      return;
    }
  }

  bool install(uint64_t base, uint32_t va, uint64_t pa, uint64_t bytes, bool writable) override {
    Window& w = window(base);
    // From inside a VM these come as they are: MAP_FIXED replaces whatever is there.
    const uint64_t offset = pa - ram_.base;
    if ((va | offset | bytes) % (uint64_t{1} << kPageBits) != 0 || bytes == 0 || bytes > kWindowSize - va ||
        offset > ram_.size || bytes > ram_.size - offset)
      return false;
    if (pending_ == &w && va < pending_end_ && va + bytes > pending_start_) commit();
    if (maps_ + 2 > max_maps_) {
      commit();
      if (maps_ + 2 > max_maps_) return false;
    }
    const int protection = PROT_READ | (writable ? PROT_WRITE : 0);
    const int flags = MAP_SHARED | MAP_FIXED | (bytes <= kPopulateBytes ? MAP_POPULATE : 0);
    if (map_(reinterpret_cast<void*>(base + va), bytes, protection, flags, ram_.fd,
             static_cast<off_t>(pa - ram_.base)) == MAP_FAILED) {
      max_maps_ = std::min(max_maps_, std::max(maps_ - maps_ / 8, kLeastMaps));
      // What is there now, the old mapping or nothing at all, nobody says: other memory must not get there.
      remove(base, va, bytes);
      commit();
      return false;
    }
    const uint32_t first = va >> kPageBits, count = static_cast<uint32_t>(bytes >> kPageBits);
    const uint32_t ram_page = static_cast<uint32_t>((pa - ram_.base) >> kPageBits);
    forget_boundaries(w, first, first + count);
    for (uint32_t i = 0; i < count; i++) w.pages[first + i] = (ram_page + i + 1) << 1 | uint32_t{writable};
    update_boundary(w, first);
    update_boundary(w, first + count);
    return true;
  }

  void remove(uint64_t base, uint32_t va, uint64_t bytes) override {
    Window& w = window(base);
    if (bytes > kWindowSize - va) return;
    if (pending_ == &w && va <= pending_end_ && va + bytes >= pending_start_) {
      pending_start_ = std::min<uint64_t>(pending_start_, va);
      pending_end_ = std::max<uint64_t>(pending_end_, va + bytes);
      return;
    }
    commit();
    pending_ = &w;
    pending_start_ = va;
    pending_end_ = va + bytes;
  }

  void commit() override {
    if (!pending_) return;
    Window& w = *pending_;
    pending_ = nullptr;
    uint64_t start = pending_start_, bytes = pending_end_ - pending_start_;
    if (!make_inaccessible(w, start, bytes)) {
      // No VMA left to split one: the whole window needs none. Its entries fault back.
      start = 0;
      bytes = kWindowSize;
      if (!make_inaccessible(w, start, bytes)) {
        std::perror("crosswalk: cannot remove mappings of a window");
        std::abort();
      }
    }
    const uint32_t first = static_cast<uint32_t>(start >> kPageBits),
                   end = first + static_cast<uint32_t>(bytes >> kPageBits);
    if (bytes == kWindowSize)
      madvise(w.pages, kWindowPages * sizeof(uint32_t), MADV_DONTNEED);
    else
      clear_pages(w, first, end);
    forget_boundaries(w, first, end);
    update_boundary(w, first);
    update_boundary(w, end);
  }

  // Files and shared memory of the whole process, /proc/PID/statm's third number: RAM as the engine sees it and the
  // program itself are a constant part.
  uint64_t resident_pages() override {
    char text[128];
    const ssize_t bytes = statm_ < 0 ? -1 : pread(statm_, text, sizeof text - 1, 0);
    if (bytes <= 0) return 0;
    text[bytes] = 0;
    unsigned long size, resident, shared;
    return std::sscanf(text, "%lu %lu %lu", &size, &resident, &shared) == 3 ? shared : 0;
  }
  double resident_check_ns() const override { return 5e6; }

 private:
  Window& window(uint64_t base) {
    if (last_ && last_->base == base) return *last_;
    for (auto& w : windows_)
      if (w->base == base) return *(last_ = w.get());
    std::fputs("crosswalk: no such window\n", stderr);
    std::abort();
  }

  void unmap(Window& w) {
    if (last_ == &w) last_ = nullptr;
    munmap(w.reservation, w.reserved);
    munmap(w.pages, kWindowPages * sizeof(uint32_t));
  }

  // To replace mappings takes none more than there are, but a host at its limit may refuse all the same. Without access
  // they are as good as gone: they are replaced when something is installed there, or the window is cleared.
  bool make_inaccessible(Window& w, uint64_t va, uint64_t bytes) {
    void* const p = reinterpret_cast<void*>(w.base + va);
    return map_(p, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED ||
           mprotect(p, bytes, PROT_NONE) == 0;
  }

  // Boundaries strictly inside (first, end).
  static uint32_t count_boundaries(const Window& w, uint32_t first, uint32_t end) {
    uint32_t n = 0;
    for_words(first + 1, end,
              [&](uint32_t i, uint64_t mask) { n += static_cast<uint32_t>(std::popcount(w.boundaries[i] & mask)); });
    return n;
  }
  void forget_boundaries(Window& w, uint32_t first, uint32_t end) {
    for_words(first + 1, end, [&](uint32_t i, uint64_t mask) {
      maps_ -= static_cast<uint32_t>(std::popcount(w.boundaries[i] & mask));
      w.boundaries[i] &= ~mask;
    });
  }
  template <typename Visit>
  static void for_words(uint32_t begin, uint32_t end, Visit visit) {
    for (uint32_t p = begin; p < end;) {
      const uint32_t stop = std::min(end, (p | 63) + 1);
      const uint64_t mask = (stop - p == 64 ? ~uint64_t{0} : (uint64_t{1} << (stop - p)) - 1) << (p & 63);
      visit(p >> 6, mask);
      p = stop;
    }
  }
  void update_boundary(Window& w, uint32_t p) {
    if (p == 0 || p >= kWindowPages) return;
    const uint32_t a = w.pages[p - 1], b = w.pages[p];
    const bool merged = (a == 0 && b == 0) || (a != 0 && b == a + 2);
    const uint64_t bit = uint64_t{1} << (p & 63);
    uint64_t& word = w.boundaries[p >> 6];
    if (((word & bit) != 0) == !merged) return;
    word ^= bit;
    if (merged)
      maps_--;
    else
      maps_++;
  }
  // Clears the model of [first, end), skipping stretches without mappings by the boundaries.
  static void clear_pages(Window& w, uint32_t first, uint32_t end) {
    uint32_t p = first;
    while (p < end) {
      uint32_t next = p + 1;
      while (next < end && (next & 63) != 0 && !(w.boundaries[next >> 6] >> (next & 63) & 1)) next++;
      if ((next & 63) == 0) {
        while (next < end && w.boundaries[next >> 6] == 0) next += 64;
        if (next < end) next += static_cast<uint32_t>(std::countr_zero(w.boundaries[next >> 6]));
        next = std::min(next, end);
      }
      if (w.pages[p] != 0) std::memset(w.pages + p, 0, (next - p) * sizeof(uint32_t));
      p = next;
    }
  }

  const GuestRam ram_;
  uint32_t max_maps_;
  const HostMap map_;
  const int statm_ = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  uint32_t maps_ = 0;  // VMAs of all windows, by the model
  std::vector<std::unique_ptr<Window>> windows_;
  Window* last_ = nullptr;
  Window* pending_ = nullptr;  // removal not yet made, [pending_start_, pending_end_)
  uint64_t pending_start_ = 0, pending_end_ = 0;
};

}  // namespace

std::unique_ptr<WindowBackend> make_mmap_backend(const GuestRam& ram, uint32_t max_maps, HostMap map) {
  if (ram.fd < 0) throw std::runtime_error("mmap windows need guest RAM in a memfd; this RAM is anonymous memory");
  return std::make_unique<MmapBackend>(ram, max_maps, map);
}

}  // namespace crosswalk::mmu
