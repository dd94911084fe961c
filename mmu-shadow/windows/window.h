// SPDX-License-Identifier: GPL-2.0-or-later
// Windows, and where they come from. A window is 4 GiB of host addresses that stand for one guest
// address space: host address = base + VA. Guards around it fault.
#pragma once

#include <cstdint>
#include <memory>

namespace crosswalk::mmu {

// Host address space reserved around each window: an access of up to kWindowGuard bytes of
// displacement below or above [base, base + 4 GiB) faults instead of reaching anything.
inline constexpr uint64_t kWindowSize = uint64_t{1} << 32;
inline constexpr uint64_t kWindowGuard = 64 << 10;

// Whether a guest with such VAs can have windows: they hold all of them.
template <typename Va>
inline constexpr bool kFitsWindow = sizeof(Va) <= sizeof(uint32_t);
// Where `va` is in a window. Precondition: a window exists, so that kFitsWindow.
template <typename Va>
constexpr uint32_t window_offset(Va va) {
  return static_cast<uint32_t>(va);
}

// `va` and `bytes` are multiples of 4 KiB; `pa` is guest RAM. Precondition: the range lies inside
// the window.
//
// The destructor removes everything and gives the host address space back to the provider.
class Window {
 public:
  explicit Window(uint64_t base) : base_(base) {}
  virtual ~Window() = default;
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  // The host address of VA 0, at which the engine can access it.
  uint64_t base() const { return base_; }

  // Makes [va, va+bytes) reach [pa, pa+bytes). Existing entries there are replaced. Returns false
  // when a host limit is reached (max_map_count): the caller evicts a window and retries. What a
  // replacement takes away (write access, the old page) is gone only after the next commit().
  virtual bool install(uint32_t va, uint64_t pa, uint64_t bytes, bool writable) = 0;
  // Removes what is installed in [va, va+bytes). May be deferred until commit().
  virtual void remove(uint32_t va, uint64_t bytes) = 0;
  // Removes all that is installed in the window, but for what it shares, and gives back what it
  // takes to have had entries there: page tables and bookkeeping. May be deferred until commit().
  virtual void clear() { remove(0, kWindowSize); }
  // Makes what was done before in this window, and in the one that it shares, effective before it
  // returns.
  virtual void commit() = 0;

  // From `from` (whole GiB) on, this window is what `common`, of the same provider, is, until
  // unshare(): entries there are installed and removed in `common` alone. Takes effect with the
  // next commit(). Returns false when there is no memory for tables; unshare() undoes what was
  // done. Preconditions: WindowBackend::can_share(); nothing is installed there; `common` outlives
  // the sharing.
  virtual bool share(uint32_t /*from*/, Window& /*common*/) { return false; }
  // Takes effect with the next commit().
  virtual void unshare() {}
  // Accesses use this window, which shares, from now on: until then, what changed in common need
  // not be effective here. Changes in common come from the window entered last.
  virtual void enter() {}

 private:
  const uint64_t base_;
};

// Makes windows, whose entries are made by mmap(2) or are x86 page-table entries. Outlives them.
class WindowBackend {
 public:
  virtual ~WindowBackend() = default;
  // Reserves a window with its guards. Null when there is no room: the caller then evicts one.
  virtual std::unique_ptr<Window> create_window() = 0;
  // Whether windows can have page tables in common: only where the engine writes them itself.
  virtual bool can_share() const { return false; }
  // Where the host counts what windows reach as resident memory of this process: how many pages of
  // files and shared memory it counts now, and how often it is worth asking, in nanoseconds. 0:
  // nothing of windows is counted.
  virtual uint64_t resident_pages() { return 0; }
  virtual double resident_check_ns() const { return 0; }
};

}  // namespace crosswalk::mmu
