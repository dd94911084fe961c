// SPDX-License-Identifier: GPL-2.0-or-later
// Windows made of MAP_FIXED mappings of guest RAM's memfd.
//
// Each run of pages that the host kernel cannot merge with its neighbour is one VMA, and a process
// may have only vm.max_map_count of them. So the backend keeps a model of its VMAs: what each page
// of a window maps, and one bit for each boundary between two VMAs. The kernel merges exactly what
// the model merges (the same file, adjacent offsets, the same protection), so the count is exact
// but for the merging of neighbouring windows' guards.
//
// A host may have less than it says. A mapping that fails lowers the limit below what there is now,
// so that there is room for what must not fail: to take mappings away.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "mmu-shadow/base/filters.h"
#include "mmu-shadow/mmu.h"
#include "translator/base/panic.h"

namespace crosswalk::mmu {
namespace {

constexpr uint32_t kWindowPages = 1u << 20;
// So that RAM in huge pages can be mapped as such, and each x86 page directory below is of one
// window (ept_backend.cc).
constexpr uint64_t kWindowAlign = 1 << 30;
constexpr uint64_t kPopulateBytes =
    4 << 10;  // mapped at once, without a second host fault; more costs more than it saves

// a host that has no more is asked again each time: its lack may pass
constexpr uint32_t kLeastMaps = 64;

uint32_t read_max_map_count() {
  uint32_t value = 65530;
  if (FILE* f = std::fopen("/proc/sys/vm/max_map_count", "r")) {
    if (std::fscanf(f, "%u", &value) != 1) value = 65530;
    std::fclose(f);
  }
  return value;
}

// What all windows of a backend have together.
struct Host {
  const GuestRam ram;
  uint32_t max_maps;
  const HostMap map;
  uint32_t maps = 0;  // VMAs of all windows, by the model
};

class MmapWindow final : public Window {
 public:
  // Null when the host has no room.
  static std::unique_ptr<Window> create(Host& host) {
    if (host.maps + 4 > host.max_maps) return nullptr;
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* reservation = host.map(nullptr, kReserved, PROT_NONE, kFlags, -1, 0);
    if (reservation == MAP_FAILED) return nullptr;
    void* pages = host.map(nullptr, kModelBytes, PROT_READ | PROT_WRITE, kFlags, -1, 0);
    if (pages == MAP_FAILED) {
      munmap(reservation, kReserved);
      return nullptr;
    }
    // Few of its pages are touched between two times that it is given back: as a huge page, all of
    // it is cleared each time.
    madvise(pages, kModelBytes, MADV_NOHUGEPAGE);
    return std::make_unique<MmapWindow>(host, reservation, static_cast<uint32_t*>(pages));
  }

  MmapWindow(Host& host, void* reservation, uint32_t* pages)
      : Window((reinterpret_cast<uint64_t>(reservation) + kWindowGuard + kWindowAlign - 1) & ~(kWindowAlign - 1)),
        host_(host),
        reservation_(reservation),
        pages_(pages) {
    host_.maps += 2;
  }
  ~MmapWindow() override {
    host_.maps -= 2 + count_boundaries(0, kWindowPages);
    munmap(reservation_, kReserved);
    munmap(pages_, kModelBytes);
  }

  bool install(uint32_t va, uint64_t pa, uint64_t bytes, bool writable) override {
    // From inside a VM these come as they are: MAP_FIXED replaces whatever is there.
    const uint64_t offset = host_.ram.file_offset(pa);
    if ((va | offset | bytes) % (uint64_t{1} << kPageBits) != 0 || bytes == 0 || bytes > kWindowSize - va ||
        !(host_.ram.contains(pa, bytes) || (host_.ram.is_flash(pa, bytes) && !writable)))
      return false;
    if (va < pending_end_ && va + bytes > pending_start_) commit();
    if (host_.maps + 2 > host_.max_maps) {
      commit();
      if (host_.maps + 2 > host_.max_maps) return false;
    }
    const int protection = PROT_READ | (writable ? PROT_WRITE : 0);
    const int flags = MAP_SHARED | MAP_FIXED | (bytes <= kPopulateBytes ? MAP_POPULATE : 0);
    if (host_.map(reinterpret_cast<void*>(base() + va), bytes, protection, flags, host_.ram.fd,
                  static_cast<off_t>(offset)) == MAP_FAILED) {
      host_.max_maps = std::min(host_.max_maps, std::max(host_.maps - host_.maps / 8, kLeastMaps));
      // What is there now, the old mapping or nothing at all, nobody says: other memory must not
      // get there.
      remove(va, bytes);
      commit();
      return false;
    }
    const uint32_t first = va >> kPageBits, count = static_cast<uint32_t>(bytes >> kPageBits);
    const uint32_t page = static_cast<uint32_t>(offset >> kPageBits);
    forget_boundaries(first, first + count);
    for (uint32_t i = 0; i < count; i++) pages_[first + i] = (page + i + 1) << 1 | uint32_t{writable};
    update_boundary(first);
    update_boundary(first + count);
    return true;
  }

  void remove(uint32_t va, uint64_t bytes) override {
    if (bytes > kWindowSize - va) return;
    if (pending_end_ != 0 && va <= pending_end_ && va + bytes >= pending_start_) {
      pending_start_ = std::min<uint64_t>(pending_start_, va);
      pending_end_ = std::max<uint64_t>(pending_end_, va + bytes);
      return;
    }
    commit();
    pending_start_ = va;
    pending_end_ = va + bytes;
  }

  void commit() override {
    if (pending_end_ == 0) return;
    uint64_t start = pending_start_, bytes = pending_end_ - pending_start_;
    pending_end_ = 0;
    if (!make_inaccessible(start, bytes)) {
      // No VMA left to split one: the whole window needs none. Its entries fault back.
      start = 0;
      bytes = kWindowSize;
      if (!make_inaccessible(start, bytes)) {
        panic(std::string("cannot remove mappings of a window: ") + std::strerror(errno));
      }
    }
    const uint32_t first = static_cast<uint32_t>(start >> kPageBits),
                   end = first + static_cast<uint32_t>(bytes >> kPageBits);
    if (bytes == kWindowSize)
      madvise(pages_, kModelBytes, MADV_DONTNEED);
    else
      clear_pages(first, end);
    forget_boundaries(first, end);
    update_boundary(first);
    update_boundary(end);
  }

 private:
  static constexpr uint64_t kReserved = kWindowSize + 2 * kWindowGuard + 2 * kWindowAlign;
  static constexpr uint64_t kModelBytes = kWindowPages * sizeof(uint32_t);

  // To replace mappings takes none more than there are, but a host at its limit may refuse all the
  // same. Without access they are as good as gone: they are replaced when something is installed
  // there, or the window is cleared.
  bool make_inaccessible(uint64_t va, uint64_t bytes) {
    void* const p = reinterpret_cast<void*>(base() + va);
    return host_.map(p, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) !=
               MAP_FAILED ||
           mprotect(p, bytes, PROT_NONE) == 0;
  }

  // Boundaries strictly inside (first, end).
  uint32_t count_boundaries(uint32_t first, uint32_t end) const {
    uint32_t n = 0;
    for_words(first + 1, end,
              [&](uint32_t i, uint64_t mask) { n += static_cast<uint32_t>(std::popcount(boundaries_[i] & mask)); });
    return n;
  }
  void forget_boundaries(uint32_t first, uint32_t end) {
    for_words(first + 1, end, [&](uint32_t i, uint64_t mask) {
      host_.maps -= static_cast<uint32_t>(std::popcount(boundaries_[i] & mask));
      boundaries_[i] &= ~mask;
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
  void update_boundary(uint32_t p) {
    if (p == 0 || p >= kWindowPages) return;
    const uint32_t a = pages_[p - 1], b = pages_[p];
    const bool merged = (a == 0 && b == 0) || (a != 0 && b == a + 2);
    const uint64_t bit = uint64_t{1} << (p & 63);
    uint64_t& word = boundaries_[p >> 6];
    if (((word & bit) != 0) == !merged) return;
    word ^= bit;
    if (merged)
      host_.maps--;
    else
      host_.maps++;
  }
  // Clears the model of [first, end), skipping stretches without mappings by the boundaries.
  void clear_pages(uint32_t first, uint32_t end) {
    uint32_t p = first;
    while (p < end) {
      uint32_t next = p + 1;
      while (next < end && (next & 63) != 0 && !(boundaries_[next >> 6] >> (next & 63) & 1)) next++;
      if ((next & 63) == 0) {
        while (next < end && boundaries_[next >> 6] == 0) next += 64;
        if (next < end) next += static_cast<uint32_t>(std::countr_zero(boundaries_[next >> 6]));
        next = std::min(next, end);
      }
      if (pages_[p] != 0) std::memset(pages_ + p, 0, (next - p) * sizeof(uint32_t));
      p = next;
    }
  }

  Host& host_;
  void* const reservation_;
  // (page of the file + 1) << 1 | writable, or 0: a lazily touched mapping of 4 MiB, given back
  // when the window is cleared.
  uint32_t* const pages_;
  uint64_t boundaries_[kWindowPages / 64 + 1] = {};  // bit p: pages p-1 and p are in different VMAs
  uint64_t pending_start_ = 0, pending_end_ = 0;     // a removal not yet made; none if the end is 0
};

class MmapBackend final : public WindowBackend {
 public:
  MmapBackend(const GuestRam& ram, uint32_t max_maps, HostMap map)
      : host_{ram, max_maps ? max_maps : read_max_map_count() / 4 * 3, map ? map : ::mmap} {}
  ~MmapBackend() override {
    if (statm_ >= 0) close(statm_);
  }
  MmapBackend(const MmapBackend&) = delete;
  MmapBackend& operator=(const MmapBackend&) = delete;

  std::unique_ptr<Window> create_window() override { return MmapWindow::create(host_); }

  // Files and shared memory of the whole process, /proc/PID/statm's third number: RAM as the engine
  // sees it and the program itself are a constant part.
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
  Host host_;
  const int statm_ = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
};

}  // namespace

Result<std::unique_ptr<WindowBackend>> make_mmap_backend(const GuestRam& ram, uint32_t max_maps, HostMap map) {
  if (ram.fd < 0) return Error{"mmap windows need guest RAM in a memfd; this RAM is anonymous memory"};
  std::unique_ptr<WindowBackend> backend = std::make_unique<MmapBackend>(ram, max_maps, map);
  return backend;
}

}  // namespace crosswalk::mmu
