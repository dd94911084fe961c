// SPDX-License-Identifier: GPL-2.0-or-later
// Windows, and where they come from. A window is 4 GiB of host addresses that stand for one guest
// address space: host address = base + VA. Guards around it fault.
//
// Who makes the entries. Of a Window, the MMU does: it walks the guest's tables when an access
// faults, and keeps the record of what is installed (window_map.h). Of a FillingWindow, the
// provider does, where the fault arrives, by the same walk; and it keeps the record. Then a fault
// comes to the MMU only if the access is not one to plain RAM that the guest allows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

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

// The host addresses. The destructor of what derives from it removes everything that is installed
// there and gives them back to the provider.
class ReservedWindow {
 public:
  explicit ReservedWindow(uint64_t base) : base_(base) {}
  virtual ~ReservedWindow() = default;
  ReservedWindow(const ReservedWindow&) = delete;
  ReservedWindow& operator=(const ReservedWindow&) = delete;

  // The host address of VA 0, at which the engine can access it.
  uint64_t base() const { return base_; }

 private:
  const uint64_t base_;
};

// `va` and `bytes` are multiples of 4 KiB; `pa` is guest RAM, or flash, which is never writable.
// Precondition: the range lies inside
// the window.
class Window : public ReservedWindow {
 public:
  using ReservedWindow::ReservedWindow;

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
};

// TLB maintenance for one FillingWindow.
struct WindowFlush {
  // everything; what is non-global; the entry that covers `va`; the same if it is global; the pages
  // below `va`, a multiple of 4 KiB
  enum Kind : uint8_t { All, NonGlobal, Page, GlobalPage, Below };
  Kind kind;
  uint32_t va;
};

class FillingWindow : public ReservedWindow {
 public:
  using ReservedWindow::ReservedWindow;

  // What its walks read from now on: the bytes of a Guest::Regime, and the privilege. What is
  // installed stays.
  virtual void set_regime(std::span<const std::byte> regime, bool privileged) = 0;
  // Pages installed now.
  virtual uint32_t installed(bool nonglobal_only) const = 0;
  // Faults after which something was installed, since the window was made; modulo 2^32.
  virtual uint32_t faults() const = 0;
  // Whether a flush of `va` has something to remove, perhaps.
  virtual bool may_hold(uint32_t va) const = 0;
  // Whether pages are installed below `va`, a multiple of 2 MiB.
  virtual bool holds_below(uint32_t va) const = 0;
  // Stretches of 2 MiB that have had pages since the window was cleared: host page tables may exist
  // for them.
  virtual uint32_t stretches() const = 0;

  // In pages.
  struct Flushed {
    uint32_t removed = 0, kept = 0, rewritten = 0;
  };
  // Carries out `batch`: afterwards no access reaches what it covers and is not what the tables say
  // now. `eager`: what is covered is walked for again, and stays if it is unchanged.
  virtual Flushed flush(std::span<const WindowFlush> batch, bool eager) = 0;
  // Installs the pages of these VAs that a load could access. Returns how many pages.
  virtual uint32_t fill(std::span<const uint32_t> vas) = 0;
  // Entries for RAM pages from the least of these to the greatest lose their write access, where
  // the page holds code (WindowFiller::code_pages).
  virtual void protect(std::span<const uint32_t> ram_pages) = 0;
  // Removes everything, and gives page tables and bookkeeping back.
  virtual void clear() = 0;
};

// What a provider has installed by itself since it was made.
struct FillCounts {
  uint64_t faults = 0;  // after which the access was repeated
  // pages; of these, neighbours of a page that faulted; and those of FillingWindow::fill()
  uint64_t entries = 0, around = 0, listed = 0;
  uint64_t walks = 0, walk_levels = 0;
};

// A provider that fills windows by itself.
class WindowFiller {
 public:
  // Null when there is no room: the caller then evicts one.
  virtual std::unique_ptr<FillingWindow> create_filling_window() = 0;
  // One bit for each RAM page: while it is set, the page is installed without write access. The
  // first word has the first 64 pages.
  virtual uint64_t* code_pages() = 0;
  // VA >> 12, inclusive.
  struct Pages {
    uint32_t first, last;
  };
  // These pages are in no window, until the next call. Precondition: at most 16.
  virtual void watch(std::span<const Pages> pages) = 0;
  virtual FillCounts counts() const = 0;

 protected:
  ~WindowFiller() = default;
};

// What a thread shares with a provider that hands faults to it without a signal. Written when a
// fault comes, while it is not busy; the thread writes busy = 0.
struct FaultUpcall {
  uint64_t busy;
  uint64_t rip, rsp, rflags, rax;  // as they were; other registers are unchanged
  uint64_t address, write;
};

class FaultUpcalls {
 public:
  // Faults of the calling thread, of windows and not served, go on at `entry` from now on, with
  // RSP = stack and RAX = argument. Null: they stay signals.
  virtual FaultUpcall* attach(const void* entry, void* stack, void* argument) = 0;
  // Of the calling thread: signals again.
  virtual void detach(FaultUpcall* upcall) = 0;

 protected:
  ~FaultUpcalls() = default;
};

// Makes windows, of one of the two kinds. Outlives them.
class WindowBackend {
 public:
  virtual ~WindowBackend() = default;
  // Reserves a window with its guards. Null when there is no room: the caller then evicts one. Not
  // for a provider that has a filler().
  virtual std::unique_ptr<Window> create_window() { return nullptr; }
  // Null: the MMU makes the entries.
  virtual WindowFiller* filler() { return nullptr; }
  // Null: faults are signals.
  virtual FaultUpcalls* upcalls() { return nullptr; }
  // Whether windows can have page tables in common: only where the engine writes them itself.
  virtual bool can_share() const { return false; }
  // Where the host counts what windows reach as resident memory of this process: how many pages of
  // files and shared memory it counts now, and how often it is worth asking, in nanoseconds. 0:
  // nothing of windows is counted.
  virtual uint64_t resident_pages() { return 0; }
  virtual double resident_check_ns() const { return 0; }
};

}  // namespace crosswalk::mmu
