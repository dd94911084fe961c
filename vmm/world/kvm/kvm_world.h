// SPDX-License-Identifier: GPL-2.0-or-later
// The `kvm` world: the calling thread's own code, at its own addresses, at CPL 3 inside a KVM VM.
//
// Memory. The host address space is divided into regions of 1 GiB. A region is made reachable as a
// whole: one memory slot (or a part of one) puts it at some guest-physical address, and 2 MiB x86
// page-table entries map it at its own address, readable and writable at CPL 3. Holes, later mmaps
// and protections are then KVM's business: it follows the host's page tables. Regions of what is
// mapped when the world is made are reachable from the start, others when they are first touched.
//
// KVM does not follow the host's PROT_EXEC. The code of the program and its libraries, as it is
// when the world is made, and what add_code() names are executable; all else is not, guest RAM and
// the writable view of the code cache among it.
//
// The world's own structures lie in a region of their own, the arena: descriptor tables and CPL 0
// stubs (supervisor only), CPL 3 stubs (read-only), the stacks of the engine with guard pages, and
// the pool of x86 page-table pages, which engine code writes through ordinary pointers.
//
// Faults of translated code are delivered by ring0/upcall.h.
//
// vDSO: clock_gettime works inside where KVM can map the kernel's vvar page (it can on current
// kernels); RDTSC is the same inside and outside when tsc_is_exact().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "translator/base/counter.h"
#include "translator/base/trace.h"
#include "translator/engine/world.h"
#include "vmm/base/result.h"
#include "vmm/world/kvm/kvm_api.h"
#include "vmm/world/kvm/kvm_options.h"
#include "vmm/world/kvm/ring0/page_tables.h"
#include "vmm/world/kvm/ring0/upcall.h"

namespace crosswalk::vmm {
class Sandbox;
}

namespace crosswalk::kvm {

// What each mechanism costs here, measured when the world is made, in microseconds. 0: it does not
// work here or the options rule it out.
struct MechanismCosts {
  double fault_direct_us = 0, fault_exit_us = 0;  // a page fault, up to the end of the access
  double flush_gate_us = 0, flush_exit_us = 0;    // one page's translation dropped
};

// Why the VM was left, as far as statistics go.
enum class ExitReason : uint8_t {
  SystemCall,   // of the engine, by SYSCALL or by the exception that it raises
  HostCall,     // host_call(): several system calls at once
  Map,          // memory of the process that was not reachable yet
  PageFault,    // a fault delivered by an exit
  NestedFault,  // engine memory touched first in the fault handler
  HostFault,    // -EFAULT
  Flush,
  Interrupted,  // a signal, or KVM's own wish
  Other,        // the end of the engine function, and what the world cannot serve
  Count
};
inline constexpr size_t kExitReasons = static_cast<size_t>(ExitReason::Count);
const char* name_of(ExitReason reason);

struct KvmCounters {
  uint64_t exits = 0;  // all returns of KVM_RUN but `interrupted`
  uint64_t interrupted = 0;
  uint64_t system_calls = 0;
  uint64_t host_calls = 0;
  uint64_t regions_added = 0;  // by a fault
  uint64_t nested_faults = 0;
  uint64_t page_fault_exits = 0;  // with FaultDelivery::Exit
  uint64_t host_faults = 0;       // -EFAULT
  uint64_t flush_exits = 0;
  uint64_t gate_flushes = 0;   // INT3 gates: no exit
  uint64_t upcalls = 0;        // faults delivered inside the VM
  uint64_t ticks_outside = 0;  // TSC ticks from exit to re-entry, KVM's own part not included
  struct {
    uint64_t count = 0, ticks = 0;
  } by_reason[kExitReasons];
};

inline constexpr Counter<KvmCounters> kCounters[] = {
    {"exits", &KvmCounters::exits},
    {"time outside the VM", &KvmCounters::ticks_outside, CounterUnit::Ticks},
    {"faults delivered in the VM", &KvmCounters::upcalls},
    {"flushes without an exit", &KvmCounters::gate_flushes},
    {"regions added", &KvmCounters::regions_added},
};

class KvmWorld final : public engine::World {
 public:
  static vmm::Result<std::unique_ptr<KvmWorld>> create(const KvmOptions& options);
  ~KvmWorld() override;

  // Aborts with the state printed on a fault that `handler` refuses and on any exit that is not
  // understood. System calls of the entry function are made by the calling thread, except those
  // that would make a second thread of execution or change the thread's own registers (clone, fork,
  // vfork, clone3, rt_sigreturn, arch_prctl): those return -ENOSYS.
  void run(void (*entry)(void*), void* argument, engine::FaultHandler handler, void* context) override;
  const char* name() const override { return "kvm"; }
  void add_code(const void* begin, size_t bytes) override;

  // Runs fn(argument) inside the VM: at once when already there, else by an entry of its own.
  // Precondition: fn takes no faults in windows.
  void execute(void (*fn)(void*), void* argument);
  // The same for anything that can be called.
  template <class Function>
  void execute(Function function) {
    execute([](void* f) { (*static_cast<Function*>(f))(); }, &function);
  }

  // Work outside the VM for code inside, such as several system calls in one exit. What code inside
  // names is the number of a function that was added before, not an address, and values: the
  // function checks them.
  using HostArguments = ring0::HostArguments;
  using HostFunction = uint64_t (*)(void* context, const HostArguments& arguments);
  using HostFunctionNumber = uint32_t;
  HostFunctionNumber add_host_function(HostFunction function, void* context);
  void remove_host_function(HostFunctionNumber number);
  // At once when the caller is outside, by one exit when inside. Aborts with the state printed when
  // there is none of this number.
  uint64_t host_call(HostFunctionNumber number, const HostArguments& arguments = {});

  // From now on, the system calls of code inside the VM are those that `sandbox` allows it.
  // Outlives the world.
  void confine(const vmm::Sandbox& sandbox) { sandbox_ = &sandbox; }
  // Whether the caller executes inside the VM. Only the thread that owns this world may ask.
  bool inside() const { return __atomic_load_n(&area_->inside, __ATOMIC_RELAXED) != 0; }

  // Makes the regions of [address, address+bytes) reachable. Those not yet reachable become one
  // contiguous range of guest-physical addresses for each run of them. An error when the slots are
  // used up.
  vmm::Result<bool> ensure_mapped(uint64_t address, uint64_t bytes);
  // How many more memory slots there can be: at most one for each region.
  uint64_t slots_left() const { return slot_limit_ - next_slot_; }
  // The guest-physical address of host memory, or 0 when its region is not reachable yet.
  uint64_t gpa_of(uint64_t address) const {
    const uint64_t region = address >> 30;
    return region < kRegions && region_gpa_[region] != 0 ? region_gpa_[region] + (address & (kRegionBytes - 1)) : 0;
  }

  // Declares [base, base+bytes), whole regions, as linear addresses of the VM that are not the
  // process's: faults there go to the fault handler, and the page tables there belong to the
  // caller.
  void add_window_range(uint64_t base, uint64_t bytes);
  void remove_window_range(uint64_t base);
  // For window ranges, and for links between regions of windows; inside() only.
  ring0::PageTables& page_tables() { return *tables_; }
  // Carries out `changed` and clears it. Precondition: inside().
  void invalidate(ring0::Invalidations& changed);

  KvmCounters counters() const;
  // Exits become events of `ring`, which the CPU that runs here fills; null: none. Outlives the
  // world.
  void set_trace(trace::Ring* ring) { trace_ = ring; }
  bool software_mmu() const { return cpl0_instruction_ns_ > kEmulatedThresholdNs; }
  double cpl0_instruction_ns() const { return cpl0_instruction_ns_; }
  bool direct_faults() const { return direct_faults_; }
  bool gate_flush() const { return gate_flush_; }
  const MechanismCosts& mechanism_costs() const { return mechanism_costs_; }
  // Whether RDTSC inside the VM is RDTSC outside. If not, code inside and threads outside must not
  // compare theirs.
  bool tsc_is_exact() const { return tsc_is_exact_; }
  // What SYSCALL does inside the VM.
  enum class SyscallEntry : uint8_t {
    Unknown,
    Exception,  // #GP or #UD
    LstarCpl0,  // as the SDM says
    LstarCpl3,  // goes to LSTAR and stays at CPL 3
  };
  SyscallEntry syscall_entry() const { return syscall_entry_; }

  static constexpr uint64_t kRegionBytes = uint64_t{1} << 30;

 private:
  static constexpr uint64_t kRegions = uint64_t{1} << 17;  // of the lower half: 47 bits
  // emulated 500 to 1000; native under 1, in QEMU's TCG under 20
  static constexpr double kEmulatedThresholdNs = 200;
  class Pool;
  struct Range {
    uint64_t base, end;
  };

  explicit KvmWorld(const KvmOptions& options);
  void build_arena();
  void map_arena(bool no_execute);
  void set_up_vcpu(const std::vector<kvm_cpuid_entry2>& cpuid);
  void map_present_regions();
  void choose_mechanisms();
  void self_test(bool direct, bool gate, uint64_t xsave_mask);
  void deliver_faults(bool direct);
  void measure_mechanisms();
  void measure_cpl0();
  void align_tsc();
  void keep_tsc_aligned();
  void install_stubs(uint64_t xsave_mask);
  void protect_stubs();

  void add_regions(uint64_t first, uint64_t count);
  static uint64_t map_regions(void* self, const HostArguments& range);
  uint64_t call_host_function(uint64_t number, const HostArguments& arguments);
  bool map_code(uint64_t begin, uint64_t end, ring0::Invalidations& changed);
  bool resolve(uint64_t address);
  bool in_window_range(uint64_t address) const;

  // Enters the VM and serves its exits until the function returned. Throws KvmError on an exit that
  // cannot be served; failure_frame_ then has the registers.
  void enter(void (*entry)(void*), void* argument, engine::FaultHandler handler, void* context);
  bool serve(const Exit& exit);
  static ExitReason reason_of(const Exit& exit);
  void serve_vector(uint8_t vector);
  void serve_host_fault();
  uint64_t system_call(uint64_t number, const kvm_regs& regs);
  [[noreturn]] void fail(const std::string& what, const engine::FaultFrame& frame);
  engine::FaultFrame frame_of_registers();
  static bool upcall(void* self);

  kvm_sregs user_sregs_{};
  System system_;
  Vm vm_;
  std::unique_ptr<Vcpu> vcpu_;
  KvmOptions options_;
  uint8_t* arena_ = nullptr;
  uint64_t fault_stack_top_ = 0, engine_stack_top_ = 0;
  ring0::UpcallArea* area_ = nullptr;
  ring0::ExceptionFrame* exception_frame_ = nullptr;
  ring0::Stubs stubs_;
  ring0::SystemPages system_pages_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<ring0::PageTables> tables_;
  uint64_t* region_gpa_ = nullptr;  // by region number; 0: not reachable
  uint64_t next_gpa_ = uint64_t{4} << 30;
  uint64_t gpa_limit_ = 0;
  uint32_t next_slot_ = 0, slot_limit_ = 0;
  std::vector<Range> window_ranges_;
  struct HostEntry {
    HostFunction function = nullptr;
    void* context = nullptr;
  };
  std::array<HostEntry, 8> host_functions_;
  HostFunctionNumber map_regions_;
  std::string mapping_error_;  // of the last map_regions that failed
  const vmm::Sandbox* sandbox_ = nullptr;
  std::vector<Range> code_ranges_;  // what may be executed of the process's memory

  engine::FaultHandler handler_ = nullptr;
  void* handler_context_ = nullptr;
  bool running_ = false;
  engine::FaultFrame failure_frame_{};
  KvmCounters counters_;
  trace::Ring* trace_ = nullptr;
  uint64_t exit_detail_ = 0;  // for the trace: what the last exit was about
  double cpl0_instruction_ns_ = 0;
  MechanismCosts mechanism_costs_;
  int64_t tsc_offset_ = 0;
  bool direct_faults_ = false, gate_flush_ = false, tsc_is_exact_ = false;
  SyscallEntry syscall_entry_ = SyscallEntry::Unknown;
};

}  // namespace crosswalk::kvm
