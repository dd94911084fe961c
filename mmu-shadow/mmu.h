// SPDX-License-Identifier: GPL-2.0-or-later
// The guest MMU as the engine uses it: one Mmu per CPU. It owns the address spaces (one per regime key), each
// with its instruction-page table and either a software TLB or a window, and applies guest TLB maintenance.
//
// It knows nothing of translated code, KVM exits or signals; whoever
// catches a host fault calls window_fault.
#pragma once

#include <cstdint>
#include <memory>

#include "mmu-shadow/windows/window.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/mmu_port.h"
#include "translator/arm32/cpu/platform.h"

namespace crosswalk::mmu {

using crosswalk::AccessKind;
using crosswalk::Translation;

// --mmu. Auto is resolved before an Mmu is made.
//
// Hybrid: each address space is in one of two forms, a software TLB or a window of the backend, and changes between
// them as its history says, or has a window from the start where those are cheap (hybrid.cc). cpu.memory_window says
// which form the current one has.
enum class Mode : uint8_t { SoftCall, Soft, Mmap, Shadow, Ept, Flat, Hybrid };

// The bit of the code flags (fetch_page) that is cpu.memory_window: code made for one form is not for the other.
inline constexpr uint32_t kCodeFlagWindow = 1u << 2;

// One entry of the software TLB that translated code looks up inline (Mode::Soft): index = VA[21:12],
// 16 bytes. A tag holds the page's VA when the access is allowed and is plain RAM, else kNoTag (which no
// page-aligned VA equals). Host address = addend + VA.
struct SoftTlbEntry {
  uint32_t tag_load;
  uint32_t tag_store;
  uint64_t addend;
};
inline constexpr uint32_t kSoftTlbEntries = 1024;
inline constexpr uint32_t kNoTag = 0xffffffff;

// The default of MmuConfig::max_resident_pages is twice the pages of RAM and so many more.
inline constexpr uint64_t kResidentBeyondRam = (64 << 20) >> 12;
inline constexpr uint32_t kWindowLeaves = 4096;  // one window alone may have half of them

// What became of a host fault inside a window.
enum class FaultOutcome : uint8_t {
  Installed,   // retry the access
  GuestFault,  // the guest's own fault: `translation` says which
  Device,      // emulate the access at translation.pa, and do so from now on; when translation.host is set it is
               // RAM that is never entered (the page has a watched byte, or is Device or Strongly-ordered
               // memory); when !translation.ok, it is an alignment fault or this one
  CodeWrite,   // the page held translated code; it has been dropped and the page is writable: retry
  Split,       // the access wraps at 4 GiB or reaches the guard: emulate it piecewise
  Once,        // RAM that cannot be entered now (it still holds translated code, or the backend is at a limit): do
               // this access at translation.host, by hand; the next one may succeed
};

// Called when guest code is about to be modified, or translations of a page must go. Implemented by the engine.
class CodeListener {
 public:
  virtual ~CodeListener() = default;
  // [pa, pa+bytes) lies within one 4 KiB page that holds translated code and is being written.
  // Returns true when the page holds no translated code any more (it may be made writable).
  virtual bool code_written(uint64_t pa, uint32_t bytes) = 0;
  // Every page id that fetch_page has returned is void, and will be given to another page. Whoever keeps ids forgets
  // them before this returns: translated code, its links and the jump cache. Called by fetch_page alone.
  virtual void page_ids_dropped() {}
};

// --flush: what becomes of the entries that a guest's TLB maintenance covers. Either is architecturally right: a TLB
// may be filled speculatively at any time (ARM DDI 0406C, B3.9.1).
enum class FlushPolicy : uint8_t {
  Lazy,   // they are dropped; each access faults its entry back
  Eager,  // they are walked again in bulk and rewritten in place
  Auto,   // one of these for each flush, by cost (flush.h)
};

// What things cost on this host in this mode, in nanoseconds; what FlushPolicy::Auto, prefilling and Mode::Hybrid
// decide by.
struct MmuCosts {
  double walk = 15;           // walking again for one entry of many, in the order of their VAs
  double walk_apart = 25;     // the same in another order, as in a software TLB: seldom in the same table
  double soft_refill = 65;    // a software-TLB miss from translated code and back, walk included
  double fetch_refill = 200;  // the same for an instruction page
  double window_fault = 10'000;
  double window_install = 100;   // one entry written by the backend, without a fault
  double window_flush = 10'000;  // one entry made invalid, committed
  double window_create = 150'000;
  // Hybrid: the part of the time on a software TLB that is looking it up, unprivileged and privileged
  // (docs/measurements.md: compute workloads and getppid), the time that a space must have run before it is judged,
  // and the time after which its history counts half.
  double lookup_share[2] = {0.25, 0.18};
  double judge_after = 2'000'000, half_life = 20'000'000;
  double ticks_per_ns = 2;  // of the time-stamp counter
  double soft_lookup = 1;   // that a software TLB takes in each access
  // A page of an ordinary Linux guest is accessed a few thousand times between two flushes.
  double accesses_of_entry = 4'000;

  // What an entry of a window costs, from the access that faults to its flush, where a software TLB has a refill; and
  // the lookups that it saves.
  double entry_costs() const { return window_fault + window_flush - soft_refill; }
  double entry_saves() const { return accesses_of_entry * soft_lookup; }
  // Whether an address space is better off with a window whatever it does: then nothing is to be learned about it.
  bool windows_pay_at_once() const { return entry_costs() <= entry_saves(); }
};

class AsidAccounts;

struct MmuConfig {
  Mode mode = Mode::Soft;
  FlushPolicy flush = FlushPolicy::Lazy;
  MmuCosts costs{};
  bool prefill = true;  // a new space gets its predecessor's instruction pages and software TLB, each walked for again
  uint32_t max_spaces = 64;  // windows or software TLBs kept before the least recently used is evicted
  // Limits of what a guest can make grow (docs/limits.md). At the first, all translated code is forgotten; at the
  // others, the windows used least recently are emptied.
  uint32_t max_page_ids = 1 << 18;
  uint64_t max_resident_pages = 0;  // WindowBackend::resident_pages; 0: twice RAM and kResidentBeyondRam
  // Stretches of 2 MiB that have had entries since their windows were empty, which is what page tables exist for; 0:
  // kWindowLeaves, and eight times those of RAM.
  uint32_t max_window_leaves = 0;
  bool fill_around = true;  // a window fault also installs valid neighbours (sections, contiguous pages)
  bool install_on_return =
      true;                  // after a guest abort, the page is entered when the guest is back, if it is mapped then
  bool share_tables = true;  // privileged address spaces have hardware tables in common, where they can
  uint32_t fill_bytes = 2 << 20;     // at most this much of a large entry at once; a power of two, 4 KiB - 2 MiB
  AsidAccounts* accounts = nullptr;  // where totals by ASID go (accounts.h); null: nowhere
};

struct Statistics {
  uint64_t walks = 0, walk_levels = 0;
  uint64_t soft_misses = 0;
  uint64_t window_faults_installed = 0, window_faults_guest = 0, window_faults_device = 0, window_faults_code = 0,
           window_faults_spurious = 0, window_faults_split = 0;
  uint64_t entries_4k = 0, entries_64k = 0, entries_1m = 0, entries_2m = 0;  // installed, by size
  uint64_t flush_all = 0, flush_asid = 0, flush_mva = 0, flush_mvaa = 0;     // guest operations
  // Of guest operations, as applied to address spaces: entries that went, that turned out unchanged, that were
  // rewritten.
  uint64_t entries_removed = 0, entries_kept = 0, entries_rewritten = 0;
  uint64_t refreshes_lazy = 0, refreshes_eager = 0;  // TLBIALL and TLBIASID, by what was done in a space
  uint64_t pages_prefilled = 0, spaces_prefilled = 0;
  uint64_t instruction_pages_prefilled = 0;  // of pages_prefilled
  // Hybrid: spaces that got a window and that went back, time in both forms, and for the time in windows
  // nanoseconds of faults and flushes, and of translation, that the model predicted and that happened.
  uint64_t promotions = 0, demotions = 0;
  uint64_t soft_ticks = 0, window_ticks = 0;  // of the time-stamp counter
  double predicted_upkeep_ns = 0, upkeep_ns = 0, predicted_translation_ns = 0, translation_ns = 0;
  uint64_t space_switches = 0, spaces_created = 0, spaces_evicted = 0;
  uint64_t code_pages_protected = 0, code_page_writes = 0;
  uint64_t pages_installed = 0;      // 4 KiB pages entered into a software TLB or a window, for whatever cause
  uint64_t installed_on_return = 0;  // faults spared: pages entered when the guest came back from an abort
  uint64_t pages_promoted = 0;       // installed when a space got a window, those filled around aside
  uint64_t pages_filled_around = 0;  // 4 KiB pages installed beyond the one that faulted
  uint64_t spaces_cleared = 0;       // windows emptied because the backend was at a limit
  uint64_t spaces_over_budget = 0;   // windows emptied for max_resident_pages and max_window_leaves
  uint64_t most_window_pages = 0, most_window_leaves = 0, most_resident_pages = 0;  // that there were at a time
  uint64_t page_id_drops = 0;   // times that max_page_ids was reached
  uint64_t spaces_sharing = 0;  // that began to share hardware tables for the kernel's VAs
  uint64_t spaces_parted = 0;   // that stopped, since theirs became different
  uint64_t fetch_walks = 0, page_ids = 0;
};

class Mmu : public MmuPort {
 public:
  // The translation regime may have changed (CP15 write, or privilege changed): selects the address space for the
  // CPU's current regime and sets cpu.mem_base, cpu.instruction_pages and cpu.space. Flushes nothing. Cheap when
  // the key is unchanged or recently used.
  virtual void activate(CpuState& cpu) = 0;

  // The software-TLB slow path: translate for the CPU's current privilege, and install the entry for plain RAM.
  // A Store to a page with translated code calls the listener for the 64 bytes from `va` (within its page) before it
  // returns; so the caller may store up to 64 bytes at translation.host. In window modes it does the same, but
  // installs nothing: the way to emulate a store that window_fault returned as Device or Split.
  virtual Translation fill(CpuState& cpu, uint32_t va, AccessKind kind) = 0;

  // A host fault at window offset `offset` (fault address - cpu.mem_base, so it may be negative or >= 4 GiB in
  // the guards) of an access of `bytes` bytes.
  virtual FaultOutcome window_fault(CpuState& cpu, int64_t offset, uint32_t bytes, bool write,
                                    Translation& translation) = 0;

  // Fetch from the page of `va`: walks when cpu.instruction_pages does not have it, checks execute permission,
  // enters it and returns its page id (never 0), unique for (VA page, PA page, `code_flags`); `translation` says where
  // it is. Returns 0 on a fault. Device memory faults as the architecture allows (permission).
  virtual uint32_t fetch_page(CpuState& cpu, uint32_t va, uint32_t code_flags, Translation& translation) = 0;

  // Forgets every instruction page of every address space: `code_flags` will be different ones from now on, and
  // translated code compares page ids without asking.
  virtual void forget_instruction_pages() {}

  // DBGDSCR, DBGVCR, a debug lock or a breakpoint's or watchpoint's register has changed, and recompute_debug
  // (arm/debug.h) been called. Forgets the instruction pages for which arm::page_may_break may answer otherwise now,
  // which is part of `code_flags`, and enters no page with a watched byte from now on: accesses to it come to fill or
  // window_fault, and the engine compares.
  virtual void debug_changed(CpuState&) {}

  // The CPU polls, between blocks of translated code: an address space may get its other form (Mode::Hybrid), also when
  // the guest never leaves it.
  virtual void polled(CpuState&) {}

  // The CPU slept for so many ticks of the time-stamp counter: not time that a space ran.
  virtual void slept(uint64_t) {}

  // Code of the page `page_id` was translated, which took so many ticks of the time-stamp counter.
  virtual void translated(uint32_t /*page_id*/, uint64_t /*ticks*/) {}

  // Translated code was made from the RAM page at `pa` / is gone: installed entries lose or may regain write access.
  virtual void protect_code_page(uint64_t pa) = 0;
  virtual void unprotect_code_page(uint64_t pa) = 0;
  // A write by a device or the engine to RAM: drops translations there (listener).
  virtual void note_external_write(uint64_t pa, uint64_t bytes) = 0;

  virtual const Statistics& statistics() const = 0;
  // Mode::Flat only: the guest has turned its MMU on, which this mode cannot express. Checked by the machine.
  virtual bool flat_violation() const { return false; }
};

// `backend` is null for soft modes; for Flat it creates one window and RAM is installed once.
std::unique_ptr<Mmu> make_mmu(const MmuConfig& config, const GuestRam& ram, CodeListener& listener,
                              WindowBackend* backend);

// Measures costs.walk and the refills on this host, in less than a millisecond; false, without changes, if there is no
// memory for it.
bool measure_walk_costs(MmuCosts& costs);

// The mmap(2) backend: windows are reservations in this process, entries are MAP_FIXED mappings of ram.fd.
// Precondition: ram.fd is a memfd. `max_maps` limits the host mappings (VMAs) it makes; 0: three quarters of
// vm.max_map_count. With several backends in one process, divide. `map` is mmap(2), or what a test has in its place.
using HostMap = void* (*)(void*, size_t, int, int, int, long);
std::unique_ptr<WindowBackend> make_mmap_backend(const GuestRam& ram, uint32_t max_maps = 0, HostMap map = nullptr);

}  // namespace crosswalk::mmu
